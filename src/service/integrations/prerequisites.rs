//! The prerequisites of an org: what is checked against Okta, and what an admin or the MDM attests.

use chrono::Utc;
use serde_json::json;

use super::findings::{engine_finding, is_unanswered, refusal_findings, scopes_finding};
use super::report::{Report, report};
use crate::model::{
    Actor, Attestation, Caller, EventKind, Finding, Integration, IntegrationId, IntegrationRecord,
    NewEvent, Org, PrerequisiteKind, Scope, TenantId,
};
use crate::okta::{ClientCredentials, TokenKey};
use crate::service::{Error, FieldError, Service, with_okta_timeout};
use crate::store::CheckResult;
use crate::telemetry::chain_of;

/// What triggered a check.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) enum Trigger<'a> {
    /// A caller's request, which is always audited.
    Caller(&'a Actor),
    /// The schedule; audited only if a finding changed.
    Schedule,
}

/// The longest note of an attestation, in characters.
const NOTE_LIMIT: usize = 500;

impl Service {
    /// Returns the report as of the last check, without calling Okta.
    ///
    /// # Errors
    /// `IntegrationNotFound`.
    pub async fn list_prerequisites(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<Report, Error> {
        self.require(caller, Scope::OdtRead).await?;
        Ok(report(&self.load(caller, id).await?))
    }

    /// Checks the org now: its engine, a new token with all scopes, and `FastPass`.
    ///
    /// A refusal by Okta becomes a finding. If Okta does not answer, the earlier findings stay, since an
    /// outage says nothing about the org.
    ///
    /// # Errors
    /// `CredentialsNeeded`, `IntegrationNotFound`, `TooManyAttempts`, or `Okta` if Okta did not answer.
    pub async fn check_prerequisites(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<Report, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        if self.load(caller, id).await?.credentials.is_none() {
            return Err(Error::CredentialsNeeded(id));
        }
        self.attempts.claim(&caller.tenant, id)?;
        let record = self.check_stored(&caller.tenant, id, Trigger::Caller(&caller.actor)).await?;
        Ok(report(&record))
    }

    /// Checks with the stored credentials and stores the findings. Requires no scope, since the schedule
    /// has no caller.
    ///
    /// # Errors
    /// As [`Service::check_prerequisites`]; nothing is stored then.
    pub(in crate::service) async fn check_stored(
        &self,
        tenant: &TenantId,
        id: IntegrationId,
        trigger: Trigger<'_>,
    ) -> Result<IntegrationRecord, Error> {
        let opened = self.store.open_credentials(tenant, id).await;
        let (record, credentials) = opened.map_err(Error::for_integration(id))?;
        let Some(credentials) = credentials else { return Err(Error::CredentialsNeeded(id)) };
        let credentials_version = credentials.version;
        let key = TokenKey { tenant: tenant.clone(), integration: id, credentials_version };
        let credentials = ClientCredentials::from(credentials);
        let (org, findings) =
            match with_okta_timeout(self.examine(&record, &key, &credentials)).await {
                Err(error) if error.is_missing_org() => {
                    self.note_lost_host(tenant, &record).await;
                    return Err(error);
                }
                other => other?,
            };
        let (actor, always_audit) = match trigger {
            Trigger::Caller(actor) => (actor.clone(), true),
            Trigger::Schedule => (Actor::service(), false),
        };
        let event = NewEvent::by_actor(actor, id, EventKind::PrerequisitesChecked).with(
            findings.iter().map(|f| (f.kind.as_str().to_owned(), json!(f.outcome))).collect(),
        );
        let asked_host = record.integration.org.canonical_host;
        let checked =
            CheckResult { credentials_version, asked_host, org, findings, event, always_audit };
        let updated = self.store.update_findings(tenant, id, checked).await;
        updated.map_err(Error::for_integration(id))
    }

    /// Stores or withdraws an attestation of a prerequisite.
    ///
    /// # Errors
    /// `ScopeMissing`, `PrerequisiteNotFound`, `CannotBeAttested`, `Invalid`, `IntegrationNotFound`.
    pub async fn attest_prerequisite(
        &self,
        caller: &Caller,
        id: IntegrationId,
        kind: &str,
        attested: bool,
        note: Option<String>,
    ) -> Result<Report, Error> {
        let parsed = kind.parse::<PrerequisiteKind>().ok();
        // The MDM distributes Okta Verify, so its inventory scope is enough to attest that.
        let by_inventory = parsed == Some(PrerequisiteKind::OktaVerifyDistribution)
            && caller.require(Scope::OdtInventory).is_ok();
        if !by_inventory {
            self.require(caller, Scope::OdtWrite).await?;
        }
        self.load(caller, id).await?;
        let kind =
            parsed.ok_or_else(|| Error::PrerequisiteNotFound(kind.chars().take(64).collect()))?;
        if !kind.can_be_attested() {
            return Err(Error::CannotBeAttested(kind));
        }
        check_note(note.as_deref())?;
        let event = NewEvent::by(caller, id, EventKind::PrerequisiteAttested)
            .with(json!({ "kind": kind, "attested": attested, "note": note }));
        let attestation =
            Attestation { kind, attested, note, actor: caller.actor.clone(), at: Utc::now() };
        let updated = self.store.update_attestation(&caller.tenant, id, attestation, event).await;
        Ok(report(&updated.map_err(Error::for_integration(id))?))
    }

    async fn note_lost_host(&self, tenant: &TenantId, record: &IntegrationRecord) {
        let Integration { id, org, .. } = &record.integration;
        let noted = self.store.record_lost_host(tenant, *id, org.canonical_host.clone()).await;
        if let Err(error) = noted {
            tracing::warn!(
                integration_id = %id, error = chain_of(&error),
                "that no org was found at its host could not be noted"
            );
        }
    }

    async fn examine(
        &self,
        record: &IntegrationRecord,
        key: &TokenKey,
        credentials: &ClientCredentials,
    ) -> Result<(Org, Vec<Finding>), Error> {
        let org = self.relocate_org(record).await?;
        let host = self.address_of(&org)?;
        let mut findings = vec![engine_finding(&org)];
        match self.okta.without_retries().prove_credentials(&host, credentials).await {
            Ok(grant) => {
                // Scopes that were granted again count for the next sweep, not in an hour.
                self.okta.evict_token_with_fewer_scopes(key, &grant).await;
                findings.push(scopes_finding(&grant));
                findings.push(self.find_fastpass(&host, &org.engine, &grant).await);
            }
            Err(refusal) if refusal.is_refusal() => findings.extend(refusal_findings(&refusal)),
            Err(error) => return Err(error.into()),
        }
        // Keep the earlier finding where Okta did not answer. A refusal replaces it: without the scope
        // the earlier finding can no longer be confirmed.
        findings.retain(|new| !is_unanswered(new) || record.finding(new.kind).is_none());
        Ok((org, findings))
    }
}

fn check_note(note: Option<&str>) -> Result<(), Error> {
    let Some(note) = note else { return Ok(()) };
    let refused = |code: &str, detail: String| {
        Err(Error::Invalid(vec![FieldError::new("/note", code, detail)]))
    };
    if note.chars().count() > NOTE_LIMIT {
        return refused("too_long", format!("Enter at most {NOTE_LIMIT} characters."));
    }
    // Includes NUL, which PostgreSQL cannot store.
    if note.chars().any(|c| c.is_control() && c != '\n') {
        let detail = "Enter plain text without control characters.".to_owned();
        return refused("invalid_characters", detail);
    }
    Ok(())
}
