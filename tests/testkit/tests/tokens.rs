//! The token issuer: its tokens can be verified with its JWKS, flawed ones cannot.

use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};
use testkit::tokens::{Claims, Flaw, JwksServer, KeyKind, ScopeForm, TokenIssuer};

/// A minimal strict verifier.
fn verify(token: &str, jwks: &Value, issuer: &TokenIssuer) -> Result<Value, String> {
    let set: JwkSet = serde_json::from_value(jwks.clone()).map_err(|error| error.to_string())?;
    let header = decode_header(token).map_err(|error| error.to_string())?;
    let jwk = set.find(&header.kid.ok_or("no kid")?).ok_or("unknown kid")?;
    let algorithm: Algorithm =
        jwk.common.key_algorithm.ok_or("no alg")?.to_string().parse().map_err(|_| "alg")?;
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[issuer.audience()]);
    validation.set_issuer(&[issuer.issuer()]);
    validation.set_required_spec_claims(&["exp", "aud", "iss"]);
    validation.validate_nbf = true;
    let key = DecodingKey::from_jwk(jwk).map_err(|error| error.to_string())?;
    let claims =
        decode::<Value>(token, &key, &validation).map_err(|error| error.to_string())?.claims;
    claims["tenant_id"].as_str().ok_or("no tenant")?;
    Ok(claims)
}

fn claims() -> Claims {
    Claims::new("admin").tenant("t1").scopes(&["odt:read", "odt:write"])
}

#[test]
fn token_verifies_with_the_jwks_and_every_flaw_is_rejected() {
    for kind in [KeyKind::Rs256, KeyKind::Es256] {
        let issuer = TokenIssuer::with_key("https://issuer.example", "odt", kind);
        let good = verify(&issuer.sign(&claims()), &issuer.jwks(), &issuer).unwrap();
        assert_eq!(good["scope"], "odt:read odt:write");
        assert_eq!(good["tenant_id"], "t1");
        for flaw in Flaw::ALL {
            let outcome = verify(&issuer.sign_flawed(&claims(), flaw), &issuer.jwks(), &issuer);
            assert!(outcome.is_err(), "{flaw:?} with {kind:?} was accepted");
        }
    }
}

#[test]
fn scopes_and_claims_have_the_requested_format() {
    let issuer = TokenIssuer::with_key("https://issuer.example", "odt", KeyKind::Es256);
    let token = issuer.sign(&claims().scope_form(ScopeForm::ScpArray).claim("azp", "console"));
    let seen = verify(&token, &issuer.jwks(), &issuer).unwrap();
    assert_eq!(seen["scp"], json!(["odt:read", "odt:write"]));
    assert_eq!(seen["azp"], "console");
    assert!(seen.get("scope").is_none());
}

#[test]
fn rotation_keeps_or_removes_the_old_key() {
    let issuer = TokenIssuer::with_key("https://issuer.example", "odt", KeyKind::Es256);
    let old = issuer.sign(&claims());
    issuer.rotate(true);
    assert!(verify(&old, &issuer.jwks(), &issuer).is_ok());
    issuer.rotate(false);
    assert!(verify(&old, &issuer.jwks(), &issuer).is_err());
    assert!(verify(&issuer.sign(&claims()), &issuer.jwks(), &issuer).is_ok());
}

#[test]
fn stored_key_gives_the_same_jwks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/issuer.pem");
    for kind in [KeyKind::Es256, KeyKind::Rs256] {
        let _ = std::fs::remove_file(&path);
        let first =
            TokenIssuer::load_or_create(&path, "https://issuer.example", "odt", kind).unwrap();
        let second =
            TokenIssuer::load_or_create(&path, "https://issuer.example", "odt", kind).unwrap();
        assert_eq!(first.jwks(), second.jwks());
        assert!(verify(&first.sign(&claims()), &second.jwks(), &second).is_ok());
    }
}

#[test]
fn shared_secret_signs_with_hs256() {
    let issuer = TokenIssuer::with_key("https://issuer.example", "odt", KeyKind::Es256);
    let token = issuer.sign_with_secret(&claims(), "a secret of at least thirty-two characters");
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_audience(&["odt"]);
    let key = DecodingKey::from_secret(b"a secret of at least thirty-two characters");
    assert!(decode::<Value>(&token, &key, &validation).is_ok());
}

#[tokio::test]
async fn jwks_server_counts_requests_and_fails_on_demand() {
    let issuer = TokenIssuer::with_key("https://issuer.example", "odt", KeyKind::Es256);
    let mut server = JwksServer::start(&issuer).unwrap();
    let url = server.url();
    let get = || async { reqwest::get(&url).await };
    assert_eq!(get().await.unwrap().json::<Value>().await.unwrap(), issuer.jwks());
    issuer.rotate(true);
    assert_eq!(
        get().await.unwrap().json::<Value>().await.unwrap()["keys"].as_array().unwrap().len(),
        2
    );
    assert_eq!(server.requests(), 2);

    server.set_unavailable();
    assert_eq!(get().await.unwrap().status(), 503);
    server.set_healthy().unwrap();
    server.set_garbage();
    assert!(get().await.unwrap().json::<Value>().await.is_err());
    server.set_slow(Duration::from_millis(300));
    let started = std::time::Instant::now();
    get().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300));
    server.set_refusing();
    assert!(get().await.unwrap_err().is_connect());
    server.set_healthy().unwrap();
    assert!(get().await.unwrap().status().is_success());
}
