//! The envelope: an encrypted value with its wrapped data key and the id of the key-encryption key.
//!
//! Layout: format `1`, length of the key id (1 byte), key id, length of the wrapped data key (2 bytes,
//! big endian), wrapped data key, ciphertext. Both layers have the [`Place`] as associated data.

use secrecy::{ExposeSecret, SecretString};

use super::error::SealError;
use super::keyring::{KeyWrap, aead_key, decrypt, encrypt, new_data_key};

const FORMAT: u8 = 1;

/// The column and row of an encrypted value. It is the associated data, so a ciphertext that was
/// copied to another row or column does not decrypt.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub table: &'a str,
    pub tenant: &'a str,
    pub row: &'a str,
    pub column: &'a str,
}

impl Place<'_> {
    /// Encodes each part with its length first, so that no two places give the same bytes.
    fn associated_data(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [self.table, self.tenant, self.row, self.column] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// Encrypts `secret` for `place` with the active key.
///
/// # Errors
/// [`SealError::Failed`] when the key store or the random source fails.
pub fn seal(
    keys: &dyn KeyWrap,
    place: Place<'_>,
    secret: &SecretString,
) -> Result<Vec<u8>, SealError> {
    seal_with(keys, keys.active_key_id(), place, secret)
}

/// Seals `secret` for `place` under the key `key_id`, active or not.
///
/// # Errors
/// [`SealError::UnknownKey`], or as [`seal`].
pub fn seal_with(
    keys: &dyn KeyWrap,
    key_id: &str,
    place: Place<'_>,
    secret: &SecretString,
) -> Result<Vec<u8>, SealError> {
    let aad = place.associated_data();
    let data_key = new_data_key()?;
    let wrapped = keys.wrap(key_id, &data_key, &aad)?;
    let sealed = encrypt(&aead_key(&data_key)?, secret.expose_secret().as_bytes(), &aad)?;

    let id_len = u8::try_from(key_id.len()).map_err(|_| SealError::Malformed)?;
    let wrapped_len = u16::try_from(wrapped.len()).map_err(|_| SealError::Malformed)?;
    let mut envelope = vec![FORMAT, id_len];
    envelope.extend_from_slice(key_id.as_bytes());
    envelope.extend_from_slice(&wrapped_len.to_be_bytes());
    envelope.extend_from_slice(&wrapped);
    envelope.extend_from_slice(&sealed);
    Ok(envelope)
}

/// Decrypts an envelope that [`seal`] made for the same `place`.
///
/// # Errors
/// [`SealError`]: an unknown key, a malformed envelope, or one of another place.
pub fn open(
    keys: &dyn KeyWrap,
    place: Place<'_>,
    envelope: &[u8],
) -> Result<SecretString, SealError> {
    let parts = split(envelope)?;
    let aad = place.associated_data();
    let data_key = keys.unwrap(parts.key_id, parts.wrapped, &aad)?;
    let plain = decrypt(&aead_key(&data_key)?, parts.sealed, &aad)?;
    let text = std::str::from_utf8(&plain).map_err(|_| SealError::Malformed)?;
    Ok(SecretString::from(text))
}

/// Returns the id of the key-encryption key of `envelope`.
///
/// # Errors
/// [`SealError::Malformed`].
pub fn read_key_id(envelope: &[u8]) -> Result<&str, SealError> {
    split(envelope).map(|parts| parts.key_id)
}

struct Parts<'a> {
    key_id: &'a str,
    wrapped: &'a [u8],
    sealed: &'a [u8],
}

fn split(envelope: &[u8]) -> Result<Parts<'_>, SealError> {
    let split_parts = || -> Option<Parts<'_>> {
        let (&[format, id_len], rest) = envelope.split_first_chunk::<2>()?;
        let (key_id, rest) = rest.split_at_checked(usize::from(id_len))?;
        let (wrapped_len, rest) = rest.split_first_chunk::<2>()?;
        let (wrapped, sealed) =
            rest.split_at_checked(usize::from(u16::from_be_bytes(*wrapped_len)))?;
        let key_id = std::str::from_utf8(key_id).ok()?;
        (format == FORMAT).then_some(Parts { key_id, wrapped, sealed })
    };
    split_parts().ok_or(SealError::Malformed)
}

/// Exposes a secret, for the response that hands it to the caller. Only handlers call this.
pub fn reveal(secret: &SecretString) -> &str {
    secret.expose_secret()
}

