//! Whether the org is ready: what Okta shows, what follows from it, what people confirm, and what to
//! do about what is missing.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::model::integrations::prerequisites::Blocks;
use crate::model::{
    Actor, Attestation, Caller, EventKind, Finding, IntegrationId, IntegrationRecord, NewEvent,
    Org, Outcome, PrerequisiteKind, Scope, TenantId,
};
use crate::okta::{ClientCredentials, FastPass, OktaError, ProvedGrant, REQUIRED_SCOPES};
use crate::service::integrations::judge_engine;
use crate::service::{Error, FieldError, Service, within};
use crate::store::Checked;

/// One line of the report.
#[derive(Debug)]
pub struct Prerequisite {
    pub kind: PrerequisiteKind,
    pub outcome: Outcome,
    /// Why it is not `passed`, as a stable word.
    pub reason: Option<String>,
    pub evidence: serde_json::Value,
    pub checked_at: Option<DateTime<Utc>>,
    pub blocks: Blocks,
    pub attestation: Option<Attestation>,
    /// What to do about it; `None` when there is nothing to do.
    pub remediation: Option<&'static str>,
}

/// Who wants a check.
#[derive(Debug, Clone, Copy)]
pub(in crate::service) enum By<'a> {
    /// Somebody who asked for it, and it is audited.
    Caller(&'a Actor),
    /// Nobody; it is audited when it finds something new.
    Schedule,
}

/// The report on an org.
#[derive(Debug)]
pub struct Report {
    /// True when nothing is in the way of going on with the setup.
    pub ready: bool,
    pub items: Vec<Prerequisite>,
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
        let record = self.check_stored(&caller.tenant, id, By::Caller(&caller.actor)).await?;
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
        by: By<'_>,
    ) -> Result<IntegrationRecord, Error> {
        let opened = self.store.open_credentials(tenant, id).await;
        let (record, credentials) = opened.map_err(Error::of_integration(id))?;
        let Some(credentials) = credentials else { return Err(Error::CredentialsNeeded(id)) };
        let credentials_version = credentials.version;
        let credentials = ClientCredentials {
            client_id: credentials.client_id,
            client_secret: credentials.client_secret,
        };
        let (org, findings) = within(self.examine(&record, &credentials)).await?;
        let (actor, always_audited) = match by {
            By::Caller(actor) => (actor.clone(), true),
            By::Schedule => (Actor::service(), false),
        };
        let event = NewEvent {
            integration_id: Some(id),
            kind: EventKind::PrerequisitesChecked,
            actor,
            detail: findings
                .iter()
                .map(|f| (f.kind.as_str().to_owned(), json!(f.outcome)))
                .collect(),
        };
        let engine = org.engine;
        let checked = Checked { credentials_version, engine, findings, event, always_audited };
        let updated = self.store.update_findings(tenant, id, checked).await;
        updated.map_err(Error::of_integration(id))
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
        let parsed = PrerequisiteKind::parse(kind);
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
        let event = NewEvent {
            integration_id: Some(id),
            kind: EventKind::PrerequisiteAttested,
            actor: caller.actor.clone(),
            detail: json!({ "kind": kind, "attested": attested, "note": note }),
        };
        let attestation =
            Attestation { kind, attested, note, actor: caller.actor.clone(), at: Utc::now() };
        let updated = self.store.update_attestation(&caller.tenant, id, attestation, event).await;
        Ok(report(&updated.map_err(Error::of_integration(id))?))
    }

    /// The org behind the stored host, as it is now.
    pub(in crate::service) async fn look_again(
        &self,
        record: &IntegrationRecord,
    ) -> Result<Org, Error> {
        let stored = &record.integration.org;
        let found = self.okta.without_retries().find_org(&stored.canonical_host).await?;
        if found.id != stored.id {
            return Err(Error::OtherOrg);
        }
        Ok(Org { engine: found.engine, ..stored.clone() })
    }

    async fn examine(
        &self,
        record: &IntegrationRecord,
        credentials: &ClientCredentials,
    ) -> Result<(Org, Vec<Finding>), Error> {
        let org = self.look_again(record).await?;
        let host = self.address_of(record)?;
        let mut findings = vec![judge_engine(&org)];
        match self.okta.without_retries().prove_credentials(&host, credentials).await {
            Ok(grant) => {
                findings.push(judge_scopes(&grant));
                findings.push(self.find_fastpass(&host, &org.engine, &grant).await);
            }
            Err(refusal) if refusal.is_refusal() => findings.extend(judge_refusal(&refusal)),
            Err(error) => return Err(error.into()),
        }
        // An answer that could not be had says nothing new: what was known before stays. A refusal does
        // say something: without the scope nobody can tell any more.
        findings.retain(|new| !is_unanswered(new) || record.finding(new.kind).is_none());
        Ok((org, findings))
    }
}

