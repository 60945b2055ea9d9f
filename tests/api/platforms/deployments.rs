//! Deployments to a device: profiles and app configuration.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::platforms::{MAC, MAC_UDID, deploy, mac, payloads, plist_of, text};
use crate::support::world::World;

#[tokio::test]
async fn mac_gets_two_profiles_and_settings_need_no_challenge() {
    let world = World::start().await;
    let path = world.configured().await;
    let deployments = format!("{path}/platforms/macos/deployments");
    let before = world.acme.scep_challenges().len();
    let both = deploy(&world, &deployments, &json!({ "device": mac() })).await.expect(201);
    assert_eq!(world.acme.scep_challenges().len(), before + 1);
    let parts: Vec<_> =
        both["profiles"].as_array().expect("profiles").iter().map(|p| p["part"].clone()).collect();
    assert_eq!(parts, ["certificate", "settings"]);
    assert!(
        both["profiles"][0]["use_before"].is_string()
            && both["profiles"][1].get("use_before").is_none()
    );

    let certificate = payloads(&plist_of(&both["profiles"][0]));
    assert_eq!(text(&certificate[0], "PayloadType"), "com.apple.security.scep");
    let scep =
        certificate[0].get("PayloadContent").and_then(plist::Value::as_dictionary).expect("SCEP");
    assert_eq!(text(scep, "URL"), world.acme.scep_url());
    assert!(
        world
            .acme
            .scep_challenges()
            .iter()
            .any(|minted| minted.challenge == text(scep, "Challenge"))
    );
    let subject = format!("{:?}", scep.get("Subject"));
    assert!(subject.contains("managementAttestation") && subject.contains(MAC_UDID), "{subject}");

    let settings = payloads(&plist_of(&both["profiles"][1]));
    let types: Vec<_> =
        settings.iter().map(|payload| text(payload, "PayloadType").to_owned()).collect();
    assert_eq!(types[0], "com.apple.extensiblesso");
    assert!(
        types[1..].iter().all(|kind| kind == "com.apple.ManagedClient.preferences"),
        "{types:?}"
    );

    let settings_alone = json!({ "device": mac(), "parts": ["settings"] });
    let again = deploy(&world, &deployments, &settings_alone).await.expect(201);
    assert_eq!(again["profiles"][0], both["profiles"][1], "the same input gives the same bytes");
    assert_eq!(world.acme.scep_challenges().len(), before + 1);
}

#[tokio::test]
async fn iphone_gets_the_four_keys_in_extension_and_app() {
    let world = World::start().await;
    let path = world.configured().await;
    let body = json!({
        "device": { "serial_number": "F2LABCDEFG12", "udid": "00008030-001A2B3C4D5E6F70", "user_principal_name": "ada@acme.example" },
        "options": { "enrollment_options": "prompt_always", "report_diagnostics": true, "plugins": ["com.crowdstrike.zta"] },
    });
    let answer = deploy(&world, &format!("{path}/platforms/ios/deployments"), &body).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let deployed = answer.expect(201);
    let keys = json!({
        "OktaVerify.OrgUrl": "acme.okta.com",
        "managementHint": "Tr1cky-Secret-Key",
        "OktaVerify.UDID": "00008030-001A2B3C4D5E6F70",
        "OktaVerify.SerialNumber": "F2LABCDEFG12",
    });
    let domains = ["com.okta.mobile", "com.okta.mobile.auth-service-extension"];
    assert_eq!(deployed["app_configuration"], json!({ domains[0]: keys, domains[1]: keys }));
    let extension = payloads(&plist_of(&deployed["profiles"][0]));
    let data = extension[0]
        .get("ExtensionData")
        .and_then(plist::Value::as_dictionary)
        .expect("ExtensionData");
    let data: serde_json::Map<String, Value> =
        data.keys().map(|key| (key.clone(), json!(text(data, key)))).collect();
    assert_eq!(Value::Object(data), keys);
}

