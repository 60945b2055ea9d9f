//! The integration: one Okta org, connected for one tenant, and the status that follows from what
//! is known of it. The status is derived here and nowhere stored (contract §2).

pub mod credentials;
pub mod notices;
pub mod okta_domain;
pub mod prerequisites;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use strum::VariantArray;

use crate::model::integrations::notices::Notice;
use crate::model::integrations::prerequisites::{Attestation, Blocks, Finding, Outcome, weigh};
use crate::model::platforms::PlatformState;
use crate::model::{Actor, CredentialsState, IntegrationId, Platform, PrerequisiteKind, TenantId};

/// Okta's authentication pipeline, as the org's well-known document names it.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Engine {
    /// Identity Engine, `idx`.
    IdentityEngine,
    /// Classic Engine, `v1`.
    Classic,
    /// A pipeline that Okta did not have when this was written.
    Other,
}

impl Engine {
    pub fn as_str(&self) -> &'static str {
        self.into()
    }

    /// Reads a stored name; one that is not known is a pipeline newer than this release.
    pub fn parse(word: &str) -> Self {
        word.parse().unwrap_or(Self::Other)
    }
}

/// Where an org lives: proved by its own well-known document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Org {
    /// Okta's id of the org, `00o…`.
    pub id: String,
    /// The host that tokens are asked of; the only host that ever sees credentials.
    pub canonical_host: String,
    /// A custom domain that the canonical host confirmed.
    pub custom_host: Option<String>,
    pub engine: Engine,
}

/// A stored integration.
#[derive(Debug, Clone)]
pub struct Integration {
    pub tenant: TenantId,
    pub id: IntegrationId,
    pub org: Org,
    pub selected_platforms: Vec<Platform>,
    /// Counts changes of configuration; the `ETag`.
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub created_by: Actor,
    pub updated_at: DateTime<Utc>,
}

impl Integration {
    /// The host where the org's users sign in: the custom domain when there is one.
    pub fn sign_in_host(&self) -> &str {
        self.org.custom_host.as_deref().unwrap_or(&self.org.canonical_host)
    }
}

/// Everything that is stored about an integration: what its status and its setup follow from.
#[derive(Debug, Clone)]
pub struct IntegrationRecord {
    pub integration: Integration,
    pub credentials: Option<CredentialsState>,
    pub findings: Vec<Finding>,
    pub attestations: Vec<Attestation>,
    /// The platforms that are configured.
    pub platforms: Vec<PlatformState>,
    /// When the last complete sweep of the org's devices ended.
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
        weigh(self.finding(kind), self.attestation(kind))
    }

    /// The prerequisites that stand in the way of `blocks` or of something before it.
    pub fn failed(&self, blocks: Blocks) -> impl Iterator<Item = PrerequisiteKind> + '_ {
        PrerequisiteKind::VARIANTS
            .iter()
            .copied()
            .filter(move |kind| kind.blocks() == blocks && self.outcome(*kind) == Outcome::Failed)
    }

    pub fn platform(&self, platform: Platform) -> Option<&PlatformState> {
        self.platforms.iter().find(|state| state.platform == platform)
    }

    fn is_configured(&self) -> bool {
        let selected = &self.integration.selected_platforms;
        self.credentials.is_some()
            && !selected.is_empty()
            && selected.iter().all(|platform| self.platform(*platform).is_some())
    }
}

/// Where an integration stands.
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
    /// The wizard is not through yet.
    Setup,
    /// All is configured and nothing that we know of is wrong.
    Active,
    /// All is configured and something is wrong; `status_reasons` says what.
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
    /// No client id and secret were entered yet.
    CredentialsMissing,
    /// Okta refuses the client that was stored.
    ClientRefused,
    /// The org is on Classic Engine.
    ClassicEngine,
    /// A scope that was granted is no longer.
    ScopesMissing,
    /// `FastPass` is off.
    FastpassOff,
    /// No platform was selected yet.
    NoPlatformSelected,
    /// A selected platform is not configured yet.
    PlatformNotConfigured,
    /// Okta refused the SCEP user name and password when a challenge was asked for.
    ScepCredentialsRefused,
    /// The certificate authority behind the SCEP URL ends within 30 days.
    CaNearItsEnd,
    /// The org's devices were not wholly read for 24 hours.
    SyncOverdue,
}

impl StatusReason {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The status and its reasons; an Okta outage or a rate limit is none of them, as long as it is over
/// within a day.
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

/// How long the devices of a connected org may go without being wholly read (contract §2).
const SYNC_OVERDUE_AFTER: TimeDelta = TimeDelta::hours(24);

fn is_sync_overdue(record: &IntegrationRecord, now: DateTime<Utc>) -> bool {
    // Without credentials nothing is read, and that is a reason of its own.
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
    if record.platforms.iter().any(|state| state.refused_at.is_some()) {
        reasons.push(StatusReason::ScepCredentialsRefused);
    }
    let mut authorities = record.platforms.iter().filter_map(|state| state.ca.as_ref());
    if authorities.any(|ca| ca.is_near_its_end(now)) {
        reasons.push(StatusReason::CaNearItsEnd);
    }
    reasons
}

fn known_faults(record: &IntegrationRecord) -> Vec<StatusReason> {
    let mut reasons = Vec::new();
    if record.outcome(PrerequisiteKind::IdentityEngine) == Outcome::Failed {
        reasons.push(StatusReason::ClassicEngine);
    }
    let scopes = record.finding(PrerequisiteKind::SuperAdminScopes);
    if let Some(finding) = scopes.filter(|finding| finding.outcome == Outcome::Failed) {
        // Everything else that Okta says of the client is a refusal of it: the report has the words.
        let scopes = finding.reason.as_deref() == Some("missing_scopes");
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
