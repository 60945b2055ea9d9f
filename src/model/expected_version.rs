//! The version of the configuration that a change is based on.

/// The version that the caller sends in `If-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpectedVersion {
    /// None was sent: the change applies to any version.
    #[default]
    Any,
    Exactly(i64),
    /// An `ETag` that this service did not issue: it matches no version.
    Unknown,
}

impl ExpectedVersion {
    /// Returns whether a configuration at version `current` may be changed.
    pub fn allows(self, current: i64) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(version) => version == current,
            Self::Unknown => false,
        }
    }
}
