//! Compares each payload with Apple's documentation (developer.apple.com, "Device Management", the page
//! named at each table) and with the values of Okta's help pages.

use plist::{Dictionary, Value};
use secrecy::SecretString;
use serde_json::json;

use super::{
    CHALLENGE, HINT, certificate, deployment, device, hosts, inner, options, payloads, read,
};
use crate::payload::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Type {
    Text,
    Integer,
    Boolean,
    Array,
    Dictionary,
    Data,
}
use Type::{Array, Boolean, Data, Integer, Text};

/// A key, its type, and whether the page says that it is required.
type Keys = &'static [(&'static str, Type, bool)];

/// "CommonPayloadKeys".
const COMMON: Keys = &[
    ("PayloadIdentifier", Text, true),
    ("PayloadUUID", Text, true),
    ("PayloadType", Text, true),
    ("PayloadVersion", Integer, true),
    ("PayloadDescription", Text, false),
    ("PayloadDisplayName", Text, false),
    ("PayloadOrganization", Text, false),
];

/// "TopLevel" without the keys for encryption. Apple's `PayloadScope` is optional, but we always set it.
const TOP_LEVEL: Keys = &[("PayloadContent", Array, true), ("PayloadScope", Text, true)];

/// "SCEP".
const SCEP: Keys = &[("PayloadContent", Type::Dictionary, true)];

/// "SCEP.PayloadContent". `Challenge` and `Subject` are optional for Apple, but Okta requires them.
const SCEP_CONTENT: Keys = &[
    ("URL", Text, true),
    ("Name", Text, false),
    ("Subject", Array, true),
    ("Challenge", Text, true),
    ("Keysize", Integer, false),
    ("Key Type", Text, false),
    ("Key Usage", Integer, false),
    ("CAFingerprint", Data, false),
    ("Retries", Integer, false),
    ("RetryDelay", Integer, false),
    ("SubjectAltName", Type::Dictionary, false),
    ("KeyIsExtractable", Boolean, false),
    ("AllowAllAppsAccess", Boolean, false),
];

/// "ExtensibleSingleSignOn" on macOS. `Hosts` is required because the type is `Credential`.
const SINGLE_SIGN_ON_MAC: Keys = &[
    ("ExtensionIdentifier", Text, true),
    ("TeamIdentifier", Text, true),
    ("Type", Text, true),
    ("Realm", Text, true),
    ("Hosts", Array, true),
];

/// The same page for iOS, without `TeamIdentifier`.
const SINGLE_SIGN_ON_IOS: Keys = &[
    ("ExtensionIdentifier", Text, true),
    ("Type", Text, true),
    ("Realm", Text, true),
    ("Hosts", Array, true),
    ("ExtensionData", Type::Dictionary, true),
];

/// "ManagedPreferences". The key of the content is the domain.
const PREFERENCES: Keys = &[("PayloadContent", Type::Dictionary, true)];
const DOMAIN: Keys = &[("Forced", Array, true), ("Set-Once", Array, false)];
const FORCED: Keys = &[("mcx_preference_settings", Type::Dictionary, true)];

fn value_type(value: &Value) -> Option<Type> {
    Some(match value {
        Value::String(_) => Type::Text,
        Value::Integer(_) => Type::Integer,
        Value::Boolean(_) => Type::Boolean,
        Value::Array(_) => Type::Array,
        Value::Dictionary(_) => Type::Dictionary,
        Value::Data(_) => Type::Data,
        _ => return None,
    })
}

/// Asserts that all keys are documented and have the right type, and that required keys are present.
fn conforms(dictionary: &Dictionary, tables: &[Keys]) {
    let known = || tables.iter().copied().flatten();
    for (key, value) in dictionary {
        let (_, expected, _) = known()
            .find(|(name, ..)| name == key)
            .unwrap_or_else(|| panic!("{key} is not documented"));
        assert_eq!(value_type(value), Some(*expected), "{key}");
    }
    for (key, _, required) in known() {
        assert!(!required || dictionary.contains_key(key), "{key} is missing");
    }
}

fn conforms_as(payload: &Dictionary, payload_type: &str, keys: Keys) {
    conforms(payload, &[COMMON, keys]);
    has(payload, "PayloadType", payload_type);
    has(payload, "PayloadVersion", 1);
}

fn has(dictionary: &Dictionary, key: &str, value: impl Into<Value>) {
    assert_eq!(dictionary.get(key), Some(&value.into()), "{key}");
}

