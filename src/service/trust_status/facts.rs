//! Loads the facts for a verdict, for exactly one org, and builds the policy from the configuration.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::UserPolicy;
use crate::model::TenantId;
use crate::model::trust_status::{AskedDevice, Facts, OrgFacts, Policy, Verdict};
use crate::service::trust_status::choice::IntegrationChoice;
use crate::service::trust_status::questions::TrustQuestion;
use crate::service::{Error, Service};
use crate::store::TrustFacts;

/// The verdict on one device, with the facts it was derived from.
#[derive(Debug)]
pub struct TrustStatus {
    pub facts: Facts,
    pub verdict: Verdict,
    /// When the verdict was derived, by PostgreSQL's clock.
    pub decided_at: DateTime<Utc>,
}

impl Service {
    /// Returns the facts about the requested devices in one org.
    ///
    /// # Errors
    /// `IntegrationNotFound`; `IntegrationAmbiguous` when the tenant has several and none is named.
    pub(super) async fn find_facts(
        &self,
        tenant: &TenantId,
        question: TrustQuestion,
        asked: Vec<AskedDevice>,
    ) -> Result<TrustFacts, Error> {
        let known = self.store.get_trust_facts(tenant, question.integration, asked).await;
        let known = match question.integration {
            Some(id) => known.map_err(Error::for_integration(id))?,
            None => known?,
        };
        if known.orgs.len() > 1 {
            let choice = |org: &OrgFacts| IntegrationChoice {
                id: org.id,
                okta_domain: org.okta_domain.clone(),
            };
            let choices = known.orgs.iter().map(|org| choice(org)).collect();
            return Err(Error::IntegrationAmbiguous(choices));
        }
        Ok(known)
    }

    pub(super) fn policy(&self, max_age: Option<TimeDelta>) -> Policy {
        Policy {
            fresh_for: delta(self.trust.fresh_for),
            unknown_after: delta(self.trust.unknown_after),
            max_age,
            require_inventory: self.trust.require_inventory,
            all_users: self.trust.user_policy == UserPolicy::All,
            ios_single_install: self.trust.ios_single_install,
            last_seen_within: self.trust.last_seen_within.map(delta),
        }
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

impl TrustStatus {
    /// Returns how long a client may cache the answer.
    pub fn fresh_for(&self) -> Duration {
        let until = self.verdict.fresh_until.filter(|_| !self.verdict.stale);
        until.and_then(|until| (until - self.decided_at).to_std().ok()).unwrap_or_default()
    }
}
