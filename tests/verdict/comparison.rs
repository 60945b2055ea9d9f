//! Compares `decide` with the specification, and collects where they differ.

use std::collections::BTreeMap;

use okta_device_trust::model::trust_status::{Facts, Policy, Reason, Trust, decide};

use crate::example::Time;
use crate::specification::{specify, trust_for};

/// The outcome of many comparisons.
#[derive(Default)]
pub struct Comparison {
    pub cases: u64,
    /// How often each reason decided or occurred as a note.
    pub decided: BTreeMap<Reason, u64>,
    pub noted: BTreeMap<Reason, u64>,
    /// By the two verdicts: how often they differ, and the smallest facts.
    differences: BTreeMap<String, Difference>,
}

#[derive(Default)]
struct Difference {
    count: u64,
    example: String,
}

impl Comparison {
    /// Compares both on one case, and returns whether the device is trusted. `origin` describes how to repeat
    /// the case.
    pub fn compare(
        &mut self,
        facts: &Facts,
        policy: &Policy,
        now: Time,
        origin: &dyn Fn() -> String,
    ) -> Trust {
        let verdict = decide(facts, policy, now);
        let specify = specify(facts, policy, now);
        let (reason, notes) = specify.reasons.split_first().expect("a reason");
        self.cases += 1;
        *self.decided.entry(*reason).or_default() += 1;
        for note in notes {
            *self.noted.entry(*note).or_default() += 1;
        }
        let last_known = verdict.last_known.map(|last_known| last_known.trust);
        if verdict.reasons != specify.reasons
            || verdict.trust != trust_for(*reason)
            || last_known != specify.last_known
        {
            let kind = format!(
                "decide: {:?} {:?} (last known {last_known:?}), specify: {:?} (last known {:?})",
                verdict.trust, verdict.reasons, specify.reasons, specify.last_known,
            );
            self.add_difference(kind, || format!("{}\n{facts:#?}\n{policy:#?}", origin()));
        }
        verdict.trust
    }

    pub fn add_difference(&mut self, kind: String, example: impl Fn() -> String) {
        let difference = self.differences.entry(kind).or_default();
        difference.count += 1;
        if difference.count <= 100 {
            let example = example();
            if difference.example.is_empty() || example.len() < difference.example.len() {
                difference.example = example;
            }
        }
    }

    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        for (reason, count) in other.decided {
            *self.decided.entry(reason).or_default() += count;
        }
        for (note, count) in other.noted {
            *self.noted.entry(note).or_default() += count;
        }
        for (kind, difference) in other.differences {
            let mine = self.differences.entry(kind).or_default();
            mine.count += difference.count;
            mine.example = difference.example;
        }
    }

    /// Fails if there are differences, and prints the most frequent ones.
    pub fn assert_equal(&self) {
        let mut differences: Vec<_> = self.differences.iter().collect();
        differences.sort_by_key(|(_, difference)| std::cmp::Reverse(difference.count));
        for (kind, difference) in &differences {
            println!("{:8} {kind}", difference.count);
        }
        for (kind, difference) in differences.iter().take(5) {
            println!("\n{kind}\n{}", difference.example);
        }
        assert!(differences.is_empty(), "{} kinds of differences", differences.len());
    }
}
