//! The prerequisite report: findings, attestations and remediation.

use reqwest::Method;
use serde_json::json;
use testkit::okta::{Fault, Presence};

use crate::support::answer::item;
use crate::support::world::World;

#[tokio::test]
async fn check_finds_changes_in_okta_with_remediation() {
    let world = World::start().await;
    let path = world.connected().await;
    let check = format!("{path}/prerequisites/check");

    world.acme.change(|knobs| knobs.fastpass = false);
    let report = world.ask(Method::POST, &check).admin().send().await.expect(200);
    let fastpass = item(&report, "fastpass");
    assert_eq!(
        (&fastpass["outcome"], &fastpass["reason"]),
        (&json!("failed"), &json!("fastpass_inactive"))
    );
    assert_eq!(fastpass["blocks"], "active");
    assert_eq!(fastpass["remediation"]["text_id"], "remediation.fastpass.fastpass_inactive");
    assert_eq!(report["ready"], true, "FastPass does not block the setup");

    world.acme.change(|knobs| knobs.okta_verify = Presence::Absent);
    let report = world.ask(Method::POST, &check).admin().send().await.expect(200);
    assert_eq!(item(&report, "fastpass")["reason"], "okta_verify_inactive");

    world.acme.change(|knobs| {
        knobs.okta_verify = Presence::Active;
        knobs.fastpass = true;
    });
    let report = world.ask(Method::POST, &check).admin().send().await.expect(200);
    assert_eq!(item(&report, "fastpass")["outcome"], "passed");
    assert_eq!(world.get(&format!("{path}/prerequisites")).await.expect(200), report);
}

#[tokio::test]
async fn revoked_scope_fails_the_check_and_is_named() {
    let world = World::start().await;
    let path = world.connected().await;
    world
        .acme
        .change(|knobs| knobs.granted_scopes.retain(|scope| scope != "okta.authenticators.read"));
    let report = world
        .ask(Method::POST, &format!("{path}/prerequisites/check"))
        .admin()
        .send()
        .await
        .expect(200);
    let scopes = item(&report, "super_admin_scopes");
    assert_eq!(
        (&scopes["outcome"], &scopes["reason"]),
        (&json!("failed"), &json!("missing_scopes"))
    );
    assert_eq!(scopes["evidence"]["missing"], json!(["okta.authenticators.read"]));
    assert_eq!(report["ready"], false);
    // Without the scope it is unknown whether FastPass is on.
    let fastpass = item(&report, "fastpass");
    assert_eq!(
        (&fastpass["outcome"], &fastpass["reason"]),
        (&json!("unknown"), &json!("missing_scopes"))
    );
    let integration = world.get(&path).await.expect(200);
    assert!(
        integration["status_reasons"]
            .as_array()
            .expect("reasons")
            .contains(&json!("scopes_missing"))
    );
}

#[tokio::test]
async fn revoked_client_fails_the_check() {
    let world = World::start().await;
    let path = world.connected().await;
    world.acme.change(|knobs| knobs.client_active = false);
    let report = world
        .ask(Method::POST, &format!("{path}/prerequisites/check"))
        .admin()
        .send()
        .await
        .expect(200);
    assert_eq!(item(&report, "super_admin_scopes")["reason"], "invalid_client");
    let integration = world.get(&path).await.expect(200);
    assert!(
        integration["status_reasons"]
            .as_array()
            .expect("reasons")
            .contains(&json!("client_refused"))
    );
}

#[tokio::test]
async fn outage_keeps_findings_and_status() {
    let world = World::start().await;
    let path = world.connected().await;
    let before = world.get(&format!("{path}/prerequisites")).await.expect(200);
    let status = world.get(&path).await.expect(200);
    let check = format!("{path}/prerequisites/check");
    for fault in [Fault::status(503), Fault::status(503).on("/oauth2/v1/token")] {
        world.acme.fail(fault);
        world
            .ask(Method::POST, &check)
            .admin()
            .send()
            .await
            .expect_problem(504, "okta_unreachable");
        world.acme.recover();
    }
    assert_eq!(world.get(&format!("{path}/prerequisites")).await.expect(200), before);
    assert_eq!(world.get(&path).await.expect(200), status);
}

