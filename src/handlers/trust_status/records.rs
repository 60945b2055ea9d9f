//! Okta's records of a device in an answer: whether each counts, and if not, why.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::trust_status::{AssessedRecord, AssessedUser, RecordStanding};

/// A record of the org that an identifier of the device names.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OktaRecordResponse {
    #[schema(example = "guo1a2b3c4d5e6f7g8h9")]
    pub okta_device_id: String,
    /// Whether the verdict depends on it.
    pub counts: bool,
    /// `counts`, or why it does not: `not_used_since_enrolment` (not used since the device was last
    /// enrolled), `superseded` (not used since a newer record was created), `another_device` (it
    /// contradicts what is known of the device), `disputed` (its identifiers changed and changed back),
    /// `pre_registered` (nobody registered it yet), `not_found` (Okta has no such record any more).
    pub standing: RecordStanding,
    /// Okta's value.
    #[schema(example = "ACTIVE")]
    pub status: String,
    /// Okta's value.
    #[schema(example = "MACOS")]
    pub platform: String,
    /// `null` where Okta's record lacks it, or has a text there that is no serial number.
    #[schema(required)]
    pub serial_number: Option<String>,
    /// `null` where Okta's record lacks it, or has a text there that is no UDID.
    #[schema(required)]
    pub udid: Option<String>,
    pub users: Vec<RecordUserResponse>,
    pub created_at: DateTime<Utc>,
    pub last_updated_at: DateTime<Utc>,
    /// The last sign-in that reads of the record showed; `null` if none did.
    #[schema(required)]
    pub used_at: Option<DateTime<Utc>>,
    /// When it was last read.
    pub observed_at: DateTime<Utc>,
    /// When Okta first answered that it has no such record.
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
    /// `MANAGED`, `NOT_MANAGED` or another value of Okta's; `null` until Okta has told it.
    #[schema(required, example = "MANAGED")]
    pub management_status: Option<String>,
    /// Okta's status of the user; `null` until Okta has told it.
    #[schema(required, example = "ACTIVE")]
    pub status: Option<String>,
    /// When the user was added to the record; `null` until Okta has told it.
    #[schema(required)]
    pub added_at: Option<DateTime<Utc>>,
    /// False for a user who was added before the device's present life and need not be the one who uses
    /// it now, and for one who is deprovisioned or suspended in Okta.
    pub counts: bool,
}

impl OktaRecordResponse {
    /// As old as the verdict takes it to be.
    pub(super) fn of(assessed: &AssessedRecord<'_>, swept_at: Option<DateTime<Utc>>) -> Self {
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
