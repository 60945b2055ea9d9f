//! What we read of a verified token.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::error::AuthError;
use crate::config::AuthConfig;
use crate::model::{Actor, Caller, Scope, TenantId};

/// The claims of a token; `scope` (RFC 8693) and `scp` (Okta, Entra) are both understood.
#[derive(Deserialize)]
pub(super) struct Claims {
    iss: String,
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
        for words in [&self.scope, &self.scp].into_iter().flatten() {
            scopes.extend(words.scopes());
        }
        let actor =
            Actor { iss: cut(&self.iss), sub: cut(&sub), azp: self.azp.as_deref().map(cut) };
        Ok(Caller { tenant, actor, scopes })
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
