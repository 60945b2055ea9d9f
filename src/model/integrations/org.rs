//! An Okta org: where it is, and its engine.

use serde::{Deserialize, Serialize};

/// Okta's authentication pipeline, from the org's well-known document.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Engine {
    /// Identity Engine, `idx`.
    IdentityEngine,
    /// Classic Engine, `v1`.
    Classic,
    /// A pipeline that this release does not know.
    Other,
}

impl Engine {
    pub fn as_str(&self) -> &'static str {
        self.into()
    }

    /// Parses a stored name. An unknown one becomes [`Self::Other`].
    pub fn parse(word: &str) -> Self {
        word.parse().unwrap_or(Self::Other)
    }
}

/// An Okta org, verified by its own well-known document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Org {
    /// Okta's ID of the org, `00o…`.
    pub id: String,
    /// The host of the token endpoint. Credentials are sent to no other host.
    pub canonical_host: String,
    /// The custom domains that the canonical host confirmed; users sign in at the first.
    pub custom_hosts: Vec<String>,
    pub engine: Engine,
}

impl Org {
    /// Returns all hosts of the org, the canonical one first.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.canonical_host.as_str())
            .chain(self.custom_hosts.iter().map(String::as_str))
    }
}
