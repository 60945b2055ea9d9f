//! An integration: one Okta org connected to one tenant. Its status is derived from the stored
//! configuration and findings each time it is read; see [`derive_status`].

pub mod client_keys;
pub mod credentials;
pub mod finding_reason;
pub mod notices;
pub mod okta_domain;
mod org;
pub mod prerequisites;

pub use org::{Engine, Org};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use strum::VariantArray;

use crate::model::integrations::finding_reason::FindingReason;
use crate::model::integrations::notices::Notice;
use crate::model::integrations::prerequisites::{
    Attestation, Blocks, Finding, Outcome, effective_outcome,
};
use crate::model::platforms::PlatformState;
use crate::model::{
    Actor, ClientKeys, CredentialsState, IntegrationId, Platform, PrerequisiteKind, TenantId,
};

/// Since when checks found no Okta org at the canonical host, and when the last of them did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostLost {
    pub since: DateTime<Utc>,
    pub at: DateTime<Utc>,
}

/// How long a host's absence has to last to count: one odd answer is none.
const HOST_LOST_AFTER: TimeDelta = TimeDelta::minutes(20);

/// How long custom domains may be sent secrets after the canonical host confirmed them.
const CONFIRMED_FOR: TimeDelta = TimeDelta::hours(24);

/// A stored integration.
#[derive(Debug, Clone)]
pub struct Integration {
    pub tenant: TenantId,
    pub id: IntegrationId,
    pub org: Org,
    /// Further hosts where the org's users sign in. No secret is ever sent there.
    pub additional_sign_in_hosts: Vec<String>,
    /// When the canonical host last named the custom domains.
    pub hosts_confirmed_at: Option<DateTime<Utc>>,
    pub host_lost: Option<HostLost>,
    pub selected_platforms: Vec<Platform>,
    /// Increases with each change of configuration; sent as the `ETag`.
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub created_by: Actor,
    pub updated_at: DateTime<Utc>,
}

impl Integration {
    /// Returns the host where the org's users sign in: the custom domain if there is one.
    pub fn sign_in_host(&self) -> &str {
        self.org.custom_hosts.first().unwrap_or(&self.org.canonical_host)
    }

    /// Every host where the org's users may sign in, each once.
    pub fn sign_in_hosts(&self) -> Vec<String> {
        let mut hosts: Vec<String> = Vec::new();
        for host in self.org.hosts().chain(self.additional_sign_in_hosts.iter().map(String::as_str))
        {
            if !hosts.iter().any(|known| known == host) {
                hosts.push(host.to_owned());
            }
        }
        hosts
    }

    /// Whether the custom domains were confirmed within the last 24 hours.
    pub fn has_fresh_hosts(&self, now: DateTime<Utc>) -> bool {
        self.hosts_confirmed_at.is_some_and(|at| now - at < CONFIRMED_FOR)
    }
}

/// An integration with everything that its status and setup steps are derived from.
#[derive(Debug, Clone)]
pub struct IntegrationRecord {
    pub integration: Integration,
    pub credentials: Option<CredentialsState>,
    pub client_keys: ClientKeys,
    pub findings: Vec<Finding>,
    pub attestations: Vec<Attestation>,
    /// The configured platforms.
    pub platforms: Vec<PlatformState>,
    /// When the last accepted sweep of the org's devices ended.
    pub synced_at: Option<DateTime<Utc>>,
    pub notices: Vec<Notice>,
}

impl IntegrationRecord {
    pub fn finding(&self, kind: PrerequisiteKind) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.kind == kind)
    }

    pub fn attestation(&self, kind: PrerequisiteKind) -> Option<&Attestation> {
        self.attestations.iter().find(|attestation| attestation.kind == kind)
    }

    pub fn outcome(&self, kind: PrerequisiteKind) -> Outcome {
        effective_outcome(self.finding(kind), self.attestation(kind))
    }

    /// Returns the failed prerequisites that block `blocks`.
    pub fn failed(&self, blocks: Blocks) -> impl Iterator<Item = PrerequisiteKind> + '_ {
        PrerequisiteKind::VARIANTS
            .iter()
            .copied()
            .filter(move |kind| kind.blocks() == blocks && self.outcome(*kind) == Outcome::Failed)
    }

    pub fn platform(&self, platform: Platform) -> Option<&PlatformState> {
        self.platforms.iter().find(|state| state.platform == platform)
    }

    /// Whether a SCEP URL of the platform is on a host that is no longer one of the org's.
    pub fn has_scep_url_on_old_host(&self, state: &PlatformState) -> bool {
        let is_old =
            |url: &url::Url| !self.integration.org.hosts().any(|host| url.host_str() == Some(host));
        state
            .scep
            .as_ref()
            .is_some_and(|scep| is_old(&scep.scep_url) || is_old(&scep.challenge_url))
    }

    fn is_configured(&self) -> bool {
        let selected = &self.integration.selected_platforms;
        self.credentials.is_some()
            && !selected.is_empty()
            && selected.iter().all(|platform| self.platform(*platform).is_some())
    }
}

