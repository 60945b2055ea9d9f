//! Authentication and authorization: token flaws and required scopes.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::tokens::{Claims, Flaw, JwksServer, KeyKind, ScopeForm, TokenIssuer};

use crate::support::world::{EVERY_SCOPE, INTEGRATIONS, ISSUER_KEYS, World};

fn claims() -> Claims {
    Claims::new("admin@customer.example").tenant("t").scopes(&EVERY_SCOPE)
}

#[tokio::test]
async fn token_with_any_flaw_is_rejected() {
    let world = World::start().await;
    for flaw in Flaw::ALL {
        let token = ISSUER_KEYS.0.sign_flawed(&claims(), flaw);
        let answer = world.ask(Method::GET, INTEGRATIONS).token(&token).send().await;
        assert!(answer.header("www-authenticate").contains("invalid_token"), "{flaw:?}");
        answer.expect_problem(401, "unauthorized");
    }
    world
        .ask(Method::GET, INTEGRATIONS)
        .token(&ISSUER_KEYS.0.sign(&claims()))
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn requests_without_a_token_are_401() {
    let world = World::start().await;
    let anonymous = world.ask(Method::GET, INTEGRATIONS).send().await;
    assert_eq!(anonymous.header("www-authenticate"), "Bearer realm=\"okta-device-trust\"");
    anonymous.expect_problem(401, "unauthorized");
    for header in ["Bearer", "Bearer ", "Basic YTpi", "bearer x", "Bearer a.b.c", "Bearer \u{7f}"] {
        let Ok(value) = reqwest::header::HeaderValue::from_str(header) else { continue };
        let answer = world
            .ask(Method::GET, INTEGRATIONS)
            .header("authorization", value.to_str().expect("text"));
        answer.send().await.expect_problem(401, "unauthorized");
    }
    // Unknown paths are indistinguishable from existing ones.
    world.ask(Method::GET, "/nothing/here").send().await.expect_problem(401, "unauthorized");
}

#[tokio::test]
async fn scopes_are_accepted_in_every_common_format() {
    let world = World::start().await;
    for form in [ScopeForm::Scope, ScopeForm::ScpArray, ScopeForm::ScpString, ScopeForm::ScopeArray]
    {
        let token = ISSUER_KEYS.0.sign(&claims().scope_form(form));
        let answer = world.ask(Method::GET, INTEGRATIONS).token(&token).send().await;
        assert_eq!(answer.status, 200, "{form:?} {}", answer.text);
    }
}

#[tokio::test]
async fn each_operation_requires_its_scope_and_denials_are_audited_once() {
    let world = World::start().await;
    let path = world.integration().await;
    let body = json!({ "okta_domain": "acme.okta.com" });
    for (method, path, needed) in [
        (Method::GET, INTEGRATIONS.to_owned(), "odt:read"),
        (Method::GET, path.clone(), "odt:read"),
        (Method::GET, format!("{path}/setup"), "odt:read"),
        (Method::GET, format!("{path}/events"), "odt:read"),
        (Method::GET, format!("{path}/prerequisites"), "odt:read"),
        (Method::POST, INTEGRATIONS.to_owned(), "odt:write"),
        (Method::DELETE, path.clone(), "odt:write"),
        (Method::DELETE, format!("{path}/credentials"), "odt:write"),
        (Method::POST, format!("{path}/prerequisites/check"), "odt:write"),
    ] {
        let others: Vec<&str> = EVERY_SCOPE.into_iter().filter(|scope| *scope != needed).collect();
        let answer = world.ask(method.clone(), &path).scopes(&others).json(&body).send().await;
        let problem = answer.expect_problem(403, "scope_missing");
        assert!(problem["detail"].as_str().expect("detail").contains(needed), "{method} {path}");
    }
    assert_eq!(world.count_events("scope_denied"), 2, "once for each scope");
}

#[tokio::test]
async fn jwks_is_cached_and_unknown_kids_refetch_every_10_seconds() {
    let issuer =
        TokenIssuer::with_key("https://mdm.example.com", "okta-device-trust", KeyKind::Es256);
    let jwks = JwksServer::start(&issuer).expect("JWKS server");
    let world = World::build().setting("ODT_JWT_JWKS_URL", jwks.url()).start().await;
    let ask = async |token: String| world.ask(Method::GET, INTEGRATIONS).token(&token).send().await;
    ask(issuer.sign(&claims())).await.expect(200);
    let before = jwks.requests();
    for _ in 0..20 {
        ask(issuer.sign(&claims())).await.expect(200);
    }
    assert_eq!(jwks.requests(), before, "fresh keys are not requested again");
    // Any number of unknown kids causes at most one request in ten seconds.
    for _ in 0..20 {
        ask(issuer.sign_flawed(&claims(), Flaw::UnknownKid))
            .await
            .expect_problem(401, "unauthorized");
    }
    assert!(jwks.requests() <= before + 1, "{} requests", jwks.requests() - before);
}

#[tokio::test]
async fn unavailable_jwks_is_503() {
    let issuer =
        TokenIssuer::with_key("https://mdm.example.com", "okta-device-trust", KeyKind::Es256);
    let mut jwks = JwksServer::start(&issuer).expect("JWKS server");
    jwks.set_refusing();
    let world = World::build().setting("ODT_JWT_JWKS_URL", jwks.url()).start().await;
    let ask = || async {
        world.ask(Method::GET, INTEGRATIONS).token(&issuer.sign(&claims())).send().await
    };
    let answer = ask().await;
    assert!(!answer.header("retry-after").is_empty());
    answer.expect_problem(503, "signing_keys_unavailable");
    assert_eq!(world.ask(Method::GET, "/health/ready").send().await.status, 503);
    jwks.set_healthy().expect("JWKS server");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    ask().await.expect(200);
    // With cached keys the issuer may be unavailable.
    jwks.set_unavailable();
    ask().await.expect(200);
}

#[tokio::test]
async fn shared_secret_works_instead_of_a_jwks() {
    let secret = "a shared secret of more than thirty-two bytes";
    let world = World::build().setting("ODT_JWT_SHARED_SECRET", secret).start().await;
    let good = ISSUER_KEYS.0.sign_with_secret(&claims(), secret);
    world.ask(Method::GET, INTEGRATIONS).token(&good).send().await.expect(200);
    let other =
        ISSUER_KEYS.0.sign_with_secret(&claims(), "another secret of more than thirty-two bytes");
    world
        .ask(Method::GET, INTEGRATIONS)
        .token(&other)
        .send()
        .await
        .expect_problem(401, "unauthorized");
    let rsa = ISSUER_KEYS.0.sign(&claims());
    world
        .ask(Method::GET, INTEGRATIONS)
        .token(&rsa)
        .send()
        .await
        .expect_problem(401, "unauthorized");
}

#[tokio::test]
async fn tenant_claim_is_configurable() {
    let world = World::build().setting("ODT_JWT_TENANT_CLAIM", "org").start().await;
    let token = ISSUER_KEYS.0.sign(&claims().claim("org", "t9"));
    world.ask(Method::GET, INTEGRATIONS).token(&token).send().await.expect(200);
    for bad in [json!(null), json!(7), json!(""), json!("with blank"), json!("x".repeat(129))] {
        let token = ISSUER_KEYS.0.sign(&claims().claim("org", bad));
        let problem = world
            .ask(Method::GET, INTEGRATIONS)
            .token(&token)
            .send()
            .await
            .expect_problem(401, "unauthorized");
        assert!(problem["detail"].as_str().expect("detail").contains("org"), "{problem}");
    }
}

#[tokio::test]
async fn rotated_key_is_accepted_and_the_removed_one_rejected() {
    let issuer =
        TokenIssuer::with_key("https://mdm.example.com", "okta-device-trust", KeyKind::Es256);
    let jwks = JwksServer::start(&issuer).expect("JWKS server");
    let world = World::build().setting("ODT_JWT_JWKS_URL", jwks.url()).start().await;
    let ask = async |token: &str| world.ask(Method::GET, INTEGRATIONS).token(token).send().await;
    let old = issuer.sign(&claims());
    ask(&old).await.expect(200);
    issuer.rotate(false);
    // An unknown key is requested once in ten seconds.
    tokio::time::sleep(Duration::from_millis(10_500)).await;
    ask(&issuer.sign(&claims())).await.expect(200);
    ask(&old).await.expect_problem(401, "unauthorized");
}

#[tokio::test]
async fn header_with_crit_or_another_typ_is_rejected() {
    let world = World::start().await;
    let ask = async |token: String| world.ask(Method::GET, INTEGRATIONS).token(&token).send().await;
    let with_type = |typ: Option<&str>| {
        ISSUER_KEYS.0.sign_with_header(&claims(), |header| header.typ = typ.map(str::to_owned))
    };
    for typ in [None, Some("JWT"), Some("at+jwt"), Some("application/at+jwt")] {
        assert_eq!(ask(with_type(typ)).await.status, 200, "{typ:?}");
    }
    for typ in ["logout+jwt", "secevent+jwt", "dpop+jwt"] {
        let problem = ask(with_type(Some(typ))).await.expect_problem(401, "unauthorized");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("`typ`")));
    }
    let critical = ISSUER_KEYS.0.sign_with_header(&claims(), |header| {
        header.crit = Some(vec!["b64".to_owned()]);
        header.extras.insert("b64", true);
    });
    let problem = ask(critical).await.expect_problem(401, "unauthorized");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("`crit`")));
}

