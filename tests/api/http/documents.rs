//! The OpenAPI document matches the service, and every error is a problem document.

use std::collections::BTreeSet;

use okta_device_trust::handlers::http::kinds::KINDS;
use okta_device_trust::model::trust_status::Reason;
use okta_device_trust::routes;
use reqwest::Method;
use serde_json::Value;

use crate::support::world::{INTEGRATIONS, World};

const COMMITTED: &str = include_str!("../../../openapi/openapi.json");

fn document() -> Value {
    serde_json::to_value(routes::document()).expect("document")
}

/// Returns the path, method and object of each operation.
fn operations(document: &Value) -> Vec<(String, Method, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("item") {
            let method =
                Method::from_bytes(method.to_ascii_uppercase().as_bytes()).expect("method");
            found.push((path.clone(), method, operation.clone()));
        }
    }
    found
}

fn needs_token(operation: &Value) -> bool {
    operation["security"]
        .as_array()
        .is_some_and(|needs| needs.iter().any(|need| need != &serde_json::json!({})))
}

#[test]
fn committed_openapi_document_matches_the_routes() {
    let committed: Value = serde_json::from_str(COMMITTED).expect("committed document");
    assert!(
        committed == document(),
        "write it anew: cargo run -- openapi > openapi/openapi.json, and look at the difference"
    );
}

#[test]
fn operation_ids_are_present_and_unique() {
    let all: Vec<String> = operations(&document())
        .iter()
        .map(|(path, method, operation)| {
            operation["operationId"]
                .as_str()
                .unwrap_or_else(|| panic!("{method} {path} has none"))
                .to_owned()
        })
        .collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "{all:?}");
}

#[tokio::test]
async fn secured_operations_are_401_before_reading_the_body() {
    let world = World::start().await;
    let mut asked = 0;
    for (path, method, operation) in operations(&document()) {
        if !needs_token(&operation) {
            continue;
        }
        let path = path
            .replace("{integration_id}", "0193d2a4-5b1c-7c43-8b5e-2f8d1c0a9e77")
            .replace("{kind}", "x");
        let ask = world.ask(method.clone(), &path).body("application/json", "{ this is not JSON");
        let problem = ask.send().await.expect_problem(401, "unauthorized");
        assert_eq!(problem["title"], "Unauthorized", "{method} {path}");
        asked += 1;
    }
    assert!(asked >= 12, "only {asked} operations need a token");
}

#[tokio::test]
async fn framework_errors_are_problem_documents() {
    let world = World::start().await;
    let post = || world.ask(Method::POST, INTEGRATIONS).admin();
    for body in ["{ this is not JSON", "", r#"{"okta_domain":"acme.okta.com"} {}"#, "nul"] {
        post().body("application/json", body).send().await.expect_problem(400, "malformed_request");
    }
    for (body, code) in [
        ("[]", "invalid"),
        (r#"["acme.okta.com"]"#, "invalid"),
        (r#""acme.okta.com""#, "invalid"),
        (r#"{"okta_domain":"acme.okta.com","selected_platforms":[{"macos":null}]}"#, "invalid"),
        ("{}", "missing"),
        ("7", "invalid"),
        (r#"{"okta_domain":"a","okta_domain":"b"}"#, "duplicate"),
    ] {
        let problem = post()
            .body("application/json", body)
            .send()
            .await
            .expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["code"], code, "{body} {problem}");
    }
    post().body("text/plain", "{}").send().await.expect_problem(415, "unsupported_media_type");
    post().send().await.expect_problem(415, "unsupported_media_type");
    let large = format!(r#"{{"okta_domain":"{}"}}"#, "a".repeat(65_536));
    post().body("application/json", large).send().await.expect_problem(413, "body_too_large");
    world.get("/nothing/here").await.expect_problem(404, "not_found");
    world.get(&format!("{INTEGRATIONS}/not-a-uuid")).await.expect_problem(404, "not_found");
    // All but the first match paths of other operations with a serial number.
    for (method, path, allowed) in [
        (Method::PUT, INTEGRATIONS, "GET, POST"),
        (Method::GET, "/trust-status/devices/query", "POST"),
        (Method::PUT, "/devices/batch", "POST"),
        (Method::GET, "/devices/reconcile", "POST"),
    ] {
        let wrong = world.ask(method, path).admin().send().await;
        assert_eq!(wrong.header("allow"), allowed, "{path}");
        wrong.expect_problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn swagger_ui_is_served_by_the_service() {
    let world = World::start().await;
    let to_docs = world.ask(Method::GET, "/docs").send().await;
    assert_eq!(to_docs.header("location"), "/docs/");
    let page = world.ask(Method::GET, "/docs/").send().await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("swagger-ui"));
    let script = world.ask(Method::GET, "/docs/swagger-ui-bundle.js").send().await;
    assert!(script.status == 200 && script.text.len() > 100_000);
    let served = world.ask(Method::GET, "/openapi.json").send().await.expect(200);
    assert_eq!(served["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
    assert_eq!(served["paths"], document()["paths"]);
}

#[test]
fn readme_lists_every_problem_code_with_its_status() {
    let readme = include_str!("../../../README.md");
    for kind in KINDS {
        let row = format!("| {} | `{}` |", kind.status, kind.code);
        assert!(readme.contains(&row), "README.md lacks the row {row}");
    }
}

#[test]
fn readme_lists_every_reason_with_its_verdict() {
    let readme = include_str!("../../../README.md");
    for reason in Reason::ALL.iter().copied() {
        let name = format!("`{}`", reason.as_str());
        let row = readme.lines().find(|line| line.starts_with('|') && line.contains(&name));
        match reason.trust() {
            Some(trust) => {
                let verdict = format!("| `{}` |", trust.as_str());
                assert!(row.is_some_and(|row| row.contains(&verdict)), "{name} {verdict}");
            }
            None => assert!(row.is_none() && readme.contains(&name), "the note {name}"),
        }
    }
}

#[tokio::test]
async fn examples_in_the_document_are_valid() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = path.rsplit('/').next().expect("id").to_owned();
    let document = document();
    let mut tried = 0;
    for (template, method, operation) in operations(&document) {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let Some(name) = schema.as_str().and_then(|reference| reference.rsplit('/').next()) else {
            continue;
        };
        let example = &document["components"]["schemas"][name]["example"];
        assert!(example.is_object(), "{name} has no example");
        let path = template.replace("{integration_id}", &id).replace("{platform}", "macos");
        let path =
            path.replace("{kind}", "adaptive_mfa").replace("{serial_number}", "C02ABC123DEF");
        let answer = world
            .ask(method.clone(), &path)
            .scopes(&crate::support::world::EVERY_SCOPE)
            .json(example)
            .send()
            .await;
        assert!(!answer.text.contains("invalid_request"), "{method} {template}: {}", answer.text);
        tried += 1;
    }
    assert!(tried >= 7, "only {tried} examples");
}
