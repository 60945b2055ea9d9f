//! Tests of the verdict. The fixture is a trusted Mac; each test changes it.

mod facts;
mod freshness;
mod notes;
mod properties;
mod records;
mod rules;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::*;
use crate::model::devices::reports::EnrollmentState;
use crate::model::{IntegrationId, OktaDeviceId, OktaDeviceUser, Platform, SerialNumber, Udid};

const SERIAL: &str = "C02ABC123DEF";
const OTHER_SERIAL: &str = "C02XYZ999DEF";
const UDID: &str = "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D";
const OTHER_UDID: &str = "00000000-0000-4000-8000-000000000001";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn days_ago(days: i64) -> DateTime<Utc> {
    now() - TimeDelta::days(days)
}

fn minutes_ago(minutes: i64) -> DateTime<Utc> {
    now() - TimeDelta::minutes(minutes)
}

fn serial(text: &str) -> SerialNumber {
    SerialNumber::parse(text).unwrap()
}

fn udid(text: &str) -> Udid {
    Udid::parse(text).unwrap()
}

fn okta_id(text: &str) -> OktaDeviceId {
    OktaDeviceId::parse(text).unwrap()
}

fn policy() -> Policy {
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

fn lenient() -> Policy {
    Policy { require_inventory: false, ..policy() }
}

fn user(id: &str, status: Option<&str>) -> OktaDeviceUser {
    OktaDeviceUser {
        id: id.to_owned(),
        login: format!("{id}@acme.example"),
        management_status: status.map(str::to_owned),
        status: Some("ACTIVE".to_owned()),
        created: Some(days_ago(9)),
    }
}

fn managed(id: &str) -> OktaDeviceUser {
    user(id, Some("MANAGED"))
}

/// Returns a record of the Mac: created 9 days ago, managed, seen 5 minutes ago by a sweep.
fn record(id: &str) -> OktaRecord {
    OktaRecord {
        okta_device_id: okta_id(id),
        platform: "MACOS".to_owned(),
        status: "ACTIVE".to_owned(),
        serial_number: Some(serial(SERIAL)),
        udid: Some(udid(UDID)),
        display_name: None,
        created_at: days_ago(9),
        last_updated_at: days_ago(1),
        users: vec![managed("ada")],
        users_known: true,
        users_read_at: None,
        users_added_at: Some(days_ago(9)),
        used_at: None,
        use_seen_at: None,
        identity_changed_at: None,
        disputed: false,
        names_another: false,
        observed_at: minutes_ago(20),
        follows_sweeps: true,
        users_observed_at: None,
        not_found_at: None,
    }
}

/// Returns a record older than that of [`trusted`], with a user who was added back then.
fn older_record(id: &str) -> OktaRecord {
    let users = vec![OktaDeviceUser { created: Some(days_ago(20)), ..managed("ada") }];
    OktaRecord { created_at: days_ago(20), users_added_at: Some(days_ago(20)), users, ..record(id) }
}

fn asked_by_serial() -> AskedDevice {
    AskedDevice { serial_number: Some(serial(SERIAL)), ..AskedDevice::default() }
}

fn asked_by_id(id: &str) -> AskedDevice {
    AskedDevice { okta_device_id: Some(okta_id(id)), ..AskedDevice::default() }
}

/// Returns a trusted Mac, first enrolled 10 days ago.
fn trusted() -> Facts {
    Facts {
        asked: asked_by_serial(),
        org: Some(Arc::new(OrgFacts {
            id: IntegrationId(Uuid::nil()),
            okta_domain: "acme.okta.com".to_owned(),
            connected: true,
            platforms: vec![Platform::Macos, Platform::Ios],
            swept_at: Some(minutes_ago(5)),
            degraded: false,
            ios_identifiers_since: Some(2),
            unmatched_ios: false,
        })),
        device: Some(DeviceFacts {
            serial_number: serial(SERIAL),
            platform: Some(Platform::Macos),
            udid: Some(udid(UDID)),
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
            reported_at: days_ago(1),
            first_reported_at: days_ago(10),
            delivery: Some(Delivery { config_version: 3, delivered_at: days_ago(10) }),
            certificate: Some(CountingCertificate {
                serial_number: "5e1f".to_owned(),
                not_before: days_ago(9),
                not_after: now() + TimeDelta::days(300),
            }),
        }),
        records: vec![record("guo1")],
        ..Facts::default()
    }
}

/// Returns the trusted Mac as an iPhone.
fn trusted_iphone() -> Facts {
    let mut facts = trusted();
    device(&mut facts).platform = Some(Platform::Ios);
    device(&mut facts).certificate = None;
    first(&mut facts).platform = "IOS".to_owned();
    facts
}

/// Wipes the device 2 days ago; it was enrolled and configured again 10 minutes later.
fn wipe(facts: &mut Facts) {
    let device = device(facts);
    device.left_at = Some(days_ago(2));
    device.enrolled_since = Some(days_ago(2) + TimeDelta::minutes(10));
    device.delivery =
        Some(Delivery { config_version: 3, delivered_at: days_ago(2) + TimeDelta::minutes(12) });
    device.certificate = None;
}

/// Uses the record at `at`. The use was seen a minute later, and the users were read after that.
fn use_record(record: &mut OktaRecord, at: DateTime<Utc>) {
    record.last_updated_at = at;
    record.used_at = Some(at);
    record.use_seen_at = Some(at + TimeDelta::minutes(1));
    record.users_read_at = Some(at + TimeDelta::minutes(2));
}

fn org(facts: &mut Facts, change: impl FnOnce(&mut OrgFacts)) {
    change(Arc::make_mut(facts.org.as_mut().unwrap()));
}

fn device(facts: &mut Facts) -> &mut DeviceFacts {
    facts.device.as_mut().unwrap()
}

fn first(facts: &mut Facts) -> &mut OktaRecord {
    facts.records.first_mut().unwrap()
}

fn reason_of(facts: &Facts, policy: &Policy) -> Reason {
    decide(facts, policy, now()).reasons[0]
}

#[track_caller]
fn expect(facts: &Facts, reason: Reason) {
    assert_eq!(reason_of(facts, &policy()), reason);
}

fn notes_of(facts: &Facts) -> Vec<Reason> {
    decide(facts, &policy(), now()).reasons[1..].to_vec()
}

/// Okta rejects an account that is added while Okta Verify still has it.
#[test]
fn texts_about_adding_an_account_say_to_remove_it_first() {
    for reason in Reason::ALL {
        let Some(remediation) = reason.remediation() else { continue };
        let text = remediation.text;
        let adds = ["add the account", "add it again", "adds it again"];
        if adds.iter().any(|words| text.contains(words)) {
            assert!(text.contains("remove"), "{text}");
        }
        assert!(!text.contains("delete") || text.contains("no Okta Verify app uses"), "{text}");
    }
}

#[test]
fn every_remediation_has_its_own_text() {
    let mut ids = std::collections::BTreeSet::new();
    for reason in Reason::ALL.iter().copied() {
        if let Some(remediation) = reason.remediation() {
            assert_eq!(remediation.text_id, format!("trust_status.{}", reason.as_str()));
            assert!(remediation.text.len() > 15 && remediation.text.ends_with('.'), "{reason:?}");
            assert!(ids.insert(remediation.text_id));
        }
        let name = serde_json::to_value(reason).unwrap();
        assert_eq!(name, reason.as_str());
        assert_eq!(Reason::parse(reason.as_str()), Some(reason));
    }
}

#[test]
fn reasons_without_an_action_have_no_remediation() {
    let none: Vec<Reason> =
        Reason::ALL.iter().copied().filter(|reason| reason.remediation().is_none()).collect();
    let expected = [
        Reason::OktaBudgetExhausted,
        Reason::OktaRecordNotSeen,
        Reason::ManagementStatusUnknown,
        Reason::ManagedAndActive,
    ];
    assert_eq!(none, expected);
}

#[test]
fn every_verdict_has_one_name() {
    for (trust, name) in [
        (Trust::Trusted, "trusted"),
        (Trust::Pending, "pending"),
        (Trust::Untrusted, "untrusted"),
        (Trust::Unknown, "unknown"),
    ] {
        assert_eq!(trust.as_str(), name);
        assert_eq!(Trust::parse(name), Some(trust));
        assert_eq!(serde_json::to_value(trust).unwrap(), name);
    }
    assert_eq!(Trust::parse("Trusted"), None);
}

#[test]
fn serial_number_is_the_inventorys_or_else_the_queried_one() {
    let mut facts = trusted();
    facts.asked.serial_number = Some(serial(OTHER_SERIAL));
    assert_eq!(facts.serial_number(), Some(&serial(SERIAL)));
    facts.device = None;
    assert_eq!(facts.serial_number(), Some(&serial(OTHER_SERIAL)));
    facts.asked = asked_by_id("guo1");
    assert_eq!(facts.serial_number(), None);
}

#[test]
fn serial_number_is_the_only_identifier_without_udid_and_okta_id() {
    let by_serial = AskedDevice { serial_number: Some(serial(SERIAL)), ..AskedDevice::default() };
    assert_eq!(by_serial.only_serial_number(), Some(&serial(SERIAL)));
    let and_udid = AskedDevice { udid: Some(udid(UDID)), ..by_serial.clone() };
    assert_eq!(and_udid.only_serial_number(), None);
    let id = asked_by_id("guo1").okta_device_id;
    let and_id = AskedDevice { okta_device_id: id, ..by_serial };
    assert_eq!(and_id.only_serial_number(), None);
    assert_eq!(AskedDevice::default().only_serial_number(), None);
}
