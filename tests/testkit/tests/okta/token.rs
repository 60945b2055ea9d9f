//! The token endpoint rejects what Okta rejects, and grants only granted scopes.

use serde_json::Value;
use testkit::okta::{AUTHENTICATORS_READ, DEVICES_READ, Dpop, OrgSetup};

use crate::client::{json, world, world_with};

const BOTH: &str = "okta.devices.read okta.authenticators.read";

#[tokio::test]
async fn valid_request_returns_an_opaque_uncacheable_token() {
    let world = world().await;
    let response = world.token_request(BOTH).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers()["x-rate-limit-limit"], "150");
    assert_eq!(response.headers()["x-rate-limit-remaining"], "149");
    let body = json(response).await;
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 3600);
    assert_eq!(body["scope"], BOTH);

    let journal = world.acme.journal().entries();
    assert_eq!(journal.len(), 1);
    assert_eq!(journal[0].form_value("grant_type"), Some("client_credentials"));
    assert_eq!(journal[0].headers["authorization"], format!("Basic {}", world.acme.client_id()));
    assert_eq!((journal[0].host.as_str(), journal[0].status), ("acme.okta.com", Some(200)));
    assert_eq!(journal[0].tls_name.as_deref(), Some("acme.okta.com"));
    assert!(!format!("{journal:?}").contains(&world.acme.client_secret()));
}

#[tokio::test]
async fn malformed_requests_return_oktas_errors() {
    let world = world().await;
    let (id, secret) = (world.acme.client_id(), world.acme.client_secret());
    let url = world.at("/oauth2/v1/token");
    let post = || world.client().post(&url);
    let form = |body: &str| {
        post().header("content-type", "application/x-www-form-urlencoded").body(body.to_string())
    };
    let basic = |body: &str| form(body).basic_auth(&id, Some(&secret));
    let good = format!("grant_type=client_credentials&scope={DEVICES_READ}");
    let in_body = format!("{good}&client_id={id}&client_secret={secret}");
    let cases = [
        ("GET", world.client().get(&url).basic_auth(&id, Some(&secret)), 405, "E0000022"),
        (
            "JSON",
            post()
                .basic_auth(&id, Some(&secret))
                .json(&serde_json::json!({"grant_type": "client_credentials"})),
            400,
            "E0000021",
        ),
        ("no JSON accepted", basic(&good).header("accept", "text/html"), 400, "E0000021"),
        ("no credentials", form(&good), 401, "invalid_client"),
        ("credentials in the body", form(&in_body), 401, "invalid_client"),
        ("credentials twice", basic(&in_body), 400, "invalid_request"),
        ("bearer", form(&good).bearer_auth("x"), 401, "invalid_client"),
        ("wrong id", form(&good).basic_auth("0oaWRONG", Some(&secret)), 401, "invalid_client"),
        ("wrong secret", form(&good).basic_auth(&id, Some("wrong")), 401, "invalid_client"),
        ("no grant type", basic("scope=okta.devices.read"), 400, "unsupported_grant_type"),
        (
            "other grant type",
            basic("grant_type=password&scope=okta.devices.read"),
            400,
            "unsupported_grant_type",
        ),
        ("no scope", basic("grant_type=client_credentials"), 400, "invalid_scope"),
        (
            "unknown scope",
            basic("grant_type=client_credentials&scope=okta.devices.write"),
            400,
            "invalid_scope",
        ),
        (
            "scopes joined by commas",
            basic("grant_type=client_credentials&scope=okta.devices.read,okta.devices.manage"),
            400,
            "invalid_scope",
        ),
        (
            "twice the same parameter",
            basic(&format!("{good}&scope=okta.devices.manage")),
            400,
            "invalid_request",
        ),
        (
            "none granted",
            basic("grant_type=client_credentials&scope=okta.users.read"),
            400,
            "consent_required",
        ),
    ];
    for (what, request, status, code) in cases {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{what}");
        let body = json(response).await;
        let seen = body.get("error").or(body.get("errorCode")).and_then(Value::as_str);
        assert_eq!(seen, Some(code), "{what}: {body}");
    }
}

#[tokio::test]
async fn scopes_that_are_not_granted_are_omitted() {
    let world = world_with(
        OrgSetup::new("acme").with(|knobs| knobs.granted_scopes = vec![DEVICES_READ.into()]),
    )
    .await;
    let body = json(world.token_request(BOTH).send().await.unwrap()).await;
    assert_eq!(body["scope"], DEVICES_READ);

    world.acme.change(|knobs| knobs.refuse_ungranted_scopes = true);
    let response = world.token_request(BOTH).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), json(response).await["error"].clone()),
        (400, "invalid_scope".into())
    );
}

