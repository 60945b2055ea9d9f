//! PostgreSQL that accepts connections without answering, and rows locked by another session.

use std::time::{Duration, Instant};

use diesel::Connection as _;
use diesel::connection::SimpleConnection as _;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::storage::{BOUND, expect_unavailable, health};
use crate::support::answer::item;
use crate::support::platforms::{deploy, mac};
use crate::support::postgres::POSTGRES;
use crate::support::process::Process;
use crate::support::proxy::behind_a_proxy;
use crate::support::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_database_is_503_in_time_and_recovers() {
    let (mut world, proxy) = behind_a_proxy().await;
    let service = Process::serve(&world.environment).await;
    world.base.clone_from(&service.base);
    let path = world.connected().await;
    proxy.frozen.send_replace(true);
    let hung = Instant::now();
    let patch = json!({ "selected_platforms": ["ios"] });
    let asked = join_all((0..8).map(|_| world.get(&path)));
    let live = async {
        // More requests than connections; liveness still works.
        for _ in 0..20 {
            let asked = Instant::now();
            let live = world.ask(Method::GET, "/health/live").send().await;
            assert_eq!(live.status, 200);
            assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (asked, written, (), ready) =
        tokio::join!(asked, world.patch(&path, &patch), live, health(&world));
    assert!(hung.elapsed() < BOUND, "{:?}", hung.elapsed());
    asked.into_iter().chain([written]).for_each(expect_unavailable);
    assert_eq!(ready, (200, 503, json!(false)));

    proxy.frozen.send_replace(false);
    let thawed = Instant::now();
    world.get(&path).await.expect(200);
    assert!(thawed.elapsed() < Duration::from_secs(3), "{:?}", thawed.elapsed());
    // The hanging write may be stored or not, but version and event must agree.
    let version = world.get(&path).await.expect(200)["version"].clone();
    assert_eq!(version, json!(2 + world.count_events("integration_updated")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_database_does_not_delay_the_shutdown() {
    let (mut world, proxy) = behind_a_proxy().await;
    world.environment.set("ODT_SHUTDOWN_GRACE_SECONDS", "1");
    let mut service = Process::serve(&world.environment).await;
    world.base.clone_from(&service.base);
    let path = world.integration().await;
    proxy.frozen.send_replace(true);
    let request = world.http.get(format!("{}{path}", world.base));
    let request = request.bearer_auth(world.token_of(&world.tenant, &["odt:read"])).send();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        service.terminate();
        service.exit_code(Duration::from_secs(4)).await
    };
    let (_, code) = tokio::join!(request, stop);
    assert_eq!(code, Some(0), "it does not exit with 0: {}", service.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locked_row_is_503_in_time() {
    let world = World::start().await;
    let path = world.connected().await;
    let mut holder = holder(&world, "SELECT * FROM integrations FOR UPDATE");
    let patch = json!({ "selected_platforms": ["ios"] });
    let asked = Instant::now();
    expect_unavailable(world.patch(&path, &patch).await);
    assert!(asked.elapsed() < Duration::from_millis(2_500), "{:?}", asked.elapsed());
    holder.batch_execute("COMMIT").expect("SQL");
    world.patch(&path, &patch).await.expect(200);
    assert_eq!(
        item(&world.get(&format!("{path}/prerequisites")).await.expect(200), "fastpass")["outcome"],
        "passed"
    );
}

/// Opens a session that holds the locks of `sql` until it commits.
fn holder(world: &World, sql: &str) -> diesel::PgConnection {
    let url = POSTGRES.lock().expect("postgres").superuser_url(&world.database);
    let mut holder = diesel::PgConnection::establish(&url).expect("connection");
    holder.batch_execute(&format!("BEGIN; {sql}")).expect("SQL");
    holder
}

/// Returns the PostgreSQL processes of the service's sessions.
fn sessions(world: &World) -> String {
    world.sql(
        "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity \
          WHERE usename = 'odt_service' AND datname = current_database()",
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_for_one_row_do_not_block_other_tenants() {
    let mut world = World::start().await;
    let path = world.connected().await;
    let crowd = std::mem::replace(&mut world.tenant, "another-tenant".to_owned());
    let other = world.integration().await;
    let mut holder = holder(&world, "SELECT * FROM integrations FOR UPDATE");
    let before = sessions(&world);
    let token = world.token_of(&crowd, &["odt:write"]);
    let patch = json!({ "selected_platforms": ["ios"] });
    let waiting =
        join_all((0..4).map(|_| world.ask(Method::PATCH, &path).token(&token).json(&patch).send()));
    let reading = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let asked = Instant::now();
        world.get(&other).await.expect(200);
        asked.elapsed()
    };
    let (answers, took) = tokio::join!(waiting, reading);
    answers.into_iter().for_each(expect_unavailable);
    assert!(took < Duration::from_millis(2_500), "{took:?}");
    // A lock timeout does not close the connection.
    assert_eq!(
        sessions(&world).split(' ').filter(|pid| before.contains(pid)).count(),
        before.split(' ').count()
    );
    holder.batch_execute("COMMIT").expect("SQL");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn challenge_does_not_wait_for_the_end_of_a_sweep() {
    let world = World::start().await;
    let path = world.configured().await;
    // Like every insert with a foreign key to the integration.
    let _holder = holder(&world, "SELECT * FROM integrations FOR KEY SHARE");
    let asked = Instant::now();
    let challenges = format!("{path}/platforms/macos/scep-challenges");
    deploy(&world, &challenges, &json!({ "device": mac() })).await.expect(201);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}
