//! Tests of each rule, and of the order of the rules.

use super::*;

type Change = fn(&mut Facts);

/// Changes to the trusted Mac that each make one rule apply, in the order of the rules.
const RULES: [(Reason, Change); 14] = [
    (Reason::ConflictingIdentity, |facts| facts.several_devices = true),
    (Reason::MdmUnenrolled, |facts| device(facts).enrollment = Some(EnrollmentState::Wiped)),
    (Reason::NotKnownToMdm, |facts| device(facts).enrollment = None),
    (Reason::MdmLostMode, |facts| {
        device(facts).lost_mode = Some(Reported { value: true, at: days_ago(1) });
    }),
    (Reason::NeverConnected, |facts| org(facts, |org| org.swept_at = None)),
    (Reason::PlatformNotConfigured, |facts| org(facts, |org| org.platforms = vec![Platform::Ios])),
    (Reason::OktaUnreachable, |facts| {
        org(facts, |org| org.swept_at = org.swept_at.map(|_| days_ago(2)));
        facts.records.iter_mut().for_each(|record| record.observed_at = days_ago(2));
    }),
    (Reason::OktaRecordSuperseded, |facts| {
        facts.asked = AskedDevice { okta_device_id: Some(okta_id("guo0")), ..asked_by_serial() };
        facts.records.insert(0, older_record("guo0"));
    }),
    // No record belongs to the device.
    (Reason::NotRegisteredInOkta, |facts| {
        facts.records.iter_mut().for_each(|record| record.names_another = true);
    }),
    (Reason::OktaDeviceSuspended, |facts| {
        facts.records.iter_mut().for_each(|record| record.status = "SUSPENDED".to_owned());
    }),
    (Reason::CertificateExpired, |facts| {
        device(facts).certificate.as_mut().unwrap().not_after = now();
    }),
    (Reason::ManagementStatusUnknown, |facts| {
        for record in &mut facts.records {
            record.users = vec![user("ada", None)];
            record.users_known = false;
        }
    }),
    (Reason::AwaitingFastpassSignIn, |facts| {
        facts.records.iter_mut().for_each(|record| record.users.clear());
    }),
    (Reason::MdmSilent, |facts| device(facts).first_reported_at = days_ago(400)),
];

/// Returns a policy with the limit that the last rule needs.
fn strict() -> Policy {
    Policy { last_seen_within: Some(TimeDelta::days(100)), ..policy() }
}

/// Returns whether the changes of two rules overwrite each other.
fn exclude_each_other(earlier: Reason, later: Reason) -> bool {
    matches!(
        (earlier, later),
        // Both set the enrollment state.
        (Reason::MdmUnenrolled, Reason::NotKnownToMdm)
            // No users are known users.
            | (Reason::ManagementStatusUnknown, Reason::AwaitingFastpassSignIn)
            // A queried record of another device is a conflict by rule 8.
            | (Reason::OktaRecordSuperseded, Reason::NotRegisteredInOkta)
    )
}

#[test]
fn the_earlier_of_two_rules_decides() {
    assert_eq!(reason_of(&trusted(), &strict()), Reason::ManagedAndActive);
    for (index, (reason, change)) in RULES.iter().enumerate() {
        let mut facts = trusted();
        change(&mut facts);
        let verdict = decide(&facts, &strict(), now());
        assert_eq!(verdict.reasons[0], *reason);
        assert_eq!(Some(verdict.trust), reason.trust());
        for (later, also) in &RULES[index + 1..] {
            if exclude_each_other(*reason, *later) {
                continue;
            }
            let mut facts = trusted();
            also(&mut facts);
            change(&mut facts);
            assert_eq!(reason_of(&facts, &strict()), *reason, "{reason:?} before {later:?}");
        }
    }
}

#[test]
fn rule_1_queried_identifiers_must_be_the_devices() {
    let mut facts = trusted();
    facts.asked.udid = Some(udid(OTHER_UDID));
    expect(&facts, Reason::ConflictingIdentity);
    facts.asked.udid = Some(udid(UDID));
    expect(&facts, Reason::ManagedAndActive);
    facts.asked.serial_number = Some(serial(OTHER_SERIAL));
    expect(&facts, Reason::ConflictingIdentity);
    // If the MDM reported no UDID, that of a record of the device is accepted.
    let mut facts = trusted();
    device(&mut facts).udid = None;
    facts.asked.udid = Some(udid(UDID));
    expect(&facts, Reason::ManagedAndActive);
    facts.asked.udid = Some(udid(OTHER_UDID));
    expect(&facts, Reason::ConflictingIdentity);
    // Without a mirror the records are unknown.
    org(&mut facts, |org| org.swept_at = None);
    expect(&facts, Reason::NeverConnected);
}

