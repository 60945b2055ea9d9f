//! The request bodies of `/devices`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::openapi::schema::{
    ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{KnownFormat, Object, Ref};

use crate::handlers::http::body::{LargeRequest, at_most, invalid_field, not_null, pointer_of};
use crate::model::devices::reports::{
    Certificate, CheckIn, Delivery, Enrollment, LostMode, OktaVerify,
};
use crate::model::{IntegrationId, OktaDeviceId, Platform, Scope, SerialNumber, Udid};
use crate::service::{FieldError, MAX_REPORTS, ReportFields};

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
