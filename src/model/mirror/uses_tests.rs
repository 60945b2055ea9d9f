//! What is a use of a record, and what only looks like one.

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

/// Reads a list that shows the record `ACTIVE`.
fn list(uses: &mut Uses, last_updated: i64, ids: &[&str]) {
    uses.observe(true, at(last_updated), Some(&users(ids)), ReadKind::OneAnswer, at(1_000));
}

fn other_status(uses: &mut Uses, last_updated: i64) {
    uses.observe(false, at(last_updated), Some(&users(&["a"])), ReadKind::OneAnswer, at(1_000));
}

fn after(last_updated: i64) -> Uses {
    let mut uses = Uses::default();
    list(&mut uses, last_updated, &["a"]);
    uses
}

#[test]
fn a_last_updated_that_moves_is_a_use_and_first_sight_is_none() {
    let mut uses = after(10);
    assert_eq!(uses.used_at, None);
    list(&mut uses, 10, &["a"]);
    assert_eq!(uses.used_at, None, "the same lastUpdated again");
    list(&mut uses, 20, &["a"]);
    assert_eq!((uses.used_at, uses.seen_at), (Some(at(20)), Some(at(1_000))));
}

#[test]
fn other_users_or_another_status_in_between_are_no_use() {
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
fn a_use_is_taken_back_when_the_same_time_shows_another_status_or_the_user_it_added() {
    let mut uses = after(10);
    list(&mut uses, 20, &["a"]);
    other_status(&mut uses, 20);
    assert_eq!((uses.used_at, uses.seen_at), (None, None));

    let mut uses = after(10);
    list(&mut uses, 20, &["a"]);
    let mut added = users(&["a", "b"]);
    added[1].created = Some(at(20));
    uses.observe(true, at(20), Some(&added), ReadKind::OneAnswer, at(1_000));
    assert_eq!(uses.used_at, None);
}

#[test]
fn a_use_stays_when_a_later_time_shows_another_status_or_a_user_went() {
    let mut uses = after(10);
    list(&mut uses, 20, &["a"]);
    list(&mut uses, 20, &[]);
    assert_eq!(uses.used_at, Some(at(20)));
    other_status(&mut uses, 30);
    assert_eq!(uses.used_at, Some(at(20)));
}

#[test]
fn a_read_without_all_users_lets_the_comparison_wait() {
    let mut uses = after(10);
    uses.observe(true, at(20), None, ReadKind::OneAnswer, at(1_000));
    assert_eq!(uses.used_at, None);
    let mut by_users = uses.clone();
    by_users.observe(true, at(20), Some(&users(&["a"])), ReadKind::UsersAlone, at(1_001));
    assert_eq!((by_users.used_at, by_users.seen_at), (Some(at(20)), Some(at(1_001))));
    list(&mut uses, 20, &["a"]);
    assert_eq!(uses.used_at, Some(at(20)));
}

#[test]
fn users_that_were_read_by_themselves_begin_no_comparison() {
    // A user is removed at 20. The users are read before the device shows its new `lastUpdated`.
    for kind in [ReadKind::UsersAlone, ReadKind::DeviceThenUsers] {
        let mut uses = Uses::default();
        list(&mut uses, 10, &["a", "b"]);
        uses.observe(true, at(10), Some(&users(&["a"])), kind, at(1_000));
        list(&mut uses, 20, &["a"]);
        assert_eq!(uses.used_at, None, "{kind:?}");
    }
    let mut uses = Uses::default();
    uses.observe(true, at(10), Some(&users(&["a"])), ReadKind::UsersAlone, at(1_000));
    assert_eq!(uses.base, None);
}

#[test]
fn a_lifecycle_event_that_was_read_already_takes_back_the_use_that_it_looked_like() {
    let mut uses = after(10);
    list(&mut uses, 20, &["a"]);
    let mut other = uses.clone();
    other.note_lifecycle_event(at(20), at(15));
    assert_eq!((other.used_at, other.lifecycle_at), (Some(at(20)), None), "an earlier event");
    uses.note_lifecycle_event(at(20), at(20) - TimeDelta::seconds(59));
    assert_eq!((uses.used_at, uses.lifecycle_at), (None, None));
    list(&mut uses, 20, &["a"]);
    assert_eq!(uses.used_at, None, "the same lastUpdated again");
}

#[test]
fn a_lifecycle_event_that_was_not_read_yet_makes_no_use_of_what_it_moved() {
    let mut uses = after(10);
    uses.note_lifecycle_event(at(10), at(30));
    uses.note_lifecycle_event(at(10), at(25));
    assert_eq!(uses.lifecycle_at, Some(at(30)));
    list(&mut uses, 20, &["a"]);
    assert_eq!((uses.used_at, uses.lifecycle_at), (Some(at(20)), Some(at(30))));
    list(&mut uses, 30, &["a"]);
    assert_eq!((uses.used_at, uses.lifecycle_at), (Some(at(20)), None));
    list(&mut uses, 40, &["a"]);
    assert_eq!(uses.used_at, Some(at(40)));
}

#[test]
fn a_lifecycle_event_covers_a_movement_that_waits_for_the_users() {
    let mut uses = after(10);
    uses.observe(true, at(20), None, ReadKind::OneAnswer, at(1_000));
    uses.note_lifecycle_event(at(20), at(20));
    list(&mut uses, 20, &["a"]);
    assert_eq!(uses.used_at, None);
    let mut uses = after(10);
    uses.note_lifecycle_event(at(10), at(20));
    uses.observe(true, at(20), None, ReadKind::OneAnswer, at(1_000));
    list(&mut uses, 20, &["a"]);
    assert_eq!(uses.used_at, None);
}
