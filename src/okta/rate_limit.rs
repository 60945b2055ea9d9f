//! How long to leave a part of an org alone after a 429, and which are being left alone (facts §6).
//! Okta sends no `Retry-After`.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap};

const LIMIT: &str = "x-rate-limit-limit";

/// The longest wait that is believed; Okta's windows are one minute.
const LONGEST_WAIT: Duration = Duration::from_mins(5);

/// When 75 requests run at once (limit 0 in the answer), a slot is free again soon.
const CONCURRENCY_WAIT: Duration = Duration::from_secs(2);

/// When a 429 says nothing.
const DEFAULT_WAIT: Duration = Duration::from_secs(15);

/// The most parts of orgs that are remembered; expired ones go first, then those that expire next.
const MOST_REMEMBERED: usize = 10_000;

/// The wait that a 429 asks for, with jitter: `reset − Date`, both in the server's time, so that a
/// wrong clock here does not matter.
pub(super) fn wait(headers: &HeaderMap) -> Duration {
    jittered(asked_wait(headers, Utc::now()), random_fraction())
}

/// What the whole org may ask in a minute; `None` where the answer is about requests at once.
pub(super) fn limit(headers: &HeaderMap) -> Option<u32> {
    let limit = u32::try_from(number(headers, LIMIT)?).ok()?;
    (limit > 0).then_some(limit)
}

fn asked_wait(headers: &HeaderMap, local_now: DateTime<Utc>) -> Duration {
    if number(headers, LIMIT) == Some(0) {
        return CONCURRENCY_WAIT;
    }
    let Some(reset) = number(headers, "x-rate-limit-reset") else { return DEFAULT_WAIT };
    let now = date(headers).unwrap_or(local_now).timestamp();
    let seconds = u64::try_from(reset.saturating_sub(now)).unwrap_or(0);
    Duration::from_secs(seconds).clamp(Duration::from_secs(1), LONGEST_WAIT)
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

/// Adds up to a fifth, and at most 5 s, so that all who wait do not come back at once.
fn jittered(wait: Duration, fraction: f64) -> Duration {
    let most = (wait / 5).min(Duration::from_secs(5));
    wait + most.mul_f64(fraction)
}

/// From 0 up to 1. Good enough to spread retries: the standard library seeds its hashers at random.
pub(super) fn random_fraction() -> f64 {
    let bits = u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or(0);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

/// What Okta counts by itself (facts §6): a limit that is used up in one says nothing of the others,
/// so one tenant's failing token requests must not stall what another reads from the same org.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(super) enum Bucket {
    WellKnown,
    Token,
    Authenticators,
    Devices,
    DeviceUsers,
    Other,
}

impl Bucket {
    pub(super) fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match parts.as_slice() {
            [".well-known", ..] => Self::WellKnown,
            ["oauth2", ..] => Self::Token,
            ["api", "v1", "authenticators", ..] => Self::Authenticators,
            ["api", "v1", "devices", _, "users", ..] => Self::DeviceUsers,
            ["api", "v1", "devices", ..] => Self::Devices,
            _ => Self::Other,
        }
    }
}

impl Bucket {
    /// As a label of metrics.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::WellKnown => "well_known",
            Self::Token => "token",
            Self::Authenticators => "authenticators",
            Self::Devices => "devices",
            Self::DeviceUsers => "device_users",
            Self::Other => "other",
        }
    }
}

/// The parts of orgs that are being left alone, shared by all tenants of an org (contract §3).
#[derive(Default)]
pub(super) struct BackOff {
    not_before: Mutex<HashMap<(String, Bucket), Instant>>,
}

