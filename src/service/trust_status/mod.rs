//! Trust status: facts are read from the mirror and the verdict is decided. Okta is asked only about
//! one device whose caller needs it newer; for a bulk query never (contract §6).

mod choice;
mod facts;
mod one_device;
mod questions;
mod summary;

pub use choice::IntegrationChoice;
pub use facts::TrustStatus;
pub use questions::{IdentifierFields, TrustFilter, TrustQuestion};
pub use summary::{CertificateCounts, TrustSummary};

use crate::model::trust_status::{AskedDevice, Facts, decide};
use crate::model::{Caller, IntegrationId, Page, PageRequest, Scope, SerialNumber, TenantId};
use crate::service::trust_status::questions::{asked_devices, one_serial};
use crate::service::{Error, Service};
use crate::store::StoreError;

/// Devices whose facts are read in one round trip, where all of them are gone through.
pub(super) const BATCH: usize = 2500;
/// Devices that one request for a page of a filtered list looks at. A page may be short: the cursor
/// goes on.
const MOST_SCANNED: usize = 5000;

impl Service {
    /// Whether one device is trusted. Where what is known is older than the caller's `max_age`, Okta is
    /// asked, as far as the budget goes.
    ///
    /// # Errors
    /// `Invalid` for what is no serial number, `IntegrationNotFound`, `IntegrationAmbiguous`.
    pub async fn get_trust_status(
        &self,
        caller: &Caller,
        serial_number: &str,
        question: TrustQuestion,
    ) -> Result<TrustStatus, Error> {
        self.require(caller, Scope::TrustRead).await?;
        self.answer_one(&caller.tenant, question, one_serial(serial_number)?).await
    }

    /// Whether each of up to 1,000 devices is trusted, in the order in which they are asked for. A single
    /// device may be read from Okta, as by [`get_trust_status`](Self::get_trust_status).
    ///
    /// # Errors
    /// `Invalid` for no device, too many, or what is no identifier; `IntegrationNotFound`,
    /// `IntegrationAmbiguous`.
    pub async fn query_trust_status(
        &self,
        caller: &Caller,
        devices: Vec<IdentifierFields>,
        question: TrustQuestion,
    ) -> Result<Vec<TrustStatus>, Error> {
        self.require(caller, Scope::TrustRead).await?;
        let mut asked = asked_devices(&devices)?;
        if asked.len() == 1
            && let Some(asked) = asked.pop()
        {
            return Ok(vec![self.answer_one(&caller.tenant, question, asked).await?]);
        }
        self.decide_all(&caller.tenant, question, asked).await
    }

    /// The devices of the inventory with their verdicts, in the order of their serial numbers. A page
    /// may hold fewer than there are while it has a cursor.
    ///
    /// # Errors
    /// `Invalid` for a filter that is no identifier, `IntegrationNotFound`, `IntegrationAmbiguous`.
    pub async fn list_trust_status(
        &self,
        caller: &Caller,
        filter: TrustFilter,
        integration: Option<IntegrationId>,
        page: PageRequest<String>,
    ) -> Result<Page<TrustStatus, String>, Error> {
        self.require(caller, Scope::TrustRead).await?;
        let question = TrustQuestion { integration, max_age: None };
        if let Some(asked) = filter.asked()? {
            let found = self.decide_all(&caller.tenant, question, vec![asked]).await?;
            let after = page.after.unwrap_or_default();
            let is_listed = |status: &TrustStatus| {
                let device = status.facts.device.as_ref();
                device.is_some_and(|device| {
                    !device.is_deleted() && device.serial_number.as_str() > after.as_str()
                }) && filter.admits(&status.verdict)
            };
            return Ok(Page { items: found.into_iter().filter(is_listed).collect(), next: None });
        }
        self.scan(&caller.tenant, &filter, question, page).await
    }

    /// How many devices of the inventory are trusted, and why the others are not.
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
        // Asked also where the inventory is empty: an integration that is not there is told.
        let known = self.find_facts(&caller.tenant, question, Vec::new()).await?;
        let now = known.now;
        let mut summary = TrustSummary::new(known.orgs.first().map(AsRef::as_ref));
        let mut after = None;
        loop {
            let batch = self.inventory_after(&caller.tenant, after, BATCH).await?;
            after = last_serial(&batch);
            if after.is_none() {
                break;
            }
            let decided = self.decide_all(&caller.tenant, question, batch).await?;
            for status in &decided {
                summary.count(&status.facts, &status.verdict, now);
            }
        }
        Ok(summary.ended(&self.policy(None), now))
    }

    async fn scan(
        &self,
        tenant: &TenantId,
        filter: &TrustFilter,
        question: TrustQuestion,
        page: PageRequest<String>,
    ) -> Result<Page<TrustStatus, String>, Error> {
        let limit = usize::try_from(page.limit).unwrap_or(1);
        let batch_size = if filter.admits_all() { limit + 1 } else { BATCH };
        let mut after = page.after;
        let mut items = Vec::new();
        let mut scanned = 0;
        // One more than a page says that there is more.
        while items.len() <= limit && scanned < MOST_SCANNED {
            let batch = self.inventory_after(tenant, after.clone(), batch_size).await?;
            let size = batch.len();
            let last = last_serial(&batch);
            let decided = self.decide_all(tenant, question, batch).await?;
            items.extend(decided.into_iter().filter(|status| filter.admits(&status.verdict)));
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

    async fn inventory_after(
        &self,
        tenant: &TenantId,
        after: Option<String>,
        size: usize,
    ) -> Result<Vec<AskedDevice>, Error> {
        let limit = i64::try_from(size).unwrap_or(i64::MAX);
        let serials = self.store.list_inventory_serials(tenant, after, limit).await?;
        let asked = |serial: String| SerialNumber::parse(&serial).ok().map(by_serial);
        let all: Option<Vec<_>> = serials.into_iter().map(asked).collect();
        all.ok_or_else(|| StoreError::Corrupt("devices.serial_number").into())
    }

    /// The verdicts from the mirror. Whether facts are young enough for the caller is decided in
    /// [`decide`] alone, by [`Policy::bound`].
    async fn decide_all(
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

fn by_serial(serial_number: SerialNumber) -> AskedDevice {
    AskedDevice { serial_number: Some(serial_number), ..AskedDevice::default() }
}
