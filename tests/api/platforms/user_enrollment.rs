//! iPhones without serial number and UDID, and iPads that several people share.

use serde_json::{Value, json};

use crate::support::platforms::{MAC, MAC_UDID, deploy, mac, payloads, plist_of, text};
use crate::support::world::World;

const ENROLLMENT: &str = "2F5C0D8A9B1E4C7D8E6F0A1B2C3D4E5F6A7B8C9D";

#[tokio::test]
async fn an_iphone_of_user_enrollment_is_given_what_it_needs_and_has_no_trust_status() {
    let world = World::start().await;
    let path = world.configured().await;
    let body = json!({ "device": { "enrollment_id": ENROLLMENT } });
    let deployed = deploy(&world, &format!("{path}/platforms/ios/deployments"), &body).await;
    let deployed = deployed.expect(201);
    let keys =
        json!({ "OktaVerify.OrgUrl": "acme.okta.com", "managementHint": "Tr1cky-Secret-Key" });
    assert_eq!(deployed["app_configuration"]["com.okta.mobile"], keys);
    let extension = payloads(&plist_of(&deployed["profiles"][0]));
    let data = extension[0].get("ExtensionData").and_then(plist::Value::as_dictionary);
    let data = data.expect("ExtensionData");
    assert_eq!((data.len(), text(data, "OktaVerify.OrgUrl")), (2, "acme.okta.com"));
    assert_eq!(deployed["trust_status"]["offered"], false);
    assert!(deployed["trust_status"]["text"].as_str().expect("text").contains("User Enrollment"));
    assert_eq!(deployed["channel"], "device");

    let events = world.get(&format!("{path}/events")).await.expect(200);
    let created = events["items"].as_array().expect("items").last().expect("an event").clone();
    assert_eq!(created["detail"]["device"], json!({ "enrollment_id": ENROLLMENT }));
    let delete = world.delete(&format!("{path}/platforms/ios")).await;
    assert_eq!(delete.expect_problem(409, "confirmation_required")["devices"], 1);
    world
        .ask_trust(&format!("/trust-status/devices/{ENROLLMENT}"))
        .await
        .expect_problem(422, "invalid_request");
}

#[tokio::test]
async fn a_device_is_named_by_its_hardware_or_by_its_enrollment_and_a_mac_never_by_the_latter() {
    let world = World::start().await;
    let path = world.configured().await;
    let iphone = json!({ "serial_number": "F2LABCDEFG12", "udid": "00008030-001A2B3C4D5E6F70" });
    let both = json!({ "serial_number": "F2LABCDEFG12", "enrollment_id": ENROLLMENT });
    let with_udid = json!({ "enrollment_id": ENROLLMENT, "udid": "00008030-001A2B3C4D5E6F70" });
    for (platform, device, pointer, code) in [
        ("ios", json!({}), "/device/serial_number", "missing"),
        ("ios", json!({ "serial_number": "", "udid": "" }), "/device/serial_number", "empty"),
        ("ios", json!({ "serial_number": ENROLLMENT }), "/device/serial_number", "too_long"),
        ("ios", both, "/device/enrollment_id", "ambiguous"),
        ("ios", with_udid, "/device/enrollment_id", "ambiguous"),
        ("ios", json!({ "enrollment_id": "a b" }), "/device/enrollment_id", "invalid_characters"),
        ("ios", json!({ "enrollment_id": null }), "/device/enrollment_id", "invalid"),
        (
            "macos",
            json!({ "enrollment_id": ENROLLMENT }),
            "/device/enrollment_id",
            "user_enrollment_not_supported",
        ),
    ] {
        let deployments = format!("{path}/platforms/{platform}/deployments");
        let refused = deploy(&world, &deployments, &json!({ "device": device })).await;
        let problem = refused.expect_problem(422, "invalid_request");
        let error = &problem["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!(pointer), &json!(code)));
        if platform == "ios" && pointer == "/device/serial_number" {
            let detail = error["detail"].as_str().expect("detail");
            assert!(detail.contains("User Enrollment"), "{detail}");
        }
    }
    let mint = json!({ "device": { "enrollment_id": ENROLLMENT } });
    let refused = deploy(&world, &format!("{path}/platforms/macos/scep-challenges"), &mint).await;
    let problem = refused.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["code"], "user_enrollment_not_supported");
    let deployments = format!("{path}/platforms/ios/deployments");
    let deployed = deploy(&world, &deployments, &json!({ "device": iphone })).await.expect(201);
    assert!(deployed.get("trust_status").is_none());
}

