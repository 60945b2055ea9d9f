//! Health, metrics and CORS.

use std::collections::BTreeSet;

use reqwest::Method;

use crate::support::world::{INTEGRATIONS, World};

/// Returns the values of a label in the metrics.
fn label_values(page: &str, label: &str) -> BTreeSet<String> {
    let opening = format!("{label}=\"");
    page.lines()
        .filter_map(|line| line.split_once(opening.as_str())?.1.split_once('"'))
        .map(|(value, _)| value.to_owned())
        .collect()
}

#[tokio::test]
async fn request_data_never_becomes_a_metrics_label() {
    let world = World::start().await;
    for n in 0..5 {
        let method = Method::from_bytes(format!("CANARY{n}").as_bytes()).expect("method");
        for path in ["/health/live", INTEGRATIONS, "/docs/", "/canary-nowhere"] {
            world.ask(method.clone(), path).send().await;
        }
    }
    for path in [
        "/canary-path",
        "/docs/canary-tail",
        "/docs/canary/deep?x=canary",
        "/health/live/canary",
        "/integrations/okta-device-trust/canary-id/setup",
        "/integrations/okta-device-trust/a/canary",
        "//canary",
        "/%63anary",
    ] {
        world.ask(Method::GET, path).send().await;
        world.get(path).await;
    }
    let page = world.metrics().await;
    assert!(!page.to_ascii_lowercase().contains("canary"), "{page}");
    assert!(label_values(&page, "method").contains("other"), "{page}");
    assert!(label_values(&page, "route").contains("unmatched"), "{page}");
}

#[tokio::test]
async fn health_supports_head_and_lists_allowed_methods() {
    let world = World::build().setting("ODT_JWT_SHARED_SECRET", "x".repeat(40)).start().await;
    for path in ["/health/live", "/health/ready"] {
        world.ask(Method::GET, path).send().await.expect(200);
        let head = world.ask(Method::HEAD, path).send().await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""), "{path}");
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = world.ask(method, path).send().await;
            assert_eq!(answer.header("allow"), "GET, HEAD");
            answer.expect_problem(405, "method_not_allowed");
        }
    }
}

#[tokio::test]
async fn rejected_preflight_is_a_problem_document() {
    let world = World::build().setting("ODT_CORS_ORIGINS", "https://mdm.example.com").start().await;
    let preflight = |origin: &'static str, method: &'static str| {
        world
            .ask(Method::OPTIONS, INTEGRATIONS)
            .header("origin", origin)
            .header("access-control-request-method", method)
            .send()
    };
    assert_eq!(preflight("https://mdm.example.com", "POST").await.status, 200);
    for (origin, method) in [("https://evil.example", "POST"), ("https://mdm.example.com", "TRACE")]
    {
        let answer = preflight(origin, method).await;
        assert_eq!(answer.header("access-control-allow-origin"), "");
        answer.expect_problem(400, "malformed_request");
    }
    // The front end can read its own errors.
    let refused = world
        .ask(Method::GET, INTEGRATIONS)
        .header("origin", "https://mdm.example.com")
        .send()
        .await;
    assert_eq!(refused.header("access-control-allow-origin"), "https://mdm.example.com");
    refused.expect_problem(401, "unauthorized");
    world.ask(Method::GET, "/docs/nothing-here.js").send().await.expect_problem(404, "not_found");
}