fn texts(items: &[&str]) -> Value {
    Value::Array(items.iter().map(|item| Value::from(*item)).collect())
}

#[test]
fn the_certificate_profile_is_one_scep_payload() {
    let device = device();
    let document = certificate(&deployment(&device), CHALLENGE, DEFAULT_SUBJECT_TEMPLATE).unwrap();
    assert_eq!(document.content_type, "application/x-apple-aspen-config");
    let profile = read(&document);
    conforms_as(&profile, "Configuration", TOP_LEVEL);
    has(&profile, "PayloadScope", "System");
    has(&profile, "PayloadOrganization", "Acme");
    has(&profile, "PayloadIdentifier", document.payload_identifier.as_str());
    has(&profile, "PayloadUUID", document.payload_uuid.to_string());

    let payloads = payloads(&document);
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
fn the_settings_profile_has_the_extension_and_both_domains() {
    let device = device();
    let deployment = Deployment { scope: PayloadScope::User, ..deployment(&device) };
    let document = settings_profile(&deployment, &hosts(), &options()).unwrap();
    assert_eq!(document.file_name, "okta-device-trust-settings-C02XL0GTJGH5.mobileconfig");
    let profile = read(&document);
    conforms_as(&profile, "Configuration", TOP_LEVEL);
    has(&profile, "PayloadScope", "User");

    let payloads = payloads(&document);
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
        expect_settings(&forced(payload, domain));
    }
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

fn expect_settings(settings: &Dictionary) {
    has(settings, "OktaVerify.OrgUrl", "login.acme.example");
    has(settings, "OktaVerify.UserPrincipalName", "ada@acme.example");
    has(settings, "OktaVerify.EnrollmentOptions", "Enabled");
    has(settings, "OktaVerify.ReportDiagnostics", false);
    has(settings, "OktaVerify.Plugins", texts(&["com.crowdstrike.zta"]));
    let udid = "55900BDC-347C-58B1-D249-F32244B11D30";
    has(settings, "asset", format!("C02XL0GTJGH5 {udid} {{other}}"));
    let nested = inner(settings, "com.crowdstrike.zta");
    has(nested, "format", "JWT");
    has(nested, "limits", Value::Array(vec![1.into(), 2.5.into(), true.into(), udid.into()]));
    assert_eq!(settings.len(), 7, "no additional settings");
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
    let map = managed_app_configuration(&device(), &hosts(), options, &hint).unwrap().expose_map();
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
        let refused = managed_app_configuration(&device(), &hosts(), &options, &hint).unwrap_err();
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

#[test]
fn the_profile_of_an_iphone_has_the_four_keys_for_the_extension() {
    let device = device();
    let document =
        single_sign_on_profile(&deployment(&device), &hosts(), &SecretString::from(HINT)).unwrap();
    assert_eq!(document.file_name, "okta-device-trust-single-sign-on-C02XL0GTJGH5.mobileconfig");
    let profile = read(&document);
    conforms_as(&profile, "Configuration", TOP_LEVEL);
    has(&profile, "PayloadScope", "System");

    let payloads = payloads(&document);
    assert_eq!(payloads.len(), 1);
    conforms_as(&payloads[0], "com.apple.extensiblesso", SINGLE_SIGN_ON_IOS);
    has(&payloads[0], "Type", "Credential");
    has(&payloads[0], "Realm", "Okta Device");
    has(&payloads[0], "Hosts", texts(&["login.acme.example", "acme.okta.com"]));
    let data = inner(&payloads[0], "ExtensionData");
    let expected = ios_settings();
    assert_eq!(data.len(), expected.as_object().unwrap().len());
    for (key, value) in expected.as_object().unwrap() {
        has(data, key, value.as_str().unwrap());
    }
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
    let map = managed_app_configuration(&device, &hosts(), &plain, &hint).unwrap().expose_map();
    let expected = json!({ "OktaVerify.OrgUrl": "login.acme.example", "managementHint": HINT });
    assert_eq!(map["com.okta.mobile"], expected);

    let extra = super::extra(json!({ "asset": [{ "a/b": "for {udid}" }] })).unwrap();
    let options = OktaVerifyOptions { extra, ..OktaVerifyOptions::default() };
    let refused = managed_app_configuration(&device, &hosts(), &options, &hint).unwrap_err();
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
