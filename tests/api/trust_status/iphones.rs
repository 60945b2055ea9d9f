//! iPhones from end to end: the MDM installs a deployment, Okta Verify reads the documented keys and registers
//! with them, and the record matches only by them.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::phone::{OktaVerify, Phone};

use crate::support::builder::Builder;
use crate::support::world::World;

const IPHONE: &str = "F2LPHONE0001";

const UDID: &str = "00008110-000A1B2C3D4E801E";

const APP: &str = "com.okta.mobile";

const PATIENCE: Duration = Duration::from_secs(30);

fn mirroring() -> Builder {
    ["SWEEP", "READ", "PENDING"]
        .iter()
        .fold(World::build().setting("ODT_SYNC_WORKERS", "2"), |builder, job| {
            builder.setting(&format!("ODT_SYNC_{job}_EVERY_SECONDS"), "1")
        })
}

/// Requests the iPhone's deployment, and reports the phone as enrolled and the deployment as delivered.
async fn deploy(world: &World, path: &str) -> Value {
    let body = json!({ "device": { "serial_number": IPHONE, "udid": UDID } });
    let deployments = format!("{path}/platforms/ios/deployments");
    let ask = world.ask(Method::POST, &deployments).scopes(&["odt:deploy"]).json(&body);
    let deployed = ask.send().await.expect(201);
    let (id, now) = (path.rsplit('/').next().expect("an id"), Utc::now());
    let report = json!({
        "platform": "ios", "udid": UDID,
        "enrollment": { "state": "enrolled", "reported_at": now },
        "deliveries": { id: {
            "config_version": deployed["config_version"], "delivered_at": now, "reported_at": now,
        } },
    });
    world.report_device(IPHONE, &report).await.expect(201);
    deployed
}

/// Installs each dictionary at its target and opens Okta Verify.
fn install(deployed: &Value) -> OktaVerify {
    let mut phone = Phone::default();
    for dictionary in deployed["dictionaries"].as_array().expect("dictionaries") {
        let text = |key: &str| dictionary[key].as_str().expect(key);
        let what = deployed.pointer(text("pointer")).expect("a pointer into the answer");
        match text("target") {
            "managed_app_configuration" => {
                phone.configure_app(text("domain"), what.as_object().expect("settings").clone());
            }
            "profile" => {
                let content = STANDARD.decode(what["content"].as_str().expect("content"));
                phone.install_profile(&content.expect("base64")).expect("a profile");
            }
            other => panic!("unknown target {other}"),
        }
    }
    phone.open_okta_verify()
}

/// Registers the phone in the org and signs its user in with FastPass. Returns the ID of the record.
fn sign_in(world: &World, okta_verify: &OktaVerify) -> String {
    assert!(okta_verify.proves_management(&world.acme.host(), "Tr1cky-Secret-Key"));
    let device = world.acme.add_device(okta_verify.registration());
    let user = world.acme.add_user("ada@acme.example");
    world.acme.sign_in_with_fastpass(&device, &user).expect("device and user");
    device
}

#[tokio::test]
async fn iphone_becomes_trusted_with_the_deployed_keys() {
    let world = mirroring().start().await;
    let path = world.configured().await;
    let okta_verify = install(&deploy(&world, &path).await);
    let device = sign_in(&world, &okta_verify);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = world.trust_status(IPHONE).await;
        if status["trust"] == "trusted" {
            assert_eq!(status["okta_devices"][0]["okta_device_id"], device);
            return;
        }
        assert!(Instant::now() < deadline, "it never was trusted: {status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn iphone_with_a_renamed_key_stays_unmatched() {
    let world = mirroring().start().await;
    let path = world.configured().await;
    let deployed = deploy(&world, &path).await;
    for key in ["OktaVerify.UDID", "OktaVerify.SerialNumber"] {
        let mut renamed = deployed.clone();
        let settings = renamed["app_configuration"][APP].as_object_mut().expect("settings");
        let value = settings.remove(key).expect(key);
        settings.insert(key.to_uppercase(), value);
        let device = sign_in(&world, &install(&renamed));

        let deadline = Instant::now() + PATIENCE;
        loop {
            let list = world.get(&format!("{path}/okta-devices?matched=false")).await.expect(200);
            let items = list["items"].as_array().expect("items");
            if items.iter().any(|item| item["okta_device_id"] == device) {
                break;
            }
            assert!(Instant::now() < deadline, "{key}: the record is not unmatched: {list}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let status = world.trust_status(IPHONE).await;
        assert_ne!(status["trust"], "trusted", "{key}: {status}");
        assert_eq!(status["okta_devices"], json!([]), "{key}");
    }
}
