//! Trust queries: parses and normalizes their identifiers, and collects the errors.

use chrono::TimeDelta;

use crate::model::trust_status::{AskedDevice, Reason, Trust, Verdict};
use crate::model::{DeviceIdentifierError, IntegrationId, OktaDeviceId, SerialNumber, Udid};
use crate::service::{Error, FieldError};

/// The most devices in one query.
pub const MAX_QUERIED_DEVICES: usize = 1_000;
/// The most errors in one answer.
const MAX_ERRORS: usize = 50;

/// Which org a trust query is about, and how old its facts may be.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrustQuestion {
    /// Required if the tenant has several.
    pub integration: Option<IntegrationId>,
    /// Facts older than this give `unknown`.
    pub max_age: Option<TimeDelta>,
}

/// The identifiers of a device as the caller sent them; at least one is required.
#[derive(Debug, Clone, Default)]
pub struct IdentifierFields {
    pub serial_number: Option<String>,
    pub udid: Option<String>,
    pub okta_device_id: Option<String>,
}

/// Filters the list of devices with their verdicts.
#[derive(Debug, Clone, Default)]
pub struct TrustFilter {
    pub trust: Option<Trust>,
    /// Matches deciding reasons and notes.
    pub reason: Option<Reason>,
    pub udid: Option<String>,
    pub okta_device_id: Option<String>,
}

impl TrustFilter {
    pub(in crate::service) fn matches(&self, verdict: &Verdict) -> bool {
        self.trust.is_none_or(|trust| trust == verdict.trust)
            && self.reason.is_none_or(|reason| verdict.reasons.contains(&reason))
    }

    pub(in crate::service) fn matches_all(&self) -> bool {
        self.trust.is_none() && self.reason.is_none()
    }

    /// Returns the device that the filter names by an identifier, or `None` without one.
    ///
    /// # Errors
    /// `Invalid` for a malformed identifier.
    pub(in crate::service) fn parse_device(&self) -> Result<Option<AskedDevice>, Error> {
        if self.udid.is_none() && self.okta_device_id.is_none() {
            return Ok(None);
        }
        let fields = IdentifierFields {
            serial_number: None,
            udid: self.udid.clone(),
            okta_device_id: self.okta_device_id.clone(),
        };
        let mut errors = Vec::new();
        let asked = parse_fields(&fields, "/query", &mut errors);
        if errors.is_empty() { Ok(Some(asked)) } else { Err(Error::Invalid(errors)) }
    }
}

/// Parses the serial number of a path.
///
/// # Errors
/// `Invalid` for a malformed serial number.
pub(in crate::service) fn parse_serial_number(text: &str) -> Result<AskedDevice, Error> {
    let fields =
        IdentifierFields { serial_number: Some(text.to_owned()), ..IdentifierFields::default() };
    let mut errors = Vec::new();
    let asked = parse_fields(&fields, "/path", &mut errors);
    if errors.is_empty() { Ok(asked) } else { Err(Error::Invalid(errors)) }
}

/// Parses the devices of a query, in their order.
///
/// # Errors
/// `Invalid` for no devices, too many, or a malformed identifier.
pub(in crate::service) fn parse_devices(
    devices: &[IdentifierFields],
) -> Result<Vec<AskedDevice>, Error> {
    if !(1..=MAX_QUERIED_DEVICES).contains(&devices.len()) {
        let error = FieldError::new("/devices", "out_of_range", "Send 1 to 1,000 devices.");
        return Err(Error::Invalid(vec![error]));
    }
    let mut errors = Vec::new();
    let mut asked = Vec::with_capacity(devices.len());
    for (index, fields) in devices.iter().enumerate() {
        let pointer = format!("/devices/{index}");
        let device = parse_fields(fields, &pointer, &mut errors);
        if fields_are_absent(fields) {
            errors.push(FieldError::new(
                &pointer,
                "missing",
                "Send at least one of serial_number, udid and okta_device_id.",
            ));
        }
        asked.push(device);
    }
    errors.truncate(MAX_ERRORS);
    if errors.is_empty() { Ok(asked) } else { Err(Error::Invalid(errors)) }
}

fn fields_are_absent(fields: &IdentifierFields) -> bool {
    fields.serial_number.is_none() && fields.udid.is_none() && fields.okta_device_id.is_none()
}

fn parse_fields(
    fields: &IdentifierFields,
    pointer: &str,
    errors: &mut Vec<FieldError>,
) -> AskedDevice {
    AskedDevice {
        serial_number: accept_or_record(
            fields.serial_number.as_deref().map(SerialNumber::parse),
            &format!("{pointer}/serial_number"),
            SerialNumber::FORMAT,
            errors,
        ),
        udid: accept_or_record(
            fields.udid.as_deref().map(Udid::parse),
            &format!("{pointer}/udid"),
            Udid::FORMAT,
            errors,
        ),
        okta_device_id: accept_or_record(
            fields.okta_device_id.as_deref().map(OktaDeviceId::parse),
            &format!("{pointer}/okta_device_id"),
            OktaDeviceId::FORMAT,
            errors,
        ),
    }
}

/// Returns a parsed identifier; records an error for a malformed one.
fn accept_or_record<T>(
    parsed: Option<Result<T, DeviceIdentifierError>>,
    pointer: &str,
    form: &str,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    let error = match parsed? {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    errors.push(FieldError::new(pointer, error.code(), error.detail(form)));
    None
}
