//! What is known of a device, and which of it belongs to the present enrolment period.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::model::devices::leaving::Lives;
use crate::model::devices::receipt::Stamp;
use crate::model::devices::reports::{
    Certificate, CheckIn, Configuration, Delivery, Enrollment, LostMode, OktaVerify,
};
use crate::model::{IntegrationId, OktaDeviceId, Platform, SerialNumber, Udid};

/// Certificates that are kept for each integration.
pub const MAX_CERTIFICATES: usize = 10;

/// A reported value and when it was reported; `None` means it was reported as cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported<T> {
    pub at: DateTime<Utc>,
    pub value: Option<T>,
}

/// Whether the device is in lost mode, as it was last reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostModeState {
    /// `None`: cleared.
    pub enabled: Option<bool>,
    pub stamp: Stamp,
}

/// The certificates of a device for one integration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Those reported up to here were removed from the device.
    pub cleared_at: Option<DateTime<Utc>>,
    /// By the certificate's serial number.
    pub known: BTreeMap<String, Certificate>,
}

/// All that is known of a device, or of a deleted one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    pub serial_number: SerialNumber,
    /// That of the last enrolment; `None` if the device was deleted before it was ever reported.
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
    pub lives: Lives,
    /// The newest deletion.
    pub deleted: Option<Stamp>,
    /// The latest `enrolled`, and the latest "not lost", whose times were ahead of our clock: when they
    /// are sent again they must not look newer than they are.
    pub enrolled_ahead: Option<Stamp>,
    pub lost_mode_off_ahead: Option<Stamp>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A device in a list, with the state of its configuration for the integration that was asked about.
#[derive(Debug, Clone)]
pub struct ListedDevice {
    pub record: DeviceRecord,
    pub configuration: Option<Configuration>,
}

impl DeviceRecord {
    /// A device of which nothing is known yet.
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
            lives: Lives::default(),
            deleted: None,
            enrolled_ahead: None,
            lost_mode_off_ahead: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Known, and not deleted.
    pub fn is_living(&self) -> bool {
        self.enrollment.is_some()
    }

    /// The latest of all times at which the device left this MDM.
    pub fn left_at(&self) -> Option<DateTime<Utc>> {
        self.lives.left_at
    }

    /// The beginning of the device's present life.
    pub fn present_since(&self) -> Option<DateTime<Utc>> {
        self.lives.present_since()
    }

    /// The newest report of any group, or when the device was deleted.
    pub fn reported_at(&self) -> Option<DateTime<Utc>> {
        let Some(enrollment) = &self.enrollment else {
            return self.deleted.map(|deleted| deleted.at);
        };
        let certificates = self.certificates.values().flat_map(|of_one| {
            of_one.known.values().map(|known| known.reported_at).chain(of_one.cleared_at)
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

    /// When an identifier was last reported.
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

    /// Okta's id, if it was reported in this enrolment period.
    pub fn counting_okta_device_id(&self) -> Option<&OktaDeviceId> {
        self.counting(self.okta_device_id.as_ref())
    }

    /// Okta Verify, if it was reported in this enrolment period.
    pub fn counting_okta_verify(&self) -> Option<&OktaVerify> {
        self.counting(self.okta_verify.as_ref())
    }

    /// The check-in, if it was reported in this enrolment period.
    pub fn counting_check_in(&self) -> Option<&CheckIn> {
        self.counting(self.check_in.as_ref())
    }

    /// Lost mode, if it was reported in this enrolment period.
    pub fn counting_lost_mode(&self) -> Option<LostMode> {
        let lost = self.lost_mode.filter(|lost| self.lives.counts(lost.stamp.at))?;
        Some(LostMode { enabled: lost.enabled?, reported_at: lost.stamp.at })
    }

    /// What was delivered in this enrolment period, for each integration.
    pub fn counting_deliveries(&self) -> impl Iterator<Item = (IntegrationId, &Delivery)> {
        let deliveries = self.deliveries.iter();
        let known = deliveries.filter_map(|(id, reported)| Some((*id, reported.value.as_ref()?)));
        known.filter(|(_, delivery)| self.lives.counts(delivery.delivered_at))
    }

    /// The certificate with the newest `not_before` of this enrolment period, for each integration.
    pub fn counting_certificates(&self) -> impl Iterator<Item = (IntegrationId, &Certificate)> {
        self.certificates.iter().filter_map(|(id, of_one)| {
            let counting =
                of_one.known.values().filter(|known| self.lives.counts(known.reported_at));
            Some((*id, counting.max_by(|a, b| validity(a).cmp(&validity(b)))?))
        })
    }

    fn counting<'a, T>(&self, reported: Option<&'a Reported<T>>) -> Option<&'a T> {
        reported.filter(|reported| self.lives.counts(reported.at))?.value.as_ref()
    }
}

/// The order of certificates; the serial number decides between two that begin at the same time.
pub(super) fn validity(certificate: &Certificate) -> (DateTime<Utc>, &str) {
    (certificate.not_before, &certificate.serial_number)
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
