//! Tests of which records belong to the device, and which of them count.

use super::*;
use RecordStanding::{
    AnotherDevice, Counts, Disputed, NotFound, NotUsedSinceEnrolment, PreRegistered, Superseded,
};

fn standing(facts: &Facts, id: &str) -> RecordStanding {
    let assessed = facts.assess_records();
    assessed.iter().find(|assessed| assessed.record.okta_device_id == okta_id(id)).unwrap().standing
}

/// Returns the IDs of the users that count.
fn counting(facts: &Facts, id: &str) -> Vec<String> {
    let assessed = facts.assess_records();
    let record = assessed.iter().find(|assessed| assessed.record.okta_device_id == okta_id(id));
    record.unwrap().counting_users().map(|user| user.id.clone()).collect()
}

#[test]
fn records_match_by_udid_or_without_one_by_serial_number() {
    for (of_device, of_record, serial_number, expected) in [
        (Some(UDID), Some(UDID), Some(SERIAL), Counts),
        (Some(UDID), Some(UDID), None, Counts),
        (None, Some(UDID), Some(SERIAL), Counts),
        (None, None, Some(SERIAL), Counts),
        (None, Some(UDID), None, AnotherDevice),
        (None, None, None, AnotherDevice),
        (Some(UDID), Some(OTHER_UDID), Some(SERIAL), AnotherDevice),
        (Some(UDID), Some(UDID), Some(OTHER_SERIAL), AnotherDevice),
        // Okta Verify reads the UDID on every Mac.
        (Some(UDID), None, Some(SERIAL), AnotherDevice),
    ] {
        let mut facts = trusted();
        device(&mut facts).udid = of_device.map(udid);
        first(&mut facts).udid = of_record.map(udid);
        first(&mut facts).serial_number = serial_number.map(serial);
        let found = standing(&facts, "guo1");
        assert_eq!(found, expected, "{of_device:?} {of_record:?} {serial_number:?}");
    }
}

#[test]
fn iphone_record_without_udid_matches_by_serial_number() {
    let mut facts = trusted_iphone();
    first(&mut facts).udid = None;
    assert_eq!(standing(&facts, "guo1"), Counts);
    first(&mut facts).serial_number = None;
    assert_eq!(standing(&facts, "guo1"), AnotherDevice);
}

#[test]
fn okta_id_reported_in_the_current_period_matches() {
    let mut facts = trusted_iphone();
    first(&mut facts).udid = None;
    first(&mut facts).serial_number = None;
    device(&mut facts).okta_device_id = Some(okta_id("guo1"));
    device(&mut facts).okta_device_id_reported_at = Some(days_ago(1));
    assert_eq!(standing(&facts, "guo1"), Counts);
    device(&mut facts).left_at = Some(days_ago(1));
    assert_eq!(standing(&facts, "guo1"), AnotherDevice);
    // Not if other identifiers contradict it.
    device(&mut facts).left_at = None;
    first(&mut facts).udid = Some(udid(OTHER_UDID));
    assert_eq!(standing(&facts, "guo1"), AnotherDevice);
}

#[test]
fn record_of_another_platform_or_device_does_not_belong() {
    for platform in ["WINDOWS", "ANDROID", "IOS", ""] {
        let mut facts = trusted();
        first(&mut facts).platform = platform.to_owned();
        assert_eq!(standing(&facts, "guo1"), AnotherDevice, "{platform}");
        expect(&facts, Reason::NotRegisteredInOkta);
    }
    let mut facts = trusted();
    first(&mut facts).names_another = true;
    assert_eq!(standing(&facts, "guo1"), AnotherDevice);
}

#[test]
fn deleted_disputed_and_pre_registered_records_belong_to_no_device() {
    let mut facts = trusted();
    first(&mut facts).disputed = true;
    assert_eq!(standing(&facts, "guo1"), Disputed);
    first(&mut facts).not_found_at = Some(now());
    assert_eq!(standing(&facts, "guo1"), NotFound);
    let mut facts = trusted();
    first(&mut facts).status = "CREATED".to_owned();
    assert_eq!(standing(&facts, "guo1"), Counts, "it has users");
    first(&mut facts).users.clear();
    assert_eq!(standing(&facts, "guo1"), PreRegistered);
}

