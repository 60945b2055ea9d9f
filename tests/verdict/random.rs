//! Compares both on random facts, and checks that neither time alone nor the removal of evidence makes a
//! device trusted.
//!
//! `ODT_VERDICT_CASES` sets the number of cases. A failure prints the seed of its case, which
//! `ODT_VERDICT_SEED=<seed> ODT_VERDICT_CASES=1` repeats.

use std::num::NonZero;
use std::time::SystemTime;

use chrono::TimeDelta;
use okta_device_trust::model::trust_status::{Facts, Policy, Reason, Trust, decide};

use crate::comparison::Comparison;
use crate::example::now;
use crate::generator::any_case;
use crate::source::Random;

const DEFAULT_CASES: u64 = 200_000;
/// From this number of cases on, each reason must occur in at least 1 % of them.
const MIN_CASES_FOR_SHARES: u64 = 50_000;

#[test]
fn random_facts() {
    let cases = number("ODT_VERDICT_CASES").unwrap_or(DEFAULT_CASES);
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    let seed = number("ODT_VERDICT_SEED").unwrap_or(since_epoch.as_secs() << 32);
    println!("{cases} cases from ODT_VERDICT_SEED={seed}");

    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut comparison = Comparison::default();
    std::thread::scope(|scope| {
        let try_share = |thread: usize| {
            let mut comparison = Comparison::default();
            for case in (0..cases).skip(thread).step_by(threads) {
                try_case(&mut comparison, seed.wrapping_add(case));
            }
            comparison
        };
        let shares: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || try_share(thread))).collect();
        for share in shares {
            comparison.add(share.join().expect("a share of the cases"));
        }
    });
    print_table(&comparison);
    comparison.assert_equal();
    if cases >= MIN_CASES_FOR_SHARES {
        assert_shares(&comparison);
    }
}

#[expect(clippy::disallowed_methods, reason = "a setting of the test, not of the service")]
fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text}")))
}

fn try_case(comparison: &mut Comparison, seed: u64) {
    let mut random = Random::new(seed);
    let (facts, policy) = any_case(&mut random);
    let origin = || format!("ODT_VERDICT_SEED={seed} ODT_VERDICT_CASES=1");
    let trust = comparison.compare(&facts, &policy, now(), &origin);
    if trust == Trust::Trusted {
        return;
    }
    let later = now() + TimeDelta::hours(random.pick(&[1, 3, 40, 1000, 10_000]));
    if decide(&facts, &policy, later).trust == Trust::Trusted {
        let kind = "time alone made the device trusted".to_owned();
        comparison.add_difference(kind, || format!("{}, at {later}\n{facts:#?}", origin()));
    }
    let (removal, lose) = random.pick(REMOVALS);
    let mut less = facts.clone();
    lose(&mut less, &mut random);
    if !may_grant_trust(removal, &facts, &policy)
        && decide(&less, &policy, now()).trust == Trust::Trusted
    {
        let kind = format!("the device became trusted without {removal}");
        comparison.add_difference(kind, || format!("{}\n{facts:#?}\n{policy:#?}", origin()));
    }
}

/// Returns whether the rules allow the removal to make the device trusted, because the evidence was against
/// trust.
fn may_grant_trust(removal: &str, facts: &Facts, policy: &Policy) -> bool {
    match decide(facts, policy, now()).reasons[0] {
        // A record that no longer counts is neither a second installation nor a suspended record.
        Reason::ConflictingIdentity | Reason::OktaDeviceSuspended => facts.records.len() > 1,
        // Without a check-in the first report is used, which may be later.
        Reason::MdmSilent => removal == CHECK_IN,
        // A user who no longer counts does not have to be managed.
        _ => policy.all_users,
    }
}

const CHECK_IN: &str = "its check-in";

type Removal = fn(&mut Facts, &mut Random);

/// The evidence that can be missing.
const REMOVALS: &[(&str, Removal)] = &[
    ("its delivery", |facts, _| {
        if let Some(device) = &mut facts.device {
            device.delivery = None;
        }
    }),
    (CHECK_IN, |facts, _| {
        if let Some(device) = &mut facts.device {
            device.check_in = None;
        }
    }),
    ("its records", |facts, _| facts.records.clear()),
    ("the uses of its records", |facts, _| {
        for record in &mut facts.records {
            record.used_at = None;
            record.use_seen_at = None;
        }
    }),
    ("one use", |facts, random| {
        if let Some(record) = random.pick_mut(&mut facts.records) {
            record.used_at = None;
            record.use_seen_at = None;
        }
    }),
    ("the reads of users", |facts, _| {
        for record in &mut facts.records {
            record.users_read_at = None;
        }
    }),
    ("knowing when users were added", |facts, _| {
        for record in &mut facts.records {
            record.users_added_at = None;
            for user in &mut record.users {
                user.created = None;
            }
        }
    }),
    ("knowing when one user was added", |facts, random| {
        if let Some(record) = random.pick_mut(&mut facts.records)
            && let Some(user) = random.pick_mut(&mut record.users)
        {
            user.created = None;
        }
    }),
    ("knowing who is managed", |facts, _| {
        for record in &mut facts.records {
            record.users_known = false;
            for user in &mut record.users {
                user.management_status = None;
            }
        }
    }),
    ("a managed user", |facts, random| {
        if let Some(record) = random.pick_mut(&mut facts.records) {
            // Without users, a record with the status CREATED would belong to no device.
            if record.status != "CREATED" {
                record.users.retain(|user| !user.is_managed());
            }
        }
    }),
    ("the last sweep", |facts, _| {
        for record in &mut facts.records {
            record.follows_sweeps = false;
        }
    }),
    ("its last search", |facts, _| facts.searched_at = None),
];

fn print_table(comparison: &Comparison) {
    println!("{:32} {:>9} {:>7}", "decides or is noted", "cases", "share");
    for (reason, count) in comparison.decided.iter().chain(&comparison.noted) {
        let permyriad = count * 10_000 / comparison.cases;
        let (percent, hundredths) = (permyriad / 100, permyriad % 100);
        println!("{:32} {count:9} {percent:3}.{hundredths:02} %", reason.as_str());
    }
}

/// Fails if a reason occurs in less than 1 % of the cases.
fn assert_shares(comparison: &Comparison) {
    for &reason in Reason::ALL {
        let counts = if reason.trust().is_some() { &comparison.decided } else { &comparison.noted };
        let count = counts.get(&reason).copied().unwrap_or_default();
        assert!(count * 100 >= comparison.cases, "{} is too rare: {count}", reason.as_str());
    }
}
