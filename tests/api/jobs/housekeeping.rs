//! Housekeeping: expired rows are deleted, others stay, and audit events cannot be deleted otherwise.

use reqwest::Method;
use serde_json::json;

use crate::support::inventory::{MAC, UDID, at, enrolled, with};
use crate::support::wait::until;
use crate::support::world::World;

/// Runs the tenant's housekeeping job and waits until it is done.
async fn keep_house(world: &World) {
    world.make_job_due("housekeeping");
    let _replica = world.replica(&[]).await;
    until("the housekeeping is done", async || world.job("housekeeping").seconds_left > 3_000.0)
        .await;
}

/// Starts a world with one integration and only the housekeeping job. Returns the integration's ID.
async fn house() -> (World, String) {
    let world = World::start().await;
    let path = world.integration().await;
    let id = path.rsplit('/').next().expect("id").to_owned();
    (world, id)
}

#[tokio::test]
async fn tombstone_is_deleted_after_30_days_and_a_reenrolled_device_stays() {
    let (world, id) = house().await;
    let device = |serial: &str, deleted: &str, reported: &str| {
        world.insert_deleted_device(serial, deleted, reported);
        world.insert_delivery(&id, serial);
    };
    device("AGED29", "29 days", "29 days");
    device("AGED31", "31 days", "31 days");
    device("CAMEBACK", "31 days", "30 days");
    world.insert_device("NEVERDELETED", "macos");
    // The tombstone of a deletion that was reported late is kept equally long.
    world.report_deletion_late("TOLDLATE", "40 days");
    keep_house(&world).await;
    assert_eq!(world.device_rows(), ["AGED29", "CAMEBACK", "NEVERDELETED", "TOLDLATE"]);
    assert_eq!(world.count("device_deliveries"), 2);
}

#[tokio::test]
async fn tombstone_stays_while_okta_has_a_record_and_leaves_a_departure() {
    let (world, id) = house().await;
    let report = |minute| with(enrolled(minute), "udid", json!(UDID));
    for serial in ["C02SERIAL123", MAC] {
        let mut body = report(0);
        body["udid"] = if serial == MAC { json!(UDID) } else { json!(null) };
        world.report_device(serial, &body).await.expect(201);
        world.delete_device(serial, 5).await;
    }
    assert_eq!(
        world.column(&format!("devices WHERE serial_number = '{MAC}'"), "udid"),
        [UDID],
        "a tombstone keeps its identifiers"
    );
    world.age_devices("31 days");
    world.insert_okta_device(&id, "guo1", Some("OTHERSERIAL"), &json!([]));
    world.set_record_udid("OTHERSERIAL", UDID);
    keep_house(&world).await;
    assert_eq!(world.device_rows(), [MAC]);
    world.delete_records();
    keep_house(&world).await;
    assert_eq!(world.count("devices"), 0);
    // The departure is kept and counts when the device is enrolled again.
    let stale = world.report_device(MAC, &report(5)).await.expect(200);
    assert_eq!(stale["results"]["enrollment"], "ignored_stale");
    let back = world.report_device(MAC, &report(6)).await.expect(201);
    assert_eq!(back["device"]["left_at"], json!(at(5)));
}

