//! The verdict on a single device. The device is read from Okta if the mirror is older than the caller
//! accepts, or lacks the requested record.

use chrono::{DateTime, Utc};

use crate::model::TenantId;
use crate::model::trust_status::{AskedDevice, Facts, Reason, decide};
use crate::service::mirror::LiveRead;
use crate::service::trust_status::facts::TrustStatus;
use crate::service::trust_status::questions::TrustQuestion;
use crate::service::{Error, Service};
use crate::store::StoreError;

impl Service {
    pub(super) async fn decide_single_device(
        &self,
        tenant: &TenantId,
        question: TrustQuestion,
        asked: AskedDevice,
    ) -> Result<TrustStatus, Error> {
        let (facts, asked_at) = self.find_device_facts(tenant, question, asked.clone()).await?;
        let status = self.decide_as_of(facts, question, asked_at);
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
            LiveRead::Done { .. } => self.find_device_facts(tenant, question, asked).await?.0,
            LiveRead::Exhausted | LiveRead::Failed => status.facts,
        };
        facts.searched_at = read.searched_at();
        facts.asked_record_not_found = read.asked_is_gone() && facts.asked_record().is_none();
        // Also after a read: a shared read of the last 30 seconds may still be too old for this caller.
        facts.budget_exhausted = !matches!(read, LiveRead::Failed);
        Ok(self.decide_as_of(facts, question, asked_at))
    }

    async fn find_device_facts(
        &self,
        tenant: &TenantId,
        question: TrustQuestion,
        asked: AskedDevice,
    ) -> Result<(Facts, DateTime<Utc>), Error> {
        let missing = Error::from(StoreError::Corrupt("facts_many"));
        let mut known = self.find_facts(tenant, question, vec![asked]).await?;
        Ok((known.devices.pop().ok_or(missing)?, known.now))
    }

    /// Decides as of the time of the query, so that facts read for this caller count as fresh however
    /// long the read took. `asked_at` is PostgreSQL's time, as in the facts: with a slow clock of this
    /// machine old facts would count as fresh.
    fn decide_as_of(
        &self,
        facts: Facts,
        question: TrustQuestion,
        asked_at: DateTime<Utc>,
    ) -> TrustStatus {
        let verdict = decide(&facts, &self.policy(question.max_age), asked_at);
        TrustStatus { facts, verdict, decided_at: asked_at }
    }
}

/// Returns true if a read from Okta could change the verdict for this caller.
fn needs_okta(status: &TrustStatus, question: TrustQuestion) -> bool {
    let is_too_old = question.max_age.is_some() && status.verdict.last_known.is_some();
    let deciding_reason = status.verdict.reasons.first();
    let is_not_seen = deciding_reason == Some(&Reason::OktaRecordNotSeen);
    is_too_old || (is_not_seen && status.facts.needs_asked_record())
}
