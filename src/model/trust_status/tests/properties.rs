//! What holds for any facts whatever.

use proptest::prelude::*;

use super::*;

fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    (-40_i64 * 1440..40 * 1440).prop_map(|minutes| now() + TimeDelta::minutes(minutes))
}

fn any_user() -> impl Strategy<Value = OktaDeviceUser> {
    let status = prop_oneof![Just(Some("MANAGED")), Just(Some("NOT_MANAGED")), Just(None)];
    status.prop_map(|status| user("u", status))
}

fn any_record() -> impl Strategy<Value = OktaRecord> {
    (
        prop_oneof![4 => Just("ACTIVE"), 1 => Just("SUSPENDED"), 1 => Just("NEW")],
        prop_oneof![4 => Just("MACOS"), 1 => Just("IOS"), 1 => Just("WINDOWS")],
        proptest::collection::vec(any_user(), 0..3),
        prop_oneof![3 => Just(None), 1 => any_time().prop_map(Some)],
        prop_oneof![1 => Just(None), 3 => Just(Some("C02ABC123DEF")), 1 => Just(Some("C02OTHER1DEF"))],
        (any_time(), any_time(), proptest::option::of(any_time()), proptest::bool::ANY),
        prop_oneof![Just("guo1"), Just("guo2")],
    )
        .prop_map(|(status, platform, users, not_found_at, serial, times, id)| {
            let (created_at, observed_at, users_observed_at, follows_sweeps) = times;
            OktaRecord {
                status: status.to_owned(),
                platform: platform.to_owned(),
                users_known: users.iter().all(|user| user.management_status.is_some()),
                users,
                not_found_at,
                follows_sweeps,
                serial_number: serial.map(str::to_owned),
                created_at,
                observed_at,
                users_observed_at,
                ..record(id)
            }
        })
}

fn any_device() -> impl Strategy<Value = DeviceFacts> {
    let enrollment = prop_oneof![
        4 => Just(Some(EnrollmentState::Enrolled)),
        1 => Just(Some(EnrollmentState::Unenrolled)),
        1 => Just(Some(EnrollmentState::Wiped)),
        1 => Just(None)
    ];
    (
        enrollment,
        proptest::bool::ANY,
        any_time(),
        proptest::option::weighted(0.2, any_time()),
        proptest::option::of(any_time()),
        proptest::option::of(any_time()),
    )
        .prop_map(|(enrollment, mac, reported_at, deleted_at, delivered, not_after)| {
            let mut facts = trusted();
            let device = facts.device.take().unwrap();
            DeviceFacts {
                enrollment,
                platform: Some(if mac { Platform::Macos } else { Platform::Ios }),
                reported_at,
                deleted_at,
                delivery: delivered.map(|reported_at| Delivery { config_version: 1, reported_at }),
                certificate: not_after.map(|not_after| CountingCertificate {
                    serial_number: "5e1f".to_owned(),
                    not_before: now() - TimeDelta::days(99),
                    not_after,
                }),
                ..device
            }
        })
}

fn any_facts() -> impl Strategy<Value = Facts> {
    (
        proptest::option::weighted(0.9, any_device()),
        proptest::collection::vec(any_record(), 0..3),
        proptest::option::weighted(0.9, any_time()),
        proptest::bool::weighted(0.9),
        proptest::bool::ANY,
        prop_oneof![4 => Just(None), 1 => Just(Some("guo1")), 1 => Just(Some("guo3"))],
    )
        .prop_map(|(device, okta_devices, swept_at, connected, nameless, asked)| {
            let mut facts = Facts { device, okta_devices, ..trusted() };
            facts.unmatched_ios.nameless = nameless;
            facts.asked.okta_device_id = asked.map(str::to_owned);
            org(&mut facts, |org| {
                org.swept_at = swept_at;
                org.connected = connected;
            });
            facts
        })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let max_age = proptest::option::of((0_i64..50 * 1440).prop_map(TimeDelta::minutes));
    (max_age, proptest::bool::ANY, proptest::bool::ANY, 1_i64..60 * 1440).prop_map(
        |(max_age, require_inventory, all_users, unknown_after)| Policy {
            max_age,
            require_inventory,
            all_users,
            unknown_after: TimeDelta::minutes(unknown_after),
            ..policy()
        },
    )
}

fn rank(trust: Trust) -> u8 {
    match trust {
        Trust::Trusted => 2,
        Trust::Pending => 1,
        Trust::Untrusted | Trust::Unknown => 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn older_facts_never_give_a_better_verdict(
        facts in any_facts(), policy in any_policy(), one in any_time(), other in any_time(),
    ) {
        let (earlier, later) = (one.min(other), one.max(other));
        let before = decide(&facts, &policy, earlier);
        let after = decide(&facts, &policy, later);
        prop_assert!(rank(after.trust) <= rank(before.trust), "{before:?} then {after:?}");
    }

    #[test]
    fn facts_that_were_observed_earlier_never_give_a_better_verdict(
        facts in any_facts(), policy in any_policy(), at in any_time(), minutes in 0_i64..3000,
    ) {
        let mut older = facts.clone();
        let age = TimeDelta::minutes(minutes);
        org(&mut older, |org| org.swept_at = org.swept_at.map(|at| at - age));
        for record in &mut older.okta_devices {
            record.observed_at -= age;
            record.users_observed_at = record.users_observed_at.map(|at| at - age);
        }
        let (new, old) = (decide(&facts, &policy, at), decide(&older, &policy, at));
        prop_assert!(rank(old.trust) <= rank(new.trust), "{new:?} and {old:?}");
    }

    #[test]
    fn nothing_is_trusted_without_an_active_record_a_managed_user_and_a_managed_device(
        facts in any_facts(), policy in any_policy(), at in any_time(),
    ) {
        let policy = Policy { require_inventory: true, ..policy };
        if decide(&facts, &policy, at).trust == Trust::Trusted {
            let record = facts.newest().unwrap();
            prop_assert!(record.status == "ACTIVE" && record.not_found_at.is_none());
            prop_assert!(record.users.iter().any(OktaDeviceUser::is_managed));
            let device = facts.device.as_ref().unwrap();
            prop_assert_eq!(device.enrollment, Some(EnrollmentState::Enrolled));
            prop_assert!(device.deleted_at.is_none_or(|at| at < device.reported_at));
            prop_assert_eq!(record.serial_number.as_ref(), Some(&device.serial_number));
        }
    }
}
