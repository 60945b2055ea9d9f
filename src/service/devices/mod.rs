//! The inventory: the MDM says which devices it has, what they were given and what they hold. Every
//! report may come late, twice or out of order; what was true last stands.

mod reconcile;
mod report_fields;

pub use reconcile::{MAX_SERIALS, SnapshotPage};
pub use report_fields::ReportFields;

use chrono::{DateTime, Utc};

use self::report_fields::Checking;
use crate::model::devices::merge::DeletionResult;
use crate::model::devices::records::ListedDevice;
use crate::model::devices::reports::Configuration;
use crate::model::{
    Caller, DeviceRecord, DeviceReport, IntegrationId, Page, PageRequest, ReportRefusal, Scope,
    SerialNumber,
};
use crate::service::{DeviceError, Error, FieldError, Service};
use crate::store::{DeviceFilter, ReportOutcome, StoreError};

/// Reports in one batch.
pub const MOST_REPORTS: usize = 1_000;

/// What is asked of the list of devices, as it was sent.
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
    /// Whether the reported time was in the future, so that the time of receipt was stored.
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
        // One report has one outcome.
        let outcome = outcomes.into_iter().next().ok_or(DeviceError::NotFound(serial_number))?;
        outcome.map_err(|refusal| of_refusal(refusal, ""))
    }

    /// Merges up to 1,000 reports, in their order; each is taken or refused by itself. A report that
    /// could not even be read comes as what is wrong with it.
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
            0 => Some(("empty", "Send one report at least.")),
            1..=MOST_REPORTS => None,
            _ => Some(("too_many", "1,000 reports at most. Send the rest in further batches.")),
        };
        if let Some((code, detail)) = refusal {
            return Err(Error::Invalid(vec![FieldError::new("/devices", code, detail)]));
        }
        let checked = sent.into_iter().enumerate().map(|(place, fields)| {
            let fields = fields.map_err(|error| vec![error])?;
            fields.check(None, &root_of(place))
        });
        let checked: Vec<Result<DeviceReport, Vec<FieldError>>> = checked.collect();
        let reports: Vec<DeviceReport> =
            checked.iter().filter_map(|checked| checked.as_ref().ok().cloned()).collect();
        let mut merged = self.store.update_devices(&caller.tenant, reports).await?.into_iter();
        let answers = checked.into_iter().enumerate().map(|(place, checked)| {
            if let Err(errors) = checked {
                return Some(Err(Error::Invalid(errors)));
            }
            let refused = |refusal| of_refusal(refusal, &root_of(place));
            merged.next().map(|outcome| outcome.map_err(refused))
        });
        Ok(answers.flatten().collect())
    }

    /// Reads a device.
    ///
    /// # Errors
    /// `Invalid` for what is no serial number, `Device`.
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

    /// Deletes a device; its tombstone keeps late reports from bringing it back.
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
        let mut checking = Checking::new("/query");
        let at = reported_at.and_then(|text| parse_time(&mut checking, "/reported_at", text));
        checking.done(Some(())).map_err(Error::Invalid)?;
        let (result, stored_as_of_receipt) =
            self.store.delete_device(&caller.tenant, serial_number.clone(), at).await?;
        Ok(DeviceDeletion { serial_number, result, stored_as_of_receipt })
    }

    /// Living devices; with an integration, the enrolled ones that it is meant for.
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
            Some(id) => Error::of_integration(id)(error),
            None => error.into(),
        })
    }
}

fn root_of(place: usize) -> String {
    format!("/devices/{place}")
}

fn parse_serial(text: &str) -> Result<SerialNumber, Error> {
    let mut checking = Checking::new("/path");
    let parsed =
        checking.identifier("/serial_number", SerialNumber::parse(text), SerialNumber::FORMAT);
    checking.done(parsed).map_err(Error::Invalid)
}

fn parse_time(checking: &mut Checking, pointer: &str, text: &str) -> Option<DateTime<Utc>> {
    // A plus sign that was not percent-encoded arrives as a blank.
    let parsed = text.replace(' ', "+").parse::<DateTime<Utc>>();
    if parsed.is_err() {
        checking.refuse(pointer, "invalid", "Send a time such as 2026-01-31T12:00:00Z.");
    }
    parsed.ok().map(|at| checking.time(pointer, at))
}

fn check_query(query: &DeviceQuery) -> Result<DeviceFilter, Vec<FieldError>> {
    let mut checking = Checking::new("/query");
    let (configuration, ends) = (&query.configuration, &query.certificate_expires_before);
    if query.integration_id.is_none() && (configuration.is_some() || ends.is_some()) {
        let detail = "Name the integration that configuration and certificate_expires_before are asked about.";
        checking.refuse("/integration_id", "missing", detail);
    }
    let parsed = configuration.as_deref().map(|word| word.parse::<Configuration>().ok());
    if parsed == Some(None) {
        checking.refuse("/configuration", "invalid", "Send outdated, current or none.");
    }
    let certificate_expires_before = ends
        .as_deref()
        .and_then(|text| parse_time(&mut checking, "/certificate_expires_before", text));
    checking.done(Some(DeviceFilter {
        integration: query.integration_id,
        configuration: parsed.flatten(),
        certificate_expires_before,
    }))
}

/// `root` is the place of the report in the body.
fn of_refusal(refusal: ReportRefusal, root: &str) -> Error {
    let invalid = |pointer: String, code: &str, detail: &str| {
        Error::Invalid(vec![FieldError::new(&format!("{root}{pointer}"), code, detail)])
    };
    match refusal {
        ReportRefusal::EnrollmentNeeded => invalid(
            "/enrollment".to_owned(),
            "missing",
            "The device is not known, or was deleted: say with enrollment that it is enrolled, and when.",
        ),
        ReportRefusal::UnknownIntegration { group, id } => invalid(
            format!("/{group}/{id}"),
            "unknown_integration",
            "No such integration in this tenant. List them with GET /integrations/okta-device-trust.",
        ),
        ReportRefusal::PlatformMismatch { known } => DeviceError::PlatformMismatch { known }.into(),
        ReportRefusal::Ahead(pointers) => {
            let detail = "This is more than 5 minutes ahead of our clock. Set the clock of the sender right.";
            let error = |pointer: &String| {
                FieldError::new(&format!("{root}{pointer}"), "reported_in_the_future", detail)
            };
            Error::Invalid(pointers.iter().map(error).collect())
        }
    }
}
