//! What a Mac is given counts by Apple's and Okta's names, and by no other.

use serde_json::{Map, Value, json};
use testkit::mac::Mac;

const HOST: &str = "acme.okta.com";
const UDID: &str = "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D";
const APP: &str = "com.okta.mobile";
const EXTENSION: &str = "com.okta.mobile.auth-service-extension";

fn scep() -> Value {
    json!({ "PayloadType": "com.apple.security.scep", "PayloadContent": {
        "URL": "https://acme.okta.com/pki/0A/scep/rac", "Challenge": "c", "Keysize": 2048,
        "Key Type": "RSA", "Key Usage": 1, "AllowAllAppsAccess": true,
        "Subject": [[["CN", format!("managementAttestation {UDID}")]]],
    } })
}

fn single_sign_on() -> Value {
    json!({
        "PayloadType": "com.apple.extensiblesso", "ExtensionIdentifier": EXTENSION,
        "TeamIdentifier": "B7F62B65BN", "Type": "Credential", "Realm": "Okta Device",
        "Hosts": [HOST],
    })
}

fn preferences(domain: &str) -> Value {
    json!({ "PayloadType": "com.apple.ManagedClient.preferences", "PayloadContent": {
        domain: { "Forced": [{ "mcx_preference_settings": { "OktaVerify.OrgUrl": HOST } }] },
    } })
}

fn payloads() -> Vec<Value> {
    vec![scep(), single_sign_on(), preferences(APP), preferences(EXTENSION)]
}

fn is_managed(payloads: &[Value]) -> bool {
    let profile = json!({ "PayloadType": "Configuration", "PayloadContent": payloads });
    let mut bytes = Vec::new();
    plist::to_writer_xml(&mut bytes, &profile).expect("a property list");
    let mut mac = Mac::default();
    mac.install_profile(&bytes).expect("a profile");
    mac.managed_registration(HOST, "C02ABC123DEF", UDID).is_some()
}

/// The pointers to all keys of a value.
fn keys(value: &Value, at: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                found.push((at.to_owned(), key.clone()));
                keys(value, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| keys(item, &format!("{at}/{n}"), found));
        }
        _ => {}
    }
}

#[test]
fn a_mac_with_all_that_okta_asks_for_is_managed() {
    assert!(is_managed(&payloads()));
}

#[test]
fn any_key_by_another_name_leaves_the_mac_unmanaged() {
    for (index, payload) in payloads().iter().enumerate() {
        let mut found = Vec::new();
        keys(payload, "", &mut found);
        assert!(found.len() > 4, "{found:?}");
        for (at, key) in found {
            let mut renamed = payloads();
            let holder = renamed[index].pointer_mut(&at).and_then(Value::as_object_mut);
            let holder: &mut Map<String, Value> = holder.expect("an object");
            let value = holder.remove(&key).expect("the key");
            holder.insert(format!("{key}x"), value);
            assert!(!is_managed(&renamed), "{key} at {index}{at} was renamed");
        }
    }
}

#[test]
fn a_certificate_of_another_device_and_an_org_elsewhere_do_not_count() {
    let mut other = payloads();
    other[0]["PayloadContent"]["Subject"] = json!([[["CN", "managementAttestation"]]]);
    assert!(!is_managed(&other));
    let mut elsewhere = payloads();
    elsewhere[1]["Hosts"] = json!(["bird.okta.com"]);
    assert!(!is_managed(&elsewhere));
    assert!(Mac::default().certificate_request().is_none());
}
