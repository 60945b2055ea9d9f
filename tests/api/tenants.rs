//! Tenant isolation in the API and in PostgreSQL.

use reqwest::Method;
use serde_json::json;

use crate::support::world::{EVERY_SCOPE, INTEGRATIONS, World};

#[tokio::test]
async fn another_tenants_integration_is_not_found_by_any_operation() {
    let world = World::start().await;
    let path = world.connected().await;
    let before = world.get(&path).await.expect(200);
    let stranger = world.token_of("stranger", &EVERY_SCOPE);
    for (method, path, body) in [
        (Method::GET, path.clone(), json!(null)),
        (Method::PATCH, path.clone(), json!({ "selected_platforms": [] })),
        (Method::DELETE, path.clone(), json!(null)),
        (Method::GET, format!("{path}/setup"), json!(null)),
        (Method::GET, format!("{path}/events"), json!(null)),
        (Method::GET, format!("{path}/prerequisites"), json!(null)),
        (Method::POST, format!("{path}/prerequisites/check"), json!(null)),
        (
            Method::PUT,
            format!("{path}/prerequisites/adaptive_mfa/attestation"),
            json!({ "attested": true }),
        ),
        (Method::PUT, format!("{path}/credentials"), world.credentials()),
        (Method::DELETE, format!("{path}/credentials"), json!(null)),
        (Method::GET, format!("{path}/credentials/keys"), json!(null)),
        (Method::POST, format!("{path}/credentials/keys"), json!(null)),
        (Method::DELETE, format!("{path}/credentials/keys/k"), json!(null)),
        (Method::GET, format!("{path}/platforms"), json!(null)),
        (Method::GET, format!("{path}/platforms/ios"), json!(null)),
        (Method::PUT, format!("{path}/platforms/ios"), json!({ "secret_key": "12345678" })),
        (Method::PATCH, format!("{path}/platforms/ios"), json!({ "secret_key": "12345678" })),
        (Method::DELETE, format!("{path}/platforms/ios"), json!(null)),
        (Method::POST, format!("{path}/platforms/macos/verify"), json!(null)),
        (Method::GET, format!("{path}/sync"), json!(null)),
        (Method::POST, format!("{path}/sync"), json!(null)),
        (Method::GET, format!("{path}/okta-devices"), json!(null)),
        (Method::GET, format!("{path}/event-hook"), json!(null)),
        (Method::PUT, format!("{path}/event-hook"), json!({})),
        (Method::DELETE, format!("{path}/event-hook"), json!(null)),
    ] {
        let mut ask = world.ask(method.clone(), &path).token(&stranger);
        if !body.is_null() {
            ask = ask.json(&body);
        }
        let answer = ask.send().await;
        assert_eq!(answer.status, 404, "{method} {path} {}", answer.text);
        answer.expect_problem(404, "not_found");
    }
    let id = path.rsplit('/').next().expect("id");
    let theirs = world.ask(Method::GET, &format!("/devices?integration_id={id}")).token(&stranger);
    theirs.send().await.expect_problem(404, "not_found");
    let list = world.ask(Method::GET, INTEGRATIONS).token(&stranger).send().await.expect(200);
    assert_eq!(list["items"], json!([]));
    assert_eq!(world.get(&path).await.expect(200), before);
}

/// Every table with customers' data, as the catalogue tells them: all that name a tenant, but for the
/// three that say whose work, hook or key set something is.
const CUSTOMERS_TABLES: &str = "SELECT c.relname FROM pg_class c \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' \
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace \
    AND c.relname NOT IN ('jobs', 'hook_routes', 'jwks_routes') ORDER BY 1";

/// Inserts a row into each table of the inventory and the mirror.
fn fill_inventory_and_mirror(world: &World) {
    let id = world.sql("SELECT id FROM integrations");
    let of = format!("'{}', '{id}'", world.tenant);
    world.sql(&format!(
        "INSERT INTO devices (tenant_id, serial_number, reported_at) VALUES ('{tenant}', 'C02', now()) \
             ON CONFLICT DO NOTHING;
         INSERT INTO device_deliveries (tenant_id, integration_id, serial_number, reported_at) \
             VALUES ({of}, 'C02', now()) ON CONFLICT DO NOTHING;
         INSERT INTO device_certificates (tenant_id, integration_id, serial_number, \
                certificate_serial_number, reported_at) VALUES ({of}, 'C02', '', now()) \
             ON CONFLICT DO NOTHING;
         INSERT INTO device_departures (tenant_id, serial_number, deleted_at) \
             VALUES ('{tenant}', 'C03', now());
         INSERT INTO device_snapshots (tenant_id, snapshot_id, began_at) \
             VALUES ('{tenant}', 's', now());
         INSERT INTO device_snapshot_serials (tenant_id, snapshot_id, serial_number) \
             VALUES ('{tenant}', 's', 'C02');
         INSERT INTO okta_devices (tenant_id, integration_id, okta_device_id, platform, status, \
                created_at, last_updated_at, users, users_known, any_managed, observed_at) \
             VALUES ({of}, 'guo1', 'MACOS', 'ACTIVE', now(), now(), '[]', true, false, now());
         INSERT INTO okta_syncs (tenant_id, integration_id) VALUES ({of}) ON CONFLICT DO NOTHING;
         INSERT INTO okta_sweep_pages (tenant_id, integration_id, sweep_id, page, okta_device_ids) \
             VALUES ({of}, 1, 1, '{{}}');
         INSERT INTO okta_rereads (tenant_id, integration_id, okta_device_id, reason) \
             VALUES ({of}, 'guo1', 'hook') ON CONFLICT DO NOTHING;
         INSERT INTO event_hooks (tenant_id, integration_id, hook_id, secret_sha256, updated_by) \
             VALUES ({of}, gen_random_uuid(), '\\x00', 'nobody') ON CONFLICT DO NOTHING;
         INSERT INTO trust_facts (tenant_id, integration_id, serial_number, facts, unmatched_ios) \
             VALUES ({of}, 'C02', '{{}}', false);
         INSERT INTO client_keys (tenant_id, integration_id, kid, state, public_jwk, private_key, \
                key_id, created_by) VALUES ({of}, 'k', 'pending', '{{}}', '\\x00', 'k', 'nobody');",
        tenant = world.tenant,
    ));
}

