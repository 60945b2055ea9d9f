//! Key-encryption keys. [`KeyWrap`] is the interface for a key service such as AWS KMS or Vault
//! Transit; [`Keyring`] implements it with local keys.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::error::SealError;

/// Length of an AES-256 key in bytes.
pub const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;

/// A data key. It is zeroed on drop.
pub type DataKey = Zeroizing<[u8; KEY_LEN]>;

/// Wraps and unwraps data keys.
///
/// `unwrap(id, wrap(id, key, aad), aad)` must return `key`, and must fail for any other `id` or
/// `aad`. The methods run on a blocking thread, so an implementation may use the network. AWS KMS
/// takes `aad` as the encryption context, Vault Transit as `associated_data`.
pub trait KeyWrap: Send + Sync {
    /// Returns the id of the key that wraps new data keys.
    fn active_key_id(&self) -> &str;
    /// Lists the ids of all keys that can unwrap.
    fn key_ids(&self) -> Vec<String>;
    /// Wraps `data_key`.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] for an unknown id, otherwise [`SealError::Failed`].
    fn wrap(&self, key_id: &str, data_key: &DataKey, aad: &[u8]) -> Result<Vec<u8>, SealError>;
    /// Unwraps a data key.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] for an unknown id, [`SealError::Failed`] if `aad` differs or the
    /// wrapped key was altered.
    fn unwrap(&self, key_id: &str, wrapped: &[u8], aad: &[u8]) -> Result<DataKey, SealError>;
}

/// Why a keyring cannot be read. Contains no key material.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyringError {
    #[error("the keyring is empty: it needs at least one line `key_id:base64 of 32 bytes`")]
    Empty,
    #[error("line {line} is not `key_id:base64 of 32 bytes`")]
    Malformed { line: usize },
    #[error("the key in line {line} has {bytes} bytes, not 32")]
    WrongLength { line: usize, bytes: usize },
    #[error("the key id in line {line} must be 1 to 64 characters of a-z A-Z 0-9 . _ -")]
    BadKeyId { line: usize },
    #[error("the key id in line {line} is a duplicate")]
    Duplicate { line: usize },
}

/// Keys from a file or the environment. The first key is active; the others only decrypt.
pub struct Keyring {
    active: String,
    keys: BTreeMap<String, LessSafeKey>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("active", &self.active).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Parses lines `key_id:base64`. Blank lines and lines that begin with `#` are skipped. Keys may
    /// also be separated by commas, so that a keyring fits in one environment variable.
    ///
    /// # Errors
    /// [`KeyringError`] names the line and never quotes it.
    pub fn parse(lines: &SecretString) -> Result<Self, KeyringError> {
        let text = lines.expose_secret();
        let mut active = None;
        let mut keys = BTreeMap::new();
        for (index, line) in text.split(['\n', ',']).enumerate() {
            let line_number = index + 1;
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (key_id, key) = parse_line(line, line_number)?;
            active.get_or_insert_with(|| key_id.clone());
            if keys.insert(key_id, key).is_some() {
                return Err(KeyringError::Duplicate { line: line_number });
            }
        }
        let active = active.ok_or(KeyringError::Empty)?;
        Ok(Self { active, keys })
    }

    fn key(&self, key_id: &str) -> Result<&LessSafeKey, SealError> {
        self.keys.get(key_id).ok_or_else(|| SealError::UnknownKey { key_id: key_id.to_owned() })
    }
}

fn parse_line(line: &str, number: usize) -> Result<(String, LessSafeKey), KeyringError> {
    let malformed = KeyringError::Malformed { line: number };
    let (key_id, encoded) = line.split_once(':').ok_or(malformed)?;
    let key_id = key_id.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if key_id.is_empty() || key_id.len() > 64 || !key_id.chars().all(allowed) {
        return Err(KeyringError::BadKeyId { line: number });
    }
    let bytes = STANDARD
        .decode(encoded.trim())
        .map(Zeroizing::new)
        .map_err(|_| KeyringError::Malformed { line: number })?;
    let wrong_length = KeyringError::WrongLength { line: number, bytes: bytes.len() };
    let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| wrong_length)?;
    Ok((key_id.to_owned(), LessSafeKey::new(key)))
}

impl KeyWrap for Keyring {
    fn active_key_id(&self) -> &str {
        &self.active
    }

    fn key_ids(&self) -> Vec<String> {
        self.keys.keys().cloned().collect()
    }

    fn wrap(&self, key_id: &str, data_key: &DataKey, aad: &[u8]) -> Result<Vec<u8>, SealError> {
        encrypt(self.key(key_id)?, data_key.as_slice(), aad)
    }

    fn unwrap(&self, key_id: &str, wrapped: &[u8], aad: &[u8]) -> Result<DataKey, SealError> {
        let opened = decrypt(self.key(key_id)?, wrapped, aad)?;
        let bytes: [u8; KEY_LEN] = opened.as_slice().try_into().map_err(|_| SealError::Failed)?;
        Ok(Zeroizing::new(bytes))
    }
}

/// Generates a data key.
pub(super) fn new_data_key() -> Result<DataKey, SealError> {
    let mut key = Zeroizing::new([0_u8; KEY_LEN]);
    rand::fill(key.as_mut_slice()).map_err(|_| SealError::Failed)?;
    Ok(key)
}

pub(super) fn aead_key(data_key: &DataKey) -> Result<LessSafeKey, SealError> {
    let key = UnboundKey::new(&AES_256_GCM, data_key.as_slice()).map_err(|_| SealError::Failed)?;
    Ok(LessSafeKey::new(key))
}

/// Returns nonce, ciphertext and tag. The nonce is random: NIST SP 800-38D allows 2^32 encryptions
/// with random nonces per key, and a data key encrypts one value only.
pub(super) fn encrypt(key: &LessSafeKey, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0_u8; NONCE_LEN];
    rand::fill(&mut nonce).map_err(|_| SealError::Failed)?;
    let mut sealed = Vec::with_capacity(NONCE_LEN + plain.len() + AES_256_GCM.tag_len());
    sealed.extend_from_slice(plain);
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut sealed)
        .map_err(|_| SealError::Failed)?;
    let mut out = Vec::with_capacity(NONCE_LEN + sealed.len());
    out.extend_from_slice(&nonce);
    out.append(&mut sealed);
    Ok(out)
}

pub(super) fn decrypt(
    key: &LessSafeKey,
    sealed: &[u8],
    aad: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(SealError::Malformed)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::Malformed)?;
    let mut body = Zeroizing::new(body.to_vec());
    let length =
        key.open_in_place(nonce, Aad::from(aad), &mut body).map_err(|_| SealError::Failed)?.len();
    body.truncate(length);
    Ok(body)
}
