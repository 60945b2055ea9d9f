//! Compares each document with the tables of Apple's and Okta's pages and with the values of Okta's help
//! pages.

use plist::{Dictionary, Value};
use secrecy::SecretString;
use serde_json::json;

use super::tables::{
    DOMAIN, FORCED, OKTA_VERIFY_IOS, OKTA_VERIFY_MAC, PREFERENCES, SCEP, SCEP_CONTENT,
    SINGLE_SIGN_ON_IOS, SINGLE_SIGN_ON_MAC, TOP_LEVEL, conforms, conforms_as,
};
use super::{
    CHALLENGE, HINT, certificate, deployment, device, hosts, inner, options, payloads, payloads_of,
    read, settings_profile, single_sign_on_profile,
};
use crate::payload::*;

fn has(dictionary: &Dictionary, key: &str, value: impl Into<Value>) {
    assert_eq!(dictionary.get(key), Some(&value.into()), "{key}");
}

fn texts(items: &[&str]) -> Value {
    Value::Array(items.iter().map(|item| Value::from(*item)).collect())
}

fn expect_profile(profile: &Dictionary, scope: &str) {
    conforms_as(profile, "Configuration", TOP_LEVEL);
    has(profile, "PayloadScope", scope);
    has(profile, "PayloadOrganization", "Acme");
}

fn expect_certificate_profile(profile: &Dictionary) {
    expect_profile(profile, "System");
    let payloads = payloads_of(profile);
    assert_eq!(payloads.len(), 1);
    conforms_as(&payloads[0], "com.apple.security.scep", SCEP);
    let content = inner(&payloads[0], "PayloadContent");
    conforms(content, &[SCEP_CONTENT]);
    has(content, "URL", "https://acme.okta.com/pki/0a/scep/rac?a=1&b=2");
    has(content, "Challenge", CHALLENGE);
    has(content, "Keysize", 2048);
    has(content, "Key Type", "RSA");
    has(content, "Key Usage", 1);
    has(content, "KeyIsExtractable", false);
    has(content, "AllowAllAppsAccess", true);
    let name = texts(&["CN", "managementAttestation 55900BDC-347C-58B1-D249-F32244B11D30"]);
    has(content, "Subject", Value::Array(vec![Value::Array(vec![name])]));
}

#[test]
fn the_certificate_profile_is_one_scep_payload() {
    let device = device();
    let document = certificate(&deployment(&device), CHALLENGE, DEFAULT_SUBJECT_TEMPLATE).unwrap();
    assert_eq!(document.content_type, "application/x-apple-aspen-config");
    let profile = read(&document);
    expect_certificate_profile(&profile);
    has(&profile, "PayloadIdentifier", document.payload_identifier.as_str());
    has(&profile, "PayloadUUID", document.payload_uuid.to_string());
}

fn expect_mac_settings_profile(profile: &Dictionary) {
    expect_profile(profile, "User");
    let payloads = payloads_of(profile);
    let [extension, app, app_extension] = payloads.as_slice() else { panic!("{payloads:?}") };
    conforms_as(extension, "com.apple.extensiblesso", SINGLE_SIGN_ON_MAC);
    has(extension, "ExtensionIdentifier", "com.okta.mobile.auth-service-extension");
    has(extension, "TeamIdentifier", "B7F62B65BN");
    has(extension, "Type", "Credential");
    has(extension, "Realm", "Okta Device");
    has(extension, "Hosts", texts(&["login.acme.example", "acme.okta.com"]));

    for (payload, domain) in
        [(app, "com.okta.mobile"), (app_extension, "com.okta.mobile.auth-service-extension")]
    {
        conforms_as(payload, "com.apple.ManagedClient.preferences", PREFERENCES);
        expect_settings(forced(payload, domain));
    }
}

#[test]
fn the_settings_profile_has_the_extension_and_both_domains() {
    let device = device();
    let deployment = Deployment { scope: PayloadScope::User, ..deployment(&device) };
    let document = settings_profile(&deployment, &hosts(), &options()).unwrap();
    assert_eq!(document.file_name, "okta-device-trust-settings-C02XL0GTJGH5.mobileconfig");
    expect_mac_settings_profile(&read(&document));
}

