//! Tests of what the facts say by themselves.

use super::*;

#[test]
fn reports_from_before_the_departure_do_not_count() {
    let left = days_ago(5);
    for (at, counts) in
        [(left - TimeDelta::seconds(1), false), (left, false), (left + TimeDelta::seconds(1), true)]
    {
        let mut facts = trusted();
        let device = device(&mut facts);
        device.left_at = Some(left);
        device.okta_verify = Some(Reported { value: days_ago(20), at });
        device.check_in = Some(Reported { value: days_ago(4), at });
        device.lost_mode = Some(Reported { value: true, at });
        device.okta_device_id = Some(okta_id("guo1"));
        device.okta_device_id_reported_at = Some(at);
        device.delivery = Some(Delivery { config_version: 3, delivered_at: at });
        assert_eq!(device.okta_verify_installed_at(), counts.then(|| days_ago(20)), "{at}");
        assert_eq!(device.checked_in_at(), counts.then(|| days_ago(4)), "{at}");
        assert_eq!(device.is_lost(), counts, "{at}");
        assert_eq!(device.counting_okta_device_id().is_some(), counts, "{at}");
        assert_eq!(device.counting_delivery().is_some(), counts, "{at}");
    }
}

#[test]
fn the_platform_of_a_queried_record_must_be_configured() {
    for (platform, configured) in [("MACOS", Platform::Macos), ("IOS", Platform::Ios)] {
        let mut facts = trusted();
        facts.asked = asked_by_id("guo1");
        facts.device = None;
        first(&mut facts).platform = platform.to_owned();
        for platforms in [vec![Platform::Macos], vec![Platform::Ios]] {
            let expected = if platforms == [configured] {
                Reason::ManagedAndActive
            } else {
                Reason::PlatformNotConfigured
            };
            org(&mut facts, |org| org.platforms = platforms);
            assert_eq!(reason_of(&facts, &lenient()), expected, "{platform}");
        }
    }
}

#[test]
fn what_changes_now_is_not_the_next_change() {
    for end in [now(), now() + TimeDelta::days(30)] {
        let mut facts = trusted();
        device(&mut facts).certificate.as_mut().unwrap().not_after = end;
        let verdict = decide(&facts, &policy(), now());
        assert_eq!(verdict.fresh_until, Some(now() + TimeDelta::minutes(10)), "{end}");
    }
}

#[test]
fn the_users_that_decide_are_those_of_counting_records_or_of_the_queried_one() {
    let names = |facts: &Facts| -> Vec<String> {
        let assessed = facts.assess_records();
        facts.deciding_users(&assessed).map(|user| user.id.clone()).collect()
    };
    let mut facts = trusted();
    facts.records.push(older_record("guo0"));
    facts.records[1].users[0].id = "bob".to_owned();
    assert_eq!(names(&facts), ["ada"], "the older record does not count");
    facts.records[1].used_at = Some(days_ago(1));
    assert_eq!(names(&facts), ["ada", "bob"]);
    facts.asked.okta_device_id = Some(okta_id("guo0"));
    assert_eq!(names(&facts), ["bob"]);
    facts.records[1].status = "SUSPENDED".to_owned();
    assert!(names(&facts).is_empty());
}

#[test]
fn evidence_of_the_moment_at_which_the_present_life_begins_counts() {
    let life = days_ago(2);
    for (used_at, counts) in [(life - TimeDelta::seconds(1), false), (life, true)] {
        let mut facts = trusted();
        device(&mut facts).last_enrolled_at = Some(life);
        use_record(first(&mut facts), used_at);
        assert_eq!(facts.assess_records()[0].counts(), counts, "{used_at}");
    }
}

#[test]
fn a_use_at_the_moment_at_which_a_newer_record_was_created_counts() {
    let mut facts = trusted();
    let created = first(&mut facts).created_at;
    for (used_at, counts) in [(created - TimeDelta::seconds(1), false), (created, true)] {
        facts.records.truncate(1);
        facts.records.push(older_record("guo0"));
        use_record(&mut facts.records[1], used_at);
        assert_eq!(facts.assess_records()[1].counts(), counts, "{used_at}");
    }
}

#[test]
fn a_user_who_was_added_when_the_present_life_began_may_have_used_the_record() {
    let life = days_ago(2);
    for (added_at, counts) in [(life - TimeDelta::seconds(1), true), (life, false)] {
        let mut facts = trusted();
        device(&mut facts).last_enrolled_at = Some(life);
        use_record(first(&mut facts), days_ago(1));
        // That user was removed since.
        first(&mut facts).users_added_at = Some(added_at);
        let assessed = facts.assess_records();
        assert_eq!(assessed[0].counting_users().count(), usize::from(counts), "{added_at}");
    }
}

#[test]
fn a_record_that_does_not_count_is_inactive_by_its_status() {
    for (status, reason) in [
        ("SUSPENDED", Reason::OktaDeviceSuspended),
        ("DEACTIVATED", Reason::OktaDeviceDeactivated),
        ("SOMETHING_NEW", Reason::OktaDeviceInactive),
    ] {
        let mut facts = trusted();
        wipe(&mut facts);
        first(&mut facts).status = status.to_owned();
        assert!(!facts.assess_records()[0].counts());
        expect(&facts, reason);
    }
}