#[tokio::test]
async fn postgresql_shows_and_changes_nothing_of_another_tenant_whatever_a_query_forgets() {
    let world = World::start().await;
    let path = world.configured().await;
    let mac =
        json!({ "serial_number": "C02ABC123DEF", "udid": "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D" });
    let deploy = world.ask(Method::POST, &format!("{path}/platforms/macos/deployments"));
    deploy.scopes(&["odt:deploy"]).json(&json!({ "device": mac })).send().await.expect(201);
    let attest =
        world.ask(Method::PUT, &format!("{path}/prerequisites/adaptive_mfa/attestation")).admin();
    attest.json(&json!({ "attested": true })).send().await.expect(200);
    world.sql(&format!(
        "INSERT INTO idempotency_keys (tenant_id, key, body_hash) VALUES ('{}', 'k', '\\x00')",
        world.tenant
    ));
    let id = path.rsplit('/').next().expect("id");
    let now = chrono::Utc::now();
    let later = now + chrono::TimeDelta::days(30);
    let report = json!({
        "platform": "macos",
        "enrollment": { "state": "enrolled", "reported_at": now },
        "deliveries": { id: { "config_version": 1, "delivered_at": now, "reported_at": now } },
        "certificates": { id: { "serial_number": "A1", "not_before": now, "not_after": later, "reported_at": now } },
    });
    let put = world.ask(Method::PUT, "/devices/C02ABC123DEF").scopes(&["odt:inventory"]);
    put.json(&report).send().await.expect(201);
    fill_inventory_and_mirror(&world);
    let as_service = |tenant, sql: &str| world.sql_as_service(tenant, sql, "ROLLBACK");
    let tables: Vec<String> = world.sql(CUSTOMERS_TABLES).lines().map(str::to_owned).collect();
    assert!(tables.len() >= 17, "{tables:?}");
    for table in &tables {
        let all = world.count(table);
        assert_ne!(all, 0, "{table} is empty: the test would show nothing");
        let mine = as_service(Some(&world.tenant), &format!("SELECT count(*) FROM {table}"))
            .expect("own rows");
        assert_eq!(mine, all.to_string(), "{table}: the tenant sees its own rows");
        for tenant in [None, Some("stranger")] {
            let seen = as_service(tenant, &format!("SELECT count(*) FROM {table}")).expect("count");
            assert_eq!(seen, "0", "{table} as {tenant:?}");
            for change in [
                format!("UPDATE {table} SET tenant_id = tenant_id"),
                format!("DELETE FROM {table}"),
            ] {
                let counted =
                    format!("WITH changed AS ({change} RETURNING 1) SELECT count(*) FROM changed");
                // Events are protected by privileges, every other table by row-level security.
                match as_service(tenant, &counted) {
                    Ok(answer) => {
                        assert_eq!(answer, "0", "{change} as {tenant:?}");
                    }
                    Err(error) => assert!(error.contains("permission denied"), "{change}: {error}"),
                }
            }
            let smuggle = format!("INSERT INTO {table} SELECT * FROM {table}");
            let _ = as_service(tenant, &smuggle);
            assert_eq!(world.count(table), all, "{table}");
        }
        let forged = format!("INSERT INTO {table} (tenant_id) VALUES ('{}')", world.tenant);
        let refused = as_service(Some("stranger"), &forged).expect_err("a row for another tenant");
        assert!(refused.contains("row-level security"), "{table}: {refused}");
    }
}

#[tokio::test]
async fn a_table_without_row_level_security_holds_no_customers_data() {
    let world = World::start().await;
    let open = world.sql(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
         AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY 1",
    );
    assert_eq!(
        open.lines().collect::<Vec<_>>(),
        [
            "__diesel_schema_migrations",
            "hook_routes",
            "jobs",
            "jwks_routes",
            "migration_notes",
            "okta_budgets",
            "sealing_keys",
            "tenants"
        ]
    );
}
