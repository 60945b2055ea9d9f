//! The age of facts, and caching of responses.

use reqwest::Method;
use serde_json::json;

use crate::support::inventory::MAC;
use crate::support::trust::expect_verdict;
use crate::support::world::World;

#[tokio::test]
async fn facts_are_stale_after_15_minutes_and_unknown_after_a_day() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    let age = |minutes: i32| {
        world.set_swept(&format!("{minutes} minutes"));
        world.observe_records("9 days");
    };
    age(16);
    let answer = world.ask_trust(&format!("/trust-status/devices/{MAC}")).await;
    assert_eq!(answer.header("cache-control"), "private, max-age=0, stale-if-error=0");
    let status = answer.expect(200);
    expect_verdict(&status, "trusted", "managed_and_active");
    assert_eq!(status["stale"], true);
    // A row that was read individually is as fresh as that read.
    world.observe_records("0");
    assert_eq!(world.trust_status(MAC).await["stale"], false);
    age(1439);
    expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
    age(1441);
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "unknown", "okta_unreachable");
    assert_eq!(status["last_known"]["trust"], "trusted");
    assert_eq!(status["last_known"]["observed_at"], status["observed_at"]);
    assert_eq!(status["fresh_until"], json!(null));
}

#[tokio::test]
async fn record_not_confirmed_by_the_last_sweep_keeps_its_age() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    world.unfollow_sweeps();
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "trusted", "managed_and_active");
    assert_eq!(status["stale"], true);
    assert_eq!(status["okta_devices"][0]["observed_at"], status["observed_at"], "{status}");
}

#[tokio::test]
async fn max_age_lowers_the_maximum_age() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    world.set_swept("5 minutes");
    let path = |max_age: &str| format!("/trust-status/devices/{MAC}?max_age={max_age}");
    let status = world.ask_trust(&path("3600")).await.expect(200);
    expect_verdict(&status, "trusted", "managed_and_active");
    // A query for a single device would read Okta; `days` tests that.
    let devices = json!([{ "serial_number": MAC }, { "serial_number": "C02OTHER1DEF" }]);
    let body = json!({ "devices": devices, "max_age": 60 });
    let found = world.query_trust(&body).await.expect(200);
    let status = &found["items"][0];
    expect_verdict(status, "unknown", "okta_unreachable");
    assert_eq!(
        (&status["stale"], &status["last_known"]["trust"]),
        (&json!(false), &json!("trusted"))
    );
    for bad in ["-1", "86401"] {
        let problem = world.ask_trust(&path(bad)).await.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/query/max_age");
    }
    world.ask_trust(&path("soon")).await.expect_problem(400, "malformed_request");
}

#[tokio::test]
async fn etag_changes_with_the_verdict_and_not_with_observed_at() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    let path = format!("/trust-status/devices/{MAC}");
    let first = world.ask_trust(&path).await;
    assert!(!first.header("last-modified").is_empty());
    assert_eq!(first.header("vary").to_ascii_lowercase().matches("authorization").count(), 1);
    let cache = first.header("cache-control");
    let seconds = cache
        .strip_prefix("private, max-age=")
        .and_then(|text| text.strip_suffix(", stale-if-error=0"))
        .and_then(|text| text.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| (600..=900).contains(&seconds)), "{cache}");
    world.set_swept("-1 second");
    world.observe_records("-2 seconds");
    let again = world.ask_trust(&path).await;
    assert_eq!(again.etag(), first.etag());
    assert_ne!(again.text, first.text, "observed_at differs");
    let conditional = |tag: &str| {
        let ask = world.ask(Method::GET, &path).scopes(&["trust:read"]);
        ask.header("if-none-match", tag).send()
    };
    for tag in [first.etag().to_owned(), format!("\"x\", W/{}", first.etag()), "*".to_owned()] {
        let known = conditional(&tag).await;
        assert_eq!((known.status.as_u16(), known.text.as_str()), (304, ""), "{tag}");
        assert_eq!(known.etag(), first.etag());
        assert!(known.header("cache-control").starts_with("private"));
    }
    world.set_record_status("SUSPENDED");
    let changed = conditional(first.etag()).await;
    assert_ne!(changed.etag(), first.etag());
    expect_verdict(&changed.expect(200), "untrusted", "okta_device_suspended");
}
