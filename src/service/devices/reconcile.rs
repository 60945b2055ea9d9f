//! Comparing the inventory with a snapshot of the whole fleet, which the MDM sends in pages.

use std::collections::BTreeSet;

use crate::model::{Caller, EventKind, NewEvent, Scope, SerialNumber};
use crate::service::devices::report_fields::Checking;
use crate::service::{DeviceError, Error, FieldError, Service};
use crate::store::Snapshot;

/// Serial numbers in one page.
pub const MAX_SERIALS: usize = 1_000;

/// The longest id of a snapshot, in characters.
const MAX_ID_LEN: usize = 128;

/// The share of the enrolled devices, as a divisor, that may be missing without a confirmation.
const UNCONFIRMED_SHARE: i64 = 10;

/// A page of a snapshot, as it was sent.
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
    /// Stores a page of a snapshot. After the last one, the devices that the snapshot does not name and
    /// that were not reported since it began become unenrolled, as of its beginning.
    ///
    /// A request that is interrupted has unenrolled some of them; repeating the last page continues.
    ///
    /// # Errors
    /// `Invalid`, and `Device` for a closed snapshot and for one that needs a confirmation.
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
    let mut checking = Checking::new("");
    let id = &page.snapshot_id;
    if id.is_empty() || id.len() > MAX_ID_LEN || !id.bytes().all(|b| b.is_ascii_graphic()) {
        let detail = "Send 1 to 128 visible ASCII characters without blanks, such as a UUID.";
        checking.refuse("/snapshot_id", "invalid", detail);
    }
    if page.serial_numbers.len() > MAX_SERIALS {
        let detail = "1,000 serial numbers at most. Send the rest in further pages.";
        checking.refuse("/serial_numbers", "too_many", detail);
        return checking.done(None);
    }
    let mut serials = BTreeSet::new();
    for (place, text) in page.serial_numbers.iter().enumerate() {
        let pointer = format!("/serial_numbers/{place}");
        serials.extend(checking.identifier(
            &pointer,
            SerialNumber::parse(text),
            SerialNumber::FORMAT,
        ));
    }
    checking.done(Some(serials))
}
