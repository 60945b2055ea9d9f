//! The secret of an event hook: made at random, shown once, and known afterwards by its SHA-256
//! alone. A secret of 256 random bits needs no slow hash: nobody can go through the possible ones.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::error::SealError;

/// 256 random bits as 43 characters of base64url.
///
/// # Errors
/// [`SealError::Failed`] when the random source fails.
pub fn new_hook_secret() -> Result<SecretString, SealError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    rand::fill(bytes.as_mut_slice()).map_err(|_| SealError::Failed)?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// The SHA-256 of a hook's secret. It does not show itself.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HookSecretDigest([u8; 32]);

impl HookSecretDigest {
    pub fn of(secret: &SecretString) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, secret.expose_secret().as_bytes()).as_ref());
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is the one that is `stored`, in the same time wherever the two differ. `None` is no
    /// secret's, and takes as long as another one would.
    pub fn is(&self, stored: Option<&[u8]>) -> bool {
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
    fn each_secret_is_another_and_is_known_by_its_digest() {
        let (first, second) = (new_hook_secret().unwrap(), new_hook_secret().unwrap());
        assert_eq!(first.expose_secret().len(), 43);
        assert_ne!(first.expose_secret(), second.expose_secret());
        let stored = HookSecretDigest::of(&first);
        assert!(HookSecretDigest::of(&first).is(Some(stored.as_bytes())));
        assert!(!HookSecretDigest::of(&second).is(Some(stored.as_bytes())));
        assert!(!HookSecretDigest::of(&first).is(None));
        assert!(!HookSecretDigest([0; 32]).is(None));
        assert!(!HookSecretDigest::of(&first).is(Some(&[])));
    }

    #[test]
    fn a_digest_does_not_show_itself() {
        let shown = format!("{:?}", HookSecretDigest([7; 32]));
        assert_eq!(shown, "HookSecretDigest");
    }
}
