//! A cached health check. The readiness endpoint is public, and each ping of the database takes a
//! connection from the pool, so the ping runs at most once a second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

/// How long a result is cached.
const RESULT_TTL: Duration = Duration::from_secs(1);
/// How long a caller waits for a result; on a timeout the result is `false`.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// The last result, and whether a check is running.
#[derive(Clone)]
pub struct Probe {
    last: watch::Sender<Option<(Instant, bool)>>,
    running: Arc<Mutex<()>>,
}

impl Default for Probe {
    fn default() -> Self {
        Self { last: watch::Sender::new(None), running: Arc::default() }
    }
}

impl Probe {
    /// Returns the cached result, or that of `check`. One check runs at a time, and it runs to its end
    /// even if all callers disconnect, so that abandoned checks do not pile up.
    pub(in crate::handlers) async fn run<F>(&self, check: impl FnOnce() -> F) -> bool
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let mut last = self.last.subscribe();
        if let Some((at, result)) = *last.borrow_and_update()
            && at.elapsed() < RESULT_TTL
        {
            return result;
        }
        if let Ok(guard) = Arc::clone(&self.running).try_lock_owned() {
            let (check, last) = (check(), self.last.clone());
            tokio::spawn(async move {
                let result = check.await;
                last.send_replace(Some((Instant::now(), result)));
                drop(guard);
            });
        }
        let changed = timeout(CHECK_TIMEOUT, last.changed()).await;
        let changed = changed.is_ok_and(|changed| changed.is_ok());
        changed && last.borrow().is_some_and(|(_, result)| result)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn concurrent_callers_share_one_check_and_its_result_is_cached() {
        let (probe, checks) = (Probe::default(), Arc::new(AtomicUsize::new(0)));
        let check = || {
            let checks = Arc::clone(&checks);
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                checks.fetch_add(1, Ordering::SeqCst);
                true
            }
        };
        for _ in 0..10 {
            let results = join_all((0..50).map(|_| probe.run(check))).await;
            assert!(results.into_iter().all(|result| result));
        }
        assert_eq!(checks.load(Ordering::SeqCst), 1);
        tokio::time::sleep(RESULT_TTL).await;
        assert!(probe.run(check).await);
        assert_eq!(checks.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_hanging_check_times_out_and_is_not_started_twice() {
        let (probe, checks) = (Probe::default(), Arc::new(AtomicUsize::new(0)));
        let hang = || {
            checks.fetch_add(1, Ordering::SeqCst);
            std::future::pending()
        };
        let started = Instant::now();
        for _ in 0..2 {
            assert!(!probe.run(hang).await);
        }
        assert!(started.elapsed() < 3 * CHECK_TIMEOUT);
        assert_eq!(checks.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_disconnecting_caller_does_not_cancel_the_check() {
        let (probe, checks) = (Probe::default(), Arc::new(AtomicUsize::new(0)));
        let check = || {
            checks.fetch_add(1, Ordering::SeqCst);
            async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                true
            }
        };
        for _ in 0..5 {
            let disconnected = timeout(Duration::from_millis(5), probe.run(check)).await;
            assert!(disconnected.is_err());
        }
        assert!(probe.run(check).await);
        assert_eq!(checks.load(Ordering::SeqCst), 1);
    }
}
