//! Changes of a record's serial number or UDID. What was observed before such a change is no evidence for
//! the device that the record names afterwards.

use chrono::{DateTime, TimeDelta, Utc};

/// A record that changes and changes back within this time is disputed, until its identifiers have stayed
/// the same for as long.
const CHANGE_PERIOD: TimeDelta = TimeDelta::days(30);

/// The device identifiers in a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdentityPair {
    pub serial_number: Option<String>,
    pub udid: Option<String>,
}

/// The last change of a record's identifiers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdentityHistory {
    /// The `lastUpdated` of the read that showed the change.
    pub changed_at: Option<DateTime<Utc>>,
    /// The identifiers before the change.
    pub previous: IdentityPair,
    pub disputed: bool,
}

impl IdentityHistory {
    /// Records the identifiers `now` of a read that began at `read_at`, following `before`.
    pub(super) fn observe(
        &mut self,
        before: IdentityPair,
        now: &IdentityPair,
        last_updated_at: DateTime<Utc>,
        read_at: DateTime<Utc>,
    ) {
        if before != *now {
            let within_period =
                self.changed_at.is_some_and(|at| last_updated_at - at <= CHANGE_PERIOD);
            self.disputed |= within_period && self.previous == *now;
            self.changed_at = Some(last_updated_at);
            self.previous = before;
        } else if self.changed_at.is_none_or(|at| read_at - at > CHANGE_PERIOD) {
            self.disputed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(day)
    }

    fn pair(serial_number: Option<&str>) -> IdentityPair {
        IdentityPair { serial_number: serial_number.map(str::to_owned), udid: None }
    }

    /// Observes these identities in turn, each on its day.
    fn after(shown: &[(i64, Option<&str>)]) -> IdentityHistory {
        let mut history = IdentityHistory::default();
        for two in shown.windows(2) {
            let ((_, before), (at, now)) = (two[0], two[1]);
            history.observe(pair(before), &pair(now), day(at), day(at));
        }
        history
    }

    #[test]
    fn change_is_recorded_with_its_time_and_the_previous_identity() {
        assert_eq!(after(&[(0, Some("A")), (1, Some("A"))]), IdentityHistory::default());
        let history = after(&[(0, None), (1, Some("A"))]);
        assert_eq!((history.changed_at, history.previous), (Some(day(1)), pair(None)));
        assert!(!history.disputed);
    }

    #[test]
    fn record_that_changes_back_is_disputed_for_30_days() {
        let there_and_back = [(0, Some("A")), (1, Some("B")), (20, Some("A"))];
        assert!(after(&there_and_back).disputed);
        let later = |at| after(&[&there_and_back[..], &[(at, Some("A"))]].concat());
        assert!(later(49).disputed);
        assert!(!later(51).disputed);
        assert!(!after(&[(0, Some("A")), (1, Some("B")), (32, Some("A"))]).disputed);
        assert!(!after(&[(0, Some("A")), (1, Some("B")), (2, Some("C"))]).disputed);
    }
}
