//! Tests of the client against local servers.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::*;
use crate::egress::tests::server::Server;
use crate::egress::{Egress, EgressSettings};
use crate::model::integrations::okta_domain::{OktaDomain, OktaSuffixes};
use crate::model::{ClientSecret, IntegrationId, TenantId};

const TOKEN: &str = r#"{"token_type":"Bearer","expires_in":3600,"access_token":"t","scope":"okta.devices.read okta.authenticators.read"}"#;

pub(super) fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

pub(super) fn ok(body: &str) -> String {
    answer("200 OK", "", body)
}

fn org(id: &str, canonical: &str, alternate: Option<&str>) -> String {
    let alternate = alternate
        .map(|host| format!(r#","alternate":{{"href":"https://{host}"}}"#))
        .unwrap_or_default();
    ok(&format!(
        r#"{{"id":"{id}","pipeline":"idx","_links":{{"organization":{{"href":"https://{canonical}"}}{alternate}}}}}"#
    ))
}

/// Creates a client with host overrides for these servers.
pub(super) fn client(servers: &[(&str, &Server)]) -> OktaClient {
    client_with(servers, OktaSettings::default())
}

fn client_with(servers: &[(&str, &Server)], okta: OktaSettings) -> OktaClient {
    let settings = EgressSettings {
        extra_root_ca_pem: Some(
            servers.iter().flat_map(|(_, server)| server.root_pem.clone()).collect(),
        ),
        host_overrides: servers
            .iter()
            .map(|(host, server)| ((*host).to_owned(), server.address))
            .collect::<BTreeMap<_, _>>(),
        ..EgressSettings::default()
    };
    OktaClient::new(Egress::new(settings).unwrap(), okta)
}

async fn discover(pasted: &str, servers: &[(&str, &Server)]) -> Result<DiscoveredOrg, OktaError> {
    let domain = OktaDomain::parse(pasted, &OktaSuffixes::default()).unwrap();
    client(servers).discover(&domain).await
}

fn acme() -> OrgAddress {
    OrgAddress::parse("acme.okta.com", &OktaSuffixes::default()).unwrap()
}

fn credentials() -> ClientCredentials {
    let secret = ClientSecret::Shared(SecretString::from("secret"));
    ClientCredentials { client_id: "0oa1".to_owned(), secret }
}

fn key() -> TokenKey {
    let tenant = TenantId::parse("a").unwrap();
    TokenKey { tenant, integration: IntegrationId::new(), credentials_version: 1 }
}

#[tokio::test]
async fn a_canonical_host_is_discovered_with_one_request() {
    let acme =
        Server::tls(&["acme.okta.com"], org("00o1", "acme.okta.com", Some("login.acme.example")));
    let found =
        discover("https://acme-admin.okta.com/admin", &[("acme.okta.com", &acme)]).await.unwrap();
    assert_eq!((found.org_id.as_str(), found.canonical_host.as_str()), ("00o1", "acme.okta.com"));
    assert_eq!(found.custom_hosts, ["login.acme.example"]);
    assert_eq!(found.dropped_custom_host, None);
    assert_eq!(acme.requests().len(), 1);
    assert!(acme.requests()[0].starts_with("GET /.well-known/okta-organization HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_custom_domain_needs_the_confirmation_of_its_canonical_host() {
    let pasted = Server::tls(&["login.acme.example"], org("00o1", "acme.okta.com", None));
    for (response, confirmed) in [
        (org("00o1", "acme.okta.com", Some("login.acme.example")), true),
        (org("00o1", "acme.okta.com", Some("login.beta.example")), false),
        (org("00o1", "acme.okta.com", None), false),
        (org("00o2", "acme.okta.com", Some("login.acme.example")), false),
    ] {
        let acme = Server::tls(&["acme.okta.com"], response.clone());
        let servers = [("login.acme.example", &pasted), ("acme.okta.com", &acme)];
        let found = discover("login.acme.example", &servers).await.unwrap();
        assert_eq!(found.canonical_host, "acme.okta.com");
        let dropped = (!confirmed).then_some("login.acme.example");
        assert_eq!(found.dropped_custom_host.as_deref(), dropped, "{response}");
    }
}

#[tokio::test]
async fn a_custom_domain_without_a_host_of_okta_is_org_not_found() {
    for canonical in [
        "login.acme.example",
        "acme.okta.com.evil.example",
        "okta.com",
        "a.b.okta.com",
        "evilokta.com",
    ] {
        let pasted = Server::tls(
            &["login.acme.example"],
            org("00o1", canonical, Some("login.acme.example")),
        );
        let error =
            discover("login.acme.example", &[("login.acme.example", &pasted)]).await.unwrap_err();
        assert!(
            matches!(&error, OktaError::OrgNotFound { host } if host == "login.acme.example"),
            "{canonical} {error:?}"
        );
    }
}

#[tokio::test]
async fn a_renamed_org_has_its_current_name() {
    let old = Server::tls(&["old.okta.com"], org("00o1", "acme.okta.com", None));
    let new = Server::tls(&["acme.okta.com"], org("00o1", "acme.okta.com", None));
    let found =
        discover("old.okta.com", &[("old.okta.com", &old), ("acme.okta.com", &new)]).await.unwrap();
    assert_eq!((found.canonical_host.as_str(), found.dropped_custom_host), ("acme.okta.com", None));
    let other = Server::tls(&["acme.okta.com"], org("00o2", "acme.okta.com", None));
    let error =
        discover("old.okta.com", &[("old.okta.com", &old), ("acme.okta.com", &other)]).await;
    assert!(matches!(error, Err(OktaError::BadAnswer { .. })));
}

#[tokio::test]
async fn silently_dropped_scopes_are_reported() {
    let server = Server::tls(&["acme.okta.com"], ok(TOKEN));
    let grant = client(&[("acme.okta.com", &server)])
        .prove_credentials(&acme(), &credentials())
        .await
        .unwrap();
    assert_eq!(grant.missing, ["okta.devices.manage"]);
    assert!(matches!(grant.require_all(), Err(OktaError::MissingScopes(_))));
    let head = server.requests().concat();
    assert!(head.starts_with("POST /oauth2/v1/token HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Basic MG9hMTpzZWNyZXQ=\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-www-form-urlencoded\r\n"), "{head}");
}

#[tokio::test]
async fn a_rejected_token_is_replaced_once() {
    let dead = answer(
        "401 Unauthorized",
        "",
        r#"{"errorCode":"E0000011","errorSummary":"Invalid token"}"#,
    );
    let list = r#"[{"key":"okta_verify","id":"aut1","status":"ACTIVE"}]"#;
    let server = Server::tls_sequence(
        &["acme.okta.com"],
        [ok(TOKEN), dead.clone(), ok(TOKEN), ok(list), dead],
    );
    let (client, key, org) = (client(&[("acme.okta.com", &server)]), key(), acme());
    let credentials = credentials();
    let find = |token: AccessToken| {
        let (client, org) = (client.clone(), org.clone());
        async move { client.find_okta_verify(&org, &token).await }
    };
    let found = client.with_token(&key, &org, &credentials, find).await.unwrap();
    assert_eq!(found.whole.map(|verify| verify.id).as_deref(), Some("aut1"));
    assert_eq!(server.requests().len(), 4);
    assert!(server.requests()[3].contains("authorization: Bearer t\r\n"));
}

#[tokio::test]
async fn after_a_429_no_request_is_sent() {
    let limited = answer("429 Too Many Requests", "x-rate-limit-limit: 0\r\n", "{}");
    let server = Server::tls(&["acme.okta.com"], limited);
    let client = client(&[("acme.okta.com", &server)]);
    for _ in 0..3 {
        let error = client.prove_credentials(&acme(), &credentials()).await.unwrap_err();
        assert!(
            matches!(error, OktaError::RateLimited { retry_after } if retry_after.as_secs() <= 3)
        );
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn reads_are_retried_once_except_during_a_connect() {
    let unavailable = answer("503 Service Unavailable", "", "");
    let server = Server::tls(&["acme.okta.com"], unavailable);
    let client = client(&[("acme.okta.com", &server)]);
    assert!(client.find_org("acme.okta.com").await.unwrap_err().is_transient());
    assert_eq!(server.requests().len(), 2);
    assert!(client.without_retries().find_org("acme.okta.com").await.is_err());
    assert!(client.prove_credentials(&acme(), &credentials()).await.is_err());
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn rate_limited_token_requests_do_not_block_reads() {
    let limited = answer("429 Too Many Requests", "x-rate-limit-limit: 0\r\n", "{}");
    let list = r#"[{"key":"okta_verify","id":"aut1","status":"ACTIVE"}]"#;
    let server = Server::tls_sequence(&["acme.okta.com"], [ok(TOKEN), limited, ok(list)]);
    let client = client(&[("acme.okta.com", &server)]);
    let token = client.prove_credentials(&acme(), &credentials()).await.unwrap().token;
    assert!(client.prove_credentials(&acme(), &credentials()).await.is_err());
    assert!(client.prove_credentials(&acme(), &credentials()).await.is_err(), "backed off");
    assert!(client.find_okta_verify(&acme(), &token).await.is_ok());
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn failures_of_a_custom_host_are_org_not_found_and_those_of_okta_are_not() {
    let limited = answer("429 Too Many Requests", "x-rate-limit-limit: 100\r\n", "{}");
    for response in
        [limited.clone(), answer("500 Oh", "", ""), answer("503 Oh", "", ""), "HTT".to_owned()]
    {
        let pasted = Server::tls(&["login.acme.example"], response.clone());
        for _ in 0..2 {
            let error = discover("login.acme.example", &[("login.acme.example", &pasted)]).await;
            assert!(matches!(error, Err(OktaError::OrgNotFound { .. })), "{response} {error:?}");
        }
        let okta = Server::tls(&["acme.okta.com"], response.clone());
        let error = discover("acme.okta.com", &[("acme.okta.com", &okta)]).await;
        assert!(
            matches!(error, Err(OktaError::Unreachable { .. } | OktaError::RateLimited { .. })),
            "{response} {error:?}"
        );
    }
    // Another host's certificate.
    let other = Server::tls(&["other.example"], ok("{}"));
    let error = discover("login.acme.example", &[("login.acme.example", &other)]).await;
    assert!(matches!(error, Err(OktaError::OrgNotFound { .. })), "{error:?}");
    let error = discover("acme.okta.com", &[("acme.okta.com", &other)]).await;
    assert!(matches!(error, Err(OktaError::Unreachable { .. })), "{error:?}");
}

#[tokio::test]
async fn hosts_other_than_oktas_are_not_backed_off() {
    let limited = answer("429 Too Many Requests", "x-rate-limit-limit: 100\r\n", "{}");
    let found = org("00o1", "acme.okta.com", None);
    let pasted = Server::tls_sequence(&["login.acme.example"], [limited, found]);
    let client = client(&[("login.acme.example", &pasted)]);
    assert!(client.find_org("login.acme.example").await.is_err());
    assert!(client.find_org("login.acme.example").await.is_ok());
}

#[tokio::test]
async fn a_connect_reads_only_one_page_of_authenticators() {
    let next = "link: <https://acme.okta.com/api/v1/authenticators?after=1>; rel=\"next\"\r\n";
    let first = answer("200 OK", next, r#"[{"key":"duo","id":"aut0","status":"ACTIVE"}]"#);
    let last = ok(r#"[{"key":"okta_verify","id":"aut1","status":"AC\u0000TIVE"}]"#);
    let server = Server::tls_sequence(&["acme.okta.com"], [ok(TOKEN), first.clone(), first, last]);
    let client = client(&[("acme.okta.com", &server)]);
    let token = client.prove_credentials(&acme(), &credentials()).await.unwrap().token;
    let error = client.without_retries().find_okta_verify(&acme(), &token).await;
    assert!(matches!(error, Err(OktaError::BadAnswer { .. })), "{error:?}");
    assert_eq!(server.requests().len(), 2);
    let found = client.find_okta_verify(&acme(), &token).await.unwrap().whole.unwrap();
    assert_eq!(found.status, "ACTIVE");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn the_methods_of_okta_verify_are_asked_for_only_where_they_decide() {
    let verify = r#"{"key":"okta_verify","id":"aut1","status":"ACTIVE"}"#;
    let own = |status: &str| {
        ok(&format!(
            r#"[{verify},{{"key":"okta_verify_fastpass","id":"aut2","status":"{status}"}}]"#
        ))
    };
    let methods = ok(r#"[{"type":"signed_nonce","status":"ACTIVE"}]"#);
    let server = Server::tls_sequence(
        &["acme.okta.com"],
        [ok(TOKEN), own("ACTIVE"), own("INACTIVE"), methods],
    );
    let client = client(&[("acme.okta.com", &server)]);
    let token = client.prove_credentials(&acme(), &credentials()).await.unwrap().token;
    assert!(client.find_fastpass(&acme(), &token).await.unwrap().is_on());
    assert_eq!(server.requests().len(), 2);
    assert!(client.find_fastpass(&acme(), &token).await.unwrap().is_on());
    assert_eq!(server.requests().len(), 4);
}

/// Returns a token response with fewer scopes, a list that needs the missing one, and the 403 without it.
fn token_with_fewer_scopes() -> [String; 3] {
    let challenge = "www-authenticate: Bearer error=\"insufficient_scope\"\r\n";
    [
        ok(&TOKEN.replace("okta.authenticators.read", "")),
        ok(r#"[{"key":"okta_verify","id":"aut1","status":"ACTIVE"}]"#),
        answer("403 Forbidden", challenge, ""),
    ]
}

#[tokio::test]
async fn a_cached_token_that_lacks_a_scope_is_replaced_unless_it_is_new() {
    let [fewer, list, refused] = token_with_fewer_scopes();
    for (age, requests) in [(0, 4), (3600, 2)] {
        let response = [fewer.clone(), refused.clone(), ok(TOKEN), list.clone()];
        let server = Server::tls_sequence(&["acme.okta.com"], response);
        let min_token_age_for_new_scopes = std::time::Duration::from_secs(age);
        let settings = OktaSettings { min_token_age_for_new_scopes, ..OktaSettings::default() };
        let client = client_with(&[("acme.okta.com", &server)], settings);
        let find = |token: AccessToken| {
            let (client, org) = (client.clone(), acme());
            async move { client.find_okta_verify(&org, &token).await }
        };
        let found = client.with_token(&key(), &acme(), &credentials(), find).await;
        assert_eq!(found.is_ok(), age == 0, "{found:?}");
        assert_eq!(server.requests().len(), requests);
    }
}

#[tokio::test]
async fn a_check_with_more_scopes_evicts_the_cached_token() {
    let [fewer, ..] = token_with_fewer_scopes();
    let server =
        Server::tls_sequence(&["acme.okta.com"], [fewer.clone(), fewer, ok(TOKEN), ok(TOKEN)]);
    let (client, key) = (client(&[("acme.okta.com", &server)]), key());
    let cached = async || client.access_token(&key, &acme(), &credentials()).await.unwrap();
    assert_eq!(cached().await.granted().len(), 1);
    for (requests, scopes) in [(2, 1), (4, 2)] {
        let grant = client.prove_credentials(&acme(), &credentials()).await.unwrap();
        client.evict_token_with_fewer_scopes(&key, &grant).await;
        assert_eq!(cached().await.granted().len(), scopes);
        assert_eq!(server.requests().len(), requests);
    }
}

fn org_with_domains(id: &str, canonical: &str, alternates: &[&str]) -> String {
    let links: Vec<String> =
        alternates.iter().map(|host| format!(r#"{{"href":"https://{host}"}}"#)).collect();
    let links = links.join(",");
    ok(&format!(
        r#"{{"id":"{id}","pipeline":"idx","_links":{{"organization":{{"href":"https://{canonical}"}},"alternate":[{links}]}}}}"#
    ))
}

#[tokio::test]
async fn each_custom_domain_that_the_org_names_counts_and_the_pasted_one_is_the_first() {
    let domains = ["a.example", "b.example", "a.example", "old.okta.com", "c.example"];
    let says = org_with_domains("00o1", "acme.okta.com", &domains);
    let pasted = Server::tls(&["c.example"], org("00o1", "acme.okta.com", None));
    let acme = Server::tls(&["acme.okta.com"], says);
    let servers = [("c.example", &pasted), ("acme.okta.com", &acme)];
    let found = discover("c.example", &servers).await.unwrap();
    assert_eq!(found.custom_hosts, ["c.example", "a.example", "b.example"]);
    assert_eq!(found.dropped_custom_host, None);
    let found = discover("acme.okta.com", &servers).await.unwrap();
    assert_eq!(found.custom_hosts, ["a.example", "b.example", "c.example"]);
}

#[tokio::test]
async fn a_rename_is_followed_only_to_a_host_of_oktas_that_is_the_same_org() {
    for (named, says, followed) in [
        ("new.okta.com", org("00o1", "new.okta.com", Some("login.acme.example")), true),
        ("new.okta.com", org("00o2", "new.okta.com", None), false),
        ("new.okta.com", org("00o1", "other.okta.com", None), false),
        ("new.okta.com", answer("404 Not Found", "", ""), false),
        ("new.okta.com", answer("503 Oh", "", ""), false),
        ("new.example", org("00o1", "new.example", None), false),
        ("acme.okta.com", org("00o1", "acme.okta.com", None), false),
    ] {
        let old = Server::tls(&["acme.okta.com"], org("00o1", named, None));
        let new = Server::tls(&[named], says.clone());
        let mut servers = vec![("acme.okta.com", &old)];
        if named != "acme.okta.com" {
            servers.push((named, &new));
        }
        let client = client(&servers).without_retries();
        let found = client.find_org_again("acme.okta.com", "00o1").await.unwrap();
        let host = if followed { "new.okta.com" } else { "acme.okta.com" };
        assert_eq!(found.canonical_host, host, "{named} {says}");
        assert_eq!(found.custom_hosts.len(), usize::from(followed));
        let asked = usize::from(named == "new.okta.com");
        assert_eq!(new.requests().len(), asked, "{named} {says}");
    }
    let stranger = Server::tls(&["acme.okta.com"], org("00o2", "new.okta.com", None));
    let client = client(&[("acme.okta.com", &stranger)]);
    let found = client.find_org_again("acme.okta.com", "00o1").await.unwrap();
    assert_eq!((found.org_id.as_str(), found.canonical_host.as_str()), ("00o2", "acme.okta.com"));
}
