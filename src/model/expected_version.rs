//! The version of the configuration that a change was made for.

/// The version that a caller has seen, as `If-Match` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpectedVersion {
    /// None was named: any version is changed.
    #[default]
    Any,
    Exactly(i64),
    /// An ETag that this service did not make: it is that of no version.
    Unknown,
}

impl ExpectedVersion {
    /// Whether a configuration at version `current` may be changed.
    pub fn allows(self, current: i64) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(version) => version == current,
            Self::Unknown => false,
        }
    }
}
