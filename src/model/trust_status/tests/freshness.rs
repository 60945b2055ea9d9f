//! How old the facts are, when they decide nothing, and until when an answer may be kept.

use super::*;

#[test]
fn facts_are_as_old_as_the_sweep_or_as_the_row_that_was_read_later() {
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
fn the_oldest_record_of_the_device_decides_how_old_the_facts_are() {
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
fn users_that_lists_do_not_show_are_as_old_as_their_last_read() {
    let mut facts = trusted();
    first(&mut facts).users_observed_at = Some(minutes_ago(120));
    let verdict = decide(&facts, &policy(), now());
    assert_eq!(verdict.observed_at, Some(minutes_ago(120)));
    assert!(verdict.stale && verdict.trust == Trust::Trusted);
    first(&mut facts).users_observed_at = Some(minutes_ago(25 * 60));
    expect(&facts, Reason::OktaUnreachable);
}

#[test]
fn facts_from_the_future_are_no_fresher_than_now() {
    let mut facts = trusted();
    org(&mut facts, |org| org.swept_at = Some(now() + TimeDelta::hours(9)));
    let verdict = decide(&facts, &policy(), now());
    assert_eq!(verdict.observed_at, Some(now()));
    assert_eq!(verdict.fresh_until, Some(now() + TimeDelta::minutes(15)));
}

#[test]
fn facts_grow_stale_and_then_decide_nothing_but_are_told() {
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
    // A caller lowers the bound and never raises it.
    for (max_age, trust) in [(4, Trust::Unknown), (5, Trust::Trusted)] {
        let asked = Policy { max_age: Some(TimeDelta::minutes(max_age)), ..policy() };
        let verdict = decide(&facts, &asked, now());
        assert_eq!((verdict.trust, verdict.stale), (trust, false));
    }
    let patient = Policy { max_age: Some(TimeDelta::days(9)), ..policy() };
    assert_eq!(at(TimeDelta::hours(25), &patient).trust, Trust::Unknown);
}

#[test]
fn a_spent_budget_is_told_from_an_okta_that_is_away() {
    let mut facts = trusted();
    facts.budget_exhausted = true;
    expect(&facts, Reason::ManagedAndActive);
    let asked = Policy { max_age: Some(TimeDelta::minutes(1)), ..policy() };
    assert_eq!(reason_of(&facts, &asked), Reason::OktaBudgetExhausted);
}

#[test]
fn the_last_known_verdict_is_that_of_when_the_facts_were_seen() {
    let mut facts = trusted();
    // The certificate expired after the facts were seen.
    device(&mut facts).certificate.as_mut().unwrap().not_after = minutes_ago(3);
    let asked = Policy { max_age: Some(TimeDelta::minutes(1)), ..policy() };
    let verdict = decide(&facts, &asked, now());
    let last = LastKnown { trust: Trust::Trusted, observed_at: minutes_ago(5) };
    assert_eq!(verdict.last_known, Some(last));
}

#[test]
fn an_answer_may_be_kept_until_anything_in_it_can_change() {
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
    let before_the_note = TimeDelta::days(30) + TimeDelta::seconds(40);
    assert_eq!(until(&with_end(before_the_note), &policy()), Some(40));
    let mut seen = trusted();
    let last_seen_at = days_ago(30) + TimeDelta::seconds(50);
    device(&mut seen).check_in = Some(Reported { value: last_seen_at, at: days_ago(1) });
    assert_eq!(until(&seen, &policy()), Some(50));
    let within =
        Policy { last_seen_within: Some(TimeDelta::days(30) - TimeDelta::seconds(5)), ..policy() };
    assert_eq!(until(&seen, &within), Some(45));
    // Stale facts: until they decide nothing.
    let mut stale = trusted();
    org(&mut stale, |org| org.swept_at = Some(minutes_ago(60)));
    first(&mut stale).observed_at = minutes_ago(60);
    assert_eq!(until(&stale, &policy()), Some(23 * 3600));
}

#[test]
fn what_the_mdm_decides_does_not_wait_for_okta() {
    let mut facts = trusted();
    assert!(!facts.is_decided_without_okta(&policy(), now()));
    device(&mut facts).enrollment = Some(EnrollmentState::Wiped);
    assert!(facts.is_decided_without_okta(&policy(), now()));
    assert!(!facts.needs_asked_record());
    facts.asked = asked_by_id("guo9");
    assert!(facts.needs_asked_record());
    facts.asked_record_is_gone = true;
    assert!(!facts.needs_asked_record());
    facts.asked = asked_by_id("guo1");
    facts.asked_record_is_gone = false;
    assert!(!facts.needs_asked_record());
}
