//! Searches for secrets in every encoding.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A secret in every encoding.
pub struct Canary {
    name: &'static str,
    forms: Vec<(&'static str, String)>,
}

impl Canary {
    pub fn new(name: &'static str, value: &str) -> Self {
        let mut forms = forms_of(value);
        let hash = digest(&SHA256, value.as_bytes());
        forms.push(("SHA-256, hex", hex(hash.as_ref())));
        forms.push(("SHA-256, HEX", hex(hash.as_ref()).to_uppercase()));
        for (_, text) in base64_forms(hash.as_ref()) {
            forms.push(("SHA-256, base64", text));
        }
        Self { name, forms }
    }

    /// A secret whose SHA-256 is stored, as for the random secrets of event hooks.
    pub fn known_by_its_digest(name: &'static str, value: &str) -> Self {
        Self { name, forms: forms_of(value) }
    }

    /// Returns the first encoding of this canary that occurs in `text`.
    pub fn sits_in(&self, text: &str) -> Option<&'static str> {
        let found = self.forms.iter().find(|(_, form)| text.contains(form));
        found.map(|(kind, _)| *kind)
    }
}

fn forms_of(value: &str) -> Vec<(&'static str, String)> {
    let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let all: String = value.bytes().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "%{byte:02X}");
        text
    });
    let mut forms = vec![
        ("plain", value.to_owned()),
        ("hex", hex(value.as_bytes())),
        ("HEX", hex(value.as_bytes()).to_uppercase()),
        ("urlencoded", encoded),
        ("urlencoded throughout", all),
        ("list of bytes", format!("{:?}", value.as_bytes()).replace(['[', ']'], "")),
        ("reversed", value.chars().rev().collect()),
    ];
    forms.extend(base64_forms(value.as_bytes()));
    forms
}

/// Returns the base64 of the value at every alignment, such as after a client ID and a colon.
fn base64_forms(value: &[u8]) -> Vec<(&'static str, String)> {
    let mut forms = Vec::new();
    for (offset, first_own) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&vec![0; offset], value].concat();
        let text = STANDARD.encode(&bytes);
        let text = text.trim_end_matches('=');
        let last_own = text.len() - usize::from(bytes.len() % 3 != 0);
        let own = &text[first_own..last_own];
        forms.push(("base64", own.to_owned()));
        forms.push(("base64url", own.replace('+', "-").replace('/', "_")));
    }
    forms
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the text with its `\x…` (PostgreSQL's bytea) decoded.
pub fn with_decoded_bytes(text: &str) -> String {
    let mut all = text.as_bytes().to_vec();
    for part in text.split("\\x").skip(1) {
        let digits: Vec<u8> = part
            .bytes()
            .map_while(|byte| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok()))
            .collect();
        all.push(b'\n');
        all.extend(digits.chunks_exact(2).map(|pair| pair[0] * 16 + pair[1]));
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Access tokens of the simulated Okta have 96 random letters and digits; nothing else is as long.
pub fn longest_random_word(text: &str) -> usize {
    text.split(|letter: char| !letter.is_ascii_alphanumeric())
        // Hexadecimal digits are decoded and searched as bytes.
        .map(|word| word.trim_start_matches('x'))
        .filter(|word| !word.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map(str::len)
        .max()
        .unwrap_or_default()
}

/// Returns every canary and every access token in the recorded output.
pub fn search(heard: &[(String, String)], canaries: &[Canary]) -> Vec<String> {
    let mut found = Vec::new();
    for (place, text) in heard {
        let text = with_decoded_bytes(text);
        for canary in canaries {
            if let Some(form) = canary.sits_in(&text) {
                found.push(format!("{} ({form}) in {place}", canary.name));
            }
        }
        if longest_random_word(&text) >= 90 {
            found.push(format!("a word as long as Okta's access token in {place}"));
        }
    }
    found
}
