//! Client ID and secret: verified before they are stored, and never returned.

use reqwest::Method;
use serde_json::json;
use testkit::okta::{Fault, FaultKind, OrgSetup};

use crate::support::answer::item;
use crate::support::world::World;

type Change = Box<dyn FnOnce(&mut testkit::okta::Knobs)>;

#[tokio::test]
async fn connecting_takes_4_requests_and_returns_the_findings() {
    let world = World::start().await;
    let path = world.integration().await;
    world.acme.journal().clear();
    let answer = world.put(&format!("{path}/credentials"), &world.credentials()).await;
    assert_eq!(answer.etag(), "\"2\"");
    let connected = answer.expect(201);
    let asked: Vec<_> =
        world.acme.journal().entries().into_iter().map(|entry| entry.path).collect();
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert_eq!(asked[1], "/oauth2/v1/token");

    let credentials = &connected["integration"]["credentials"];
    assert_eq!(credentials["client_id"], world.acme.client_id());
    assert_eq!(credentials["client_secret"]["set"], true);
    assert_eq!(credentials["client_secret"]["version"], 1);
    assert_eq!(credentials["client_secret"]["updated_by"], "admin@customer.example");
    let report = &connected["prerequisites"];
    assert_eq!(report["ready"], true);
    for (kind, outcome) in [
        ("identity_engine", "passed"),
        ("super_admin_scopes", "passed"),
        ("fastpass", "passed"),
        ("adaptive_mfa", "unknown"),
        ("okta_verify_distribution", "unknown"),
    ] {
        assert_eq!(item(report, kind)["outcome"], outcome, "{kind}");
    }
    let fastpass = item(report, "fastpass");
    assert_eq!(
        fastpass["evidence"],
        json!({ "okta_verify": "ACTIVE", "signed_nonce": "ACTIVE", "okta_verify_fastpass": null })
    );
    assert_eq!(item(report, "adaptive_mfa")["reason"], "no_api_tells");
}

#[tokio::test]
async fn new_secret_replaces_the_old_one() {
    let world = World::start().await;
    let path = format!("{}/credentials", world.connected().await);
    let old = world.acme.client_secret();
    world.acme.add_secret();
    world.acme.deactivate_secret(&old);
    let replaced = world.put(&path, &world.credentials()).await.expect(200);
    assert_eq!(replaced["integration"]["credentials"]["client_secret"]["version"], 2);
}

#[tokio::test]
async fn each_okta_error_has_its_own_code_and_changes_nothing() {
    let world = World::start().await;
    let path = world.connected().await;
    let credentials = format!("{path}/credentials");
    let before = world.get(&path).await.expect(200);
    let cases: Vec<(&str, Change)> = vec![
        ("invalid_client", Box::new(|knobs| knobs.client_active = false)),
        (
            "missing_scopes",
            Box::new(|knobs| knobs.granted_scopes = vec!["okta.devices.read".to_owned()]),
        ),
        ("missing_scopes", Box::new(|knobs| knobs.granted_scopes.clear())),
        ("network_zone_blocked", Box::new(|knobs| knobs.network_zone_blocked = true)),
    ];
    for (code, change) in cases {
        let knobs = world.acme.knobs();
        world.acme.change(change);
        let problem = world.put(&credentials, &world.credentials()).await.expect_problem(422, code);
        assert_eq!(problem["transient"], false, "{code}");
        world.acme.change(|now| *now = knobs);
        assert_eq!(world.get(&path).await.expect(200), before, "{code}");
    }
    assert_eq!(world.count_events("credentials_refused"), 4, "each rejection is audited");
}

#[tokio::test]
async fn missing_scopes_are_listed_by_name() {
    let world = World::start().await;
    let path = world.integration().await;
    world.acme.change(|knobs| knobs.granted_scopes = vec!["okta.devices.read".to_owned()]);
    let problem = world
        .put(&format!("{path}/credentials"), &world.credentials())
        .await
        .expect_problem(422, "missing_scopes");
    assert_eq!(
        problem["missing_scopes"],
        json!(["okta.devices.manage", "okta.authenticators.read"])
    );
    assert_eq!(world.count("credentials"), 0);
}

