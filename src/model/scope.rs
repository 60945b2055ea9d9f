//! The scopes of our own API, and who calls. Never Okta's scopes: those are in `okta`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::TenantId;

/// What a caller's token allows.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    strum::EnumString,
    strum::IntoStaticStr,
)]
pub enum Scope {
    #[strum(serialize = "odt:read")]
    OdtRead,
    #[strum(serialize = "odt:write")]
    OdtWrite,
    #[strum(serialize = "odt:deploy")]
    OdtDeploy,
    #[strum(serialize = "odt:inventory")]
    OdtInventory,
    #[strum(serialize = "trust:read")]
    TrustRead,
}

impl Scope {
    /// The word in a token's `scope` or `scp`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Who acted, as the token says; this is what the audit keeps.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Actor {
    /// The token's issuer.
    #[schema(example = "https://mdm.example.com")]
    pub iss: String,
    /// The token's subject.
    #[schema(example = "admin@customer.example")]
    pub sub: String,
    /// The client that the token was issued to, when the token says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azp: Option<String>,
}

impl Actor {
    /// The service itself, where nobody asked: what a schedule found.
    pub fn service() -> Self {
        Self { iss: "okta-device-trust".to_owned(), sub: "service".to_owned(), azp: None }
    }
}

/// A caller whose token was verified.
#[derive(Debug, Clone)]
pub struct Caller {
    pub tenant: TenantId,
    pub actor: Actor,
    pub scopes: BTreeSet<Scope>,
}

/// The caller's token does not carry a scope that the operation needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token lacks the scope {}", .0.as_str())]
pub struct ScopeMissing(pub Scope);

impl Caller {
    /// # Errors
    /// [`ScopeMissing`] when the token does not carry `scope`.
    pub fn require(&self, scope: Scope) -> Result<(), ScopeMissing> {
        if self.scopes.contains(&scope) { Ok(()) } else { Err(ScopeMissing(scope)) }
    }
}
