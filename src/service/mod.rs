//! The decisions of the product. Each public method first checks the caller's scope, then does one
//! thing. Nothing here knows an HTTP status or a line of SQL.

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
use integrations::{Attempts, PublicKeyReads};
use mirror::LiveReadCache;

pub use devices::{
    DeviceDeletion, DeviceQuery, MAX_REPORTS, MAX_SERIALS, ReportFields, SnapshotPage,
};
pub use error::{Cause, DeviceError, Error, FieldError, OktaFailure, OktaFailureKind};
pub use event_hooks::{
    AdmittedDelivery, EventHookAddress, EventHookError, IssuedEventHook, within_hook_deadline,
};
pub use integrations::{
    Caution, ChecklistItem, ClientKeyError, ClientKeyList, Connected, CopyValue, Created,
    CredentialsChoice, Deleted, EnteredCredentials, Form, FormField, Instruction, IntegrationPatch,
    Link, NewIntegrationRequest, PendingKey, Prerequisite, Report, Setup, Step, StepName,
    StepState,
};
pub use operators::{
    AllIntegrations, IntegrationSummary, KeyRotation, KeyRotationOutcome, Projection,
    ProjectionReport, WrongProjection,
};
pub use platforms::{
    CATALOGUE, CatalogueField, CataloguePlatform, Channel, DeletedPlatform, DeployedProfile,
    DeploymentBundle, DeploymentOptions, DeploymentPart, DeviceFields, Guide, MintedChallenge,
    PlatformFields, PlatformOutcome, Verification, WriteOptions,
};
pub use trust_status::{
    CertificateCounts, IdentifierFields, IntegrationChoice, MAX_QUERIED_DEVICES, TrustFilter,
    TrustQuestion, TrustStatus, TrustSummary,
};

// Value types of lower layers that appear in the service's requests and results.
pub use crate::payload::{
    APP_DOMAIN, AppConfiguration, EXTENSION_DATA, EXTENSION_DOMAIN, EnrollmentOptions,
    PROFILE_CONTENT_TYPE, PayloadScope, SINGLE_SIGN_ON_TYPE,
};
pub use crate::store::{ReportOutcome, Snapshot};

/// The product's operations, on top of the Okta client and the store. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    store: Store,
    okta: OktaClient,
    wizard: WizardConfig,
    sync: SyncConfig,
    trust: TrustConfig,
    /// The public address of the service, which Okta calls for event hooks.
    public_url: Option<Url>,
    hook_calls: Arc<HookCalls>,
    public_key_reads: Arc<PublicKeyReads>,
    live_reads: LiveReadCache,
    /// Notified when a job may be due, so that this replica does not wait for its next poll.
    job_enqueued: Arc<Notify>,
    /// True while the service shuts down: running jobs are released after their current step.
    stopping: Arc<AtomicBool>,
    /// Recently denied scopes, so that a caller in a loop does not fill the audit.
    denials: Cache<(TenantId, Actor, Scope), ()>,
    /// Recent connects and checks: limits how much of an org's rate they spend.
    attempts: Attempts,
}

/// A denied scope is audited at most once in this time per caller.
const DENIAL_AUDIT_INTERVAL: Duration = Duration::from_secs(60);
const MAX_REMEMBERED_DENIALS: u64 = 10_000;

impl Service {
    pub fn new(
        store: Store,
        okta: OktaClient,
        wizard: WizardConfig,
        sync: SyncConfig,
        trust: TrustConfig,
        public_url: Option<Url>,
    ) -> Self {
        let denials = Cache::builder()
            .max_capacity(MAX_REMEMBERED_DENIALS)
            .time_to_live(DENIAL_AUDIT_INTERVAL)
            .build();
        let attempts = Attempts::new(sync.attempts_per_minute);
        let hook_calls = Arc::new(HookCalls::new(store.max_connections()));
        Self {
            store,
            okta,
            wizard,
            sync,
            trust,
            public_url,
            hook_calls,
            public_key_reads: Arc::default(),
            live_reads: LiveReadCache::default(),
            job_enqueued: Arc::default(),
            stopping: Arc::default(),
            denials,
            attempts,
        }
    }

    /// Refuses a caller without `scope` and audits the denial.
    ///
    /// # Errors
    /// `ScopeMissing`.
    pub async fn require(&self, caller: &Caller, scope: Scope) -> Result<(), Error> {
        let Err(missing) = caller.require(scope) else { return Ok(()) };
        let denial = (caller.tenant.clone(), caller.actor.clone(), scope);
        if self.denials.entry(denial).or_insert(()).is_fresh() {
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

    /// Checks that the database answers, for the readiness probe.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn ping_store(&self) -> Result<(), Error> {
        Ok(self.store.ping().await?)
    }
}

/// Returns the URL of `path` below the public address of the service, which may have a path itself.
fn append_path(base: &Url, path: &str) -> String {
    format!("{}{path}", base.as_str().trim_end_matches('/'))
}

/// The time limit for all calls to Okta that one API request makes.
const OKTA_TIMEOUT: Duration = Duration::from_secs(15);

/// Runs calls to Okta with the limit [`OKTA_TIMEOUT`]; past it Okta counts as unreachable.
async fn with_okta_timeout<T>(calls: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let timed_out = OktaError::Unreachable { reason: UnreachableReason::TimedOut, source: None };
    tokio::time::timeout(OKTA_TIMEOUT, calls).await.unwrap_or(Err(timed_out.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_extends_the_public_address() {
        for (base, url) in [
            ("https://trust.example.com", "https://trust.example.com/hooks/okta/x"),
            ("https://trust.example.com/", "https://trust.example.com/hooks/okta/x"),
            ("https://example.com/trust/", "https://example.com/trust/hooks/okta/x"),
        ] {
            assert_eq!(append_path(&base.parse().unwrap(), "/hooks/okta/x"), url);
        }
    }
}
