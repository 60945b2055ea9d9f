//! The mirror under failures: failing pages, expired cursors, exhausted rate limits, killed replicas. No
//! record is lost or removed, and no request is repeated without need.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::{Fault, FaultKind, NewDevice};

use crate::support::fleet::{DEVICES, mirroring, udid};
use crate::support::postgres::own_postgres;
use crate::support::process::Process;
use crate::support::wait::until;
use crate::support::world::World;

/// Returns the requested pages by cursor, with the status of each response.
fn pages(world: &World) -> Vec<(Option<String>, u16)> {
    let entries = world.acme.journal().entries();
    let lists = entries.iter().filter(|entry| entry.path == DEVICES);
    lists.map(|entry| (entry.query_value("after"), entry.status.unwrap_or(0))).collect()
}

async fn ask(world: &World, path: &str) {
    world.ask(Method::POST, &format!("{path}/sync")).admin().send().await.expect(202);
}

/// A world with three pages, swept once, and an empty journal.
async fn swept_world() -> (World, String, Value) {
    let world = mirroring().start().await;
    world.add_fleet(450);
    let path = world.connected().await;
    let first = world.until_swept(&path, None).await;
    world.acme.journal().clear();
    (world, path, first)
}

#[tokio::test]
async fn failing_page_removes_nothing_and_is_retried() {
    for kind in
        [FaultKind::Status, FaultKind::ConnectionReset, FaultKind::InvalidJson, FaultKind::Html]
    {
        let (world, path, first) = swept_world().await;
        world.acme.fail(Fault::new(kind).on(DEVICES).after(1).times(1));
        ask(&world, &path).await;
        let after = world.until_swept(&path, Some(&first)).await;
        assert_eq!(after["devices"], 450);
        let asked = pages(&world);
        assert_eq!(asked.len(), 4, "{kind:?} {asked:?}");
        assert_eq!(asked[1].0, asked[2].0, "the failed page is retried");
        assert_eq!(asked.iter().filter(|(cursor, _)| cursor.is_none()).count(), 1);
        assert_eq!(world.count("okta_rereads"), 0);
    }
}

#[tokio::test]
async fn expired_cursor_restarts_the_sweep_and_removes_nothing() {
    let (world, path, first) = swept_world().await;
    world.acme.fail(Fault::new(FaultKind::DeadCursor).on(DEVICES).after(1).times(1));
    ask(&world, &path).await;
    world.until_sync(&path, |sync| sync["last_error"]["code"] == "cursor_expired").await;
    let after = world.until_swept(&path, Some(&first)).await;
    assert_eq!(after["devices"], 450);
    assert!(after.get("last_error").is_none(), "{after}");
    let firsts = pages(&world).iter().filter(|(cursor, _)| cursor.is_none()).count();
    assert_eq!((firsts, pages(&world).len()), (2, 5));
}

#[tokio::test]
async fn next_page_on_another_host_is_not_followed() {
    let (world, path, first) = swept_world().await;
    world.acme.fail(Fault::new(FaultKind::ForeignNext).on(DEVICES));
    ask(&world, &path).await;
    let sync =
        world.until_sync(&path, |sync| sync["last_error"]["code"] == "okta_bad_answer").await;
    assert_eq!(
        (&sync["devices"], &sync["last_success_at"]),
        (&json!(450), &first["last_success_at"])
    );
    assert_eq!(world.count("okta_rereads"), 0);
    world.acme.recover();
    let after = world.until_swept(&path, Some(&first)).await;
    assert_eq!(after["devices"], 450);
}

#[tokio::test]
async fn outage_is_reported_until_it_ends() {
    let (world, path, first) = swept_world().await;
    world.acme.fail(Fault::status(503));
    ask(&world, &path).await;
    let sync =
        world.until_sync(&path, |sync| sync["last_error"]["code"] == "okta_unreachable").await;
    assert_eq!(sync["devices"], 450);
    let reasons = world.get(&path).await.expect(200)["status_reasons"].clone();
    assert_eq!(
        reasons,
        json!(["no_platform_selected"]),
        "an outage does not degrade the integration"
    );
    world.acme.recover();
    let after = world.until_swept(&path, Some(&first)).await;
    assert!(after.get("last_error").is_none(), "{after}");
}

#[tokio::test]
async fn rejected_client_is_reported_and_rechecked() {
    let (world, path, _) = swept_world().await;

    let before = world.job("recheck").requested_at;
    world.acme.change(|knobs| knobs.client_active = false);
    world.acme.kill_tokens();
    ask(&world, &path).await;
    world.until_sync(&path, |sync| sync["last_error"]["code"] == "invalid_client").await;
    assert_ne!(
        world.job("recheck").requested_at,
        before,
        "a check of the credentials was requested"
    );
}

#[tokio::test]
async fn exhausted_rate_limit_delays_the_sweep() {
    let world = mirroring().start().await;
    world.add_fleet(250);
    world.acme.change(|knobs| knobs.rate_limits.window_seconds = 3);
    world.acme.leave_requests("devices", 0);
    let path = world.connected().await;
    let sync = world.until_sync(&path, |sync| sync["state"] == "waiting").await;
    assert!(sync.get("last_error").is_none(), "waiting is not an error: {sync}");
    let after = world.until_swept(&path, None).await;
    assert_eq!(after["devices"], 250);
    let limited = pages(&world).iter().filter(|(_, status)| *status == 429).count();
    assert_eq!(limited, 1, "no request before the limit resets");
}

