//! Validates a device report. All invalid fields are reported at once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::devices::reports::{
    Certificate, CheckIn, Delivery, Enrollment, EnrollmentState, LostMode, OktaVerify,
};
use crate::model::{
    DeviceIdentifierError, DeviceReport, IntegrationId, OktaDeviceId, Platform, SerialNumber, Udid,
};
use crate::service::FieldError;

/// The most integrations that each group of a report can name.
const MAX_INTEGRATIONS: usize = 20;
/// The longest certificate serial number, in hexadecimal digits. RFC 5280 allows 20 bytes; some
/// certificate authorities issue longer ones.
const MAX_CERTIFICATE_SERIAL_LEN: usize = 64;

/// A report as the MDM sends it. Outer `None`: the field is absent. Inner `None`: it is `null`.
#[derive(Debug, Clone)]
pub struct ReportFields {
    /// Required in a batch; otherwise it may repeat the serial number of the path.
    pub serial_number: Option<String>,
    pub platform: Platform,
    pub udid: Option<Option<String>>,
    pub okta_device_id: Option<Option<String>>,
    pub reported_at: Option<DateTime<Utc>>,
    pub enrollment: Option<Enrollment>,
    pub okta_verify: Option<Option<OktaVerify>>,
    pub check_in: Option<Option<CheckIn>>,
    pub lost_mode: Option<Option<LostMode>>,
    pub deliveries: BTreeMap<IntegrationId, Option<Delivery>>,
    pub certificates: BTreeMap<IntegrationId, Option<Certificate>>,
}

/// The times that can be stored, in Unix seconds: the years 1970 to 9999. PostgreSQL and the JSON
/// parsers of other systems do not agree on times outside of them.
const VALID_TIMES: std::ops::RangeInclusive<i64> = 0..=253_402_300_799;

/// Collects the errors of a request's fields.
pub(in crate::service) struct FieldCheck {
    root: String,
    errors: Vec<FieldError>,
}

impl FieldCheck {
    /// `root` is the JSON pointer that precedes the pointers of all errors.
    pub(in crate::service) fn new(root: &str) -> Self {
        Self { root: root.to_owned(), errors: Vec::new() }
    }

    /// Records an error.
    pub(in crate::service) fn refuse(
        &mut self,
        pointer: &str,
        code: &str,
        detail: impl Into<String>,
    ) {
        self.errors.push(FieldError::new(&format!("{}{pointer}", self.root), code, detail));
    }

    /// Returns a parsed identifier; records an error for a malformed one.
    pub(in crate::service) fn check_identifier<T>(
        &mut self,
        pointer: &str,
        parsed: Result<T, DeviceIdentifierError>,
        form: &str,
    ) -> Option<T> {
        parsed.map_err(|error| self.refuse(pointer, error.code(), error.detail(form))).ok()
    }

    /// Returns the time in PostgreSQL's precision of a microsecond, so that equal times stay equal. A leap
    /// second becomes the first second of the next minute.
    pub(in crate::service) fn check_time(
        &mut self,
        pointer: &str,
        time: DateTime<Utc>,
    ) -> DateTime<Utc> {
        let stored = DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or_default();
        if !VALID_TIMES.contains(&time.timestamp()) || !VALID_TIMES.contains(&stored.timestamp()) {
            let detail = "Send a time between 1970-01-01T00:00:00Z and 9999-12-31T23:59:59Z.";
            self.refuse(pointer, "out_of_range", detail);
        }
        stored
    }

    /// Returns `value` if no error was recorded.
    ///
    /// # Errors
    /// The recorded errors.
    pub(in crate::service) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(self.errors),
        }
    }

    fn check_enrollment(&mut self, sent: &Enrollment) -> Enrollment {
        if sent.continues && sent.state != EnrollmentState::Enrolled {
            let detail =
                "Only an enrolled device can continue its enrollment. Leave this field out.";
            self.refuse("/enrollment/continues", "invalid", detail);
        }
        Enrollment {
            state: sent.state,
            enrolled_at: sent.enrolled_at.map(|at| self.check_time("/enrollment/enrolled_at", at)),
            ended_at: sent.ended_at.map(|at| self.check_time("/enrollment/ended_at", at)),
            continues: sent.continues,
            reported_at: self.check_time("/enrollment/reported_at", sent.reported_at),
            sent_at: None,
        }
    }

    fn check_okta_verify(&mut self, sent: &OktaVerify) -> OktaVerify {
        OktaVerify {
            installed_at: self.check_time("/okta_verify/installed_at", sent.installed_at),
            reported_at: self.check_time("/okta_verify/reported_at", sent.reported_at),
        }
    }

    fn check_last_check_in(&mut self, sent: &CheckIn) -> CheckIn {
        CheckIn {
            last_seen_at: self.check_time("/check_in/last_seen_at", sent.last_seen_at),
            reported_at: self.check_time("/check_in/reported_at", sent.reported_at),
        }
    }

    fn check_lost_mode(&mut self, sent: &LostMode) -> LostMode {
        LostMode {
            enabled: sent.enabled,
            reported_at: self.check_time("/lost_mode/reported_at", sent.reported_at),
        }
    }

    fn check_delivery(&mut self, id: IntegrationId, sent: &Delivery) -> Delivery {
        let pointer = format!("/deliveries/{id}");
        if sent.config_version < 1 {
            let detail = "Versions start at 1: send the config_version of the deployment.";
            self.refuse(&format!("{pointer}/config_version"), "out_of_range", detail);
        }
        Delivery {
            config_version: sent.config_version,
            delivered_at: self.check_time(&format!("{pointer}/delivered_at"), sent.delivered_at),
            reported_at: self.check_time(&format!("{pointer}/reported_at"), sent.reported_at),
        }
    }

    fn check_certificate(&mut self, id: IntegrationId, sent: &Certificate) -> Certificate {
        let pointer = format!("/certificates/{id}");
        let serial_number = sent.serial_number.replace(':', "").to_ascii_uppercase();
        let length = serial_number.len();
        let code = match length {
            0 => Some("empty"),
            _ if length > MAX_CERTIFICATE_SERIAL_LEN => Some("too_long"),
            _ if !serial_number.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Some("invalid_characters")
            }
            _ => None,
        };
        if let Some(code) = code {
            let detail = "Send the serial number of the certificate as 1 to 64 hexadecimal digits.";
            self.refuse(&format!("{pointer}/serial_number"), code, detail);
        }
        let not_before = self.check_time(&format!("{pointer}/not_before"), sent.not_before);
        let not_after = self.check_time(&format!("{pointer}/not_after"), sent.not_after);
        if not_after <= not_before {
            let detail = "Send a not_after that is later than not_before.";
            self.refuse(&format!("{pointer}/not_after"), "out_of_range", detail);
        }
        let reported_at = self.check_time(&format!("{pointer}/reported_at"), sent.reported_at);
        Certificate { serial_number, not_before, not_after, reported_at }
    }
}

