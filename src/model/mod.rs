//! The domain types that all layers share, without HTTP, SQL or Okta's wire format.

pub mod devices;
pub mod event_hooks;
pub mod events;
pub mod expected_version;
pub mod ids;
pub mod integrations;
pub mod jobs;
pub mod mirror;
pub mod numbers;
pub mod pages;
pub mod platforms;
pub mod scope;
pub mod trust_status;

pub use devices::identifiers::{
    DeviceIdentifierError, OktaDeviceId, SerialNumber, Udid, UserPrincipalName,
};
pub use devices::records::DeviceRecord;
pub use devices::reports::{DeviceReport, ReportRefusal, ReportResults};
pub use event_hooks::{DeviceMention, EventHook, HookId, HookOwner};
pub use events::{Event, EventKind, NewEvent};
pub use expected_version::ExpectedVersion;
pub use ids::{IntegrationId, TenantId};
pub use integrations::client_keys::{
    ClientKeyRecord, ClientKeyState, ClientKeys, JwksId, PublicJwk,
};
pub use integrations::credentials::{
    ClientSecret, CredentialsKind, CredentialsState, NewCredentials, StoredCredentials,
};
pub use integrations::finding_reason::FindingReason;
pub use integrations::okta_domain::OktaDomain;
pub use integrations::prerequisites::{Attestation, Finding, Outcome, PrerequisiteKind};
pub use integrations::{Engine, Integration, IntegrationRecord, Org, Status, StatusReason};
pub use jobs::{ClaimedJob, Job, JobKind};
pub use mirror::budgets::{BudgetClaim, RateBucket, RateShare};
pub use mirror::okta_devices::{OktaDevice, OktaDeviceUser};
pub use mirror::records::{MirrorRecord, Reading, Source};
pub use mirror::syncs::{MirrorRow, ReadPage, RereadReason, Sync, SyncError, SyncState};
pub use pages::{Page, PageRequest};
pub use platforms::{Platform, PlatformState};
pub use scope::{Actor, Caller, Scope, ScopeMissing};
