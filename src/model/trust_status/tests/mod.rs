//! The table of cases.

mod properties;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::*;
use crate::model::IntegrationId;
use crate::model::devices::reports::EnrollmentState;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn policy() -> Policy {
    Policy {
        fresh_for: TimeDelta::minutes(15),
        unknown_after: TimeDelta::hours(24),
        max_age: None,
        require_inventory: true,
        all_users: false,
    }
}

fn user(id: &str, status: Option<&str>) -> OktaDeviceUser {
    OktaDeviceUser {
        id: id.to_owned(),
        login: format!("{id}@acme.example"),
        management_status: status.map(str::to_owned),
        ..OktaDeviceUser::default()
    }
}

fn record(id: &str) -> OktaRecord {
    OktaRecord {
        okta_device_id: id.to_owned(),
        platform: "MACOS".to_owned(),
        status: "ACTIVE".to_owned(),
        serial_number: Some("C02ABC123DEF".to_owned()),
        udid: None,
        display_name: None,
        created_at: now() - TimeDelta::days(9),
        last_updated_at: now() - TimeDelta::days(1),
        users: vec![user("ada", Some("MANAGED"))],
        users_known: true,
        observed_at: now() - TimeDelta::minutes(20),
        not_found_at: None,
        follows_sweeps: true,
        users_observed_at: None,
    }
}

/// A Mac that is trusted.
fn trusted() -> Facts {
    let certificate = CountingCertificate {
        serial_number: "5e1f".to_owned(),
        not_before: now() - TimeDelta::days(9),
        not_after: now() + TimeDelta::days(300),
    };
    Facts {
        asked: AskedDevice {
            serial_number: Some("C02ABC123DEF".to_owned()),
            ..AskedDevice::default()
        },
        searched_at: None,
        budget_exhausted: false,
        org: Some(Arc::new(OrgFacts {
            id: IntegrationId(Uuid::nil()),
            okta_domain: "acme.okta.com".to_owned(),
            connected: true,
            platforms: vec![Platform::Macos, Platform::Ios],
            swept_at: Some(now() - TimeDelta::minutes(5)),
            degraded: false,
        })),
        device: Some(DeviceFacts {
            serial_number: "C02ABC123DEF".to_owned(),
            platform: Some(Platform::Macos),
            udid: Some("8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D".to_owned()),
            okta_device_id: None,
            enrollment: Some(EnrollmentState::Enrolled),
            okta_verify_installed_at: None,
            counts_from: Some(now() - TimeDelta::days(10)),
            reported_at: now() - TimeDelta::days(1),
            deleted_at: None,
            delivery: Some(Delivery {
                config_version: 3,
                reported_at: now() - TimeDelta::days(10),
            }),
            certificate: Some(certificate),
        }),
        several_devices: false,
        okta_devices: vec![record("guo1")],
        unmatched_ios: UnmatchedIos::default(),
    }
}

fn org(facts: &mut Facts, change: impl FnOnce(&mut OrgFacts)) {
    change(Arc::make_mut(facts.org.as_mut().unwrap()));
}

fn device(facts: &mut Facts) -> &mut DeviceFacts {
    facts.device.as_mut().unwrap()
}

fn newest(facts: &mut Facts) -> &mut OktaRecord {
    facts.okta_devices.last_mut().unwrap()
}

fn reason_of(facts: &Facts, policy: &Policy) -> Reason {
    decide(facts, policy, now()).reasons[0]
}

type Change = fn(&mut Facts);

/// Each makes one rule hold, in the order in which the rules decide.
const RULES: [(Reason, Change); 9] = [
    (Reason::NeverConnected, |facts| org(facts, |org| org.connected = false)),
    (Reason::OktaUnreachable, |facts| {
        org(facts, |org| org.swept_at = Some(now() - TimeDelta::hours(25)));

        facts.okta_devices.iter_mut().for_each(|record| {
            record.observed_at = now() - TimeDelta::hours(25);
        });
    }),
    (Reason::MdmUnenrolled, |facts| device(facts).enrollment = Some(EnrollmentState::Unenrolled)),
    (Reason::PlatformNotConfigured, |facts| org(facts, |org| org.platforms.clear())),
    (Reason::ConflictingIdentity, |facts| {
        facts.asked.udid = Some("00008030-001C45A83C98802E".to_owned());
    }),
    (Reason::OktaDeviceSuspended, |facts| newest(facts).status = "SUSPENDED".to_owned()),
    (Reason::CertificateExpired, |facts| {
        device(facts).certificate.as_mut().unwrap().not_after = now();
    }),
    (Reason::ManagementStatusUnknown, |facts| {
        newest(facts).users = vec![user("ada", None)];
        newest(facts).users_known = false;
    }),
    (Reason::AwaitingFastpassSignIn, |facts| newest(facts).users.clear()),
];

