//! Integrations: connects an Okta org for a tenant, and updates or deletes the connection.

mod attempts;
pub(in crate::service) mod checklist;
pub(in crate::service) mod client_key_error;
mod client_keys;
mod credentials;
mod findings;
mod org;
pub(in crate::service) mod prerequisites;
mod public_key_reads;
mod public_keys;
mod report;
mod setup;
mod setup_choices;
mod setup_text;

pub use checklist::ChecklistItem;
pub use client_key_error::ClientKeyError;
pub use client_keys::{ClientKeyList, PendingKey};
pub use credentials::{Connected, EnteredCredentials};
pub use report::{Prerequisite, Report};
pub use setup::{Form, Setup, Step, StepState};
pub use setup_choices::{CredentialsChoice, Instruction};
pub use setup_text::{Caution, CopyValue, FormField, Link, StepName};

pub(in crate::service) use attempts::Attempts;
pub(in crate::service) use public_key_reads::PublicKeyReads;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;

use crate::model::integrations::okta_domain::OktaSuffixes;
use findings::engine_finding;
use org::to_org;

use crate::model::{
    Caller, EventKind, ExpectedVersion, IntegrationId, IntegrationRecord, NewEvent, OktaDomain,
    Page, PageRequest, Platform, Scope,
};
use crate::service::{Error, FieldError, Service, with_okta_timeout};
use crate::store::{
    IdempotencyClaim, IdempotencyKey, IntegrationChange, NewIntegration, StoreError,
};
use crate::telemetry::chain_of;

/// The request to create an integration.
#[derive(Debug, Clone)]
pub struct NewIntegrationRequest {
    /// The domain as the admin entered it.
    pub okta_domain: String,
    pub selected_platforms: Vec<Platform>,
}

/// A created or updated integration.
#[derive(Debug)]
pub struct Created {
    pub record: IntegrationRecord,
    /// True if an earlier request with the same `Idempotency-Key` created it.
    pub replayed: bool,
}

/// An update of an integration; absent fields stay.
#[derive(Debug, Clone, Default)]
pub struct IntegrationPatch {
    pub okta_domain: Option<String>,
    pub selected_platforms: Option<Vec<Platform>>,
    /// As the admin pasted them.
    pub additional_sign_in_hosts: Option<Vec<String>>,
}

/// A deleted integration, and what the admin still has to do in Okta.
#[derive(Debug)]
pub struct Deleted {
    pub id: IntegrationId,
    pub checklist: Vec<ChecklistItem>,
}

