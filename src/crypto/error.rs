//! Why sealing or opening a value failed.

/// Why a value could not be sealed or opened. Says nothing about the value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    #[error(
        "no key {key_id:?} in the keyring: put it back, or run rotate-keys before dropping a key"
    )]
    UnknownKey { key_id: String },
    #[error("the sealed value is malformed")]
    Malformed,
    #[error("the sealed value does not open in this place")]
    Failed,
}
