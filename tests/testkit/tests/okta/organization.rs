//! Discovery, authenticators and the checks that every API path shares.

use serde_json::{Value, json};
use testkit::okta::{
    AUTHENTICATORS_READ, CustomDomain, DEVICES_READ, OrgSetup, Pipeline, Presence,
};

use crate::client::{World, json, world, world_with};

const WELL_KNOWN: &str = "/.well-known/okta-organization";

async fn at_host(world: &World, host: &str) -> Value {
    let url = format!("https://{host}:{}{WELL_KNOWN}", world.okta.address().port());
    json(world.client().get(url).send().await.unwrap()).await
}

#[tokio::test]
async fn discovery_names_the_canonical_host_the_custom_domain_and_the_engine() {
    let world = world_with(OrgSetup::new("acme").custom_domain("login.acme.example")).await;
    for host in ["acme.okta.com", "login.acme.example"] {
        let document = at_host(&world, host).await;
        assert_eq!(document["id"], world.acme.id());
        assert_eq!(document["pipeline"], "idx");
        assert_eq!(document["_links"]["organization"]["href"], "https://acme.okta.com");
        assert_eq!(document["_links"]["alternate"]["href"], "https://login.acme.example");
    }
    world.acme.change(|knobs| knobs.pipeline = Pipeline::V1);
    assert_eq!(at_host(&world, "acme.okta.com").await["pipeline"], "v1");
    let refused = world.client().post(world.at(WELL_KNOWN)).send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), json(refused).await["errorCode"].clone()),
        (405, "E0000022".into())
    );
}

#[tokio::test]
async fn custom_domain_can_return_false_data() {
    let lie = CustomDomain {
        linked_back: false,
        claims_org_id: Some("00oSOMEBODYELSE00000".into()),
        claims_organization: Some("https://victim.okta.com".into()),
        ..CustomDomain::new("login.liar.example")
    };
    let world =
        world_with(OrgSetup::new("acme").with(|knobs| knobs.custom_domains.push(lie))).await;
    let lying = at_host(&world, "login.liar.example").await;
    assert_eq!(lying["id"], "00oSOMEBODYELSE00000");
    assert_eq!(lying["_links"]["organization"]["href"], "https://victim.okta.com");
    assert!(at_host(&world, "acme.okta.com").await["_links"].get("alternate").is_none());
}

#[tokio::test]
async fn fastpass_is_a_method_and_okta_verify_an_authenticator() {
    let world = world().await;
    let token = world.token(AUTHENTICATORS_READ).await;
    let find = async || {
        let all = json(world.get(&token, "/api/v1/authenticators").await).await;
        all.as_array().unwrap().iter().find(|one| one["key"] == "okta_verify").cloned()
    };
    let okta_verify = find().await.unwrap();
    assert_eq!(okta_verify["status"], "ACTIVE");
    let id = okta_verify["id"].as_str().unwrap();
    assert_eq!((id.len(), &id[..3]), (20, "aut"));

    let method = format!("/api/v1/authenticators/{id}/methods/signed_nonce");
    assert_eq!(json(world.get(&token, &method).await).await["status"], "ACTIVE");
    world.acme.change(|knobs| knobs.fastpass = false);
    assert_eq!(json(world.get(&token, &method).await).await["status"], "INACTIVE");
    let methods =
        json(world.get(&token, &format!("/api/v1/authenticators/{id}/methods")).await).await;
    let types: Vec<&str> =
        methods.as_array().unwrap().iter().filter_map(|method| method["type"].as_str()).collect();
    assert_eq!(types, ["push", "signed_nonce", "totp"]);

    world.acme.change(|knobs| knobs.okta_verify = Presence::Inactive);
    assert_eq!(find().await.unwrap()["status"], "INACTIVE");
    world.acme.change(|knobs| knobs.okta_verify = Presence::Absent);
    assert!(find().await.is_none());
    let gone = world.get(&token, &format!("/api/v1/authenticators/{id}")).await;
    assert_eq!(
        (gone.status().as_u16(), json(gone).await["errorCode"].clone()),
        (404, "E0000007".into())
    );
}

