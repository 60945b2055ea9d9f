//! Each rule by itself, and of two rules that hold the earlier one.

use super::*;

type Change = fn(&mut Facts);

/// Each makes its rule hold, in the order in which the rules decide. The facts are those of a Mac.
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
    // No record is the device's.
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

/// With the limit that the last rule needs.
fn strict() -> Policy {
    Policy { last_seen_within: Some(TimeDelta::days(100)), ..policy() }
}

/// Pairs of which only one can hold.
fn exclude_each_other(earlier: Reason, later: Reason) -> bool {
    matches!(
        (earlier, later),
        // Known to be left, or not known.
        (Reason::MdmUnenrolled, Reason::NotKnownToMdm)
            // Users who are cleared are known again.
            | (Reason::ManagementStatusUnknown, Reason::AwaitingFastpassSignIn)
            // A foreign record that was asked for is a conflict of rule 8.
            | (Reason::OktaRecordSuperseded, Reason::NotRegisteredInOkta)
    )
}

#[test]
fn each_rule_decides_and_of_any_two_the_earlier_one() {
    assert_eq!(reason_of(&trusted(), &strict()), Reason::ManagedAndActive);
    for (place, (reason, change)) in RULES.iter().enumerate() {
        let mut facts = trusted();
        change(&mut facts);
        let verdict = decide(&facts, &strict(), now());
        assert_eq!(verdict.reasons[0], *reason);
        assert_eq!(Some(verdict.trust), reason.trust());
        for (later, also) in &RULES[place + 1..] {
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
fn rule_1_asked_identifiers_must_be_the_devices() {
    let mut facts = trusted();
    facts.asked.udid = Some(udid(OTHER_UDID));
    expect(&facts, Reason::ConflictingIdentity);
    facts.asked.udid = Some(udid(UDID));
    expect(&facts, Reason::ManagedAndActive);
    facts.asked.serial_number = Some(serial(OTHER_SERIAL));
    expect(&facts, Reason::ConflictingIdentity);
    // The MDM reported no UDID: that of a record of the device will do, and no other.
    let mut facts = trusted();
    device(&mut facts).udid = None;
    facts.asked.udid = Some(udid(UDID));
    expect(&facts, Reason::ManagedAndActive);
    facts.asked.udid = Some(udid(OTHER_UDID));
    expect(&facts, Reason::ConflictingIdentity);
    // Without a mirror nothing is known of the records.
    org(&mut facts, |org| org.swept_at = None);
    expect(&facts, Reason::NeverConnected);
}

#[test]
fn rule_2_holds_also_where_the_inventory_is_not_required() {
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
fn rule_3_waits_for_the_record_of_an_okta_id_alone() {
    let mut facts = trusted();
    facts.device = None;
    facts.asked = asked_by_id("guo1");
    expect(&facts, Reason::NotKnownToMdm);
    facts.records.clear();
    expect(&facts, Reason::OktaRecordNotSeen);
    facts.asked_record_is_gone = true;
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
fn rule_5_comes_after_what_the_mdm_decides() {
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
fn rule_6_needs_a_platform_that_is_known() {
    let mut facts = trusted();
    facts.device = None;
    first(&mut facts).platform = "WINDOWS".to_owned();
    assert_eq!(reason_of(&facts, &lenient()), Reason::PlatformNotConfigured);
    facts.records.clear();
    assert_eq!(reason_of(&facts, &lenient()), Reason::ConfigNotDelivered);
}

#[test]
fn rule_8_an_okta_id_must_be_that_of_a_counting_record() {
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
    facts.asked_record_is_gone = true;
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
    // The second is not managed: one phone with two registrations.
    facts.records[1].users = vec![user("bob", Some("NOT_MANAGED"))];
    expect(&facts, Reason::ManagedAndActive);
    // A Mac may have a record for each of its users.
    facts.records[1].users = vec![managed("bob")];
    facts.records.iter_mut().for_each(|record| record.platform = "MACOS".to_owned());
    device(&mut facts).platform = Some(Platform::Macos);
    expect(&facts, Reason::ManagedAndActive);
}

#[test]
fn rule_9_without_a_record_the_delivery_decides() {
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
fn rule_9_an_iphone_with_an_old_rendering_may_be_an_unnamed_record() {
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
fn rule_10_any_status_of_the_only_record_but_active_is_not_trusted() {
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
fn rule_10_one_suspended_record_is_enough_and_one_active_record_too() {
    let mut facts = trusted();
    let mut newer = OktaRecord { created_at: days_ago(3), ..record("guo2") };
    newer.status = "DEACTIVATED".to_owned();
    facts.records.push(newer);
    use_record(first(&mut facts), days_ago(1));
    expect(&facts, Reason::ManagedAndActive);
    // By the id of the one that is not active, its status decides.
    facts.asked = asked_by_id("guo2");
    expect(&facts, Reason::OktaDeviceDeactivated);
    facts.asked = asked_by_id("guo1");
    expect(&facts, Reason::ManagedAndActive);
    facts.records[1].status = "SUSPENDED".to_owned();
    expect(&facts, Reason::OktaDeviceSuspended);
    // The record that was active does not count any more: that of the newest decides.
    let mut facts = trusted();
    facts.records.push(OktaRecord {
        status: "DEACTIVATED".to_owned(),
        created_at: days_ago(3),
        ..record("guo2")
    });
    expect(&facts, Reason::OktaDeviceDeactivated);
}

#[test]
fn rule_11_a_sign_in_after_the_end_shows_a_newer_certificate() {
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
    // An iPhone has none.
    let mut facts = trusted_iphone();
    device(&mut facts).certificate = trusted().device.unwrap().certificate;
    device(&mut facts).certificate.as_mut().unwrap().not_after = days_ago(1);
    expect(&facts, Reason::ManagedAndActive);
}

#[test]
fn rule_12_the_policy_is_met_by_any_user_or_by_all_and_never_by_none() {
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
fn rule_12_a_cut_list_of_users_is_not_known() {
    let all_users = Policy { all_users: true, ..policy() };
    let mut facts = trusted();
    first(&mut facts).users_known = false;
    expect(&facts, Reason::ManagedAndActive);
    assert_eq!(reason_of(&facts, &all_users), Reason::ManagementStatusUnknown);
}

#[test]
fn rule_12_all_users_are_those_of_every_counting_active_record() {
    let all_users = Policy { all_users: true, ..policy() };
    let mut facts = trusted();
    let mut second = OktaRecord { created_at: days_ago(3), ..record("guo2") };
    second.users = vec![user("bob", Some("NOT_MANAGED"))];
    facts.records.push(second);
    // The older record does not count, and the newer is not managed.
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
fn rule_13_the_mdm_must_have_seen_the_device() {
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
    // A device that the MDM does not know was never seen by it.
    facts.device = None;
    let silent = Policy { require_inventory: false, ..silent };
    assert_eq!(reason_of(&facts, &silent), Reason::MdmSilent);
    assert_eq!(reason_of(&facts, &lenient()), Reason::ManagedAndActive);
}

#[test]
fn rule_12_a_user_without_a_time_of_adding_may_have_been_added_since() {
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
fn rule_6_asked_by_an_okta_id_alone_the_platform_is_that_of_its_record() {
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
