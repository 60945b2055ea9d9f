//! What one device is given: challenges, profiles, app configuration.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::{ChallengePage, Fault};

use crate::support::world::World;

const MAC: &str = "C02ABC123DEF";

const MAC_UDID: &str = "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D";

fn mac() -> Value {
    json!({ "serial_number": MAC, "udid": MAC_UDID })
}

async fn deploy(world: &World, path: &str, body: &Value) -> crate::support::answer::Answer {
    world.ask(Method::POST, path).scopes(&["odt:deploy"]).json(body).send().await
}

fn plist_of(profile: &Value) -> plist::Value {
    let bytes = STANDARD.decode(profile["content"].as_str().expect("content")).expect("base64");
    plist::Value::from_reader_xml(bytes.as_slice()).expect("an XML property list")
}

fn payloads(profile: &plist::Value) -> Vec<plist::Dictionary> {
    let content = profile.as_dictionary().and_then(|root| root.get("PayloadContent"));
    let payloads = content.and_then(plist::Value::as_array).expect("PayloadContent");
    payloads.iter().map(|payload| payload.as_dictionary().expect("payload").clone()).collect()
}

fn text<'a>(dictionary: &'a plist::Dictionary, key: &str) -> &'a str {
    dictionary.get(key).and_then(plist::Value::as_string).unwrap_or_default()
}

