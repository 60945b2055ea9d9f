//! Re-reads of single devices, and the budgets of requests to Okta.

use crate::support::world::World;

impl World {
    /// Enqueues a re-read as an event hook does, and makes the job due.
    pub fn enqueue_reread(&self, id: &str) {
        self.insert_reread(id, "hook", "0");
        self.make_job_due("rereads");
    }

    /// Inserts a re-read that was asked for `age` ago; `reason` is `hook` or `missing`.
    pub fn insert_reread(&self, id: &str, reason: &str, age: &str) {
        self.sql(&format!(
            "INSERT INTO okta_rereads (tenant_id, integration_id, okta_device_id, reason, asked_at) \
             SELECT tenant_id, id, '{id}', '{reason}', now() - interval '{age}' FROM integrations"
        ));
    }

    /// Devices that wait for a re-read because of a hook, in order.
    pub fn hook_rereads(&self) -> Vec<String> {
        self.rereads("hook")
    }

    /// Devices that wait for a re-read for this reason, in order.
    pub fn rereads(&self, reason: &str) -> Vec<String> {
        let ids = self.sql(&format!(
            "SELECT okta_device_id FROM okta_rereads WHERE reason = '{reason}' ORDER BY 1"
        ));
        ids.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// Spends the budget of a share for hours, whether it was used before or not.
    pub fn spend_budget(&self, bucket: &str, share: &str) {
        self.sql(&format!(
            "INSERT INTO okta_budgets (org_id, bucket, share, limit_per_minute, tokens) \
             VALUES ('{}', '{bucket}', '{share}', 10, -10000) \
             ON CONFLICT (org_id, bucket, share) DO UPDATE SET tokens = -10000, limit_per_minute = 10",
            self.acme.id()
        ));
    }

    pub fn forget_budgets(&self) {
        self.sql("DELETE FROM okta_budgets");
    }

    /// Requests a minute that a share was last seen to have.
    pub fn budget_limit(&self, share: &str) -> u64 {
        self.number(&format!("SELECT limit_per_minute FROM okta_budgets WHERE share = '{share}'"))
    }

    /// Makes a re-read due `age` ago; a negative age is in the future.
    pub fn set_reread_due(&self, id: &str, age: &str) {
        self.sql(&format!(
            "UPDATE okta_rereads SET due_at = now() - interval '{age}' WHERE okta_device_id = '{id}'"
        ));
    }

    /// Until a re-read is due; negative when it is overdue.
    pub fn seconds_until_reread(&self, id: &str) -> f64 {
        let left = self.sql(&format!(
            "SELECT extract(epoch FROM due_at - now()) FROM okta_rereads WHERE okta_device_id = '{id}'"
        ));
        left.parse().expect("seconds")
    }

    pub fn rereads_requested_within(&self, age: &str) -> u64 {
        self.number(&format!(
            "SELECT count(*) FROM okta_rereads WHERE asked_at > now() - interval '{age}'"
        ))
    }
}
