//! What tells in PostgreSQL's log that each method of the store ran.

use std::collections::BTreeSet;

use crate::layers::all_sources;

/// Each public method of the store, and a part of a statement that it sends; `^` and `$` are its ends.
/// Methods that only combine statements of others have one of those.
pub const METHODS: [(&str, &str); 84] = [
    ("begin_sweep", "INSERT INTO okta_syncs"),
    ("check_hook_call", "FROM hook_routes"),
    ("check_projection", "LEFT JOIN defined_trust_facts"),
    ("check_keys", "SELECT sealing_keys.key_id, sealing_keys.check_value FROM"),
    ("claim_challenge", "INSERT INTO scep_challenges"),
    ("claim_idempotency_key", "INSERT INTO idempotency_keys"),
    ("claim_job", "UPDATE jobs SET lease_id = $1, claimed_at"),
    ("complete_snapshot", "UPDATE device_snapshots SET completed_at"),
    ("count_missing_devices", "LEFT JOIN device_snapshot_serials n"),
    ("count_secrets_by_key", "GROUP BY credentials.key_id"),
    ("create_client_key", "INSERT INTO client_keys"),
    ("create_deployment", "INSERT INTO deployments"),
    ("create_event", "INSERT INTO events"),
    ("create_hook_rereads", "UPDATE event_hooks SET last_delivery_at"),
    ("create_integration", "INSERT INTO integrations"),
    ("delete_client_key", "AND (client_keys.state != $4))"),
    ("delete_credentials", "DELETE FROM credentials"),
    ("delete_device", "FOR UPDATE OF d"),
    ("delete_event_hook", "DELETE FROM event_hooks"),
    ("delete_expired", "DELETE FROM idempotency_keys WHERE tenant_id = $1 AND key IN"),
    ("delete_idle_budgets", "DELETE FROM okta_budgets"),
    ("delete_integration", "DELETE FROM integrations"),
    ("delete_job", "AND (jobs.requested_at <= jobs.claimed_at)"),
    ("delete_platform", "DELETE FROM platforms"),
    ("end_challenge", "UPDATE scep_challenges SET ended_at"),
    ("end_job", "UPDATE jobs SET lease_id = NULL"),
    ("find_device_identity", "SELECT devices.platform, devices.udid FROM devices"),
    ("find_event_hook", "SELECT event_hooks.hook_id, event_hooks.version"),
    ("find_read", "SELECT okta_syncs.read_until, okta_syncs.read_cursor"),
    ("get_device", "SELECT t.* FROM devices t"),
    ("get_integration", "FROM integrations WHERE"),
    ("get_sync", "count(*) FILTER"),
    ("get_trust_facts", "FROM facts_many("),
    ("is_tenant_empty", "), EXISTS (SELECT"),
    ("list_devices", "LEFT JOIN device_deliveries given"),
    ("list_due_rereads", "ORDER BY (okta_rereads.reason != "),
    ("list_events", "ORDER BY events.id"),
    ("list_integrations", "ORDER BY integrations.id"),
    ("list_inventory_serials", "SELECT devices.serial_number FROM devices"),
    ("list_missing_keys", "SELECT sealing_keys.key_id FROM sealing_keys ORDER BY"),
    ("list_okta_devices", "AS matched_serial_number"),
    ("list_pending_devices", "^WITH due AS"),
    ("list_pending_migrations", "FROM __diesel_schema_migrations"),
    ("list_public_keys", "FROM jwks_routes WHERE (jwks_routes.jwks_id"),
    ("list_tenants", "SELECT tenants.id FROM tenants ORDER BY"),
    ("mark_not_found", "UPDATE okta_devices SET not_found_at"),
    ("next_reread", "min(due_at)"),
    ("open_client_key", "SELECT client_keys.kid, client_keys.private_key"),
    ("open_credentials", "SELECT credentials.client_id, credentials.client_secret"),
    ("open_platform", "SELECT platforms.secret FROM platforms"),
    ("ping", "^SELECT 1$"),
    ("postpone", "UPDATE okta_rereads SET due_at"),
    ("project_missing", "NOT EXISTS (SELECT FROM trust_facts"),
    ("record_hook_verification", "UPDATE event_hooks SET verified_at"),
    ("record_lost_host", "SET host_lost_since"),
    ("record_status", "UPDATE integrations SET noted_status"),
    ("record_sweep_completion", "okta_devices.any_managed"),
    ("record_sync_error", "UPDATE okta_syncs SET waiting_until"),
    ("ensure_role_is_safe", "FROM pg_roles"),
    ("release_idempotency_key", "AND (idempotency_keys.integration_id IS NULL))$"),
    ("release_unused_keys", "DELETE FROM sealing_keys"),
    ("repair_projection", "project_trust_facts"),
    ("request_hook_rereads", "AS waiting, EXISTS"),
    ("request_sync", "INSERT INTO jobs AS j"),
    ("reseal_secrets", "UPDATE credentials SET client_secret"),
    ("restart_read", "UPDATE okta_syncs SET read_cursor"),
    ("restart_sweep", "UPDATE okta_syncs SET sweep_started_at = $1, sweep_cursor = $2 WHERE"),
    (
        "revoke_previous_hook_secrets",
        "UPDATE event_hooks SET previous_sha256 = $1, previous_valid_until",
    ),
    ("save_device_users", "INSERT INTO okta_devices"),
    ("save_live_read", "SELECT integrations.org_id FROM integrations"),
    ("save_read_page", "UPDATE okta_syncs AS s SET read_until = CASE WHEN $3"),
    ("save_reread", "INSERT INTO okta_devices"),
    ("save_snapshot_page", "INSERT INTO device_snapshots"),
    ("save_sweep_page", "INSERT INTO okta_sweep_pages"),
    ("claim_budget", "INSERT INTO okta_budgets"),
    ("unenroll_missing_devices", "UPDATE device_snapshots SET unenrolled"),
    ("update_attestation", "INSERT INTO prerequisite_attestations"),
    ("update_credentials", "INSERT INTO credentials"),
    ("update_devices", "INSERT INTO devices"),
    ("update_event_hook", "INSERT INTO event_hooks"),
    ("update_findings", "INSERT INTO prerequisite_findings"),
    ("update_integration", "UPDATE integrations SET selected_platforms"),
    ("update_platform", "INSERT INTO platforms"),
    ("update_verification", "UPDATE platforms SET verified_at"),
];

/// The names of the store's public methods, in its source.
pub fn public_methods() -> BTreeSet<String> {
    let sources = all_sources().into_iter().filter(|(name, _)| name.starts_with("store/"));
    let mut names = BTreeSet::new();
    for (_, source) in sources {
        for start in ["pub async fn ", "pub(crate) async fn "] {
            let methods = source.split(start).skip(1);
            names.extend(methods.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())));
        }
    }
    names
}
