//! Verdicts and reasons for the stored facts about a device.

use serde_json::json;

use crate::support::inventory::{MAC, UDID};
use crate::support::trust::{expect_verdict, managed};
use crate::support::world::World;

#[tokio::test]
async fn trusted_mac_shows_the_facts_of_its_verdict() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    let status = world.trust_status(&MAC.to_lowercase()).await;
    expect_verdict(&status, "trusted", "managed_and_active");
    assert_eq!(status["reasons"], json!(["managed_and_active"]));
    assert_eq!(status["integration_id"], id);
    assert_eq!(status["device"]["serial_number"], MAC);
    assert_eq!(status["device"]["enrollment"], "enrolled");
    assert_eq!(status["device"]["config_version"], 7);
    assert_eq!(status["okta_devices"][0]["okta_device_id"], format!("guo{MAC}"));
    assert_eq!(status["users"], managed());
    assert_eq!(status["certificate"]["serial_number"], "c300");
    assert_eq!(status["stale"], false);
    assert!(status.get("last_known").is_none());
    assert!(status["observed_at"].as_str() < status["fresh_until"].as_str());
}

#[tokio::test]
async fn each_state_of_a_device_has_its_reason() {
    let world = World::start().await;
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "not_known_to_mdm");
    world.insert_device(MAC, "macos");
    expect_verdict(&world.trust_status(MAC).await, "unknown", "never_connected");
    let id = world.swept_integration().await;
    world.forget_sweeps();
    expect_verdict(&world.trust_status(MAC).await, "unknown", "never_connected");
    world.set_swept("0");
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "config_not_delivered");
    world.insert_delivery(&id, MAC);
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "pending", "not_registered_in_okta");
    assert_eq!(status["reasons"][1], "certificate_missing");
    let user = json!([{ "id": "00u1", "login": "ada", "management_status": "NOT_MANAGED" }]);
    world.insert_okta_device(&id, "guo1", Some(MAC), &user);
    expect_verdict(&world.trust_status(MAC).await, "pending", "awaiting_fastpass_sign_in");
    world.set_record_users(None);
    expect_verdict(&world.trust_status(MAC).await, "unknown", "management_status_unknown");
    world.set_record_users(Some(&managed()));
    expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
    world.insert_certificate(&id, MAC, 0);
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "certificate_expired");
    world.insert_certificate(&id, MAC, 20);
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "trusted", "managed_and_active");
    assert_eq!(status["reasons"][1], "certificate_expiring");
    for (word, reason) in [
        ("SUSPENDED", "okta_device_suspended"),
        ("DEACTIVATED", "okta_device_deactivated"),
        ("SOMETHING_NEW", "okta_device_inactive"),
    ] {
        world.set_record_status(word);
        expect_verdict(&world.trust_status(MAC).await, "untrusted", reason);
    }
    world.set_record_status("ACTIVE");
    world.mark_record_not_found("guo1");
    expect_verdict(&world.trust_status(MAC).await, "pending", "not_registered_in_okta");
    world.forget_platform("macos");
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "platform_not_configured");
    world.set_enrollment_state(MAC, "wiped");
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "mdm_unenrolled");
    world.forget_credentials();
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "mdm_unenrolled");
}

#[tokio::test]
async fn certificates_of_an_earlier_enrolment_and_cleared_ones_do_not_count() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    world.insert_certificate(&id, MAC, 0);
    world.issue_certificate_now("c0");
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "certificate_expired");
    world.age_certificate_report("c0", "2 hours");
    world.begin_enrollment("1 hour");
    assert_eq!(world.trust_status(MAC).await["certificate"]["serial_number"], "c300");
    world.insert_removed_certificate(&id, MAC);
    let status = world.trust_status(MAC).await;
    assert_eq!(
        (&status["certificate"], &status["reasons"][1]),
        (&json!(null), &json!("certificate_missing"))
    );
}

