//! Audit events: who changed what and when. They never contain a secret or a value derived from one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::{Actor, Caller, IntegrationId};

/// The kind of an audit event.
#[derive(
    Debug,
    Clone,
    Copy,
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
pub enum EventKind {
    IntegrationCreated,
    IntegrationUpdated,
    IntegrationDeleted,
    /// A check found the org at another host, or with other custom domains.
    OrgHostsChanged,
    CredentialsStored,
    CredentialsRefused,
    CredentialsDeleted,
    /// A key pair was made for a service app.
    ClientKeyCreated,
    ClientKeyDeleted,
    PrerequisitesChecked,
    PrerequisiteAttested,
    PlatformStored,
    PlatformVerified,
    PlatformDeleted,
    ScepCredentialsRefused,
    ScepChallengeMinted,
    DeploymentCreated,
    ScopeDenied,
    /// The integration's status changed, by a change of configuration or over time.
    StatusChanged,
    SyncRequested,
    EventHookStored,
    EventHookSecretRevoked,
    EventHookDeleted,
    /// The inventory was compared with a snapshot of the whole fleet.
    DevicesReconciled,
}

impl EventKind {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// An event to insert in the same transaction as the change that it describes.
#[derive(Debug, Clone)]
pub struct NewEvent {
    pub integration_id: Option<IntegrationId>,
    pub kind: EventKind,
    pub actor: Actor,
    pub detail: serde_json::Value,
}

impl NewEvent {
    /// Returns an event caused by `caller`, without details.
    pub fn by(caller: &Caller, id: impl Into<Option<IntegrationId>>, kind: EventKind) -> Self {
        Self::by_actor(caller.actor.clone(), id, kind)
    }

    /// Returns an event caused by `actor`, such as [`Actor::service`], without details.
    pub fn by_actor(actor: Actor, id: impl Into<Option<IntegrationId>>, kind: EventKind) -> Self {
        Self { integration_id: id.into(), kind, actor, detail: serde_json::json!({}) }
    }

    /// Sets the details.
    #[must_use]
    pub fn with(mut self, detail: serde_json::Value) -> Self {
        self.detail = detail;
        self
    }
}

/// A stored audit event.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: Uuid,
    pub integration_id: Option<IntegrationId>,
    pub kind: EventKind,
    pub actor: Actor,
    pub detail: serde_json::Value,
    pub at: DateTime<Utc>,
}
