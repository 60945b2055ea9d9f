//! Waiting for a condition. Tests wait for conditions, never for a fixed time.

use std::time::{Duration, Instant};

/// The timeout of a condition. Generous, because the machine may be busy.
pub const WAIT_LIMIT: Duration = Duration::from_secs(60);

/// Waits until the condition holds; panics with `what` on a timeout.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + WAIT_LIMIT;
    while !holds().await {
        assert!(Instant::now() < deadline, "not in {WAIT_LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