/// Returns the settings of one preference domain.
fn forced(payload: &Dictionary, domain: &str) -> Dictionary {
    let content = inner(payload, "PayloadContent");
    assert_eq!(content.len(), 1);
    conforms(inner(content, domain), &[DOMAIN]);
    let forced = inner(content, domain).get("Forced").and_then(Value::as_array).unwrap();
    let [Value::Dictionary(forced)] = forced.as_slice() else { panic!("{forced:?}") };
    conforms(forced, &[FORCED]);
    inner(forced, "mcx_preference_settings").clone()
}

fn expect_settings(mut settings: Dictionary) {
    let asset = settings.remove("asset");
    let nested = settings.remove("com.crowdstrike.zta");
    conforms(&settings, &[OKTA_VERIFY_MAC]);
    has(&settings, "OktaVerify.OrgUrl", "login.acme.example");
    has(&settings, "OktaVerify.UserPrincipalName", "ada@acme.example");
    has(&settings, "OktaVerify.EnrollmentOptions", "Enabled");
    has(&settings, "OktaVerify.ReportDiagnostics", false);
    has(&settings, "OktaVerify.Plugins", texts(&["com.crowdstrike.zta"]));
    let udid = "55900BDC-347C-58B1-D249-F32244B11D30";
    assert_eq!(asset, Some(format!("C02XL0GTJGH5 {udid} {{other}}").into()));
    let limits = Value::Array(vec![1.into(), 2.5.into(), true.into(), udid.into()]);
    let nested = nested.and_then(Value::into_dictionary).unwrap();
    assert_eq!(nested.len(), 2);
    has(&nested, "format", "JWT");
    has(&nested, "limits", limits);
}

/// The keys of Okta's page for iOS.
fn ios_settings() -> serde_json::Value {
    json!({
        "OktaVerify.OrgUrl": "login.acme.example",
        "managementHint": HINT,
        "OktaVerify.UDID": "55900BDC-347C-58B1-D249-F32244B11D30",
        "OktaVerify.SerialNumber": "C02XL0GTJGH5",
    })
}

/// Returns the managed app configuration, which is the same in both domains.
fn app_configuration(options: &OktaVerifyOptions) -> serde_json::Value {
    let hint = SecretString::from(HINT);
    let map =
        AppConfiguration::new(&device(), &hosts(), options, hint.clone()).unwrap().expose_map();
    let domains: Vec<&str> = map.keys().map(String::as_str).collect();
    assert_eq!(domains, ["com.okta.mobile", "com.okta.mobile.auth-service-extension"]);
    assert_eq!(map["com.okta.mobile"], map["com.okta.mobile.auth-service-extension"]);
    map["com.okta.mobile"].clone()
}

#[test]
fn without_options_a_mac_gets_only_the_org_url() {
    let device = Device { user_principal_name: None, ..device() };
    let none = OktaVerifyOptions::default();
    let document = settings_profile(&deployment(&device), &hosts(), &none).unwrap();
    let settings = forced(&payloads(&document)[1], "com.okta.mobile");
    has(&settings, "OktaVerify.OrgUrl", "login.acme.example");
    assert_eq!(settings.len(), 1);
}

#[test]
fn an_iphone_gets_the_four_keys_of_oktas_page() {
    assert_eq!(app_configuration(&OktaVerifyOptions::default()), ios_settings());
}

#[test]
fn an_iphone_gets_no_macos_keys() {
    let options = OktaVerifyOptions { extra: AppConfigExtra::default(), ..options() };
    assert_eq!(app_configuration(&options), ios_settings(), "the options do not apply");
    let hint = SecretString::from(HINT);
    for key in [
        "OktaVerify.UserPrincipalName",
        "OktaVerify.EnrollmentOptions",
        "OktaVerify.ReportDiagnostics",
        "OktaVerify.Plugins",
        "oktaverify.plugins",
    ] {
        let extra = super::extra(json!({ key: "x" })).unwrap();
        let options = OktaVerifyOptions { extra, ..OktaVerifyOptions::default() };
        let refused =
            AppConfiguration::new(&device(), &hosts(), &options, hint.clone()).unwrap_err();
        assert_eq!(refused.code(), "mac_only_key");
        assert_eq!(refused.field(), Some(format!("app_config_extra/{key}").as_str()));
    }
}

