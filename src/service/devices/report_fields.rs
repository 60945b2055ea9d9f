//! A report as it was sent, checked whole: every field that cannot be accepted is named at once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::devices::reports::{
    Certificate, CheckIn, Delivery, Enrollment, EnrollmentState, LostMode, OktaVerify,
};
use crate::model::{
    DeviceIdentifierError, DeviceReport, IntegrationId, OktaDeviceId, Platform, SerialNumber, Udid,
};
use crate::service::FieldError;

/// Integrations that one report may name in each of its groups.
const MOST_INTEGRATIONS: usize = 20;
/// Hexadecimal digits of a certificate's serial number: RFC 5280 allows 20 bytes, some have more.
const LONGEST_CERTIFICATE_SERIAL: usize = 64;

/// A report as the MDM sends it. In each group the outer `None` is an absent field, the inner one
/// `null`.
#[derive(Debug, Clone)]
pub struct ReportFields {
    /// Needed in a batch; elsewhere it may repeat the path.
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

/// The first and the last time that can be stored, in seconds: the years 1970 to 9999. PostgreSQL and
/// the JSON of other systems read no others.
const TIMES: std::ops::RangeInclusive<i64> = 0..=253_402_300_799;

/// Collects what is wrong, each with its place below `root`.
pub(in crate::service) struct Checking {
    root: String,
    errors: Vec<FieldError>,
}

impl Checking {
    /// `root` is the JSON pointer of the report in the body.
    pub(in crate::service) fn new(root: &str) -> Self {
        Self { root: root.to_owned(), errors: Vec::new() }
    }

    pub(in crate::service) fn refuse(
        &mut self,
        pointer: &str,
        code: &str,
        detail: impl Into<String>,
    ) {
        self.errors.push(FieldError::new(&format!("{}{pointer}", self.root), code, detail));
    }

    pub(in crate::service) fn identifier<T>(
        &mut self,
        pointer: &str,
        parsed: Result<T, DeviceIdentifierError>,
        form: &str,
    ) -> Option<T> {
        parsed.map_err(|error| self.refuse(pointer, error.code(), form)).ok()
    }

    /// The time as PostgreSQL stores it, to the microsecond, so that equal times stay equal. A leap second
    /// is the first second of the next minute.
    pub(in crate::service) fn time(&mut self, pointer: &str, time: DateTime<Utc>) -> DateTime<Utc> {
        let stored = DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or_default();
        if !TIMES.contains(&time.timestamp()) || !TIMES.contains(&stored.timestamp()) {
            let detail = "Send a time between 1970-01-01T00:00:00Z and 9999-12-31T23:59:59Z.";
            self.refuse(pointer, "out_of_range", detail);
        }
        stored
    }

    /// # Errors
    /// What was refused so far.
    pub(in crate::service) fn done<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(self.errors),
        }
    }

    fn enrollment(&mut self, sent: &Enrollment) -> Enrollment {
        if sent.continues && sent.state != EnrollmentState::Enrolled {
            let detail =
                "Only an enrolled device can continue its enrolment. Leave this field out.";
            self.refuse("/enrollment/continues", "invalid", detail);
        }
        Enrollment {
            state: sent.state,
            enrolled_at: sent.enrolled_at.map(|at| self.time("/enrollment/enrolled_at", at)),
            ended_at: sent.ended_at.map(|at| self.time("/enrollment/ended_at", at)),
            continues: sent.continues,
            reported_at: self.time("/enrollment/reported_at", sent.reported_at),
            sent_at: None,
        }
    }

    fn okta_verify(&mut self, sent: &OktaVerify) -> OktaVerify {
        OktaVerify {
            installed_at: self.time("/okta_verify/installed_at", sent.installed_at),
            reported_at: self.time("/okta_verify/reported_at", sent.reported_at),
        }
    }

    fn check_in(&mut self, sent: &CheckIn) -> CheckIn {
        CheckIn {
            last_seen_at: self.time("/check_in/last_seen_at", sent.last_seen_at),
            reported_at: self.time("/check_in/reported_at", sent.reported_at),
        }
    }

    fn lost_mode(&mut self, sent: &LostMode) -> LostMode {
        LostMode {
            enabled: sent.enabled,
            reported_at: self.time("/lost_mode/reported_at", sent.reported_at),
        }
    }

    fn delivery(&mut self, id: IntegrationId, sent: &Delivery) -> Delivery {
        let place = format!("/deliveries/{id}");
        if sent.config_version < 1 {
            let detail = "Versions begin at 1: send config_version of the deployment.";
            self.refuse(&format!("{place}/config_version"), "out_of_range", detail);
        }
        Delivery {
            config_version: sent.config_version,
            delivered_at: self.time(&format!("{place}/delivered_at"), sent.delivered_at),
            reported_at: self.time(&format!("{place}/reported_at"), sent.reported_at),
        }
    }

    fn certificate(&mut self, id: IntegrationId, sent: &Certificate) -> Certificate {
        let place = format!("/certificates/{id}");
        let serial_number = sent.serial_number.replace(':', "").to_ascii_uppercase();
        let length = serial_number.len();
        let code = match length {
            0 => Some("empty"),
            _ if length > LONGEST_CERTIFICATE_SERIAL => Some("too_long"),
            _ if !serial_number.bytes().all(|b| b.is_ascii_hexdigit()) => {
                Some("invalid_characters")
            }
            _ => None,
        };
        if let Some(code) = code {
            let detail = "Send the serial number of the certificate as 1 to 64 hexadecimal digits.";
            self.refuse(&format!("{place}/serial_number"), code, detail);
        }
        let not_before = self.time(&format!("{place}/not_before"), sent.not_before);
        let not_after = self.time(&format!("{place}/not_after"), sent.not_after);
        if not_after <= not_before {
            let detail = "A certificate ends after it begins.";
            self.refuse(&format!("{place}/not_after"), "out_of_range", detail);
        }
        let reported_at = self.time(&format!("{place}/reported_at"), sent.reported_at);
        Certificate { serial_number, not_before, not_after, reported_at }
    }
}

