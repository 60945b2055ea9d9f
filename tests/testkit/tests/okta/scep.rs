//! Device trust for macOS: the challenge URL and the CA.

use reqwest::Response;
use testkit::okta::{CaAnswer, ChallengePage, ChallengeRefusal, Fault, PageEncoding};

use crate::client::{World, json, world};

impl World {
    /// Returns a URL of the org with the port where it listens.
    fn dialled(&self, url: &str) -> String {
        self.at(url.strip_prefix(&self.acme.url()).expect("on the org's host"))
    }

    async fn challenge_page(&self, user: &str, password: &str) -> Response {
        let url = self.dialled(&self.acme.challenge_url());
        self.client().get(url).basic_auth(user, Some(password)).send().await.unwrap()
    }

    async fn good_page(&self) -> Response {
        self.challenge_page(&self.acme.scep_username(), &self.acme.scep_password()).await
    }

    async fn ca(&self, operation: &str) -> Response {
        let url = self.dialled(&self.acme.scep_url());
        self.client().get(format!("{url}?operation={operation}")).send().await.unwrap()
    }

    fn newest_challenge(&self) -> String {
        self.acme.scep_challenges().last().expect("one").challenge.clone()
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers()[name].to_str().unwrap()
}

#[tokio::test]
async fn scep_urls_have_oktas_format_and_the_orgs_host() {
    let world = world().await;
    let url = world.acme.scep_url();
    let path = url.strip_prefix("https://acme.okta.com/pki/").unwrap();
    let (org, integration) = path.split_once("/scep/rac").unwrap();
    assert!(
        org.len() == 40 && org.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')),
        "{url}"
    );
    assert!(
        integration.len() == 17 && integration.bytes().all(|byte| byte.is_ascii_alphanumeric())
    );
    assert!(world.acme.challenge_url().starts_with("https://acme.okta.com/"));
    let shown = json(world.client().get(world.at("/_sim/orgs/acme")).send().await.unwrap()).await;
    assert_eq!(shown["scep"]["scep_url"], url);
    assert_eq!(shown["scep"]["challenge_url"], world.acme.challenge_url());
    assert_eq!(shown["scep"]["username"], world.acme.scep_username());
    assert_eq!(shown["scep"]["password"], world.acme.scep_password());
}

#[tokio::test]
async fn challenge_requires_credentials_and_is_new_each_time() {
    let world = world().await;
    let url = world.dialled(&world.acme.challenge_url());
    let anonymous = world.client().get(url).send().await.unwrap();
    let (user, password) = (world.acme.scep_username(), world.acme.scep_password());
    let wrong = [
        anonymous,
        world.challenge_page(&user, "wrong").await,
        world.challenge_page("wrong", &password).await,
        world.challenge_page(&user, "").await,
    ];
    for refused in wrong {
        assert_eq!(refused.status(), 401);
        let offered: Vec<_> = refused.headers().get_all("www-authenticate").iter().collect();
        assert!(offered.len() == 1 && offered[0].to_str().unwrap().starts_with("Basic realm="));
    }
    assert!(world.acme.scep_challenges().is_empty());

    for expected in 1..=2 {
        let page = world.good_page().await;
        assert_eq!((page.status().as_u16(), header(&page, "content-type")), (200, "text/html"));
        let page = String::from_utf8_lossy(&page.bytes().await.unwrap()).into_owned();
        let sentence =
            format!("The enrollment challenge password is: <B> {} </B>", world.newest_challenge());
        assert!(page.contains(&sentence), "{page}");
        assert_eq!(world.acme.scep_challenges().len(), expected);
    }
    let all = world.acme.scep_challenges();
    assert_ne!(all[0].challenge, all[1].challenge);

    let fresh = world.acme.reset_scep_password();
    assert_eq!(world.challenge_page(&user, &password).await.status(), 401);
    assert_eq!(world.challenge_page(&user, &fresh).await.status(), 200);
}

#[tokio::test]
async fn challenge_is_valid_once_and_for_an_hour() {
    let world = world().await;
    world.good_page().await;
    let first = world.newest_challenge();
    assert_eq!(world.acme.consume_challenge("invented"), Err(ChallengeRefusal::Unknown));
    let consume = |challenge: &str| {
        let url = world.at("/_sim/orgs/acme/scep/consume-challenge");
        world.client().post(url).body(format!(r#"{{"challenge":"{challenge}"}}"#)).send()
    };
    assert_eq!(consume(&first).await.unwrap().status(), 204);
    assert_eq!(consume(&first).await.unwrap().status(), 409);
    assert_eq!(world.acme.consume_challenge(&first), Err(ChallengeRefusal::Used));
    world.good_page().await;
    world.acme.expire_challenges();
    let second = world.newest_challenge();
    assert_eq!(world.acme.consume_challenge(&second), Err(ChallengeRefusal::Expired));
}

#[tokio::test]
async fn page_is_available_in_every_encoding_and_format() {
    let world = world().await;
    for encoding in PageEncoding::ALL {
        for (lower_case, html_entities) in [(false, false), (true, false), (false, true)] {
            world.acme.change(|knobs| {
                knobs.scep.encoding = encoding;
                knobs.scep.lower_case = lower_case;
                knobs.scep.html_entities = html_entities;
            });
            let page = world.good_page().await.bytes().await.unwrap();
            let plain: String = page
                .iter()
                .filter(|byte| byte.is_ascii_graphic())
                .map(|b| char::from(*b))
                .collect();
            let sentence = if lower_case { "passwordis:<b>" } else { "passwordis:<B>" };
            assert!(plain.contains(sentence), "{encoding:?} {plain}");
            assert_eq!(plain.contains(&world.newest_challenge()), !html_entities);
        }
    }
    let minted = world.acme.scep_challenges().len();
    world.acme.change(|knobs| {
        knobs.scep = testkit::okta::ScepKnobs {
            username: "u".into(),
            password: "p".into(),
            page_content_type: Some("application/json".into()),
            ..Default::default()
        }
    });
    for (page, text) in [
        (ChallengePage::CacheFull, "The password cache is full"),
        (ChallengePage::NoPermission, "You do not have sufficient permission to enroll with SCEP"),
        (ChallengePage::WithoutChallenge, "password is: <B>  </B>"),
        (ChallengePage::SignIn, "Sign in"),
        (ChallengePage::Empty, ""),
    ] {
        world.acme.change(|knobs| knobs.scep.page = page);
        let response = world.challenge_page("u", "p").await;
        assert_eq!(header(&response, "content-type"), "application/json");
        let shown = response.bytes().await.unwrap();
        assert!(String::from_utf8_lossy(&shown).contains(text));
    }
    assert_eq!(world.acme.scep_challenges().len(), minted, "none of these shows a challenge");
    world.acme.change(|knobs| knobs.scep.page = ChallengePage::Oversized);
    assert!(world.challenge_page("u", "p").await.bytes().await.unwrap().len() > 5_000_000);
    world.acme.fail(Fault::status(503).on("/scep-challenge/").times(1));
    assert_eq!(world.challenge_page("u", "p").await.status(), 503);
}

#[tokio::test]
async fn ca_certificate_is_available_in_every_format() {
    let world = world().await;
    let capabilities = world.ca("GetCACaps").await;
    assert!(header(&capabilities, "content-type").starts_with("text/plain"));
    assert!(capabilities.text().await.unwrap().contains("SHA-256"));
    let certificate = world.ca("GetCACert").await;
    assert_eq!(header(&certificate, "content-type"), "application/x-x509-ca-cert");
    let certificate = certificate.bytes().await.unwrap();
    assert_eq!(world.ca("GetCACert").await.bytes().await.unwrap(), certificate);
    let holds = |answer: &[u8]| answer.windows(certificate.len()).any(|part| part == certificate);

    for (form, start) in [
        (CaAnswer::Pkcs7, [0x30, 0x82].as_slice()),
        (CaAnswer::Pkcs7WithRa, &[0x30, 0x82]),
        (CaAnswer::Pkcs7WithRaInBer, &[0x30, 0x80]),
    ] {
        world.acme.change(|knobs| knobs.scep.ca = form);
        let answer = world.ca("GetCACert").await;
        assert_eq!(header(&answer, "content-type"), "application/x-x509-ca-ra-cert");
        let answer = answer.bytes().await.unwrap();
        assert!(holds(&answer) && answer.starts_with(start), "{form:?}");
    }
    world.acme.change(|knobs| {
        knobs.scep.ca_content_type = Some("text/html".into());
        knobs.scep.ca_expired = true;
    });
    let expired = world.ca("GetCACert").await;
    assert_eq!(header(&expired, "content-type"), "text/html");
    assert!(!holds(&expired.bytes().await.unwrap()));
    world.acme.change(|knobs| knobs.scep.ca = CaAnswer::Empty);
    assert!(world.ca("GetCACert").await.bytes().await.unwrap().is_empty());
    assert_eq!(world.ca("PKIOperation").await.status(), 501);
    assert_eq!(world.ca("").await.status(), 400);
}
