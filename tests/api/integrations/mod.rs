//! Creating and changing integrations.

mod credentials;
mod dpop;
mod hosts;
mod prerequisites;
mod refusals;
mod service_apps;
mod setup;

use reqwest::Method;
use serde_json::json;
use testkit::okta::{CustomDomain, Fault, FaultKind, OrgSetup};

use crate::support::world::{INTEGRATIONS, World};

#[tokio::test]
async fn pasted_domain_is_normalized_and_only_the_public_document_is_read() {
    let world = World::start().await;
    let answer = world
        .post(
            INTEGRATIONS,
            &json!({ "okta_domain": "  HTTPS://Acme-Admin.okta.com/admin/dashboard?x#y " }),
        )
        .await;
    assert_eq!(answer.etag(), "\"1\"");
    let location = answer.header("location").to_owned();
    let created = answer.expect(201);
    assert_eq!(created["okta_domain"], "acme.okta.com");
    assert_eq!(created["org_id"], world.acme.id());
    assert_eq!(created["engine"], "identity_engine");
    assert_eq!(created["status"], "setup");
    assert_eq!(created["credentials"], json!({ "client_secret": { "set": false } }));
    assert_eq!(created["status_reasons"], json!(["credentials_missing", "no_platform_selected"]));

    let asked: Vec<_> =
        world.acme.journal().entries().into_iter().map(|entry| entry.path).collect();
    assert_eq!(asked, ["/.well-known/okta-organization"]);
    assert_eq!(world.get(&location).await.expect(200), created);
}

#[tokio::test]
async fn invalid_domains_are_rejected_without_a_request() {
    let world = World::start().await;
    for (pasted, code) in [
        ("", "empty"),
        ("127.0.0.1", "ip_address"),
        ("0x7f.1", "ip_address"),
        ("https://[::1]/", "ip_address"),
        ("acme.okta.com:8443", "has_port"),
        ("https://user:pass@acme.okta.com", "has_userinfo"),
        ("ftp://acme.okta.com", "not_https"),
        ("okta.com", "okta_apex"),
        ("localhost", "invalid_host"),
        ("аcme.okta.com", "invalid_host"),
    ] {
        let problem = world
            .post(INTEGRATIONS, &json!({ "okta_domain": pasted }))
            .await
            .expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/okta_domain", "{pasted}");
        assert_eq!(problem["errors"][0]["code"], code, "{pasted}");
    }
    assert!(world.acme.journal().entries().is_empty());
}

#[tokio::test]
async fn hosts_without_an_org_are_indistinguishable() {
    let hosts = ["not-there.okta.com", "okta.com.evil.example"];
    let globex = OrgSetup::new("globex");
    let world = World::build().org(globex).other_host(hosts[0]).other_host(hosts[1]).start().await;
    let globex = world.okta.org("globex").expect("globex");
    let mut details = Vec::new();
    for host in hosts {
        let problem = world
            .post(INTEGRATIONS, &json!({ "okta_domain": host }))
            .await
            .expect_problem(422, "org_not_found");
        assert_eq!(problem["transient"], false);
        details.push(problem["detail"].as_str().expect("detail").replace(host, "HOST"));
    }
    for fault in
        [Fault::new(FaultKind::Html), Fault::new(FaultKind::InvalidJson), Fault::status(404)]
    {
        globex.fail(fault);
        let ask = world.post(INTEGRATIONS, &json!({ "okta_domain": "globex.okta.com" })).await;
        let problem = ask.expect_problem(422, "org_not_found");
        details
            .push(problem["detail"].as_str().expect("detail").replace("globex.okta.com", "HOST"));
        globex.recover();
    }
    details.dedup();
    assert_eq!(details.len(), 1, "{details:?}");
}

