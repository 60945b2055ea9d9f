//! The platforms that a customer can choose.

use serde::{Deserialize, Serialize};

/// `ios` means iOS and iPadOS.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum Platform {
    Macos,
    Ios,
}

impl Platform {
    pub const ALL: [Self; 2] = [Self::Macos, Self::Ios];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Macos => "macos",
            Self::Ios => "ios",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.as_str() == word)
    }
}

/// Read from a string alone: serde would also take `{"macos": null}`.
impl TryFrom<String> for Platform {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        Self::parse(&word).ok_or("no platform, expected macos or ios")
    }
}
