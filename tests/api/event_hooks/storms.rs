//! Event hooks under load: floods of deliveries, and an unavailable database.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use serde_json::Value;
use testkit::postgres::Postgres;

use crate::support::event_hooks::{Hooked, NOTHING, deliver, devices, status};
use crate::support::postgres::{database_on, prepare};
use crate::support::proxy::behind_a_proxy;
use crate::support::sockets::Socket;
use crate::support::world::World;

#[tokio::test]
async fn more_than_500_devices_become_one_sweep() {
    let world = World::start().await;
    let Hooked { okta, .. } = Hooked::new(&world).await;
    world.postpone_jobs();
    deliver(&okta, &devices(0, 300)).await;
    deliver(&okta, &devices(200, 500)).await;
    assert_eq!(world.hook_rereads().len(), 500);
    assert_eq!((world.due_jobs("rereads"), world.due_jobs("sweep")), (1, 0));
    world.insert_reread("guoMissing", "missing", "0");
    deliver(&okta, &devices(500, 501)).await;
    assert_eq!((world.hook_rereads().len(), world.due_jobs("sweep")), (0, 1));
    assert_eq!(
        (world.rereads("missing"), world.count("okta_rereads")),
        (vec!["guoMissing".to_owned()], 1)
    );
    deliver(&okta, &devices(7, 8)).await;
    assert_eq!(world.hook_rereads(), ["guo000007"]);
}

#[tokio::test]
async fn running_sweep_does_not_replace_rereads() {
    let world = World::start().await;
    let Hooked { okta, .. } = Hooked::new(&world).await;
    world.lease_jobs();
    deliver(&okta, &devices(0, 501)).await;
    assert_eq!(world.hook_rereads().len(), 501, "a worker runs the sweep");
    world.end_leases();
    world.set_sweep_completed("1 hour");
    world.begin_sweep();
    deliver(&okta, &devices(501, 502)).await;
    assert_eq!(world.hook_rereads().len(), 502, "the sweep continues shortly");
    world.set_sweep_completed("0");
    deliver(&okta, &devices(502, 503)).await;
    assert_eq!((world.hook_rereads().len(), world.due_jobs("sweep")), (0, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_10000_deliveries_are_accepted_without_losing_a_device() {
    let world = World::start().await;
    let Hooked { okta, .. } = Hooked::new(&world).await;
    world.postpone_jobs();
    let all = devices(0, 400);
    let (okta, all) = (&okta, &all);
    let started = Instant::now();
    let mut took: Vec<_> = futures_util::stream::iter(0..10_000_usize)
        .map(|n| async move {
            let asked = Instant::now();
            okta.deliver("device.user.add", &[&all[n * 7 % all.len()]]).await.expect("taken");
            asked.elapsed()
        })
        .buffer_unordered(64)
        .collect()
        .await;
    took.sort_unstable();
    eprintln!("10,000 in {:?}: p50 {:?}, p99 {:?}", started.elapsed(), took[5_000], took[9_900]);
    assert_eq!(&world.hook_rereads(), all);
    assert_eq!((world.due_jobs("rereads"), world.due_jobs("sweep")), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn flood_of_devices_leaves_one_sweep_and_few_rows() {
    let world = World::start().await;
    let Hooked { okta, .. } = Hooked::new(&world).await;
    world.postpone_jobs();
    let all = devices(0, 3_000);
    let okta = &okta;
    let start = world.now();
    let taken = futures_util::stream::iter(all.chunks(3))
        .map(|some| async move { deliver(okta, some).await })
        .buffer_unordered(64)
        .count()
        .await;
    assert_eq!((taken, world.due_jobs("sweep")), (1_000, 1));
    let left = world.hook_rereads().len();
    assert!(left <= 500, "{left}");
    assert!(world.job("sweep").requested_at > start);
}

#[tokio::test]
async fn okta_is_asked_to_retry_while_postgresql_is_down() {
    let mut postgres = Postgres::start_temporary().expect("a private PostgreSQL");
    prepare(&postgres);
    let (database, url) = database_on(&postgres);
    let world = World::build().database_url(url).start().await;
    let Hooked { hook_path, secret, okta, .. } = Hooked::new(&world).await;
    assert_eq!(status(okta.deliver("device.user.add", &["guo1"]).await), 204);
    // The private server does not sync commits, so the last ones would be lost.
    postgres.execute(&database, "CHECKPOINT").expect("SQL");
    postgres.crash().expect("crash");
    // With a cached secret and without.
    for sent in [secret.as_str(), "wrong"] {
        let away = world.post_hook(&hook_path, Some(sent), NOTHING).await;
        assert_ne!(away.header("retry-after"), "");
        // The deadline of the call may expire before the connection attempt.
        let problem = away.json();
        let codes = ["database_unavailable", "overloaded"].map(|code| problem["code"] == code);
        assert!(away.status == 503 && codes.contains(&true), "{problem}");
    }
    postgres.restart().expect("restart");
    assert_eq!(status(okta.deliver("device.user.add", &["guo1"]).await), 204);
    let missing: Value =
        world.verify_hook("/hooks/okta/x", &secret, "x").await.expect_problem(404, "not_found");
    assert!(!missing.to_string().contains(&secret));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn okta_is_asked_to_retry_in_time_while_the_database_hangs() {
    let (world, proxy) = behind_a_proxy().await;
    let world = world.serve().await;
    let Hooked { hook_path, secret, .. } = Hooked::new(&world).await;
    proxy.frozen.send_replace(true);
    let started = Instant::now();
    let calls = (0..12).map(|_| world.post_hook(&hook_path, Some(&secret), NOTHING));
    let verified = world.verify_hook(&hook_path, &secret, "x");
    let (mut answers, verified) = tokio::join!(join_all(calls), verified);
    answers.push(verified);
    assert!(started.elapsed() < Duration::from_millis(2_950), "{:?}", started.elapsed());
    for answer in answers {
        assert!(!answer.header("retry-after").is_empty());
        answer.expect_problem(503, "overloaded");
    }
}

#[tokio::test]
async fn slow_body_must_be_delivered_again() {
    let world = World::start().await;
    let Hooked { hook_path, secret, .. } = Hooked::new(&world).await;
    let mut socket = Socket::connect(&world).await;
    let headers = format!("authorization: {secret}\r\ncontent-length: 100\r\n");
    socket.send_head("POST", &hook_path, &headers).await;
    socket.send("{").await;
    let started = Instant::now();
    assert_eq!(socket.read_status().await, Some(503));
    let took = started.elapsed().as_millis();
    assert!((2_400..2_950).contains(&took), "{took} ms");
}