#[tokio::test]
async fn tokens_with_a_too_long_lifetime_are_rejected() {
    let world = World::build().setting("ODT_JWT_MAX_LIFETIME_SECONDS", "3600").start().await;
    let now = chrono::Utc::now().timestamp();
    for (claims, status) in [
        (claims(), 200),
        (claims().expires_in(3_700), 401),
        // Without iat, the remaining lifetime counts.
        (claims().claim("iat", now - 7_200), 401),
        (claims().claim("iat", Value::Null), 200),
        (claims().claim("iat", Value::Null).expires_in(3_700), 401),
        // An iat in the future does not shorten the lifetime.
        (claims().claim("iat", now + 86_400).expires_in(90_000), 401),
    ] {
        let answer =
            world.ask(Method::GET, INTEGRATIONS).token(&ISSUER_KEYS.0.sign(&claims)).send().await;
        assert_eq!(answer.status, status, "{claims:?} {}", answer.text);
    }
}

#[tokio::test]
async fn scopes_are_also_read_from_the_configured_claim() {
    let world = World::build().setting("ODT_JWT_SCOPE_CLAIM", "roles").start().await;
    let other = World::start().await;
    let bare = || Claims::new("daemon").tenant("t");
    for roles in [json!(["odt:read", "User.Read"]), json!("odt:read other")] {
        let token = ISSUER_KEYS.0.sign(&bare().claim("roles", roles));
        world.ask(Method::GET, INTEGRATIONS).token(&token).send().await.expect(200);
        let unset = other.ask(Method::GET, INTEGRATIONS).token(&token).send().await;
        unset.expect_problem(403, "scope_missing");
    }
    for odd in [json!(7), json!({ "odt:read": true }), json!([["odt:read"]])] {
        let token = ISSUER_KEYS.0.sign(&bare().claim("roles", odd));
        let answer = world.ask(Method::GET, INTEGRATIONS).token(&token).send().await;
        answer.expect_problem(403, "scope_missing");
    }
    // Those in `scope` still count.
    let token = ISSUER_KEYS.0.sign(&claims().claim("roles", json!(["other"])));
    world.ask(Method::GET, INTEGRATIONS).token(&token).send().await.expect(200);
}

