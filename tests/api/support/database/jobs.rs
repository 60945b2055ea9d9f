//! Jobs: when they run, and what became of them.

use crate::support::world::World;

/// What the queue says of one kind of job.
pub struct Job {
    pub attempts: u64,
    /// Until it is due; negative when it is overdue.
    pub seconds_left: f64,
    /// A timestamp, to be compared for equality.
    pub requested_at: String,
}

impl World {
    /// The one job of a kind.
    pub fn job(&self, kind: &str) -> Job {
        let row = self.sql(&format!(
            "SELECT attempts, extract(epoch FROM run_at - now()), requested_at FROM jobs \
              WHERE kind = '{kind}'"
        ));
        let columns: Vec<&str> = row.split('|').collect();
        let [attempts, seconds_left, requested_at] = columns[..] else {
            panic!("no {kind}: {row}")
        };
        Job {
            attempts: attempts.parse().expect("a number"),
            seconds_left: seconds_left.parse().expect("seconds"),
            requested_at: requested_at.to_owned(),
        }
    }

    pub fn count_jobs(&self, kind: &str) -> u64 {
        self.number(&format!("SELECT count(*) FROM jobs WHERE kind = '{kind}'"))
    }

    /// Jobs that read Okta's devices: sweeps, incremental reads and re-reads.
    pub fn count_mirror_jobs(&self) -> u64 {
        self.number("SELECT count(*) FROM jobs WHERE kind IN ('sweep', 'incremental', 'rereads')")
    }

    /// Jobs of a kind that are due now.
    pub fn due_jobs(&self, kind: &str) -> u64 {
        self.number(&format!("SELECT count(*) FROM jobs WHERE kind = '{kind}' AND run_at <= now()"))
    }

    /// Jobs that are due or that a worker holds.
    pub fn unfinished_jobs(&self) -> u64 {
        self.number("SELECT count(*) FROM jobs WHERE run_at <= now() OR lease_id IS NOT NULL")
    }

    /// Makes a job, and every re-read, due now.
    pub fn make_job_due(&self, kind: &str) {
        self.sql("UPDATE okta_rereads SET due_at = least(due_at, now())");
        self.sql(&format!(
            "UPDATE jobs SET run_at = now(), requested_at = clock_timestamp() WHERE kind = '{kind}'"
        ));
    }

    /// Moves all jobs an hour away.
    pub fn postpone_jobs(&self) {
        self.sql("UPDATE jobs SET run_at = now() + interval '1 hour'");
    }

    /// Moves all jobs an hour away and leases them, as if a worker was busy with each.
    pub fn lease_jobs(&self) {
        self.postpone_jobs();
        self.sql("UPDATE jobs SET lease_until = now() + interval '1 minute'");
    }

    pub fn end_leases(&self) {
        self.sql("UPDATE jobs SET lease_until = NULL");
    }

    pub fn delete_jobs(&self) {
        self.sql("DELETE FROM jobs");
    }

    /// Leaves only checks and housekeeping: nothing reads Okta's devices any more.
    pub fn delete_mirror_jobs(&self) {
        self.sql("DELETE FROM jobs WHERE kind IN ('sweep', 'incremental', 'rereads')");
    }

    /// A job of an integration that does not exist.
    pub fn insert_orphaned_job(&self, kind: &str) {
        self.sql(&format!(
            "INSERT INTO jobs (tenant_id, integration_id, kind, run_at) \
             VALUES ('{}', '0193d2a4-5b1c-7c43-8b5e-2f8d1c0a9e77', '{kind}', now())",
            self.tenant
        ));
    }
}
