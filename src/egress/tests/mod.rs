//! Tests of the egress client against real sockets.

pub(crate) mod server;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use url::Url;

use super::resolver::{Lookup, bounded_lookup, resolve_public};
use super::*;
use server::{Server, silent};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
const ACME: Policy<'static> = Policy::Tenant { allowed_hosts: &["acme.okta.com"] };

/// A lookup that returns these addresses for every name.
fn lookup(addresses: &'static [&'static str]) -> Lookup {
    Arc::new(move |_| {
        let addresses: Vec<IpAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        Box::pin(async move { Ok(addresses) })
    })
}

fn failing_lookup(text: &'static str) -> Lookup {
    Arc::new(move |_| Box::pin(async move { Err(io::Error::other(text)) }))
}

fn client(settings: EgressSettings, lookup: Lookup) -> Egress {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Egress::with_lookups(settings, Arc::clone(&lookup), lookup).unwrap()
}

fn overriding(host: &str, server: &Server) -> EgressSettings {
    EgressSettings {
        extra_root_ca_pem: Some(server.root_pem.clone()),
        host_overrides: BTreeMap::from([(host.to_owned(), server.address)]),
        ..EgressSettings::default()
    }
}

fn get(url: &str) -> EgressRequest {
    EgressRequest::get(Url::parse(url).unwrap())
}

async fn failure(egress: &Egress, policy: Policy<'_>, request: EgressRequest) -> EgressError {
    match egress.send(policy, request).await {
        Ok(answer) => panic!("answered with {}", answer.status),
        Err(error) => error,
    }
}

