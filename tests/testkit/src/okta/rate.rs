//! Okta's rate limits: a window per bucket, three headers, and 429 without `Retry-After`.
//!
//! Requests are never delayed, only counted and rejected.

use chrono::Utc;

use super::errors;
use super::knobs::{Knobs, RateLimits};
use super::message::Reply;
use super::org::State;

pub(super) const TOKEN: &str = "token";
pub(super) const AUTHENTICATORS: &str = "authenticators";
pub(super) const DEVICES: &str = "devices";
pub(super) const DEVICE_USERS: &str = "device_users";

/// The current window of a bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// UTC seconds by the local clock.
    ends: i64,
    used: u32,
}

/// The values of the headers of a response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    limit: u32,
    remaining: u32,
    reset: i64,
}

/// Counts a request, or rejects it with a 429.
pub(super) fn count(state: &mut State, bucket: &'static str) -> Result<Standing, Reply> {
    let now = Utc::now().timestamp();
    let skew = state.knobs.clock_skew_seconds;
    if state.knobs.concurrency_exhausted {
        let standing = Standing { limit: 0, remaining: 0, reset: now + skew };
        return Err(standing.head(errors::too_many_requests()));
    }
    let limit = limit(&state.knobs, bucket);
    let window = current(state, bucket, now);
    let reset = window.ends + skew;
    if window.used >= limit {
        return Err(Standing { limit, remaining: 0, reset }.head(errors::too_many_requests()));
    }
    window.used += 1;
    Ok(Standing { limit, remaining: limit - window.used, reset })
}

/// For [`Org::leave_requests`](super::Org::leave_requests).
pub(super) fn leave(state: &mut State, bucket: &str, remaining: u32) {
    let Some(bucket) =
        [TOKEN, AUTHENTICATORS, DEVICES, DEVICE_USERS].into_iter().find(|name| *name == bucket)
    else {
        panic!(
            "no rate limit bucket is named {bucket}: token, authenticators, devices, device_users"
        );
    };
    let used = limit(&state.knobs, bucket).saturating_sub(remaining);
    current(state, bucket, Utc::now().timestamp()).used = used;
}

fn current<'a>(state: &'a mut State, bucket: &'static str, now: i64) -> &'a mut Window {
    let length = i64::from(state.knobs.rate_limits.window_seconds);
    let window = state.windows.entry(bucket).or_insert(Window { ends: now + length, used: 0 });
    if window.ends <= now {
        *window = Window { ends: now + length, used: 0 };
    }
    window
}

fn limit(knobs: &Knobs, bucket: &str) -> u32 {
    let RateLimits { token, authenticators, devices, device_users, .. } = knobs.rate_limits;
    match bucket {
        TOKEN => token,
        AUTHENTICATORS => authenticators,
        DEVICE_USERS => device_users,
        _ => devices,
    }
}

impl Standing {
    /// Adds the headers, which every API and token response has, including errors.
    pub fn head(self, reply: Reply) -> Reply {
        reply
            .with("X-Rate-Limit-Limit", self.limit.to_string())
            .with("X-Rate-Limit-Remaining", self.remaining.to_string())
            .with("X-Rate-Limit-Reset", self.reset.to_string())
    }
}
