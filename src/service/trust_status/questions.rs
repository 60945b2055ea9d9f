//! What is asked about trust, read: identifiers in their one spelling, or what is wrong with them.

use chrono::TimeDelta;

use crate::model::trust_status::{AskedDevice, Reason, Trust, Verdict};
use crate::model::{DeviceIdentifierError, IntegrationId, OktaDeviceId, SerialNumber, Udid};
use crate::service::{Error, FieldError};

/// Devices in one query (contract §6).
const MOST_DEVICES: usize = 1000;
/// Errors that one answer lists: a body of a thousand bad items needs no thousand lines.
const MOST_ERRORS: usize = 50;

/// Which org is meant, and how old the facts may be.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrustQuestion {
    /// Needed where the tenant has several.
    pub integration: Option<IntegrationId>,
    /// Older facts decide nothing for this caller.
    pub max_age: Option<TimeDelta>,
}

/// Identifiers as they were entered: at least one of them.
#[derive(Debug, Clone, Default)]
pub struct IdentifierFields {
    pub serial_number: Option<String>,
    pub udid: Option<String>,
    pub okta_device_id: Option<String>,
}

/// Which devices of the inventory are listed.
#[derive(Debug, Clone, Default)]
pub struct TrustFilter {
    pub trust: Option<Trust>,
    /// Also a note.
    pub reason: Option<Reason>,
    pub udid: Option<String>,
    pub okta_device_id: Option<String>,
}

impl TrustFilter {
    pub(in crate::service) fn admits(&self, verdict: &Verdict) -> bool {
        self.trust.is_none_or(|trust| trust == verdict.trust)
            && self.reason.is_none_or(|reason| verdict.reasons.contains(&reason))
    }

    pub(in crate::service) fn admits_all(&self) -> bool {
        self.trust.is_none() && self.reason.is_none()
    }

    /// The one device that is looked for by an identifier, if any is.
    pub(in crate::service) fn asked(&self) -> Result<Option<AskedDevice>, Error> {
        if self.udid.is_none() && self.okta_device_id.is_none() {
            return Ok(None);
        }
        let fields = IdentifierFields {
            serial_number: None,
            udid: self.udid.clone(),
            okta_device_id: self.okta_device_id.clone(),
        };
        let mut errors = Vec::new();
        let asked = read(&fields, "/query", &mut errors);
        if errors.is_empty() { Ok(Some(asked)) } else { Err(Error::Invalid(errors)) }
    }
}

/// The device with the serial number of a path.
pub(in crate::service) fn one_serial(text: &str) -> Result<AskedDevice, Error> {
    let fields =
        IdentifierFields { serial_number: Some(text.to_owned()), ..IdentifierFields::default() };
    let mut errors = Vec::new();
    let asked = read(&fields, "/path", &mut errors);
    if errors.is_empty() { Ok(asked) } else { Err(Error::Invalid(errors)) }
}

/// The devices of a query, in its order.
pub(in crate::service) fn asked_devices(
    devices: &[IdentifierFields],
) -> Result<Vec<AskedDevice>, Error> {
    if !(1..=MOST_DEVICES).contains(&devices.len()) {
        let error = FieldError::new("/devices", "out_of_range", "1 to 1,000 devices.");
        return Err(Error::Invalid(vec![error]));
    }
    let mut errors = Vec::new();
    let mut asked = Vec::with_capacity(devices.len());
    for (place, fields) in devices.iter().enumerate() {
        let pointer = format!("/devices/{place}");
        let one = read(fields, &pointer, &mut errors);
        if fields_are_absent(fields) {
            errors.push(FieldError::new(
                &pointer,
                "missing",
                "Name the device by serial_number, udid or okta_device_id.",
            ));
        }
        asked.push(one);
    }
    errors.truncate(MOST_ERRORS);
    if errors.is_empty() { Ok(asked) } else { Err(Error::Invalid(errors)) }
}

fn fields_are_absent(fields: &IdentifierFields) -> bool {
    fields.serial_number.is_none() && fields.udid.is_none() && fields.okta_device_id.is_none()
}

fn read(fields: &IdentifierFields, pointer: &str, errors: &mut Vec<FieldError>) -> AskedDevice {
    AskedDevice {
        serial_number: read_one(
            fields.serial_number.as_deref().map(SerialNumber::parse),
            &format!("{pointer}/serial_number"),
            SerialNumber::FORMAT,
            errors,
        ),
        udid: read_one(
            fields.udid.as_deref().map(Udid::parse),
            &format!("{pointer}/udid"),
            Udid::FORMAT,
            errors,
        ),
        okta_device_id: read_one(
            fields.okta_device_id.as_deref().map(OktaDeviceId::parse),
            &format!("{pointer}/okta_device_id"),
            OktaDeviceId::FORMAT,
            errors,
        ),
    }
}

fn read_one<T>(
    parsed: Option<Result<T, DeviceIdentifierError>>,
    pointer: &str,
    form: &str,
    errors: &mut Vec<FieldError>,
) -> Option<T> {
    let error = match parsed? {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    errors.push(FieldError::new(pointer, error.code(), form));
    None
}