#[tokio::test]
async fn iphone_without_a_record_is_unknown_if_a_record_is_unmatched() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_device("FVFXC2HJQ05N", "ios");
    world.insert_delivery(&id, "FVFXC2HJQ05N");
    // The delivered configuration does not contain serial number and UDID.
    world.set_identifiers_since(8);
    expect_verdict(&world.trust_status("FVFXC2HJQ05N").await, "pending", "not_registered_in_okta");
    // A record with another device's identifiers cannot belong to this one.
    world.insert_okta_device(&id, "guo1", Some("C02OTHER1DEF"), &managed());
    world.set_record_platform("IOS");
    expect_verdict(&world.trust_status("FVFXC2HJQ05N").await, "pending", "not_registered_in_okta");
    world.insert_okta_device(&id, "guo2", None, &managed());
    expect_verdict(&world.trust_status("FVFXC2HJQ05N").await, "unknown", "okta_record_unmatched");
    // Reported for another device, it cannot belong to this one; reported for this one, it does.
    world.insert_device("FVFXC2HJQ06N", "ios");

    world.set_okta_device_id("FVFXC2HJQ06N", "guo2");
    expect_verdict(&world.trust_status("FVFXC2HJQ05N").await, "pending", "not_registered_in_okta");
    world.set_okta_device_id("FVFXC2HJQ05N", "guo2");
    expect_verdict(&world.trust_status("FVFXC2HJQ05N").await, "trusted", "managed_and_active");
}

#[tokio::test]
async fn second_record_decides_after_a_wipe() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    world.insert_okta_device(&id, "guo2", Some(MAC), &json!([]));
    world.recreate_record("guo2");
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "pending", "awaiting_fastpass_sign_in");
    assert_eq!(status["reasons"][1], "duplicate_okta_records");
    assert_eq!(status["okta_devices"][0]["okta_device_id"], "guo2");
    assert_eq!(status["okta_devices"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn identifiers_of_different_devices_are_conflicting() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    world.insert_trusted_mac(&id, "C02OTHER1DEF");
    world.set_udid(MAC, UDID);
    world.set_record_udid(MAC, UDID);
    let devices = json!({ "devices": [
        { "serial_number": "C02OTHER1DEF", "udid": UDID },
        { "serial_number": "C02OTHER1DEF", "okta_device_id": format!("guo{MAC}") },
        { "serial_number": MAC, "udid": UDID, "okta_device_id": format!("guo{MAC}") },
        { "okta_device_id": format!("guo{MAC}") },
    ] });
    let found = world.query_trust(&devices).await.expect(200);
    expect_verdict(&found["items"][0], "untrusted", "conflicting_identity");
    assert_eq!(
        found["items"][0]["device"]["serial_number"], MAC,
        "the UDID comes before the serial"
    );
    expect_verdict(&found["items"][1], "untrusted", "conflicting_identity");
    expect_verdict(&found["items"][2], "trusted", "managed_and_active");
    expect_verdict(&found["items"][3], "trusted", "managed_and_active");
    // A record with another UDID belongs to another machine and does not block the Mac.
    world.set_record_udid(MAC, "00008030-001C45A83C98802E");
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "pending", "not_registered_in_okta");
    assert_eq!(status["reasons"][1], "foreign_okta_record");
    assert_eq!(status["okta_devices"][0]["standing"], "another_device");
}

#[tokio::test]
async fn queried_okta_id_and_serial_number_must_be_of_the_same_device() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    // A record without identifiers, and records of two devices, one of which is wiped.
    world.insert_okta_device(&id, "guoNameless", None, &managed());
    world.insert_trusted_mac(&id, "TRUSTED00001");
    world.set_okta_device_id("TRUSTED00001", "guoTRUSTED00001");
    world.insert_device("WIPED0000001", "macos");
    world.set_udid("WIPED0000001", UDID);
    world.set_enrollment_state("WIPED0000001", "wiped");
    let asked = [
        json!({ "serial_number": MAC, "okta_device_id": format!("guo{MAC}") }),
        json!({ "serial_number": MAC, "okta_device_id": "guoNobody" }),
        json!({ "serial_number": MAC, "okta_device_id": "guoNameless" }),
        json!({ "udid": UDID, "okta_device_id": "guoTRUSTED00001" }),
    ];
    let answer = world.query_trust(&json!({ "devices": asked })).await.expect(200);
    expect_verdict(&answer["items"][0], "trusted", "managed_and_active");
    // Okta is not read for one of several devices.
    expect_verdict(&answer["items"][1], "unknown", "okta_record_not_seen");
    for place in 2..4 {
        expect_verdict(&answer["items"][place], "untrusted", "conflicting_identity");
    }
    let shown = &answer["items"][0]["okta_devices"][0];
    assert_eq!((&shown["serial_number"], &shown["udid"]), (&json!(MAC), &json!(null)));
}

#[tokio::test]
async fn okta_verify_before_a_wipe_is_not_shown_after_it() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);

    world.install_okta_verify();
    assert!(world.trust_status(MAC).await["device"]["okta_verify_installed_at"].is_string());
    world.begin_enrollment("-1 second");
    let status = world.trust_status(MAC).await;
    assert_eq!(status["device"]["okta_verify_installed_at"], json!(null), "{status}");
}
