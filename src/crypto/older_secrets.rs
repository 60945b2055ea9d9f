//! Older secrets of an event hook that are still accepted. An admin may rotate twice within a day while
//! Okta still has the first secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::hook_secret::HookSecretDigest;

/// Another rotation removes the oldest.
const MAX_OLDER_SECRETS: usize = 4;

/// The stored list, newest first.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OlderSecrets(Vec<OlderSecret>);

#[derive(Serialize, Deserialize)]
struct OlderSecret {
    /// In base64.
    sha256: String,
    valid_until: DateTime<Utc>,
}

impl std::fmt::Debug for OlderSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OlderSecret")
    }
}

impl OlderSecrets {
    /// Parses the column. An invalid value contains no secrets.
    pub fn from_json(value: &serde_json::Value) -> Self {
        Self::deserialize(value).unwrap_or_default()
    }

    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self)
    }

    /// Adds a replaced secret and removes expired ones.
    pub fn push(&mut self, sha256: &[u8], valid_until: DateTime<Utc>, now: DateTime<Utc>) {
        self.0.insert(0, OlderSecret { sha256: STANDARD.encode(sha256), valid_until });
        self.0.retain(|secret| secret.valid_until > now);
        self.0.truncate(MAX_OLDER_SECRETS);
    }

    /// Returns whether one of them matches. Compares with all, so that the time does not depend on the result.
    pub fn accept(&self, secret: &HookSecretDigest, now: DateTime<Utc>) -> bool {
        self.0.iter().fold(false, |found, older| {
            let stored = STANDARD.decode(&older.sha256).ok();
            found | (secret.matches(stored.as_deref()) && older.valid_until > now)
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn keeps_four_until_they_expire() {
        let now = Utc::now();
        let digest = |n: i64| HookSecretDigest::new(&SecretString::from(n.to_string()));
        let mut older = OlderSecrets::default();
        for n in 0..6 {
            older.push(digest(n).as_bytes(), now + TimeDelta::hours(n), now);
        }
        let older = OlderSecrets::from_json(&older.to_json());
        let accepted = |at| (0..6).filter(|n| older.accept(&digest(*n), at)).collect::<Vec<_>>();
        assert_eq!(accepted(now), [2, 3, 4, 5]);
        assert_eq!(accepted(now + TimeDelta::hours(4)), [5]);
    }
}
