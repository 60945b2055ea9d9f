//! Tests of this module: shared fixtures, refusals, secrets.

mod golden;
mod properties;
mod rendering;
mod subject;
mod tables;

use plist::{Dictionary, Value};
use secrecy::SecretString;
use serde_json::json;
use url::Url;
use uuid::Uuid;

use super::*;
use crate::model::devices::enrollment_id::EnrollmentId;
use crate::model::{IntegrationId, SerialNumber, Udid, UserPrincipalName};

const CHALLENGE: &str = "0B3F6D1E4A5C9788";
const HINT: &str = "Tr0ub4dor&<3>-hint";

fn device() -> Device {
    Device::new(
        SerialNumber::parse("C02XL0GTJGH5").unwrap(),
        Udid::parse("55900BDC-347C-58B1-D249-F32244B11D30").unwrap(),
        UserPrincipalName::parse("ada@acme.example").ok(),
    )
}

/// An iPhone of User Enrollment.
fn enrolled_by_user() -> Device {
    let id = EnrollmentId::parse("2F5C0D8A9B1E4C7D").unwrap();
    Device { identity: DeviceIdentity::Enrollment(id), user_principal_name: None }
}

fn deployment(device: &Device) -> Deployment<'_> {
    Deployment {
        integration_id: IntegrationId(Uuid::from_u128(7)),
        device,
        config_version: 3,
        scope: PayloadScope::System,
        organization: Some("Acme"),
    }
}

fn hosts() -> OrgHosts {
    OrgHosts::new("login.acme.example", ["acme.okta.com", "Login.Acme.Example"]).unwrap()
}

fn extra(value: serde_json::Value) -> Result<AppConfigExtra, PayloadError> {
    match value {
        serde_json::Value::Object(settings) => AppConfigExtra::parse(settings),
        other => panic!("{other} is not an object"),
    }
}

fn options() -> OktaVerifyOptions {
    let extra = json!({
        "asset": "{serial_number} {udid} {other}",
        "com.crowdstrike.zta": {"format": "JWT", "limits": [1, 2.5, true, "{udid}"]},
    });
    OktaVerifyOptions {
        enrollment: EnrollmentOptions::PromptAlways,
        report_diagnostics: Some(false),
        plugins: vec!["com.crowdstrike.zta".to_owned()],
        extra: self::extra(extra).unwrap(),
    }
}

fn certificate(
    deployment: &Deployment<'_>,
    challenge: &str,
    template: &str,
) -> Result<ProfileDocument, PayloadError> {
    let url = Url::parse("https://acme.okta.com/pki/0a/scep/rac?a=1&b=2").unwrap();
    let enrollment =
        CertificateEnrollment::new(deployment.device, url, challenge.into(), template)?;
    render_profile(deployment, &ProfileContents::Certificate(enrollment))
}

fn settings_profile(
    deployment: &Deployment<'_>,
    hosts: &OrgHosts,
    options: &OktaVerifyOptions,
) -> Result<ProfileDocument, PayloadError> {
    let settings = MacSettings::new(deployment.device, hosts.clone(), options)?;
    render_profile(deployment, &ProfileContents::Settings(settings))
}

fn single_sign_on_profile(
    deployment: &Deployment<'_>,
    hosts: &OrgHosts,
    hint: &SecretString,
) -> Result<ProfileDocument, PayloadError> {
    let sign_on = MobileSignOn::new(deployment.device, hosts.clone(), hint.clone());
    render_profile(deployment, &ProfileContents::SignOn(sign_on))
}

fn read(document: &ProfileDocument) -> Dictionary {
    let value = Value::from_reader_xml(document.expose_bytes()).unwrap();
    value.into_dictionary().unwrap()
}

/// Returns the payloads of a profile.
fn payloads(document: &ProfileDocument) -> Vec<Dictionary> {
    payloads_of(&read(document))
}

fn payloads_of(profile: &Dictionary) -> Vec<Dictionary> {
    let content = profile["PayloadContent"].as_array().unwrap();
    content.iter().map(|payload| payload.as_dictionary().unwrap().clone()).collect()
}

fn inner<'d>(dictionary: &'d Dictionary, key: &str) -> &'d Dictionary {
    dictionary.get(key).and_then(Value::as_dictionary).unwrap_or_else(|| panic!("no {key}"))
}

