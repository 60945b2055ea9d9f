//! The decisions. Each method first asks whether the caller may, then does one thing; none knows an
//! HTTP status or a line of SQL.

mod devices;
mod error;
mod event_hooks;
mod events;
mod integrations;
mod jobs;
mod mirror;
mod operators;
mod platforms;
mod trust_status;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::Notify;
use url::Url;

use crate::config::{SyncConfig, TrustConfig, WizardConfig};
use crate::model::{Actor, Caller, EventKind, NewEvent, Scope, TenantId};
use crate::okta::{OktaClient, OktaError, UnreachableReason};
use crate::store::Store;
use crate::telemetry::chain_of;

use event_hooks::HookCalls;
use integrations::Attempts;
use mirror::LiveReads;

pub use devices::{
    DeviceDeletion, DeviceQuery, MAX_SERIALS, MOST_REPORTS, ReportFields, SnapshotPage,
};
pub use error::{Cause, DeviceError, Error, FieldError, OktaFailure, OktaFailureKind};
pub use event_hooks::{
    Admitted, DELIVERY_TIMEOUT, EventHookAtAddress, EventHookError, IssuedEventHook,
};
pub use integrations::{
    ChecklistItem, Connected, CopyValue, Created, Deleted, Form, FormField, IntegrationPatch, Link,
    NewIntegrationRequest, Prerequisite, Report, Setup, Step, StepName, StepState,
};
pub use operators::{Census, CensusEntry, Rotated, Rotation};
pub use platforms::{
    CATALOGUE, CatalogueField, CataloguePlatform, DeletedPlatform, DeployedProfile,
    DeploymentBundle, DeploymentOptions, DeploymentPart, DeviceFields, Guide, MintedChallenge,
    PlatformFields, PlatformOutcome, Verification, Write,
};
pub use trust_status::{
    CertificateCounts, IdentifierFields, IntegrationChoice, TrustFilter, TrustQuestion,
    TrustStatus, TrustSummary,
};

// Value types of lower layers that requests and answers of the service are made of.
pub use crate::payload::{
    APP_DOMAIN, EXTENSION_DATA, EXTENSION_DOMAIN, ManagedAppConfiguration, PROFILE_CONTENT_TYPE,
    PayloadScope, SINGLE_SIGN_ON_TYPE,
};
pub use crate::store::{ReportOutcome, Snapshot};

/// The product's decisions over Okta and the store. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    store: Store,
    okta: OktaClient,
    wizard: WizardConfig,
    sync: SyncConfig,
    trust: TrustConfig,
    /// Where callers, and Okta, reach the service.
    public_url: Option<Url>,
    hook_calls: Arc<HookCalls>,
    live_reads: LiveReads,
    /// Told when there may be work, so that this replica need not wait until it looks again.
    work: Arc<Notify>,
    /// The service stops: jobs give back what they are at.
    stopping: Arc<AtomicBool>,
    /// Who was denied what lately: a caller that keeps trying must not fill the audit.
    denials: Cache<(TenantId, Actor, Scope), ()>,
    /// Connects and checks of late, so that nobody spends an org's rate with them.
    attempts: Attempts,
}

/// A denied scope is audited once in this time for each caller.
const DENIAL_ONCE_IN: Duration = Duration::from_secs(60);
const DENIALS_REMEMBERED: u64 = 10_000;

impl Service {
    pub fn new(
        store: Store,
        okta: OktaClient,
        wizard: WizardConfig,
        sync: SyncConfig,
        trust: TrustConfig,
        public_url: Option<Url>,
    ) -> Self {
        let denials =
            Cache::builder().max_capacity(DENIALS_REMEMBERED).time_to_live(DENIAL_ONCE_IN).build();
        let attempts = Attempts::new(sync.attempts_per_minute);
        Self {
            store,
            okta,
            wizard,
            sync,
            trust,
            public_url,
            hook_calls: Arc::default(),
            live_reads: LiveReads::default(),
            work: Arc::default(),
            stopping: Arc::default(),
            denials,
            attempts,
        }
    }

    /// Refuses a caller without `scope`, and leaves a word of it in the audit.
    async fn require(&self, caller: &Caller, scope: Scope) -> Result<(), Error> {
        let Err(missing) = caller.require(scope) else { return Ok(()) };
        let who = (caller.tenant.clone(), caller.actor.clone(), scope);
        if self.denials.entry(who).or_insert(()).is_fresh() {
            let event = NewEvent::by(caller, None, EventKind::ScopeDenied)
                .with(serde_json::json!({ "scope": scope.as_str() }));
            if let Err(error) = self.store.create_event(&caller.tenant, event).await {
                tracing::warn!(
                    tenant_id = %caller.tenant,
                    error = chain_of(&error),
                    "auditing a denied scope failed"
                );
            }
        }
        Err(missing.into())
    }

    /// Whether the database answers, for readiness.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn ping_store(&self) -> Result<(), Error> {
        Ok(self.store.ping().await?)
    }
}

/// All that one request of ours may ask of Okta, together (contract §2).
const OKTA_PATIENCE: Duration = Duration::from_secs(15);

/// Ends a conversation with Okta that takes too long for the one who waits for it.
async fn within<T>(conversation: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let too_late = OktaError::Unreachable { reason: UnreachableReason::TimedOut, source: None };
    tokio::time::timeout(OKTA_PATIENCE, conversation).await.unwrap_or(Err(too_late.into()))
}
