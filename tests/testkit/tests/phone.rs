//! Okta Verify on the phone reads only the keys that Okta documents.

use serde_json::{Map, Value, json};
use testkit::phone::Phone;

const KEYS: [&str; 4] =
    ["OktaVerify.OrgUrl", "managementHint", "OktaVerify.UDID", "OktaVerify.SerialNumber"];

fn dictionary() -> Map<String, Value> {
    KEYS.iter().map(|key| ((*key).to_owned(), json!(format!("value of {key}")))).collect()
}

fn renamed(key: &str) -> Map<String, Value> {
    let rename = |(name, value): (String, Value)| {
        (if name == key { name.to_lowercase() + "x" } else { name }, value)
    };
    dictionary().into_iter().map(rename).collect()
}

fn mobileconfig(data: &Map<String, Value>) -> Vec<u8> {
    let profile = json!({ "PayloadType": "Configuration", "PayloadContent": [{
        "PayloadType": "com.apple.extensiblesso",
        "ExtensionIdentifier": "com.okta.mobile.auth-service-extension",
        "ExtensionData": data,
    }] });
    let mut bytes = Vec::new();
    plist::to_writer_xml(&mut bytes, &profile).expect("a property list");
    bytes
}

fn phone(app: Map<String, Value>, extension: &Map<String, Value>) -> Phone {
    let mut phone = Phone::default();
    phone.configure_app("com.okta.mobile", app);
    phone.install_profile(&mobileconfig(extension)).expect("a profile");
    phone
}

#[test]
fn okta_verify_uses_values_that_both_dictionaries_have() {
    let read = phone(dictionary(), &dictionary()).open_okta_verify();
    assert!(read.proves_management("value of OktaVerify.OrgUrl", "value of managementHint"));
    let registration = read.registration();
    assert_eq!(registration.platform, "IOS");
    assert_eq!(registration.udid.as_deref(), Some("value of OktaVerify.UDID"));
    assert_eq!(registration.serial_number.as_deref(), Some("value of OktaVerify.SerialNumber"));
}

#[test]
fn key_with_another_name_is_ignored() {
    for key in KEYS {
        for phone in [phone(renamed(key), &dictionary()), phone(dictionary(), &renamed(key))] {
            let read = phone.open_okta_verify();
            let found = [&read.org_host, &read.management_hint, &read.udid, &read.serial_number];
            for (other, found) in KEYS.iter().zip(found) {
                assert_eq!(found.is_none(), *other == key, "{key} renamed, {other} read");
            }
            let (registered, named) =
                (read.registration(), !key.ends_with("UDID") && !key.ends_with("SerialNumber"));
            assert_eq!(
                (registered.udid.is_some(), registered.serial_number.is_some()),
                (named, named)
            );
        }
    }
}

#[test]
fn app_configuration_for_the_extension_is_ignored() {
    let mut phone = Phone::default();
    phone.configure_app("com.okta.mobile.auth-service-extension", dictionary());
    phone.install_profile(&mobileconfig(&dictionary())).expect("a profile");
    assert_eq!(phone.open_okta_verify().registration().udid, None);
    assert!(phone.install_profile(b"not a profile").is_err());
}