#[test]
fn each_rule_decides_by_itself_and_of_any_two_the_earlier_one() {
    assert_eq!(reason_of(&trusted(), &policy()), Reason::ManagedAndActive);
    for (place, (reason, change)) in RULES.iter().enumerate() {
        let mut facts = trusted();
        change(&mut facts);
        let verdict = decide(&facts, &policy(), now());
        assert_eq!(verdict.reasons[0], *reason);
        assert_eq!(Some(verdict.trust), reason.trust());
        for (later, also) in &RULES[place + 1..] {
            // Users who are cleared are known again: the two cannot hold at once.
            if (*reason, *later)
                == (Reason::ManagementStatusUnknown, Reason::AwaitingFastpassSignIn)
            {
                continue;
            }
            let mut facts = trusted();
            also(&mut facts);
            change(&mut facts);
            assert_eq!(reason_of(&facts, &policy()), *reason, "{reason:?} before {later:?}");
        }
    }
}

#[test]
fn a_device_that_the_mdm_does_not_know_comes_before_its_platform_and_after_the_age_of_facts() {
    let mut facts = trusted();
    facts.device = None;
    assert_eq!(reason_of(&facts, &policy()), Reason::NotKnownToMdm);
    org(&mut facts, |org| org.platforms.clear());
    assert_eq!(reason_of(&facts, &policy()), Reason::NotKnownToMdm);
    RULES[1].1(&mut facts);
    assert_eq!(reason_of(&facts, &policy()), Reason::OktaUnreachable);
    let mut untold = trusted();
    device(&mut untold).enrollment = None;
    assert_eq!(reason_of(&untold, &policy()), Reason::NotKnownToMdm);
}

#[test]
fn without_a_record_the_delivery_decides_and_an_iphone_may_be_one_that_names_no_device() {
    let mut facts = trusted();
    facts.okta_devices.clear();
    assert_eq!(reason_of(&facts, &policy()), Reason::NotRegisteredInOkta);
    // Identifiers that contradict each other come before it, and after the platform.
    facts.asked.udid = Some("00008030-001C45A83C98802E".to_owned());
    assert_eq!(reason_of(&facts, &policy()), Reason::ConflictingIdentity);
    facts.asked.udid = None;
    facts.unmatched_ios.nameless = true;
    assert_eq!(reason_of(&facts, &policy()), Reason::NotRegisteredInOkta);
    device(&mut facts).platform = Some(Platform::Ios);
    assert_eq!(reason_of(&facts, &policy()), Reason::OktaRecordUnmatched);
    facts.unmatched_ios.nameless = false;
    device(&mut facts).delivery = None;
    assert_eq!(reason_of(&facts, &policy()), Reason::ConfigNotDelivered);
    org(&mut facts, |org| org.platforms = vec![Platform::Macos]);
    assert_eq!(reason_of(&facts, &policy()), Reason::PlatformNotConfigured);
}

#[test]
fn a_delivery_of_an_earlier_enrolment_is_none() {
    let mut facts = trusted();
    newest(&mut facts).users.clear();
    device(&mut facts).counts_from = Some(now() - TimeDelta::days(9));
    assert_eq!(reason_of(&facts, &policy()), Reason::ConfigNotDelivered);
}

#[test]
fn a_deleted_device_is_given_up_until_it_is_reported_again() {
    let mut facts = trusted();
    let reported_at = device(&mut facts).reported_at;
    device(&mut facts).deleted_at = Some(reported_at);
    assert_eq!(reason_of(&facts, &policy()), Reason::MdmUnenrolled);
    device(&mut facts).reported_at = reported_at + TimeDelta::seconds(1);
    assert_eq!(reason_of(&facts, &policy()), Reason::ManagedAndActive);
}