#[tokio::test]
async fn knobs_cause_the_other_errors() {
    let world = world().await;
    for (knob, status, error) in [
        ("network_zone_blocked", 403, "access_denied"),
        ("temporarily_unavailable", 400, "temporarily_unavailable"),
        ("dpop", 400, "invalid_dpop_proof"),
        ("revoked", 401, "invalid_client"),
    ] {
        let before = world.acme.knobs();
        world.acme.change(|knobs| match knob {
            "network_zone_blocked" => knobs.network_zone_blocked = true,
            "temporarily_unavailable" => knobs.temporarily_unavailable = true,
            "dpop" => knobs.dpop = Dpop::Required,
            _ => knobs.client_active = false,
        });
        let response = world.token_request(BOTH).send().await.unwrap();
        assert_eq!(response.status(), status, "{knob}");
        assert_eq!(json(response).await["error"], error, "{knob}");
        world.acme.change(|knobs| *knobs = before);
    }
}

#[tokio::test]
async fn two_secrets_are_valid_until_one_is_removed() {
    let world = world().await;
    let old = world.acme.client_secret();
    let new = world.acme.add_secret();
    let status = async |secret: &str| {
        let request = world.token_request(DEVICES_READ);
        let request = request.build().unwrap();
        let body = String::from_utf8(request.body().unwrap().as_bytes().unwrap().to_vec()).unwrap();
        world
            .client()
            .post(request.url().clone())
            .basic_auth(world.acme.client_id(), Some(secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!((status(&old).await, status(&new).await), (200, 200));
    world.acme.deactivate_secret(&old);
    assert_eq!((status(&old).await, status(&new).await), (401, 200));
}

#[tokio::test]
async fn exhausted_window_returns_429_without_retry_after() {
    let world = world().await;
    world.acme.change(|knobs| {
        knobs.rate_limits.token = 2;
        knobs.rate_limits.window_seconds = 1;
    });
    for _ in 0..2 {
        assert_eq!(world.token_request(BOTH).send().await.unwrap().status(), 200);
    }
    let response = world.token_request(BOTH).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["x-rate-limit-remaining"], "0");
    assert!(response.headers().contains_key("date"));
    assert!(response.headers().contains_key("x-rate-limit-reset"));
    assert!(!response.headers().contains_key("retry-after"));
    assert_eq!(json(response).await["errorCode"], "E0000047");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    assert_eq!(world.token_request(BOTH).send().await.unwrap().status(), 200);

    // The headers use the org's clock, not the local one.
    world.acme.change(|knobs| knobs.clock_skew_seconds = -86_400);
    let response = world.token_request(BOTH).send().await.unwrap();
    let reset: i64 = response.headers()["x-rate-limit-reset"].to_str().unwrap().parse().unwrap();
    assert!(reset < chrono::Utc::now().timestamp() - 80_000);
    let date = response.headers()["date"].to_str().unwrap();
    let date = chrono::DateTime::parse_from_rfc2822(date).unwrap().timestamp();
    assert!((0..=2).contains(&(reset - date)), "{reset} {date}");

    world.acme.change(|knobs| knobs.concurrency_exhausted = true);
    let response = world.token_request(BOTH).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.headers()["x-rate-limit-limit"].to_str().unwrap()),
        (429, "0")
    );
}

#[tokio::test]
async fn token_expires_by_age_use_and_revocation() {
    let world = world().await;
    let path = "/api/v1/authenticators";
    world.acme.change(|knobs| knobs.dead_tokens_after_uses = Some(1));
    let token = world.token(AUTHENTICATORS_READ).await;
    assert_eq!(world.get(&token, path).await.status(), 200);
    let dead = world.get(&token, path).await;
    assert_eq!(dead.status(), 401);
    assert_eq!(json(dead).await["errorCode"], "E0000011");

    world.acme.change(|knobs| {
        knobs.dead_tokens_after_uses = None;
        knobs.token_lifetime_seconds = 0;
    });
    let token = world.token(AUTHENTICATORS_READ).await;
    assert_eq!(world.get(&token, path).await.status(), 401);

    world.acme.change(|knobs| knobs.token_lifetime_seconds = 3600);
    let token = world.token(AUTHENTICATORS_READ).await;
    world.acme.kill_tokens();
    assert_eq!(world.get(&token, path).await.status(), 401);
}
