//! Why a profile cannot be rendered. Names fields, never their values: some of them are secrets.

/// Each variant names the field that is at fault; inside `app_config_extra` with the way to it, in
/// the escaping of a JSON pointer (RFC 6901).
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    #[error("{field} is empty")]
    Empty { field: String },
    #[error("{field} has a character that a property list cannot carry")]
    InvalidCharacters { field: String },
    #[error("{field} is not a host name")]
    InvalidHost { field: String },
    #[error("{field} has a placeholder that does not exist")]
    UnknownPlaceholder { field: String },
    #[error("{field} is set by the service and cannot be overridden")]
    ReservedKey { field: String },
    #[error("{field} is a setting of Macs, which iPhones and iPads are not sent")]
    MacOnlyKey { field: String },
    #[error("{field} is null, which a property list cannot carry")]
    NullValue { field: String },
    #[error("{field} is outside the numbers of 64 bits with a sign")]
    NumberOutOfRange { field: String },
    #[error("{field} is nested deeper than {max} levels")]
    TooDeep { field: String, max: usize },
    #[error("{field} has more than {max} keys")]
    TooManyKeys { field: String, max: usize },
    #[error("{field} is larger than {max} bytes")]
    TooLarge { field: String, max: usize },
    /// Not the caller's fault: what was to be written had passed every check.
    #[error("the property list was not written")]
    Unwritten(#[source] plist::Error),
}

impl PayloadError {
    /// The stable code that API answers carry.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "empty",
            Self::InvalidCharacters { .. } => "invalid_characters",
            Self::InvalidHost { .. } => "invalid_host",
            Self::UnknownPlaceholder { .. } => "unknown_placeholder",
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

    /// The field at fault, such as `subject_template` or `app_config_extra/OktaVerify.OrgUrl`.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Empty { field }
            | Self::InvalidCharacters { field }
            | Self::InvalidHost { field }
            | Self::UnknownPlaceholder { field }
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
