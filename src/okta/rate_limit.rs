//! Back-off after a 429, per org and rate limit bucket. Okta sends no `Retry-After`, so the wait is computed
//! from its rate limit headers.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap};

const LIMIT: &str = "x-rate-limit-limit";

/// Maximum wait. Okta's rate limit windows have one minute.
const MAX_WAIT: Duration = Duration::from_mins(5);

/// Wait after a concurrency limit (limit 0 in the response), which usually clears soon.
const CONCURRENCY_WAIT: Duration = Duration::from_secs(2);

/// Wait after a 429 without rate limit headers.
const DEFAULT_WAIT: Duration = Duration::from_secs(15);

/// Maximum number of entries. Expired ones are evicted first, then those that expire next.
const MAX_ENTRIES: usize = 10_000;

/// Returns how long to wait after a 429, with jitter: `reset − Date`. Both are Okta's times, so our clock
/// does not matter.
pub(super) fn wait(headers: &HeaderMap) -> Duration {
    jittered(requested_wait(headers, Utc::now()), random_fraction())
}

/// Returns the org's rate limit per minute; `None` if the header is about concurrent requests.
pub(super) fn limit(headers: &HeaderMap) -> Option<u32> {
    let limit = u32::try_from(number(headers, LIMIT)?).ok()?;
    (limit > 0).then_some(limit)
}

fn requested_wait(headers: &HeaderMap, local_now: DateTime<Utc>) -> Duration {
    if number(headers, LIMIT) == Some(0) {
        return CONCURRENCY_WAIT;
    }
    let Some(reset) = number(headers, "x-rate-limit-reset") else { return DEFAULT_WAIT };
    let now = date(headers).unwrap_or(local_now).timestamp();
    let seconds = u64::try_from(reset.saturating_sub(now)).unwrap_or(0);
    Duration::from_secs(seconds).clamp(Duration::from_secs(1), MAX_WAIT)
}

fn number(headers: &HeaderMap, name: &str) -> Option<i64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text).ok().map(|date| date.to_utc())
}

/// Adds up to a fifth, at most 5 s, so that waiting callers do not all retry at the same time.
fn jittered(wait: Duration, fraction: f64) -> Duration {
    let max_jitter = (wait / 5).min(Duration::from_secs(5));
    wait + max_jitter.mul_f64(fraction)
}

