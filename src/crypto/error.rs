//! Errors of encryption.

/// Why a value could not be encrypted or decrypted. Contains nothing of the value.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    #[error(
        "the keyring has no key {key_id:?}: put it back, and run rotate-keys before you remove a key"
    )]
    UnknownKey { key_id: String },
    #[error("the encrypted value is malformed")]
    Malformed,
    #[error(
        "the encrypted value cannot be decrypted: the key in ODT_KEYRING has other bytes, or the value was altered or moved"
    )]
    Failed,
}