#[tokio::test]
async fn second_integration_of_an_org_is_409_with_the_first() {
    let world = World::start().await;
    let first = world.integration().await;
    let problem = world
        .post(INTEGRATIONS, &json!({ "okta_domain": "https://acme.okta.com" }))
        .await
        .expect_problem(409, "org_already_connected");
    assert!(first.ends_with(problem["integration_id"].as_str().expect("id")));

    // Another tenant can connect the same org.
    let token = world.token_of("somebody-else", &["odt:write"]);
    let other = world
        .ask(Method::POST, INTEGRATIONS)
        .token(&token)
        .json(&json!({ "okta_domain": "acme.okta.com" }));
    other.send().await.expect(201);
}

#[tokio::test]
async fn classic_org_is_created_with_a_failed_prerequisite() {
    let world = World::start().await;
    world.acme.change(|knobs| knobs.pipeline = testkit::okta::Pipeline::V1);
    let path = world.integration().await;
    let integration = world.get(&path).await.expect(200);
    assert_eq!(integration["engine"], "classic");
    assert!(
        integration["status_reasons"]
            .as_array()
            .expect("reasons")
            .contains(&json!("classic_engine"))
    );
    let report = world.get(&format!("{path}/prerequisites")).await.expect(200);
    let engine = crate::support::answer::item(&report, "identity_engine");
    assert_eq!(
        (&engine["outcome"], &engine["reason"]),
        (&json!("failed"), &json!("classic_engine"))
    );
    assert!(engine["remediation"]["text"].as_str().expect("text").contains("Identity Engine"));
}

#[tokio::test]
async fn custom_domain_is_used_if_the_canonical_host_confirms_it() {
    let world = World::build()
        .org(OrgSetup::new("globex").custom_domain("login.globex.example"))
        .start()
        .await;
    let created = world
        .post(INTEGRATIONS, &json!({ "okta_domain": "https://login.globex.example/app" }))
        .await
        .expect(201);
    assert_eq!(created["okta_domain"], "globex.okta.com");
    assert_eq!(created["custom_domain"], "login.globex.example");
    assert!(created.get("notices").is_none());
}

#[tokio::test]
async fn unconfirmed_custom_domain_is_dropped_with_a_notice() {
    let mut liar = CustomDomain::new("login.evil.example");
    liar.linked_back = false;
    let setup = OrgSetup::new("globex").with(|knobs| knobs.custom_domains.push(liar));
    let world = World::build().org(setup).start().await;
    let created =
        world.post(INTEGRATIONS, &json!({ "okta_domain": "login.evil.example" })).await.expect(201);
    assert_eq!(created["okta_domain"], "globex.okta.com");
    assert_eq!(created["custom_domain"], json!(null));
    assert_eq!(created["notices"][0]["text_id"], "notice.custom_domain_not_confirmed");
}

#[tokio::test]
async fn repeated_idempotency_key_returns_the_first_result() {
    let world = World::start().await;
    let send = |key: &'static str, domain: &'static str| {
        let ask = world.ask(Method::POST, INTEGRATIONS).admin().header("idempotency-key", key);
        ask.json(&json!({ "okta_domain": domain })).send()
    };
    let first = send("a", "acme.okta.com").await.expect(201);
    let again = send("a", "acme.okta.com").await;
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.expect(201)["id"], first["id"]);
    send("a", "https://acme.okta.com").await.expect_problem(422, "idempotency_key_reused");
    send("b", "acme.okta.com").await.expect_problem(409, "org_already_connected");
    // A request that created nothing releases its key.
    send("b", "acme.okta.com").await.expect_problem(409, "org_already_connected");
    for bad in ["", "with blank", &"x".repeat(129)] {
        let ask = world.ask(Method::POST, INTEGRATIONS).admin().header("idempotency-key", bad);
        ask.json(&json!({ "okta_domain": "acme.okta.com" }))
            .send()
            .await
            .expect_problem(400, "malformed_request");
    }
}