#[tokio::test]
async fn own_share_of_the_rate_limit_is_never_exceeded() {
    let world = mirroring().start().await;
    world.add_fleet(1200);
    // Sweeps have 36 requests per minute: 3.6 at once, then 0.54 per second.
    world.acme.change(|knobs| knobs.rate_limits.devices = 120);
    let path = world.connected().await;
    let after = world.until_swept(&path, None).await;
    assert_eq!(
        (&after["devices"], &after["progress"]["devices_per_minute"]),
        (&json!(1200), &json!(7200))
    );
    let entries = world.acme.journal().entries();
    let at: Vec<_> =
        entries.iter().filter(|entry| entry.path == DEVICES).map(|entry| entry.at).collect();
    assert_eq!(at.len(), 6);
    for (first, begin) in at.iter().enumerate() {
        for (last, end) in at.iter().enumerate().skip(first) {
            let seconds = (*end - *begin).as_seconds_f64();
            let requests = u32::try_from(last - first).expect("few");
            assert!(
                f64::from(requests) <= 3.6 + 0.54 * (seconds + 0.5),
                "{requests} in {seconds} s"
            );
        }
    }
    assert_eq!(world.budget_limit("sweep"), 120);
}

#[tokio::test]
async fn two_replicas_read_each_page_once() {
    let world = mirroring().start().await;
    world.add_fleet(450);
    let _other = Process::serve(&world.environment).await;
    let path = world.connected().await;
    let mut sync = world.until_swept(&path, None).await;
    for sweeps in 2..=4 {
        ask(&world, &path).await;
        sync = world.until_swept(&path, Some(&sync)).await;
        assert_eq!(pages(&world).len(), 3 * sweeps);
    }
    assert_eq!(sync["devices"], 450);
}

#[tokio::test]
async fn sweep_of_a_killed_replica_is_continued_by_another() {
    let builder = mirroring().setting("ODT_SYNC_LEASE_SECONDS", "2");
    let mut world = builder.without_service().await;
    world.add_fleet(1000);
    world.acme.fail(Fault::delay_ms(300).on(DEVICES));
    let mut first = Process::serve(&world.environment).await;
    world.base.clone_from(&first.base);
    let path = world.connected().await;
    until("two pages are read", async || world.count("okta_sweep_pages") >= 2).await;
    first.kill();
    assert!(!world.is_swept());
    world.acme.recover();
    let second = Process::serve(&world.environment).await;
    world.base.clone_from(&second.base);
    let sync = world.until_swept(&path, None).await;
    assert_eq!((&sync["devices"], &sync["progress"]["expected"]), (&json!(1000), &json!(1000)));
    let asked = pages(&world);
    assert!(asked.len() <= 6, "at most one page is read twice: {asked:?}");
    assert_eq!(asked.iter().filter(|(cursor, _)| cursor.is_none()).count(), 1);
}

#[tokio::test]
async fn restart_of_postgresql_during_a_sweep_loses_nothing() {
    let (mut postgres, database, url) = own_postgres();
    let builder = mirroring().setting("ODT_SYNC_LEASE_SECONDS", "2").database_url(url);
    let world = builder.start().await;
    world.add_fleet(800);
    world.acme.fail(Fault::delay_ms(300).on(DEVICES));
    let path = world.connected().await;
    let pages_stored =
        || postgres.execute(&database, "SELECT count(*) FROM okta_sweep_pages").expect("SQL");
    until("a page is read", async || pages_stored() != "0").await;
    postgres.crash().expect("crash");
    postgres.restart().expect("restart");
    world.acme.recover();
    let sync = world.until_swept(&path, None).await;
    assert_eq!(sync["devices"], 800);
    assert_eq!(pages(&world).iter().filter(|(cursor, _)| cursor.is_none()).count(), 1);
}

#[tokio::test]
async fn large_org_is_swept_again_without_table_statistics() {
    let world = mirroring().start().await;
    // PostgreSQL has no statistics of the new rows and underestimates them.
    for table in ["okta_devices", "okta_sweep_pages", "okta_rereads"] {
        world.sql(&format!("ALTER TABLE {table} SET (autovacuum_enabled = false)"));
    }
    world.add_fleet(16_000);
    let path = world.connected().await;
    let first = world.until_swept(&path, None).await;
    world.ask(Method::POST, &format!("{path}/sync")).admin().send().await.expect(202);
    world.until_swept(&path, Some(&first)).await;
    assert_eq!(world.job("sweep").attempts, 0);
    assert_eq!(world.records_that_follow_sweeps(), 16_000);
}

#[tokio::test]
async fn devices_added_during_a_sweep_are_found() {
    let world = mirroring().setting("ODT_SYNC_READ_EVERY_SECONDS", "1").start().await;
    let ids = world.add_fleet(450);
    world.acme.fail(Fault::delay_ms(200).on(DEVICES).times(3));
    let path = world.connected().await;
    for (n, id) in ids.iter().enumerate().take(20) {
        world.acme.add_device(NewDevice::mac(format!("C02LATE{n:05}"), udid(9000 + n)));
        world.acme.delete_device(id).expect("device");
    }
    world
        .until_sync(&path, |sync| sync["devices"] == 450 && !sync["last_success_at"].is_null())
        .await;
    assert_eq!(world.count_records_like("C02LATE%"), 20);
}
