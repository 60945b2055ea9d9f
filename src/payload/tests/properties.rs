//! Property tests: every text is either refused or survives a round trip through a profile unchanged.

use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::json;

use super::{
    certificate, deployment, device, extra, hosts, inner, payloads, read, settings_profile,
    single_sign_on_profile,
};
use crate::payload::*;

/// Generates texts, often with characters that are special in XML.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{1,40}",
        "[<>&'\"\\[\\]/ !CDATA-]{1,30}",
        "[ \t\n]{1,4}",
        Just(
            "]]><!-- &amp; &#0; <?xml ?> \u{1f469}\u{200d}\u{1f4bb} \u{5d0}\u{202e}abc".to_owned()
        ),
    ]
}

fn is_xml_text(text: &str) -> bool {
    let refused =
        |c: char| (c < ' ' && c != '\t' && c != '\n') || c == '\u{fffe}' || c == '\u{ffff}';
    !text.is_empty() && !text.contains(refused)
}

proptest! {
    #[test]
    fn a_challenge_survives_a_round_trip(challenge in text(), organization in text()) {
        let device = device();
        let deployment = Deployment { organization: Some(&organization), ..deployment(&device) };
        let rendered = certificate(&deployment, &challenge, DEFAULT_SUBJECT_TEMPLATE);
        prop_assert_eq!(rendered.is_ok(), is_xml_text(&challenge) && is_xml_text(&organization));
        let Ok(document) = rendered else { return Ok(()) };
        let payloads = payloads(&document);
        let content = inner(&payloads[0], "PayloadContent");
        prop_assert_eq!(content["Challenge"].as_string(), Some(challenge.as_str()));
        let profile = read(&document);
        prop_assert_eq!(profile["PayloadOrganization"].as_string(), Some(organization.as_str()));
        let again = certificate(&deployment, &challenge, DEFAULT_SUBJECT_TEMPLATE).unwrap();
        prop_assert_eq!(again.expose_bytes(), document.expose_bytes());
    }

    #[test]
    fn a_hint_survives_a_round_trip(hint in text()) {
        let device = device();
        let secret = SecretString::from(hint.as_str());
        let rendered = single_sign_on_profile(&deployment(&device), &hosts(), &secret);
        let configuration =
            AppConfiguration::new(&device, &hosts(), &OktaVerifyOptions::default(), secret.clone());
        prop_assert_eq!(rendered.is_ok(), is_xml_text(&hint));
        prop_assert_eq!(configuration.is_ok(), is_xml_text(&hint));
        let Ok(document) = rendered else { return Ok(()) };
        let payloads = payloads(&document);
        let data = inner(&payloads[0], "ExtensionData");
        prop_assert_eq!(data["managementHint"].as_string(), Some(hint.as_str()));
        prop_assert_eq!(
            &configuration.unwrap().expose_map()["com.okta.mobile"]["managementHint"],
            &json!(hint)
        );
    }

    #[test]
    fn an_extra_setting_survives_a_round_trip(
        key in text(),
        value in text(),
        whole in any::<i64>(),
        real in proptest::num::f64::NORMAL,
    ) {
        let parsed = extra(json!({ key.clone(): [value.clone(), whole, real] }));
        let fits = is_xml_text(&key) && (value.is_empty() || is_xml_text(&value));
        prop_assert_eq!(parsed.is_ok(), fits);
        let Ok(extra) = parsed else { return Ok(()) };
        let options = OktaVerifyOptions { extra, ..OktaVerifyOptions::default() };
        let device = device();
        let render = || settings_profile(&deployment(&device), &hosts(), &options).unwrap();
        let document = render();
        let again = render();
        prop_assert_eq!(document.expose_bytes(), again.expose_bytes());
        let payloads = payloads(&document);
        let domain = inner(inner(&payloads[1], "PayloadContent"), "com.okta.mobile");
        let forced = domain["Forced"].as_array().unwrap()[0].as_dictionary().unwrap();
        let settings = inner(forced, "mcx_preference_settings");
        let items = settings[key.as_str()].as_array().unwrap();
        prop_assert_eq!(items[0].as_string(), Some(value.as_str()));
        prop_assert_eq!(items[1].as_signed_integer(), Some(whole));
        prop_assert_eq!(items[2].as_real(), Some(real));
    }

    #[test]
    fn different_versions_give_different_uuids(one in any::<i64>(), two in any::<i64>()) {
        let device = device();
        let render = |config_version| {
            let deployment = Deployment { config_version, ..deployment(&device) };
            settings_profile(&deployment, &hosts(), &OktaVerifyOptions::default()).unwrap()
        };
        prop_assert_eq!(render(one).payload_uuid == render(two).payload_uuid, one == two);
    }
}
