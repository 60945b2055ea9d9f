//! Histories of devices that once gave a wrong `trusted`: with real reports of the MDM, and with Okta's
//! records inserted as after a sweep.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::{Fault, NewDevice};

use crate::support::inventory::{MAC, UDID};
use crate::support::trust::{expect_verdict, managed};
use crate::support::world::World;

const OTHER_MAC: &str = "C02OTHER1DEF";
const OTHER_UDID: &str = "1B2C3D4E-0000-4000-8000-AAAABBBBCCCC";

fn ago(minutes: i64) -> DateTime<Utc> {
    Utc::now() - TimeDelta::minutes(minutes)
}

fn state(state: &str, at: DateTime<Utc>) -> Value {
    json!({ "platform": "macos", "enrollment": { "state": state, "reported_at": at } })
}

async fn report(world: &World, serial: &str, body: &Value) -> Value {
    let answer = world.report_device(serial, body).await;
    assert!(answer.status.is_success(), "{} {}", answer.status, answer.text);
    answer.json()
}

async fn deliver(world: &World, integration: &str, at: DateTime<Utc>) {
    let body = json!({ "platform": "macos", "deliveries": { integration: {
        "config_version": 7, "delivered_at": at, "reported_at": at } } });
    report(world, MAC, &body).await;
}

/// Adds a trusted Mac: enrolled and configured a day ago, with Ada's record of two days ago.
async fn trusted_mac(world: &World) -> String {
    let id = world.swept_integration().await;
    let at = ago(24 * 60);
    let mut enrolled = state("enrolled", at);
    enrolled["udid"] = UDID.into();
    report(world, MAC, &enrolled).await;
    deliver(world, &id, at).await;
    world.insert_okta_device(&id, "guo1", Some(MAC), &managed());
    world.set_record_udid(MAC, UDID);
    expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
    id
}

async fn ask_one(world: &World, device: Value) -> Value {
    let found = world.query_trust(&json!({ "devices": [device] })).await.expect(200);
    found["items"][0].clone()
}

/// Adds an older record of the trusted Mac.
async fn with_older_record(world: &World, status: &str, users: &Value) {
    let id = trusted_mac(world).await;
    world.insert_okta_device(&id, "guo0", Some(MAC), users);
    world.set_record_udid(MAC, UDID);
    world.age_record("guo0", "20 days", status);
}

#[tokio::test]
async fn old_record_is_not_trusted_if_a_newer_one_exists() {
    let unmanaged = json!([{ "id": "00u9", "login": "eve", "management_status": "NOT_MANAGED" }]);
    for (status, users) in [("SUSPENDED", managed()), ("ACTIVE", unmanaged)] {
        let world = World::start().await;
        with_older_record(&world, status, &users).await;
        for asked in [
            json!({ "okta_device_id": "guo0" }),
            json!({ "okta_device_id": "guo0", "serial_number": MAC }),
        ] {
            let answer = ask_one(&world, asked).await;
            expect_verdict(&answer, "untrusted", "okta_record_superseded");
            assert_eq!(answer["users"], json!([]));
        }
        let answer = ask_one(&world, json!({ "okta_device_id": "guo1" })).await;
        expect_verdict(&answer, "trusted", "managed_and_active");
    }
}

#[tokio::test]
async fn wiped_and_reenrolled_mac_waits_for_a_sign_in() {
    let world = World::start().await;
    let id = trusted_mac(&world).await;
    report(&world, MAC, &state("wiped", ago(60))).await;
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "mdm_unenrolled");
    report(&world, MAC, &state("enrolled", ago(50))).await;
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "untrusted", "config_not_delivered");
    assert_eq!(status["users"], json!([]), "Ada used it before the wipe");
    deliver(&world, &id, ago(48)).await;
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "pending", "awaiting_fastpass_sign_in");
    assert_eq!(status["okta_devices"][0]["standing"], "not_used_since_enrolment");
    assert_eq!(status["okta_devices"][0]["users"][0]["counts"], false);
    assert_eq!(status["users"], json!([]));
}

