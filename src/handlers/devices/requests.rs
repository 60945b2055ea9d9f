//! Request bodies of `/devices`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::openapi::schema::{
    ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, Object, Ref};

use crate::handlers::http::body::{LargeRequest, at_most, invalid_field, json_pointer, not_null};
use crate::model::devices::reports::{
    Certificate, CheckIn, Delivery, Enrollment, LostMode, OktaVerify,
};
use crate::model::{IntegrationId, OktaDeviceId, Platform, Scope, SerialNumber, Udid};
use crate::service::{FieldError, MAX_REPORTS, ReportFields};

/// Deserializes a field for which `null` differs from an absent field.
///
/// # Errors
/// The error of the field's own type.
#[expect(clippy::option_option, reason = "the outer is an absent field, the inner one null")]
fn null_or<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de>,
{
    <Option<T> as serde::Deserialize>::deserialize(deserializer).map(Some)
}

/// A report about a device. An absent group is kept. `null` clears `udid`, `okta_device_id`,
/// `okta_verify`, `check_in`, `lost_mode`, and the entry of one integration in `deliveries` and
/// `certificates`. An enrollment cannot be cleared: it ends as `unenrolled` or `wiped`, or when the device
/// is deleted. All times are between 1970-01-01 and 9999-12-31. A time up to 5 minutes ahead of this
/// service's clock is stored as the time of receipt; a time further ahead is refused, unless it reports
/// that the device left the MDM or was lost.
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
    /// The time of the identifiers and of cleared groups. Defaults to the newest `reported_at` of the
    /// groups, or to the time of receipt.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false)]
    reported_at: Option<DateTime<Utc>>,
    /// Required in the first report of a device, and when its platform changes.
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
    /// Whether the device is in Lost Mode.
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

/// Parses one report of a batch. `pointer` is the JSON pointer of the report in the body.
///
/// # Errors
/// The first invalid field.
pub(in crate::handlers) fn parse_item(
    item: &RawValue,
    pointer: &str,
) -> Result<DeviceReportRequest, FieldError> {
    if !item.get().starts_with('{') {
        return Err(FieldError::new(pointer, "invalid", "This must be a JSON object."));
    }
    let mut json = serde_json::Deserializer::from_str(item.get());
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = format!("{pointer}{}", json_pointer(error.path()));
        invalid_field(pointer, &error.into_inner())
    })
}

/// Returns the serial number of a report whose other fields may be invalid.
pub(in crate::handlers) fn parse_serial(item: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        serial_number: String,
    }
    serde_json::from_str::<Named>(item.get()).ok().map(|named| named.serial_number)
}

fn serial_number_schema() -> Object {
    let about = "Required in a batch. Otherwise it may repeat the serial number of the path.";
    ObjectBuilder::from(SerialNumber::schema_with_example()).description(Some(about)).build()
}

fn udid_schema() -> Object {
    or_null(Udid::schema()).build()
}

fn okta_device_id_schema() -> Object {
    let about = "Okta's id of the device, if the MDM knows it.";
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

/// Returns the schema of a map from integration id to the schema `name` or `null`.
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
        .description(Some("Keyed by integration id, with at most 20 entries."))
        .build()
}

/// A batch of up to 1,000 reports.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "devices": [{
    "serial_number": "C02ABC123DEF",
    "platform": "macos",
    "enrollment": { "state": "enrolled", "reported_at": "2025-01-15T09:30:00Z" },
}] }))]
pub struct DeviceBatchRequest {
    /// The reports, each with its `serial_number`. An invalid report does not affect the others.
    #[serde(deserialize_with = "at_most::<MAX_REPORTS, _, _>")]
    #[schema(value_type = Vec<DeviceReportRequest>, min_items = 1, max_items = 1000)]
    pub(in crate::handlers) devices: Vec<Box<RawValue>>,
}

impl LargeRequest for DeviceBatchRequest {
    const SCOPE: Scope = Scope::OdtInventory;
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