#[test]
fn an_extra_setting_is_added_on_an_iphone() {
    let mut expected = ios_settings();
    expected["asset"] = json!("C02XL0GTJGH5");
    let extra = super::extra(json!({ "asset": "{serial_number}" })).unwrap();
    let options = OktaVerifyOptions { extra, ..OktaVerifyOptions::default() };
    assert_eq!(app_configuration(&options), expected);
}

fn expect_mobile_profile(profile: &Dictionary) {
    expect_profile(profile, "System");
    let payloads = payloads_of(profile);
    assert_eq!(payloads.len(), 1);
    conforms_as(&payloads[0], "com.apple.extensiblesso", SINGLE_SIGN_ON_IOS);
    has(&payloads[0], "ExtensionIdentifier", "com.okta.mobile.auth-service-extension");
    has(&payloads[0], "Type", "Credential");
    has(&payloads[0], "Realm", "Okta Device");
    has(&payloads[0], "Hosts", texts(&["login.acme.example", "acme.okta.com"]));
    let data = inner(&payloads[0], "ExtensionData");
    conforms(data, &[OKTA_VERIFY_IOS]);
    for (key, value) in ios_settings().as_object().unwrap() {
        has(data, key, value.as_str().unwrap());
    }
}

#[test]
fn the_profile_of_an_iphone_has_the_four_keys_for_the_extension() {
    let device = device();
    let document =
        single_sign_on_profile(&deployment(&device), &hosts(), &SecretString::from(HINT)).unwrap();
    assert_eq!(document.file_name, "okta-device-trust-single-sign-on-C02XL0GTJGH5.mobileconfig");
    expect_mobile_profile(&read(&document));
}

/// Returns the dictionary once per key in it, at any depth, without that key.
fn without_each_key(dictionary: &Dictionary) -> Vec<(String, Dictionary)> {
    let mut all = Vec::new();
    for (key, value) in dictionary {
        let mut less = dictionary.clone();
        less.remove(key);
        all.push((key.clone(), less));
        for (path, inner) in without_each_inner_key(value) {
            let mut less = dictionary.clone();
            less.insert(key.clone(), inner);
            all.push((format!("{key}/{path}"), less));
        }
    }
    all
}