/// The status of an integration.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// The setup is not complete.
    Setup,
    /// Everything is configured and no problem is known.
    Active,
    /// Everything is configured and there is a problem, named in `status_reasons`.
    Degraded,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why an integration is not `active`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum StatusReason {
    /// No client ID and secret are stored.
    CredentialsMissing,
    /// Okta rejects the stored client ID and secret.
    ClientRefused,
    /// The org is on Classic Engine.
    ClassicEngine,
    /// A required scope is no longer granted.
    ScopesMissing,
    /// Okta `FastPass` is turned off.
    FastpassOff,
    /// No platform is selected.
    NoPlatformSelected,
    /// A selected platform is not configured.
    PlatformNotConfigured,
    /// Okta rejected the SCEP username and password when a challenge was requested.
    ScepCredentialsRefused,
    /// The certificate of the CA behind the SCEP URL expires within 30 days.
    CaExpiring,
    /// No sweep of the org's devices was accepted in the last 24 hours.
    SyncOverdue,
    /// At the org's host something else answers than an Okta org, or the name does not exist.
    OrgUnreachableAtHost,
    /// The SCEP URL or the challenge URL is on a host that is no longer the org's: enter both again.
    ScepUrlOnOldHost,
}

impl StatusReason {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Derives the status and its reasons. An Okta outage or a rate limit is no reason unless it prevents
/// sweeps for 24 hours.
pub fn derive_status(
    record: &IntegrationRecord,
    now: DateTime<Utc>,
) -> (Status, Vec<StatusReason>) {
    let mut reasons = missing_configuration(record);
    reasons.extend(known_faults(record));
    reasons.extend(platform_faults(record, now));
    if is_sync_overdue(record, now) {
        reasons.push(StatusReason::SyncOverdue);
    }
    let status = match (record.is_configured(), reasons.is_empty()) {
        (true, true) => Status::Active,
        (true, false) => Status::Degraded,
        (false, _) => Status::Setup,
    };
    (status, reasons)
}

/// The maximum age of the last accepted sweep of a connected org.
const SYNC_OVERDUE_AFTER: TimeDelta = TimeDelta::hours(24);

fn is_sync_overdue(record: &IntegrationRecord, now: DateTime<Utc>) -> bool {
    // Without credentials there are no sweeps; `credentials_missing` reports that.
    let Some(credentials) = &record.credentials else { return false };
    now - record.synced_at.unwrap_or(credentials.updated_at) >= SYNC_OVERDUE_AFTER
}

fn missing_configuration(record: &IntegrationRecord) -> Vec<StatusReason> {
    let mut reasons = Vec::new();
    if record.credentials.is_none() {
        reasons.push(StatusReason::CredentialsMissing);
    }
    let selected = &record.integration.selected_platforms;
    if selected.is_empty() {
        reasons.push(StatusReason::NoPlatformSelected);
    } else if !selected.iter().all(|platform| record.platform(*platform).is_some()) {
        reasons.push(StatusReason::PlatformNotConfigured);
    }
    reasons
}

fn platform_faults(record: &IntegrationRecord, now: DateTime<Utc>) -> Vec<StatusReason> {
    let mut reasons = Vec::new();
    if record.platforms.iter().any(|state| record.has_scep_url_on_old_host(state)) {
        reasons.push(StatusReason::ScepUrlOnOldHost);
    }
    if record.platforms.iter().any(|state| state.refused_at.is_some()) {
        reasons.push(StatusReason::ScepCredentialsRefused);
    }
    let mut authorities = record.platforms.iter().filter_map(|state| state.ca.as_ref());
    if authorities.any(|ca| ca.is_expiring(now)) {
        reasons.push(StatusReason::CaExpiring);
    }
    reasons
}

fn known_faults(record: &IntegrationRecord) -> Vec<StatusReason> {
    let mut reasons = Vec::new();
    if record.integration.host_lost.is_some_and(|lost| lost.at - lost.since >= HOST_LOST_AFTER) {
        reasons.push(StatusReason::OrgUnreachableAtHost);
    }
    if record.outcome(PrerequisiteKind::IdentityEngine) == Outcome::Failed {
        reasons.push(StatusReason::ClassicEngine);
    }
    let scopes = record.finding(PrerequisiteKind::SuperAdminScopes);
    if let Some(finding) = scopes.filter(|finding| finding.outcome == Outcome::Failed) {
        // Every other reason means that Okta rejects the client; the prerequisite report explains it.
        let scopes = finding.reason == Some(FindingReason::MissingScopes);
        reasons.push(if scopes {
            StatusReason::ScopesMissing
        } else {
            StatusReason::ClientRefused
        });
    }
    if record.outcome(PrerequisiteKind::Fastpass) == Outcome::Failed {
        reasons.push(StatusReason::FastpassOff);
    }
    reasons
}
