//! Two replicas on one database.

use reqwest::Method;
use serde_json::json;

use crate::support::answer::item;
use crate::support::process::Process;
use crate::support::world::{INTEGRATIONS, World};

/// Starts two replicas on one database: the world's own and another process.
async fn replicas() -> (World, Process) {
    let world = World::start().await;
    let other = Process::serve(&world.environment).await;
    (world, other)
}

#[tokio::test]
async fn changes_of_one_replica_are_visible_on_the_other() {
    let (mut world, other) = replicas().await;
    let (one, two) = (world.base.clone(), other.base.clone());
    let path = world.integration().await;
    let (credentials, check) =
        (format!("{path}/credentials"), format!("{path}/prerequisites/check"));
    // Changed through one replica and read through the other, and vice versa.
    for turn in 0..4 {
        world.base.clone_from(if turn % 2 == 0 { &one } else { &two });
        let platforms = if turn % 2 == 0 { json!(["macos"]) } else { json!(["ios"]) };
        let changed = world.patch(&path, &json!({ "selected_platforms": platforms })).await;
        let version = changed.etag().to_owned();
        let changed = changed.expect(200);
        let stored = world.put(&credentials, &world.credentials()).await;
        assert!(stored.status.is_success(), "{}", stored.text);
        let after = stored.json()["integration"].clone();

        world.base.clone_from(if turn % 2 == 0 { &two } else { &one });
        assert_eq!(world.get(&path).await.expect(200), after);
        assert_eq!(after["selected_platforms"], changed["selected_platforms"]);
        let stale = world.ask(Method::PATCH, &path).admin().header("if-match", &version);
        stale.json(&json!({})).send().await.expect_problem(412, "stale_version");
        world.post(&check, &json!(null)).await.expect(200);
        // The secret is replaced: the replica with a cached token must not continue to use it.
        let secret = world.acme.client_secret();
        world.acme.add_secret();
        world.acme.deactivate_secret(&secret);
        let report = world.post(&check, &json!(null)).await.expect(200);
        assert_eq!(item(&report, "super_admin_scopes")["reason"], "invalid_client");
    }
    world.base.clone_from(&one);
    world.delete(&credentials).await.expect(200);
    world.base.clone_from(&two);
    world.post(&check, &json!(null)).await.expect_problem(409, "credentials_needed");
    world.delete(&path).await.expect(200);
    world.base.clone_from(&one);
    world.get(&path).await.expect_problem(404, "not_found");
    assert_eq!(world.get(INTEGRATIONS).await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn idempotency_key_on_two_replicas_creates_one_integration() {
    let (world, other) = replicas().await;
    let token = world.token_of(&world.tenant, &["odt:write"]);
    let body = json!({ "okta_domain": world.acme.host() });
    let send = |base: &str| {
        let ask = world.http.post(format!("{base}{INTEGRATIONS}")).bearer_auth(&token);
        ask.header("idempotency-key", "once").json(&body).send()
    };
    let answers = tokio::join!(send(&world.base), send(&other.base));
    let statuses =
        [answers.0, answers.1].map(|answer| answer.expect("an answer").status().as_u16());
    assert!(statuses.contains(&201), "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    let again = send(&other.base).await.expect("an answer");
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(world.count("integrations"), 1);
    assert_eq!(world.count_events("integration_created"), 1);
}