#[test]
fn any_state_of_the_newest_record_but_active_is_not_trusted() {
    for (status, reason) in [
        ("SUSPENDED", Reason::OktaDeviceSuspended),
        ("DEACTIVATED", Reason::OktaDeviceDeactivated),
        ("CREATED", Reason::OktaDeviceInactive),
        ("active", Reason::OktaDeviceInactive),
        ("", Reason::OktaDeviceInactive),
    ] {
        let mut facts = trusted();
        newest(&mut facts).status = status.to_owned();
        assert_eq!(reason_of(&facts, &policy()), reason, "{status}");
    }
    let mut gone = trusted();
    newest(&mut gone).not_found_at = Some(now());
    assert_eq!(reason_of(&gone, &policy()), Reason::OktaDeviceInactive);
}

#[test]
fn after_a_wipe_the_second_record_counts_and_the_first_is_a_note() {
    let mut facts = trusted();
    newest(&mut facts).status = "DEACTIVATED".to_owned();
    let mut second = record("guo2");
    second.created_at = now() - TimeDelta::days(1);
    facts.okta_devices.insert(0, second);
    let verdict = decide(&facts, &policy(), now());
    assert_eq!(verdict.reasons, [Reason::ManagedAndActive, Reason::DuplicateOktaRecords]);
}

#[test]
fn a_record_of_another_device_is_a_conflict_and_so_is_one_that_nothing_ties_to_it() {
    let mut facts = trusted();
    newest(&mut facts).serial_number = None;
    // Only the question says that it is this device's.
    facts.asked.okta_device_id = Some("guo1".to_owned());
    assert_eq!(reason_of(&facts, &policy()), Reason::ConflictingIdentity);
    device(&mut facts).okta_device_id = Some("guo1".to_owned());
    assert_eq!(reason_of(&facts, &policy()), Reason::ManagedAndActive);
    newest(&mut facts).udid = Some("00008030-001C45A83C98802E".to_owned());
    assert_eq!(reason_of(&facts, &policy()), Reason::ConflictingIdentity);
    newest(&mut facts).udid = None;
    newest(&mut facts).serial_number = Some("C02OTHER1DEF".to_owned());
    assert_eq!(reason_of(&facts, &policy()), Reason::ConflictingIdentity);
}

#[test]
fn an_id_of_oktas_that_leads_elsewhere_or_nowhere_is_a_conflict() {
    let mut facts = trusted();
    facts.asked.okta_device_id = Some("guoNobody".to_owned());
    assert_eq!(reason_of(&facts, &policy()), Reason::ConflictingIdentity);
    // An iPhone's record, of which nobody knows whose it is.
    let nameless = OktaRecord { serial_number: None, platform: "IOS".to_owned(), ..record("guo2") };
    facts.asked.okta_device_id = Some("guo2".to_owned());
    facts.okta_devices.push(nameless);
    assert_eq!(reason_of(&facts, &policy()), Reason::ConflictingIdentity);
    let lenient = Policy { require_inventory: false, ..policy() };
    facts.device = None;
    assert_eq!(reason_of(&facts, &lenient), Reason::ConflictingIdentity);
    facts.okta_devices.remove(0);
    assert_eq!(reason_of(&facts, &lenient), Reason::ManagedAndActive);
    // Two records that name a device each, and only the question says that it is the same.
    let udid = Some("8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D".to_owned());
    facts.asked = AskedDevice { udid: udid.clone(), ..trusted().asked };
    facts.okta_devices = vec![
        record("guo1"),
        OktaRecord { serial_number: None, udid: udid.clone(), ..record("guo2") },
    ];
    assert_eq!(reason_of(&facts, &lenient), Reason::ConflictingIdentity);
    facts.okta_devices.push(OktaRecord { udid, ..record("guo3") });
    assert_eq!(reason_of(&facts, &lenient), Reason::ManagedAndActive);
    let mut facts = trusted();
    facts.several_devices = true;
    assert_eq!(reason_of(&facts, &policy()), Reason::ConflictingIdentity);
}

#[test]
fn a_repair_that_gives_a_mac_another_udid_is_no_conflict() {
    let mut facts = trusted();
    newest(&mut facts).udid = Some("00000000-0000-4000-8000-000000000001".to_owned());
    assert_eq!(reason_of(&facts, &policy()), Reason::ConflictingIdentity);
    let udid = device(&mut facts).udid.clone();
    facts.okta_devices.push(OktaRecord { udid, created_at: now(), ..record("guo2") });
    assert_eq!(reason_of(&facts, &policy()), Reason::ManagedAndActive);
    facts.asked.udid = facts.okta_devices[0].udid.clone();
    assert_eq!(reason_of(&facts, &policy()), Reason::ConflictingIdentity, "the old UDID was asked");
}