fn without_each_inner_key(value: &Value) -> Vec<(String, Value)> {
    match value {
        Value::Dictionary(inner) => without_each_key(inner)
            .into_iter()
            .map(|(path, inner)| (path, Value::Dictionary(inner)))
            .collect(),
        Value::Array(items) => (0..items.len())
            .flat_map(|at| {
                without_each_inner_key(&items[at]).into_iter().map(move |(path, item)| {
                    let mut items = items.clone();
                    items[at] = item;
                    (format!("{at}/{path}"), Value::Array(items))
                })
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Asserts that `expect` refuses the profile without any one of its keys. Returns the number of keys.
fn each_key_is_expected(document: &ProfileDocument, expect: fn(&Dictionary)) -> usize {
    let profiles = without_each_key(&read(document));
    for (path, profile) in &profiles {
        let noticed = std::panic::catch_unwind(|| expect(profile)).is_err();
        assert!(noticed, "{}: {path}", document.file_name);
    }
    profiles.len()
}

#[test]
fn a_profile_without_any_one_of_its_keys_is_noticed() {
    let (device, hint) = (device(), SecretString::from(HINT));
    let system = deployment(&device);
    let user = Deployment { scope: PayloadScope::User, ..system };
    let document = certificate(&system, CHALLENGE, DEFAULT_SUBJECT_TEMPLATE).unwrap();
    let mut keys = each_key_is_expected(&document, expect_certificate_profile);
    let document = settings_profile(&user, &hosts(), &options()).unwrap();
    keys += each_key_is_expected(&document, expect_mac_settings_profile);
    let document = single_sign_on_profile(&system, &hosts(), &hint).unwrap();
    keys += each_key_is_expected(&document, expect_mobile_profile);
    assert!(keys > 90, "{keys}");
}

#[test]
fn each_enrollment_option_has_oktas_value_and_the_default_has_none() {
    for (enrollment, value) in [
        (EnrollmentOptions::PromptAlways, Some("Enabled")),
        (EnrollmentOptions::Default, None),
        (EnrollmentOptions::Disabled, Some("Disabled")),
    ] {
        let options = OktaVerifyOptions { enrollment, ..OktaVerifyOptions::default() };
        let document = settings_profile(&deployment(&device()), &hosts(), &options).unwrap();
        for (payload, domain) in
            [(1, "com.okta.mobile"), (2, "com.okta.mobile.auth-service-extension")]
        {
            let settings = forced(&payloads(&document)[payload], domain);
            let shown = settings.get("OktaVerify.EnrollmentOptions").and_then(Value::as_string);
            assert_eq!(shown, value, "{enrollment:?}");
        }
    }
}

#[test]
fn the_profile_of_a_shared_ipad_is_the_users() {
    let device = device();
    let deployment = Deployment { scope: PayloadScope::User, ..deployment(&device) };
    let document =
        single_sign_on_profile(&deployment, &hosts(), &SecretString::from(HINT)).unwrap();
    has(&read(&document), "PayloadScope", "User");
}

#[test]
fn an_iphone_of_user_enrollment_is_sent_the_org_and_the_hint_alone() {
    let device = super::enrolled_by_user();
    let hint = SecretString::from(HINT);
    let document = single_sign_on_profile(&deployment(&device), &hosts(), &hint).unwrap();
    assert_eq!(
        document.file_name,
        "okta-device-trust-single-sign-on-2F5C0D8A9B1E4C7D.mobileconfig"
    );
    let payloads = payloads(&document);
    conforms_as(&payloads[0], "com.apple.extensiblesso", SINGLE_SIGN_ON_IOS);
    let data = inner(&payloads[0], "ExtensionData");
    has(data, "OktaVerify.OrgUrl", "login.acme.example");
    has(data, "managementHint", HINT);
    assert_eq!(data.len(), 2);
    let plain = OktaVerifyOptions::default();
    let map = AppConfiguration::new(&device, &hosts(), &plain, hint.clone()).unwrap().expose_map();
    let expected = json!({ "OktaVerify.OrgUrl": "login.acme.example", "managementHint": HINT });
    assert_eq!(map["com.okta.mobile"], expected);

    let extra = super::extra(json!({ "asset": [{ "a/b": "for {udid}" }] })).unwrap();
    let options = OktaVerifyOptions { extra, ..OktaVerifyOptions::default() };
    let refused = AppConfiguration::new(&device, &hosts(), &options, hint.clone()).unwrap_err();
    assert_eq!(refused.code(), "no_identifiers");
    assert_eq!(refused.field(), Some("app_config_extra/asset/a~1b"));
    let refused = certificate(&deployment(&device), CHALLENGE, "Mac").unwrap_err();
    assert_eq!((refused.code(), refused.field()), ("no_identifiers", Some("subject_template")));
}

#[test]
fn an_extra_setting_overrides_an_option() {
    let extra = super::extra(json!({"OktaVerify.EnrollmentOptions": "Disabled"})).unwrap();
    let enrollment = EnrollmentOptions::PromptAlways;
    let options = OktaVerifyOptions { enrollment, extra, ..Default::default() };
    let document = settings_profile(&deployment(&device()), &hosts(), &options).unwrap();
    let settings = forced(&payloads(&document)[1], "com.okta.mobile");
    has(&settings, "OktaVerify.EnrollmentOptions", "Disabled");
}
