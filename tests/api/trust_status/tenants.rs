//! Several integrations of a tenant, other tenants, and callers without the scope.

use reqwest::Method;
use serde_json::json;
use testkit::okta::OrgSetup;

use crate::support::inventory::MAC;
use crate::support::trust::expect_verdict;
use crate::support::world::{INTEGRATIONS, World};

#[tokio::test]
async fn with_several_integrations_one_must_be_named() {
    let world = World::build()
        .org(OrgSetup::new("globex").client("0oaglobex", "secret-of-globex"))
        .start()
        .await;
    let first = world.swept_integration().await;
    world.insert_trusted_mac(&first, MAC);
    let created = json!({ "okta_domain": "globex.okta.com" });
    let second = world.post(INTEGRATIONS, &created).await.expect(201)["id"].clone();
    let second = second.as_str().expect("id").to_owned();
    let body = json!({ "devices": [{ "serial_number": MAC }] });
    // An integration that is still in setup does not count.
    expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
    let credentials = format!("{INTEGRATIONS}/{second}/credentials");
    let globex = json!({ "client_id": "0oaglobex", "client_secret": "secret-of-globex" });
    world.put(&credentials, &globex).await.expect(201);
    let mut refused = vec![world.query_trust(&body).await];
    let one = format!("/trust-status/devices/{MAC}");
    for path in [one.as_str(), "/trust-status/devices", "/trust-status"] {
        refused.push(world.ask_trust(path).await);
    }
    for answer in refused {
        let problem = answer.expect_problem(409, "integration_ambiguous");
        let named = problem["integrations"].as_array().expect("integrations");
        let ids: Vec<&str> =
            named.iter().filter_map(|one| one["integration_id"].as_str()).collect();
        assert_eq!(ids, [first.as_str(), second.as_str()]);
        assert_eq!(named[1]["okta_domain"], "globex.okta.com");
    }
    let of = async |id: &str| world.ask_trust(&format!("{one}?integration_id={id}")).await;
    expect_verdict(&of(&first).await.expect(200), "trusted", "managed_and_active");
    expect_verdict(&of(&second).await.expect(200), "unknown", "never_connected");
    for unknown in ["0193d2a4-5b1c-7c43-8b5e-2f8d1c0a9e77", "no-id"] {
        of(unknown).await.expect_problem(404, "not_found");
        for path in ["/trust-status/devices", "/trust-status"] {
            let path = format!("{path}?integration_id={unknown}");
            world.ask_trust(&path).await.expect_problem(404, "not_found");
        }
        let body = json!({ "devices": [{ "serial_number": MAC }], "integration_id": unknown });
        world.query_trust(&body).await.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn another_tenant_has_its_own_device_with_the_same_serial_number() {
    let mut world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    let owner = std::mem::replace(&mut world.tenant, "stranger".to_owned());
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "untrusted", "not_known_to_mdm");
    assert_eq!((&status["device"], &status["okta_devices"]), (&json!(null), &json!([])));
    let foreign = format!("/trust-status/devices/{MAC}?integration_id={id}");
    world.ask_trust(&foreign).await.expect_problem(404, "not_found");
    assert_eq!(world.ask_trust("/trust-status").await.expect(200)["total"], 0);
    assert_eq!(world.ask_trust("/trust-status/devices").await.expect(200)["items"], json!([]));
    world.swept_integration().await;
    world.insert_device(MAC, "ios");
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "config_not_delivered");
    world.tenant = owner;
    expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
}

#[tokio::test]
async fn trust_status_requires_its_scope() {
    let world = World::start().await;
    let others = ["odt:read", "odt:write", "odt:deploy", "odt:inventory"];
    let one = format!("/trust-status/devices/{MAC}");
    for path in ["/trust-status", "/trust-status/devices", "/trust-status/devices/x", one.as_str()]
    {
        let answer = world.ask(Method::GET, path).scopes(&others).send().await;
        answer.expect_problem(403, "scope_missing");
    }
    let ask = world.ask(Method::POST, "/trust-status/devices/query").scopes(&others);
    ask.json(&json!({ "devices": [] })).send().await.expect_problem(403, "scope_missing");
}
