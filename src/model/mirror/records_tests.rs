//! Tests of merging reads into a record of the mirror.

use proptest::prelude::*;

use super::*;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

fn user(id: &str, management_status: Option<&str>) -> OktaDeviceUser {
    OktaDeviceUser {
        id: id.to_owned(),
        login: format!("{id}@acme.example"),
        management_status: management_status.map(str::to_owned),
        status: None,
        created: None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "same type as the field of a read")]
fn managed(ids: &[&str]) -> Option<Vec<OktaDeviceUser>> {
    Some(ids.iter().map(|id| user(id, Some("MANAGED"))).collect())
}

fn device(last_updated: i64, users: Option<Vec<OktaDeviceUser>>) -> OktaDevice {
    OktaDevice {
        id: "guo1".to_owned(),
        platform: "MACOS".to_owned(),
        status: "ACTIVE".to_owned(),
        serial_number: Some("C02XL0GTJGH5".to_owned()),
        udid: None,
        display_name: None,
        created: at(0),
        last_updated: at(last_updated),
        users,
    }
}

fn reading(source: Source, read_at: i64) -> Reading {
    Reading { source, read_at: at(read_at), swept_at: None }
}

fn first(read: &OktaDevice, source: Source, read_at: i64) -> MirrorRecord {
    MirrorRecord::merge(None, read, &reading(source, read_at))
}

fn then(record: &MirrorRecord, read: &OktaDevice, source: Source, at: i64) -> MirrorRecord {
    MirrorRecord::merge(Some(record), read, &reading(source, at))
}

#[test]
fn empty_users_are_known_and_absent_users_are_not() {
    let empty = first(&device(1, Some(Vec::new())), Source::Sweep, 10);
    assert!(empty.users_known && empty.users.is_empty());
    assert!(!first(&device(1, None), Source::Sweep, 10).users_known);
}

#[test]
fn list_of_twenty_users_is_incomplete_until_read_by_id() {
    let ids: Vec<String> = (0..25).map(|n| format!("00u{n:02}")).collect();
    let users = |n: usize| managed(&ids[..n].iter().map(String::as_str).collect::<Vec<_>>());
    assert!(first(&device(1, users(19)), Source::Sweep, 10).users_known);
    let cut = first(&device(1, users(20)), Source::Sweep, 10);
    assert!(!cut.users_known);
    let read = cut.merge_users(&users(25).unwrap(), at(20));
    assert!(read.users_known && read.users.len() == 25);
    let swept = then(&read, &device(1, users(20)), Source::Sweep, 60);
    assert_eq!((swept.users.len(), swept.users_known), (25, true), "a truncated list removes none");
    assert!(swept.users_observed_at.is_some());
}

#[test]
fn newer_last_updated_with_a_truncated_list_is_a_use_once_users_are_read() {
    let ids: Vec<String> = (0..25).map(|n| format!("00u{n:02}")).collect();
    let users = |n: usize| managed(&ids[..n].iter().map(String::as_str).collect::<Vec<_>>());
    let known = first(&device(1, users(25)), Source::Id, 10);
    let moved = then(&known, &device(15, users(20)), Source::Sweep, 20);
    assert_eq!(moved.uses.used_at, None);
    let read = moved.merge_users(&users(25).unwrap(), at(21));
    assert_eq!(read.uses.used_at, Some(at(15)));
}

#[test]
fn user_fields_that_a_list_omits_are_kept() {
    let mut full = user("00u1", Some("MANAGED"));
    full.status = Some("DEPROVISIONED".to_owned());
    full.created = Some(at(0));
    let known = first(&device(1, Some(vec![full.clone()])), Source::Sweep, 10);
    let later = then(&known, &device(5, managed(&["00u1"])), Source::Sweep, 20);
    assert_eq!(later.users, [full]);
}

#[test]
fn users_added_at_stays_after_the_user_is_removed() {
    let mut added = user("00u2", None);
    added.created = Some(at(7));
    let known = first(&device(8, Some(vec![added])), Source::Sweep, 10);
    let later = then(&known, &device(20, managed(&["00u1"])), Source::Sweep, 30);
    assert_eq!(later.users_added_at, Some(at(7)));
}

