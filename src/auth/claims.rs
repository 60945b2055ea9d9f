//! What we read of a verified token.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::error::AuthError;
use crate::config::AuthConfig;
use crate::model::{Actor, Caller, Scope, TenantId};

/// The claims of a token; `scope` (RFC 8693) and `scp` (Okta, Entra) are both understood.
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
    scope: Option<Words>,
    #[serde(default)]
    scp: Option<Words>,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

/// Words as a string with blanks between them or as a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Text(String),
    List(Vec<String>),
}

impl Words {
    /// The words of a claim that has no field of its own; `None` if it is neither text nor a list of texts.
    fn of(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }

    fn scopes(&self) -> BTreeSet<Scope> {
        // A word that is none of ours is another service's scope.
        let scope = |word: &str| word.parse().ok();
        match self {
            Self::Text(text) => text.split_ascii_whitespace().filter_map(scope).collect(),
            Self::List(words) => words.iter().filter_map(|word| scope(word)).collect(),
        }
    }
}

/// The audit keeps this much of a name, in characters.
const ACTOR_LIMIT: usize = 256;

impl Claims {
    /// # Errors
    /// [`AuthError::MissingClaim`] without a tenant or without anybody to name in the audit.
    pub(super) fn into_caller(self, config: &AuthConfig) -> Result<Caller, AuthError> {
        let tenant = self.tenant(&config.tenant_claim)?;
        let sub = self.sub.clone().or_else(|| self.azp.clone());
        let sub = sub.ok_or_else(|| AuthError::MissingClaim("sub".to_owned()))?;
        let mut scopes = BTreeSet::new();
        let named = config.scope_claim.as_ref().and_then(|claim| self.others.get(claim));
        let named = named.and_then(Words::of);
        for words in [&self.scope, &self.scp, &named].into_iter().flatten() {
            scopes.extend(words.scopes());
        }
        let actor =
            Actor { iss: cut(&self.iss), sub: cut(&sub), azp: self.azp.as_deref().map(cut) };
        Ok(Caller { tenant, actor, scopes })
    }

    /// Refuses a token that is valid for longer than `max`, counted from when it was issued. A token
    /// that names no such time, or one in the future, counts from now.
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

/// Keeps a name printable and short: it stands in the audit as the token wrote it otherwise.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(ACTOR_LIMIT).collect()
}
