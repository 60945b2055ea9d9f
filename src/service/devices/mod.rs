//! The device inventory: the MDM reports its devices, what was delivered to them, and what it observed
//! on them. Reports may arrive late, twice and out of order; the newest observation wins.

mod reconcile;
mod report_fields;

pub use reconcile::{MAX_SERIALS, SnapshotPage};
pub use report_fields::ReportFields;

use chrono::{DateTime, Utc};

use self::report_fields::FieldCheck;
use crate::model::devices::merge::DeletionResult;
use crate::model::devices::records::ListedDevice;
use crate::model::devices::reports::Configuration;
use crate::model::{
    Caller, DeviceRecord, DeviceReport, IntegrationId, Page, PageRequest, ReportRefusal, Scope,
    SerialNumber,
};
use crate::service::{DeviceError, Error, FieldError, Service};
use crate::store::{DeviceFilter, ReportOutcome, StoreError};

/// The most reports in one batch.
pub const MAX_REPORTS: usize = 1_000;

/// The filter of a device list, as the caller sent it.
#[derive(Debug, Clone, Default)]
pub struct DeviceQuery {
    pub integration_id: Option<IntegrationId>,
    pub configuration: Option<String>,
    pub certificate_expires_before: Option<String>,
}

/// The result of a deletion.
#[derive(Debug)]
pub struct DeviceDeletion {
    /// Normalized.
    pub serial_number: SerialNumber,
    pub result: DeletionResult,
    /// True if the time was ahead of this service's clock, and the time of receipt was stored.
    pub stored_as_of_receipt: bool,
}

impl Service {
    /// Merges one report.
    ///
    /// # Errors
    /// `Invalid`, `Device`, `ChangedMeanwhile`.
    pub async fn update_device(
        &self,
        caller: &Caller,
        serial_number: &str,
        fields: ReportFields,
    ) -> Result<ReportOutcome, Error> {
        self.require(caller, Scope::OdtInventory).await?;
        let serial_number = parse_serial(serial_number)?;
        let report = fields.check(Some(&serial_number), "").map_err(Error::Invalid)?;
        let outcomes = self.store.update_devices(&caller.tenant, vec![report]).await?;
        // The store returns one outcome per report.
        let outcome = outcomes.into_iter().next().ok_or(DeviceError::NotFound(serial_number))?;
        outcome.map_err(|refusal| refusal_error(refusal, ""))
    }

    /// Merges up to 1,000 reports, in their order. Each is accepted or refused on its own. `sent` holds
    /// an error for a report that could not be parsed.
    ///
    /// # Errors
    /// `Invalid` for no reports or too many, `ChangedMeanwhile`.
    pub async fn update_devices(
        &self,
        caller: &Caller,
        sent: Vec<Result<ReportFields, FieldError>>,
    ) -> Result<Vec<Result<ReportOutcome, Error>>, Error> {
        self.require(caller, Scope::OdtInventory).await?;
        let refusal = match sent.len() {
            0 => Some(("empty", "Send at least one report.")),
            1..=MAX_REPORTS => None,
            _ => Some(("too_many", "Send at most 1,000 reports; send the rest in another batch.")),
        };
        if let Some((code, detail)) = refusal {
            return Err(Error::Invalid(vec![FieldError::new("/devices", code, detail)]));
        }
        let checked = sent.into_iter().enumerate().map(|(index, fields)| {
            let fields = fields.map_err(|error| vec![error])?;
            fields.check(None, &report_pointer(index))
        });
        let checked: Vec<Result<DeviceReport, Vec<FieldError>>> = checked.collect();
        let reports: Vec<DeviceReport> =
            checked.iter().filter_map(|checked| checked.as_ref().ok().cloned()).collect();
        let mut merged = self.store.update_devices(&caller.tenant, reports).await?.into_iter();
        let results = checked.into_iter().enumerate().map(|(index, checked)| {
            if let Err(errors) = checked {
                return Some(Err(Error::Invalid(errors)));
            }
            let refused = |refusal| refusal_error(refusal, &report_pointer(index));
            merged.next().map(|outcome| outcome.map_err(refused))
        });
        Ok(results.flatten().collect())
    }

    /// Returns a device.
    ///
    /// # Errors
    /// `Invalid` for a malformed serial number, `Device`.
    pub async fn get_device(
        &self,
        caller: &Caller,
        serial_number: &str,
    ) -> Result<DeviceRecord, Error> {
        self.require(caller, Scope::OdtInventory).await?;
        let serial_number = parse_serial(serial_number)?;
        let found = self.store.get_device(&caller.tenant, serial_number.clone()).await;
        found.map_err(|error| match error {
            StoreError::NotFound => DeviceError::NotFound(serial_number).into(),
            other => other.into(),
        })
    }

