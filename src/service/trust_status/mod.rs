//! Trust status: facts come from the mirror, and the verdict is derived from them. Okta is called only
//! for a query about a single device whose facts are too old for the caller, never for a bulk query.

mod choice;
mod facts;
mod questions;
mod single_device;
mod summary;

pub use choice::IntegrationChoice;
pub use facts::TrustStatus;
pub use questions::{IdentifierFields, MAX_QUERIED_DEVICES, TrustFilter, TrustQuestion};
pub use summary::{CertificateCounts, TrustSummary};

use crate::model::trust_status::{AskedDevice, Facts, decide};
use crate::model::{Caller, IntegrationId, Page, PageRequest, Scope, SerialNumber, TenantId};
use crate::service::trust_status::questions::{parse_devices, parse_serial_number};
use crate::service::{Error, Service};
use crate::store::StoreError;

/// Devices whose facts are read in one query when the whole inventory is scanned.
pub(super) const BATCH_SIZE: usize = 2500;
/// The most devices that one request for a page of a filtered list scans. A page may therefore be
/// short and still have a cursor.
const MAX_SCANNED: usize = 5000;

impl Service {
    /// Returns the trust status of one device. If the facts are older than the caller's `max_age`, the
    /// device is read from Okta first, as far as the rate budget allows.
    ///
    /// # Errors
    /// `Invalid` for a malformed serial number, `IntegrationNotFound`, `IntegrationAmbiguous`.
    pub async fn get_trust_status(
        &self,
        caller: &Caller,
        serial_number: &str,
        question: TrustQuestion,
    ) -> Result<TrustStatus, Error> {
        self.require(caller, Scope::TrustRead).await?;
        let asked = parse_serial_number(serial_number)?;
        self.decide_single_device(&caller.tenant, question, asked).await
    }

    /// Returns the trust status of up to 1,000 devices, in the order of the request. A query for a single
    /// device may read it from Okta, as [`get_trust_status`](Self::get_trust_status) does.
    ///
    /// # Errors
    /// `Invalid` for no devices, too many, or a malformed identifier; `IntegrationNotFound`,
    /// `IntegrationAmbiguous`.
    pub async fn query_trust_status(
        &self,
        caller: &Caller,
        devices: Vec<IdentifierFields>,
        question: TrustQuestion,
    ) -> Result<Vec<TrustStatus>, Error> {
        self.require(caller, Scope::TrustRead).await?;
        let mut asked = parse_devices(&devices)?;
        if asked.len() == 1
            && let Some(asked) = asked.pop()
        {
            return Ok(vec![self.decide_single_device(&caller.tenant, question, asked).await?]);
        }
        self.decide_from_mirror(&caller.tenant, question, asked).await
    }

    /// Lists the devices of the inventory with their verdicts, by serial number. A page may hold fewer
    /// items than its limit and still have a cursor.
    ///
    /// # Errors
    /// `Invalid` for a malformed identifier in the filter, `IntegrationNotFound`, `IntegrationAmbiguous`.
    pub async fn list_trust_status(
        &self,
        caller: &Caller,
        filter: TrustFilter,
        integration: Option<IntegrationId>,
        page: PageRequest<String>,
    ) -> Result<Page<TrustStatus, String>, Error> {
        self.require(caller, Scope::TrustRead).await?;
        let question = TrustQuestion { integration, max_age: None };
        if let Some(asked) = filter.parse_device()? {
            let found = self.decide_from_mirror(&caller.tenant, question, vec![asked]).await?;
            let after = page.after.unwrap_or_default();
            let is_listed = |status: &TrustStatus| {
                let device = status.facts.device.as_ref();
                device.is_some_and(|device| {
                    !device.is_deleted() && device.serial_number.as_str() > after.as_str()
                }) && filter.matches(&status.verdict)
            };
            return Ok(Page { items: found.into_iter().filter(is_listed).collect(), next: None });
        }
        self.scan(&caller.tenant, &filter, question, page).await
    }

