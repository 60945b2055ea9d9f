//! The response bodies of `/devices`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::handlers::http::problem::Problem;
use crate::model::devices::merge::DeletionResult;
use crate::model::devices::records::ListedDevice;
use crate::model::devices::reports::{
    Certificate, CheckIn, Configuration, Delivery, Enrollment, LostMode, OktaVerify,
};
use crate::model::{DeviceRecord, IntegrationId, Platform, ReportResults, SerialNumber};
use crate::service::{DeviceDeletion, Error, ReportOutcome};

/// A device, as far as it was reported for its present enrolment.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeviceResponse {
    serial_number: SerialText,
    platform: Option<Platform>,
    #[schema(required)]
    udid: Option<String>,
    #[schema(required)]
    okta_device_id: Option<String>,
    #[schema(required)]
    enrollment: Option<Enrollment>,
    #[schema(required)]
    okta_verify: Option<OktaVerify>,
    #[schema(required)]
    check_in: Option<CheckIn>,
    #[schema(required)]
    lost_mode: Option<LostMode>,
    deliveries: BTreeMap<IntegrationId, Delivery>,
    /// For each integration the one that counts.
    certificates: BTreeMap<IntegrationId, Certificate>,
    /// The latest time at which the device left the MDM: unenrolled, wiped, deleted and enrolled again,
    /// or another platform. What was reported for it up to then is not shown and does not count.
    #[schema(required)]
    left_at: Option<DateTime<Utc>>,
    /// The beginning of the device's present life: trust needs a sign-in since then. `null`: it never
    /// left, and no `enrolled_at` was reported.
    #[schema(required)]
    present_since: Option<DateTime<Utc>>,
    /// The newest that was reported.
    #[schema(required)]
    reported_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
    /// In a list for an integration: how what the device was given stands to what is configured there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    configuration: Option<Configuration>,
}

/// A serial number in its one spelling.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(value_type = String, example = "C02ABC123DEF")]
pub struct SerialText(SerialNumber);

/// How a report was taken.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeviceReportResponse {
    /// As it is now; `null` when it was deleted after what was reported.
    #[schema(required)]
    device: Option<DeviceResponse>,
    results: ReportResults,
}

/// How the reports were taken.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeviceBatchResponse {
    /// One for each report, in their order.
    results: Vec<DeviceBatchResult>,
}

/// How one report of a batch was taken.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeviceBatchResult {
    /// In its one spelling, or as it was sent where the report was refused; `null` when that could not be
    /// read.
    #[schema(required)]
    serial_number: Option<String>,
    status: BatchStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    results: Option<ReportResults>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<Problem>,
}

/// What became of a report.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// The device was not known, or had been deleted.
    Created,
    /// `results` says of each group how it was taken.
    Merged,
    /// Nothing of it was taken.
    Refused,
}

/// Whether a device is gone.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeviceDeletedResponse {
    serial_number: SerialText,
    result: DeletionOutcome,
    /// True if `reported_at` was ahead of our clock: the time of receipt was stored.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stored_as_of_receipt: bool,
}

/// What became of a deletion.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeletionOutcome {
    /// The device is gone.
    Deleted,
    /// The device was enrolled again since. It stays, and what was reported for it before the deletion
    /// no longer counts.
    Applied,
    /// The device was enrolled again since, and nothing changes.
    IgnoredStale,
}

impl From<&DeviceRecord> for DeviceResponse {
    fn from(record: &DeviceRecord) -> Self {
        Self {
            serial_number: SerialText(record.serial_number.clone()),
            platform: record.platform,
            udid: record.known_udid().map(ToString::to_string),
            okta_device_id: record.counting_okta_device_id().map(ToString::to_string),
            enrollment: record.enrollment.clone(),
            okta_verify: record.counting_okta_verify().cloned(),
            check_in: record.counting_check_in().cloned(),
            lost_mode: record.counting_lost_mode(),
            deliveries: record
                .counting_deliveries()
                .map(|(id, delivery)| (id, delivery.clone()))
                .collect(),
            certificates: record
                .counting_certificates()
                .map(|(id, certificate)| (id, certificate.clone()))
                .collect(),
            left_at: record.left_at(),
            present_since: record.present_since(),
            reported_at: record.reported_at(),
            updated_at: record.updated_at,
            configuration: None,
        }
    }
}

impl From<ListedDevice> for DeviceResponse {
    fn from(listed: ListedDevice) -> Self {
        Self { configuration: listed.configuration, ..Self::from(&listed.record) }
    }
}

impl From<ReportOutcome> for DeviceReportResponse {
    fn from(outcome: ReportOutcome) -> Self {
        let living = outcome.record.is_living();
        let device = living.then(|| DeviceResponse::from(&outcome.record));
        Self { device, results: outcome.results }
    }
}

impl From<DeviceDeletion> for DeviceDeletedResponse {
    fn from(deletion: DeviceDeletion) -> Self {
        let DeviceDeletion { serial_number, result, stored_as_of_receipt } = deletion;
        let result = match result {
            DeletionResult::Deleted => DeletionOutcome::Deleted,
            DeletionResult::Applied => DeletionOutcome::Applied,
            DeletionResult::IgnoredStale => DeletionOutcome::IgnoredStale,
        };
        Self { serial_number: SerialText(serial_number), result, stored_as_of_receipt }
    }
}

impl DeviceBatchResponse {
    /// From the serial numbers as they were sent, and what became of each report.
    pub(in crate::handlers) fn of(
        sent: Vec<Option<String>>,
        taken: Vec<Result<ReportOutcome, Error>>,
    ) -> Self {
        let results = sent.into_iter().zip(taken).map(|(serial_number, taken)| match taken {
            Ok(outcome) => DeviceBatchResult {
                serial_number: Some(outcome.record.serial_number.to_string()),
                status: if outcome.created { BatchStatus::Created } else { BatchStatus::Merged },
                results: Some(outcome.results),
                problem: None,
            },
            Err(error) => DeviceBatchResult {
                serial_number,
                status: BatchStatus::Refused,
                results: None,
                problem: Some(error.into()),
            },
        });
        Self { results: results.collect() }
    }
}
