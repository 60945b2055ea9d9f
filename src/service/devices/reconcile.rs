//! Reconciles the inventory with a snapshot of the whole fleet, which the MDM sends in pages.

use std::collections::BTreeSet;

use crate::model::{Caller, EventKind, NewEvent, Scope, SerialNumber};
use crate::service::devices::report_fields::FieldCheck;
use crate::service::{DeviceError, Error, FieldError, Service};
use crate::store::Snapshot;

/// The most serial numbers in one page.
pub const MAX_SERIALS: usize = 1_000;

/// The longest snapshot id, in characters.
const MAX_ID_LEN: usize = 128;

/// More than one enrolled device in this many may only become unenrolled with a confirmation (10 %).
const UNCONFIRMED_SHARE: i64 = 10;

/// A page of a snapshot, as the MDM sent it.
#[derive(Debug, Clone)]
pub struct SnapshotPage {
    pub snapshot_id: String,
    pub serial_numbers: Vec<String>,
    /// True for the last page.
    pub complete: bool,
    /// True to unenroll any number of missing devices.
    pub confirm: bool,
}

impl Service {
    /// Stores a page of a snapshot. After the last page, devices that the snapshot does not name and that
    /// were not reported since its first page become unenrolled, as of the time of the first page.
    ///
    /// An interrupted request may have unenrolled some of them; repeating the last page continues.
    ///
    /// # Errors
    /// `Invalid`; `Device` for a closed snapshot, and for one that needs a confirmation.
    pub async fn reconcile_devices(
        &self,
        caller: &Caller,
        page: SnapshotPage,
    ) -> Result<Snapshot, Error> {
        self.require(caller, Scope::OdtInventory).await?;
        let serial_numbers = check_page(&page).map_err(Error::Invalid)?;
        let SnapshotPage { snapshot_id: id, complete, confirm, .. } = page;
        let tenant = &caller.tenant;
        let snapshot = self.store.save_snapshot_page(tenant, id.clone(), serial_numbers).await?;
        if !complete || snapshot.completed_at.is_some() {
            return Ok(snapshot);
        }
        if !confirm {
            let counted = self.store.count_missing_devices(tenant, &snapshot).await?;
            if counted.missing.saturating_mul(UNCONFIRMED_SHARE) > counted.fleet {
                let (missing, fleet) = (counted.missing, counted.fleet);
                return Err(DeviceError::ManyMissing { missing, fleet }.into());
            }
        }
        let mut after = Some(String::new());
        while let Some(last) = after {
            after = self.store.unenroll_missing_devices(tenant, id.clone(), last).await?;
        }
        let event = NewEvent::by(caller, None, EventKind::DevicesReconciled);
        Ok(self.store.complete_snapshot(tenant, id, event).await?)
    }
}

fn check_page(page: &SnapshotPage) -> Result<BTreeSet<SerialNumber>, Vec<FieldError>> {
    let mut check = FieldCheck::new("");
    let id = &page.snapshot_id;
    if id.is_empty() || id.len() > MAX_ID_LEN || !id.bytes().all(|b| b.is_ascii_graphic()) {
        let detail = "Send 1 to 128 visible ASCII characters without spaces, such as a UUID.";
        check.refuse("/snapshot_id", "invalid", detail);
    }
    if page.serial_numbers.len() > MAX_SERIALS {
        let detail = "Send at most 1,000 serial numbers; send the rest in further pages.";
        check.refuse("/serial_numbers", "too_many", detail);
        return check.finish(None);
    }
    let mut serials = BTreeSet::new();
    for (index, text) in page.serial_numbers.iter().enumerate() {
        let pointer = format!("/serial_numbers/{index}");
        let parsed = SerialNumber::parse(text);
        serials.extend(check.check_identifier(&pointer, parsed, SerialNumber::FORMAT));
    }
    check.finish(Some(serials))
}
