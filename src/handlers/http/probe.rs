//! A question that anybody may ask as often as they like, put to what lies behind once a second: the
//! readiness is open to all, and each ping of the database takes a connection from those who work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

/// How long an answer is good.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// How long a caller waits for an answer; after that it is "no".
const PATIENCE: Duration = Duration::from_secs(1);

/// The last answer, and whether the question is being asked.
#[derive(Clone)]
pub struct Probe {
    last: watch::Sender<Option<(Instant, bool)>>,
    asking: Arc<Mutex<()>>,
}

impl Default for Probe {
    fn default() -> Self {
        Self { last: watch::Sender::new(None), asking: Arc::default() }
    }
}

impl Probe {
    /// The last answer while it is good, else that of `ask`. One is asked at a time, and it is asked
    /// to its end even when nobody waits any more: callers that go away must not add up.
    pub(in crate::handlers) async fn answer<F>(&self, ask: impl FnOnce() -> F) -> bool
    where
        F: Future<Output = bool> + Send + 'static,
    {
        let mut last = self.last.subscribe();
        if let Some((at, answer)) = *last.borrow_and_update()
            && at.elapsed() < GOOD_FOR
        {
            return answer;
        }
        if let Ok(turn) = Arc::clone(&self.asking).try_lock_owned() {
            let (asked, last) = (ask(), self.last.clone());
            tokio::spawn(async move {
                let answer = asked.await;
                last.send_replace(Some((Instant::now(), answer)));
                drop(turn);
            });
        }
        let changed = timeout(PATIENCE, last.changed()).await.is_ok_and(|changed| changed.is_ok());
        changed && last.borrow().is_some_and(|(_, answer)| answer)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn many_callers_cause_one_question_and_its_answer_is_kept_for_a_second() {
        let (probe, asked) = (Probe::default(), Arc::new(AtomicUsize::new(0)));
        let ask = || {
            let asked = Arc::clone(&asked);
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                asked.fetch_add(1, Ordering::SeqCst);
                true
            }
        };
        for _ in 0..10 {
            let answers = join_all((0..50).map(|_| probe.answer(ask))).await;
            assert!(answers.into_iter().all(|answer| answer));
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        tokio::time::sleep(GOOD_FOR).await;
        assert!(probe.answer(ask).await);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_question_without_an_answer_is_a_no_in_time_and_is_not_asked_twice() {
        let (probe, asked) = (Probe::default(), Arc::new(AtomicUsize::new(0)));
        let hang = || {
            asked.fetch_add(1, Ordering::SeqCst);
            std::future::pending()
        };
        let started = Instant::now();
        for _ in 0..2 {
            assert!(!probe.answer(hang).await);
        }
        assert!(started.elapsed() < 3 * PATIENCE);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_does_not_end_the_question() {
        let (probe, asked) = (Probe::default(), Arc::new(AtomicUsize::new(0)));
        let ask = || {
            asked.fetch_add(1, Ordering::SeqCst);
            async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                true
            }
        };
        for _ in 0..5 {
            let gone = timeout(Duration::from_millis(5), probe.answer(ask)).await;
            assert!(gone.is_err());
        }
        assert!(probe.answer(ask).await);
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }
}
