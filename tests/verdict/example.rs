//! The facts of a trusted device, which tests modify.

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeDelta, Utc};
use okta_device_trust::model::devices::reports::EnrollmentState;
use okta_device_trust::model::trust_status::{
    AskedDevice, CountingCertificate, Delivery, DeviceFacts, Facts, OktaRecord, OrgFacts, Policy,
    Reported,
};
use okta_device_trust::model::{
    IntegrationId, OktaDeviceId, OktaDeviceUser, Platform, SerialNumber, Udid,
};

pub type Time = DateTime<Utc>;

/// The identifiers of the device, followed by those of others.
pub static SERIAL_NUMBERS: LazyLock<[SerialNumber; 2]> = LazyLock::new(|| {
    ["C02AAAAAAAAA", "C02BBBBBBBBB"].map(|text| SerialNumber::parse(text).expect("a serial number"))
});
pub static UDIDS: LazyLock<[Udid; 2]> = LazyLock::new(|| {
    ["00008110-000A1D2E3F4A5B6C", "00008110-000B1D2E3F4A5B6C"]
        .map(|text| Udid::parse(text).expect("a UDID"))
});
/// The IDs of the records, in the order of the facts; no record has the last one.
pub static OKTA_IDS: LazyLock<[OktaDeviceId; 4]> = LazyLock::new(|| {
    ["guo0", "guo1", "guo2", "guo3"].map(|text| OktaDeviceId::parse(text).expect("an id"))
});
static ORG: LazyLock<OrgFacts> = LazyLock::new(|| OrgFacts {
    id: IntegrationId::new(),
    okta_domain: "acme.okta.com".to_owned(),
    connected: true,
    platforms: vec![Platform::Macos, Platform::Ios],
    swept_at: Some(at(-1)),
    degraded: false,
    ios_identifiers_since: Some(5),
    unmatched_ios: false,
});

/// Returns the time of the query.
pub fn now() -> Time {
    DateTime::from_timestamp(1_790_000_000, 0).expect("a time")
}

/// Returns the time `hours` after the query.
pub fn at(hours: i64) -> Time {
    now() + TimeDelta::hours(hours)
}

pub fn facts() -> Facts {
    Facts {
        asked: AskedDevice { serial_number: Some(SERIAL_NUMBERS[0].clone()), ..Default::default() },
        org: Some(Arc::new(org())),
        device: Some(device()),
        records: vec![record(0)],
        ..Default::default()
    }
}

pub fn org() -> OrgFacts {
    ORG.clone()
}

/// Returns an enrolled Mac that never left.
pub fn device() -> DeviceFacts {
    DeviceFacts {
        serial_number: SERIAL_NUMBERS[0].clone(),
        platform: Some(Platform::Macos),
        udid: Some(UDIDS[0].clone()),
        okta_device_id: None,
        okta_device_id_reported_at: None,
        enrollment: Some(EnrollmentState::Enrolled),
        living: true,
        left_at: None,
        enrolled_since: None,
        last_enrolled_at: None,
        okta_verify: None,
        check_in: None,
        lost_mode: None,
        reported_at: at(-1),
        first_reported_at: at(-2000),
        delivery: Some(delivery(-900)),
        certificate: Some(certificate(24 * 300)),
    }
}

pub fn reported<T>(value: T, at: Time) -> Reported<T> {
    Reported { value, at }
}

pub fn delivery(hours: i64) -> Delivery {
    Delivery { config_version: 7, delivered_at: at(hours) }
}

pub fn certificate(expires_in_hours: i64) -> CountingCertificate {
    CountingCertificate {
        serial_number: "5e1f0a9b7c3d".to_owned(),
        not_before: at(expires_in_hours - 24 * 365),
        not_after: at(expires_in_hours),
    }
}

/// Returns an active record of the device with a managed user.
pub fn record(number: usize) -> OktaRecord {
    OktaRecord {
        okta_device_id: OKTA_IDS[number].clone(),
        platform: "MACOS".to_owned(),
        status: "ACTIVE".to_owned(),
        serial_number: Some(SERIAL_NUMBERS[0].clone()),
        udid: Some(UDIDS[0].clone()),
        display_name: None,
        created_at: at(-800),
        last_updated_at: at(-800),
        users: vec![user(Some("MANAGED"), Some(-800))],
        users_known: true,
        users_read_at: None,
        users_added_at: Some(at(-800)),
        used_at: None,
        use_seen_at: None,
        identity_changed_at: None,
        disputed: false,
        names_another: false,
        observed_at: at(-2),
        follows_sweeps: true,
        users_observed_at: None,
        not_found_at: None,
    }
}

pub fn user(management_status: Option<&str>, added: Option<i64>) -> OktaDeviceUser {
    OktaDeviceUser {
        id: "00u1".to_owned(),
        login: "ada@acme.example".to_owned(),
        management_status: management_status.map(ToOwned::to_owned),
        status: None,
        created: added.map(at),
    }
}

/// Returns the user as one who can no longer sign in to the org.
pub fn deprovisioned(user: OktaDeviceUser) -> OktaDeviceUser {
    OktaDeviceUser { status: Some("DEPROVISIONED".to_owned()), ..user }
}

pub fn policy() -> Policy {
    Policy {
        fresh_for: TimeDelta::minutes(15),
        unknown_after: TimeDelta::hours(24),
        max_age: None,
        require_inventory: true,
        all_users: false,
        ios_single_install: true,
        last_seen_within: None,
    }
}

/// Returns whether the store can return these facts: a query by Okta ID only finds the living device that
/// the record names.
pub fn is_possible(facts: &Facts) -> bool {
    let asked = &facts.asked;
    let names_unfound_device = |record: &OktaRecord| {
        Some(&record.okta_device_id) == asked.okta_device_id.as_ref() && record.names_another
    };
    facts.device.is_some()
        || asked.serial_number.is_some()
        || asked.udid.is_some()
        || !facts.records.iter().any(names_unfound_device)
}