    /// Deletes a device. Its tombstone keeps late reports from bringing it back.
    ///
    /// # Errors
    /// `Invalid`.
    pub async fn delete_device(
        &self,
        caller: &Caller,
        serial_number: &str,
        reported_at: Option<&str>,
    ) -> Result<DeviceDeletion, Error> {
        self.require(caller, Scope::OdtInventory).await?;
        let serial_number = parse_serial(serial_number)?;
        let mut check = FieldCheck::new("/query");
        let at = reported_at.and_then(|text| parse_time(&mut check, "/reported_at", text));
        check.finish(Some(())).map_err(Error::Invalid)?;
        let (result, stored_as_of_receipt) =
            self.store.delete_device(&caller.tenant, serial_number.clone(), at).await?;
        Ok(DeviceDeletion { serial_number, result, stored_as_of_receipt })
    }

    /// Lists the devices that are not deleted. With an integration: the enrolled devices of its platforms.
    ///
    /// # Errors
    /// `Invalid`, `IntegrationNotFound`.
    pub async fn list_devices(
        &self,
        caller: &Caller,
        query: DeviceQuery,
        page: PageRequest<String>,
    ) -> Result<Page<ListedDevice, String>, Error> {
        self.require(caller, Scope::OdtInventory).await?;
        let id = query.integration_id;
        let filter = check_query(&query).map_err(Error::Invalid)?;
        let listed = self.store.list_devices(&caller.tenant, filter, page).await;
        listed.map_err(|error| match id {
            Some(id) => Error::for_integration(id)(error),
            None => error.into(),
        })
    }
}

/// The JSON pointer of a report in the body of a batch.
fn report_pointer(index: usize) -> String {
    format!("/devices/{index}")
}

fn parse_serial(text: &str) -> Result<SerialNumber, Error> {
    let mut check = FieldCheck::new("/path");
    let parsed =
        check.check_identifier("/serial_number", SerialNumber::parse(text), SerialNumber::FORMAT);
    check.finish(parsed).map_err(Error::Invalid)
}

fn parse_time(check: &mut FieldCheck, pointer: &str, text: &str) -> Option<DateTime<Utc>> {
    // In a query string, an unencoded plus sign arrives as a space.
    let parsed = text.replace(' ', "+").parse::<DateTime<Utc>>();
    if parsed.is_err() {
        check.refuse(pointer, "invalid", "Send a time such as 2026-01-31T12:00:00Z.");
    }
    parsed.ok().map(|at| check.check_time(pointer, at))
}

fn check_query(query: &DeviceQuery) -> Result<DeviceFilter, Vec<FieldError>> {
    let mut check = FieldCheck::new("/query");
    let (configuration, expires) = (&query.configuration, &query.certificate_expires_before);
    if query.integration_id.is_none() && (configuration.is_some() || expires.is_some()) {
        let detail = "Send integration_id: configuration and certificate_expires_before filter by one integration.";
        check.refuse("/integration_id", "missing", detail);
    }
    let parsed = configuration.as_deref().map(|text| text.parse::<Configuration>().ok());
    if parsed == Some(None) {
        check.refuse("/configuration", "invalid", "Send outdated, current or none.");
    }
    let certificate_expires_before = expires
        .as_deref()
        .and_then(|text| parse_time(&mut check, "/certificate_expires_before", text));
    check.finish(Some(DeviceFilter {
        integration: query.integration_id,
        configuration: parsed.flatten(),
        certificate_expires_before,
    }))
}

/// Returns the error for a refused report. `root` is the JSON pointer of the report in the body.
fn refusal_error(refusal: ReportRefusal, root: &str) -> Error {
    let invalid = |pointer: String, code: &str, detail: &str| {
        Error::Invalid(vec![FieldError::new(&format!("{root}{pointer}"), code, detail)])
    };
    match refusal {
        ReportRefusal::EnrollmentNeeded => invalid(
            "/enrollment".to_owned(),
            "missing",
            "The device is unknown or deleted. Send enrollment with its state and time.",
        ),
        ReportRefusal::UnknownIntegration { group, id } => invalid(
            format!("/{group}/{id}"),
            "unknown_integration",
            "There is no such integration in this tenant. List the integrations with GET /integrations/okta-device-trust.",
        ),
        ReportRefusal::PlatformMismatch { known } => DeviceError::PlatformMismatch { known }.into(),
        ReportRefusal::Ahead(pointers) => {
            let detail = "This time is more than 5 minutes ahead of this service's clock. Correct the clock of the sender.";
            let error = |pointer: &String| {
                FieldError::new(&format!("{root}{pointer}"), "reported_in_the_future", detail)
            };
            Error::Invalid(pointers.iter().map(error).collect())
        }
    }
}
