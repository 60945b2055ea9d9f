//! The claims of a verified token.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::error::AuthError;
use crate::config::AuthConfig;
use crate::model::{Actor, Caller, Scope, TenantId};

/// The claims that are read. Scopes may be in `scope` (RFC 8693) or `scp` (Okta, Entra).
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
    /// RFC 7519 allows fractions of seconds.
    exp: f64,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    azp: Option<String>,
    #[serde(default)]
    scope: Option<ScopeClaim>,
    #[serde(default)]
    scp: Option<ScopeClaim>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Scopes, as a space-separated string or as a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum ScopeClaim {
    Text(String),
    List(Vec<String>),
}

impl ScopeClaim {
    /// Reads the scopes of another claim; `None` if it is neither text nor a list of texts.
    fn read(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    fn scopes(&self) -> BTreeSet<Scope> {
        // Unknown scopes belong to other services.
        let scope = |name: &str| name.parse().ok();
        match self {
            Self::Text(text) => text.split_ascii_whitespace().filter_map(scope).collect(),
            Self::List(scopes) => scopes.iter().filter_map(|name| scope(name)).collect(),
        }
    }
}

/// Maximum length of a name in the audit log, in characters.
const MAX_ACTOR_CHARS: usize = 256;

impl Claims {
    /// Converts the claims into a caller.
    ///
    /// # Errors
    /// [`AuthError::MissingClaim`] if the tenant, or both `sub` and `azp`, are missing.
    pub(super) fn into_caller(self, config: &AuthConfig) -> Result<Caller, AuthError> {
        let tenant = self.tenant(&config.tenant_claim)?;
        let sub = self.sub.clone().or_else(|| self.azp.clone());
        let sub = sub.ok_or_else(|| AuthError::MissingClaim("sub".to_owned()))?;
        let mut scopes = BTreeSet::new();
        let named = config.scope_claim.as_ref().and_then(|claim| self.others.get(claim));
        let named = named.and_then(ScopeClaim::read);
        for claim in [&self.scope, &self.scp, &named].into_iter().flatten() {
            scopes.extend(claim.scopes());
        }
        let actor = Actor {
            iss: sanitize(&self.iss),
            sub: sanitize(&sub),
            azp: self.azp.as_deref().map(sanitize),
        };
        Ok(Caller { tenant, actor, scopes })
    }

    /// Refuses a token whose lifetime is longer than `max`. The lifetime begins at `iat`, or now if `iat`
    /// is missing or in the future.
    ///
    /// # Errors
    /// [`AuthError::LifetimeTooLong`].
    pub(super) fn check_lifetime(
        &self,
        now: DateTime<Utc>,
        max: Option<Duration>,
    ) -> Result<(), AuthError> {
        let Some(max) = max else { return Ok(()) };
        #[expect(clippy::cast_precision_loss, reason = "exact until the year 285,000,000")]
        let now = now.timestamp() as f64;
        let issued = self.others.get("iat").and_then(Value::as_f64).unwrap_or(now).min(now);
        if self.exp - issued > max.as_secs_f64() {
            return Err(AuthError::LifetimeTooLong(max.as_secs()));
        }
        Ok(())
    }

    fn tenant(&self, claim: &str) -> Result<TenantId, AuthError> {
        let value = match claim {
            "sub" => self.sub.as_deref(),
            "azp" => self.azp.as_deref(),
            other => self.others.get(other).and_then(Value::as_str),
        };
        value.and_then(TenantId::parse).ok_or_else(|| AuthError::MissingClaim(claim.to_owned()))
    }
}

/// Removes control characters from a name and truncates it, for the audit log.
fn sanitize(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_ACTOR_CHARS).collect()
}
