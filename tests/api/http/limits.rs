//! Limits on time, memory and connections of callers.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::sockets::Socket;
use crate::support::world::{INTEGRATIONS, World};

/// Returns the status of a liveness probe.
async fn probe(socket: &mut Socket) -> Option<u16> {
    socket.send_head("GET", "/health/live", "").await;
    socket.read_status().await
}

fn expect_between(started: Instant, from: u64, to: u64) {
    let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
    assert!((from..to).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn request_head_times_out_after_10_seconds() {
    let world = World::start().await;
    let (mut first, mut later, mut slow) = (
        Socket::connect(&world).await,
        Socket::connect(&world).await,
        Socket::connect(&world).await,
    );
    assert_eq!(probe(&mut later).await, Some(200));
    assert_eq!(probe(&mut slow).await, Some(200));
    let started = Instant::now();
    for socket in [&mut first, &mut later] {
        socket.send("GET /health/live HTTP/1.1\r\nhost: x\r\n").await;
    }
    let byte_by_byte = async {
        slow.send("GET /health/live HTTP/1.1\r\nx: ").await;
        while slow.send("y").await {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::join!(
        async {
            assert_eq!(first.read_status().await, Some(408));
            first.closed().await;
        },
        later.closed(),
        byte_by_byte,
    );
    expect_between(started, 9, 14);
}

#[tokio::test]
async fn idle_connection_is_closed() {
    let world = World::start().await;
    let mut socket = Socket::connect(&world).await;
    let mut kept = Socket::connect(&world).await;
    assert_eq!(probe(&mut kept).await, Some(200));
    let started = Instant::now();
    tokio::join!(socket.closed(), kept.closed());
    expect_between(started, 4, 16);
}

#[tokio::test]
async fn body_times_out_after_15_seconds() {
    let world = World::start().await;
    let token = world.token_of(&world.tenant, &["odt:write", "odt:inventory"]);
    let mut sockets = Vec::new();
    for path in [INTEGRATIONS, "/devices/batch"] {
        let mut socket = Socket::connect(&world).await;
        let headers = format!(
            "authorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n"
        );
        socket.send_head("POST", path, &headers).await;
        socket.send("{").await;
        sockets.push(socket);
    }
    let started = Instant::now();
    for socket in &mut sockets {
        assert_eq!(socket.read_status().await, Some(408));
        socket.closed().await;
    }
    expect_between(started, 14, 19);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let world = World::build().setting("ODT_MAX_CONNECTIONS", "4").start().await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut socket = Socket::connect(&world).await;
        socket.send("GET /health/live HTTP/1.1\r\n").await;
        held.push(socket);
    }
    let started = Instant::now();
    let mut waiting = Socket::connect(&world).await;
    assert_eq!(probe(&mut waiting).await, Some(200));
    expect_between(started, 5, 14);
}

#[tokio::test]
async fn scope_is_checked_before_reading_a_large_body() {
    let world = World::start().await;
    for (path, scope) in
        [("/devices/batch", "odt:inventory"), ("/trust-status/devices/query", "trust:read")]
    {
        let headers = |scope: &str| {
            let token = world.token_of(&world.tenant, &[scope]);
            format!(
                "authorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 2000000\r\n"
            )
        };
        let mut other = Socket::connect(&world).await;
        other.send_head("POST", path, &headers("odt:read")).await;
        assert_eq!(other.read_status().await, Some(403), "{path}");
        // With the scope the service waits for the body.
        let mut ours = Socket::connect(&world).await;
        ours.send_head("POST", path, &headers(scope)).await;
        let early = tokio::time::timeout(Duration::from_millis(500), ours.read_status()).await;
        assert!(early.is_err(), "{path} {early:?}");
    }
}

#[tokio::test]
async fn slow_large_bodies_of_one_tenant_do_not_block_others() {
    let world = World::start().await;
    let token = world.token_of("crowd", &["odt:inventory"]);
    let mut crowd = Vec::new();
    for _ in 0..40 {
        let mut socket = Socket::connect(&world).await;
        let headers = format!(
            "authorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 2000000\r\n"
        );
        socket.send_head("POST", "/devices/batch", &headers).await;
        crowd.push(socket);
    }
    let started = Instant::now();
    let padding = " ".repeat(100_000);
    let body = format!("{{\"devices\":[{padding}]}}");
    let ask = world.ask(Method::POST, "/devices/batch").scopes(&["odt:inventory"]);
    let answer = ask.body("application/json", body).send().await;
    answer.expect_problem(422, "invalid_request");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn content_encodings_are_rejected() {
    let world = World::start().await;
    let path = world.integration().await;
    for (method, path, scope) in [
        (Method::POST, INTEGRATIONS.to_owned(), "odt:write"),
        (Method::PUT, format!("{path}/event-hook"), "odt:write"),
        (Method::POST, "/devices/batch".to_owned(), "odt:inventory"),
        (Method::POST, "/trust-status/devices/query".to_owned(), "trust:read"),
    ] {
        for encoding in ["gzip", "deflate", "identity", "br"] {
            let ask = world.ask(method.clone(), &path).scopes(&[scope]).json(&json!({}));
            let answer = ask.header("content-encoding", encoding).send().await;
            answer.expect_problem(415, "unsupported_media_type");
        }
    }
    world.ask(Method::GET, &format!("{path}/event-hook")).admin().send().await;
}

/// Lists of empty items with three bytes each.
#[tokio::test]
async fn lists_are_parsed_only_up_to_their_limit() {
    let world = World::start().await;
    let many = vec!["{}"; 600_000].join(",");
    let body = format!("{{\"devices\":[{many}]}}");
    for (path, scope) in
        [("/devices/batch", "odt:inventory"), ("/trust-status/devices/query", "trust:read")]
    {
        let ask = world.ask(Method::POST, path).scopes(&[scope]);
        let answer = ask.body("application/json", body.clone()).send().await;
        let problem = answer.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/devices", "{problem}");
    }
    let serials = vec!["\"\""; 15_000].join(",");
    let body = format!("{{\"snapshot_id\":\"s\",\"serial_numbers\":[{serials}]}}");
    let ask = world.ask(Method::POST, "/devices/reconcile").scopes(&["odt:inventory"]);
    let problem: Value = ask.body("application/json", body).send().await.json();
    assert_eq!(problem["errors"][0]["pointer"], "/serial_numbers", "{problem}");
}