#[tokio::test]
async fn okta_id_reported_before_a_wipe_does_not_match() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    let at = ago(24 * 60);
    let enrolled = json!({ "platform": "ios", "okta_device_id": "guo1", "reported_at": at,
        "enrollment": { "state": "enrolled", "reported_at": at },
        "deliveries": { &id: { "config_version": 7, "delivered_at": at, "reported_at": at } } });
    report(&world, MAC, &enrolled).await;
    world.insert_okta_device(&id, "guo1", None, &managed());
    expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
    for (name, minutes) in [("wiped", 60), ("enrolled", 50)] {
        let body = json!({ "platform": "ios",
            "enrollment": { "state": name, "reported_at": ago(minutes) } });
        report(&world, MAC, &body).await;
    }
    let delivered = json!({ "platform": "ios", "deliveries": { &id: {
        "config_version": 7, "delivered_at": ago(40), "reported_at": ago(40) } } });
    report(&world, MAC, &delivered).await;
    let status = world.trust_status(MAC).await;
    assert_ne!(status["trust"], "trusted", "{status}");
    assert_eq!(status["device"]["okta_device_id"], json!(null));
    let by_id = ask_one(&world, json!({ "okta_device_id": "guo1" })).await;
    assert_ne!(by_id["trust"], "trusted", "{by_id}");
}

#[tokio::test]
async fn reenrolled_mac_is_not_trusted_without_a_delivery() {
    for leave in ["unenrolled", "deleted"] {
        let world = World::start().await;
        trusted_mac(&world).await;
        if leave == "deleted" {
            let path = format!("/devices/{MAC}");
            world.ask_inventory(Method::DELETE, &path, None).await.expect(200);
            report(&world, MAC, &state("enrolled", Utc::now() + TimeDelta::seconds(1))).await;
        } else {
            report(&world, MAC, &state(leave, ago(60))).await;
            report(&world, MAC, &state("enrolled", ago(50))).await;
        }
        let status = world.trust_status(MAC).await;
        expect_verdict(&status, "untrusted", "config_not_delivered");
    }
}

#[tokio::test]
async fn windows_record_with_a_macs_serial_number_does_not_match() {
    let world = World::start().await;
    trusted_mac(&world).await;
    world.set_record_platform("WINDOWS");
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "pending", "not_registered_in_okta");
    assert_eq!(status["reasons"][1], "certificate_missing");
    assert_eq!(status["reasons"][2], "foreign_okta_record");
    let by_id = ask_one(&world, json!({ "okta_device_id": "guo1" })).await;
    expect_verdict(&by_id, "untrusted", "conflicting_identity");
}

#[tokio::test]
async fn late_wipe_report_counts() {
    let world = World::start().await;
    let id = trusted_mac(&world).await;
    report(&world, MAC, &state("enrolled", ago(50))).await;
    deliver(&world, &id, ago(48)).await;
    let answer = report(&world, MAC, &state("wiped", ago(60))).await;
    assert_eq!(answer["results"]["enrollment"], "applied", "{answer}");
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "pending", "awaiting_fastpass_sign_in");
}

#[tokio::test]
async fn report_from_a_clock_ahead_hides_no_wipe() {
    let world = World::start().await;
    trusted_mac(&world).await;
    let ahead = Utc::now() + TimeDelta::seconds(290);
    report(&world, MAC, &state("enrolled", ahead)).await;
    report(&world, MAC, &state("wiped", Utc::now())).await;
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "mdm_unenrolled");
}

#[tokio::test]
async fn wipe_with_another_devices_udid_counts() {
    let world = World::start().await;
    trusted_mac(&world).await;
    let mut other = state("enrolled", ago(60));
    other["udid"] = OTHER_UDID.into();
    report(&world, OTHER_MAC, &other).await;
    let mut wiped = state("wiped", ago(1));
    wiped["udid"] = OTHER_UDID.into();
    let answer = report(&world, MAC, &wiped).await;
    assert_eq!(answer["results"]["identity"], "identifier_taken", "{answer}");
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "mdm_unenrolled");
}

