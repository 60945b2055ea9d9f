//! Rendering errors. They name fields, never their values, because some values are secrets.

/// Why a document cannot be rendered. Names the invalid field; inside of `app_config_extra` with its path
/// in JSON pointer syntax (RFC 6901).
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    #[error("{field} is empty")]
    Empty { field: String },
    #[error("{field} has a character that a property list cannot represent")]
    InvalidCharacters { field: String },
    #[error("{field} is not a host name")]
    InvalidHost { field: String },
    #[error("{field} has a placeholder that does not exist")]
    UnknownPlaceholder { field: String },
    #[error("{field} is longer than {max} characters")]
    TooLong { field: String, max: usize },
    #[error("{field} needs a serial number or UDID, and a device of User Enrollment has neither")]
    NoIdentifiers { field: String },
    #[error("{field} is set by the service and cannot be overridden")]
    ReservedKey { field: String },
    #[error("{field} applies to macOS only and is not sent to iPhones and iPads")]
    MacOnlyKey { field: String },
    #[error("{field} is null, which a property list cannot represent")]
    NullValue { field: String },
    #[error("{field} is outside of the range of a signed 64-bit integer")]
    NumberOutOfRange { field: String },
    #[error("{field} is nested deeper than {max} levels")]
    TooDeep { field: String, max: usize },
    #[error("{field} has more than {max} keys")]
    TooManyKeys { field: String, max: usize },
    #[error("{field} is larger than {max} bytes")]
    TooLarge { field: String, max: usize },
    /// An internal error: the values had passed all checks.
    #[error("serializing the property list failed")]
    Unwritten(#[source] plist::Error),
}

impl PayloadError {
    /// Returns the stable code for API responses.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "empty",
            Self::InvalidCharacters { .. } => "invalid_characters",
            Self::InvalidHost { .. } => "invalid_host",
            Self::UnknownPlaceholder { .. } => "unknown_placeholder",
            Self::TooLong { .. } => "too_long",
            Self::NoIdentifiers { .. } => "no_identifiers",
            Self::ReservedKey { .. } => "reserved_key",
            Self::MacOnlyKey { .. } => "mac_only_key",
            Self::NullValue { .. } => "null_value",
            Self::NumberOutOfRange { .. } => "number_out_of_range",
            Self::TooDeep { .. } => "too_deep",
            Self::TooManyKeys { .. } => "too_many_keys",
            Self::TooLarge { .. } => "too_large",
            Self::Unwritten(_) => "unwritten",
        }
    }

    /// Returns the invalid field, such as `subject_template` or `app_config_extra/OktaVerify.OrgUrl`.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Empty { field }
            | Self::InvalidCharacters { field }
            | Self::InvalidHost { field }
            | Self::UnknownPlaceholder { field }
            | Self::TooLong { field, .. }
            | Self::NoIdentifiers { field }
            | Self::ReservedKey { field }
            | Self::MacOnlyKey { field }
            | Self::NullValue { field }
            | Self::NumberOutOfRange { field }
            | Self::TooDeep { field, .. }
            | Self::TooManyKeys { field, .. }
            | Self::TooLarge { field, .. } => Some(field),
            Self::Unwritten(_) => None,
        }
    }
}
