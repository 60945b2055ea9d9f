//! The bodies of `/devices`: what the MDM sends, and how a device is told.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{
    ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, Object, Ref};

use crate::handlers::http::body::{invalid_field, not_null, pointer_of};
use crate::handlers::http::problem::Problem;
use crate::model::devices::merge::DeletionResult;
use crate::model::devices::records::ListedDevice;
use crate::model::devices::reports::{
    Certificate, CheckIn, Configuration, Delivery, Enrollment, LostMode, OktaVerify,
};
use crate::model::{
    DeviceRecord, IntegrationId, OktaDeviceId, Platform, ReportResults, SerialNumber, Udid,
};
use crate::service::{Error, FieldError, MOST_REPORTS, ReportFields, ReportOutcome};

/// For fields where `null` says something else than a field that is not there.
///
/// # Errors
/// What the field's own type says of the value.
#[expect(clippy::option_option, reason = "the outer is an absent field, the inner one null")]
fn null_or<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    <Option<T> as serde::Deserialize>::deserialize(deserializer).map(Some)
}

/// What the MDM reports about a device. A group that is absent stays as it is; `null` clears `udid`,
/// `okta_device_id`, `okta_verify`, `check_in`, `lost_mode`, and the entry of one integration in
/// `deliveries` and `certificates`. An enrolment is not cleared: it ends as `unenrolled` or `wiped`, or
/// with the device's deletion. All times are between 1970-01-01 and 9999-12-31. A time up to 5 minutes
/// ahead of our clock is stored as the time of receipt; one further ahead is refused, unless it says
/// that the device left or was lost.
#[expect(clippy::option_option, reason = "the outer is an absent field, the inner one null")]
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "platform": "macos",
    "udid": "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D",
    "enrollment": { "state": "enrolled", "enrolled_at": "2025-01-15T09:00:00Z", "reported_at": "2025-01-15T09:30:00Z" },
    "okta_verify": { "installed_at": "2025-01-15T09:20:00Z", "reported_at": "2025-01-15T09:30:00Z" },
    "check_in": { "last_seen_at": "2025-01-15T09:30:00Z", "reported_at": "2025-01-15T09:30:00Z" },
}))]
pub struct DeviceReportRequest {
    #[serde(default, deserialize_with = "not_null")]
    #[schema(schema_with = serial_number_schema)]
    serial_number: Option<String>,
    platform: Platform,
    #[serde(default, deserialize_with = "null_or")]
    #[schema(schema_with = udid_schema)]
    udid: Option<Option<String>>,
    #[serde(default, deserialize_with = "null_or")]
    #[schema(schema_with = okta_device_id_schema)]
    okta_device_id: Option<Option<String>>,
    /// The time of the identifiers and of what is `null`; the newest of the groups, or now, when it is
    /// left out.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    reported_at: Option<DateTime<Utc>>,
    /// Needed in the first report of a device, and whenever its platform changes.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    enrollment: Option<Enrollment>,
    #[serde(default, deserialize_with = "null_or")]
    #[schema(value_type = Option<OktaVerify>)]
    okta_verify: Option<Option<OktaVerify>>,
    /// When the device last reached the MDM.
    #[serde(default, deserialize_with = "null_or")]
    #[schema(value_type = Option<CheckIn>)]
    check_in: Option<Option<CheckIn>>,
    /// Whether the device is in lost mode.
    #[serde(default, deserialize_with = "null_or")]
    #[schema(value_type = Option<LostMode>)]
    lost_mode: Option<Option<LostMode>>,
    #[serde(default)]
    #[schema(schema_with = deliveries_schema)]
    deliveries: BTreeMap<IntegrationId, Option<Delivery>>,
    #[serde(default)]
    #[schema(schema_with = certificates_schema)]
    certificates: BTreeMap<IntegrationId, Option<Certificate>>,
}