impl BackOff {
    /// How much longer this part of the host is to be left alone.
    pub(super) fn remaining(&self, host: &str, bucket: Bucket, now: Instant) -> Option<Duration> {
        let table = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = table.get(&(host.to_owned(), bucket))?.saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// A later end replaces an earlier one, never the other way round. A full table forgets what
    /// ends next: it must not become one that learns nothing new.
    pub(super) fn learn(&self, host: &str, bucket: Bucket, wait: Duration, now: Instant) {
        let mut table = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (host.to_owned(), bucket);
        if table.len() >= MOST_REMEMBERED && !table.contains_key(&key) {
            table.retain(|_, end| *end > now);
            make_room(&mut table);
        }
        let end = table.entry(key).or_insert(now);
        *end = (*end).max(now + wait);
    }
}

fn make_room(table: &mut HashMap<(String, Bucket), Instant>) {
    if table.len() < MOST_REMEMBERED {
        return;
    }
    let next = table.iter().min_by_key(|(_, end)| **end).map(|(key, _)| key.clone());
    if let Some(next) = next {
        table.remove(&next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_795_435_200;

    fn asked(headers: &[(&'static str, &str)]) -> u64 {
        let headers =
            headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
        asked_wait(&headers, DateTime::from_timestamp(NOON, 0).unwrap()).as_secs()
    }

    #[test]
    fn the_wait_is_the_reset_less_the_servers_own_date() {
        let date = ("date", "Mon, 23 Nov 2026 12:00:00 GMT");
        let at = |offset: i64| (NOON + offset).to_string();
        assert_eq!(asked(&[date, ("x-rate-limit-reset", &at(37))]), 37);
        assert_eq!(asked(&[("x-rate-limit-reset", &at(37))]), 37, "no date: our own clock");
        assert_eq!(asked(&[date, ("x-rate-limit-reset", &at(-5))]), 1, "already past");
        assert_eq!(asked(&[date, ("x-rate-limit-reset", &at(99_999))]), 300, "beyond belief");
        assert_eq!(asked(&[date, ("x-rate-limit-reset", "9223372036854775807")]), 300);
        assert_eq!(asked(&[date, ("x-rate-limit-reset", "-9223372036854775808")]), 1);
    }

    #[test]
    fn the_servers_date_counts_and_not_our_clock() {
        let reset = (NOON + 40).to_string();
        let headers =
            [("date", "Mon, 23 Nov 2026 12:00:10 GMT"), ("x-rate-limit-reset", reset.as_str())];
        assert_eq!(asked(&headers), 30);
    }

    #[test]
    fn a_concurrency_limit_is_a_short_wait_and_no_headers_a_moderate_one() {
        let reset = (NOON + 59).to_string();
        assert_eq!(asked(&[("x-rate-limit-limit", "0"), ("x-rate-limit-reset", &reset)]), 2);
        assert_eq!(asked(&[]), 15);
        assert_eq!(asked(&[("x-rate-limit-reset", "soon")]), 15);
    }

    #[test]
    fn the_limit_is_that_of_the_org_and_not_that_of_requests_at_once() {
        let seen = |value: &str| {
            limit(&HeaderMap::from_iter([(
                "x-rate-limit-limit".parse().unwrap(),
                value.parse().unwrap(),
            )]))
        };
        assert_eq!(
            (seen("600"), seen("0"), seen("-1"), seen("many")),
            (Some(600), None, None, None)
        );
        assert_eq!(limit(&HeaderMap::new()), None);
    }

    #[test]
    fn jitter_only_ever_adds() {
        let wait = Duration::from_secs(10);
        assert_eq!(jittered(wait, 0.0), wait);
        assert_eq!(jittered(wait, 0.5), Duration::from_secs(11));
        assert!(jittered(LONGEST_WAIT, 0.999) < LONGEST_WAIT + Duration::from_secs(5));
        assert!((0..1000).map(|_| random_fraction()).all(|f| (0.0..1.0).contains(&f)));
    }

    #[test]
    fn a_part_of_a_host_is_left_alone_until_the_later_end_and_others_are_not() {
        let (table, now) = (BackOff::default(), Instant::now());
        table.learn("a", Bucket::Token, Duration::from_secs(30), now);
        table.learn("a", Bucket::Token, Duration::from_secs(2), now);
        assert_eq!(table.remaining("a", Bucket::Token, now), Some(Duration::from_secs(30)));
        assert_eq!(table.remaining("a", Bucket::Token, now + Duration::from_secs(30)), None);
        assert_eq!(table.remaining("a", Bucket::Devices, now), None);
        assert_eq!(table.remaining("b", Bucket::Token, now), None);
    }

    #[test]
    fn a_full_table_still_learns() {
        let (table, now) = (BackOff::default(), Instant::now());
        for n in 0..u64::try_from(MOST_REMEMBERED).unwrap() + 10 {
            table.learn(&n.to_string(), Bucket::Token, Duration::from_millis(30_000 + n), now);
        }
        assert_eq!(table.not_before.lock().unwrap().len(), MOST_REMEMBERED);
        assert_eq!(table.remaining("9", Bucket::Token, now), None, "it would have ended first");
        assert!(table.remaining("10009", Bucket::Token, now).is_some());
        table.learn("new", Bucket::Token, Duration::from_secs(30), now + Duration::from_secs(60));
        assert_eq!(table.not_before.lock().unwrap().len(), 1);
    }

    #[test]
    fn each_endpoint_has_the_bucket_that_okta_counts_it_in() {
        for (path, bucket) in [
            ("/.well-known/okta-organization", Bucket::WellKnown),
            ("/oauth2/v1/token", Bucket::Token),
            ("/api/v1/authenticators", Bucket::Authenticators),
            ("/api/v1/authenticators/aut1/methods", Bucket::Authenticators),
            ("/api/v1/devices", Bucket::Devices),
            ("/api/v1/devices/guo1", Bucket::Devices),
            ("/api/v1/devices/guo1/users", Bucket::DeviceUsers),
            ("/", Bucket::Other),
            ("/api/v1/users", Bucket::Other),
        ] {
            assert_eq!(Bucket::of(path), bucket, "{path}");
        }
    }
}
