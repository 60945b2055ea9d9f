//! Faults: the effect of each, its path and its count.

use std::time::{Duration, Instant};

use reqwest::Client;
use testkit::okta::{Fault, FaultKind, Options, OrgSetup, SimulatedOkta};

use crate::client::{World, world};

const PATH: &str = "/.well-known/okta-organization";

#[tokio::test]
async fn each_fault_has_its_effect() {
    let world = world().await;
    for client in [world.client(), world.http1_client()] {
        spoil(&world, &client).await;
    }
    let versions: Vec<String> =
        world.acme.journal().take().into_iter().map(|entry| entry.http_version).collect();
    assert!(
        versions.contains(&"HTTP/2.0".to_string()) && versions.contains(&"HTTP/1.1".to_string()),
        "{versions:?}"
    );
}

async fn spoil(world: &World, client: &Client) {
    let get = || client.get(world.at(PATH)).send();
    let fail = |fault: Fault| {
        world.acme.recover();
        world.acme.fail(fault);
    };

    fail(Fault::new(FaultKind::ConnectionReset));
    assert!(get().await.is_err());
    fail(Fault::status(502));
    assert_eq!(get().await.unwrap().status(), 502);
    fail(Fault::new(FaultKind::Html));
    let html = get().await.unwrap();
    assert_eq!(html.status(), 200);
    assert!(html.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    fail(Fault::new(FaultKind::InvalidJson));
    assert!(get().await.unwrap().json::<serde_json::Value>().await.is_err());
    fail(Fault::new(FaultKind::WrongContentType));
    let mislabelled = get().await.unwrap();
    assert!(mislabelled.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(mislabelled.json::<serde_json::Value>().await.is_ok());
    fail(Fault::new(FaultKind::TruncatedBody));
    let truncated = get().await.unwrap();
    assert_eq!(truncated.status(), 200);
    assert!(truncated.bytes().await.is_err());
    fail(Fault::new(FaultKind::EmptyBody));
    assert_eq!(get().await.unwrap().text().await.unwrap(), "");
    fail(Fault::redirect("https://elsewhere.example/"));
    let redirect = get().await.unwrap();
    assert_eq!(
        (redirect.status().as_u16(), redirect.headers()["location"].to_str().unwrap()),
        (302, "https://elsewhere.example/")
    );
    fail(Fault { bytes: Some(3_000_000), ..Fault::new(FaultKind::Oversized) });
    let huge = get().await.unwrap();
    assert_eq!(huge.content_length(), None);
    assert!(huge.bytes().await.unwrap().len() >= 3_000_000);

    let started = Instant::now();
    fail(Fault::delay_ms(300));
    assert_eq!(get().await.unwrap().status(), 200);
    assert!(started.elapsed() >= Duration::from_millis(300));
    let started = Instant::now();
    fail(Fault { ms: Some(1), ..Fault::new(FaultKind::SlowBody) });
    assert!(get().await.unwrap().json::<serde_json::Value>().await.is_ok());
    assert!(started.elapsed() >= Duration::from_millis(300));
    world.acme.recover();
}

#[tokio::test]
async fn fault_respects_path_and_count_and_is_in_the_journal() {
    let world = world().await;
    world.acme.fail(Fault::status(503).on("/api").times(1));
    world.acme.fail(Fault::status(500).on(PATH).after(1).times(1));
    let mut seen = Vec::new();
    for path in [PATH, PATH, PATH, "/api/v1/devices", "/api/v1/devices"] {
        seen.push(world.client().get(world.at(path)).send().await.unwrap().status().as_u16());
    }
    assert_eq!(seen, [200, 500, 200, 503, 401]);
    let faults: Vec<usize> =
        world.acme.journal().take().iter().map(|entry| entry.faults.len()).collect();
    assert_eq!(faults, [0, 1, 0, 1, 0]);
    assert!(world.acme.journal().entries().is_empty());
}

#[tokio::test]
async fn foreign_certificate_is_not_trusted() {
    let world = world().await;
    world.acme.change(|knobs| knobs.foreign_certificate = true);
    let refused = world.client().get(world.at(PATH)).send().await.unwrap_err();
    assert!(refused.is_connect(), "{refused}");
    world.acme.change(|knobs| knobs.foreign_certificate = false);
    assert_eq!(world.client().get(world.at(PATH)).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn hosts_without_an_org_return_a_web_page_and_are_recorded() {
    let world = world().await;
    world.okta.add_other_host("www.example.com");
    let url = format!("https://www.example.com:{}{PATH}", world.okta.address().port());
    let response = world.client().get(url).send().await.unwrap();
    assert_eq!(response.status(), 404);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(world.okta.unmatched_requests().entries()[0].host, "www.example.com");
    assert!(world.acme.journal().entries().is_empty());
}

#[test]
fn stored_root_is_reused_in_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let options = || Options { ca_dir: Some(folder.path().join("ca")), ..Options::default() };
    let first = SimulatedOkta::start_blocking(options()).unwrap();
    let (pem, port) = (first.root_ca_pem().to_string(), first.address().port());
    drop(first);
    assert!(
        std::net::TcpStream::connect(("127.0.0.1", port)).is_err(),
        "a dropped server still listens"
    );
    let second = SimulatedOkta::start_blocking(options()).unwrap();
    assert_eq!(second.root_ca_pem(), pem);
    second.add_org(OrgSetup::new("acme"));

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let root = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).no_proxy().build().unwrap();
    let answer = runtime.block_on(async {
        client.get(format!("{}{PATH}", second.url())).send().await.unwrap().status()
    });
    assert_eq!(answer, 200);
}
