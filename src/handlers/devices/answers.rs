//! Response bodies of `/devices`.

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

/// A device of the inventory, with the data of its current enrollment.
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
    /// The certificate that counts, keyed by integration id.
    certificates: BTreeMap<IntegrationId, Certificate>,
    /// When the device last left the MDM: it was unenrolled, wiped, deleted and enrolled again, or changed
    /// its platform. Data reported for an earlier time is not shown and does not count.
    #[schema(required)]
    left_at: Option<DateTime<Utc>>,
    /// When the current enrollment started. Trust requires a sign-in since then. `null` if the device
    /// never left the MDM and no `enrolled_at` was reported.
    #[schema(required)]
    present_since: Option<DateTime<Utc>>,
    /// The newest `reported_at` of all reports.
    #[schema(required)]
    reported_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
    /// Only in the list of an integration: whether the delivered configuration is current.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    configuration: Option<Configuration>,
}

/// A normalized serial number.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(value_type = String, example = "C02ABC123DEF")]
pub struct SerialText(SerialNumber);

/// The result of a report.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeviceReportResponse {
    /// The device after the report; `null` if it was deleted after the time of the report.
    #[schema(required)]
    device: Option<DeviceResponse>,
    results: ReportResults,
}

/// The results of a batch.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeviceBatchResponse {
    /// One result per report, in their order.
    results: Vec<DeviceBatchResult>,
}

/// The result of one report of a batch.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeviceBatchResult {
    /// The normalized serial number; for a refused report as it was sent, or `null` if it has none.
    #[schema(required)]
    serial_number: Option<String>,
    status: BatchStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    results: Option<ReportResults>,
    /// Why the report was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<Problem>,
}

/// The outcome of a report.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// The device was unknown or deleted, and is created.
    Created,
    /// The report is merged; `results` has the outcome of each group.
    Merged,
    /// The whole report is refused.
    Refused,
}

/// The result of a deletion.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeviceDeletedResponse {
    serial_number: SerialText,
    result: DeletionOutcome,
    /// True if `reported_at` was ahead of this service's clock, and the time of receipt was stored.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stored_as_of_receipt: bool,
}

/// The outcome of a deletion.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeletionOutcome {
    /// The device is deleted.
    Deleted,
    /// The device has been enrolled again since and stays. Data reported before the deletion no longer
    /// counts.
    Applied,
    /// The device has been enrolled again since, and nothing changes.
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
    /// Combines the serial numbers as they were sent with the outcomes of the reports.
    pub(in crate::handlers) fn new(
        sent: Vec<Option<String>>,
        outcomes: Vec<Result<ReportOutcome, Error>>,
    ) -> Self {
        let results =
            sent.into_iter().zip(outcomes).map(|(serial_number, outcome)| match outcome {
                Ok(outcome) => DeviceBatchResult {
                    serial_number: Some(outcome.record.serial_number.to_string()),
                    status: if outcome.created {
                        BatchStatus::Created
                    } else {
                        BatchStatus::Merged
                    },
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
