//! PostgreSQL that accepts connections and does not answer, and rows that another session has locked.

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
async fn a_database_that_hangs_is_a_503_in_time_and_goes_on_where_it_stopped() {
    let (mut world, proxy) = behind_a_proxy().await;
    let service = Process::serve(&world.environment).await;
    world.base.clone_from(&service.base);
    let path = world.connected().await;
    proxy.frozen.send_replace(true);
    let hung = Instant::now();
    let patch = json!({ "selected_platforms": ["ios"] });
    let asked = join_all((0..8).map(|_| world.get(&path)));
    let live = async {
        // More connections than the service has, and still it says that it lives.
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
    // Whether the write that hung was made is not known: its version and its event agree.
    let version = world.get(&path).await.expect(200)["version"].clone();
    assert_eq!(version, json!(2 + world.count_events("integration_updated")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_does_not_hold_up_the_stop() {
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
    assert_eq!(code, Some(0), "it does not end, or badly: {}", service.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_another_session_holds_is_a_503_in_time_and_not_a_500() {
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

/// Another session that holds what `sql` locks until it commits.
fn holder(world: &World, sql: &str) -> diesel::PgConnection {
    let url = POSTGRES.lock().expect("postgres").superuser_url(&world.database);
    let mut holder = diesel::PgConnection::establish(&url).expect("connection");
    holder.batch_execute(&format!("BEGIN; {sql}")).expect("SQL");
    holder
}

/// The processes of PostgreSQL that serve the world's service.
fn sessions(world: &World) -> String {
    world.sql(
        "SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_activity \
          WHERE usename = 'odt_service' AND datname = current_database()",
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_waits_for_one_row_leave_other_tenants_their_connections() {
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
    // A wait that ended is no reason to give a connection up.
    assert_eq!(
        sessions(&world).split(' ').filter(|pid| before.contains(pid)).count(),
        before.split(' ').count()
    );
    holder.batch_execute("COMMIT").expect("SQL");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_does_not_wait_for_a_sweep_that_ends() {
    let world = World::start().await;
    let path = world.configured().await;
    // As every insert into a table that refers to the integration does.
    let _holder = holder(&world, "SELECT * FROM integrations FOR KEY SHARE");
    let asked = Instant::now();
    let challenges = format!("{path}/platforms/macos/scep-challenges");
    deploy(&world, &challenges, &json!({ "device": mac() })).await.expect(201);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}