#[tokio::test]
async fn okta_failures_differ_from_rejections_and_store_nothing() {
    let world = World::build().setting("ODT_OKTA_TIMEOUT_SECONDS", "1").start().await;
    let path = format!("{}/credentials", world.integration().await);
    let token = "/oauth2/v1/token";
    for (fault, status, code) in [
        (Fault::status(503), 504, "okta_unreachable"),
        (Fault::status(500).on(token), 504, "okta_unreachable"),
        (Fault::new(FaultKind::ConnectionReset).on(token), 504, "okta_unreachable"),
        (Fault::delay_ms(2500).on(token), 504, "okta_unreachable"),
        (Fault::new(FaultKind::Html).on(token), 502, "okta_bad_answer"),
        (Fault::new(FaultKind::InvalidJson).on(token), 502, "okta_bad_answer"),
        (Fault::new(FaultKind::EmptyBody).on(token), 502, "okta_bad_answer"),
        (Fault::new(FaultKind::Oversized).on(token), 502, "okta_bad_answer"),
        (Fault::redirect("https://evil.example/").on(token), 502, "okta_bad_answer"),
    ] {
        world.acme.fail(fault.clone());
        let problem = world.put(&path, &world.credentials()).await.expect_problem(status, code);
        assert_eq!(problem["transient"], status == 504, "{fault:?}");
        world.acme.recover();
    }
    assert_eq!(world.count("credentials"), 0);
    assert_eq!(world.count_events("credentials_refused"), 0);
    world.put(&path, &world.credentials()).await.expect(201);
}

#[tokio::test]
async fn secret_is_never_sent_to_a_host_with_a_foreign_certificate() {
    let stranger = OrgSetup::new("globex").with(|knobs| knobs.foreign_certificate = true);
    let world = World::build().org(stranger).start().await;
    let globex = world.okta.org("globex").expect("globex");
    let path = format!("{}/credentials", world.integration().await);
    // A new host, so that there is no pooled connection or TLS session.
    world.move_integration(&globex);
    let body = json!({ "client_id": globex.client_id(), "client_secret": globex.client_secret() });
    let problem = world.put(&path, &body).await.expect_problem(504, "okta_unreachable");
    assert_eq!(problem["transient"], false, "a retry does not help: {problem}");
    assert!(problem["detail"].as_str().expect("detail").contains("certificate"), "{problem}");
    assert!(globex.journal().entries().is_empty(), "nothing was sent to the foreign host");
    globex.change(|knobs| knobs.foreign_certificate = false);
    world.put(&path, &body).await.expect(201);
}

#[tokio::test]
async fn failure_after_the_token_leaves_findings_unknown() {
    let world = World::start().await;
    let path = format!("{}/credentials", world.integration().await);
    world.acme.fail(Fault::status(503).on("/api/v1/authenticators"));
    let connected = world.put(&path, &world.credentials()).await.expect(201);
    let fastpass = item(&connected["prerequisites"], "fastpass");
    assert_eq!(
        (&fastpass["outcome"], &fastpass["reason"]),
        (&json!("unknown"), &json!("okta_unreachable"))
    );
}

#[tokio::test]
async fn exhausted_rate_limit_returns_retry_after() {
    let world = World::start().await;
    let path = format!("{}/credentials", world.integration().await);
    world.acme.leave_requests("token", 0);
    let answer = world.put(&path, &world.credentials()).await;
    let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=70).contains(&seconds), "{seconds}");
    let problem = answer.expect_problem(503, "okta_rate_limited");
    assert_eq!(problem["transient"], true);
}

#[tokio::test]
async fn invalid_credentials_fields_are_rejected_without_a_request() {
    let world = World::start().await;
    let path = format!("{}/credentials", world.integration().await);
    world.acme.journal().clear();
    let (id, secret) = (world.acme.client_id(), world.acme.client_secret());
    for (body, pointer, code) in [
        (json!({ "client_id": id }), "/client_secret", "missing"),
        (json!({ "client_secret": secret }), "/client_id", "missing"),
        (json!({ "client_id": "", "client_secret": secret }), "/client_id", "empty"),
        (
            json!({ "client_id": "a:b", "client_secret": secret }),
            "/client_id",
            "invalid_characters",
        ),
        (
            json!({ "client_id": id, "client_secret": "with blank" }),
            "/client_secret",
            "invalid_characters",
        ),
        (
            json!({ "client_id": id, "client_secret": "x".repeat(513) }),
            "/client_secret",
            "too_long",
        ),
        (json!({ "client_id": id, "client_secret": null }), "/client_secret", "invalid"),
        (json!({ "client_id": id, "client_secret": secret, "more": 1 }), "/more", "unknown_field"),
    ] {
        let problem = world.put(&path, &body).await.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert_eq!(problem["errors"][0]["code"], code, "{problem}");
        assert!(!problem.to_string().contains(&secret));
    }
    assert!(world.acme.journal().entries().is_empty());
}

