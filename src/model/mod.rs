//! The words that all rooms share. Knows no HTTP, no SQL and no Okta wire format.

pub mod budgets;
pub mod credentials;
pub mod device_records;
pub mod device_reports;
pub mod devices;
pub mod event_hooks;
pub mod events;
pub mod ids;
pub mod integrations;
pub mod jobs;
pub mod numbers;
pub mod okta_devices;
pub mod okta_domain;
pub mod pages;
pub mod platforms;
pub mod prerequisites;
pub mod scope;
pub mod syncs;
pub mod trust_status;

pub use budgets::{Budget, RateBucket, RateShare};
pub use credentials::{CredentialsState, NewCredentials, StoredCredentials};
pub use device_records::DeviceRecord;
pub use device_reports::{DeviceReport, ReportRefusal, ReportResults};
pub use devices::{DeviceIdentifierError, OktaDeviceId, SerialNumber, Udid, UserPrincipalName};
pub use event_hooks::{DeviceMention, EventHook, HookId};
pub use events::{Event, EventKind, NewEvent};
pub use ids::{IntegrationId, TenantId};
pub use integrations::{Engine, Integration, IntegrationRecord, Org, Status, StatusReason};
pub use jobs::{Job, JobKind};
pub use okta_devices::{OktaDevice, OktaDeviceUser};
pub use okta_domain::OktaDomain;
pub use pages::{Page, PageRequest};
pub use platforms::{Platform, PlatformState};
pub use prerequisites::{Attestation, Finding, Outcome, PrerequisiteKind};
pub use scope::{Actor, Caller, Scope, ScopeMissing};
pub use syncs::{MirrorRow, ReadPage, Sync, SyncError, SyncState};
