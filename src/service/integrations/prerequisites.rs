//! Whether the org is ready: what Okta shows, and what people confirm.

use chrono::Utc;
use serde_json::json;

use super::findings::{engine_finding, is_unanswered, refusal_findings, scopes_finding};
use super::report::{Report, report};
use crate::model::{
    Actor, Attestation, Caller, EventKind, Finding, IntegrationId, IntegrationRecord, NewEvent,
    Org, PrerequisiteKind, Scope, TenantId,
};
use crate::okta::{ClientCredentials, TokenKey};
use crate::service::{Error, FieldError, Service, with_okta_timeout};
use crate::store::CheckResult;

/// Who wants a check.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) enum Trigger<'a> {
    /// Somebody who asked for it, and it is audited.
    Caller(&'a Actor),
    /// Nobody; it is audited when it finds something new.
    Schedule,
}

/// Longest note of an attestation, in characters.
const NOTE_LIMIT: usize = 500;

impl Service {
    /// The report as of the last check. Asks Okta nothing.
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

    /// Looks now: the org, a fresh token with all scopes, `FastPass`.
    ///
    /// What Okta refuses becomes a finding. When Okta cannot be asked, nothing is overwritten and
    /// the caller learns why: an outage says nothing about the org.
    ///
    /// # Errors
    /// `CredentialsNeeded`, `IntegrationNotFound`, `TooManyAttempts`, or `Okta` when Okta could not be
    /// asked.
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

    /// Checks with the stored credentials and keeps what was found. No scope is asked: a schedule has
    /// none.
    ///
    /// # Errors
    /// As [`Service::check_prerequisites`]; nothing is kept then.
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
        let (org, findings) = with_okta_timeout(self.examine(&record, &key, &credentials)).await?;
        let (actor, always_audit) = match trigger {
            Trigger::Caller(actor) => (actor.clone(), true),
            Trigger::Schedule => (Actor::service(), false),
        };
        let event = NewEvent::by_actor(actor, id, EventKind::PrerequisitesChecked).with(
            findings.iter().map(|f| (f.kind.as_str().to_owned(), json!(f.outcome))).collect(),
        );
        let engine = org.engine;
        let checked = CheckResult { credentials_version, engine, findings, event, always_audit };
        let updated = self.store.update_findings(tenant, id, checked).await;
        updated.map_err(Error::for_integration(id))
    }

    /// Keeps "we confirm it", or takes it back.
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
        // The MDM knows what it distributes, and may say so with the scope of its inventory.
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
        refuse_unfit_note(note.as_deref())?;
        let event = NewEvent::by(caller, id, EventKind::PrerequisiteAttested)
            .with(json!({ "kind": kind, "attested": attested, "note": note }));
        let attestation =
            Attestation { kind, attested, note, actor: caller.actor.clone(), at: Utc::now() };
        let updated = self.store.update_attestation(&caller.tenant, id, attestation, event).await;
        Ok(report(&updated.map_err(Error::for_integration(id))?))
    }

    async fn examine(
        &self,
        record: &IntegrationRecord,
        key: &TokenKey,
        credentials: &ClientCredentials,
    ) -> Result<(Org, Vec<Finding>), Error> {
        let org = self.refetch_org(record).await?;
        let host = self.address_of(record)?;
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
        // An answer that could not be had says nothing new: what was known before stays. A refusal does
        // say something: without the scope nobody can tell any more.
        findings.retain(|new| !is_unanswered(new) || record.finding(new.kind).is_none());
        Ok((org, findings))
    }
}

fn refuse_unfit_note(note: Option<&str>) -> Result<(), Error> {
    let Some(note) = note else { return Ok(()) };
    let refused = |code: &str, detail: String| {
        Err(Error::Invalid(vec![FieldError::new("/note", code, detail)]))
    };
    if note.chars().count() > NOTE_LIMIT {
        return refused("too_long", format!("{NOTE_LIMIT} characters at most."));
    }
    // Also what PostgreSQL cannot store: a NUL.
    if note.chars().any(|c| c.is_control() && c != '\n') {
        return refused("invalid_characters", "Plain text, without control characters.".to_owned());
    }
    Ok(())
}
