//! The words that all rooms share. Knows no HTTP, no SQL and no Okta wire format.

pub mod credentials;
pub mod devices;
pub mod events;
pub mod ids;
pub mod integrations;
pub mod okta_domain;
pub mod pages;
pub mod platforms;
pub mod prerequisites;
pub mod scope;

pub use credentials::{CredentialsState, NewCredentials, StoredCredentials};
pub use devices::{DeviceIdentifierError, SerialNumber, Udid, UserPrincipalName};
pub use events::{Event, EventKind, NewEvent};
pub use ids::{IntegrationId, TenantId};
pub use integrations::{Engine, Integration, IntegrationRecord, Org, Status, StatusReason};
pub use okta_domain::OktaDomain;
pub use pages::{Page, PageRequest};
pub use platforms::{Platform, PlatformState};
pub use prerequisites::{Attestation, Finding, Outcome, PrerequisiteKind};
pub use scope::{Actor, Caller, Scope, ScopeMissing};