#[tokio::test]
async fn response_names_the_target_of_each_iphone_dictionary() {
    let world = World::start().await;
    let path = world.configured().await;
    let device = json!({ "serial_number": "F2LABCDEFG12", "udid": "00008030-001A2B3C4D5E6F70" });
    let app = json!({
        "pointer": "/app_configuration/com.okta.mobile",
        "target": "managed_app_configuration", "domain": "com.okta.mobile",
    });
    let extension = json!({
        "pointer": "/app_configuration/com.okta.mobile.auth-service-extension",
        "target": "managed_app_configuration", "domain": "com.okta.mobile.auth-service-extension",
    });
    let profile = json!({
        "pointer": "/profiles/0", "target": "profile",
        "domain": "com.okta.mobile.auth-service-extension",
        "payload_type": "com.apple.extensiblesso", "payload_key": "ExtensionData",
    });
    let deployments = format!("{path}/platforms/ios/deployments");
    for (parts, expected) in [
        (json!(["settings", "app_configuration"]), json!([app, extension, profile])),
        (json!(["app_configuration"]), json!([app, extension])),
        (json!(["settings"]), json!([profile])),
    ] {
        let body = json!({ "device": device, "parts": parts });
        let deployed = deploy(&world, &deployments, &body).await.expect(201);
        assert_eq!(deployed["dictionaries"], expected, "{parts}");
        for dictionary in expected.as_array().expect("a list") {
            let pointer = dictionary["pointer"].as_str().expect("a pointer");
            assert!(deployed.pointer(pointer).is_some(), "{pointer}");
        }
    }
    let mac = json!({ "device": mac(), "parts": ["settings"] });
    let deployed = deploy(&world, &format!("{path}/platforms/macos/deployments"), &mac).await;
    assert_eq!(deployed.expect(201).get("dictionaries"), None);
}

#[tokio::test]
async fn iphone_extra_settings_are_added_except_reserved_keys() {
    let world = World::start().await;
    let path = world.configured().await;
    let deployments = format!("{path}/platforms/ios/deployments");
    let body = |key: &str| {
        json!({
            "device": { "serial_number": "F2LABCDEFG12", "udid": "00008030-001A2B3C4D5E6F70" },
            "options": { "app_config_extra": { key: "for {serial_number}" } },
        })
    };
    let deployed = deploy(&world, &deployments, &body("Note")).await.expect(201);
    for domain in ["com.okta.mobile", "com.okta.mobile.auth-service-extension"] {
        assert_eq!(deployed["app_configuration"][domain]["Note"], "for F2LABCDEFG12");
    }
    for (key, code) in [
        ("OktaVerify.UserPrincipalName", "mac_only_key"),
        ("OktaVerify.Plugins", "mac_only_key"),
        ("OktaVerify.UDID", "reserved_key"),
        ("OktaVerify.SerialNumber", "reserved_key"),
    ] {
        let refused = deploy(&world, &deployments, &body(key)).await;
        let problem = refused.expect_problem(422, "invalid_request");
        let error = &problem["errors"][0];
        assert_eq!(error["pointer"], format!("/options/app_config_extra/{key}"));
        assert_eq!(error["code"], code, "{problem}");
    }
}

#[tokio::test]
async fn mobileconfig_format_returns_one_profile_as_a_file() {
    let world = World::start().await;
    let path = format!("{}/platforms/macos/deployments", world.configured().await);
    let ask = |parts: Value| {
        let mut body = json!({ "device": mac() });
        if !parts.is_null() {
            body["parts"] = parts;
        }
        let ask = world.ask(Method::POST, &path).scopes(&["odt:deploy"]);
        ask.header("accept", "application/x-apple-aspen-config").json(&body).send()
    };
    let file = ask(json!(["settings"])).await;
    assert_eq!(file.status, 201);
    assert_eq!(file.header("content-type"), "application/x-apple-aspen-config");
    assert!(file.header("content-disposition").contains(".mobileconfig"));
    assert!(file.text.starts_with("<?xml"));
    for (accept, is_file) in [
        ("application/json, application/x-apple-aspen-config;q=0.1", false),
        ("application/x-apple-aspen-config;q=0", false),
        ("Application/X-Apple-Aspen-Config, */*;q=0.1", true),
    ] {
        let ask = world.ask(Method::POST, &path).scopes(&["odt:deploy"]).header("accept", accept);
        let answer = ask.json(&json!({ "device": mac(), "parts": ["settings"] })).send().await;
        assert_eq!(
            answer.header("content-type") == "application/x-apple-aspen-config",
            is_file,
            "{accept}"
        );
    }
    let before = world.acme.scep_challenges().len();
    for parts in [json!(null), json!(["certificate", "settings"])] {
        let problem = ask(parts).await.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/parts");
    }
    assert_eq!(world.acme.scep_challenges().len(), before, "no challenge was spent on it");
}

