//! The scopes of this API and its callers. Okta's scopes are in `okta`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::TenantId;

/// A permission in a caller's token.
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
    /// Returns the value in a token's `scope` or `scp` claim.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Who acted, from the token's claims. Stored in audit events.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Actor {
    /// The token's issuer.
    #[schema(example = "https://mdm.example.com")]
    pub iss: String,
    /// The token's subject.
    #[schema(example = "admin@customer.example")]
    pub sub: String,
    /// The client that the token was issued to, if the token names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azp: Option<String>,
}

impl Actor {
    /// Returns the service itself as the actor of scheduled work.
    pub fn service() -> Self {
        Self { iss: "okta-device-trust".to_owned(), sub: "service".to_owned(), azp: None }
    }
}

/// A caller with a verified token.
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
    /// [`ScopeMissing`] if the token does not carry `scope`.
    pub fn require(&self, scope: Scope) -> Result<(), ScopeMissing> {
        if self.scopes.contains(&scope) { Ok(()) } else { Err(ScopeMissing(scope)) }
    }
}