/// Returns the length of a secret in bytes and whether it is all visible ASCII. Input validation
/// needs no more.
pub fn measure_secret(secret: &SecretString) -> (usize, bool) {
    let bytes = secret.expose_secret().as_bytes();
    (bytes.len(), bytes.iter().all(|byte| (0x21..=0x7e).contains(byte)))
}

/// Applies `trim` to a secret, such as the removal of white space that was copied along.
pub fn trim_secret(secret: &SecretString, trim: impl Fn(&str) -> &str) -> SecretString {
    SecretString::from(trim(secret.expose_secret()))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::Keyring;

    fn line(id: &str, byte: u8) -> String {
        format!("{id}:{}", base64::engine::general_purpose::STANDARD.encode([byte; 32]))
    }

    fn ring(text: &str) -> Keyring {
        Keyring::parse(&SecretString::from(text)).expect("keyring")
    }

    const PLACE: Place<'static> =
        Place { table: "credentials", tenant: "t1", row: "r1", column: "client_secret" };

    #[test]
    fn a_value_decrypts_in_its_own_place_only() {
        let keys = ring(&line("k1", 1));
        let sealed = seal(&keys, PLACE, &SecretString::from("canary")).expect("seal");
        assert_eq!(open(&keys, PLACE, &sealed).expect("open").expose_secret(), "canary");
        for other in [
            Place { table: "platforms", ..PLACE },
            Place { tenant: "t2", ..PLACE },
            Place { row: "r2", ..PLACE },
            Place { column: "password", ..PLACE },
            Place { tenant: "t1r", row: "1", ..PLACE },
        ] {
            assert_eq!(
                open(&keys, other, &sealed).expect_err("moved"),
                SealError::Failed,
                "{other:?}"
            );
        }
    }

    #[test]
    fn the_same_secret_never_encrypts_to_the_same_bytes() {
        let keys = ring(&line("k1", 1));
        let secret = SecretString::from("canary");
        let (one, two) = (seal(&keys, PLACE, &secret), seal(&keys, PLACE, &secret));
        assert_ne!(one.expect("seal"), two.expect("seal"));
    }

    #[test]
    fn older_keys_still_decrypt_and_a_removed_key_is_named() {
        let old = ring(&line("k1", 1));
        let sealed = seal(&old, PLACE, &SecretString::from("canary")).expect("seal");
        let both = ring(&format!("{}\n{}", line("k2", 2), line("k1", 1)));
        assert_eq!(both.active_key_id(), "k2");
        assert!(open(&both, PLACE, &sealed).is_ok());
        let without = open(&ring(&line("k2", 2)), PLACE, &sealed).expect_err("dropped");
        assert_eq!(without, SealError::UnknownKey { key_id: "k1".into() });
    }

    #[test]
    fn keyring_errors_name_the_line_and_never_its_content() {
        for text in ["", "# nothing", "k1", "k1:not base64!", "k1:AAAA", "k 1:AAAA"] {
            let message = Keyring::parse(&SecretString::from(text)).expect_err(text).to_string();
            assert!(!message.contains("AAAA") && !message.contains("not base64!"), "{message}");
        }
        let twice = format!("{},{}", line("k1", 1), line("k1", 2));
        assert_eq!(
            Keyring::parse(&SecretString::from(twice)).expect_err("twice"),
            super::super::KeyringError::Duplicate { line: 2 }
        );
    }

    proptest! {
        #[test]
        fn every_secret_survives_a_round_trip(secret in ".*", tenant in ".{1,40}") {
            let keys = ring(&line("k1", 1));
            let place = Place { tenant: &tenant, ..PLACE };
            let sealed = seal(&keys, place, &SecretString::from(secret.as_str())).expect("seal");
            let opened = open(&keys, place, &sealed).expect("open");
            prop_assert_eq!(opened.expose_secret(), secret.as_str());
        }

        #[test]
        fn an_altered_envelope_never_decrypts(position in 0_usize..120, bit in 0_u8..8) {
            let keys = ring(&line("k1", 1));
            let mut sealed = seal(&keys, PLACE, &SecretString::from("a canary that is long enough")).expect("seal");
            let position = position % sealed.len();
            sealed[position] ^= 1 << bit;
            prop_assert!(open(&keys, PLACE, &sealed).is_err());
        }
    }
}
