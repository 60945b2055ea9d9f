//! Clients that demand DPoP: each request for a token and each call brings a proof.

use serde_json::json;
use testkit::okta::{Dpop, Org, OrgSetup};

use super::service_apps::service_app;
use crate::support::answer::item;
use crate::support::process::Process;
use crate::support::world::World;

const TOKEN: &str = "/oauth2/v1/token";

fn schemes(world: &World) -> Vec<String> {
    let calls = world.acme.journal().entries().into_iter();
    calls
        .filter(|call| call.path.starts_with("/api/"))
        .map(|call| call.headers["authorization"].clone())
        .collect()
}

#[tokio::test]
async fn a_client_with_a_secret_that_demands_dpop_connects() {
    let world = World::start().await;
    world.acme.change(|knobs| knobs.dpop = Dpop::Required);
    let path = world.integration().await;
    world.acme.journal().clear();
    let connected = world.put(&format!("{path}/credentials"), &world.credentials()).await;
    assert_eq!(item(&connected.expect(201)["prerequisites"], "fastpass")["outcome"], "passed");
    // Without a proof, without a nonce, with both.
    assert_eq!(world.acme.journal().count(TOKEN), 3);
    assert_eq!(world.acme.journal().entries().len(), 6);
    assert_eq!(schemes(&world), ["DPoP", "DPoP"]);
    // What was learnt is remembered: the next proof brings the nonce at once.
    world.acme.journal().clear();
    world.post(&format!("{path}/prerequisites/check"), &json!(null)).await.expect(200);
    assert_eq!(world.acme.journal().count(TOKEN), 1);
}

#[tokio::test]
async fn a_service_app_demands_dpop_by_default_and_connects() {
    let (world, path) = service_app().await;
    assert_eq!(world.acme.knobs().dpop, Dpop::Required);
    world.enter_key(&path).await;
    world.connect_own_app(&path).await.expect(201);
    assert_eq!(schemes(&world), ["DPoP", "DPoP"]);
    world.acme.journal().clear();
    world.acme.change(|knobs| knobs.dpop = Dpop::NotRequired);
    world.connect_own_app(&path).await.expect(200);
    // A proof that is no longer demanded still binds the token (RFC 9449 §5).
    assert_eq!(schemes(&world), ["DPoP", "DPoP"]);
}

#[tokio::test]
async fn another_nonce_costs_one_request_and_a_loop_of_them_ends() {
    let world = World::start().await;
    world.acme.change(|knobs| knobs.dpop = Dpop::Required);
    let path = world.connected().await;
    let check = format!("{path}/prerequisites/check");
    let tokens_of_a_check = async || {
        world.acme.journal().clear();
        let report = world.post(&check, &json!(null)).await.expect(200);
        assert_eq!(report["ready"], true);
        world.acme.journal().count(TOKEN)
    };
    world.acme.renew_dpop_nonce();
    assert_eq!(tokens_of_a_check().await, 1, "the nonce before is still good");
    world.acme.forget_dpop_nonces();
    assert_eq!(tokens_of_a_check().await, 2);
    assert_eq!(tokens_of_a_check().await, 1);
    world.acme.change(|knobs| knobs.dpop = Dpop::NonceLoop);
    world.acme.journal().clear();
    world.post(&check, &json!(null)).await.expect_problem(502, "okta_bad_answer");
    assert_eq!(world.acme.journal().count(TOKEN), 3);
    let integration = world.get(&path).await.expect(200);
    assert!(!integration.to_string().contains("client_refused"), "{integration}");
}

#[tokio::test]
async fn a_proof_that_the_clock_spoils_is_blamed_on_the_clock() {
    let world = World::start().await;
    world.acme.change(|knobs| knobs.dpop = Dpop::Required);
    let path = world.integration().await;
    let credentials = format!("{path}/credentials");
    for skew in [-900, 900] {
        world.acme.change(|knobs| knobs.clock_skew_seconds = skew);
        let refused = world.put(&credentials, &world.credentials()).await;
        refused.expect_problem(503, "clock_skew");
    }
    world.acme.change(|knobs| knobs.clock_skew_seconds = 0);
    world.put(&credentials, &world.credentials()).await.expect(201);
}

#[tokio::test]
async fn the_mirror_reads_a_fleet_with_proofs_from_every_replica() {
    let world = World::build().setting("ODT_SYNC_WORKERS", "2").start().await;
    world.acme.change(|knobs| knobs.dpop = Dpop::Required);
    world.add_fleet(450);
    let path = world.connected().await;
    let first = world.until_swept(&path, None).await;
    assert!(schemes(&world).iter().all(|scheme| scheme == "DPoP"));
    // A second process has a key of its own, and a nonce that the first one was given is good for both.
    let _second = Process::serve(&world.environment).await;
    world.acme.kill_tokens();
    world.post(&format!("{path}/sync"), &json!(null)).await.expect(202);
    world.until_swept(&path, Some(&first)).await;
    assert!(schemes(&world).iter().all(|scheme| scheme == "DPoP"));
}

#[tokio::test]
async fn each_org_sees_a_key_of_its_own() {
    let beta = OrgSetup::new("beta").with(|knobs| knobs.dpop = Dpop::Required);
    let world = World::build().org(beta).start().await;
    world.acme.change(|knobs| knobs.dpop = Dpop::Required);
    world.connected().await;
    let beta = world.okta.org("beta").expect("beta");
    let created = world
        .post(crate::support::world::INTEGRATIONS, &json!({ "okta_domain": beta.host() }))
        .await
        .expect(201);
    let path = format!(
        "{}/{}/credentials",
        crate::support::world::INTEGRATIONS,
        created["id"].as_str().expect("id")
    );
    let body = json!({ "client_id": beta.client_id(), "client_secret": beta.client_secret() });
    world.put(&path, &body).await.expect(201);
    let keys = [&world.acme, &beta].map(Org::dpop_keys);
    assert_eq!(keys.each_ref().map(std::collections::BTreeSet::len), [1, 1]);
    assert_ne!(keys[0], keys[1]);
}