#[tokio::test]
async fn a_challenge_is_fresh_for_each_call_never_cached_and_audited_without_its_value() {
    let world = World::start().await;
    let path = world.configured().await;
    let mint = format!("{path}/platforms/macos/scep-challenges");
    let answer = deploy(&world, &mint, &json!({ "device": mac() })).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-encoding"), "");
    let one = answer.expect(201);
    let two = deploy(&world, &mint, &json!({ "device": mac() })).await.expect(201);
    assert_ne!(one["challenge"], two["challenge"]);
    assert_eq!(one["scep_url"], world.acme.scep_url());
    let time = |key: &str| {
        one[key].as_str().expect("time").parse::<chrono::DateTime<chrono::Utc>>().expect("RFC 3339")
    };
    assert_eq!((time("use_before") - time("issued_at")).num_minutes(), 57);
    assert_eq!((time("expires_at") - time("issued_at")).num_minutes(), 60);
    let handed_out: Vec<String> =
        world.acme.scep_challenges().into_iter().map(|minted| minted.challenge).collect();
    assert!(handed_out.iter().any(|challenge| one["challenge"] == *challenge), "it is Okta's own");

    let events = world.get(&format!("{path}/events")).await.expect(200);
    let minted: Vec<_> = events["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter(|e| e["kind"] == "scep_challenge_minted")
        .collect();
    assert_eq!(minted.len(), 2);
    assert_eq!(minted[0]["detail"]["device"]["serial_number"], MAC);
    let dump = world.dump("scep_challenges") + &world.dump("events");
    assert!(
        !dump.contains(one["challenge"].as_str().expect("challenge")),
        "the challenge is stored"
    );
}

#[tokio::test]
async fn a_mac_gets_two_profiles_and_settings_alone_cost_no_challenge() {
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
async fn an_iphone_gets_the_four_keys_in_the_extension_and_in_both_domains() {
    let world = World::start().await;
    let path = world.configured().await;
    let body = json!({
        "device": { "serial_number": "F2LABCDEFG12", "udid": "00008030-001A2B3C4D5E6F70", "user_principal_name": "ada@acme.example" },
        "options": { "silent_enrollment": true, "report_diagnostics": true, "plugins": ["com.crowdstrike.zta"] },
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
async fn the_answer_says_where_each_dictionary_of_an_iphone_goes() {
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
async fn an_iphones_extra_settings_are_added_and_cannot_be_those_of_macs_or_the_identifiers() {
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
async fn the_file_form_gives_one_profile_as_a_file() {
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
async fn a_device_gets_five_challenges_in_ten_minutes_and_ten_at_once_are_too_many() {
    let world = World::start().await;
    let path = world.configured().await;
    let (path, deployments) = (
        format!("{path}/platforms/macos/scep-challenges"),
        format!("{path}/platforms/macos/deployments"),
    );
    let before = world.acme.scep_challenges().len();
    let body = json!({ "device": mac() });
    let ask = || deploy(&world, &path, &body);
    let answers =
        futures_util::future::join_all((0..10).map(|_| deploy(&world, &deployments, &body))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 5, "{statuses:?}");
    assert_eq!(world.acme.scep_challenges().len(), before + 5);
    let refused = ask().await;
    let seconds: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((500..=600).contains(&seconds), "{seconds}");
    refused.expect_problem(429, "too_many_challenges");
    let other = json!({ "device": { "serial_number": "C02OTHER1234", "udid": "0A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D" } });
    deploy(&world, &path, &other).await.expect(201);
}

#[tokio::test]
async fn nine_devices_at_once_are_more_than_are_fetched_at_once() {
    let world = World::start().await;
    let path = format!("{}/platforms/macos/scep-challenges", world.configured().await);
    world.acme.fail(Fault::delay_ms(1500));
    let asks = (0..10).map(|number| {
        let device = json!({ "serial_number": format!("C02SERIAL{number:03}"), "udid": MAC_UDID });
        let (world, path) = (&world, &path);
        async move { deploy(world, path, &json!({ "device": device })).await }
    });
    let answers = futures_util::future::join_all(asks).await;
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!(refused, 2, "eight are fetched at once");
}

#[tokio::test]
async fn okta_failing_between_request_and_answer_hands_out_nothing_and_is_told_apart() {
    let world = World::start().await;
    let path = world.configured().await;
    let mint = format!("{path}/platforms/macos/scep-challenges");
    let device = |number: u8| json!({ "device": { "serial_number": format!("C02DEVICE{number:02}"), "udid": MAC_UDID } });
    world.acme.fail(Fault::status(503));
    deploy(&world, &mint, &device(1)).await.expect_problem(504, "okta_unreachable");
    world.acme.recover();
    world.acme.change(|knobs| knobs.scep.page = ChallengePage::CacheFull);
    let full = deploy(&world, &mint, &device(2)).await;
    assert!(!full.header("retry-after").is_empty());
    assert_eq!(full.expect_problem(503, "challenge_cache_full")["transient"], true);
    world.acme.change(|knobs| knobs.scep.page = ChallengePage::Challenge);
    assert_eq!(
        world.get(&path).await.expect(200)["status"],
        "active",
        "an outage degrades nothing"
    );
    world.acme.reset_scep_password();
    deploy(&world, &mint, &device(3)).await.expect_problem(422, "scep_credentials_refused");
    assert_eq!(world.get(&path).await.expect(200)["status"], "degraded");
    assert_eq!(world.count_events("scep_challenge_minted"), 0);
}

#[tokio::test]
async fn devices_and_options_that_are_none_are_named_and_cost_no_challenge() {
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
async fn every_text_reaches_the_profile_as_it_was_sent() {
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
async fn only_the_mdm_may_deploy_and_another_tenant_finds_nothing() {
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

/// With Debian's package `scep`: its client enrols a key at its server, which the simulated org fronts.
#[tokio::test(flavor = "multi_thread")]
async fn a_minted_challenge_enrols_one_key_at_a_real_server_and_no_second() {
    let Some(real) = testkit::scep::RealScep::find() else { return };
    let world = World::start().await;
    let running =
        tokio::task::block_in_place(|| real.start(&world.okta, &world.acme)).expect("SCEP server");
    let path = world.configured().await;
    let body = json!({ "device": mac(), "parts": ["certificate"] });
    let deployed =
        deploy(&world, &format!("{path}/platforms/macos/deployments"), &body).await.expect(201);
    let payload = payloads(&plist_of(&deployed["profiles"][0]));
    let scep =
        payload[0].get("PayloadContent").and_then(plist::Value::as_dictionary).expect("SCEP");
    let challenge = text(scep, "Challenge");
    let certificate =
        tokio::task::block_in_place(|| running.enrol(challenge)).expect("a certificate");
    assert!(certificate.contains("BEGIN CERTIFICATE"), "{certificate}");
    tokio::task::block_in_place(|| running.enrol(challenge))
        .expect_err("a second use of the same challenge");
}