#[test]
fn an_ios_record_with_a_udid_alone_may_be_any_device_without_one() {
    let mut facts = trusted();
    facts.okta_devices.clear();
    facts.unmatched_ios.udid_only = true;
    device(&mut facts).platform = Some(Platform::Ios);
    assert_eq!(reason_of(&facts, &policy()), Reason::NotRegisteredInOkta, "it has another UDID");
    device(&mut facts).udid = None;
    assert_eq!(reason_of(&facts, &policy()), Reason::OktaRecordUnmatched);
}

#[test]
fn users_that_lists_do_not_tell_of_are_as_old_as_when_they_were_asked_for() {
    let mut facts = trusted();
    newest(&mut facts).users_observed_at = Some(now() - TimeDelta::hours(2));
    let verdict = decide(&facts, &policy(), now());
    assert_eq!(verdict.observed_at, Some(now() - TimeDelta::hours(2)));
    assert!(verdict.stale && verdict.trust == Trust::Trusted);
    newest(&mut facts).users_observed_at = Some(now() - TimeDelta::hours(25));
    assert_eq!(reason_of(&facts, &policy()), Reason::OktaUnreachable);
}

#[test]
fn the_policy_is_met_by_any_user_or_by_all_and_never_by_none() {
    let (yes, no, untold) = (Some("MANAGED"), Some("NOT_MANAGED"), None);
    for (users, any, all) in [
        (vec![yes], Reason::ManagedAndActive, Reason::ManagedAndActive),
        (vec![yes, yes], Reason::ManagedAndActive, Reason::ManagedAndActive),
        (vec![yes, no], Reason::ManagedAndActive, Reason::AwaitingFastpassSignIn),
        (vec![no], Reason::AwaitingFastpassSignIn, Reason::AwaitingFastpassSignIn),
        (vec![], Reason::AwaitingFastpassSignIn, Reason::AwaitingFastpassSignIn),
        (vec![yes, untold], Reason::ManagedAndActive, Reason::ManagementStatusUnknown),
        (vec![no, untold], Reason::ManagementStatusUnknown, Reason::ManagementStatusUnknown),
        (vec![Some("managed")], Reason::AwaitingFastpassSignIn, Reason::AwaitingFastpassSignIn),
    ] {
        let mut facts = trusted();
        newest(&mut facts).users_known = users.iter().all(Option::is_some);
        newest(&mut facts).users = users.iter().map(|status| user("u", *status)).collect();
        assert_eq!(reason_of(&facts, &policy()), any, "any of {users:?}");
        let all_users = Policy { all_users: true, ..policy() };
        assert_eq!(reason_of(&facts, &all_users), all, "all of {users:?}");
    }
}

#[test]
fn an_iphone_has_no_certificate_reasons() {
    let mut facts = trusted();
    RULES[6].1(&mut facts);
    device(&mut facts).platform = Some(Platform::Ios);
    newest(&mut facts).platform = "IOS".to_owned();
    assert_eq!(decide(&facts, &policy(), now()).reasons, [Reason::ManagedAndActive]);
}

#[test]
fn a_device_that_only_okta_knows_is_trusted_where_the_inventory_is_not_required() {
    let lenient = Policy { require_inventory: false, ..policy() };
    let mut facts = trusted();
    facts.device = None;
    assert_eq!(reason_of(&facts, &lenient), Reason::ManagedAndActive);
    newest(&mut facts).platform = "WINDOWS".to_owned();
    assert_eq!(reason_of(&facts, &lenient), Reason::PlatformNotConfigured);
    facts.okta_devices.clear();
    assert_eq!(reason_of(&facts, &lenient), Reason::ConfigNotDelivered);
    let mut left = trusted();
    device(&mut left).enrollment = Some(EnrollmentState::Wiped);
    assert_eq!(reason_of(&left, &lenient), Reason::MdmUnenrolled);
}