/// One report of a batch, which is taken or refused by itself; `pointer` is its place.
///
/// # Errors
/// What is wrong with it.
pub(in crate::handlers) fn parse_item(
    item: &RawValue,
    pointer: &str,
) -> Result<DeviceReportRequest, FieldError> {
    if !item.get().starts_with('{') {
        return Err(FieldError::new(pointer, "invalid", "This has to be a JSON object."));
    }
    let mut json = serde_json::Deserializer::from_str(item.get());
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = format!("{pointer}{}", pointer_of(error.path()));
        invalid_field(pointer, &error.into_inner())
    })
}

/// The serial number of a report that may be wrong in everything else.
pub(in crate::handlers) fn serial_of(item: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        serial_number: String,
    }
    serde_json::from_str::<Named>(item.get()).ok().map(|named| named.serial_number)
}

/// The reports of a batch as they were sent, and no more of them than say that there are too many: what
/// is small on the wire must not grow large here.
fn reports<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Box<RawValue>>, D::Error> {
    struct Reports;
    impl<'de> serde::de::Visitor<'de> for Reports {
        type Value = Vec<Box<RawValue>>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(
            self,
            mut items: A,
        ) -> Result<Self::Value, A::Error> {
            let mut reports = Vec::new();
            while reports.len() <= MOST_REPORTS {
                match items.next_element()? {
                    Some(report) => reports.push(report),
                    None => return Ok(reports),
                }
            }
            while items.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            Ok(reports)
        }
    }
    deserializer.deserialize_seq(Reports)
}

fn serial_number_schema() -> Object {
    let about = "Needed in a batch; elsewhere it may repeat that of the path.";
    ObjectBuilder::from(SerialNumber::schema_with_example()).description(Some(about)).build()
}

fn udid_schema() -> Object {
    or_null(Udid::schema()).build()
}

fn okta_device_id_schema() -> Object {
    let about = "Okta's own id of the device, where the MDM knows it.";
    or_null(OktaDeviceId::schema_with_example()).description(Some(about)).build()
}

fn or_null(text: Object) -> ObjectBuilder {
    ObjectBuilder::from(text).schema_type(SchemaType::from_iter([Type::String, Type::Null]))
}

fn deliveries_schema() -> Object {
    by_integration("Delivery")
}

fn certificates_schema() -> Object {
    by_integration("Certificate")
}

/// Values of the schema `name`, or `null`, by the id of an integration.
fn by_integration(name: &str) -> Object {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    let value = OneOfBuilder::new().item(null).item(Ref::from_schema_name(name)).build();
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid))),
        ))
        .additional_properties(Some(Schema::OneOf(value)))
        .description(Some("By the id of the integration; 20 at most."))
        .build()
}

/// Up to 1,000 reports.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "devices": [{
    "serial_number": "C02ABC123DEF",
    "platform": "macos",
    "enrollment": { "state": "enrolled", "reported_at": "2025-01-15T09:30:00Z" },
}] }))]
pub struct DeviceBatchRequest {
    /// Each with its `serial_number`. Read one by one: a bad one spoils no other.
    #[serde(deserialize_with = "reports")]
    #[schema(value_type = Vec<DeviceReportRequest>, min_items = 1, max_items = 1000)]
    pub(in crate::handlers) devices: Vec<Box<RawValue>>,
}

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

impl From<DeviceReportRequest> for ReportFields {
    fn from(request: DeviceReportRequest) -> Self {
        let DeviceReportRequest {
            serial_number,
            platform,
            udid,
            okta_device_id,
            reported_at,
            enrollment,
            okta_verify,
            check_in,
            lost_mode,
            deliveries,
            certificates,
        } = request;
        Self {
            serial_number,
            platform,
            udid,
            okta_device_id,
            reported_at,
            enrollment,
            okta_verify,
            check_in,
            lost_mode,
            deliveries,
            certificates,
        }
    }
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

impl From<(SerialNumber, DeletionResult, bool)> for DeviceDeletedResponse {
    fn from(
        (serial_number, result, stored_as_of_receipt): (SerialNumber, DeletionResult, bool),
    ) -> Self {
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
