//! Tests of which changes of `lastUpdated` are uses of a record.

use super::*;

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
}

fn users(ids: &[&str]) -> Vec<OktaDeviceUser> {
    let user = |id: &&str| OktaDeviceUser {
        id: (*id).to_owned(),
        created: Some(at(0)),
        ..OktaDeviceUser::default()
    };
    ids.iter().map(user).collect()
}

/// Reads the record as `ACTIVE` from a list.
fn list(uses: &mut Uses, last_updated: i64, ids: &[&str]) {
    uses.observe(true, at(last_updated), Some(&users(ids)), ReadKind::SingleResponse, at(1_000));
}

fn other_status(uses: &mut Uses, last_updated: i64) {
    uses.observe(
        false,
        at(last_updated),
        Some(&users(&["a"])),
        ReadKind::SingleResponse,
        at(1_000),
    );
}

fn after(last_updated: i64) -> Uses {
    let mut uses = Uses::default();
    list(&mut uses, last_updated, &["a"]);
    uses
}

#[test]
fn newer_last_updated_is_a_use_and_the_first_read_is_not() {
    let mut uses = after(10);
    assert_eq!(uses.used_at, None);
    list(&mut uses, 10, &["a"]);
    assert_eq!(uses.used_at, None, "the same lastUpdated again");
    list(&mut uses, 20, &["a"]);
    assert_eq!((uses.used_at, uses.seen_at), (Some(at(20)), Some(at(1_000))));
}

#[test]
fn changed_users_or_status_are_no_use() {
    let mut uses = after(10);
    list(&mut uses, 20, &["a", "b"]);
    assert_eq!(uses.used_at, None, "a user was added");
    list(&mut uses, 30, &["b"]);
    assert_eq!(uses.used_at, None, "a user was removed");
    other_status(&mut uses, 40);
    list(&mut uses, 50, &["b"]);
    assert_eq!(uses.used_at, None, "it was suspended in between");
    list(&mut uses, 60, &["b"]);
    assert_eq!(uses.used_at, Some(at(60)));
}

#[test]
fn use_is_revoked_if_the_same_time_shows_another_status_or_an_added_user() {
    let mut uses = after(10);
    list(&mut uses, 20, &["a"]);
    other_status(&mut uses, 20);
    assert_eq!((uses.used_at, uses.seen_at), (None, None));

    let mut uses = after(10);
    list(&mut uses, 20, &["a"]);
    let mut added = users(&["a", "b"]);
    added[1].created = Some(at(20));
    uses.observe(true, at(20), Some(&added), ReadKind::SingleResponse, at(1_000));
    assert_eq!(uses.used_at, None);
}

#[test]
fn use_stays_if_the_status_changes_later_or_a_user_is_removed() {
    let mut uses = after(10);
    list(&mut uses, 20, &["a"]);
    list(&mut uses, 20, &[]);
    assert_eq!(uses.used_at, Some(at(20)));
    other_status(&mut uses, 30);
    assert_eq!(uses.used_at, Some(at(20)));
}

#[test]
fn comparison_waits_for_a_read_with_all_users() {
    let mut uses = after(10);
    uses.observe(true, at(20), None, ReadKind::SingleResponse, at(1_000));
    assert_eq!(uses.used_at, None);
    let mut by_users = uses.clone();
    by_users.observe(true, at(20), Some(&users(&["a"])), ReadKind::UsersOnly, at(1_001));
    assert_eq!((by_users.used_at, by_users.seen_at), (Some(at(20)), Some(at(1_001))));
    list(&mut uses, 20, &["a"]);
    assert_eq!(uses.used_at, Some(at(20)));
}

#[test]
fn reading_only_the_users_sets_no_base() {
    // A user is removed at 20. The users are read before the device shows its new `lastUpdated`.
    for kind in [ReadKind::UsersOnly, ReadKind::DeviceThenUsers] {
        let mut uses = Uses::default();
        list(&mut uses, 10, &["a", "b"]);
        uses.observe(true, at(10), Some(&users(&["a"])), kind, at(1_000));
        list(&mut uses, 20, &["a"]);
        assert_eq!(uses.used_at, None, "{kind:?}");
    }
    let mut uses = Uses::default();
    uses.observe(true, at(10), Some(&users(&["a"])), ReadKind::UsersOnly, at(1_000));
    assert_eq!(uses.base, None);
}

#[test]
fn lifecycle_event_revokes_the_use_that_it_caused() {
    let mut uses = after(10);
    list(&mut uses, 20, &["a"]);
    let mut other = uses.clone();
    other.record_lifecycle_event(at(20), at(15));
    assert_eq!((other.used_at, other.lifecycle_at), (Some(at(20)), None), "an earlier event");
    uses.record_lifecycle_event(at(20), at(20) - TimeDelta::seconds(59));
    assert_eq!((uses.used_at, uses.lifecycle_at), (None, None));
    list(&mut uses, 20, &["a"]);
    assert_eq!(uses.used_at, None, "the same lastUpdated again");
}

#[test]
fn lifecycle_event_before_the_read_prevents_a_use() {
    let mut uses = after(10);
    uses.record_lifecycle_event(at(10), at(30));
    uses.record_lifecycle_event(at(10), at(25));
    assert_eq!(uses.lifecycle_at, Some(at(30)));
    list(&mut uses, 20, &["a"]);
    assert_eq!((uses.used_at, uses.lifecycle_at), (Some(at(20)), Some(at(30))));
    list(&mut uses, 30, &["a"]);
    assert_eq!((uses.used_at, uses.lifecycle_at), (Some(at(20)), None));
    list(&mut uses, 40, &["a"]);
    assert_eq!(uses.used_at, Some(at(40)));
}

#[test]
fn lifecycle_event_covers_a_change_that_waits_for_the_users() {
    let mut uses = after(10);
    uses.observe(true, at(20), None, ReadKind::SingleResponse, at(1_000));
    uses.record_lifecycle_event(at(20), at(20));
    list(&mut uses, 20, &["a"]);
    assert_eq!(uses.used_at, None);
    let mut uses = after(10);
    uses.record_lifecycle_event(at(10), at(20));
    uses.observe(true, at(20), None, ReadKind::SingleResponse, at(1_000));
    list(&mut uses, 20, &["a"]);
    assert_eq!(uses.used_at, None);
}