/// Returns a random number from 0 to 1 (exclusive). The standard library's randomly seeded hashers are good
/// enough to spread retries.
pub(super) fn random_fraction() -> f64 {
    let bits = u32::try_from(RandomState::new().build_hasher().finish() >> 32).unwrap_or(0);
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

/// A rate limit bucket of Okta. Buckets are independent, so one tenant's failing token requests do not
/// block the reads of another tenant of the same org.
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
    /// Returns the bucket of a request path.
    pub(super) fn from_path(path: &str) -> Self {
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
    /// Returns the label for metrics.
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

/// The buckets that must not be used for now, shared by all tenants of an org.
#[derive(Default)]
pub(super) struct BackOff {
    not_before: Mutex<HashMap<(String, Bucket), Instant>>,
}

impl BackOff {
    /// Returns how long the bucket must not be used.
    pub(super) fn remaining(&self, host: &str, bucket: Bucket, now: Instant) -> Option<Duration> {
        let table = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = table.get(&(host.to_owned(), bucket))?.saturating_duration_since(now);
        (!wait.is_zero()).then_some(wait)
    }

    /// Records a wait. The later of two ends counts. A full table evicts the entry that ends next.
    pub(super) fn record(&self, host: &str, bucket: Bucket, wait: Duration, now: Instant) {
        let mut table = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (host.to_owned(), bucket);
        if table.len() >= MAX_ENTRIES && !table.contains_key(&key) {
            table.retain(|_, end| *end > now);
            make_room(&mut table);
        }
        let end = table.entry(key).or_insert(now);
        *end = (*end).max(now + wait);
    }
}

fn make_room(table: &mut HashMap<(String, Bucket), Instant>) {
    if table.len() < MAX_ENTRIES {
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

    fn wait_seconds(headers: &[(&'static str, &str)]) -> u64 {
        let headers =
            headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
        requested_wait(&headers, DateTime::from_timestamp(NOON, 0).unwrap()).as_secs()
    }

    #[test]
    fn the_wait_is_reset_minus_date() {
        let date = ("date", "Mon, 23 Nov 2026 12:00:00 GMT");
        let at = |offset: i64| (NOON + offset).to_string();
        assert_eq!(wait_seconds(&[date, ("x-rate-limit-reset", &at(37))]), 37);
        assert_eq!(wait_seconds(&[("x-rate-limit-reset", &at(37))]), 37, "no date: our clock");
        assert_eq!(wait_seconds(&[date, ("x-rate-limit-reset", &at(-5))]), 1, "already past");
        assert_eq!(wait_seconds(&[date, ("x-rate-limit-reset", &at(99_999))]), 300, "capped");
        assert_eq!(wait_seconds(&[date, ("x-rate-limit-reset", "9223372036854775807")]), 300);
        assert_eq!(wait_seconds(&[date, ("x-rate-limit-reset", "-9223372036854775808")]), 1);
    }

    #[test]
    fn the_servers_clock_is_used() {
        let reset = (NOON + 40).to_string();
        let headers =
            [("date", "Mon, 23 Nov 2026 12:00:10 GMT"), ("x-rate-limit-reset", reset.as_str())];
        assert_eq!(wait_seconds(&headers), 30);
    }

    #[test]
    fn a_concurrency_limit_gives_a_short_wait_and_missing_headers_the_default() {
        let reset = (NOON + 59).to_string();
        assert_eq!(wait_seconds(&[("x-rate-limit-limit", "0"), ("x-rate-limit-reset", &reset)]), 2);
        assert_eq!(wait_seconds(&[]), 15);
        assert_eq!(wait_seconds(&[("x-rate-limit-reset", "soon")]), 15);
    }

    #[test]
    fn a_concurrency_limit_is_not_the_rate_limit() {
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
    fn jitter_never_shortens_the_wait() {
        let wait = Duration::from_secs(10);
        assert_eq!(jittered(wait, 0.0), wait);
        assert_eq!(jittered(wait, 0.5), Duration::from_secs(11));
        assert!(jittered(MAX_WAIT, 0.999) < MAX_WAIT + Duration::from_secs(5));
        assert!((0..1000).map(|_| random_fraction()).all(|f| (0.0..1.0).contains(&f)));
    }

    #[test]
    fn a_bucket_is_blocked_until_the_later_end_and_others_are_not() {
        let (table, now) = (BackOff::default(), Instant::now());
        table.record("a", Bucket::Token, Duration::from_secs(30), now);
        table.record("a", Bucket::Token, Duration::from_secs(2), now);
        assert_eq!(table.remaining("a", Bucket::Token, now), Some(Duration::from_secs(30)));
        assert_eq!(table.remaining("a", Bucket::Token, now + Duration::from_secs(30)), None);
        assert_eq!(table.remaining("a", Bucket::Devices, now), None);
        assert_eq!(table.remaining("b", Bucket::Token, now), None);
    }

    #[test]
    fn a_full_table_accepts_new_entries() {
        let (table, now) = (BackOff::default(), Instant::now());
        for n in 0..u64::try_from(MAX_ENTRIES).unwrap() + 10 {
            table.record(&n.to_string(), Bucket::Token, Duration::from_millis(30_000 + n), now);
        }
        assert_eq!(table.not_before.lock().unwrap().len(), MAX_ENTRIES);
        assert_eq!(table.remaining("9", Bucket::Token, now), None, "it was evicted");
        assert!(table.remaining("10009", Bucket::Token, now).is_some());
        table.record("new", Bucket::Token, Duration::from_secs(30), now + Duration::from_secs(60));
        assert_eq!(table.not_before.lock().unwrap().len(), 1);
    }

    #[test]
    fn each_endpoint_has_its_bucket() {
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
            assert_eq!(Bucket::from_path(path), bucket, "{path}");
        }
    }
}