#[tokio::test]
async fn invalid_devices_and_options_are_named_and_use_no_challenge() {
    let world = World::start().await;
    let path = world.configured().await;
    let before = world.acme.scep_challenges().len();
    let deployments = format!("{path}/platforms/macos/deployments");
    for (body, pointer) in [
        (json!({ "device": { "serial_number": "", "udid": MAC_UDID } }), "/device/serial_number"),
        (
            json!({ "device": { "serial_number": "x".repeat(500), "udid": MAC_UDID } }),
            "/device/serial_number",
        ),
        (
            json!({ "device": { "serial_number": "<key>&\u{0}</key>", "udid": MAC_UDID } }),
            "/device/serial_number",
        ),
        (json!({ "device": { "serial_number": MAC, "udid": "not-a-udid" } }), "/device/udid"),
        (json!({ "device": { "serial_number": MAC } }), "/device/udid"),
        (
            json!({ "device": { "serial_number": MAC, "udid": MAC_UDID, "user_principal_name": "a\u{0}b" } }),
            "/device/user_principal_name",
        ),
        (json!({ "device": mac(), "parts": ["app_configuration"] }), "/parts/0"),
        (json!({ "device": mac(), "parts": [] }), "/parts"),
        (
            json!({ "device": mac(), "options": { "sign_in_host": "evil.example" } }),
            "/options/sign_in_host",
        ),
        (
            json!({ "device": mac(), "options": { "subject_template": "{nobody}" } }),
            "/options/subject_template",
        ),
        (
            json!({ "device": mac(), "options": { "subject_template": "x".repeat(257) } }),
            "/options/subject_template",
        ),
        (
            json!({ "device": mac(), "options": { "app_config_extra": { "managementHint": "x" } } }),
            "/options/app_config_extra/managementHint",
        ),
        (
            json!({ "device": mac(), "options": { "app_config_extra": { "a": null } } }),
            "/options/app_config_extra/a",
        ),
        (json!({ "device": mac(), "options": { "scope": "galaxy" } }), "/options/scope"),
    ] {
        let problem =
            deploy(&world, &deployments, &body).await.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body} {problem}");
    }
    assert_eq!(world.acme.scep_challenges().len(), before);
}

#[tokio::test]
async fn texts_reach_the_profile_unchanged() {
    let world = World::start().await;
    let path = world.configured().await;
    let wild = "<&>\"' \u{1f469}\u{200d}\u{1f680} مرحبا ]]>";
    let body = json!({
        "device": { "serial_number": MAC, "udid": MAC_UDID, "user_principal_name": wild },
        "parts": ["settings"],
        "options": { "app_config_extra": { wild: wild, "deep": [{ "er": wild }] } },
    });
    let deployed =
        deploy(&world, &format!("{path}/platforms/macos/deployments"), &body).await.expect(201);
    let settings = payloads(&plist_of(&deployed["profiles"][0]));
    let printed = format!("{:?}", settings[1]);
    assert!(printed.matches("مرحبا").count() >= 3, "{printed}");
    let content =
        settings[1].get("PayloadContent").and_then(plist::Value::as_dictionary).expect("content");
    let forced =
        content.get("com.okta.mobile").and_then(plist::Value::as_dictionary).expect("domain");
    let forced = forced
        .get("Forced")
        .and_then(plist::Value::as_array)
        .and_then(|list| list[0].as_dictionary());
    let values =
        forced.and_then(|f| f.get("mcx_preference_settings")).and_then(plist::Value::as_dictionary);
    assert_eq!(text(values.expect("settings"), wild), wild);
}

#[tokio::test]
async fn deployment_requires_its_scope_and_tenant() {
    let world = World::start().await;
    let path = world.configured().await;
    let body = json!({ "device": mac() });
    for path in [
        format!("{path}/platforms/macos/scep-challenges"),
        format!("{path}/platforms/macos/deployments"),
    ] {
        world.post(&path, &body).await.expect_problem(403, "scope_missing");
        let stranger = world.token_of("stranger", &["odt:deploy"]);
        let ask = world.ask(Method::POST, &path).token(&stranger).json(&body);
        ask.send().await.expect_problem(404, "not_found");
    }
}
