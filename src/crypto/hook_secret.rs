//! Event hook secrets: generated, shown once, and stored as a SHA-256 digest.
//!
//! A slow password hash is not needed: 256 random bits cannot be guessed.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::error::SealError;

/// Generates 256 random bits, encoded as 43 characters of base64url.
///
/// # Errors
/// [`SealError::Failed`] when the random source fails.
pub fn new_hook_secret() -> Result<SecretString, SealError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    rand::fill(bytes.as_mut_slice()).map_err(|_| SealError::Failed)?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// The SHA-256 digest of a hook secret. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HookSecretDigest([u8; 32]);

impl HookSecretDigest {
    /// Computes the digest of `secret`.
    pub fn new(secret: &SecretString) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, secret.expose_secret().as_bytes()).as_ref());
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Compares with the `stored` digest in constant time. `None` never matches and takes as long as a
    /// stored digest.
    pub fn matches(&self, stored: Option<&[u8]>) -> bool {
        let same = verify_slices_are_equal(&self.0, stored.unwrap_or(&[0; 32])).is_ok();
        same && stored.is_some()
    }
}

impl std::fmt::Debug for HookSecretDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookSecretDigest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_unique_and_match_their_digest_only() {
        let (first, second) = (new_hook_secret().unwrap(), new_hook_secret().unwrap());
        assert_eq!(first.expose_secret().len(), 43);
        assert_ne!(first.expose_secret(), second.expose_secret());
        let stored = HookSecretDigest::new(&first);
        assert!(HookSecretDigest::new(&first).matches(Some(stored.as_bytes())));
        assert!(!HookSecretDigest::new(&second).matches(Some(stored.as_bytes())));
        assert!(!HookSecretDigest::new(&first).matches(None));
        assert!(!HookSecretDigest([0; 32]).matches(None));
        assert!(!HookSecretDigest::new(&first).matches(Some(&[])));
    }

    #[test]
    fn debug_output_hides_the_digest() {
        let printed = format!("{:?}", HookSecretDigest([7; 32]));
        assert_eq!(printed, "HookSecretDigest");
    }
}