#[test]
fn without_a_device_the_queried_identifiers_take_its_place() {
    let mut facts = trusted();
    facts.device = None;
    assert_eq!(standing(&facts, "guo1"), Counts);
    facts.asked.serial_number = Some(serial(OTHER_SERIAL));
    assert_eq!(standing(&facts, "guo1"), AnotherDevice);
    facts.asked.udid = Some(udid(UDID));
    assert_eq!(standing(&facts, "guo1"), AnotherDevice, "other serial number");
    // Queried by ID only, the record's identifiers match the device's other records, too.
    facts.asked = asked_by_id("guo1");
    facts.records.push(OktaRecord { created_at: days_ago(3), ..record("guo2") });
    assert_eq!(standing(&facts, "guo1"), Superseded);
    assert_eq!(standing(&facts, "guo2"), Counts);
    facts.records = vec![OktaRecord { udid: None, serial_number: None, ..record("guo1") }];
    assert_eq!(standing(&facts, "guo1"), Counts);
}

#[test]
fn record_counts_by_evidence_since_the_present_life_began() {
    let began = days_ago(2) + TimeDelta::minutes(10);
    let just_before = began - TimeDelta::seconds(1);
    let mut facts = trusted();
    wipe(&mut facts);
    assert_eq!(standing(&facts, "guo1"), NotUsedSinceEnrolment);
    for (at, expected) in [(began, Counts), (just_before, NotUsedSinceEnrolment)] {
        let mut created = facts.clone();
        first(&mut created).created_at = at;
        assert_eq!(standing(&created, "guo1"), expected);
        let mut used = facts.clone();
        use_record(first(&mut used), at);
        assert_eq!(standing(&used, "guo1"), expected);
        let mut added = facts.clone();
        first(&mut added).users.push(OktaDeviceUser { created: Some(at), ..managed("bob") });
        assert_eq!(standing(&added, "guo1"), expected);
        first(&mut added).users[1].management_status = Some("NOT_MANAGED".to_owned());
        assert_eq!(standing(&added, "guo1"), NotUsedSinceEnrolment);
        first(&mut added).users[1] = OktaDeviceUser {
            created: Some(at),
            status: Some("SUSPENDED".to_owned()),
            ..managed("bob")
        };
        assert_eq!(standing(&added, "guo1"), NotUsedSinceEnrolment);
    }
}

#[test]
fn present_life_begins_at_the_latest_of_three_times() {
    let at = |minutes: i64| Some(days_ago(2) + TimeDelta::minutes(minutes));
    for (left, enrolled, enrolled_at, expected) in [
        (None, None, None, None),
        (None, at(7), None, None),
        (None, None, at(9), at(9)),
        (at(0), None, None, at(5)),
        (at(0), at(3), None, at(5)),
        (at(0), at(7), None, at(7)),
        (at(0), at(7), at(9), at(9)),
        (at(0), at(7), at(2), at(7)),
    ] {
        let mut facts = trusted();
        device(&mut facts).left_at = left;
        device(&mut facts).enrolled_since = enrolled;
        device(&mut facts).last_enrolled_at = enrolled_at;
        assert_eq!(device(&mut facts).present_since(), expected);
    }
}

#[test]
fn changed_identity_requires_later_evidence() {
    let mut facts = trusted();
    first(&mut facts).identity_changed_at = Some(days_ago(1));
    assert_eq!(standing(&facts, "guo1"), NotUsedSinceEnrolment);
    use_record(first(&mut facts), days_ago(1));
    assert_eq!(standing(&facts, "guo1"), Counts);
}

#[test]
fn newer_record_supersedes_even_after_it_is_deleted() {
    let mut facts = trusted();
    facts.records.push(OktaRecord { created_at: days_ago(3), ..record("guo2") });
    assert_eq!(standing(&facts, "guo1"), Superseded);
    facts.records[1].not_found_at = Some(days_ago(1));
    assert_eq!(standing(&facts, "guo1"), Superseded);
    use_record(first(&mut facts), days_ago(2));
    assert_eq!(standing(&facts, "guo1"), Counts);
    // Two records created at the same time do not supersede each other.
    let mut facts = trusted();
    facts.records.push(record("guo2"));
    assert_eq!((standing(&facts, "guo1"), standing(&facts, "guo2")), (Counts, Counts));
    // Records of other devices and pre-registered ones supersede nothing.
    facts.records[1].created_at = days_ago(3);
    facts.records[1].names_another = true;
    assert_eq!(standing(&facts, "guo1"), Counts);
    facts.records[1].names_another = false;
    facts.records[1].status = "CREATED".to_owned();
    facts.records[1].users.clear();
    assert_eq!(standing(&facts, "guo1"), Counts);
}

