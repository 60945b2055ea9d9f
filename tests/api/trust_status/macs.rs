//! Macs from end to end: the MDM installs the profiles, macOS has a real CA sign what they ask for, Okta
//! Verify reads them by Apple's and Okta's names, and the Mac is trusted by that.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use serde_json::{Value, json};
use testkit::mac::Mac;
use testkit::scep::RealScep;

use crate::support::fleet::mirroring;
use crate::support::inventory::id_of;
use crate::support::platforms::{MAC, MAC_UDID, deploy, mac};
use crate::support::world::World;

/// Fetches what the Mac is to be given, and reports it enrolled and all of it delivered.
async fn deployed(world: &World, path: &str) -> Value {
    let deployments = format!("{path}/platforms/macos/deployments");
    let deployed = deploy(world, &deployments, &json!({ "device": mac() })).await.expect(201);
    let now = Utc::now();
    let report = json!({
        "platform": "macos", "udid": MAC_UDID,
        "enrollment": { "state": "enrolled", "reported_at": now },
        "deliveries": { id_of(path): {
            "config_version": deployed["config_version"], "delivered_at": now, "reported_at": now,
        } },
    });
    world.report_device(MAC, &report).await.expect(201);
    deployed
}

/// Installs every profile of the answer.
fn install(deployed: &Value) -> Mac {
    let mut mac = Mac::default();
    let profiles = deployed["profiles"].as_array().expect("profiles");
    assert_eq!(profiles.len(), 2);
    for profile in profiles {
        let content = profile["content"].as_str().expect("content");
        mac.install_profile(&STANDARD.decode(content).expect("base64")).expect("a profile");
    }
    mac
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mac_becomes_trusted_by_a_certificate_of_a_real_ca_and_what_its_profiles_say() {
    let world = mirroring().start().await;
    let path = world.configured().await;
    let mac = install(&deployed(&world, &path).await);
    let request = mac.certificate_request().expect("a certificate is asked for");
    assert_eq!(request.url, world.acme.scep_url());
    if let Some(real) = RealScep::find() {
        let running = tokio::task::block_in_place(|| real.start(&world.okta, &world.acme));
        let running = running.expect("SCEP server");
        let enrol = || {
            tokio::task::block_in_place(|| {
                running.enrol_as(&request.common_name, &request.challenge)
            })
        };
        let pem = enrol().expect("a certificate");
        let (_, certificate) = x509(&pem);
        assert!(certificate.contains(&request.common_name), "{certificate}");
        enrol().expect_err("the challenge is good once");
    }
    let host = world.acme.host();
    let registration = mac.managed_registration(&host, MAC, MAC_UDID).expect("it is managed");
    let device = world.acme.add_device(registration);
    let user = world.acme.add_user("ada@acme.example");
    world.acme.sign_in_with_fastpass(&device, &user).expect("device and user");
    world.sweep_again(&path).await;
    let status = world.trust_status(MAC).await;
    assert_eq!(status["trust"], "trusted", "{status}");
}

/// The bytes of a certificate in PEM, and those that are text.
fn x509(pem: &str) -> (Vec<u8>, String) {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).map(str::trim).collect();
    let der = STANDARD.decode(body).expect("base64");
    let text = String::from_utf8_lossy(&der).into_owned();
    (der, text)
}
