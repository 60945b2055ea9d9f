//! Properties that hold for arbitrary facts.

use proptest::prelude::*;

use super::*;

fn any_time() -> impl Strategy<Value = DateTime<Utc>> {
    (-40_i64 * 1440..40 * 1440).prop_map(|minutes| now() + TimeDelta::minutes(minutes))
}

fn any_user() -> impl Strategy<Value = OktaDeviceUser> {
    let management =
        prop_oneof![3 => Just(Some("MANAGED")), 1 => Just(Some("NOT_MANAGED")), 1 => Just(None)];
    let status = prop_oneof![4 => Just("ACTIVE"), 1 => Just("DEPROVISIONED")];
    (management, status, proptest::option::of(any_time())).prop_map(
        |(management, status, created)| OktaDeviceUser {
            status: Some(status.to_owned()),
            created,
            ..user("u", management)
        },
    )
}

fn any_use() -> impl Strategy<Value = Option<(DateTime<Utc>, DateTime<Utc>, DateTime<Utc>)>> {
    proptest::option::of((any_time(), any_time(), any_time()))
}

fn any_record() -> impl Strategy<Value = OktaRecord> {
    (
        prop_oneof![4 => Just("ACTIVE"), 1 => Just("SUSPENDED"), 1 => Just("CREATED")],
        prop_oneof![6 => Just("MACOS"), 1 => Just("IOS"), 1 => Just("WINDOWS")],
        proptest::collection::vec(any_user(), 0..3),
        (proptest::option::weighted(0.2, any_time()), proptest::bool::weighted(0.1)),
        (
            prop_oneof![1 => Just(None), 4 => Just(Some(SERIAL)), 1 => Just(Some(OTHER_SERIAL))],
            prop_oneof![1 => Just(None), 4 => Just(Some(UDID)), 1 => Just(Some(OTHER_UDID))],
        ),
        (any_time(), any_time(), proptest::option::of(any_time()), proptest::bool::ANY),
        (any_use(), proptest::option::of(any_time()), proptest::option::weighted(0.1, any_time())),
        prop_oneof![Just("guo1"), Just("guo2")],
    )
        .prop_map(
            |(
                status,
                platform,
                users,
                (gone, disputed),
                (serial_number, of_udid),
                times,
                uses,
                id,
            )| {
                let (created_at, observed_at, users_observed_at, follows_sweeps) = times;
                let (used, users_added_at, identity_changed_at) = uses;
                OktaRecord {
                    status: status.to_owned(),
                    platform: platform.to_owned(),
                    users_known: users.iter().all(|user| user.management_status.is_some()),
                    users,
                    not_found_at: gone,
                    disputed,
                    follows_sweeps,
                    serial_number: serial_number.map(serial),
                    udid: of_udid.map(udid),
                    created_at,
                    observed_at,
                    users_observed_at,
                    used_at: used.map(|used| used.0),
                    use_seen_at: used.map(|used| used.1),
                    users_read_at: used.map(|used| used.2),
                    users_added_at,
                    identity_changed_at,
                    ..record(id)
                }
            },
        )
}

fn any_device() -> impl Strategy<Value = DeviceFacts> {
    let enrollment = prop_oneof![
        6 => Just(Some(EnrollmentState::Enrolled)),
        1 => Just(Some(EnrollmentState::Unenrolled)),
        1 => Just(Some(EnrollmentState::Wiped)),
        1 => Just(None)
    ];
    (
        enrollment,
        (proptest::bool::weighted(0.8), proptest::bool::weighted(0.9)),
        (proptest::option::of(any_time()), proptest::option::of(any_time())),
        proptest::option::weighted(0.3, any_time()),
        proptest::option::of(any_time()),
        proptest::option::of(any_time()),
    )
        .prop_map(
            |(enrollment, (mac, living), (left_at, since), enrolled_at, delivered, not_after)| {
                let device = trusted().device.unwrap();
                DeviceFacts {
                    enrollment,
                    living,
                    left_at,
                    enrolled_since: since,
                    last_enrolled_at: enrolled_at,
                    platform: Some(if mac { Platform::Macos } else { Platform::Ios }),
                    delivery: delivered
                        .map(|delivered_at| Delivery { config_version: 1, delivered_at }),
                    certificate: not_after.map(|not_after| CountingCertificate {
                        serial_number: "5e1f".to_owned(),
                        not_before: days_ago(99),
                        not_after,
                    }),
                    ..device
                }
            },
        )
}

