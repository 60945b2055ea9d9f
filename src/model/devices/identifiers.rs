//! The identifiers of an Apple device: serial number, UDID and Okta's device ID. Each is normalized, so
//! that equal identifiers compare equal.

use serde::{Deserialize, Serialize};

/// The serial number of a device, in upper case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SerialNumber(String);

/// The unique device identifier that a device reports to its MDM.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Udid(String);

/// Okta's ID of a device record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OktaDeviceId(String);

/// The login of an Okta user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct UserPrincipalName(String);

/// Why a text is not a valid identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceIdentifierError {
    #[error("the value is empty")]
    Empty,
    #[error("the value is too long")]
    TooLong,
    #[error("the value contains invalid characters")]
    InvalidCharacters,
    #[error("the value does not have the format of this identifier")]
    InvalidFormat,
    #[error("the value is the serial number of a virtual Mac, which is not supported")]
    VirtualMac,
}

impl DeviceIdentifierError {
    /// Returns the stable code in API responses.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::InvalidCharacters => "invalid_characters",
            Self::InvalidFormat => "invalid_format",
            Self::VirtualMac => "virtual_mac",
        }
    }

    /// What a caller is told: `form`, unless the value is of a kind that is not supported.
    pub fn detail(self, form: &str) -> &str {
        match self {
            Self::VirtualMac => {
                "This is the serial number of a virtual Mac. Virtual Macs are not supported: their serial numbers can differ in case only."
            }
            _ => form,
        }
    }
}

impl SerialNumber {
    /// Apple does not document a format. Its serial numbers have 10 to 14 letters and digits; 8 leaves
    /// room below that and still rejects most other text.
    pub const MIN_LEN: usize = 8;
    pub const MAX_LEN: usize = 14;
    /// The format, for error texts.
    pub const FORMAT: &str = "A serial number has 8 to 14 letters and digits.";

    /// Parses a serial number in either case. Surrounding whitespace is ignored.
    pub fn parse(text: &str) -> Result<Self, DeviceIdentifierError> {
        if is_virtual_mac(text.trim()) {
            return Err(DeviceIdentifierError::VirtualMac);
        }
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
    /// The length of the longest format, 40 digits.
    pub const MAX_LEN: usize = 40;
    /// The format, for error texts.
    pub const FORMAT: &str = "A UDID is a UUID, 40 hexadecimal digits, or 8 and 16 hexadecimal digits with a hyphen between them.";

    /// Parses the three formats that Apple uses: a UUID (Macs), 8 and 16 hexadecimal digits (iPhones and
    /// iPads since 2018), 40 hexadecimal digits (before).
    pub fn parse(text: &str) -> Result<Self, DeviceIdentifierError> {
        let text = bounded(text, Self::MAX_LEN)?;
        if !text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
            return Err(DeviceIdentifierError::InvalidCharacters);
        }
        // The case in which Apple's tools print each format.
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
    /// The maximum length in characters.
    pub const MAX_LEN: usize = 64;
    /// The format, for error texts.
    pub const FORMAT: &str = "Okta's ID of the device, such as guo1a2b3c4d5e6f7g8h9.";

    /// Parses an ID. Okta documents no format, so any visible ASCII characters are accepted.
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
    /// The maximum length in bytes: that of an e-mail address (RFC 5321, erratum 1690).
    pub const MAX_LEN: usize = 254;

    /// Parses a login. Any visible text is accepted, because an Okta login need not be an e-mail address.
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

/// Returns whether this is the serial number of a virtual Mac: `VM` and base64, whose case matters. In upper
/// case two of them could become one device. In a path, `+` and `/` stay percent-encoded.
pub(crate) fn is_virtual_mac(text: &str) -> bool {
    let sign = |byte: u8| matches!(byte, b'+' | b'/' | b'%');
    text.strip_prefix("VM").is_some_and(|rest| {
        rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || sign(byte))
            && rest.bytes().any(|byte| byte.is_ascii_lowercase() || sign(byte))
    })
}

/// Trims the text and checks that it is neither empty nor longer than `max` bytes.
pub(super) fn bounded(text: &str, max: usize) -> Result<&str, DeviceIdentifierError> {
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
    fn serial_numbers_are_normalized() {
        for text in ["C02XL0GTJGH5", "c02xl0gtjgh5", " C02XL0GTJGH5\n"] {
            assert_eq!(SerialNumber::parse(text).unwrap().as_str(), "C02XL0GTJGH5");
        }
        for text in [
            "VMAAAAAAAAAA",
            "vmaaaaaaaaaa",
            "W88401231AX",
            "K4QXW3V7PL",
            "FVFXC2HJQ05N",
            "ABCDEFGH",
            "ABCDEFGHIJKLMN",
        ] {
            assert!(SerialNumber::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn invalid_serial_numbers_return_their_error_code() {
        for (text, code) in [
            ("", "empty"),
            ("  ", "empty"),
            ("ABCDEFGHIJKLMNO", "too_long"),
            ("ABCDEFG", "invalid_format"),
            ("C02XL0GT/GH5", "invalid_characters"),
            ("C02XL0GT\u{130}GH", "invalid_characters"),
            ("../../etc", "invalid_characters"),
            ("VMa+b/cDEfgh", "virtual_mac"),
            ("VMAAAAAAAAAa", "virtual_mac"),
            ("VMAAAA+AAAAA", "virtual_mac"),
            ("VMa%2Bb%2FcDEfgh", "virtual_mac"),
        ] {
            assert_eq!(SerialNumber::parse(text).unwrap_err().code(), code, "{text:?}");
        }
    }

    #[test]
    fn every_udid_format_is_normalized() {
        for (text, normalized) in [
            ("55900bdc-347c-58b1-d249-f32244b11d30", "55900BDC-347C-58B1-D249-F32244B11D30"),
            ("00008030-001c45a83c98802e", "00008030-001C45A83C98802E"),
            (
                "2B6F0CC904D137BE2E1730235F5664094B831186",
                "2b6f0cc904d137be2e1730235f5664094b831186",
            ),
        ] {
            assert_eq!(Udid::parse(text).unwrap().as_str(), normalized);
        }
    }

    #[test]
    fn invalid_udids_return_their_error_code() {
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
    fn any_visible_text_is_a_user_principal_name() {
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
