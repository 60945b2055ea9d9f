//! The mirror of Okta's devices: records and sweeps.

use serde_json::Value;

use crate::support::world::World;

impl World {
    /// A record of the mirror: a Mac when a serial number is known, otherwise an iPhone.
    pub fn insert_okta_device(
        &self,
        integration: &str,
        id: &str,
        serial: Option<&str>,
        users: &Value,
    ) {
        let tenant = &self.tenant;
        let serial = serial.map_or_else(|| "NULL".to_owned(), |serial| format!("'{serial}'"));
        let platform = if serial == "NULL" { "IOS" } else { "MACOS" };
        self.sql(&format!(
            "INSERT INTO okta_devices (tenant_id, integration_id, okta_device_id, platform, status, \
                serial_number, created_at, last_updated_at, users, users_known, any_managed, observed_at) \
             VALUES ('{tenant}', '{integration}', '{id}', '{platform}', 'ACTIVE', {serial}, \
                now() - interval '2 days', now(), '{users}', true, true, now() - interval '1 hour')"
        ));
    }

    /// The number of records that are marked as gone from Okta.
    pub fn records_not_found(&self) -> u64 {
        self.number("SELECT count(*) FROM okta_devices WHERE not_found_at IS NOT NULL")
    }

    pub fn mark_record_not_found(&self, id: &str) {
        self.sql(&format!(
            "UPDATE okta_devices SET not_found_at = now() WHERE okta_device_id = '{id}'"
        ));
    }

    /// Sets the status of every record.
    pub fn set_record_status(&self, status: &str) {
        self.sql(&format!("UPDATE okta_devices SET status = '{status}'"));
    }

    /// Sets the platform of every record.
    pub fn set_record_platform(&self, platform: &str) {
        self.sql(&format!("UPDATE okta_devices SET platform = '{platform}'"));
    }

    pub fn set_record_udid(&self, serial: &str, udid: &str) {
        self.sql(&format!(
            "UPDATE okta_devices SET udid = '{udid}' WHERE serial_number = '{serial}'"
        ));
    }

    /// Sets the users of every record; `None`: how they are managed is not known.
    pub fn set_record_users(&self, users: Option<&Value>) {
        match users {
            Some(users) => {
                self.sql(&format!("UPDATE okta_devices SET users_known = true, users = '{users}'"))
            }
            None => self.sql("UPDATE okta_devices SET users_known = false"),
        };
    }

    /// True when the users of every record are known.
    pub fn all_users_are_known(&self) -> bool {
        self.sql("SELECT bool_and(users_known) FROM okta_devices") == "t"
    }

    /// Makes a record this old, with that status.
    pub fn age_record(&self, id: &str, age: &str, status: &str) {
        self.sql(&format!(
            "UPDATE okta_devices SET created_at = now() - interval '{age}', status = '{status}' \
              WHERE okta_device_id = '{id}'"
        ));
    }

    pub fn recreate_record(&self, id: &str) {
        self.sql(&format!(
            "UPDATE okta_devices SET created_at = now() WHERE okta_device_id = '{id}'"
        ));
    }

    /// Dates the last observation of every record back.
    pub fn observe_records(&self, age: &str) {
        self.sql(&format!("UPDATE okta_devices SET observed_at = now() - interval '{age}'"));
    }

    pub fn read_records_by_id(&self, age: &str) {
        self.sql(&format!("UPDATE okta_devices SET read_by_id_at = now() - interval '{age}'"));
    }

    /// As if the last sweep had not confirmed the records.
    pub fn unfollow_sweeps(&self) {
        self.sql("UPDATE okta_devices SET follows_sweeps = false");
    }

    pub fn records_that_follow_sweeps(&self) -> u64 {
        self.number("SELECT count(*) FROM okta_devices WHERE follows_sweeps")
    }

    /// As if the org was read `age` ago; facts of the mirror are as old as that.
    pub fn set_swept(&self, age: &str) {
        self.sql(&format!(
            "INSERT INTO okta_syncs (tenant_id, integration_id, swept_at) \
             SELECT tenant_id, id, now() - interval '{age}' FROM integrations \
              WHERE tenant_id = '{}' \
             ON CONFLICT (tenant_id, integration_id) DO UPDATE SET swept_at = excluded.swept_at",
            self.tenant
        ));
    }