#[tokio::test]
async fn missing_token_scope_role_and_feature_have_different_errors() {
    let world = world().await;
    let path = "/api/v1/authenticators";
    let anonymous = world.client().get(world.at(path)).send().await.unwrap();
    assert_eq!(
        (anonymous.status().as_u16(), json(anonymous).await["errorCode"].clone()),
        (401, "E0000011".into())
    );

    let scopeless = world.get(&world.token(DEVICES_READ).await, path).await;
    assert_eq!(scopeless.status(), 403);
    let challenge = scopeless.headers()["www-authenticate"].to_str().unwrap().to_string();
    assert!(
        challenge.starts_with("Bearer authorization_uri=")
            && challenge.contains("error=\"insufficient_scope\""),
        "{challenge}"
    );
    assert!(scopeless.headers().contains_key("x-rate-limit-limit"));
    assert_eq!(scopeless.text().await.unwrap(), "");

    let token = world.token(AUTHENTICATORS_READ).await;
    world.acme.change(|knobs| knobs.no_admin_role = true);
    let roleless = world.get(&token, path).await;
    assert_eq!(
        (roleless.status().as_u16(), json(roleless).await["errorCode"].clone()),
        (403, "E0000006".into())
    );

    world.acme.change(|knobs| knobs.features_not_enabled = vec![path.into()]);
    let unbought = world.get(&token, path).await;
    assert_eq!(
        (unbought.status().as_u16(), json(unbought).await["errorCode"].clone()),
        (401, "E0000015".into())
    );

    world.acme.change(|knobs| {
        knobs.features_not_enabled.clear();
        knobs.no_admin_role = false;
        knobs.pipeline = Pipeline::V1;
    });
    assert_eq!(json(world.get(&token, path).await).await["errorCode"], "E0000015");
    assert_eq!(world.get(&token, "/api/v1/no-such-thing").await.status(), 404);
}

#[tokio::test]
async fn token_is_valid_for_its_own_org_only() {
    let world = world().await;
    let other = world.okta.add_org(OrgSetup::new("umbrella").suffix("oktapreview.com"));
    let token = world.token(AUTHENTICATORS_READ).await;
    let url = format!("{}:{}/api/v1/authenticators", other.url(), world.okta.address().port());
    assert_eq!(world.client().get(url).bearer_auth(token).send().await.unwrap().status(), 401);
    assert_ne!(world.acme.client_id(), other.client_id());
    assert_eq!(
        (other.id().len(), other.client_id().len(), other.client_secret().len()),
        (20, 20, 64)
    );
}

#[tokio::test]
async fn objects_have_undocumented_fields_by_default() {
    let world = world().await;
    assert!(at_host(&world, "acme.okta.com").await["settings"].get("addedLater").is_some());
    world.acme.change(|knobs| knobs.extra_fields = false);
    assert!(at_host(&world, "acme.okta.com").await.get("addedLater").is_none());
}

#[tokio::test]
async fn control_api_changes_knobs_and_rejects_unknown_names() {
    let world = world().await;
    let url = format!("{}/_sim/orgs/acme", world.okta.url());
    let patch = |body: Value| world.client().patch(&url).json(&body).send();
    let seen =
        json(patch(json!({"fastpass": false, "rate_limits": {"token": 3}})).await.unwrap()).await;
    assert_eq!(
        (&seen["knobs"]["fastpass"], &seen["knobs"]["rate_limits"]["devices"]),
        (&json!(false), &json!(50))
    );
    assert_eq!(world.acme.knobs().rate_limits.token, 3);
    let refused = patch(json!({"fastpas": true})).await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("fastpas"));

    let orgs = format!("{}/_sim/orgs", world.okta.url());
    let added = world
        .client()
        .post(&orgs)
        .json(&json!({"name": "globex", "knobs": {"pipeline": "v1"}}))
        .send()
        .await
        .unwrap();
    assert_eq!(added.status(), 201);
    assert_eq!(world.okta.org("globex").unwrap().host(), "globex.okta.com");
    assert!(world.acme.journal().entries().is_empty(), "the control API is no part of Okta");
}

#[tokio::test]
async fn token_request_at_a_custom_domain_is_in_the_journal() {
    let world = world_with(OrgSetup::new("acme").custom_domain("login.acme.example")).await;
    let url = format!("https://login.acme.example:{}/oauth2/v1/token", world.okta.address().port());
    let request = world
        .client()
        .post(url)
        .basic_auth(world.acme.client_id(), Some(world.acme.client_secret()))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("grant_type=client_credentials&scope=okta.devices.read");
    assert_eq!(request.send().await.unwrap().status(), 200);
    assert_eq!(world.acme.journal().entries()[0].host, "login.acme.example");
}

#[tokio::test]
async fn devices_can_be_set_up_over_the_control_api() {
    let world = world().await;
    let post = async |path: &str, body: Value| {
        let url = format!("{}/_sim/orgs/acme/{path}", world.okta.url());
        json(world.client().post(url).json(&body).send().await.unwrap()).await
    };
    let device = post("devices", json!({"platform": "MACOS", "serial_number": "C02"})).await;
    let user = post("users", json!({"login": "ada@example.com"})).await;
    let (device, user) = (device["id"].as_str().unwrap(), user["id"].as_str().unwrap());
    post(&format!("devices/{device}/users/{user}/sign-in"), json!({})).await;
    let devices = world.acme.devices();
    assert_eq!(devices[0].profile["serialNumber"], "C02");
    assert!(devices[0].users[0].managed);
}