#[test]
fn notes_decide_nothing() {
    let mut facts = trusted();
    device(&mut facts).certificate.as_mut().unwrap().not_after = now() + TimeDelta::days(30);
    newest(&mut facts).users.push(user("bob", Some("NOT_MANAGED")));
    org(&mut facts, |org| org.degraded = true);
    let expected = [
        Reason::ManagedAndActive,
        Reason::CertificateExpiring,
        Reason::MixedUserProfiles,
        Reason::IntegrationDegraded,
    ];
    assert_eq!(decide(&facts, &policy(), now()).reasons, expected);
    device(&mut facts).certificate = None;
    assert!(decide(&facts, &policy(), now()).reasons.contains(&Reason::CertificateMissing));
}

#[test]
fn facts_are_as_old_as_the_sweep_or_as_the_row_that_was_read_later() {
    let mut facts = trusted();
    let verdict = decide(&facts, &policy(), now());
    assert_eq!(verdict.observed_at, Some(now() - TimeDelta::minutes(5)));
    assert_eq!(verdict.fresh_until, Some(now() + TimeDelta::minutes(10)));
    newest(&mut facts).observed_at = now() - TimeDelta::minutes(1);
    let verdict = decide(&facts, &policy(), now());
    assert_eq!(verdict.observed_at, Some(now() - TimeDelta::minutes(1)));
    facts.okta_devices.clear();
    let verdict = decide(&facts, &policy(), now());
    assert_eq!(verdict.observed_at, Some(now() - TimeDelta::minutes(5)));
    // A certificate that ends sooner ends the answer sooner.
    let mut facts = trusted();
    let end = now() + TimeDelta::minutes(2);
    device(&mut facts).certificate.as_mut().unwrap().not_after = end;
    assert_eq!(decide(&facts, &policy(), now()).fresh_until, Some(end));
}

#[test]
fn what_was_observed_in_the_future_is_no_fresher_than_now() {
    let mut facts = trusted();
    org(&mut facts, |org| org.swept_at = Some(now() + TimeDelta::hours(9)));
    let verdict = decide(&facts, &policy(), now());
    assert_eq!(verdict.observed_at, Some(now()));
    assert_eq!(verdict.fresh_until, Some(now() + TimeDelta::minutes(15)));
}

#[test]
fn facts_grow_stale_and_then_decide_nothing_but_are_told() {
    let facts = trusted();
    let seen = now() - TimeDelta::minutes(5);
    let at = |age: TimeDelta, policy: &Policy| decide(&facts, policy, seen + age);
    assert!(!at(TimeDelta::minutes(15), &policy()).stale);
    let stale = at(TimeDelta::minutes(16), &policy());
    assert!(stale.stale && stale.trust == Trust::Trusted);
    assert_eq!(at(TimeDelta::hours(24), &policy()).trust, Trust::Trusted);
    let unknown = at(TimeDelta::hours(24) + TimeDelta::seconds(1), &policy());
    assert_eq!(unknown.reasons[0], Reason::OktaUnreachable);
    let last = LastKnown { trust: Trust::Trusted, observed_at: seen };
    assert_eq!((unknown.last_known, unknown.fresh_until), (Some(last), None));
    // A caller lowers the bound and never raises it.
    for (max_age, trust) in [(4, Trust::Unknown), (5, Trust::Trusted)] {
        let asked = Policy { max_age: Some(TimeDelta::minutes(max_age)), ..policy() };
        let verdict = decide(&facts, &asked, now());
        assert_eq!((verdict.trust, verdict.stale), (trust, false));
        assert_eq!(verdict.fresh_until.is_some(), trust == Trust::Trusted);
    }
    let patient = Policy { max_age: Some(TimeDelta::days(9)), ..policy() };
    assert_eq!(at(TimeDelta::hours(25), &patient).trust, Trust::Unknown);
}

#[test]
fn every_reason_has_a_remediation_of_its_own() {
    let mut ids = std::collections::BTreeSet::new();
    for reason in Reason::ALL {
        let remediation = reason.remediation();
        assert_eq!(remediation.text_id, format!("trust_status.{}", reason.as_str()));
        assert!(remediation.text.len() > 15 && remediation.text.ends_with('.'), "{reason:?}");
        assert!(ids.insert(remediation.text_id));
        let word = serde_json::to_value(reason).unwrap();
        assert_eq!(word, reason.as_str());
        assert_eq!(Reason::parse(reason.as_str()), Some(reason));
    }
}
