//! The name of an iPhone or iPad of User Enrollment: Apple tells the MDM neither serial number nor UDID.

use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use crate::model::devices::identifiers::{DeviceIdentifierError, bounded};

/// The `EnrollmentID` of a device of User Enrollment. It is new with each enrollment, and Okta never
/// learns it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnrollmentId(String);

impl EnrollmentId {
    pub const MAX_LEN: usize = 128;
    pub const EXAMPLE: &str = "2F5C0D8A9B1E4C7D8E6F0A1B2C3D4E5F6A7B8C9D";

    /// Apple promises no form. Accepts ASCII letters, digits, `-` and `_`, in the case in which they are.
    pub fn parse(text: &str) -> Result<Self, DeviceIdentifierError> {
        let text = bounded(text, Self::MAX_LEN)?;
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
            return Err(DeviceIdentifierError::InvalidCharacters);
        }
        Ok(Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    #[expect(deprecated, reason = "the derived schemas of the document have `example`, too")]
    pub fn schema_with_example() -> Object {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[A-Za-z0-9_-]+$"))
            .min_length(Some(1))
            .max_length(Some(Self::MAX_LEN))
            .example(Some(Self::EXAMPLE.into()))
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enrollment_id_is_kept_as_it_is() {
        for text in [EnrollmentId::EXAMPLE, "a-B_9"] {
            assert_eq!(EnrollmentId::parse(text).unwrap().as_str(), text);
        }
        let long = "a".repeat(129);
        for (text, code) in
            [(" ", "empty"), (long.as_str(), "too_long"), ("a/b", "invalid_characters")]
        {
            assert_eq!(EnrollmentId::parse(text).unwrap_err().code(), code);
        }
    }
}
