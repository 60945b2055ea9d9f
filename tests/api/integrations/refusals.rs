//! Rejections by Okta that entering the same values again does not resolve.

use reqwest::Method;
use serde_json::json;
use testkit::okta::{ClientAuthentication, Fault, FaultKind, Presence};

use crate::support::answer::item;
use crate::support::fleet::mirroring;
use crate::support::world::World;

#[tokio::test]
async fn an_own_service_app_with_a_secret_is_told_apart_from_a_wrong_secret() {
    let world = World::start().await;
    let path = world.connected().await;
    let credentials = format!("{path}/credentials");
    world.acme.change(|knobs| knobs.client_authentication = ClientAuthentication::PrivateKeyJwt);
    let refused = world.put(&credentials, &world.credentials()).await;
    let problem = refused.expect_problem(422, "wrong_client_type");
    assert_eq!(problem["transient"], false);
    let message = problem["okta_message"].as_str().expect("Okta's words");
    assert!(message.contains("private_key_jwt"), "{message}");
    assert!(problem["detail"].as_str().expect("detail").contains("catalog"), "{problem}");
    assert_eq!(world.count_events("credentials_refused"), 1);

    let check = world.ask(Method::POST, &format!("{path}/prerequisites/check")).admin();
    let report = check.send().await.expect(200);
    let scopes = item(&report, "super_admin_scopes");
    assert_eq!(scopes["reason"], "wrong_client_type");
    assert!(scopes["remediation"]["text"].as_str().expect("text").contains("catalog"));

    world
        .acme
        .change(|knobs| knobs.client_authentication = ClientAuthentication::ClientSecretBasic);
    let wrong = json!({ "client_id": world.acme.client_id(), "client_secret": "wrong" });
    let problem = world.put(&credentials, &wrong).await.expect_problem(422, "invalid_client");
    assert!(problem["okta_message"].as_str().expect("Okta's words").contains("secret"));
}

#[tokio::test]
async fn a_split_okta_verify_shows_that_fastpass_is_on() {
    let world = World::start().await;
    let path = world.connected().await;
    let check = async || {
        let ask = world.ask(Method::POST, &format!("{path}/prerequisites/check")).admin();
        let report = ask.send().await.expect(200);
        item(&report, "fastpass").clone()
    };
    world.acme.change(|knobs| {
        knobs.fastpass = false;
        knobs.okta_verify_fastpass = Presence::Active;
    });
    let fastpass = check().await;
    assert_eq!(fastpass["outcome"], "passed", "{fastpass}");
    assert_eq!(fastpass["evidence"]["okta_verify_fastpass"], "ACTIVE");

    world.acme.change(|knobs| knobs.okta_verify = Presence::Absent);
    assert_eq!(check().await["outcome"], "passed");

    world.acme.change(|knobs| knobs.okta_verify_fastpass = Presence::Inactive);
    let fastpass = check().await;
    assert_eq!(
        (&fastpass["outcome"], &fastpass["reason"]),
        (&json!("failed"), &json!("fastpass_inactive"))
    );
}

#[tokio::test]
async fn restored_scopes_count_for_the_next_sweep() {
    let world = mirroring().start().await;
    world.add_fleet(3);
    let path = world.connected().await;
    world.until_swept(&path, None).await;
    let all = world.acme.knobs().granted_scopes;
    world.acme.change(|knobs| knobs.granted_scopes.retain(|scope| scope != "okta.devices.read"));
    // The next read is refused the dead token and caches one that lacks the scope.
    world.acme.kill_tokens();
    let sync = format!("{path}/sync");
    world.ask(Method::POST, &sync).admin().send().await.expect(202);
    let refused = world.until_sync(&path, |sync| !sync["last_error"].is_null()).await;
    assert_eq!(refused["last_error"]["code"], "missing_scopes");

    world.acme.change(|knobs| knobs.granted_scopes = all);
    let check = world.ask(Method::POST, &format!("{path}/prerequisites/check")).admin();
    assert_eq!(item(&check.send().await.expect(200), "super_admin_scopes")["outcome"], "passed");
    world.ask(Method::POST, &sync).admin().send().await.expect(202);
    world.until_sync(&path, |sync| sync["last_error"].is_null()).await;
}

#[tokio::test]
async fn blocked_address_at_the_challenge_url_is_no_rejected_password() {
    let world = World::start().await;
    let path = world.configured().await;
    let blocked = Fault::new(FaultKind::Blocked).on("/scep-challenge/");
    world.acme.fail(blocked.clone());
    let device =
        json!({ "serial_number": "C02ABC123DEF", "udid": "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D" });
    let mint = world.ask(Method::POST, &format!("{path}/platforms/macos/scep-challenges"));
    let minted = mint.scopes(&["odt:deploy"]).json(&json!({ "device": device })).send().await;
    let problem = minted.expect_problem(422, "network_zone_blocked");
    assert!(problem["detail"].as_str().expect("detail").contains("Do not reset"), "{problem}");
    let put = world.put(&format!("{path}/platforms/macos"), &world.macos_settings()).await;
    put.expect_problem(422, "network_zone_blocked");
    assert_eq!(world.get(&path).await.expect(200)["status"], "active");
    assert_eq!(world.count_events("scep_credentials_refused"), 0);

    world.acme.recover();
    world.acme.fail(Fault::new(FaultKind::Blocked).on("/pki/"));
    let put = world.put(&format!("{path}/platforms/macos"), &world.macos_settings()).await;
    put.expect_problem(422, "network_zone_blocked");
}

#[tokio::test]
async fn web_page_with_403_at_the_token_endpoint_is_no_rejected_client() {
    let world = World::start().await;
    let path = world.connected().await;
    for place in ["/oauth2/v1/token", "/api/v1/authenticators"] {
        world.acme.fail(Fault::new(FaultKind::Blocked).on(place));
        let answer = world.put(&format!("{path}/credentials"), &world.credentials()).await;
        if place.starts_with("/oauth2") {
            let problem = answer.expect_problem(502, "okta_bad_answer");
            assert!(problem["detail"].as_str().expect("detail").contains("network zone"));
        } else {
            let fastpass = item(&answer.expect(200)["prerequisites"], "fastpass").clone();
            assert_eq!(fastpass["reason"], "okta_bad_answer");
        }
        world.acme.recover();
    }
    assert_eq!(world.count_events("credentials_refused"), 0);
}