impl Service {
    /// Discovers the org at a domain and creates an integration for it.
    ///
    /// # Errors
    /// `Invalid` for a malformed domain, `Okta(OrgNotFound)` if there is no org at the domain,
    /// `OrgAlreadyConnected` if the tenant already has an integration for the org.
    pub async fn create_integration(
        &self,
        caller: &Caller,
        request: NewIntegrationRequest,
        idempotency_key: Option<String>,
    ) -> Result<Created, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        require_distinct(&request.selected_platforms)?;
        let domain = OktaDomain::parse(&request.okta_domain, self.okta.suffixes())
            .map_err(Error::from_domain_error)?;
        let Some(key) = idempotency_key else {
            return self.create_claimed(caller, &domain, request, None).await;
        };
        let key = IdempotencyKey { key, body_hash: hash_request(&request) };
        match self.store.claim_idempotency_key(&caller.tenant, key.clone()).await? {
            IdempotencyClaim::Claimed => {}
            IdempotencyClaim::Done(id) => return self.replay(caller, id).await,
            IdempotencyClaim::InFlight => return Err(Error::IdempotencyInFlight),
            IdempotencyClaim::OtherBody => return Err(Error::IdempotencyKeyReused),
        }
        let created = self.create_claimed(caller, &domain, request, Some(key.clone())).await;
        if created.is_err() {
            // Nothing was created, so the caller may retry with the same key.
            let released = self.store.release_idempotency_key(&caller.tenant, key.key).await;
            if let Err(error) = released {
                tracing::warn!(
                    tenant_id = %caller.tenant,
                    error = chain_of(&error),
                    "releasing an Idempotency-Key failed; it will expire"
                );
            }
        }
        created
    }

    async fn create_claimed(
        &self,
        caller: &Caller,
        domain: &OktaDomain,
        request: NewIntegrationRequest,
        key: Option<IdempotencyKey>,
    ) -> Result<Created, Error> {
        let discovered = self.discover_org(domain).await?;
        let org = to_org(&discovered);
        let id = IntegrationId::new();
        let event = NewEvent::by(caller, id, EventKind::IntegrationCreated).with(json!({ "org_id": org.id, "okta_domain": org.canonical_host, "custom_domains": org.custom_hosts }));
        let new = NewIntegration {
            id,
            findings: vec![engine_finding(&org)],
            org,
            dropped_custom_host: discovered.dropped_custom_host,
            selected_platforms: request.selected_platforms,
            created_by: caller.actor.clone(),
            event,
        };
        let record = self.store.create_integration(&caller.tenant, new, key).await?;
        Ok(Created { record, replayed: false })
    }

    async fn replay(&self, caller: &Caller, id: IntegrationId) -> Result<Created, Error> {
        let record =
            self.store.get_integration(&caller.tenant, id).await.map_err(|error| match error {
                StoreError::NotFound => Error::IdempotentResultGone(id),
                other => other.into(),
            })?;
        Ok(Created { record, replayed: true })
    }

    /// Lists the integrations of the tenant.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn list_integrations(
        &self,
        caller: &Caller,
        page: PageRequest,
    ) -> Result<Page<IntegrationRecord>, Error> {
        self.require(caller, Scope::OdtRead).await?;
        Ok(self.store.list_integrations(&caller.tenant, page).await?)
    }

    /// Returns an integration.
    ///
    /// # Errors
    /// `IntegrationNotFound`, also for another tenant's integration.
    pub async fn get_integration(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<IntegrationRecord, Error> {
        self.require(caller, Scope::OdtRead).await?;
        self.load(caller, id).await
    }

    /// Updates the domain, the selected platforms or the additional sign-in hosts, each of which must return
    /// the org's id.
    ///
    /// # Errors
    /// `Invalid`, `OtherOrg` if the integration is connected and the domain belongs to another org, `StaleVersion`,
    /// `IntegrationNotFound`.
    pub async fn update_integration(
        &self,
        caller: &Caller,
        id: IntegrationId,
        patch: IntegrationPatch,
        expected_version: ExpectedVersion,
    ) -> Result<IntegrationRecord, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        require_distinct(patch.selected_platforms.as_deref().unwrap_or_default())?;
        let hosts = patch.additional_sign_in_hosts.as_deref();
        let hosts = hosts.map(|hosts| parse_hosts(hosts, self.okta.suffixes())).transpose()?;
        let before = self.load(caller, id).await?;
        let version = before.integration.version;
        if !expected_version.allows(version) {
            // Do not call Okta for a change that cannot be stored.
            return Err(Error::StaleVersion { current: version });
        }
        let discovered = match &patch.okta_domain {
            Some(pasted) => Some(self.rediscover_org(&before, pasted).await?),
            None => None,
        };
        let org = discovered.as_ref().map(to_org);
        let org_id = org.as_ref().unwrap_or(&before.integration.org).id.clone();
        if let Some(hosts) = &hosts {
            self.check_new_hosts(caller, &before, &org_id, hosts).await?;
        }
        let event = NewEvent::by(caller, id, EventKind::IntegrationUpdated).with(json!({
            "okta_domain": org.as_ref().map(|org| &org.canonical_host),
            "custom_domains": org.as_ref().map(|org| &org.custom_hosts),
            "selected_platforms": patch.selected_platforms,
            "additional_sign_in_hosts": hosts,
        }));
        let change = IntegrationChange {
            findings: org.iter().map(engine_finding).collect(),
            org,
            dropped_custom_host: discovered.and_then(|org| org.dropped_custom_host),
            selected_platforms: patch.selected_platforms,
            additional_sign_in_hosts: hosts,
            org_id,
            expected_version,
            event,
        };
        let changed = self.store.update_integration(&caller.tenant, id, change).await;
        changed.map_err(Error::for_integration(id))
    }

    /// Checks the hosts that are new, or were checked for another org.
    async fn check_new_hosts(
        &self,
        caller: &Caller,
        before: &IntegrationRecord,
        org_id: &str,
        hosts: &[String],
    ) -> Result<(), Error> {
        let stored = &before.integration;
        let known = |host: &String| {
            stored.org.id == org_id && stored.additional_sign_in_hosts.contains(host)
        };
        let new: Vec<(usize, String)> =
            hosts.iter().cloned().enumerate().filter(|(_, host)| !known(host)).collect();
        if new.is_empty() {
            return Ok(());
        }
        self.attempts.claim(&caller.tenant, stored.id)?;
        with_okta_timeout(self.check_sign_in_hosts(org_id, &new)).await
    }

    /// Deletes an integration and its secrets. Does not call Okta.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `StaleVersion`; `ConfirmationRequired` if platforms or devices depend on it
    /// and `confirmed` is false.
    pub async fn delete_integration(
        &self,
        caller: &Caller,
        id: IntegrationId,
        confirmed: bool,
        expected_version: ExpectedVersion,
    ) -> Result<Deleted, Error> {
        self.require(caller, Scope::OdtWrite).await?;
        let event = NewEvent::by(caller, id, EventKind::IntegrationDeleted);
        let before = self.load(caller, id).await?;
        let deleted = self
            .store
            .delete_integration(&caller.tenant, id, !confirmed, expected_version, event)
            .await;
        let record = deleted.map_err(|error| match error {
            StoreError::InUse { devices, platforms } => Error::ConfirmationRequired {
                devices,
                platforms,
                checklist: checklist::for_integration(&before),
            },
            other => Error::for_integration(id)(other),
        })?;
        self.okta.evict_tokens(&caller.tenant, id);
        Ok(Deleted { id, checklist: checklist::for_integration(&record) })
    }

    pub(super) async fn load(
        &self,
        caller: &Caller,
        id: IntegrationId,
    ) -> Result<IntegrationRecord, Error> {
        self.store.get_integration(&caller.tenant, id).await.map_err(Error::for_integration(id))
    }
}

