//! Converts between the row of a device and its record.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model::devices::enrollment_history::EnrollmentHistory;
use crate::model::devices::receipt::Stamp;
use crate::model::devices::records::{LostModeState, Reported};
use crate::model::devices::reports::{CheckIn, Enrollment, EnrollmentState, OktaVerify};
use crate::model::{DeviceRecord, OktaDeviceId, Platform, SerialNumber, TenantId, Udid};
use crate::store::StoreError;
use crate::store::schema::devices;

/// The field names are the column names, by which PostgreSQL reads the JSON.
#[derive(QueryableByName, Serialize)]
#[diesel(table_name = devices)]
pub(super) struct DeviceRow {
    tenant_id: String,
    serial_number: String,
    platform: Option<String>,
    udid: Option<String>,
    okta_device_id: Option<String>,
    identity_reported_at: Option<DateTime<Utc>>,
    enrollment_state: Option<String>,
    enrolled_at: Option<DateTime<Utc>>,
    enrollment_reported_at: Option<DateTime<Utc>>,
    okta_verify_installed_at: Option<DateTime<Utc>>,
    okta_verify_reported_at: Option<DateTime<Utc>>,
    /// Read by the previous release: one microsecond after `left_at`.
    counts_from: Option<DateTime<Utc>>,
    reported_at: DateTime<Utc>,
    deleted_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    udid_reported_at: Option<DateTime<Utc>>,
    okta_device_id_reported_at: Option<DateTime<Utc>>,
    /// Read by the previous release: `left_at`.
    enrollment_ended_at: Option<DateTime<Utc>>,
    macos_reported_at: Option<DateTime<Utc>>,
    ios_reported_at: Option<DateTime<Utc>>,
    left_at: Option<DateTime<Utc>>,
    enrolled_since: Option<DateTime<Utc>>,
    last_enrolled_at: Option<DateTime<Utc>>,
    check_in_last_seen_at: Option<DateTime<Utc>>,
    check_in_reported_at: Option<DateTime<Utc>>,
    lost_mode_enabled: Option<bool>,
    lost_mode_reported_at: Option<DateTime<Utc>>,
    merge_state: Option<serde_json::Value>,
}
pub(super) fn parse_serial(text: &str) -> Result<SerialNumber, StoreError> {
    SerialNumber::parse(text).map_err(|_| StoreError::Corrupt("devices.serial_number"))
}

/// Returns a stored time with the time as sent. Rows of the previous release have no time as sent.
fn to_stamp(at: Option<DateTime<Utc>>, sent_at: Option<DateTime<Utc>>) -> Option<Stamp> {
    at.map(|at| Stamp { at, sent_at: sent_at.map_or(at, |sent| sent.max(at)) })
}

/// State that only the merge of later reports needs, stored as JSON.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct MergeState {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    enrolled: Vec<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    continued: Vec<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pruned_enrolled_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deletions: Vec<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrollment_sent_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_sent_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_mode_sent_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enrolled_ahead: Option<(DateTime<Utc>, DateTime<Utc>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_mode_off_ahead: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl From<&DeviceRecord> for MergeState {
    fn from(record: &DeviceRecord) -> Self {
        let sent = |stamp: Stamp| stamp.was_ahead().then_some(stamp.sent_at);
        let pair = |stamp: Stamp| (stamp.at, stamp.sent_at);
        let enrolled = &record.history.enrolled;
        let continued = enrolled.iter().filter(|(_, continues)| **continues);
        let enrollment = record.enrollment.as_ref();
        Self {
            enrolled: enrolled.keys().copied().collect(),
            continued: continued.map(|(at, _)| *at).collect(),
            pruned_enrolled_at: record.history.pruned_enrolled_at,
            deletions: record.history.deletions.iter().copied().collect(),
            ended_at: enrollment.and_then(|enrollment| enrollment.ended_at),
            enrollment_sent_at: enrollment.and_then(|enrollment| enrollment.sent_at),
            deleted_sent_at: record.deleted.and_then(sent),
            lost_mode_sent_at: record.lost_mode.and_then(|lost| sent(lost.stamp)),
            enrolled_ahead: record.enrolled_ahead.map(pair),
            lost_mode_off_ahead: record.lost_mode_off_ahead.map(pair),
        }
    }
}

fn to_enrollment_history(row: &DeviceRow, state: &MergeState) -> EnrollmentHistory {
    let enrolled = state.enrolled.iter();
    // The previous release stores the newest deletion only.
    let deletions = state.deletions.iter().copied().chain(row.deleted_at);
    EnrollmentHistory {
        left_at: row.left_at,
        enrolled_since: row.enrolled_since,
        last_enrolled_at: row.last_enrolled_at,
        enrolled: enrolled.map(|at| (*at, state.continued.contains(at))).collect(),
        pruned_enrolled_at: state.pruned_enrolled_at,
        deletions: deletions.collect(),
        macos_reported_at: row.macos_reported_at,
        ios_reported_at: row.ios_reported_at,
    }
}

