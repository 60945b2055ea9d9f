//! What tells one Apple device from another: the serial number, the UDID and Okta's id, each in one
//! spelling, so that the same device always has the same key.

use serde::{Deserialize, Serialize};

/// The serial number of a device, in upper case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SerialNumber(String);

/// The unique device identifier that a device gives to its MDM.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Udid(String);

/// Okta's id of its record of a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OktaDeviceId(String);

/// The name with which a user signs in to Okta.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct UserPrincipalName(String);

/// Why a text is not what it was given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceIdentifierError {
    #[error("the value is empty")]
    Empty,
    #[error("the value is too long")]
    TooLong,
    #[error("the value has characters that do not belong in it")]
    InvalidCharacters,
    #[error("the value does not have the form of such an identifier")]
    InvalidFormat,
}

impl DeviceIdentifierError {
    /// The stable code that API answers carry.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::InvalidCharacters => "invalid_characters",
            Self::InvalidFormat => "invalid_format",
        }
    }
}

impl SerialNumber {
    /// Apple promises no form: its serial numbers have had 11, 12 and now 10 to 14 letters and
    /// digits. Eight is below all of them and still long enough to be no stray word.
    pub const MIN_LEN: usize = 8;
    pub const MAX_LEN: usize = 14;
    /// The form, in words for people.
    pub const FORM: &str = "A serial number has 8 to 14 letters and digits.";

    /// Reads a serial number in either case, with blanks around it.
    pub fn parse(text: &str) -> Result<Self, DeviceIdentifierError> {
        let text = bounded(text, Self::MAX_LEN)?;
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(DeviceIdentifierError::InvalidCharacters);
        }
        if text.len() < Self::MIN_LEN {
            return Err(DeviceIdentifierError::InvalidFormat);
        }
        Ok(Self(text.to_ascii_uppercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Udid {
    /// The longest form: 40 digits.
    pub const MAX_LEN: usize = 40;
    /// The form, in words for people.
    pub const FORM: &str =
        "A UDID has 40 hexadecimal digits, or 8 and 16 of them, or the form of a UUID.";

    /// Reads the three forms that Apple has used: that of a UUID (Macs), 8 and 16 hexadecimal
    /// digits (iPhones and iPads since 2018), 40 of them (before).
    pub fn parse(text: &str) -> Result<Self, DeviceIdentifierError> {
        let text = bounded(text, Self::MAX_LEN)?;
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
            return Err(DeviceIdentifierError::InvalidCharacters);
        }
        // Each form in the case in which Apple's own tools write it.
        match text.split('-').map(str::len).collect::<Vec<_>>().as_slice() {
            [8, 4, 4, 4, 12] | [8, 16] => Ok(Self(text.to_ascii_uppercase())),
            [40] => Ok(Self(text.to_ascii_lowercase())),
            _ => Err(DeviceIdentifierError::InvalidFormat),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl OktaDeviceId {
    /// The longest id, in characters.
    pub const MAX_LEN: usize = 64;
    /// The form, in words for people.
    pub const FORM: &str = "Okta's id of the device, such as guo1a2b3c4d5e6f7g8h9.";

    /// Okta promises no form: visible ASCII characters, as they are.
    pub fn parse(text: &str) -> Result<Self, DeviceIdentifierError> {
        let text = bounded(text, Self::MAX_LEN)?;
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(DeviceIdentifierError::InvalidCharacters);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl UserPrincipalName {
    /// The longest name, in bytes: that of an e-mail address (RFC 5321, erratum 1690).
    pub const MAX_LEN: usize = 254;

    /// Asks for no more than visible text: an Okta user name need not be an e-mail address.
    pub fn parse(text: &str) -> Result<Self, DeviceIdentifierError> {
        let text = bounded(text, Self::MAX_LEN)?;
        if text.chars().any(char::is_control) {
            return Err(DeviceIdentifierError::InvalidCharacters);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text without blanks around it, when it is neither empty nor over `max` bytes.
fn bounded(text: &str, max: usize) -> Result<&str, DeviceIdentifierError> {
    match text.trim() {
        "" => Err(DeviceIdentifierError::Empty),
        text if text.len() > max => Err(DeviceIdentifierError::TooLong),
        text => Ok(text),
    }
}

impl TryFrom<String> for SerialNumber {
    type Error = DeviceIdentifierError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<SerialNumber> for String {
    fn from(value: SerialNumber) -> Self {
        value.0
    }
}

impl std::fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Udid {
    type Error = DeviceIdentifierError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Udid> for String {
    fn from(value: Udid) -> Self {
        value.0
    }
}

impl std::fmt::Display for Udid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for OktaDeviceId {
    type Error = DeviceIdentifierError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<OktaDeviceId> for String {
    fn from(value: OktaDeviceId) -> Self {
        value.0
    }
}

impl std::fmt::Display for OktaDeviceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Display for UserPrincipalName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_has_one_spelling() {
        for text in ["C02XL0GTJGH5", "c02xl0gtjgh5", " C02XL0GTJGH5\n"] {
            assert_eq!(SerialNumber::parse(text).unwrap().as_str(), "C02XL0GTJGH5");
        }
        for text in ["W88401231AX", "K4QXW3V7PL", "FVFXC2HJQ05N", "ABCDEFGH", "ABCDEFGHIJKLMN"] {
            assert!(SerialNumber::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_serial_number_says_why() {
        for (text, code) in [
            ("", "empty"),
            ("  ", "empty"),
            ("ABCDEFGHIJKLMNO", "too_long"),
            ("ABCDEFG", "invalid_format"),
            ("C02XL0GT/GH5", "invalid_characters"),
            ("C02XL0GT\u{130}GH", "invalid_characters"),
            ("../../etc", "invalid_characters"),
        ] {
            assert_eq!(SerialNumber::parse(text).unwrap_err().code(), code, "{text:?}");
        }
    }

    #[test]
    fn each_form_of_udid_has_one_spelling() {
        for (text, spelling) in [
            ("55900bdc-347c-58b1-d249-f32244b11d30", "55900BDC-347C-58B1-D249-F32244B11D30"),
            ("00008030-001c45a83c98802e", "00008030-001C45A83C98802E"),
            (
                "2B6F0CC904D137BE2E1730235F5664094B831186",
                "2b6f0cc904d137be2e1730235f5664094b831186",
            ),
        ] {
            assert_eq!(Udid::parse(text).unwrap().as_str(), spelling);
        }
    }

    #[test]
    fn what_is_no_udid_says_why() {
        for (text, code) in [
            ("", "empty"),
            ("55900BDC-347C-58B1-D249-F32244B11D30-55900BDC", "too_long"),
            ("55900BDC-347C-58B1-D249-F32244B11D3G", "invalid_characters"),
            ("55900BDC347C58B1D249F32244B11D30", "invalid_format"),
            ("00008030-001C45A83C98802", "invalid_format"),
            ("----", "invalid_format"),
        ] {
            assert_eq!(Udid::parse(text).unwrap_err().code(), code, "{text:?}");
        }
    }

    #[test]
    fn a_user_principal_name_is_any_visible_text() {
        for text in ["ada@acme.example", "ada", "\u{5d0}\u{5d3}\u{5d4}@acme.example", "a & b"] {
            assert_eq!(UserPrincipalName::parse(text).unwrap().as_str(), text);
        }
        let long = "a".repeat(255);
        for (text, code) in
            [("", "empty"), (long.as_str(), "too_long"), ("a\u{7}b", "invalid_characters")]
        {
            assert_eq!(UserPrincipalName::parse(text).unwrap_err().code(), code, "{text:?}");
        }
    }
}
