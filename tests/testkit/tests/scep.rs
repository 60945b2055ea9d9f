//! A real SCEP client and a real SCEP server with the simulated org between them.

use std::net::{SocketAddr, TcpStream};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use testkit::okta::{CaAnswer, Options, Org, OrgSetup, SimulatedOkta};
use testkit::scep::{RealScep, RunningScep};

struct World {
    okta: SimulatedOkta,
    acme: Org,
    /// `None` once it is detached.
    real: Option<RunningScep>,
}

async fn world() -> Option<World> {
    let real = RealScep::find()?;
    let okta = SimulatedOkta::start(Options::default()).await.unwrap();
    let acme = okta.add_org(OrgSetup::new("acme"));
    let real = Some(real.start(&okta, &acme).unwrap());
    Some(World { okta, acme, real })
}

impl World {
    /// `url` is on the org's host.
    async fn get(&self, url: &str, credentials: Option<(&str, &str)>) -> Vec<u8> {
        let root = reqwest::Certificate::from_pem(self.okta.root_ca_pem().as_bytes()).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([root])
            .no_proxy()
            .resolve("acme.okta.com", self.okta.address())
            .build()
            .unwrap();
        let port = self.okta.address().port();
        let mut request = client.get(url.replacen(".com/", &format!(".com:{port}/"), 1));
        if let Some((user, password)) = credentials {
            request = request.basic_auth(user, Some(password));
        }
        request.send().await.unwrap().error_for_status().unwrap().bytes().await.unwrap().to_vec()
    }

    fn real(&self) -> &RunningScep {
        self.real.as_ref().expect("not taken away yet")
    }

    async fn fetch_challenge(&self) -> String {
        let (user, password) = (self.acme.scep_username(), self.acme.scep_password());
        let page = self.get(&self.acme.challenge_url(), Some((&user, &password))).await;
        let page = String::from_utf8_lossy(&page);
        let (_, after) = page.split_once("challenge password is: <B> ").expect("the sentence");
        after.split(' ').next().unwrap().to_string()
    }
}

fn der(pem: &str) -> Vec<u8> {
    let pem = pem.replace(['\r', '\n'], "");
    STANDARD.decode(pem.split("-----").nth(2).expect("PEM")).unwrap()
}

#[tokio::test]
async fn challenge_enrolls_one_device_once() {
    let Some(world) = world().await else { return };
    let challenge = world.fetch_challenge().await;
    let name = "acme managementAttestation 00008103-000A";
    let certificate = world.real().enrol_as(name, &challenge).unwrap();
    let names =
        der(&certificate).windows(name.len()).filter(|part| *part == name.as_bytes()).count();
    assert_eq!(names, 1);
    assert!(world.acme.scep_challenges()[0].used);

    for bad in [challenge.as_str(), "INVENTED", ""] {
        let refused = world.real().enrol(bad).unwrap_err();
        assert!(refused.contains("badRequest"), "{bad:?} {refused}");
    }
    let late = world.fetch_challenge().await;
    world.acme.expire_challenges();
    assert!(world.real().enrol(&late).is_err());

    let fresh = world.fetch_challenge().await;
    let reissued = world.real().enrol_as(name, &fresh).unwrap();
    assert_ne!(reissued, certificate);
    let asked = world.acme.journal().entries();
    let operations = asked.iter().filter(|entry| entry.query.starts_with("operation=PKIOperation"));
    assert_eq!(operations.count(), 6);
}

#[tokio::test]
async fn org_serves_the_real_ca_while_the_server_runs() {
    let Some(mut world) = world().await else { return };
    let url = format!("{}?operation=GetCACert", world.acme.scep_url());
    let real = world.get(&url, None).await;
    assert_eq!(real, der(world.real().ca_certificate_pem()));
    let capabilities = world.get(&url.replace("GetCACert", "GetCACaps"), None).await;
    assert!(String::from_utf8(capabilities).unwrap().contains("POSTPKIOperation"));

    world.acme.change(|knobs| knobs.scep.ca = CaAnswer::Empty);
    assert!(world.get(&url, None).await.is_empty());
    world.acme.change(|knobs| knobs.scep.ca = CaAnswer::Certificate);
    assert_eq!(world.get(&url, None).await, real);

    let plain = world.real().plain_url();
    let forwarder: SocketAddr = plain.split('/').nth(2).unwrap().parse().unwrap();
    world.real = None;
    assert!(TcpStream::connect(forwarder).is_err(), "the forwarder still listens");
    let simulated = world.get(&url, None).await;
    assert!(!simulated.is_empty() && simulated != real);
}