impl ReportFields {
    /// The report, when all of it can be accepted; `serial_number` is that of the path.
    ///
    /// # Errors
    /// Each field that cannot, with its place below `root`.
    pub(in crate::service) fn check(
        self,
        serial_number: Option<&SerialNumber>,
        root: &str,
    ) -> Result<DeviceReport, Vec<FieldError>> {
        let mut checking = Checking::new(root);
        let serial_number = checking_serial(&mut checking, serial_number, self.serial_number);
        for (group, named) in
            [("/deliveries", self.deliveries.len()), ("/certificates", self.certificates.len())]
        {
            if named > MOST_INTEGRATIONS {
                let detail = format!("{MOST_INTEGRATIONS} integrations at most in one report.");
                checking.refuse(group, "too_many", detail);
            }
        }
        let mut parse_udid =
            |text: &String| checking.identifier("/udid", Udid::parse(text), Udid::FORMAT).map(Some);
        let udid = self.udid.map(|text| text.as_ref().map_or(Some(None), &mut parse_udid));
        let mut parse_id = |text: &String| {
            checking
                .identifier("/okta_device_id", OktaDeviceId::parse(text), OktaDeviceId::FORMAT)
                .map(Some)
        };
        let okta = self.okta_device_id.map(|text| text.as_ref().map_or(Some(None), &mut parse_id));
        let enrollment = self.enrollment.as_ref().map(|sent| checking.enrollment(sent));
        let okta_verify =
            self.okta_verify.map(|sent| sent.as_ref().map(|sent| checking.okta_verify(sent)));
        let check_in = self.check_in.map(|sent| sent.as_ref().map(|sent| checking.check_in(sent)));
        let lost_mode =
            self.lost_mode.map(|sent| sent.as_ref().map(|sent| checking.lost_mode(sent)));
        let deliveries: BTreeMap<_, _> = self
            .deliveries
            .iter()
            .map(|(id, sent)| (*id, sent.as_ref().map(|sent| checking.delivery(*id, sent))))
            .collect();
        let certificates: BTreeMap<_, _> = self
            .certificates
            .iter()
            .map(|(id, sent)| (*id, sent.as_ref().map(|sent| checking.certificate(*id, sent))))
            .collect();
        let reported_at = self.reported_at.map(|at| checking.time("/reported_at", at));
        let report = serial_number.map(|serial_number| DeviceReport {
            serial_number,
            platform: self.platform,
            reported_at,
            // What could not be read is in the errors, so that this is never used with a gap.
            udid: udid.flatten(),
            okta_device_id: okta.flatten(),
            enrollment,
            okta_verify,
            check_in,
            lost_mode,
            deliveries,
            certificates,
        });
        checking.done(report)
    }
}

/// The serial number of the path, which the body may repeat, or that of the body.
fn checking_serial(
    checking: &mut Checking,
    path: Option<&SerialNumber>,
    body: Option<String>,
) -> Option<SerialNumber> {
    let sent = body.map(|text| {
        checking.identifier("/serial_number", SerialNumber::parse(&text), SerialNumber::FORMAT)
    });
    match (path, sent) {
        (Some(path), None) => Some(path.clone()),
        (Some(path), Some(Some(sent))) if sent != *path => {
            let detail = "This is another serial number than that of the path. Leave it out.";
            checking.refuse("/serial_number", "mismatch", detail);
            None
        }
        (_, Some(sent)) => sent,
        (None, None) => {
            checking.refuse("/serial_number", "missing", "This field is needed.");
            None
        }
    }
}