#[test]
fn debug_output_contains_no_secret() {
    let device = device();
    let deployment = deployment(&device);
    let hint = SecretString::from(HINT);
    let configuration = AppConfiguration::new(&device, &hosts(), &options(), hint.clone()).unwrap();
    let shown = format!(
        "{:?} {:?} {configuration:?}",
        certificate(&deployment, CHALLENGE, DEFAULT_SUBJECT_TEMPLATE).unwrap(),
        single_sign_on_profile(&deployment, &hosts(), &hint).unwrap(),
    );
    let bytes = format!("{:?}", CHALLENGE.as_bytes());
    for secret in [CHALLENGE, HINT, "Tr0ub4dor", "JWT", bytes.trim_matches(['[', ']'])] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("okta-device-trust-certificate-C02XL0GTJGH5.mobileconfig"));
}

#[test]
fn identifiers_are_stable_and_uuids_change_with_the_content() {
    let device = device();
    let first = deployment(&device);
    let next = Deployment { config_version: 4, ..first };
    let udid = device.hardware().unwrap().udid.clone();
    let other_device = Device::new(SerialNumber::parse("K4QXW3V7PL").unwrap(), udid, None);
    let elsewhere = Deployment { device: &other_device, ..first };
    let other_integration =
        Deployment { integration_id: IntegrationId(Uuid::from_u128(8)), ..first };

    let render = |deployment| settings_profile(deployment, &hosts(), &options()).unwrap();
    let document = render(&first);
    assert_eq!(
        document.payload_identifier,
        "okta-device-trust.00000000-0000-0000-0000-000000000007.macos.settings"
    );
    assert_eq!(document.payload_uuid, render(&first).payload_uuid);
    for changed in [render(&next), render(&elsewhere)] {
        assert_eq!(changed.payload_identifier, document.payload_identifier);
        assert_ne!(changed.payload_uuid, document.payload_uuid);
    }
    assert_ne!(render(&other_integration).payload_identifier, document.payload_identifier);

    // Within one profile each payload has its own identifier.
    let payloads = payloads(&document);
    for key in ["PayloadIdentifier", "PayloadUUID"] {
        let mut names: Vec<&str> =
            payloads.iter().filter_map(|payload| payload.get(key)?.as_string()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 3, "{key}");
    }
}

#[test]
fn a_uuid_does_not_depend_on_a_secret() {
    let device = device();
    let deployment = deployment(&device);
    let one = certificate(&deployment, CHALLENGE, DEFAULT_SUBJECT_TEMPLATE).unwrap();
    let two = certificate(&deployment, "another", DEFAULT_SUBJECT_TEMPLATE).unwrap();
    assert_eq!(one.payload_uuid, two.payload_uuid);
    assert_ne!(one.expose_bytes(), two.expose_bytes());
}

#[test]
fn uuids_are_the_same_in_all_releases() {
    let device = device();
    let document = settings_profile(&deployment(&device), &hosts(), &options()).unwrap();
    assert_eq!(document.payload_uuid.to_string(), "345b28b1-9906-5c6f-a991-8e76af79c3ec");
}

#[test]
fn an_invalid_extra_setting_is_refused_with_its_path() {
    let deep = (0..8).fold(json!(1), |value, _| json!({ "a": value }));
    let many: serde_json::Map<_, _> = (0..101).map(|at| (format!("k{at}"), json!(at))).collect();
    for (settings, code, field) in [
        (json!({"OktaVerify.OrgUrl": "evil.example"}), "reserved_key", "OktaVerify.OrgUrl"),
        (json!({"managementHint": "x"}), "reserved_key", "managementHint"),
        (json!({"OktaVerify.UDID": "x"}), "reserved_key", "OktaVerify.UDID"),
        (json!({"oktaverify.serialnumber": "x"}), "reserved_key", "oktaverify.serialnumber"),
        (json!({"ManagementHint": "x"}), "reserved_key", "ManagementHint"),
        (json!({"a": {"b/c": [0, null]}}), "null_value", "a/b~1c/1"),
        (json!({"a": "\u{0}"}), "invalid_characters", "a"),
        (json!({"a\u{ffff}": 1}), "invalid_characters", "a\u{ffff}"),
        (json!({"": 1}), "empty", ""),
        (json!({"a": u64::MAX}), "number_out_of_range", "a"),
        (json!({"a": deep}), "too_deep", "a/a/a/a/a/a/a/a"),
    ] {
        let error = extra(settings).unwrap_err();
        assert_eq!(error.code(), code);
        assert_eq!(error.field(), Some(format!("app_config_extra/{field}").as_str()));
    }
    assert_eq!(extra(many.into()).unwrap_err().code(), "too_many_keys");
    assert_eq!(extra(json!({"a": "x".repeat(16 * 1024)})).unwrap_err().code(), "too_large");
    assert!(extra(json!({"a": "x".repeat(16 * 1024 - 8), "nested": {}})).is_err());
    assert!(extra(json!({"a": (0..6).fold(json!(1), |value, _| json!([value]))})).is_ok());
}

