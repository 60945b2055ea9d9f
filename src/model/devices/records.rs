//! The record of a device, and which of its data belongs to the current enrolment period.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::devices::enrollment_history::EnrollmentHistory;
use crate::model::devices::receipt::Stamp;
use crate::model::devices::reports::{
    Certificate, CheckIn, Configuration, Delivery, Enrollment, LostMode, OktaVerify,
};
use crate::model::{IntegrationId, OktaDeviceId, Platform, SerialNumber, Udid};

/// How many certificates are stored for each integration.
pub const MAX_CERTIFICATES: usize = 10;

/// A reported value and when it was reported; `None` means it was reported as cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported<T> {
    pub at: DateTime<Utc>,
    pub value: Option<T>,
}

/// The lost mode of a device, as last reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostModeState {
    /// `None`: cleared.
    pub enabled: Option<bool>,
    pub stamp: Stamp,
}

/// A device's certificates for one integration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Certificates reported up to this time were cleared.
    pub cleared_at: Option<DateTime<Utc>>,
    /// Keyed by the certificate's serial number.
    pub known: BTreeMap<String, Certificate>,
}

/// Everything that is stored about a device, or the tombstone of a deleted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    pub serial_number: SerialNumber,
    /// The platform of the last enrolment; `None` if the device was deleted before it was ever reported.
    pub platform: Option<Platform>,
    pub udid: Option<Reported<Udid>>,
    pub okta_device_id: Option<Reported<OktaDeviceId>>,
    /// `None`: the device is deleted, or was never reported.
    pub enrollment: Option<Enrollment>,
    pub okta_verify: Option<Reported<OktaVerify>>,
    pub check_in: Option<Reported<CheckIn>>,
    pub lost_mode: Option<LostModeState>,
    pub deliveries: BTreeMap<IntegrationId, Reported<Delivery>>,
    pub certificates: BTreeMap<IntegrationId, Certificates>,
    pub history: EnrollmentHistory,
    /// The latest deletion.
    pub deleted: Option<Stamp>,
    /// The latest `enrolled` report, and the latest report that the device is not lost, whose times were
    /// ahead of the server's clock. When they are sent again, they must not look newer than they are.
    pub enrolled_ahead: Option<Stamp>,
    pub lost_mode_off_ahead: Option<Stamp>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A device in a list, with the state of its configuration for the requested integration.
#[derive(Debug, Clone)]
pub struct ListedDevice {
    pub record: DeviceRecord,
    pub configuration: Option<Configuration>,
}

impl DeviceRecord {
    /// Returns an empty record.
    pub fn new(serial_number: SerialNumber, now: DateTime<Utc>) -> Self {
        Self {
            serial_number,
            platform: None,
            udid: None,
            okta_device_id: None,
            enrollment: None,
            okta_verify: None,
            check_in: None,
            lost_mode: None,
            deliveries: BTreeMap::new(),
            certificates: BTreeMap::new(),
            history: EnrollmentHistory::default(),
            deleted: None,
            enrolled_ahead: None,
            lost_mode_off_ahead: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Returns whether the device was reported and is not deleted.
    pub fn is_living(&self) -> bool {
        self.enrollment.is_some()
    }

    /// Returns when the device last left this MDM.
    pub fn left_at(&self) -> Option<DateTime<Utc>> {
        self.history.left_at
    }

    /// Returns when the device's present life began.
    pub fn present_since(&self) -> Option<DateTime<Utc>> {
        self.history.present_since()
    }

    /// Returns the time of the newest report of any group, or of the deletion.
    pub fn reported_at(&self) -> Option<DateTime<Utc>> {
        let Some(enrollment) = &self.enrollment else {
            return self.deleted.map(|deleted| deleted.at);
        };
        let certificates = self.certificates.values().flat_map(|group| {
            group.known.values().map(|known| known.reported_at).chain(group.cleared_at)
        });
        std::iter::once(enrollment.reported_at)
            .chain(self.identity_reported_at())
            .chain(self.okta_verify.as_ref().map(|reported| reported.at))
            .chain(self.check_in.as_ref().map(|reported| reported.at))
            .chain(self.lost_mode.map(|lost| lost.stamp.at))
            .chain(self.deliveries.values().map(|reported| reported.at))
            .chain(certificates)
            .max()
    }

    /// Returns when an identifier was last reported.
    pub fn identity_reported_at(&self) -> Option<DateTime<Utc>> {
        let udid = self.udid.as_ref().map(|reported| reported.at);
        udid.max(self.okta_device_id.as_ref().map(|reported| reported.at))
    }

    pub fn known_udid(&self) -> Option<&Udid> {
        self.udid.as_ref()?.value.as_ref()
    }

    pub fn known_okta_device_id(&self) -> Option<&OktaDeviceId> {
        self.okta_device_id.as_ref()?.value.as_ref()
    }

    /// Returns Okta's device ID if it was reported in the current enrolment period.
    pub fn counting_okta_device_id(&self) -> Option<&OktaDeviceId> {
        self.counting(self.okta_device_id.as_ref())
    }

    /// Returns Okta Verify if it was reported in the current enrolment period.
    pub fn counting_okta_verify(&self) -> Option<&OktaVerify> {
        self.counting(self.okta_verify.as_ref())
    }

    /// Returns the check-in if it was reported in the current enrolment period.
    pub fn counting_check_in(&self) -> Option<&CheckIn> {
        self.counting(self.check_in.as_ref())
    }

    /// Returns lost mode if it was reported in the current enrolment period.
    pub fn counting_lost_mode(&self) -> Option<LostMode> {
        let lost = self.lost_mode.filter(|lost| self.history.is_current(lost.stamp.at))?;
        Some(LostMode { enabled: lost.enabled?, reported_at: lost.stamp.at })
    }

    /// Iterates over the deliveries of the current enrolment period, by integration.
    pub fn counting_deliveries(&self) -> impl Iterator<Item = (IntegrationId, &Delivery)> {
        let deliveries = self.deliveries.iter();
        let known = deliveries.filter_map(|(id, reported)| Some((*id, reported.value.as_ref()?)));
        known.filter(|(_, delivery)| self.history.is_current(delivery.delivered_at))
    }

    /// Iterates over the certificate with the newest `not_before` of the current enrolment period, by
    /// integration.
    pub fn counting_certificates(&self) -> impl Iterator<Item = (IntegrationId, &Certificate)> {
        self.certificates.iter().filter_map(|(id, group)| {
            let counting =
                group.known.values().filter(|known| self.history.is_current(known.reported_at));
            Some((*id, counting.max_by(|a, b| validity(a).cmp(&validity(b)))?))
        })
    }

    fn counting<'a, T>(&self, reported: Option<&'a Reported<T>>) -> Option<&'a T> {
        reported.filter(|reported| self.history.is_current(reported.at))?.value.as_ref()
    }
}

/// Returns the sort key of certificates: `not_before`, then the serial number.
pub(super) fn validity(certificate: &Certificate) -> (DateTime<Utc>, &str) {
    (certificate.not_before, &certificate.serial_number)
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
