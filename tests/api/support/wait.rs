//! Waiting for a condition. Tests wait for what they need to happen, never for a length of time.

use std::time::{Duration, Instant};

/// How long a condition may take. Generous: the machine may be busy with something else.
pub const WAIT_LIMIT: Duration = Duration::from_secs(60);

/// Waits until the condition holds; panics with `what` when it never does.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + WAIT_LIMIT;
    while !holds().await {
        assert!(Instant::now() < deadline, "not in {WAIT_LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