#[test]
fn users_missing_from_a_sweep_are_cleared_when_it_is_accepted() {
    let known = first(&device(1, managed(&["00u1"])), Source::Sweep, 10);
    let empty = device(1, Some(Vec::new()));
    assert!(known.loses_all_users(&empty));
    let deferred = then(&known, &empty, Source::Sweep, 20);
    assert_eq!(deferred.users, known.users);
    assert_eq!(deferred.users_observed_at, Some(at(10)), "not fresher");
    let accepted = deferred.clear_users(at(20));
    assert!(accepted.users.is_empty() && accepted.users_known);
    assert_eq!(accepted.users_observed_at, None);
    // A read by ID in the meantime wins.
    let read = deferred.merge_users(&managed(&["00u1"]).unwrap(), at(18));
    assert_eq!(read.clear_users(at(20)), read);
    // A list of changes is accepted immediately.
    assert!(then(&known, &device(2, Some(Vec::new())), Source::Changes, 20).users.is_empty());
}

#[test]
fn only_a_read_by_id_restores_a_removed_record() {
    let mut gone = first(&device(1, managed(&["00u1"])), Source::Id, 10);
    gone.not_found_at = Some(at(20));
    gone.removed_at = Some(at(20));
    for source in [Source::Sweep, Source::Changes] {
        let shown = then(&gone, &device(30, managed(&["00u1"])), source, 40);
        assert_eq!((shown.not_found_at, shown.removed_at), (Some(at(20)), Some(at(20))));
    }
    let found = then(&gone, &device(1, managed(&["00u1"])), Source::Id, 40);
    assert_eq!((found.not_found_at, found.removed_at), (None, None));
}

#[test]
fn added_identifier_is_a_change_of_identity() {
    let nameless = OktaDevice { serial_number: None, ..device(1, managed(&["00u1"])) };
    let known = first(&nameless, Source::Sweep, 10);
    assert_eq!(known.identity, IdentityHistory::default(), "the first read is no change");
    let named = then(&known, &device(15, managed(&["00u1"])), Source::Sweep, 20);
    assert_eq!(named.identity.changed_at, Some(at(15)));
    let back = OktaDevice { last_updated: at(25), ..nameless };
    assert!(then(&named, &back, Source::Sweep, 30).identity.disputed);
}

#[test]
fn row_confirmed_by_a_sweep_is_unchanged() {
    let known = first(&device(1, managed(&["00u1"])), Source::Sweep, 10);
    assert_eq!(then(&known, &device(1, managed(&["00u1"])), Source::Sweep, 20), known);
    let changes = then(&known, &device(1, managed(&["00u1"])), Source::Changes, 20);
    assert_eq!(changes.observed_at, at(20));
}

fn any_users() -> impl Strategy<Value = Option<Vec<OktaDeviceUser>>> {
    let status = prop_oneof![Just(None), Just(Some("MANAGED")), Just(Some("NOT_MANAGED"))];
    let some = prop::collection::btree_map(prop_oneof![Just("00u1"), Just("00u2")], status, 0..3);
    prop::option::weighted(
        0.8,
        some.prop_map(|all| all.into_iter().map(|(id, status)| user(id, status)).collect()),
    )
}

fn any_read() -> impl Strategy<Value = (OktaDevice, Source, i64)> {
    let source = prop_oneof![Just(Source::Sweep), Just(Source::Changes), Just(Source::Id)];
    let status = prop_oneof![3 => Just("ACTIVE"), 1 => Just("SUSPENDED")];
    let serial = prop::option::weighted(0.8, prop_oneof![Just("A"), Just("B")]);
    (0..30i64, any_users(), status, serial, source, 0..60i64).prop_map(
        |(last_updated, users, status, serial, source, read_at)| {
            let users = users.or_else(|| (source == Source::Id).then(Vec::new));
            let mut read = device(last_updated, users);
            status.clone_into(&mut read.status);
            read.serial_number = serial.map(str::to_owned);
            (read, source, read_at)
        },
    )
}

