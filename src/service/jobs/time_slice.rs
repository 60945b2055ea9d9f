//! How long a worker runs one job before it releases it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::service::Service;

/// The longest run of one job, so that a slow org does not delay the others.
const MAX_TIME_SLICE: Duration = Duration::from_secs(15);

/// The time that a worker has for one claimed job.
pub(in crate::service) struct TimeSlice {
    ends: Instant,
    stopping: Arc<AtomicBool>,
}

impl TimeSlice {
    /// Returns true when the job must be released and continued later.
    pub fn is_over(&self) -> bool {
        self.stopping.load(Ordering::Relaxed) || Instant::now() >= self.ends
    }
}

impl Service {
    /// Starts the time slice of a job that was just claimed.
    pub(in crate::service) fn begin_time_slice(&self) -> TimeSlice {
        TimeSlice { ends: Instant::now() + MAX_TIME_SLICE, stopping: Arc::clone(&self.stopping) }
    }
}
