//! The records of a device in Okta, as shown in a trust status.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::trust_status::{AssessedRecord, AssessedUser, RecordStanding};

/// A device record of the Okta org that matches an identifier of the device.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OktaRecordResponse {
    #[schema(example = "guo1a2b3c4d5e6f7g8h9")]
    pub okta_device_id: String,
    /// True if the verdict depends on the record.
    pub counts: bool,
    /// `counts`, or why the record does not count: `not_used_since_enrolment` (no sign-in since the device
    /// was last enrolled), `superseded` (no sign-in since a newer record was created), `another_device`
    /// (its identifiers contradict those of the device), `disputed` (its identifiers changed and changed
    /// back), `pre_registered` (no user has registered it yet), `not_found` (Okta no longer has it).
    pub standing: RecordStanding,
    /// Okta's value.
    #[schema(example = "ACTIVE")]
    pub status: String,
    /// Okta's value.
    #[schema(example = "MACOS")]
    pub platform: String,
    /// `null` if Okta's record has no serial number, or a malformed one.
    #[schema(required)]
    pub serial_number: Option<String>,
    /// `null` if Okta's record has no UDID, or a malformed one.
    #[schema(required)]
    pub udid: Option<String>,
    pub users: Vec<RecordUserResponse>,
    pub created_at: DateTime<Utc>,
    pub last_updated_at: DateTime<Utc>,
    /// The last sign-in that a read of the record showed; `null` if none did.
    #[schema(required)]
    pub used_at: Option<DateTime<Utc>>,
    /// When the record was last read from Okta.
    pub observed_at: DateTime<Utc>,
    /// When Okta first answered 404 for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_found_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// A user of a record.
#[derive(Serialize, utoipa::ToSchema)]
pub struct RecordUserResponse {
    /// Okta's id of the user.
    #[schema(example = "00u1a2b3c4d5e6f7g8h9")]
    pub id: String,
    #[schema(example = "ada@acme.example")]
    pub login: String,
    /// Okta's value, such as `MANAGED` or `NOT_MANAGED`; `null` if not read yet.
    #[schema(required, example = "MANAGED")]
    pub management_status: Option<String>,
    /// Okta's status of the user; `null` if not read yet.
    #[schema(required, example = "ACTIVE")]
    pub status: Option<String>,
    /// When the user was added to the record; `null` if not read yet.
    #[schema(required)]
    pub added_at: Option<DateTime<Utc>>,
    /// False for a user who was added before the current enrollment and may no longer use the device, and
    /// for a user who is deprovisioned or suspended in Okta.
    pub counts: bool,
}

impl OktaRecordResponse {
    /// Shows the record with the same time of observation that the verdict uses.
    pub(super) fn new(assessed: &AssessedRecord<'_>, swept_at: Option<DateTime<Utc>>) -> Self {
        let record = assessed.record;
        Self {
            okta_device_id: record.okta_device_id.to_string(),
            counts: assessed.counts(),
            standing: assessed.standing,
            status: record.status.clone(),
            platform: record.platform.clone(),
            serial_number: record.serial_number.as_ref().map(ToString::to_string),
            udid: record.udid.as_ref().map(ToString::to_string),
            users: assessed.users.iter().map(RecordUserResponse::from).collect(),
            created_at: record.created_at,
            last_updated_at: record.last_updated_at,
            used_at: record.used_at,
            observed_at: swept_at.map_or(record.observed_at, |at| record.seen_at(at)),
            not_found_at: record.not_found_at,
            display_name: record.display_name.clone(),
        }
    }
}

impl From<&AssessedUser<'_>> for RecordUserResponse {
    fn from(assessed: &AssessedUser<'_>) -> Self {
        let user = assessed.user;
        Self {
            id: user.id.clone(),
            login: user.login.clone(),
            management_status: user.management_status.clone(),
            status: user.status.clone(),
            added_at: user.created,
            counts: assessed.counts,
        }
    }
}