/// Hashes a request, to recognize a repeated one. Leaves out the query and fragment of a pasted URL,
/// which may hold tokens.
fn hash_request(request: &NewIntegrationRequest) -> Vec<u8> {
    let address = request.okta_domain.split(['?', '#']).next();
    let canonical = json!([address, request.selected_platforms]).to_string();
    digest(&SHA256, canonical.as_bytes()).as_ref().to_vec()
}

/// The most additional sign-in hosts: Okta allows an org as many custom domains on request.
const MAX_SIGN_IN_HOSTS: usize = 200;

/// Parses the entered hosts; refuses duplicates.
fn parse_hosts(sent: &[String], suffixes: &OktaSuffixes) -> Result<Vec<String>, Error> {
    const POINTER: &str = "/additional_sign_in_hosts";
    let invalid = |pointer: &str, code: &str, detail: &str| {
        Err(Error::Invalid(vec![FieldError::new(pointer, code, detail)]))
    };
    if sent.len() > MAX_SIGN_IN_HOSTS {
        return invalid(POINTER, "too_long", &format!("Send at most {MAX_SIGN_IN_HOSTS} hosts."));
    }
    let mut hosts: Vec<String> = Vec::new();
    for (index, text) in sent.iter().enumerate() {
        let pointer = format!("{POINTER}/{index}");
        let host = match OktaDomain::parse(text, suffixes) {
            Ok(domain) => domain.host().to_owned(),
            Err(error) => {
                return invalid(
                    &pointer,
                    error.code(),
                    "Enter only a host name, such as login.acme.example.",
                );
            }
        };
        if hosts.contains(&host) {
            return invalid(&pointer, "duplicate", "Name each host only once.");
        }
        hosts.push(host);
    }
    Ok(hosts)
}

/// Refuses a list with a duplicate platform.
fn require_distinct(platforms: &[Platform]) -> Result<(), Error> {
    let mut seen = Vec::new();
    for (index, platform) in platforms.iter().enumerate() {
        if seen.contains(platform) {
            let pointer = format!("/selected_platforms/{index}");
            let detail = "Name each platform only once.";
            return Err(Error::Invalid(vec![FieldError::new(&pointer, "duplicate", detail)]));
        }
        seen.push(*platform);
    }
    Ok(())
}