/// Returns the record after each of the reads.
fn states(reads: &[(OktaDevice, Source, i64)]) -> Vec<MirrorRecord> {
    let mut states: Vec<MirrorRecord> = Vec::new();
    for (read, source, at) in reads {
        states.push(MirrorRecord::merge(states.last(), read, &reading(*source, *at)));
    }
    states
}

proptest! {
    #[test]
    fn rows_are_never_fresher_than_the_reads(reads in prop::collection::vec(any_read(), 1..12)) {
        let latest = reads.iter().map(|(.., read_at)| at(*read_at)).max();
        for state in states(&reads) {
            prop_assert!(Some(state.observed_at) <= latest);
            prop_assert!(state.users_observed_at <= latest);
        }
    }

    #[test]
    fn a_read_with_other_content_makes_nothing_fresher(
        reads in prop::collection::vec(any_read(), 1..8), (read, source, when) in any_read(),
    ) {
        let before = states(&reads).pop().unwrap();
        let after = then(&before, &read, source, when);
        if !after.has_columns_of(&read) {
            prop_assert!(after.observed_at <= before.observed_at);
        }
        let shown = read.users.map(|users| fill_in(&users, &before.users));
        if shown.as_ref() != Some(&after.users) && after.users_known {
            prop_assert!(after.users_observed_at.is_some() || after == before);
        }
    }

    #[test]
    fn an_older_last_updated_changes_no_stored_data(
        reads in prop::collection::vec(any_read(), 1..8), (read, source, when) in any_read(),
    ) {
        let before = states(&reads).pop().unwrap();
        prop_assume!(read.last_updated < before.last_updated_at);
        let after = then(&before, &read, source, when);
        prop_assert_eq!(&after.status, &before.status);
        prop_assert_eq!(&after.serial_number, &before.serial_number);
        prop_assert_eq!(&after.users, &before.users);
        prop_assert_eq!(&after.uses, &before.uses);
        prop_assert_eq!(&after.identity, &before.identity);
        prop_assert!(after.observed_at <= before.observed_at);
    }

    #[test]
    fn a_list_does_not_overwrite_a_read_by_id_of_the_last_5_minutes(
        reads in prop::collection::vec(any_read(), 1..8), (read, ..) in any_read(), lag in 0..5i64,
    ) {
        let known = states(&reads).pop().unwrap();
        let by_id = then(&known, &device(30, managed(&["00u1"])), Source::Id, 60);
        let list = OktaDevice { last_updated: at(30), ..read };
        let after = then(&by_id, &list, Source::Sweep, 60 + lag);
        prop_assert_eq!(&after.status, &by_id.status);
        prop_assert_eq!(&after.users, &by_id.users);
    }

    #[test]
    fn repeating_a_read_changes_nothing(
        reads in prop::collection::vec(any_read(), 1..8), (read, source, when) in any_read(),
    ) {
        let before = states(&reads).pop().unwrap();
        let once = then(&before, &read, source, when);
        let twice = then(&once, &read, source, when);
        prop_assert!(twice.observed_at <= once.observed_at);
        // Only the times and the base for the next comparison may differ.
        let mut expected = once.clone();
        expected.observed_at = twice.observed_at;
        expected.users_observed_at = twice.users_observed_at;
        expected.follows_sweeps = twice.follows_sweeps;
        expected.uses.base.clone_from(&twice.uses.base);
        prop_assert_eq!(twice, expected);
    }

    #[test]
    fn a_use_requires_a_newer_last_updated_while_active(
        reads in prop::collection::vec(any_read(), 1..12),
    ) {
        let states = states(&reads);
        prop_assert_eq!(states[0].uses.used_at, None);
        for two in states.windows(2) {
            let (before, after) = (&two[0], &two[1]);
            let used_at = after.uses.used_at;
            prop_assert!(used_at.is_none_or(|at| at <= after.last_updated_at));
            if used_at.is_some() && used_at != before.uses.used_at {
                prop_assert_eq!(&after.status, "ACTIVE");
                prop_assert_eq!(used_at, Some(after.last_updated_at));
                let base = before.uses.base.as_ref().unwrap();
                prop_assert!(used_at > Some(base.last_updated_at));
            }
        }
    }
}