    /// Deletes all records, as the deletion of their integrations does.
    pub fn delete_records(&self) {
        self.sql("DELETE FROM okta_devices");
    }

    /// As if Okta had last changed all records `age` earlier than it said.
    pub fn age_record_updates(&self, age: &str) {
        self.sql(&format!(
            "UPDATE okta_devices SET last_updated_at = last_updated_at - interval '{age}', \
                    use_base_updated_at = use_base_updated_at - interval '{age}'"
        ));
    }

    /// The names of all fields that are stored of users, in order.
    pub fn fields_of_stored_users(&self) -> Vec<String> {
        let users = "okta_devices, jsonb_array_elements(users) u, jsonb_object_keys(u) key";
        self.column(users, "DISTINCT key")
    }

    /// As if the sweep that showed too few records had begun `age` earlier.
    pub fn age_shrunk_sweep(&self, age: &str) {
        self.sql(&format!(
            "UPDATE okta_syncs SET shrunk_started_at = shrunk_started_at - interval '{age}'"
        ));
    }

    /// As if no sweep was ever complete.
    pub fn forget_sweeps(&self) {
        self.sql("UPDATE okta_syncs SET swept_at = NULL");
    }

    /// As if the last complete sweep ended `age` ago.
    pub fn set_sweep_completed(&self, age: &str) {
        self.sql(&format!(
            "INSERT INTO okta_syncs (tenant_id, integration_id, sweep_completed_at) \
             SELECT tenant_id, id, now() - interval '{age}' FROM integrations \
             ON CONFLICT (tenant_id, integration_id) \
             DO UPDATE SET sweep_completed_at = excluded.sweep_completed_at"
        ));
    }

    /// As if a sweep was under way since now.
    pub fn begin_sweep(&self) {
        self.sql("UPDATE okta_syncs SET sweep_started_at = now()");
    }

    /// As if so much time had passed since Okta was last read.
    pub fn age_mirror(&self, age: &str) {
        self.sql(&format!(
            "UPDATE okta_syncs SET swept_at = swept_at - interval '{age}', \
                    sweep_completed_at = sweep_completed_at - interval '{age}', \
                    last_success_at = last_success_at - interval '{age}'; \
             UPDATE okta_devices SET observed_at = observed_at - interval '{age}', \
                    users_observed_at = users_observed_at - interval '{age}', \
                    users_read_at = users_read_at - interval '{age}', \
                    read_by_id_at = read_by_id_at - interval '{age}'; \
             UPDATE credentials SET updated_at = updated_at - interval '{age}'"
        ));
    }

    /// True once the org was wholly read.
    pub fn is_swept(&self) -> bool {
        self.number("SELECT count(*) FROM okta_syncs WHERE swept_at IS NOT NULL") > 0
    }

    /// How long the mirror still waits for Okta's rate limit.
    pub fn seconds_of_waiting(&self) -> f64 {
        let left =
            "SELECT coalesce(max(extract(epoch FROM waiting_until - now())), 0) FROM okta_syncs";
        self.sql(left).parse().expect("seconds")
    }

    /// Which version of each record the table has: the same text when nothing was written.
    pub fn record_versions(&self) -> String {
        self.sql("SELECT string_agg(xmin::text, ',' ORDER BY okta_device_id) FROM okta_devices")
    }

    pub fn count_records_like(&self, serial: &str) -> u64 {
        self.number(&format!(
            "SELECT count(*) FROM okta_devices WHERE serial_number LIKE '{serial}'"
        ))
    }

    /// Okta's `lastUpdated` of a record.
    pub fn last_updated(&self, id: &str) -> chrono::DateTime<chrono::Utc> {
        let time = self.sql(&format!(
            "SELECT to_char(last_updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') \
               FROM okta_devices WHERE okta_device_id = '{id}'"
        ));
        time.parse().expect("a time")
    }

    /// As if the record was read by its id `age` ago.
    pub fn read_record_by_id(&self, id: &str, age: &str) {
        self.sql(&format!(
            "UPDATE okta_devices SET read_by_id_at = now() - interval '{age}' \
              WHERE okta_device_id = '{id}'"
        ));
    }
}
