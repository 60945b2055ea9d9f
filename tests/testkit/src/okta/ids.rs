//! IDs and secrets in Okta's formats, derived from a label: the same label gives the same value in every run.
//!
//! Not for real secrets: the label determines the value.

use uuid::Uuid;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Returns `length` letters and digits derived from `label`.
pub(super) fn derived(label: &str, length: usize) -> String {
    letters((0u32..).flat_map(|round| {
        let name = format!("okta-device-trust testkit {label} {round}");
        *Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).as_bytes()
    }))
    .take(length)
    .collect()
}

/// Returns `length` hexadecimal digits derived from `label`.
pub(super) fn derived_hex(label: &str, length: usize) -> String {
    (0u32..)
        .flat_map(|round| {
            let name = format!("okta-device-trust testkit {label} {round}");
            let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
            id.simple().to_string().into_bytes()
        })
        .map(char::from)
        .take(length)
        .collect()
}

/// Returns `length` random letters and digits.
pub(super) fn random(length: usize) -> String {
    letters(std::iter::repeat_with(|| *Uuid::new_v4().as_bytes()).flatten()).take(length).collect()
}

/// Returns `length` random characters of base64url (RFC 4648 §5), always including `-` and `_`.
pub(super) fn random_base64url(length: usize) -> String {
    let bytes = std::iter::repeat_with(|| *Uuid::new_v4().as_bytes()).flatten();
    let all = bytes.map(|byte| match byte % 64 {
        62 => '-',
        63 => '_',
        letter => char::from(ALPHABET[usize::from(letter)]),
    });
    let mut text: Vec<char> = all.take(length).collect();
    if let [.., underscore, hyphen, _] = text.as_mut_slice() {
        (*underscore, *hyphen) = ('_', '-');
    }
    text.into_iter().collect()
}

/// Returns an Okta ID: three characters for the kind (`00o` org, `0oa` app, `aut` authenticator, `guo` device) and 17 more.
pub(super) fn okta_id(kind: &str, label: &str) -> String {
    format!("{kind}{}", derived(&format!("{kind} {label}"), 17))
}

fn letters(bytes: impl Iterator<Item = u8>) -> impl Iterator<Item = char> {
    bytes.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]))
}