impl ReportFields {
    /// Returns the report if all fields are valid. `serial_number` is that of the path, if any.
    ///
    /// # Errors
    /// Every invalid field, with its JSON pointer below `root`.
    pub(in crate::service) fn check(
        self,
        serial_number: Option<&SerialNumber>,
        root: &str,
    ) -> Result<DeviceReport, Vec<FieldError>> {
        let mut check = FieldCheck::new(root);
        let serial_number = check_serial_number(&mut check, serial_number, self.serial_number);
        for (group, named) in
            [("/deliveries", self.deliveries.len()), ("/certificates", self.certificates.len())]
        {
            if named > MAX_INTEGRATIONS {
                let detail = format!("Name at most {MAX_INTEGRATIONS} integrations in one report.");
                check.refuse(group, "too_many", detail);
            }
        }
        let mut parse_udid = |text: &String| {
            check.check_identifier("/udid", Udid::parse(text), Udid::FORMAT).map(Some)
        };
        let udid = self.udid.map(|text| text.as_ref().map_or(Some(None), &mut parse_udid));
        let mut parse_id = |text: &String| {
            check
                .check_identifier(
                    "/okta_device_id",
                    OktaDeviceId::parse(text),
                    OktaDeviceId::FORMAT,
                )
                .map(Some)
        };
        let okta = self.okta_device_id.map(|text| text.as_ref().map_or(Some(None), &mut parse_id));
        let enrollment = self.enrollment.as_ref().map(|sent| check.check_enrollment(sent));
        let okta_verify =
            self.okta_verify.map(|sent| sent.as_ref().map(|sent| check.check_okta_verify(sent)));
        let check_in =
            self.check_in.map(|sent| sent.as_ref().map(|sent| check.check_last_check_in(sent)));
        let lost_mode =
            self.lost_mode.map(|sent| sent.as_ref().map(|sent| check.check_lost_mode(sent)));
        let deliveries: BTreeMap<_, _> = self
            .deliveries
            .iter()
            .map(|(id, sent)| (*id, sent.as_ref().map(|sent| check.check_delivery(*id, sent))))
            .collect();
        let certificates: BTreeMap<_, _> = self
            .certificates
            .iter()
            .map(|(id, sent)| (*id, sent.as_ref().map(|sent| check.check_certificate(*id, sent))))
            .collect();
        let reported_at = self.reported_at.map(|at| check.check_time("/reported_at", at));
        let report = serial_number.map(|serial_number| DeviceReport {
            serial_number,
            platform: self.platform,
            reported_at,
            // An identifier that could not be parsed is an error, so the report is not returned without it.
            udid: udid.flatten(),
            okta_device_id: okta.flatten(),
            enrollment,
            okta_verify,
            check_in,
            lost_mode,
            deliveries,
            certificates,
        });
        check.finish(report)
    }
}

/// Returns the serial number of the path, which the body may repeat, or that of the body.
fn check_serial_number(
    check: &mut FieldCheck,
    path: Option<&SerialNumber>,
    body: Option<String>,
) -> Option<SerialNumber> {
    let sent = body.map(|text| {
        check.check_identifier("/serial_number", SerialNumber::parse(&text), SerialNumber::FORMAT)
    });
    match (path, sent) {
        (Some(path), None) => Some(path.clone()),
        (Some(path), Some(Some(sent))) if sent != *path => {
            let detail = "This serial number differs from the one in the path. Leave it out.";
            check.refuse("/serial_number", "mismatch", detail);
            None
        }
        (_, Some(sent)) => sent,
        (None, None) => {
            check.refuse("/serial_number", "missing", "This field is required.");
            None
        }
    }
}