#[tokio::test]
async fn check_without_credentials_is_409() {
    let world = World::start().await;
    let path = world.integration().await;
    let check =
        world.ask(Method::POST, &format!("{path}/prerequisites/check")).admin().send().await;
    let problem = check.expect_problem(409, "credentials_needed");
    assert!(problem["detail"].as_str().expect("detail").contains("/credentials"));
}

#[tokio::test]
async fn only_prerequisites_without_an_api_can_be_attested_and_withdrawn() {
    let world = World::start().await;
    let path = world.connected().await;
    let attest = |kind: &str, attested: bool| {
        let ask =
            world.ask(Method::PUT, &format!("{path}/prerequisites/{kind}/attestation")).admin();
        ask.json(&json!({ "attested": attested, "note": "seen in the console" })).send()
    };
    let report = attest("adaptive_mfa", true).await.expect(200);
    let mfa = item(&report, "adaptive_mfa");
    assert_eq!(mfa["outcome"], "attested");
    assert_eq!(mfa["attestation"]["by"]["sub"], "admin@customer.example");
    assert_eq!(mfa["remediation"], json!(null));
    let report = attest("adaptive_mfa", false).await.expect(200);
    assert_eq!(item(&report, "adaptive_mfa")["outcome"], "unknown");
    for kind in ["identity_engine", "fastpass", "super_admin_scopes"] {
        attest(kind, true).await.expect_problem(409, "cannot_be_attested");
    }
    attest("warp_drive", true).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn mdm_can_attest_only_the_distribution() {
    let world = World::start().await;
    let path = world.connected().await;
    let attest = |kind: &str| {
        let ask = world.ask(Method::PUT, &format!("{path}/prerequisites/{kind}/attestation"));
        ask.scopes(&["odt:inventory"]).json(&json!({ "attested": true })).send()
    };
    let report = attest("okta_verify_distribution").await.expect(200);
    assert_eq!(item(&report, "okta_verify_distribution")["outcome"], "attested");
    attest("adaptive_mfa").await.expect_problem(403, "scope_missing");
}

#[tokio::test]
async fn note_with_control_characters_is_rejected() {
    let world = World::start().await;
    let path = format!("{}/prerequisites/adaptive_mfa/attestation", world.connected().await);
    for (note, code) in
        [("a\u{0}b".to_owned(), "invalid_characters"), ("x".repeat(501), "too_long")]
    {
        let problem = world.put(&path, &json!({ "attested": true, "note": note })).await;
        let problem = problem.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["code"], code);
    }
}

#[tokio::test]
async fn upgraded_org_shows_its_new_engine_after_a_check() {
    let world = World::start().await;
    world.acme.change(|knobs| knobs.pipeline = testkit::okta::Pipeline::V1);
    let path = world.connected().await;
    assert_eq!(world.get(&path).await.expect(200)["engine"], "classic");
    world.acme.change(|knobs| knobs.pipeline = testkit::okta::Pipeline::Idx);
    let check = world
        .ask(Method::POST, &format!("{path}/prerequisites/check"))
        .admin()
        .send()
        .await
        .expect(200);
    assert_eq!(item(&check, "identity_engine")["outcome"], "passed");
    assert_eq!(world.get(&path).await.expect(200)["engine"], "identity_engine");
}

#[tokio::test]
async fn blocked_network_zone_is_not_reported_as_missing_scopes() {
    let world = World::start().await;
    let path = world.connected().await;
    world.acme.change(|knobs| knobs.network_zone_blocked = true);
    world
        .ask(Method::POST, &format!("{path}/prerequisites/check"))
        .admin()
        .send()
        .await
        .expect(200);
    let reasons = world.get(&path).await.expect(200)["status_reasons"].clone();
    assert!(reasons.as_array().expect("reasons").contains(&json!("client_refused")), "{reasons}");
    assert!(!reasons.as_array().expect("reasons").contains(&json!("scopes_missing")), "{reasons}");
}