#[tokio::test]
async fn departed_device_is_not_trusted_by_udid_without_required_inventory() {
    for leave in ["wiped", "deleted"] {
        let world = World::build().setting("ODT_TRUST_REQUIRE_INVENTORY", "false").start().await;
        trusted_mac(&world).await;
        if leave == "deleted" {
            let path = format!("/devices/{MAC}");
            world.ask_inventory(Method::DELETE, &path, None).await.expect(200);
        } else {
            report(&world, MAC, &state(leave, ago(1))).await;
        }
        for asked in [
            json!({ "udid": UDID }),
            json!({ "serial_number": MAC }),
            json!({ "okta_device_id": "guo1" }),
        ] {
            let answer = ask_one(&world, asked).await;
            expect_verdict(&answer, "untrusted", "mdm_unenrolled");
        }
    }
}

#[tokio::test]
async fn deleted_mac_is_not_trusted_by_a_udid_that_only_okta_has() {
    let world = World::build().setting("ODT_TRUST_REQUIRE_INVENTORY", "false").start().await;
    let id = world.swept_integration().await;
    report(&world, MAC, &state("enrolled", ago(60))).await;
    world.insert_okta_device(&id, "guo1", Some(MAC), &managed());
    world.set_record_udid(MAC, UDID);
    let path = format!("/devices/{MAC}");
    world.ask_inventory(Method::DELETE, &path, None).await.expect(200);
    let answer = ask_one(&world, json!({ "udid": UDID })).await;
    assert_ne!(answer["trust"], "trusted", "{answer}");
}

#[tokio::test]
async fn foreign_record_with_the_serial_number_does_not_block_the_mac() {
    let world = World::start().await;
    let id = trusted_mac(&world).await;
    world.insert_okta_device(&id, "guoStranger", Some(MAC), &managed());
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "trusted", "managed_and_active");
    let reasons = status["reasons"].as_array().expect("reasons");
    assert!(reasons.contains(&json!("foreign_okta_record")), "{status}");
    let by_id = ask_one(&world, json!({ "okta_device_id": "guoStranger" })).await;
    expect_verdict(&by_id, "untrusted", "conflicting_identity");
}

#[tokio::test]
async fn okta_id_missing_from_the_mirror_is_read_by_id() {
    let world = World::start().await;
    let id = trusted_mac(&world).await;
    let unseen = world.acme.add_device(NewDevice::mac(MAC, UDID));
    let user = world.acme.add_user("bob@acme.example");
    world.acme.sign_in_with_fastpass(&unseen, &user).expect("device and user");
    let answer = ask_one(&world, json!({ "okta_device_id": unseen })).await;
    expect_verdict(&answer, "trusted", "managed_and_active");
    assert_eq!(answer["users"][0]["login"], "bob@acme.example");
    assert_eq!(answer["integration_id"], id);
    // The budget for live reads is exhausted.
    let answer = ask_one(&world, json!({ "okta_device_id": "guoUnread" })).await;
    expect_verdict(&answer, "unknown", "okta_record_not_seen");
}

#[tokio::test]
async fn okta_id_is_conflicting_by_404_and_unknown_during_an_outage() {
    let world = World::start().await;
    trusted_mac(&world).await;
    let answer = ask_one(&world, json!({ "okta_device_id": "guoNobody" })).await;
    expect_verdict(&answer, "untrusted", "conflicting_identity");
    let world = World::start().await;
    trusted_mac(&world).await;
    world.acme.fail(Fault::status(503));
    let answer = ask_one(&world, json!({ "okta_device_id": "guoNobody" })).await;
    expect_verdict(&answer, "unknown", "okta_record_not_seen");
}