#[tokio::test]
async fn a_shared_ipad_is_configured_on_the_user_channel() {
    let world = World::start().await;
    let path = world.configured().await;
    let device = json!({ "serial_number": "F2LABCDEFG12", "udid": "00008030-001A2B3C4D5E6F70" });
    let body = json!({ "device": device, "options": { "scope": "user" } });
    let deployed = deploy(&world, &format!("{path}/platforms/ios/deployments"), &body).await;
    let deployed = deployed.expect(201);
    assert_eq!(deployed["channel"], "user");
    let profile = plist_of(&deployed["profiles"][0]);
    assert_eq!(text(profile.as_dictionary().expect("a profile"), "PayloadScope"), "User");
}

/// What a Mac is sent as `OktaVerify.EnrollmentOptions`, and the answer's header `Deprecation`.
async fn enrollment(world: &World, path: &str, options: Value) -> (String, String) {
    let body = json!({ "device": mac(), "parts": ["settings"], "options": options });
    let answer = deploy(world, &format!("{path}/platforms/macos/deployments"), &body).await;
    let deprecation = answer.header("deprecation").to_owned();
    let settings = payloads(&plist_of(&answer.expect(201)["profiles"][0]));
    let printed = format!("{:?}", settings[1]);
    let value = printed.split("OktaVerify.EnrollmentOptions").nth(1).unwrap_or_default();
    let value = value.split('"').nth(2).unwrap_or_default();
    (value.to_owned(), deprecation)
}

#[tokio::test]
async fn silent_enrollment_still_means_prompt_always_and_says_that_it_is_deprecated() {
    let world = World::start().await;
    let path = world.configured().await;
    for (options, value, deprecated) in [
        (json!({}), "", false),
        (json!({ "enrollment_options": "default" }), "", false),
        (json!({ "enrollment_options": "prompt_always" }), "Enabled", false),
        (json!({ "enrollment_options": "disabled" }), "Disabled", false),
        (json!({ "silent_enrollment": true }), "Enabled", true),
        (json!({ "silent_enrollment": false }), "", true),
        (json!({ "silent_enrollment": true, "enrollment_options": "disabled" }), "Disabled", true),
    ] {
        let (shown, deprecation) = enrollment(&world, &path, options.clone()).await;
        assert_eq!(shown, value, "{options}");
        assert_eq!(deprecation.starts_with('@'), deprecated, "{options} {deprecation}");
    }
}

#[tokio::test]
async fn a_long_common_name_is_rendered_in_full_and_a_longer_one_costs_no_challenge() {
    let world = World::start().await;
    let path = world.configured().await;
    let deployments = format!("{path}/platforms/macos/deployments");
    let name = "x".repeat(256 - 1 - MAC_UDID.len());
    let body = |template: &str| {
        json!({
            "device": { "serial_number": MAC, "udid": MAC_UDID }, "parts": ["certificate"],
            "options": { "subject_template": template },
        })
    };
    let deployed = deploy(&world, &deployments, &body(&name)).await.expect(201);
    let certificate = payloads(&plist_of(&deployed["profiles"][0]));
    let subject = format!("{:?}", certificate[0].get("PayloadContent"));
    assert!(subject.contains(&format!("{name} {MAC_UDID}")), "{subject}");
    let before = world.acme.scep_challenges().len();
    let refused = deploy(&world, &deployments, &body(&format!("{name}x"))).await;
    let problem = refused.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/options/subject_template");
    assert_eq!(problem["errors"][0]["code"], "too_long");
    assert_eq!(world.acme.scep_challenges().len(), before);
}