#[test]
fn rule_2_applies_even_if_the_inventory_is_not_required() {
    for state in [EnrollmentState::Unenrolled, EnrollmentState::Wiped] {
        let mut facts = trusted();
        device(&mut facts).enrollment = Some(state);
        assert_eq!(reason_of(&facts, &lenient()), Reason::MdmUnenrolled);
    }
    let mut facts = trusted();
    device(&mut facts).living = false;
    device(&mut facts).enrollment = None;
    assert_eq!(reason_of(&facts, &lenient()), Reason::MdmUnenrolled);
}

#[test]
fn rule_3_waits_for_the_record_in_a_query_by_okta_id_only() {
    let mut facts = trusted();
    facts.device = None;
    facts.asked = asked_by_id("guo1");
    expect(&facts, Reason::NotKnownToMdm);
    facts.records.clear();
    expect(&facts, Reason::OktaRecordNotSeen);
    facts.asked_record_not_found = true;
    expect(&facts, Reason::ConflictingIdentity);
    facts.asked.serial_number = Some(serial(SERIAL));
    expect(&facts, Reason::NotKnownToMdm);
}

#[test]
fn rule_4_ends_with_lost_mode_and_with_a_wipe() {
    let mut facts = trusted();
    device(&mut facts).lost_mode = Some(Reported { value: false, at: days_ago(1) });
    expect(&facts, Reason::ManagedAndActive);
    device(&mut facts).lost_mode = Some(Reported { value: true, at: days_ago(2) });
    expect(&facts, Reason::MdmLostMode);
    device(&mut facts).left_at = Some(days_ago(2));
    assert_ne!(reason_of(&facts, &policy()), Reason::MdmLostMode);
}

#[test]
fn rule_5_never_connected() {
    for connect in
        [|org: &mut OrgFacts| org.connected = false, |org: &mut OrgFacts| org.swept_at = None]
    {
        let mut facts = trusted();
        org(&mut facts, connect);
        expect(&facts, Reason::NeverConnected);
    }
    let mut facts = trusted();
    facts.org = None;
    expect(&facts, Reason::NeverConnected);
}

#[test]
fn rule_6_requires_a_known_device() {
    let mut facts = trusted();
    facts.device = None;
    first(&mut facts).platform = "WINDOWS".to_owned();
    assert_eq!(reason_of(&facts, &lenient()), Reason::PlatformNotConfigured);
    facts.records.clear();
    assert_eq!(reason_of(&facts, &lenient()), Reason::ConfigNotDelivered);
}

#[test]
fn rule_8_queried_okta_id_must_be_that_of_a_counting_record() {
    let mut facts = trusted();
    facts.asked = asked_by_id("guo1");
    expect(&facts, Reason::ManagedAndActive);
    first(&mut facts).disputed = true;
    expect(&facts, Reason::ConflictingIdentity);
    let mut facts = trusted();
    facts.asked = asked_by_id("guo1");
    wipe(&mut facts);
    expect(&facts, Reason::OktaRecordSuperseded);
    facts.asked = AskedDevice { okta_device_id: Some(okta_id("guo9")), ..asked_by_serial() };
    expect(&facts, Reason::OktaRecordNotSeen);
    facts.asked_record_not_found = true;
    expect(&facts, Reason::ConflictingIdentity);
}

#[test]
fn rule_8_two_iphone_records_in_use_are_two_phones() {
    let mut facts = trusted_iphone();
    let mut second = OktaRecord { platform: "IOS".to_owned(), ..record("guo2") };
    second.created_at = days_ago(5);
    use_record(first(&mut facts), days_ago(1));
    facts.records.push(second);
    expect(&facts, Reason::ConflictingIdentity);
    let several = Policy { ios_single_install: false, ..policy() };
    assert_eq!(reason_of(&facts, &several), Reason::ManagedAndActive);
    // If the second is not managed, it is one phone with two registrations.
    facts.records[1].users = vec![user("bob", Some("NOT_MANAGED"))];
    expect(&facts, Reason::ManagedAndActive);
    // A Mac may have one record per user.
    facts.records[1].users = vec![managed("bob")];
    facts.records.iter_mut().for_each(|record| record.platform = "MACOS".to_owned());
    device(&mut facts).platform = Some(Platform::Macos);
    expect(&facts, Reason::ManagedAndActive);
}

#[test]
fn rule_9_delivery_decides_without_a_record() {
    let mut facts = trusted();
    facts.records.clear();
    expect(&facts, Reason::NotRegisteredInOkta);
    device(&mut facts).left_at = Some(days_ago(10));
    expect(&facts, Reason::ConfigNotDelivered);
    device(&mut facts).delivery = None;
    device(&mut facts).left_at = None;
    expect(&facts, Reason::ConfigNotDelivered);
}

