//! Deletions and enrolments in any order: what an MDM reports late is as good as what it reports in time.

use proptest::prelude::*;

use super::*;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_750_000_000 + second, 0).unwrap()
}

/// A deletion, or an `enrolled` that may say `continues`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Deleted(i64),
    Enrolled(i64),
    Continues(i64),
}

use Said::{Continues, Deleted, Enrolled};

impl Said {
    fn second(self) -> i64 {
        let (Deleted(second) | Enrolled(second) | Continues(second)) = self;
        second
    }
}

fn history(said: &[Said]) -> EnrollmentHistory {
    let mut history = EnrollmentHistory::default();
    for one in said {
        match *one {
            Deleted(second) => history.record_deletion(at(second)),
            Enrolled(second) => history.record_enrolled(at(second), false),
            Continues(second) => history.record_enrolled(at(second), true),
        }
    }
    history
}

/// When the device left, by all that was said, each in its time.
fn left_in_truth(said: &[Said]) -> Option<DateTime<Utc>> {
    let deletions = said.iter().filter(|one| matches!(one, Deleted(_)));
    let counts = |deletion: &&Said| {
        let later = said.iter().filter(|one| one.second() > deletion.second());
        let next = later.filter(|one| !matches!(one, Deleted(_))).map(|one| one.second()).min();
        next.is_some_and(|next| said.contains(&Enrolled(next)))
    };
    deletions.filter(counts).map(|one| at(one.second())).max()
}

#[test]
fn an_enrolment_between_two_deletions_counts_the_first_although_it_is_reported_last() {
    for said in [
        [Deleted(10), Deleted(30), Enrolled(20), Continues(40)],
        [Deleted(30), Deleted(10), Enrolled(20), Continues(40)],
        [Deleted(10), Deleted(30), Continues(40), Enrolled(20)],
        [Deleted(10), Continues(40), Deleted(30), Enrolled(20)],
        [Continues(40), Enrolled(20), Deleted(30), Deleted(10)],
    ] {
        let history = history(&said);
        assert_eq!(history.left_at, Some(at(10)), "{said:?}");
        assert_eq!(history.enrolled_since, Some(at(20)), "{said:?}");
    }
}

#[test]
fn a_device_that_continues_never_left_however_often_it_is_imported() {
    let nightly = |day: i64| {
        let statuses = (1..10).map(move |hour| Enrolled(day * 100 + 10 + hour));
        [Deleted(day * 100), Continues(day * 100 + 5)].into_iter().chain(statuses)
    };
    let said: Vec<Said> = [Enrolled(0)].into_iter().chain((1..60).flat_map(nightly)).collect();
    assert_eq!(history(&said).left_at, None);
    // What is sent again is known.
    let again: Vec<Said> = said.iter().flat_map(|one| [*one, *one]).collect();
    assert_eq!(history(&again).left_at, None);
    let history = history(&said);
    assert!(history.deletions.len() <= MAX_DELETIONS, "{history:?}");
    assert!(history.enrolled.len() <= MAX_ENROLLED_TIMES + MAX_DELETIONS, "{history:?}");
}

#[test]
fn a_deletion_that_is_reported_after_many_enrolments_counts() {
    for last in [Enrolled(100), Continues(100)] {
        let mut said: Vec<Said> = (11..50).map(Enrolled).collect();
        said.extend([last, Deleted(10)]);
        let history = history(&said);
        assert_eq!(history.left_at, Some(at(10)), "{last:?}");
        assert!(history.enrolled_since >= Some(at(11)), "{last:?}: {history:?}");
    }
}

#[test]
fn an_enrolment_that_is_reported_after_many_deletions_counts_one_of_them() {
    let mut said: Vec<Said> =
        (0..40).flat_map(|n| [Deleted(n * 10), Continues(n * 10 + 5)]).collect();
    said.push(Enrolled(3));
    assert!(history(&said).left_at >= Some(at(0)));
}

#[test]
fn the_first_of_more_than_ten_enrolments_is_never_taken_to_be_earlier_than_it_was() {
    let mut history = history(&(0..30).map(Enrolled).collect::<Vec<_>>());
    assert_eq!(history.enrolled.len(), MAX_ENROLLED_TIMES);
    history.record_departure(at(-5));
    // The true one was at 0.
    assert_eq!(history.enrolled_since, Some(at(20)));
    history.record_departure(at(25));
    assert_eq!(history.enrolled_since, Some(at(26)));
    history.record_departure(at(29));
    assert_eq!(history.enrolled_since, None);
    assert_eq!(history.present_since(), Some(at(29) + TimeDelta::minutes(5)));
}

fn any_said(count: usize) -> impl Strategy<Value = Vec<Said>> {
    let one = (0_i64..30, 0..5).prop_map(|(second, kind)| match kind {
        0 | 1 => Deleted(second),
        2 => Continues(second),
        _ => Enrolled(second),
    });
    prop::collection::vec(one, 1..count)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Also with more deletions and enrolments than are kept.
    #[test]
    fn no_order_of_reports_hides_a_leave(
        said in any_said(60), order in any::<u64>()
    ) {
        let mut shuffled = said.clone();
        let place = |one: &Said| (order ^ one.second().unsigned_abs()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        shuffled.sort_by_key(place);
        prop_assert!(history(&shuffled).left_at >= left_in_truth(&said));
        prop_assert!(history(&said).left_at >= left_in_truth(&said));
    }

    #[test]
    fn in_the_order_in_which_it_happened_nothing_but_a_leave_counts(mut said in any_said(60)) {
        // At the same time, the deletion is no earlier.
        said.sort_by_key(|one| (one.second(), matches!(one, Deleted(_)), *one));
        prop_assert_eq!(history(&said).left_at, left_in_truth(&said));
    }
}