#[tokio::test]
async fn an_overridden_host_is_reached_at_its_address_with_its_own_name() {
    let server = Server::tls(&["acme.okta.com"], OK);
    let egress = client(overriding("acme.okta.com", &server), lookup(&[]));
    let answer = egress.send(ACME, get("https://acme.okta.com/x?y=1")).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (200, b"{}".as_slice()));
    let head = server.requests().concat();
    assert!(head.starts_with("GET /x?y=1 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("host: acme.okta.com\r\n"), "{head}");
    assert!(head.contains("user-agent: okta-device-trust/"), "{head}");
    assert_eq!(egress.overrides().collect::<Vec<_>>(), ["acme.okta.com"]);
}

#[tokio::test]
async fn the_extra_root_is_trusted_for_overridden_hosts_only() {
    let server = Server::tls(&["acme.okta.com", "other.okta.com"], OK);
    let egress = client(overriding("acme.okta.com", &server), lookup(&["127.0.0.1"]));
    let url = format!("https://other.okta.com:{}/", server.address.port());
    let error = failure(&egress, Policy::Operator, get(&url)).await;
    assert!(matches!(error, EgressError::CertificateNotTrusted { .. }), "{error:?}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn an_overridden_host_still_needs_a_certificate_for_its_name() {
    let server = Server::tls(&["other.okta.com"], OK);
    let egress = client(overriding("acme.okta.com", &server), lookup(&[]));
    let error = failure(&egress, ACME, get("https://acme.okta.com/")).await;
    assert!(matches!(error, EgressError::CertificateNotTrusted { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_without_tls_fails_the_handshake() {
    let server = Server::plain(OK);
    let mut settings = overriding("acme.okta.com", &server);
    settings.extra_root_ca_pem = None;
    settings.connect_timeout = Duration::from_secs(1);
    let error = failure(&client(settings, lookup(&[])), ACME, get("https://acme.okta.com/")).await;
    assert!(matches!(error, EgressError::Tls { .. } | EgressError::TimedOut), "{error:?}");
}

#[tokio::test]
async fn a_name_with_any_special_purpose_address_is_refused() {
    for addresses in
        [&["127.0.0.1"][..], &["8.8.8.8", "10.0.0.1"], &["::ffff:8.8.8.8"], &["64:ff9b::a00:1"]]
    {
        let egress = client(EgressSettings::default(), lookup(addresses));
        let error = failure(&egress, ACME, get("https://acme.okta.com/")).await;
        assert!(
            matches!(error, EgressError::SpecialPurposeAddress { .. }),
            "{addresses:?} {error:?}"
        );
    }
}

#[tokio::test]
async fn a_missing_name_and_a_failed_lookup_are_distinct_errors() {
    let missing = "failed to lookup address information: Name or service not known";
    let temporary = "failed to lookup address information: Temporary failure in name resolution";
    for lookup in [lookup(&[]), failing_lookup(missing)] {
        let egress = client(EgressSettings::default(), lookup);
        let error = failure(&egress, ACME, get("https://acme.okta.com/")).await;
        assert!(matches!(error, EgressError::NameNotFound { .. }), "{error:?}");
    }
    let egress = client(EgressSettings::default(), failing_lookup(temporary));
    let error = failure(&egress, ACME, get("https://acme.okta.com/")).await;
    assert!(matches!(error, EgressError::LookupFailed { .. }), "{error:?}");
}

#[tokio::test]
async fn dns_rebinding_is_refused() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let rebinding: Lookup = Arc::new(move |_| {
        let address = if counter.fetch_add(1, Ordering::SeqCst) == 0 {
            [8, 8, 8, 8]
        } else {
            [169, 254, 169, 254]
        };
        Box::pin(async move { Ok(vec![IpAddr::from(address)]) })
    });
    // The client connects to the checked addresses: there is no second lookup.
    let first = resolve_public(&rebinding, "acme.okta.com".to_owned()).await.unwrap();
    assert_eq!((first, calls.load(Ordering::SeqCst)), (vec![IpAddr::from([8, 8, 8, 8])], 1));
    let egress = client(EgressSettings::default(), rebinding);
    let error = failure(&egress, ACME, get("https://acme.okta.com/")).await;
    assert!(matches!(error, EgressError::SpecialPurposeAddress { .. }), "{error:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_redirect_is_returned_and_not_followed() {
    let target = Server::plain(OK);
    let answer = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n",
        target.address
    );
    let server = Server::plain(answer);
    let egress = client(EgressSettings::default(), lookup(&[]));
    let answer =
        egress.send(Policy::Operator, get(&format!("http://{}/", server.address))).await.unwrap();
    assert_eq!(answer.status.as_u16(), 302);
    assert!(target.requests().is_empty());
}

#[tokio::test]
async fn a_body_above_the_limit_is_refused_with_and_without_content_length() {
    let announced = "HTTP/1.1 200 OK\r\ncontent-length: 20000000\r\n\r\n".to_owned();
    let streamed = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(5000));
    let egress = client(EgressSettings::default(), lookup(&[]));
    for answer in [announced, streamed] {
        let server = Server::plain(answer);
        let request = get(&format!("http://{}/", server.address)).body_limit(4096);
        let error = failure(&egress, Policy::Operator, request).await;
        assert!(matches!(error, EgressError::BodyTooLarge { limit: 4096 }), "{error:?}");
    }
}

#[tokio::test]
async fn timeout_refused_connection_and_broken_response_are_distinct_errors() {
    let settings =
        EgressSettings { request_timeout: Duration::from_millis(300), ..EgressSettings::default() };
    let egress = client(settings, lookup(&[]));
    let (address, _thread) = silent();
    let error = failure(&egress, Policy::Operator, get(&format!("http://{address}/"))).await;
    assert!(matches!(error, EgressError::TimedOut), "{error:?}");

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error =
        failure(&egress, Policy::Operator, get(&format!("http://{closed}/?secret=canary"))).await;
    assert!(matches!(error, EgressError::Connect { .. }), "{error:?}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");

    let broken = Server::plain("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
    let error =
        failure(&egress, Policy::Operator, get(&format!("http://{}/", broken.address))).await;
    assert!(matches!(error, EgressError::Interrupted { .. }), "{error:?}");
}

#[tokio::test]
async fn the_proxy_may_be_private_but_targets_behind_it_may_not() {
    let proxy = Server::plain("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
    let url = format!("http://proxy.internal:{}", proxy.address.port());
    let settings =
        EgressSettings { proxy: Some(Url::parse(&url).unwrap()), ..EgressSettings::default() };
    let names: Lookup = Arc::new(|host| {
        let address = if host == "acme.okta.com" { [8, 8, 8, 8] } else { [127, 0, 0, 1] };
        Box::pin(async move { Ok(vec![IpAddr::from(address)]) })
    });
    let egress = client(settings, names);
    failure(&egress, ACME, get("https://acme.okta.com/")).await;
    assert!(proxy.requests().concat().starts_with("CONNECT acme.okta.com:443 "));

    let policy = Policy::Tenant { allowed_hosts: &["intranet.example"] };
    let error = failure(&egress, policy, get("https://intranet.example/")).await;
    assert!(matches!(error, EgressError::SpecialPurposeAddress { .. }), "{error:?}");
    assert_eq!(proxy.requests().len(), 1);
}

#[test]
fn unusable_settings_are_refused() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let refused = |settings| Egress::new(settings).err().unwrap();
    let overriding = |host: &str, address: &str| EgressSettings {
        host_overrides: BTreeMap::from([(host.to_owned(), address.parse().unwrap())]),
        ..EgressSettings::default()
    };
    let unreadable =
        EgressSettings { extra_root_ca_pem: Some(b"no pem".to_vec()), ..EgressSettings::default() };
    assert!(matches!(refused(unreadable), EgressSetupError::ExtraRootUnreadable));
    for host in ["Acme.okta.com", "127.0.0.1", "acme.okta.com:443", "", "*.okta.com/"] {
        let error = refused(overriding(host, "127.0.0.1:9443"));
        assert!(matches!(error, EgressSetupError::OverrideHostInvalid { .. }), "{host} {error:?}");
    }
    let error = refused(overriding("acme.okta.com", "127.0.0.1:0"));
    assert!(matches!(error, EgressSetupError::OverrideWithoutPort { .. }));
}

#[tokio::test]
async fn slow_lookups_block_a_bounded_number_of_threads() {
    static RUNNING: AtomicUsize = AtomicUsize::new(0);
    static RELEASE: AtomicBool = AtomicBool::new(false);
    let slow = |_: String| {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        while !RELEASE.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(vec![IpAddr::from([8, 8, 8, 8])])
    };
    let lookup = bounded_lookup(2, Duration::from_millis(100), slow);
    for _ in 0..5 {
        let error =
            resolve_public(&lookup, "acme.okta.com".to_owned()).await.unwrap_err().to_egress();
        assert!(
            matches!(&error, EgressError::LookupFailed { source, .. } if source.kind() == io::ErrorKind::TimedOut),
            "{error:?}"
        );
    }
    assert_eq!(RUNNING.load(Ordering::SeqCst), 2);
    RELEASE.store(true, Ordering::SeqCst);
    assert!(resolve_public(&lookup, "acme.okta.com".to_owned()).await.is_ok());
}

#[tokio::test]
async fn the_system_resolver_finds_localhost() {
    let server = Server::plain(OK);
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let egress = Egress::new(EgressSettings::default()).unwrap();
    let url = format!("http://localhost:{}/", server.address.port());
    assert_eq!(egress.send(Policy::Operator, get(&url)).await.unwrap().status.as_u16(), 200);
}