#[tokio::test]
async fn tombstone_stays_while_okta_has_a_record_with_any_identifier() {
    let (world, id) = house().await;
    let serials = ["C02BYSERIAL", "C02BYUDID12", "C02BYOKTA12", "C02NORECORD"];
    for (n, serial) in serials.into_iter().enumerate() {
        let mut body = with(enrolled(0), "udid", json!(format!("{}{n}", &UDID[..UDID.len() - 1])));
        body["okta_device_id"] = json!(format!("guo{n}"));
        world.report_device(serial, &body).await.expect(201);
        world.delete_device(serial, 5).await;
    }
    world.sql("UPDATE devices SET updated_at = now() - interval '31 days'");
    let by_udid = format!("'{}1'", &UDID[..UDID.len() - 1]);
    for (record, serial, udid) in [
        ("guoA", "'C02BYSERIAL'", "NULL"),
        ("guoB", "NULL", by_udid.as_str()),
        ("guo2", "NULL", "NULL"),
    ] {
        world.sql(&format!(
            "INSERT INTO okta_devices (tenant_id, integration_id, okta_device_id, platform, status, \
                 serial_number, udid, created_at, last_updated_at, users, users_known, any_managed, \
                 observed_at) \
             VALUES ('{}', '{id}', '{record}', 'MACOS', 'ACTIVE', {serial}, {udid}, now(), now(), '[]', \
                 true, false, now())",
            world.tenant
        ));
    }
    keep_house(&world).await;
    assert_eq!(world.device_rows(), ["C02BYOKTA12", "C02BYSERIAL", "C02BYUDID12"]);
}

#[tokio::test]
async fn tombstones_of_a_tenant_without_an_org_are_deleted() {
    let world = World::start().await;
    let delete = world.ask(Method::DELETE, "/devices/C02ABC123DEF");
    delete.scopes(&["odt:inventory"]).send().await.expect(200);
    assert_eq!((world.count_jobs("housekeeping"), world.count("jobs")), (1, 1));
}

#[tokio::test]
async fn snapshots_lose_serial_numbers_after_a_day_and_expire_after_30() {
    let (world, _) = house().await;
    for (id, age) in [("young", "24 hours"), ("closed", "26 hours"), ("old", "31 days")] {
        world.insert_snapshot(id, age, MAC);
    }
    keep_house(&world).await;
    assert_eq!(world.column("device_snapshot_serials", "snapshot_id"), ["young"]);
    assert_eq!(world.column("device_snapshots", "snapshot_id"), ["closed", "young"]);
}

#[tokio::test]
async fn events_expire_after_400_days_in_batches() {
    let (world, _) = house().await;
    world.insert_events(&world.tenant, "399 days", 3);
    world.insert_events(&world.tenant, "401 days", 2500);
    world.insert_events("stranger", "401 days", 2);
    keep_house(&world).await;
    assert_eq!(world.event_ages(&world.tenant), "399 days: 3");
    assert_eq!(
        world.event_ages("stranger"),
        "401 days: 2",
        "another tenant's events are not affected"
    );
}

/// Runs a statement as the service's role and commits.
fn as_service(world: &World, tenant: Option<&str>, sql: &str) -> Result<String, String> {
    world.sql_as_service(tenant, sql, "COMMIT")
}

#[tokio::test]
async fn delete_old_events_affects_only_old_events_of_the_tenant() {
    let (world, _) = house().await;
    for tenant in [world.tenant.as_str(), "stranger"] {
        world.insert_events(tenant, "399 days", 1);
        world.insert_events(tenant, "401 days", 1);
    }
    let both = "399 days: 1, 401 days: 1";
    let delete = |tenant: &str| format!("SELECT delete_old_events('{tenant}')");

    let refused = as_service(&world, Some(&world.tenant), &delete("stranger"));
    assert!(refused.is_err_and(|error| error.contains("not of this tenant")));
    assert_eq!(world.event_ages("stranger"), both);
    assert_eq!(as_service(&world, Some(&world.tenant), &delete(&world.tenant)), Ok("1".into()));
    assert_eq!(as_service(&world, Some(&world.tenant), &delete(&world.tenant)), Ok("0".into()));
    assert_eq!(world.event_ages(&world.tenant), "399 days: 1");
    assert_eq!(world.event_ages("stranger"), both);

    // It does not change the transaction's tenant.
    let after = "SELECT delete_old_events('stranger'); SELECT count(*) FROM events";
    assert_eq!(as_service(&world, None, after), Ok("0".into()));
    assert_eq!(world.event_ages("stranger"), "399 days: 1");
}