#[test]
fn hosts_are_host_names_without_duplicates() {
    assert_eq!(hosts().iter().collect::<Vec<_>>(), ["login.acme.example", "acme.okta.com"]);
    for text in ["", "https://acme.okta.com", "acme.okta.com/", "acme..com", "a b", "a:443", "ä.de"]
    {
        assert_eq!(OrgHosts::new(text, []).unwrap_err().code(), "invalid_host", "{text}");
        assert!(OrgHosts::new("acme.okta.com", [text]).is_err(), "{text}");
    }
}

#[test]
fn a_text_that_xml_cannot_represent_is_refused_with_its_field() {
    let device = device();
    let fine = deployment(&device);
    let named = Deployment { organization: Some("Ac\u{1b}me"), ..fine };
    let plugins =
        OktaVerifyOptions { plugins: vec!["a\rb".to_owned()], ..OktaVerifyOptions::default() };
    let template = "x\u{fffe} managementAttestation {udid}";
    for (error, field) in [
        (certificate(&fine, "a\u{8}b", DEFAULT_SUBJECT_TEMPLATE).unwrap_err(), "challenge"),
        (certificate(&fine, CHALLENGE, template).unwrap_err(), "subject_template"),
        (settings_profile(&named, &hosts(), &options()).unwrap_err(), "organization"),
        (settings_profile(&fine, &hosts(), &plugins).unwrap_err(), "plugins"),
        (
            single_sign_on_profile(&fine, &hosts(), &SecretString::from("a\u{ffff}")).unwrap_err(),
            "management_hint",
        ),
    ] {
        assert_eq!((error.code(), error.field()), ("invalid_characters", Some(field)));
        assert!(!error.to_string().contains('\u{8}'));
    }
    assert_eq!(certificate(&fine, "", DEFAULT_SUBJECT_TEMPLATE).unwrap_err().code(), "empty");
}

#[test]
fn descriptions_hold_what_each_platform_gets() {
    let (device, hint) = (device(), SecretString::from(HINT));
    let url = Url::parse("https://acme.okta.com/pki/0a/scep/rac").unwrap();
    let enrollment =
        CertificateEnrollment::new(&device, url, hint.clone(), DEFAULT_SUBJECT_TEMPLATE).unwrap();
    assert_eq!(
        enrollment.common_name,
        "managementAttestation 55900BDC-347C-58B1-D249-F32244B11D30"
    );
    assert_eq!(enrollment.key, KeyRequest::OKTA);
    let settings = MacSettings::new(&device, hosts(), &options()).unwrap();
    assert_eq!(settings.okta_verify.0["OktaVerify.OrgUrl"], "login.acme.example");
    assert!(!format!("{settings:?}").contains("JWT"), "a setting may be a secret");

    let sign_on = MobileSignOn::new(&device, hosts(), hint.clone());
    assert_eq!(sign_on.identity.hardware.as_ref(), device.hardware());
    assert_eq!(sign_on.identity.sign_in_host, "login.acme.example");
    let app =
        AppConfiguration::new(&device, &hosts(), &OktaVerifyOptions::default(), hint).unwrap();
    assert_eq!(app.identity, sign_on.identity);
    let by_user = MobileIdentity::new(&enrolled_by_user(), &hosts());
    assert_eq!(by_user.hardware, None);
}
