//! Tests of the age of facts, when they are too old to decide, and how long a verdict may be cached.

use super::*;

#[test]
fn observed_at_is_the_sweep_or_a_later_read_of_the_row() {
    let mut facts = trusted();
    let verdict = decide(&facts, &policy(), now());
    assert_eq!(verdict.observed_at, Some(minutes_ago(5)));
    assert_eq!(verdict.fresh_until, Some(now() + TimeDelta::minutes(10)));
    first(&mut facts).observed_at = minutes_ago(1);
    assert_eq!(decide(&facts, &policy(), now()).observed_at, Some(minutes_ago(1)));
    first(&mut facts).follows_sweeps = false;
    first(&mut facts).observed_at = minutes_ago(12);
    assert_eq!(decide(&facts, &policy(), now()).observed_at, Some(minutes_ago(12)));
    facts.records.clear();
    assert_eq!(decide(&facts, &policy(), now()).observed_at, Some(minutes_ago(5)));
    facts.searched_at = Some(minutes_ago(2));
    assert_eq!(decide(&facts, &policy(), now()).observed_at, Some(minutes_ago(2)));
    facts.searched_at = Some(minutes_ago(9));
    assert_eq!(decide(&facts, &policy(), now()).observed_at, Some(minutes_ago(5)));
}

#[test]
fn observed_at_is_that_of_the_devices_oldest_record() {
    let mut facts = trusted();
    let mut second = older_record("guo0");
    second.follows_sweeps = false;
    second.observed_at = minutes_ago(40);
    facts.records.push(second);
    assert_eq!(decide(&facts, &policy(), now()).observed_at, Some(minutes_ago(40)));
    facts.records[1].names_another = true;
    assert_eq!(decide(&facts, &policy(), now()).observed_at, Some(minutes_ago(5)));
}

#[test]
fn users_missing_from_lists_are_as_old_as_their_last_read() {
    let mut facts = trusted();
    first(&mut facts).users_observed_at = Some(minutes_ago(120));
    let verdict = decide(&facts, &policy(), now());
    assert_eq!(verdict.observed_at, Some(minutes_ago(120)));
    assert!(verdict.stale && verdict.trust == Trust::Trusted);
    first(&mut facts).users_observed_at = Some(minutes_ago(25 * 60));
    expect(&facts, Reason::OktaUnreachable);
}

#[test]
fn facts_from_the_future_are_not_fresher_than_now() {
    let mut facts = trusted();
    org(&mut facts, |org| org.swept_at = Some(now() + TimeDelta::hours(9)));
    let verdict = decide(&facts, &policy(), now());
    assert_eq!(verdict.observed_at, Some(now()));
    assert_eq!(verdict.fresh_until, Some(now() + TimeDelta::minutes(15)));
}

#[test]
fn old_facts_are_stale_then_unknown_with_the_last_known_verdict() {
    let facts = trusted();
    let seen = minutes_ago(5);
    let at = |age: TimeDelta, policy: &Policy| decide(&facts, policy, seen + age);
    assert!(!at(TimeDelta::minutes(15), &policy()).stale);
    let stale = at(TimeDelta::minutes(16), &policy());
    assert!(stale.stale && stale.trust == Trust::Trusted);
    assert_eq!(at(TimeDelta::hours(24), &policy()).trust, Trust::Trusted);
    let unknown = at(TimeDelta::hours(24) + TimeDelta::seconds(1), &policy());
    assert_eq!(unknown.reasons[0], Reason::OktaUnreachable);
    let last = LastKnown { trust: Trust::Trusted, observed_at: seen };
    assert_eq!((unknown.last_known, unknown.fresh_until), (Some(last), None));
    // `max_age` lowers the limit and never raises it.
    for (max_age, trust) in [(4, Trust::Unknown), (5, Trust::Trusted)] {
        let asked = Policy { max_age: Some(TimeDelta::minutes(max_age)), ..policy() };
        let verdict = decide(&facts, &asked, now());
        assert_eq!((verdict.trust, verdict.stale), (trust, false));
    }
    let long_max_age = Policy { max_age: Some(TimeDelta::days(9)), ..policy() };
    assert_eq!(at(TimeDelta::hours(25), &long_max_age).trust, Trust::Unknown);
}

#[test]
fn exhausted_budget_differs_from_okta_unreachable() {
    let mut facts = trusted();
    facts.budget_exhausted = true;
    expect(&facts, Reason::ManagedAndActive);
    let asked = Policy { max_age: Some(TimeDelta::minutes(1)), ..policy() };
    assert_eq!(reason_of(&facts, &asked), Reason::OktaBudgetExhausted);
}

#[test]
fn last_known_verdict_is_as_of_observed_at() {
    let mut facts = trusted();
    // The certificate expired after the facts were seen.
    device(&mut facts).certificate.as_mut().unwrap().not_after = minutes_ago(3);
    let asked = Policy { max_age: Some(TimeDelta::minutes(1)), ..policy() };
    let verdict = decide(&facts, &asked, now());
    let last = LastKnown { trust: Trust::Trusted, observed_at: minutes_ago(5) };
    assert_eq!(verdict.last_known, Some(last));
}

#[test]
fn fresh_until_is_the_earliest_time_at_which_anything_can_change() {
    let until = |facts: &Facts, policy: &Policy| {
        decide(facts, policy, now()).fresh_until.map(|at| (at - now()).num_seconds())
    };
    let facts = trusted();
    assert_eq!(until(&facts, &policy()), Some(600));
    let asked = Policy { max_age: Some(TimeDelta::minutes(6)), ..policy() };
    assert_eq!(until(&facts, &asked), Some(60));
    let with_end = |end: TimeDelta| {
        let mut facts = trusted();
        device(&mut facts).certificate.as_mut().unwrap().not_after = now() + end;
        facts
    };
    assert_eq!(until(&with_end(TimeDelta::seconds(30)), &policy()), Some(30));
    let before_note = TimeDelta::days(30) + TimeDelta::seconds(40);
    assert_eq!(until(&with_end(before_note), &policy()), Some(40));
    let mut seen = trusted();
    let last_seen_at = days_ago(30) + TimeDelta::seconds(50);
    device(&mut seen).check_in = Some(Reported { value: last_seen_at, at: days_ago(1) });
    assert_eq!(until(&seen, &policy()), Some(50));
    let within =
        Policy { last_seen_within: Some(TimeDelta::days(30) - TimeDelta::seconds(5)), ..policy() };
    assert_eq!(until(&seen, &within), Some(45));
    // Stale facts: until they are too old to decide.
    let mut stale = trusted();
    org(&mut stale, |org| org.swept_at = Some(minutes_ago(60)));
    first(&mut stale).observed_at = minutes_ago(60);
    assert_eq!(until(&stale, &policy()), Some(23 * 3600));
}

#[test]
fn verdicts_of_the_mdm_do_not_wait_for_okta() {
    let mut facts = trusted();
    assert!(!facts.is_decided_without_okta(&policy(), now()));
    device(&mut facts).enrollment = Some(EnrollmentState::Wiped);
    assert!(facts.is_decided_without_okta(&policy(), now()));
    assert!(!facts.needs_asked_record());
    facts.asked = asked_by_id("guo9");
    assert!(facts.needs_asked_record());
    facts.asked_record_not_found = true;
    assert!(!facts.needs_asked_record());
    facts.asked = asked_by_id("guo1");
    facts.asked_record_not_found = false;
    assert!(!facts.needs_asked_record());
}