#[tokio::test]
async fn ten_concurrent_requests_with_one_key_create_one_integration() {
    let world = World::start().await;
    let ask = || {
        let ask = world.ask(Method::POST, INTEGRATIONS).admin().header("idempotency-key", "race");
        ask.json(&json!({ "okta_domain": "acme.okta.com" })).send()
    };
    let answers = futures_util::future::join_all((0..10).map(|_| ask())).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert!(statuses.contains(&201), "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    assert_eq!(
        world.get(INTEGRATIONS).await.expect(200)["items"].as_array().expect("items").len(),
        1
    );
}

#[tokio::test]
async fn if_match_protects_changes_and_deletions() {
    let world = World::start().await;
    let path = world.integration().await;
    let change = |etag: &'static str| {
        let ask = world.ask(Method::PATCH, &path).admin().header("if-match", etag);
        ask.json(&json!({ "selected_platforms": ["macos"] })).send()
    };
    let changed = change("\"1\"").await;
    assert_eq!(changed.etag(), "\"2\"");
    assert_eq!(changed.expect(200)["selected_platforms"], json!(["macos"]));
    let stale = change("\"1\"").await.expect_problem(412, "stale_version");
    assert!(stale["detail"].as_str().expect("detail").contains("\"2\""));
    for never in ["W/\"2\"", "\"something else\"", "\"+2\"", "\"02\""] {
        change(never).await.expect_problem(412, "stale_version");
    }
    for unclear in ["2", "\"1\", \"2\""] {
        change(unclear).await.expect_problem(400, "malformed_request");
    }
    change("*").await.expect(200);
    let delete = world.ask(Method::DELETE, &path).admin().header("if-match", "\"1\"").send().await;
    delete.expect_problem(412, "stale_version");
}

#[tokio::test]
async fn merge_patch_names_invalid_fields() {
    let world = World::start().await;
    let path = world.integration().await;
    let both =
        world.patch(&path, &json!({ "selected_platforms": ["macos", "ios"] })).await.expect(200);
    assert_eq!(both["selected_platforms"], json!(["macos", "ios"]));
    for nothing in [
        json!({}),
        json!({ "selected_platforms": ["macos", "ios"], "okta_domain": "acme.okta.com" }),
    ] {
        let unchanged = world.patch(&path, &nothing).await.expect(200);
        assert_eq!(unchanged, both, "the version does not change");
    }
    for (body, pointer, code) in [
        (json!({ "selected_platforms": ["windows"] }), "/selected_platforms/0", "invalid"),
        (json!({ "selected_platforms": ["ios", "ios"] }), "/selected_platforms/1", "duplicate"),
        (json!({ "selected_platforms": null }), "/selected_platforms", "invalid"),
        (json!({ "okta_domain": null }), "/okta_domain", "invalid"),
        (json!({ "okta_domain": 7 }), "/okta_domain", "invalid"),
        (json!({ "status": "active" }), "/status", "unknown_field"),
    ] {
        let problem = world.patch(&path, &body).await.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body} {problem}");
        assert_eq!(problem["errors"][0]["code"], code, "{body}");
    }
}

#[tokio::test]
async fn connected_integration_can_only_change_domain_within_its_org() {
    let world = World::build()
        .org(OrgSetup::new("globex"))
        .org(OrgSetup::new("acme2").custom_domain("login.acme.example"))
        .start()
        .await;
    let path = world.integration().await;
    let attest = format!("{path}/prerequisites/adaptive_mfa/attestation");
    world.put(&attest, &json!({ "attested": true })).await.expect(200);
    // Before connecting, the org can change. Attestations of the previous org are deleted.
    let moved = world.patch(&path, &json!({ "okta_domain": "globex.okta.com" })).await.expect(200);
    assert_eq!(moved["okta_domain"], "globex.okta.com");
    let report = world.get(&format!("{path}/prerequisites")).await.expect(200);
    assert_eq!(crate::support::answer::item(&report, "adaptive_mfa")["outcome"], "unknown");
    world.patch(&path, &json!({ "okta_domain": "acme.okta.com" })).await.expect(200);
    world.put(&format!("{path}/credentials"), &world.credentials()).await.expect(201);
    world
        .patch(&path, &json!({ "okta_domain": "globex.okta.com" }))
        .await
        .expect_problem(409, "other_org");
    world.patch(&path, &json!({ "okta_domain": "acme-admin.okta.com" })).await.expect(200);
}

