//! Verbs that look into a world's database or change it, as a superuser: what cannot be seen or
//! brought about through the API.
//!
//! Ages and times are PostgreSQL intervals before now, such as `5 minutes`.

mod inventory;
mod jobs;
mod mirror;
mod rereads;

use testkit::okta::Org;

use crate::support::postgres::POSTGRES;
use crate::support::world::World;

impl World {
    /// Runs statements as a superuser, past row-level security. For tests whose subject is the
    /// statement itself; others use a verb of this folder.
    pub fn sql(&self, sql: &str) -> String {
        let postgres = POSTGRES.lock().expect("postgres");
        let rows = postgres.execute(&self.database, sql).expect("SQL");
        // The store updates projected facts with its writes. Without projected facts, verdicts use the
        // definition.
        if !sql.trim_start().to_uppercase().starts_with("SELECT") && !sql.contains("trust_facts") {
            postgres.execute(&self.database, "DELETE FROM trust_facts").expect("SQL");
        }
        rows
    }

    /// Deletes all projected facts, as a change of very many devices would.
    pub fn forget_projection(&self) {
        self.sql("DELETE FROM trust_facts");
    }

    /// Makes the projected facts of a device wrong, as a defect of the store would.
    pub fn falsify_projection(&self, serial_number: &str) {
        let sql = format!(
            "UPDATE trust_facts SET facts = replace(facts, '\"enrolled\"', '\"wiped\"') \
              WHERE serial_number = '{serial_number}' RETURNING 1"
        );
        let changed = POSTGRES.lock().expect("postgres").execute(&self.database, &sql);
        assert_eq!(changed.expect("SQL"), "1", "{serial_number} has projected facts");
    }

    /// Runs statements as the service's role, with the tenant of the transaction.
    pub fn sql_as_service(
        &self,
        tenant: Option<&str>,
        sql: &str,
        end: &str,
    ) -> Result<String, String> {
        let set = tenant.map_or_else(String::new, |tenant| {
            format!("SELECT set_config('odt.tenant', '{tenant}', true);")
        });
        let script = format!("BEGIN; SET LOCAL ROLE odt_service; {set} {sql}; {end};");
        let done = POSTGRES.lock().expect("postgres").execute(&self.database, &script);
        done.map(|text| text.lines().last().unwrap_or_default().to_owned())
            .map_err(|error| error.to_string())
    }

    /// The values of a column in all rows of a table, of all tenants, in order.
    pub fn column(&self, table: &str, column: &str) -> Vec<String> {
        let values = self.sql(&format!("SELECT {column} FROM {table} ORDER BY 1"));
        values.lines().map(str::to_owned).collect()
    }

    /// All rows of a table as text, of all tenants.
    pub fn dump(&self, table: &str) -> String {
        self.sql(&format!("SELECT string_agg(t::text, ' ') FROM {table} t"))
    }

    /// The number of rows of a table, of all tenants.
    pub fn count(&self, table: &str) -> u64 {
        self.number(&format!("SELECT count(*) FROM {table}"))
    }

    /// The number of events of a kind, of all tenants.
    pub fn count_events(&self, kind: &str) -> u64 {
        self.number(&format!("SELECT count(*) FROM events WHERE kind = '{kind}'"))
    }

    pub(super) fn number(&self, sql: &str) -> u64 {
        self.sql(sql).parse().expect("a number")
    }

    /// True while a session of this database waits for a lock.
    pub fn a_session_waits_for_a_lock(&self) -> bool {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                       AND datname = current_database()";
        self.number(waiting) > 0
    }

    /// Dates the credentials back: the time from which a first sweep is expected.
    pub fn age_credentials(&self, age: &str) {
        self.sql(&format!("UPDATE credentials SET updated_at = now() - interval '{age}'"));
    }

    /// Ends the day in which the previous secret of an event hook is still accepted.
    pub fn expire_previous_hook_secret(&self) {
        self.sql("UPDATE event_hooks SET previous_valid_until = now() - interval '1 second'");
    }

    /// Whether the event hook's secret before the last rotation is stored.
    pub fn has_previous_hook_secret(&self) -> bool {
        self.count("event_hooks WHERE previous_sha256 IS NOT NULL") > 0
    }

    /// Whether a role may execute a function, which is named with the types of its arguments.
    pub fn may_execute(&self, role: &str, function: &str) -> bool {
        self.sql(&format!("SELECT has_function_privilege('{role}', '{function}', 'EXECUTE')"))
            == "t"
    }

    /// Moves the sealed client secret of another tenant into the row of `tenant`.
    pub fn copy_client_secret_to(&self, tenant: &str) {
        self.sql(&format!(
            "UPDATE credentials SET client_secret = ( \
                    SELECT client_secret FROM credentials WHERE tenant_id <> '{tenant}') \
              WHERE tenant_id = '{tenant}'"
        ));
    }

    /// Deletes all integrations and the audit, without what such a deletion entails.
    pub fn forget_integrations_and_events(&self) {
        self.sql("DELETE FROM integrations; DELETE FROM events");
    }

    /// Deletes credentials without what their deletion entails.
    pub fn forget_credentials(&self) {
        self.sql("DELETE FROM credentials");
    }

    /// Deletes a platform without what its deletion entails.
    pub fn forget_platform(&self, platform: &str) {
        self.sql(&format!("DELETE FROM platforms WHERE platform = '{platform}'"));
    }

    /// When prerequisites were last checked, to be compared for equality.
    pub fn last_check(&self) -> String {
        self.sql("SELECT max(checked_at) FROM prerequisite_findings")
    }

    /// The number of client secrets that are sealed with a key.
    pub fn secrets_sealed_with(&self, key: &str) -> usize {
        let sql = format!("SELECT count(*) FROM credentials WHERE key_id = '{key}'");
        self.sql(&sql).parse().expect("a number")
    }

    /// The keys that the database lists as used, one a line.
    pub fn sealing_keys(&self) -> String {
        self.sql("SELECT key_id FROM sealing_keys")
    }

    /// PostgreSQL's clock, to be compared with its timestamps.
    pub fn now(&self) -> String {
        self.sql("SELECT clock_timestamp()")
    }

    /// As if the integration had been created for another org.
    pub fn move_integration(&self, org: &Org) {
        self.sql(&format!(
            "UPDATE integrations SET canonical_host = '{}', org_id = '{}'",
            org.host(),
            org.id()
        ));
    }

    /// Events of a tenant that are `age` old.
    pub fn insert_events(&self, tenant: &str, age: &str, count: u32) {
        self.sql(&format!(
            "INSERT INTO events (tenant_id, id, kind, actor, detail, at) \
             SELECT '{tenant}', gen_random_uuid(), 'scope_denied', '{{}}', '{{}}', \
                    now() - interval '{age}' FROM generate_series(1, {count})"
        ));
    }

    /// How many of these events of a tenant there are, by age: `399 days: 3, 401 days: 2`.
    pub fn event_ages(&self, tenant: &str) -> String {
        self.sql(&format!(
            "SELECT coalesce(string_agg(days || ' days: ' || events, ', ' ORDER BY days), 'none') FROM (\
             SELECT extract(day FROM now() - at) AS days, count(*) AS events FROM events \
              WHERE tenant_id = '{tenant}' AND kind = 'scope_denied' GROUP BY 1) AS counted"
        ))
    }
}