/// Records with different ids, as the store keeps them.
fn any_records() -> impl Strategy<Value = Vec<OktaRecord>> {
    proptest::collection::vec(any_record(), 0..3).prop_map(|mut records| {
        records.sort_by(|one, other| one.okta_device_id.cmp(&other.okta_device_id));
        records.dedup_by(|one, other| one.okta_device_id == other.okta_device_id);
        records
    })
}

fn any_facts() -> impl Strategy<Value = Facts> {
    (
        proptest::option::weighted(0.95, any_device()),
        any_records(),
        proptest::option::weighted(0.95, any_time()),
        proptest::bool::weighted(0.95),
        proptest::bool::ANY,
        prop_oneof![4 => Just(None), 1 => Just(Some("guo1")), 1 => Just(Some("guo3"))],
    )
        .prop_map(|(device, records, swept_at, connected, unmatched_ios, asked)| {
            let mut facts = Facts { device, records, ..trusted() };
            facts.asked.okta_device_id = asked.map(okta_id);
            org(&mut facts, |org| {
                org.swept_at = swept_at;
                org.connected = connected;
                org.unmatched_ios = unmatched_ios;
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
        facts in any_facts(), policy in any_policy(), first in any_time(), second in any_time(),
    ) {
        let (earlier, later) = (first.min(second), first.max(second));
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
        for record in &mut older.records {
            record.observed_at -= age;
            record.users_observed_at = record.users_observed_at.map(|at| at - age);
        }
        let (new, old) = (decide(&facts, &policy, at), decide(&older, &policy, at));
        prop_assert!(rank(old.trust) <= rank(new.trust), "{new:?} and {old:?}");
    }

    #[test]
    fn nothing_is_trusted_without_evidence_from_the_present_life(
        facts in any_facts(), policy in any_policy(), at in any_time(),
    ) {
        let policy = Policy { require_inventory: true, ..policy };
        if decide(&facts, &policy, at).trust == Trust::Trusted {
            let device = facts.device.as_ref().unwrap();
            prop_assert!(device.living && device.enrollment == Some(EnrollmentState::Enrolled));
            let since = device.present_since();
            let shows_presence = |record: &OktaRecord| {
                let managed = record.users.iter().filter(|user| user.is_managed());
                let times = managed.clone().filter_map(|user| user.created);
                let latest = times.chain(record.used_at).chain([record.created_at]).max();
                record.status == "ACTIVE"
                    && record.not_found_at.is_none()
                    && !record.disputed
                    && record.serial_number.as_ref().is_none_or(|own| *own == device.serial_number)
                    && managed.count() > 0
                    && latest >= since
            };
            prop_assert!(facts.records.iter().any(shows_presence));
        }
    }

    // Trust itself may return: a suspended record of an earlier life stops taking it away, and a user
    // who was added before the departure can no longer be the one who used the record since.
    #[test]
    fn a_later_departure_makes_no_record_count(
        facts in any_facts(), left in any_time(),
    ) {
        let mut later = facts.clone();
        if let Some(device) = &mut later.device {
            device.left_at = device.left_at.max(Some(left));
        }
        for (before, after) in facts.assess_records().iter().zip(later.assess_records()) {
            prop_assert!(before.counts() || !after.counts(), "{before:?} then {after:?}");
        }
    }
}
