//! The verdict on one device. Okta is read for it where the mirror is older than the caller accepts, or
//! does not have the asked record.

use chrono::{DateTime, Utc};

use crate::model::TenantId;
use crate::model::trust_status::{AskedDevice, Facts, Reason, decide};
use crate::service::mirror::LiveRead;
use crate::service::trust_status::facts::TrustStatus;
use crate::service::trust_status::questions::TrustQuestion;
use crate::service::{Error, Service};
use crate::store::StoreError;

impl Service {
    pub(super) async fn answer_one(
        &self,
        tenant: &TenantId,
        question: TrustQuestion,
        asked: AskedDevice,
    ) -> Result<TrustStatus, Error> {
        let (found, asked_at) = self.find_one(tenant, question, asked.clone()).await?;
        let status = self.decide_one(found, question, asked_at);
        if !needs_okta(&status, question) {
            return Ok(status);
        }
        let policy = self.policy(None);
        let read = if status.facts.is_decided_without_okta(&policy, asked_at) {
            LiveRead::Exhausted
        } else {
            self.read_live(tenant, &status.facts).await
        };
        let mut facts = match read {
            LiveRead::Done { .. } => self.find_one(tenant, question, asked).await?.0,
            LiveRead::Exhausted | LiveRead::Failed => status.facts,
        };
        facts.searched_at = read.searched_at();
        facts.asked_record_not_found = read.asked_is_gone() && facts.asked_record().is_none();
        // Read a moment ago for another caller, and still too old for this one.
        facts.budget_exhausted = !matches!(read, LiveRead::Failed);
        Ok(self.decide_one(facts, question, asked_at))
    }

    async fn find_one(
        &self,
        tenant: &TenantId,
        question: TrustQuestion,
        asked: AskedDevice,
    ) -> Result<(Facts, DateTime<Utc>), Error> {
        let missing = Error::from(StoreError::Corrupt("facts_many"));
        let mut known = self.find_facts(tenant, question, vec![asked]).await?;
        Ok((known.devices.pop().ok_or(missing)?, known.now))
    }

    /// What was read for this caller is as new as can be, however long the reading took: so the time is
    /// that of the question. It is PostgreSQL's, which dates the facts: a clock of this machine that runs
    /// behind would call old facts fresh.
    fn decide_one(
        &self,
        facts: Facts,
        question: TrustQuestion,
        asked_at: DateTime<Utc>,
    ) -> TrustStatus {
        let verdict = decide(&facts, &self.policy(question.max_age), asked_at);
        TrustStatus { facts, verdict, decided_at: asked_at }
    }
}

/// Whether a read of Okta could change the verdict for this caller.
fn needs_okta(status: &TrustStatus, question: TrustQuestion) -> bool {
    let is_too_old = question.max_age.is_some() && status.verdict.last_known.is_some();
    let decided_by = status.verdict.reasons.first();
    let is_not_seen = decided_by == Some(&Reason::OktaRecordNotSeen);
    is_too_old || (is_not_seen && status.facts.needs_asked_record())
}