#[tokio::test]
async fn stale_version_is_rejected_without_a_request() {
    let world = World::start().await;
    let path = format!("{}/credentials", world.integration().await);
    world.acme.journal().clear();
    let ask = world
        .ask(Method::PUT, &path)
        .admin()
        .header("if-match", "\"7\"")
        .json(&world.credentials());
    ask.send().await.expect_problem(412, "stale_version");
    assert!(world.acme.journal().entries().is_empty());
}

#[tokio::test]
async fn deleted_credentials_can_be_stored_again() {
    let world = World::start().await;
    let path = world.connected().await;
    let credentials = format!("{path}/credentials");
    let after = world.delete(&credentials).await.expect(200);
    assert_eq!(after["credentials"], json!({ "client_secret": { "set": false } }));
    assert!(
        after["status_reasons"]
            .as_array()
            .expect("reasons")
            .contains(&json!("credentials_missing"))
    );
    world.delete(&credentials).await.expect_problem(404, "not_found");
    let report = world.get(&format!("{path}/prerequisites")).await.expect(200);
    assert_eq!(item(&report, "super_admin_scopes")["reason"], "no_credentials");
    assert_eq!(item(&report, "identity_engine")["outcome"], "passed", "this needs no credentials");
    let again = world.put(&credentials, &world.credentials()).await.expect(201);
    assert_eq!(
        again["integration"]["credentials"]["client_secret"]["version"], 2,
        "versions never go back"
    );
}

#[tokio::test]
async fn secret_is_stored_encrypted_and_bound_to_its_row() {
    let world = World::start().await;
    world.connected().await;
    let secret = world.acme.client_secret();
    let stored = world.column("credentials", "encode(client_secret, 'escape')");
    assert!(!stored[0].contains(&secret), "the secret is not encrypted");
    assert_eq!(world.column("credentials", "key_id"), ["test-key"]);
    // A ciphertext that is moved to another row cannot be decrypted.
    let token = world.token_of("other", &["odt:write", "odt:read"]);
    let created = world.ask(Method::POST, crate::support::world::INTEGRATIONS).token(&token);
    let other = created.json(&json!({ "okta_domain": "acme.okta.com" })).send().await.expect(201);
    let other_path =
        format!("{}/{}", crate::support::world::INTEGRATIONS, other["id"].as_str().expect("id"));
    let put = world.ask(Method::PUT, &format!("{other_path}/credentials")).token(&token);
    put.json(&world.credentials()).send().await.expect(201);
    world.copy_client_secret_to("other");
    let check = world
        .ask(Method::POST, &format!("{other_path}/prerequisites/check"))
        .token(&token)
        .send()
        .await;
    check.expect_problem(500, "internal");
}

#[tokio::test]
async fn secret_entered_as_client_id_is_not_audited() {
    let world = World::start().await;
    let path = world.integration().await;
    let swapped =
        json!({ "client_id": world.acme.client_secret(), "client_secret": world.acme.client_id() });
    world.put(&format!("{path}/credentials"), &swapped).await.expect_problem(422, "invalid_client");
    let events = world.get(&format!("{path}/events")).await.expect(200).to_string();
    assert!(
        events.contains("credentials_refused") && !events.contains(&world.acme.client_secret()),
        "{events}"
    );
}

#[tokio::test]
async fn client_without_scopes_gets_all_missing_ones_listed() {
    let world = World::start().await;
    let path = world.integration().await;
    world.acme.change(|knobs| knobs.granted_scopes.clear());
    let refused = world.put(&format!("{path}/credentials"), &world.credentials()).await;
    let problem = refused.expect_problem(422, "missing_scopes");
    assert_eq!(problem["missing_scopes"].as_array().expect("scopes").len(), 3, "{problem}");
}

#[tokio::test]
async fn token_that_becomes_invalid_leaves_later_findings_unknown() {
    let world = World::start().await;
    let path = format!("{}/credentials", world.integration().await);
    world.acme.change(|knobs| knobs.dead_tokens_after_uses = Some(1));
    let connected = world.put(&path, &world.credentials()).await.expect(201);
    let fastpass = item(&connected["prerequisites"], "fastpass");
    assert_eq!(
        (&fastpass["outcome"], &fastpass["reason"]),
        (&json!("unknown"), &json!("okta_bad_answer"))
    );
}
