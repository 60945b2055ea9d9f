//! Tests of the two requests against a local server.

use super::*;
use crate::egress::tests::server::Server;
use crate::okta::tests::{answer, client, ok};

const PAGE: &str = "<P> The enrollment challenge password is: <B> T0K3N </B>";

fn source() -> ScepChallengeSource {
    ScepChallengeSource {
        challenge_url: Url::parse("https://acme.okta.com/challenge?x=a%20b").unwrap(),
        username: "ada".to_owned(),
        password: SecretString::from("canary:pässword"),
    }
}

async fn challenge(server: &Server) -> Result<ScepChallenge, OktaError> {
    let client = client(&[("acme.okta.com", server)]);
    client.fetch_scep_challenge(&["acme.okta.com"], &source()).await
}

async fn ca(server: &Server, url: &str) -> Result<CaCertificate, OktaError> {
    let client = client(&[("acme.okta.com", server)]);
    client.fetch_ca_certificate(&["acme.okta.com"], &Url::parse(url).unwrap()).await
}

#[tokio::test]
async fn a_challenge_takes_one_request_with_credentials() {
    use secrecy::ExposeSecret as _;
    let server = Server::tls(&["acme.okta.com"], ok(PAGE));
    let before = Utc::now();
    let challenge = challenge(&server).await.unwrap();
    assert_eq!(challenge.value.expose_secret(), "T0K3N");
    assert!((before..=Utc::now()).contains(&challenge.issued_at));
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].starts_with("GET /challenge?x=a%20b HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[0].contains("authorization: Basic YWRhOmNhbmFyeTpww6Rzc3dvcmQ=\r\n"));
    let printed = format!("{challenge:?} {:?}", source());
    assert!(!printed.contains("T0K3N") && !printed.contains("canary"), "{printed}");
}

#[tokio::test]
async fn each_refusal_of_a_challenge_has_its_error_and_is_not_retried() {
    for (status, code) in [
        ("401 Unauthorized", "scep_credentials_refused"),
        ("403 Forbidden", "network_zone_blocked"),
        ("404 Not Found", "scep_wrong_url"),
        ("302 Found", "scep_wrong_url"),
        ("204 No Content", "scep_wrong_url"),
        ("429 Too Many Requests", "okta_rate_limited"),
        ("503 Service Unavailable", "okta_unreachable"),
        ("200 OK", "scep_challenge_missing"),
    ] {
        let server = Server::tls(&["acme.okta.com"], answer(status, "", ""));
        let error = challenge(&server).await.unwrap_err();
        assert_eq!(error.code(), code, "{status}");
        assert_eq!(error.is_transient(), code.starts_with("okta_"), "{status}");
        assert_eq!(server.requests().len(), 1, "{status}");
    }
    let challenged = answer("403 Forbidden", "www-authenticate: Basic realm=\"x\"\r\n", "");
    let refused = Server::tls(&["acme.okta.com"], challenged);
    assert_eq!(challenge(&refused).await.unwrap_err().code(), "scep_credentials_refused");
    let full = Server::tls(&["acme.okta.com"], ok("The password cache is full."));
    assert!(challenge(&full).await.unwrap_err().is_transient());
    let huge = Server::tls(&["acme.okta.com"], ok(&"x".repeat(BODY_LIMIT + 1)));
    assert_eq!(challenge(&huge).await.unwrap_err().code(), "scep_challenge_missing");
}

#[tokio::test]
async fn the_query_of_the_scep_url_is_preserved() {
    let server = Server::tls(&["acme.okta.com"], ok("<html>"));
    for url in ["/scep?a=%20b&c", "/scep?", "/scep#d"] {
        let error = ca(&server, &format!("https://acme.okta.com{url}")).await.unwrap_err();
        assert_eq!(error.code(), "scep_ca_unreadable");
    }
    let requests = server.requests();
    let asked: Vec<&str> = requests.iter().filter_map(|head| head.split(' ').nth(1)).collect();
    assert_eq!(
        asked,
        [
            "/scep?a=%20b&c&operation=GetCACert",
            "/scep?operation=GetCACert",
            "/scep?operation=GetCACert"
        ]
    );
    assert!(!requests.concat().contains("authorization"));
}

#[tokio::test]
async fn a_wrong_scep_url_and_an_unavailable_ca_are_distinct_errors() {
    for (answered, code) in [
        (answer("404 Not Found", "", ""), "scep_wrong_url"),
        (answer("401 Unauthorized", "", ""), "scep_wrong_url"),
        (answer("403 Forbidden", "", ""), "network_zone_blocked"),
        (answer("500 Internal Server Error", "", ""), "okta_unreachable"),
        (ok(""), "scep_ca_unreadable"),
        (ok(&"x".repeat(BODY_LIMIT + 1)), "scep_ca_unreadable"),
    ] {
        let server = Server::tls(&["acme.okta.com"], answered);
        let error = ca(&server, "https://acme.okta.com/scep").await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}

#[tokio::test]
async fn no_request_goes_to_a_host_that_is_not_allowed() {
    let server = Server::tls(&["acme.okta.com"], ok(PAGE));
    let client = client(&[("acme.okta.com", &server)]);
    let refused = client.fetch_scep_challenge(&["beta.okta.com"], &source()).await.unwrap_err();
    assert!(matches!(refused, OktaError::Unreachable { .. }) && !refused.is_transient());
    for url in [
        "https://evil.example/scep",
        "http://acme.okta.com/scep",
        "https://127.0.0.1/scep",
        "data:x",
    ] {
        let error = ca(&server, url).await.unwrap_err();
        assert!(matches!(error, OktaError::Unreachable { .. }), "{url}");
    }
    assert!(server.requests().is_empty());
}