#[test]
fn rule_9_iphone_with_an_old_configuration_may_have_an_unmatched_record() {
    let mut facts = trusted_iphone();
    facts.records.clear();
    org(&mut facts, |org| org.unmatched_ios = true);
    expect(&facts, Reason::NotRegisteredInOkta);
    device(&mut facts).delivery = Some(Delivery { config_version: 1, delivered_at: days_ago(3) });
    expect(&facts, Reason::OktaRecordUnmatched);
    org(&mut facts, |org| org.unmatched_ios = false);
    expect(&facts, Reason::NotRegisteredInOkta);
    org(&mut facts, |org| org.unmatched_ios = true);
    device(&mut facts).platform = Some(Platform::Macos);
    expect(&facts, Reason::NotRegisteredInOkta);
    device(&mut facts).platform = Some(Platform::Ios);
    org(&mut facts, |org| org.ios_identifiers_since = None);
    expect(&facts, Reason::OktaRecordUnmatched);
}

#[test]
fn rule_10_inactive_record_is_untrusted() {
    for (status, reason) in [
        ("SUSPENDED", Reason::OktaDeviceSuspended),
        ("DEACTIVATED", Reason::OktaDeviceDeactivated),
        ("CREATED", Reason::OktaDeviceInactive),
        ("active", Reason::OktaDeviceInactive),
        ("", Reason::OktaDeviceInactive),
    ] {
        let mut facts = trusted();
        first(&mut facts).status = status.to_owned();
        assert_eq!(reason_of(&facts, &policy()), reason, "{status}");
    }
}

#[test]
fn rule_10_a_suspended_record_decides_before_an_active_one() {
    let mut facts = trusted();
    let mut newer = OktaRecord { created_at: days_ago(3), ..record("guo2") };
    newer.status = "DEACTIVATED".to_owned();
    facts.records.push(newer);
    use_record(first(&mut facts), days_ago(1));
    expect(&facts, Reason::ManagedAndActive);
    // In a query by ID, the status of that record decides.
    facts.asked = asked_by_id("guo2");
    expect(&facts, Reason::OktaDeviceDeactivated);
    facts.asked = asked_by_id("guo1");
    expect(&facts, Reason::ManagedAndActive);
    facts.records[1].status = "SUSPENDED".to_owned();
    expect(&facts, Reason::OktaDeviceSuspended);
    // If the active record does not count, the status of the newest record decides.
    let mut facts = trusted();
    facts.records.push(OktaRecord {
        status: "DEACTIVATED".to_owned(),
        created_at: days_ago(3),
        ..record("guo2")
    });
    expect(&facts, Reason::OktaDeviceDeactivated);
}

#[test]
fn rule_11_a_use_after_the_expiry_proves_a_newer_certificate() {
    let mut facts = trusted();
    device(&mut facts).certificate.as_mut().unwrap().not_after = days_ago(1);
    expect(&facts, Reason::CertificateExpired);
    use_record(first(&mut facts), days_ago(1));
    expect(&facts, Reason::ManagedAndActive);
    use_record(first(&mut facts), days_ago(1) - TimeDelta::seconds(1));
    expect(&facts, Reason::CertificateExpired);
    first(&mut facts).users = vec![OktaDeviceUser { created: Some(days_ago(1)), ..managed("bob") }];
    expect(&facts, Reason::ManagedAndActive);
    first(&mut facts).users[0].management_status = Some("NOT_MANAGED".to_owned());
    expect(&facts, Reason::CertificateExpired);
    // iPhones have no certificate.
    let mut facts = trusted_iphone();
    device(&mut facts).certificate = trusted().device.unwrap().certificate;
    device(&mut facts).certificate.as_mut().unwrap().not_after = days_ago(1);
    expect(&facts, Reason::ManagedAndActive);
}

#[test]
fn rule_12_policies_any_user_and_all_users() {
    let (yes, no, unset) = (Some("MANAGED"), Some("NOT_MANAGED"), None);
    for (users, any, all) in [
        (vec![yes], Reason::ManagedAndActive, Reason::ManagedAndActive),
        (vec![yes, yes], Reason::ManagedAndActive, Reason::ManagedAndActive),
        (vec![yes, no], Reason::ManagedAndActive, Reason::AwaitingFastpassSignIn),
        (vec![no], Reason::AwaitingFastpassSignIn, Reason::AwaitingFastpassSignIn),
        (vec![], Reason::AwaitingFastpassSignIn, Reason::AwaitingFastpassSignIn),
        (vec![yes, unset], Reason::ManagedAndActive, Reason::ManagementStatusUnknown),
        (vec![no, unset], Reason::ManagementStatusUnknown, Reason::ManagementStatusUnknown),
        (vec![Some("managed")], Reason::AwaitingFastpassSignIn, Reason::AwaitingFastpassSignIn),
    ] {
        let mut facts = trusted();
        first(&mut facts).users_known = users.iter().all(Option::is_some);
        first(&mut facts).users = users.iter().map(|status| user("u", *status)).collect();
        assert_eq!(reason_of(&facts, &policy()), any, "any of {users:?}");
        let all_users = Policy { all_users: true, ..policy() };
        assert_eq!(reason_of(&facts, &all_users), all, "all of {users:?}");
        device(&mut facts).delivery = None;
        if any == Reason::AwaitingFastpassSignIn {
            expect(&facts, Reason::ConfigNotDelivered);
        }
    }
}