#[tokio::test]
async fn deletion_removes_the_secret_keeps_events_and_lists_remaining_steps() {
    let world = World::start().await;
    let path = world.connected().await;
    let asked_before = world.acme.journal().entries().len();
    let deleted = world.delete(&path).await.expect(200);
    assert!(path.ends_with(deleted["deleted"].as_str().expect("id")));
    let checklist = deleted["checklist"].to_string();
    assert!(
        checklist.contains(&world.acme.client_id()) && checklist.contains("policies"),
        "{checklist}"
    );
    assert_eq!(world.acme.journal().entries().len(), asked_before, "there is no request to Okta");
    world.get(&path).await.expect_problem(404, "not_found");
    world.delete(&path).await.expect_problem(404, "not_found");
    assert_eq!(world.count("credentials"), 0);
    let events = world.get(&format!("{path}/events")).await.expect(200);
    let kinds: Vec<_> = events["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|event| event["kind"].clone())
        .collect();
    assert_eq!(kinds, ["integration_created", "credentials_stored", "integration_deleted"]);
    // The org can be connected again.
    world.integration().await;
}

#[tokio::test]
async fn list_pages_neither_miss_nor_repeat_items() {
    let world = World::build()
        .org(OrgSetup::new("globex"))
        .org(OrgSetup::new("initech"))
        .org(OrgSetup::new("umbrella"))
        .start()
        .await;
    for name in ["acme", "globex", "initech", "umbrella"] {
        world
            .post(INTEGRATIONS, &json!({ "okta_domain": format!("{name}.okta.com") }))
            .await
            .expect(201);
    }
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.get(&format!("{INTEGRATIONS}?limit=2{cursor}")).await.expect(200);
        found.extend(
            page["items"].as_array().expect("items").iter().map(|item| item["okta_domain"].clone()),
        );
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(
        found,
        ["acme.okta.com", "globex.okta.com", "initech.okta.com", "umbrella.okta.com"]
    );
    for (query, code) in
        [("limit=0", 422), ("limit=201", 422), ("cursor=x", 422), ("limit=x", 400), ("limt=2", 400)]
    {
        let answer = world.get(&format!("{INTEGRATIONS}?{query}")).await;
        assert_eq!(answer.status, code, "{query} {}", answer.text);
    }
}

#[tokio::test]
async fn events_show_denied_callers_and_unknown_ids_are_404() {
    let world = World::start().await;
    let path = world.integration().await;
    world
        .ask(Method::DELETE, &path)
        .scopes(&["odt:read"])
        .send()
        .await
        .expect_problem(403, "scope_missing");
    let events = world.get(&format!("{path}/events")).await.expect(200);
    let kinds: Vec<_> = events["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|event| event["kind"].clone())
        .collect();
    assert_eq!(kinds, ["integration_created", "scope_denied"]);
    let nobody = format!("{INTEGRATIONS}/0193d2a4-5b1c-7c43-8b5e-2f8d1c0a9e77/events");
    for page in [nobody.clone(), format!("{nobody}?cursor=AAAAAAAAAAAAAAAAAAAAAA")] {
        world.get(&page).await.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn scope_is_checked_before_the_id() {
    let world = World::start().await;
    let path = format!("{INTEGRATIONS}/not-an-id");
    world
        .ask(Method::GET, &path)
        .scopes(&["trust:read"])
        .send()
        .await
        .expect_problem(403, "scope_missing");
    world.get(&path).await.expect_problem(404, "not_found");
}