#[tokio::test]
async fn delete_old_events_ignores_a_time_that_is_ahead() {
    let (world, _) = house().await;
    world.insert_events(&world.tenant, "399 days", 1);
    world.insert_events(&world.tenant, "401 days", 1);
    let delete = |time: &str| {
        let statement = format!("SELECT delete_old_events('{}', {time})", world.tenant);
        as_service(&world, Some(&world.tenant), &statement)
    };
    assert_eq!(delete("now() - interval '2 days'"), Ok("0".into()));
    assert_eq!(world.event_ages(&world.tenant), "399 days: 1, 401 days: 1");
    assert_eq!(delete("now() + interval '1000 years'"), Ok("1".into()));
    assert_eq!(world.event_ages(&world.tenant), "399 days: 1");
}

#[tokio::test]
async fn service_role_cannot_change_events_and_only_it_has_the_function() {
    let (world, _) = house().await;
    world.insert_events(&world.tenant, "401 days", 1);
    for sql in ["DELETE FROM events", "UPDATE events SET at = now()", "TRUNCATE events"] {
        let refused = as_service(&world, Some(&world.tenant), sql);
        assert!(refused.is_err_and(|error| error.contains("permission denied")), "{sql}");
    }
    for function in ["delete_old_events(text)", "delete_old_events(text, timestamptz)"] {
        assert!(world.may_execute("odt_service", function));
        assert!(!world.may_execute("pg_monitor", function), "a role that is granted nothing");
    }
}

#[tokio::test]
async fn expired_rows_are_deleted_and_others_stay() {
    let (world, id) = house().await;
    let of = format!("'{}', '{id}'", world.tenant);
    let tenant = &world.tenant;
    world.sql(&format!(
        "INSERT INTO idempotency_keys (tenant_id, key, body_hash, claimed_at) VALUES \
            ('{tenant}', 'old', '\\x00', now() - interval '25 hours'), \
            ('{tenant}', 'young', '\\x00', now() - interval '23 hours');
         INSERT INTO scep_challenges (tenant_id, integration_id, id, serial_number, asked_at) VALUES \
            ({of}, gen_random_uuid(), 'old', now() - interval '25 hours'), \
            ({of}, gen_random_uuid(), 'young', now() - interval '23 hours');
         INSERT INTO okta_syncs (tenant_id, integration_id, sweep_id) VALUES ({of}, 7);
         INSERT INTO okta_sweep_pages (tenant_id, integration_id, sweep_id, page, okta_device_ids) \
            VALUES ({of}, 6, 1, '{{}}'), ({of}, 7, 1, '{{}}');
         INSERT INTO okta_budgets (org_id, bucket, share, limit_per_minute, tokens, updated_at) VALUES \
            ('00oOLD', 'devices', 'sweep', 50, 1, now() - interval '31 days'), \
            ('00oYOUNG', 'devices', 'sweep', 50, 1, now() - interval '29 days');
         INSERT INTO event_hooks (tenant_id, integration_id, hook_id, secret_sha256, updated_by, \
                previous_sha256, previous_valid_until) \
            VALUES ({of}, gen_random_uuid(), '\\x01', 'nobody', '\\x02', now() + interval '1 hour')"
    ));
    keep_house(&world).await;
    assert_eq!(world.column("idempotency_keys", "key"), ["young"]);
    assert_eq!(world.column("scep_challenges", "serial_number"), ["young"]);
    assert_eq!(world.column("okta_sweep_pages", "sweep_id"), ["7"]);
    assert_eq!(world.column("okta_budgets", "org_id"), ["00oYOUNG"]);
    assert!(world.has_previous_hook_secret(), "the previous secret is valid for another hour");
    world.expire_previous_hook_secret();
    keep_house(&world).await;
    assert!(!world.has_previous_hook_secret());
    assert_eq!(world.column("event_hooks", "encode(secret_sha256, 'hex')"), ["01"]);
}

#[tokio::test]
async fn empty_tenant_has_housekeeping_once_a_day() {
    let (world, _) = house().await;
    world.forget_integrations_and_events();
    keep_house(&world).await;
    assert!(world.job("housekeeping").seconds_left > 23.0 * 3600.0);
}
