//! The audit: who changed what and when. Never a secret, nor anything derived from one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Actor, IntegrationId};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    IntegrationCreated,
    IntegrationUpdated,
    IntegrationDeleted,
    CredentialsStored,
    CredentialsRefused,
    CredentialsDeleted,
    PrerequisitesChecked,
    PrerequisiteAttested,
    PlatformStored,
    PlatformVerified,
    PlatformDeleted,
    ScepCredentialsRefused,
    ScepChallengeMinted,
    DeploymentCreated,
    ScopeDenied,
    /// The status became another by itself or by what somebody did.
    StatusChanged,
    SyncRequested,
    EventHookStored,
    EventHookDeleted,
}

impl EventKind {
    pub const ALL: [Self; 19] = [
        Self::IntegrationCreated,
        Self::IntegrationUpdated,
        Self::IntegrationDeleted,
        Self::CredentialsStored,
        Self::CredentialsRefused,
        Self::CredentialsDeleted,
        Self::PrerequisitesChecked,
        Self::PrerequisiteAttested,
        Self::PlatformStored,
        Self::PlatformVerified,
        Self::PlatformDeleted,
        Self::ScepCredentialsRefused,
        Self::ScepChallengeMinted,
        Self::DeploymentCreated,
        Self::ScopeDenied,
        Self::StatusChanged,
        Self::SyncRequested,
        Self::EventHookStored,
        Self::EventHookDeleted,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::IntegrationCreated => "integration_created",
            Self::IntegrationUpdated => "integration_updated",
            Self::IntegrationDeleted => "integration_deleted",
            Self::CredentialsStored => "credentials_stored",
            Self::CredentialsRefused => "credentials_refused",
            Self::CredentialsDeleted => "credentials_deleted",
            Self::PrerequisitesChecked => "prerequisites_checked",
            Self::PrerequisiteAttested => "prerequisite_attested",
            Self::PlatformStored => "platform_stored",
            Self::PlatformVerified => "platform_verified",
            Self::PlatformDeleted => "platform_deleted",
            Self::ScepCredentialsRefused => "scep_credentials_refused",
            Self::ScepChallengeMinted => "scep_challenge_minted",
            Self::DeploymentCreated => "deployment_created",
            Self::ScopeDenied => "scope_denied",
            Self::StatusChanged => "status_changed",
            Self::SyncRequested => "sync_requested",
            Self::EventHookStored => "event_hook_stored",
            Self::EventHookDeleted => "event_hook_deleted",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// An event to be written, in the same transaction as the change that it tells of.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub integration_id: Option<IntegrationId>,
    pub kind: EventKind,
    pub actor: Actor,
    pub detail: serde_json::Value,
}

/// An event that was written.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: Uuid,
    pub integration_id: Option<IntegrationId>,
    pub kind: EventKind,
    pub actor: Actor,
    pub detail: serde_json::Value,
    pub at: DateTime<Utc>,
}