fn to_enrollment(row: &DeviceRow, state: &MergeState) -> Result<Option<Enrollment>, StoreError> {
    let Some((text, reported_at)) = row.enrollment_state.as_deref().zip(row.enrollment_reported_at)
    else {
        return Ok(None);
    };
    let state_reported = text
        .parse::<EnrollmentState>()
        .map_err(|_| StoreError::Corrupt("devices.enrollment_state"))?;
    let enrolled = state_reported == EnrollmentState::Enrolled;
    Ok(Some(Enrollment {
        state: state_reported,
        enrolled_at: row.enrolled_at,
        ended_at: state.ended_at,
        continues: enrolled && state.continued.contains(&reported_at),
        reported_at,
        // The previous release may have stored a newer report since.
        sent_at: state.enrollment_sent_at.filter(|sent| *sent > reported_at),
    }))
}

pub(super) fn to_record(row: &DeviceRow) -> Result<DeviceRecord, StoreError> {
    let platform = row.platform.as_deref().map(|text| text.parse::<Platform>().ok());
    let udid = row.udid.as_deref().map(Udid::parse).transpose();
    let okta_device_id = row.okta_device_id.as_deref().map(OktaDeviceId::parse).transpose();
    let (udid, okta_device_id) = (
        udid.map_err(|_| StoreError::Corrupt("devices.udid"))?,
        okta_device_id.map_err(|_| StoreError::Corrupt("devices.okta_device_id"))?,
    );
    let okta_verify = row.okta_verify_reported_at.map(|at| Reported {
        at,
        value: row
            .okta_verify_installed_at
            .map(|installed_at| OktaVerify { installed_at, reported_at: at }),
    });
    let check_in = row.check_in_reported_at.map(|at| Reported {
        at,
        value: row
            .check_in_last_seen_at
            .map(|last_seen_at| CheckIn { last_seen_at, reported_at: at }),
    });
    let state: MergeState = match row.merge_state.clone() {
        Some(state) => {
            serde_json::from_value(state).map_err(|_| StoreError::Corrupt("devices.merge_state"))?
        }
        None => MergeState::default(),
    };
    let lost_mode = to_stamp(row.lost_mode_reported_at, state.lost_mode_sent_at)
        .map(|stamp| LostModeState { enabled: row.lost_mode_enabled, stamp });
    Ok(DeviceRecord {
        serial_number: parse_serial(&row.serial_number)?,
        platform: platform
            .map(|platform| platform.ok_or(StoreError::Corrupt("devices.platform")))
            .transpose()?,
        udid: row.udid_reported_at.map(|at| Reported { at, value: udid }),
        okta_device_id: row
            .okta_device_id_reported_at
            .map(|at| Reported { at, value: okta_device_id }),
        enrollment: to_enrollment(row, &state)?,
        okta_verify,
        check_in,
        lost_mode,
        deliveries: BTreeMap::new(),
        certificates: BTreeMap::new(),
        history: to_enrollment_history(row, &state),
        deleted: to_stamp(row.deleted_at, state.deleted_sent_at),
        enrolled_ahead: state.enrolled_ahead.map(|(at, sent_at)| Stamp { at, sent_at }),
        lost_mode_off_ahead: state.lost_mode_off_ahead.map(|(at, sent_at)| Stamp { at, sent_at }),
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

pub(super) fn to_row(tenant: &TenantId, record: &DeviceRecord) -> DeviceRow {
    let enrollment = record.enrollment.as_ref();
    let verify = record.okta_verify.as_ref();
    let check_in = record.check_in.as_ref();
    let history = &record.history;
    DeviceRow {
        tenant_id: tenant.as_str().to_owned(),
        serial_number: record.serial_number.to_string(),
        platform: record.platform.map(|platform| platform.as_str().to_owned()),
        udid: record.known_udid().map(ToString::to_string),
        okta_device_id: record.known_okta_device_id().map(ToString::to_string),
        identity_reported_at: record.identity_reported_at(),
        enrollment_state: enrollment.map(|enrollment| enrollment.state.as_str().to_owned()),
        enrolled_at: enrollment.and_then(|enrollment| enrollment.enrolled_at),
        enrollment_reported_at: enrollment.map(|enrollment| enrollment.reported_at),
        okta_verify_installed_at: verify
            .and_then(|reported| reported.value.as_ref())
            .map(|verify| verify.installed_at),
        okta_verify_reported_at: verify.map(|reported| reported.at),
        counts_from: history.left_at.map(|left| left + TimeDelta::microseconds(1)),
        reported_at: record.reported_at().unwrap_or(record.created_at),
        deleted_at: record.deleted.map(|deleted| deleted.at),
        created_at: record.created_at,
        updated_at: record.updated_at,
        udid_reported_at: record.udid.as_ref().map(|reported| reported.at),
        okta_device_id_reported_at: record.okta_device_id.as_ref().map(|reported| reported.at),
        enrollment_ended_at: history.left_at,
        macos_reported_at: history.macos_reported_at,
        ios_reported_at: history.ios_reported_at,
        left_at: history.left_at,
        enrolled_since: history.enrolled_since,
        last_enrolled_at: history.last_enrolled_at,
        check_in_last_seen_at: check_in
            .and_then(|reported| reported.value.as_ref())
            .map(|check_in| check_in.last_seen_at),
        check_in_reported_at: check_in.map(|reported| reported.at),
        lost_mode_enabled: record.lost_mode.and_then(|lost| lost.enabled),
        lost_mode_reported_at: record.lost_mode.map(|lost| lost.stamp.at),
        merge_state: serde_json::to_value(MergeState::from(record)).ok(),
    }
}