#[tokio::test]
async fn two_authorization_headers_are_rejected() {
    let world = World::start().await;
    let good = format!("Bearer {}", ISSUER_KEYS.0.sign(&claims()));
    for (first, second) in [(good.as_str(), "Bearer x"), ("Basic YTpi", &good), (&good, &good)] {
        let ask = world.ask(Method::GET, INTEGRATIONS).header("authorization", first);
        let answer = ask.header("authorization", second).send().await;
        answer.expect_problem(400, "malformed_request");
    }
}

/// A world whose issuer publishes `keys`.
async fn world_of_keys(issuer: &TokenIssuer, keys: Vec<Value>) -> (World, JwksServer) {
    let jwks = JwksServer::start(issuer).expect("JWKS server");
    jwks.set_body(json!({ "keys": keys }).to_string());
    (World::build().setting("ODT_JWT_JWKS_URL", jwks.url()).start().await, jwks)
}

fn with(key: &Value, field: &str, value: Value) -> Value {
    let mut key = key.clone();
    key[field] = value;
    key
}

fn without_kid(key: &Value) -> Value {
    let mut key = key.clone();
    key.as_object_mut().expect("a key").remove("kid");
    key
}

#[tokio::test]
async fn one_kid_can_have_keys_of_several_algorithms() {
    let issuer = TokenIssuer::new("https://mdm.example.com", "okta-device-trust");
    let key = issuer.jwks()["keys"][0].clone();
    let keys = ["RS256", "RS512", "PS256"].map(|alg| with(&key, "alg", json!(alg)));
    let (world, _jwks) = world_of_keys(&issuer, keys.to_vec()).await;
    for (algorithm, status) in [
        (Algorithm::RS256, 200),
        (Algorithm::RS512, 200),
        (Algorithm::PS256, 200),
        (Algorithm::RS384, 401),
    ] {
        let token = issuer.sign_with_header(&claims(), |header| header.alg = algorithm);
        let answer = world.ask(Method::GET, INTEGRATIONS).token(&token).send().await;
        assert_eq!(answer.status, status, "{algorithm:?} {}", answer.text);
    }
}

#[tokio::test]
async fn single_key_without_kid_verifies_tokens_without_kid() {
    let issuer =
        TokenIssuer::with_key("https://mdm.example.com", "okta-device-trust", KeyKind::Es256);
    let named = issuer.jwks()["keys"][0].clone();
    let key = without_kid(&named);
    let (world, _jwks) = world_of_keys(&issuer, vec![key.clone()]).await;
    let bare = issuer.sign_flawed(&claims(), Flaw::NoKid);
    world.ask(Method::GET, INTEGRATIONS).token(&bare).send().await.expect(200);
    let unknown = world.ask(Method::GET, INTEGRATIONS).token(&issuer.sign(&claims())).send().await;
    unknown.expect_problem(401, "unauthorized");

    // With two keys it is ambiguous.
    let stranger =
        TokenIssuer::with_key("https://mdm.example.com", "okta-device-trust", KeyKind::Es256);
    let other = without_kid(&stranger.jwks()["keys"][0]);
    let (world, _jwks) = world_of_keys(&issuer, vec![key, other, named]).await;
    let answer = world.ask(Method::GET, INTEGRATIONS).token(&bare).send().await;
    let problem = answer.expect_problem(401, "unauthorized");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("kid")), "{problem}");
}