    /// Counts the devices of the inventory by trust and by reason.
    ///
    /// # Errors
    /// `IntegrationNotFound`, `IntegrationAmbiguous`.
    pub async fn get_trust_summary(
        &self,
        caller: &Caller,
        integration: Option<IntegrationId>,
    ) -> Result<TrustSummary, Error> {
        self.require(caller, Scope::TrustRead).await?;
        let question = TrustQuestion { integration, max_age: None };
        // Also with an empty inventory: an unknown integration must be an error.
        let known = self.find_facts(&caller.tenant, question, Vec::new()).await?;
        let now = known.now;
        let mut summary = TrustSummary::new(known.orgs.first().map(AsRef::as_ref));
        let mut after = None;
        loop {
            let batch = self.list_inventory_after(&caller.tenant, after, BATCH_SIZE).await?;
            after = last_serial(&batch);
            if after.is_none() {
                break;
            }
            let decided = self.decide_from_mirror(&caller.tenant, question, batch).await?;
            for status in &decided {
                summary.count(&status.facts, &status.verdict, now);
            }
        }
        Ok(summary.finish(&self.policy(None), now))
    }

    async fn scan(
        &self,
        tenant: &TenantId,
        filter: &TrustFilter,
        question: TrustQuestion,
        page: PageRequest<String>,
    ) -> Result<Page<TrustStatus, String>, Error> {
        let limit = usize::try_from(page.limit).unwrap_or(1);
        let batch_size = if filter.matches_all() { limit + 1 } else { BATCH_SIZE };
        let mut after = page.after;
        let mut items = Vec::new();
        let mut scanned = 0;
        // One item more than the page holds shows that there is a next page.
        while items.len() <= limit && scanned < MAX_SCANNED {
            let batch = self.list_inventory_after(tenant, after.clone(), batch_size).await?;
            let size = batch.len();
            let last = last_serial(&batch);
            let decided = self.decide_from_mirror(tenant, question, batch).await?;
            items.extend(decided.into_iter().filter(|status| filter.matches(&status.verdict)));
            scanned += size;
            if size < batch_size {
                after = None;
                break;
            }
            after = last;
        }
        if items.len() > limit {
            items.truncate(limit);
            let last = items.last().and_then(|status: &TrustStatus| status.facts.serial_number());
            after = last.map(ToString::to_string);
        }
        Ok(Page { items, next: after })
    }

    async fn list_inventory_after(
        &self,
        tenant: &TenantId,
        after: Option<String>,
        size: usize,
    ) -> Result<Vec<AskedDevice>, Error> {
        let limit = i64::try_from(size).unwrap_or(i64::MAX);
        let serials = self.store.list_inventory_serials(tenant, after, limit).await?;
        let parse = |serial: String| SerialNumber::parse(&serial).ok().map(ask_by_serial);
        let all: Option<Vec<_>> = serials.into_iter().map(parse).collect();
        all.ok_or_else(|| StoreError::Corrupt("devices.serial_number").into())
    }

    /// Derives verdicts from the mirror. Whether the facts are fresh enough for the caller is decided
    /// only in [`decide`].
    async fn decide_from_mirror(
        &self,
        tenant: &TenantId,
        question: TrustQuestion,
        asked: Vec<AskedDevice>,
    ) -> Result<Vec<TrustStatus>, Error> {
        let known = self.find_facts(tenant, question, asked).await?;
        let policy = self.policy(question.max_age);
        let now = known.now;
        let status = |facts: Facts| TrustStatus {
            verdict: decide(&facts, &policy, now),
            facts,
            decided_at: now,
        };
        Ok(known.devices.into_iter().map(status).collect())
    }
}

fn last_serial(batch: &[AskedDevice]) -> Option<String> {
    batch.last()?.serial_number.as_ref().map(ToString::to_string)
}

fn ask_by_serial(serial_number: SerialNumber) -> AskedDevice {
    AskedDevice { serial_number: Some(serial_number), ..AskedDevice::default() }
}