#[test]
fn earlier_user_counts_only_if_no_other_user_can_have_used_the_record() {
    let mut facts = trusted();
    wipe(&mut facts);
    assert_eq!(counting(&facts, "guo1"), Vec::<String>::new());
    use_record(first(&mut facts), days_ago(1));
    assert_eq!(counting(&facts, "guo1"), ["ada"]);
    expect(&facts, Reason::ManagedAndActive);
    let refused: [Change; 6] = [
        // Used before.
        |record| record.used_at = Some(days_ago(3)),
        // Bob was added since.
        |record| record.users_added_at = Some(days_ago(1)),
        |record| record.users_added_at = None,
        // Not all are managed, or not all are known.
        |record| record.users.push(user("eve", Some("NOT_MANAGED"))),
        |record| record.users_known = false,
        // The users were read before the use.
        |record| record.users_read_at = Some(days_ago(1)),
    ];
    for (place, change) in refused.iter().enumerate() {
        let mut changed = facts.clone();
        change(first(&mut changed));
        assert_eq!(counting(&changed, "guo1"), Vec::<String>::new(), "{place}");
        assert_ne!(reason_of(&changed, &policy()), Reason::ManagedAndActive, "{place}");
    }
    first(&mut facts).users_read_at = first(&mut facts).use_seen_at;
    assert_eq!(counting(&facts, "guo1"), ["ada"]);
}

type Change = fn(&mut OktaRecord);

#[test]
fn user_added_in_the_present_life_counts_and_an_earlier_one_does_not() {
    let mut facts = trusted();
    wipe(&mut facts);
    let bob = OktaDeviceUser { created: Some(days_ago(1)), ..managed("bob") };
    first(&mut facts).users.push(bob);
    first(&mut facts).users_added_at = Some(days_ago(1));
    use_record(first(&mut facts), days_ago(1));
    assert_eq!(counting(&facts, "guo1"), ["bob"]);
    let all_users = Policy { all_users: true, ..policy() };
    assert_eq!(reason_of(&facts, &all_users), Reason::ManagedAndActive);
    // Removing Bob does not make Ada count again.
    first(&mut facts).users.pop();
    assert_ne!(reason_of(&facts, &policy()), Reason::ManagedAndActive);
}

#[test]
fn deprovisioned_and_suspended_users_do_not_count() {
    for status in ["DEPROVISIONED", "SUSPENDED"] {
        let mut facts = trusted();
        first(&mut facts).users[0].status = Some(status.to_owned());
        expect(&facts, Reason::AwaitingFastpassSignIn);
    }
    for status in [Some("ACTIVE"), Some("PASSWORD_EXPIRED"), None] {
        let mut facts = trusted();
        first(&mut facts).users[0].status = status.map(str::to_owned);
        expect(&facts, Reason::ManagedAndActive);
    }
}

#[test]
fn invalid_identifiers_are_absent() {
    let mut value = serde_json::json!({
        "okta_device_id": "guo1", "platform": "IOS", "status": "ACTIVE", "serial_number": "$SERIALNUMBER",
        "udid": "{{UDID}}", "display_name": null, "created_at": now(), "last_updated_at": now(),
        "users": [], "users_known": true, "users_read_at": null, "users_added_at": null,
        "used_at": null, "use_seen_at": null, "identity_changed_at": null, "disputed": false,
        "names_another": false, "observed_at": now(), "follows_sweeps": true,
        "users_observed_at": null, "not_found_at": null,
    });
    let record: OktaRecord = serde_json::from_value(value.clone()).unwrap();
    assert_eq!((record.serial_number, record.udid), (None, None));
    value["serial_number"] = SERIAL.to_lowercase().into();
    value["udid"] = UDID.to_lowercase().into();
    let record: OktaRecord = serde_json::from_value(value).unwrap();
    assert_eq!(record.serial_number, Some(serial(SERIAL)));
    assert_eq!(record.udid, Some(udid(UDID)));
}