fn is_unanswered(finding: &Finding) -> bool {
    let reason = finding.reason.as_deref();
    finding.outcome == Outcome::Unknown
        && matches!(reason, Some("okta_unreachable" | "okta_rate_limited" | "okta_bad_answer"))
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

/// All scopes granted: only a super admin can grant them (facts §4).
pub(in crate::service) fn judge_scopes(grant: &ProvedGrant) -> Finding {
    let kind = PrerequisiteKind::SuperAdminScopes;
    let evidence = json!({ "granted": grant.granted, "missing": grant.missing });
    if grant.missing.is_empty() {
        Finding::new(kind, Outcome::Passed, Utc::now()).seen(evidence)
    } else {
        Finding::new(kind, Outcome::Failed, Utc::now()).because("missing_scopes").seen(evidence)
    }
}

/// A client that is refused has no scopes; what it would have shown stays unknown.
fn judge_refusal(refusal: &OktaError) -> Vec<Finding> {
    let missing: BTreeSet<&str> = match refusal {
        OktaError::MissingScopes(missing) => missing.iter().map(String::as_str).collect(),
        OktaError::ConsentRequired => REQUIRED_SCOPES.into_iter().collect(),
        _ => BTreeSet::new(),
    };
    let scopes = Finding::new(PrerequisiteKind::SuperAdminScopes, Outcome::Failed, Utc::now())
        .because(refusal.code())
        .seen(json!({ "missing": missing }));
    let fastpass = Finding::new(PrerequisiteKind::Fastpass, Outcome::Unknown, Utc::now())
        .because(refusal.code());
    vec![scopes, fastpass]
}

/// `FastPass` is on when Okta Verify and its method `signed_nonce` are active (facts §4).
pub(in crate::service) fn judge_fastpass(seen: Result<FastPass, OktaError>) -> Finding {
    let finding = |outcome| Finding::new(PrerequisiteKind::Fastpass, outcome, Utc::now());
    match seen {
        Ok(seen) => {
            let evidence =
                json!({ "okta_verify": seen.okta_verify, "signed_nonce": seen.signed_nonce });
            let okta_verify_is_active = seen.okta_verify.as_deref() == Some("ACTIVE");
            match (seen.is_on(), okta_verify_is_active) {
                (true, _) => finding(Outcome::Passed),
                (false, true) => finding(Outcome::Failed).because("fastpass_inactive"),
                (false, false) => finding(Outcome::Failed).because("okta_verify_inactive"),
            }
            .seen(evidence)
        }
        Err(OktaError::InsufficientScope { scope }) => {
            finding(Outcome::Unknown).because("missing_scopes").seen(json!({ "scope": scope }))
        }
        Err(error) => finding(Outcome::Unknown).because(error.code()),
    }
}

pub(in crate::service) fn report(record: &IntegrationRecord) -> Report {
    let items: Vec<Prerequisite> =
        PrerequisiteKind::ALL.into_iter().map(|kind| line(record, kind)).collect();
    let ready = record.credentials.is_some() && record.failed(Blocks::Setup).next().is_none();
    Report { ready, items }
}

fn line(record: &IntegrationRecord, kind: PrerequisiteKind) -> Prerequisite {
    let finding = record.finding(kind);
    let outcome = record.outcome(kind);
    let reason = match outcome {
        Outcome::Failed | Outcome::Unknown => Some(reason_of(record, kind)),
        _ => finding.and_then(|finding| finding.reason.clone()),
    };
    Prerequisite {
        kind,
        outcome,
        remediation: remediation(kind, outcome, reason.as_deref()),
        reason,
        evidence: finding.map_or_else(|| json!({}), |finding| finding.evidence.clone()),
        checked_at: finding.map(|finding| finding.checked_at),
        blocks: kind.blocks(),
        attestation: record.attestation(kind).cloned(),
    }
}

fn reason_of(record: &IntegrationRecord, kind: PrerequisiteKind) -> String {
    let found = record.finding(kind).and_then(|finding| finding.reason.clone());
    let not_seen = match kind {
        PrerequisiteKind::AdaptiveMfa => "no_api_tells",
        PrerequisiteKind::OktaVerifyDistribution => "known_to_the_mdm_only",
        _ if record.credentials.is_none() => "no_credentials",
        _ => "not_checked",
    };
    found.unwrap_or_else(|| not_seen.to_owned())
}

/// What an admin does about it, in plain words.
fn remediation(
    kind: PrerequisiteKind,
    outcome: Outcome,
    reason: Option<&str>,
) -> Option<&'static str> {
    use PrerequisiteKind::{
        AdaptiveMfa, Fastpass, IdentityEngine, OktaVerifyDistribution, SuperAdminScopes,
    };
    if !matches!(outcome, Outcome::Failed | Outcome::Unknown) {
        return None;
    }
    Some(match (kind, reason) {
        (_, Some("no_credentials")) => {
            "Enter the client ID and the client secret, and the check runs by itself."
        }
        (_, Some("okta_unreachable" | "okta_rate_limited" | "okta_bad_answer")) => {
            "Okta did not answer when it was asked. Run the check again in a few minutes."
        }
        (IdentityEngine, Some("classic_engine")) => {
            "This org runs on Classic Engine. Ask Okta to upgrade it to Identity Engine: device trust does not exist on Classic."
        }
        (IdentityEngine, _) => {
            "Okta did not say which engine this org runs on. Run the check again, or ask Okta's support."
        }
        (SuperAdminScopes, Some("invalid_client")) => {
            "Okta no longer accepts the client. In the API service integration generate a new secret and enter it here."
        }
        (SuperAdminScopes, Some("network_zone_blocked")) => {
            "Okta admits the client from named network zones only. Add this service's address to them, or lift the restriction."
        }
        (SuperAdminScopes, Some("dpop_required")) => {
            "The client demands proof of possession (DPoP). Switch it off in the client's settings in Okta."
        }
        (SuperAdminScopes, _) => {
            "As a super admin, authorize the API service integration in Okta again and grant the scopes that are missing."
        }
        (Fastpass, Some("missing_scopes")) if outcome == Outcome::Unknown => {
            "Grant the scope okta.authenticators.read to the API service integration, then run the check again."
        }
        (Fastpass, Some("classic_engine")) => {
            "Classic Engine has no FastPass: the org has to be upgraded first."
        }
        (Fastpass, _) if outcome == Outcome::Unknown => {
            "Whether FastPass is on could not be seen. Mend what the report says of the scopes, then run the check again."
        }
        (Fastpass, Some("okta_verify_inactive")) => {
            "In Okta under Security > Authenticators add Okta Verify and switch on \"Okta FastPass (All platforms)\"."
        }
        (Fastpass, _) => {
            "In Okta under Security > Authenticators > Okta Verify switch on \"Okta FastPass (All platforms)\"."
        }
        (AdaptiveMfa, _) => {
            "Okta tells nobody by API whether the org has Adaptive MFA. If Security > Device integrations offers \"Add platform\", it does: confirm it here."
        }
        (OktaVerifyDistribution, _) => {
            "Assign Okta Verify through Apple's Apps and Books to the devices in the MDM, then confirm it here."
        }
    })
}