#[test]
fn rule_12_truncated_list_of_users_is_unknown() {
    let all_users = Policy { all_users: true, ..policy() };
    let mut facts = trusted();
    first(&mut facts).users_known = false;
    expect(&facts, Reason::ManagedAndActive);
    assert_eq!(reason_of(&facts, &all_users), Reason::ManagementStatusUnknown);
}

#[test]
fn rule_12_all_users_covers_every_counting_active_record() {
    let all_users = Policy { all_users: true, ..policy() };
    let mut facts = trusted();
    let mut second = OktaRecord { created_at: days_ago(3), ..record("guo2") };
    second.users = vec![user("bob", Some("NOT_MANAGED"))];
    facts.records.push(second);
    // The older record does not count, and the newer one is not managed.
    expect(&facts, Reason::AwaitingFastpassSignIn);
    use_record(first(&mut facts), days_ago(1));
    expect(&facts, Reason::ManagedAndActive);
    assert_eq!(reason_of(&facts, &all_users), Reason::AwaitingFastpassSignIn);
    facts.asked = asked_by_id("guo1");
    assert_eq!(reason_of(&facts, &all_users), Reason::ManagedAndActive);
    facts.asked = asked_by_id("guo2");
    expect(&facts, Reason::AwaitingFastpassSignIn);
}

#[test]
fn rule_13_mdm_must_have_seen_the_device_recently() {
    let silent = Policy { last_seen_within: Some(TimeDelta::days(3)), ..policy() };
    let mut facts = trusted();
    assert_eq!(reason_of(&facts, &silent), Reason::MdmSilent, "first reported 10 days ago");
    assert_eq!(reason_of(&facts, &policy()), Reason::ManagedAndActive);
    device(&mut facts).check_in = Some(Reported { value: days_ago(3), at: days_ago(1) });
    assert_eq!(reason_of(&facts, &silent), Reason::ManagedAndActive);
    device(&mut facts).check_in =
        Some(Reported { value: days_ago(3) - TimeDelta::seconds(1), at: days_ago(1) });
    assert_eq!(reason_of(&facts, &silent), Reason::MdmSilent);
    device(&mut facts).last_enrolled_at = Some(days_ago(3));
    use_record(first(&mut facts), days_ago(1));
    assert_eq!(reason_of(&facts, &silent), Reason::ManagedAndActive);
    // The MDM has never seen a device that is not in the inventory.
    facts.device = None;
    let silent = Policy { require_inventory: false, ..silent };
    assert_eq!(reason_of(&facts, &silent), Reason::MdmSilent);
    assert_eq!(reason_of(&facts, &lenient()), Reason::ManagedAndActive);
}

#[test]
fn rule_12_user_with_unknown_created_may_have_been_added_since() {
    let all_users = Policy { all_users: true, ..policy() };
    let mut facts = trusted();
    wipe(&mut facts);
    let bob = OktaDeviceUser { created: Some(days_ago(1)), ..managed("bob") };
    let eve = OktaDeviceUser { created: None, ..user("eve", Some("NOT_MANAGED")) };
    first(&mut facts).users.extend([bob, eve]);
    first(&mut facts).users_added_at = Some(days_ago(1));
    assert_eq!(reason_of(&facts, &all_users), Reason::ManagementStatusUnknown);
    expect(&facts, Reason::ManagedAndActive);
    first(&mut facts).users[2].status = Some("DEPROVISIONED".to_owned());
    assert_eq!(reason_of(&facts, &all_users), Reason::ManagedAndActive);
}

#[test]
fn rule_6_query_by_okta_id_only_uses_the_records_platform() {
    let mut facts = trusted();
    facts.device = None;
    facts.asked = asked_by_id("guo1");
    first(&mut facts).platform = "WINDOWS".to_owned();
    use_record(first(&mut facts), days_ago(1));
    let iphone =
        OktaRecord { platform: "IOS".to_owned(), created_at: days_ago(3), ..record("guo2") };
    facts.records.push(iphone);
    assert_eq!(reason_of(&facts, &lenient()), Reason::PlatformNotConfigured);
}
