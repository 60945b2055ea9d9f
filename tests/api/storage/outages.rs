//! PostgreSQL that is unavailable, recovers, or is restarted under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::OrgSetup;

use crate::storage::{BOUND, expect_unavailable, health};
use crate::support::postgres::own_postgres;
use crate::support::process::Process;
use crate::support::world::{INTEGRATIONS, World};

#[tokio::test]
async fn service_started_before_its_database_waits() {
    let (mut postgres, _, url) = own_postgres();
    let mut world = World::build().database_url(url).without_service().await;
    postgres.crash().expect("crash");
    let mut service = Process::spawn(&world.environment, &["serve"]);
    service.until_it_says("postgresql is not available: waiting for it").await;
    assert!(service.is_running());
    postgres.restart().expect("restart");
    let back = Instant::now();
    service.until_it_serves().await;
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    world.base.clone_from(&service.base);
    world.connected().await;
}

#[tokio::test]
async fn database_outage_is_503_in_time_and_recovers() {
    let (mut postgres, _, url) = own_postgres();
    let world = World::build().database_url(url).start().await;
    let path = world.connected().await;
    let before = world.get(&path).await.expect(200);
    assert_eq!(health(&world).await, (200, 200, json!(true)));

    postgres.crash().expect("crash");
    // Readiness is checked at most once a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let gone = Instant::now();
    // More concurrent reads and writes than connections.
    let reads = join_all((0..8).map(|_| world.get(&path)));
    let patch = json!({ "selected_platforms": ["ios"] });
    let writes = join_all((0..8).map(|_| world.patch(&path, &patch)));
    let check = format!("{path}/prerequisites/check");
    let (reads, writes, check, health_then) =
        tokio::join!(reads, writes, world.post(&check, &Value::Null), health(&world));
    assert!(gone.elapsed() < BOUND, "{:?}", gone.elapsed());
    reads.into_iter().chain(writes).chain([check]).for_each(expect_unavailable);
    assert_eq!(health_then, (200, 503, json!(false)));
    // A caller without a token does not learn of it.
    world.ask(Method::GET, &path).send().await.expect_problem(401, "unauthorized");

    postgres.restart().expect("restart");
    let back = Instant::now();
    let found = loop {
        let answer = world.get(&path).await;
        if answer.status == 200 {
            break answer.json();
        }
        expect_unavailable(answer);
    };
    assert!(back.elapsed() < Duration::from_secs(3), "{:?}", back.elapsed());
    assert_eq!(found, before, "a rejected write must not be stored");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(health(&world).await, (200, 200, json!(true)));
}

#[tokio::test]
async fn postgresql_restart_between_requests_causes_no_error() {
    let (mut postgres, _, url) = own_postgres();
    let world = World::build().database_url(url).start().await;
    let path = world.connected().await;
    for platforms in [json!(["ios"]), json!(["macos"])] {
        // All pooled connections are in use and are dead afterwards.
        for answer in join_all((0..8).map(|_| world.get(&path))).await {
            answer.expect(200);
        }
        postgres.restart().expect("restart");
        let patch = json!({ "selected_platforms": platforms });
        let (reads, written) =
            tokio::join!(join_all((0..8).map(|_| world.get(&path))), world.patch(&path, &patch));
        written.expect(200);
        for answer in reads {
            answer.expect(200);
        }
    }
}

/// Writes continuously. Returns the last acknowledged version, the number of acknowledged writes, and the
/// number of writes rejected with 503.
async fn write_until(world: &World, path: &str, over: &AtomicBool) -> (i64, u64, u64) {
    let (mut version, mut acknowledged, mut refused) = (1, 0_u64, 0);
    while !over.load(Ordering::SeqCst) {
        // Always different from the last acknowledged value, so that each increments the version.
        let platforms = if acknowledged % 2 == 0 { ["ios"] } else { ["macos"] };
        let answer = world.patch(path, &json!({ "selected_platforms": platforms })).await;
        if answer.status == 200 {
            let now = answer.json()["version"].as_i64().expect("number");
            assert!(now > version, "version {now} after {version}: an acknowledged write is lost");
            (version, acknowledged) = (now, acknowledged + 1);
        } else {
            expect_unavailable(answer);
            refused += 1;
        }
    }
    (version, acknowledged, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_restart_under_load_loses_no_acknowledged_write() {
    const CLIENTS: usize = 8;
    let (mut postgres, database, url) = own_postgres();
    let mut builder = World::build().database_url(url);
    for number in 0..CLIENTS {
        builder = builder.org(OrgSetup::new(format!("org-{number}")));
    }
    let world = Arc::new(builder.start().await);
    let over = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for number in 0..CLIENTS {
        let body = json!({ "okta_domain": format!("org-{number}.okta.com") });
        let created = world.post(INTEGRATIONS, &body).await.expect(201);
        let id = created["id"].as_str().expect("id").to_owned();
        let (world, over) = (Arc::clone(&world), Arc::clone(&over));
        writers.push(tokio::spawn(async move {
            let path = format!("{INTEGRATIONS}/{id}");
            let (version, acknowledged, refused) = write_until(&world, &path, &over).await;
            (id, version, acknowledged, refused)
        }));
    }
    // The service waits out a short outage; a longer one is a 503.
    for absence in [0, 0, 4] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        postgres.crash().expect("crash");
        tokio::time::sleep(Duration::from_secs(absence)).await;
        postgres.restart().expect("restart");
        let back = Instant::now();
        while world.get(INTEGRATIONS).await.status != 200 {
            assert!(back.elapsed() < Duration::from_secs(3), "it did not recover in time");
        }
    }
    // Long enough for some load of each writer, even on a busy machine.
    tokio::time::sleep(Duration::from_secs(2)).await;
    over.store(true, Ordering::SeqCst);
    let mut refusals = 0;
    for writer in writers {
        let (id, version, acknowledged, refused) = writer.await.expect("a writer");
        refusals += refused;
        assert!(acknowledged > 10, "there was no load: {acknowledged}");
        let sql = |sql: &str| postgres.execute(&database, sql).expect("SQL");
        let stored: i64 = sql(&format!("SELECT version FROM integrations WHERE id = '{id}'"))
            .parse()
            .expect("number");
        assert!(stored >= version, "{stored} is there, {version} was acknowledged");
        let events = sql(&format!(
            "SELECT count(*) FROM events WHERE integration_id = '{id}' AND kind = 'integration_updated'"
        ));
        assert_eq!(events, (stored - 1).to_string(), "a change without its event");
    }
    assert!(refusals > 0, "no write failed, so the test proves nothing");
}

/// As after a failover that leaves connections to the old primary open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn read_only_server_is_503_and_its_connections_leave_the_pool() {
    let (postgres, database, url) = own_postgres();
    let world = World::build().database_url(url).start().await;
    let path = world.connected().await;
    join_all((0..8).map(|_| world.get(&path))).await;
    let set = |sql: &str| {
        postgres.execute(&database, &format!("ALTER SYSTEM {sql}")).expect("SQL");
        postgres.execute(&database, "SELECT pg_reload_conf()").expect("SQL");
    };
    set("SET default_transaction_read_only = on");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let gone = Instant::now();
    let patch = json!({ "selected_platforms": ["ios"] });
    let writes = join_all((0..4).map(|_| world.patch(&path, &patch))).await;
    writes.into_iter().for_each(expect_unavailable);
    assert!(gone.elapsed() < BOUND, "{:?}", gone.elapsed());
    set("RESET default_transaction_read_only");
    tokio::time::sleep(Duration::from_millis(300)).await;
    world.patch(&path, &patch).await.expect(200);
}
