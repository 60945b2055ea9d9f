//! Trust status as gateways and front ends ask for it. What the MDM and Okta said is written into the
//! tables: how it gets there is told elsewhere.

mod days;
mod queries;

use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::OrgSetup;

use crate::platforms::configured;
use crate::support::world::{Answer, INTEGRATIONS, World};

pub const MAC: &str = "C02ABC123DEF";

pub const UDID: &str = "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D";

/// A tenant with both platforms configured and an org that was just read; its integration.
pub async fn swept(world: &World) -> String {
    let path = configured(world).await;
    let id = path.rsplit('/').next().expect("id").to_owned();
    world.sql(&format!(
        "INSERT INTO okta_syncs (tenant_id, integration_id, swept_at) VALUES ('{}', '{id}', now()) \
         ON CONFLICT (tenant_id, integration_id) DO UPDATE SET swept_at = now()",
        world.tenant
    ));
    id
}

pub fn add_device(world: &World, serial: &str, platform: &str) {
    let tenant = &world.tenant;
    world.sql(&format!(
        "INSERT INTO devices (tenant_id, serial_number, platform, enrollment_state, enrolled_at, \
            enrollment_reported_at, reported_at) \
         VALUES ('{tenant}', '{serial}', '{platform}', 'enrolled', now(), now(), now())"
    ));
}

pub fn deliver(world: &World, integration: &str, serial: &str) {
    let tenant = &world.tenant;
    world.sql(&format!(
        "INSERT INTO device_deliveries (tenant_id, serial_number, integration_id, config_version, \
            delivered_at, reported_at) \
         VALUES ('{tenant}', '{serial}', '{integration}', 7, now(), now())"
    ));
}

pub fn certify(world: &World, integration: &str, serial: &str, days: i32) {
    let tenant = &world.tenant;
    world.sql(&format!(
        "INSERT INTO device_certificates VALUES ('{tenant}', '{serial}', '{integration}', 'c{days}', \
            now() - interval '400 days' + interval '{days} days', \
            now() + interval '{days} days' - interval '1 hour', now())"
    ));
}

pub fn add_record(world: &World, integration: &str, id: &str, serial: Option<&str>, users: &Value) {
    let tenant = &world.tenant;
    let serial = serial.map_or_else(|| "NULL".to_owned(), |serial| format!("'{serial}'"));
    let platform = if serial == "NULL" { "IOS" } else { "MACOS" };
    world.sql(&format!(
        "INSERT INTO okta_devices (tenant_id, integration_id, okta_device_id, platform, status, \
            serial_number, created_at, last_updated_at, users, users_known, any_managed, observed_at) \
         VALUES ('{tenant}', '{integration}', '{id}', '{platform}', 'ACTIVE', {serial}, \
            now() - interval '2 days', now(), '{users}', true, true, now() - interval '1 hour')"
    ));
}

pub fn managed() -> Value {
    json!([{ "id": "00u1", "login": "ada@acme.example", "management_status": "MANAGED" }])
}

/// A Mac that is trusted.
pub fn trusted_mac(world: &World, integration: &str, serial: &str) {
    add_device(world, serial, "macos");
    deliver(world, integration, serial);
    certify(world, integration, serial, 300);
    add_record(world, integration, &format!("guo{serial}"), Some(serial), &managed());
}

pub async fn ask(world: &World, path: &str) -> Answer {
    world.ask(Method::GET, path).scopes(&["trust:read"]).send().await
}

pub async fn status_of(world: &World, serial: &str) -> Value {
    ask(world, &format!("/trust-status/devices/{serial}")).await.expect(200)
}

pub async fn query(world: &World, body: &Value) -> Answer {
    let ask = world.ask(Method::POST, "/trust-status/devices/query").scopes(&["trust:read"]);
    ask.json(body).send().await
}

#[track_caller]
pub fn expect_verdict(status: &Value, trust: &str, reason: &str) {
    assert_eq!(
        (&status["trust"], &status["reasons"][0]),
        (&json!(trust), &json!(reason)),
        "{status}"
    );
    assert_eq!(status["remediation"][0]["reason"], reason);
}

#[tokio::test]
async fn a_trusted_mac_shows_what_its_verdict_rests_on() {
    let world = World::start().await;
    let id = swept(&world).await;
    trusted_mac(&world, &id, MAC);
    let status = status_of(&world, &MAC.to_lowercase()).await;
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
async fn each_state_of_a_device_is_told_with_its_reason() {
    let world = World::start().await;
    expect_verdict(&status_of(&world, MAC).await, "unknown", "never_connected");
    let id = swept(&world).await;
    world.sql("UPDATE okta_syncs SET swept_at = NULL");
    expect_verdict(&status_of(&world, MAC).await, "unknown", "never_connected");
    world.sql("UPDATE okta_syncs SET swept_at = now()");
    expect_verdict(&status_of(&world, MAC).await, "untrusted", "not_known_to_mdm");
    add_device(&world, MAC, "macos");
    expect_verdict(&status_of(&world, MAC).await, "untrusted", "config_not_delivered");
    deliver(&world, &id, MAC);
    let status = status_of(&world, MAC).await;
    expect_verdict(&status, "pending", "not_registered_in_okta");
    assert_eq!(status["reasons"][1], "certificate_missing");
    let user = json!([{ "id": "00u1", "login": "ada", "management_status": "NOT_MANAGED" }]);
    add_record(&world, &id, "guo1", Some(MAC), &user);
    expect_verdict(&status_of(&world, MAC).await, "pending", "awaiting_fastpass_sign_in");
    world.sql("UPDATE okta_devices SET users_known = false");
    expect_verdict(&status_of(&world, MAC).await, "unknown", "management_status_unknown");
    world.sql(&format!("UPDATE okta_devices SET users_known = true, users = '{}'", managed()));
    expect_verdict(&status_of(&world, MAC).await, "trusted", "managed_and_active");
    certify(&world, &id, MAC, 0);
    expect_verdict(&status_of(&world, MAC).await, "untrusted", "certificate_expired");
    certify(&world, &id, MAC, 20);
    let status = status_of(&world, MAC).await;
    expect_verdict(&status, "trusted", "managed_and_active");
    assert_eq!(status["reasons"][1], "certificate_expiring");
    for (word, reason) in [
        ("SUSPENDED", "okta_device_suspended"),
        ("DEACTIVATED", "okta_device_deactivated"),
        ("SOMETHING_NEW", "okta_device_inactive"),
    ] {
        world.sql(&format!("UPDATE okta_devices SET status = '{word}'"));
        expect_verdict(&status_of(&world, MAC).await, "untrusted", reason);
    }
    world.sql("UPDATE okta_devices SET status = 'ACTIVE', not_found_at = now()");
    expect_verdict(&status_of(&world, MAC).await, "untrusted", "okta_device_inactive");
    world.sql("DELETE FROM platforms WHERE platform = 'macos'");
    expect_verdict(&status_of(&world, MAC).await, "untrusted", "platform_not_configured");
    world.sql("UPDATE devices SET enrollment_state = 'wiped'");
    expect_verdict(&status_of(&world, MAC).await, "untrusted", "mdm_unenrolled");
    world.sql("DELETE FROM credentials");
    expect_verdict(&status_of(&world, MAC).await, "unknown", "never_connected");
}

#[tokio::test]
async fn certificates_of_an_earlier_enrolment_and_those_taken_away_do_not_count() {
    let world = World::start().await;
    let id = swept(&world).await;
    trusted_mac(&world, &id, MAC);
    certify(&world, &id, MAC, 0);
    world.sql(
        "UPDATE device_certificates SET not_before = now() WHERE certificate_serial_number = 'c0'",
    );
    expect_verdict(&status_of(&world, MAC).await, "untrusted", "certificate_expired");
    world.sql("UPDATE device_certificates SET reported_at = now() - interval '2 hours' WHERE certificate_serial_number = 'c0'");
    world.sql("UPDATE devices SET counts_from = now() - interval '1 hour'");
    assert_eq!(status_of(&world, MAC).await["certificate"]["serial_number"], "c300");
    world.sql(&format!(
        "INSERT INTO device_certificates VALUES ('{}', '{MAC}', '{id}', '', NULL, NULL, now())",
        world.tenant
    ));
    let status = status_of(&world, MAC).await;
    assert_eq!(
        (&status["certificate"], &status["reasons"][1]),
        (&json!(null), &json!("certificate_missing"))
    );
}

#[tokio::test]
async fn an_iphone_without_a_record_is_unknown_while_a_record_of_the_org_names_no_device() {
    let world = World::start().await;
    let id = swept(&world).await;
    add_device(&world, "FVFXC2HJQ05N", "ios");
    deliver(&world, &id, "FVFXC2HJQ05N");
    expect_verdict(&status_of(&world, "FVFXC2HJQ05N").await, "pending", "not_registered_in_okta");
    // A record that names another device cannot be this one.
    add_record(&world, &id, "guo1", Some("C02OTHER1DEF"), &managed());
    world.sql("UPDATE okta_devices SET platform = 'IOS'");
    expect_verdict(&status_of(&world, "FVFXC2HJQ05N").await, "pending", "not_registered_in_okta");
    add_record(&world, &id, "guo2", None, &managed());
    expect_verdict(&status_of(&world, "FVFXC2HJQ05N").await, "unknown", "okta_record_unmatched");
    // Claimed by another device, it cannot be this one; claimed by this one, it is.
    add_device(&world, "FVFXC2HJQ06N", "ios");
    let claim = |serial: &str| {
        world.sql("UPDATE devices SET okta_device_id = NULL");
        world.sql(&format!(
            "UPDATE devices SET okta_device_id = 'guo2' WHERE serial_number = '{serial}'"
        ));
    };
    claim("FVFXC2HJQ06N");
    expect_verdict(&status_of(&world, "FVFXC2HJQ05N").await, "pending", "not_registered_in_okta");
    claim("FVFXC2HJQ05N");
    expect_verdict(&status_of(&world, "FVFXC2HJQ05N").await, "trusted", "managed_and_active");
}

#[tokio::test]
async fn after_a_wipe_the_second_record_decides() {
    let world = World::start().await;
    let id = swept(&world).await;
    trusted_mac(&world, &id, MAC);
    add_record(&world, &id, "guo2", Some(MAC), &json!([]));
    world.sql("UPDATE okta_devices SET created_at = now() WHERE okta_device_id = 'guo2'");
    let status = status_of(&world, MAC).await;
    expect_verdict(&status, "pending", "awaiting_fastpass_sign_in");
    assert_eq!(status["reasons"][1], "duplicate_okta_records");
    assert_eq!(status["okta_devices"][0]["okta_device_id"], "guo2");
    assert_eq!(status["okta_devices"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn identifiers_of_different_devices_are_not_trusted() {
    let world = World::start().await;
    let id = swept(&world).await;
    trusted_mac(&world, &id, MAC);
    trusted_mac(&world, &id, "C02OTHER1DEF");
    world.sql(&format!("UPDATE devices SET udid = '{UDID}' WHERE serial_number = '{MAC}'"));
    let devices = json!({ "devices": [
        { "serial_number": "C02OTHER1DEF", "udid": UDID },
        { "serial_number": "C02OTHER1DEF", "okta_device_id": format!("guo{MAC}") },
        { "serial_number": MAC, "udid": UDID, "okta_device_id": format!("guo{MAC}") },
        { "okta_device_id": format!("guo{MAC}") },
    ] });
    let found = query(&world, &devices).await.expect(200);
    expect_verdict(&found["items"][0], "untrusted", "conflicting_identity");
    assert_eq!(
        found["items"][0]["device"]["serial_number"], MAC,
        "the UDID comes before the serial"
    );
    expect_verdict(&found["items"][1], "untrusted", "conflicting_identity");
    expect_verdict(&found["items"][2], "trusted", "managed_and_active");
    expect_verdict(&found["items"][3], "trusted", "managed_and_active");
    world.sql(&format!(
        "UPDATE okta_devices SET udid = '00008030-001C45A83C98802E' WHERE serial_number = '{MAC}'"
    ));
    expect_verdict(&status_of(&world, MAC).await, "untrusted", "conflicting_identity");
}

#[tokio::test]
async fn facts_grow_stale_after_15_minutes_and_decide_nothing_after_a_day() {
    let world = World::start().await;
    let id = swept(&world).await;
    trusted_mac(&world, &id, MAC);
    let age = |minutes: i32| {
        world
            .sql(&format!("UPDATE okta_syncs SET swept_at = now() - interval '{minutes} minutes'"));
        world.sql("UPDATE okta_devices SET observed_at = now() - interval '9 days'");
    };
    age(16);
    let answer = ask(&world, &format!("/trust-status/devices/{MAC}")).await;
    assert_eq!(answer.header("cache-control"), "private, max-age=0");
    let status = answer.expect(200);
    expect_verdict(&status, "trusted", "managed_and_active");
    assert_eq!(status["stale"], true);
    // A row that was read by itself is as fresh as that read.
    world.sql("UPDATE okta_devices SET observed_at = now()");
    assert_eq!(status_of(&world, MAC).await["stale"], false);
    age(1439);
    expect_verdict(&status_of(&world, MAC).await, "trusted", "managed_and_active");
    age(1441);
    let status = status_of(&world, MAC).await;
    expect_verdict(&status, "unknown", "okta_unreachable");
    assert_eq!(status["last_known"]["trust"], "trusted");
    assert_eq!(status["last_known"]["observed_at"], status["observed_at"]);
    assert_eq!(status["fresh_until"], json!(null));
}

#[tokio::test]
async fn an_id_of_oktas_beside_a_serial_number_has_to_be_of_the_same_device() {
    let world = World::start().await;
    let id = swept(&world).await;
    trusted_mac(&world, &id, MAC);
    // A record that names no device, and one of the devices of which another is wiped.
    add_record(&world, &id, "guoNameless", None, &managed());
    trusted_mac(&world, &id, "TRUSTED00001");
    world.sql(&format!(
        "UPDATE devices SET okta_device_id = 'guoTRUSTED00001' WHERE serial_number = 'TRUSTED00001'; \
         INSERT INTO devices (tenant_id, serial_number, platform, udid, enrollment_state, \
            enrollment_reported_at, reported_at) \
         VALUES ('{}', 'WIPED0000001', 'macos', '{UDID}', 'wiped', now(), now())",
        world.tenant
    ));
    let asked = [
        json!({ "serial_number": MAC, "okta_device_id": format!("guo{MAC}") }),
        json!({ "serial_number": MAC, "okta_device_id": "guoNobody" }),
        json!({ "serial_number": MAC, "okta_device_id": "guoNameless" }),
        json!({ "udid": UDID, "okta_device_id": "guoTRUSTED00001" }),
    ];
    let answer = query(&world, &json!({ "devices": asked })).await.expect(200);
    expect_verdict(&answer["items"][0], "trusted", "managed_and_active");
    for place in 1..4 {
        expect_verdict(&answer["items"][place], "untrusted", "conflicting_identity");
    }
    let shown = &answer["items"][0]["okta_devices"][0];
    assert_eq!((&shown["serial_number"], &shown["udid"]), (&json!(MAC), &json!(null)));
}

#[tokio::test]
async fn what_was_installed_before_a_wipe_is_not_told_after_it() {
    let world = World::start().await;
    let id = swept(&world).await;
    trusted_mac(&world, &id, MAC);
    let install =
        "UPDATE devices SET okta_verify_installed_at = now(), okta_verify_reported_at = now()";
    world.sql(install);
    assert!(status_of(&world, MAC).await["device"]["okta_verify_installed_at"].is_string());
    world.sql("UPDATE devices SET counts_from = now() + interval '1 second'");
    let status = status_of(&world, MAC).await;
    assert_eq!(status["device"]["okta_verify_installed_at"], json!(null), "{status}");
}

#[tokio::test]
async fn a_record_that_the_last_sweep_did_not_confirm_is_shown_as_old_as_it_is() {
    let world = World::start().await;
    let id = swept(&world).await;
    trusted_mac(&world, &id, MAC);
    world.sql("UPDATE okta_devices SET follows_sweeps = false");
    let status = status_of(&world, MAC).await;
    expect_verdict(&status, "trusted", "managed_and_active");
    assert_eq!(status["stale"], true);
    assert_eq!(status["okta_devices"][0]["observed_at"], status["observed_at"], "{status}");
}

#[tokio::test]
async fn a_callers_max_age_lowers_the_bound() {
    let world = World::start().await;
    let id = swept(&world).await;
    trusted_mac(&world, &id, MAC);
    world.sql("UPDATE okta_syncs SET swept_at = now() - interval '5 minutes'");
    let path = |max_age: &str| format!("/trust-status/devices/{MAC}?max_age={max_age}");
    let status = ask(&world, &path("3600")).await.expect(200);
    expect_verdict(&status, "trusted", "managed_and_active");
    // One device alone would be asked of Okta: how that goes is told in `trust_days`.
    let body = json!({ "devices": [{ "serial_number": MAC }], "max_age": 60 });
    let found = query(&world, &body).await.expect(200);
    let status = &found["items"][0];
    expect_verdict(status, "unknown", "okta_unreachable");
    assert_eq!(
        (&status["stale"], &status["last_known"]["trust"]),
        (&json!(false), &json!("trusted"))
    );
    for bad in ["-1", "86401"] {
        let problem = ask(&world, &path(bad)).await.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/query/max_age");
    }
    ask(&world, &path("soon")).await.expect_problem(400, "malformed_request");
}

#[tokio::test]
async fn the_etag_changes_with_the_answer_and_not_when_the_same_is_seen_again() {
    let world = World::start().await;
    let id = swept(&world).await;
    trusted_mac(&world, &id, MAC);
    let path = format!("/trust-status/devices/{MAC}");
    let first = ask(&world, &path).await;
    assert!(!first.header("last-modified").is_empty());
    assert_eq!(first.header("vary").to_ascii_lowercase().matches("authorization").count(), 1);
    let cache = first.header("cache-control");
    let seconds = cache.strip_prefix("private, max-age=").and_then(|text| text.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| (600..=900).contains(&seconds)), "{cache}");
    world.sql("UPDATE okta_syncs SET swept_at = now() + interval '1 second'");
    world.sql("UPDATE okta_devices SET observed_at = now() + interval '2 seconds'");
    let again = ask(&world, &path).await;
    assert_eq!(again.etag(), first.etag());
    assert_ne!(again.text, first.text, "it was seen later");
    let conditional = |tag: &str| {
        let ask = world.ask(Method::GET, &path).scopes(&["trust:read"]);
        ask.header("if-none-match", tag).send()
    };
    for tag in [first.etag().to_owned(), format!("\"x\", W/{}", first.etag()), "*".to_owned()] {
        let known = conditional(&tag).await;
        assert_eq!((known.status.as_u16(), known.text.as_str()), (304, ""), "{tag}");
        assert_eq!(known.etag(), first.etag());
        assert!(known.header("cache-control").starts_with("private"));
    }
    world.sql("UPDATE okta_devices SET status = 'SUSPENDED'");
    let changed = conditional(first.etag()).await;
    assert_ne!(changed.etag(), first.etag());
    expect_verdict(&changed.expect(200), "untrusted", "okta_device_suspended");
}

#[tokio::test]
async fn of_several_integrations_one_has_to_be_named_and_each_has_its_own_verdict() {
    let world = World::build().org(OrgSetup::new("globex")).start().await;
    let first = swept(&world).await;
    trusted_mac(&world, &first, MAC);
    let created = json!({ "okta_domain": "globex.okta.com" });
    let second = world.post(INTEGRATIONS, &created).await.expect(201)["id"].clone();
    let second = second.as_str().expect("id").to_owned();
    let body = json!({ "devices": [{ "serial_number": MAC }] });
    let mut refused = vec![query(&world, &body).await];
    let one = format!("/trust-status/devices/{MAC}");
    for path in [one.as_str(), "/trust-status/devices", "/trust-status"] {
        refused.push(ask(&world, path).await);
    }
    for answer in refused {
        let problem = answer.expect_problem(409, "integration_ambiguous");
        let named = problem["integrations"].as_array().expect("integrations");
        let ids: Vec<&str> =
            named.iter().filter_map(|one| one["integration_id"].as_str()).collect();
        assert_eq!(ids, [first.as_str(), second.as_str()]);
        assert_eq!(named[1]["okta_domain"], "globex.okta.com");
    }
    let of = async |id: &str| ask(&world, &format!("{one}?integration_id={id}")).await;
    expect_verdict(&of(&first).await.expect(200), "trusted", "managed_and_active");
    expect_verdict(&of(&second).await.expect(200), "unknown", "never_connected");
    for unknown in ["0193d2a4-5b1c-7c43-8b5e-2f8d1c0a9e77", "no-id"] {
        of(unknown).await.expect_problem(404, "not_found");
        for path in ["/trust-status/devices", "/trust-status"] {
            let path = format!("{path}?integration_id={unknown}");
            ask(&world, &path).await.expect_problem(404, "not_found");
        }
        let body = json!({ "devices": [{ "serial_number": MAC }], "integration_id": unknown });
        query(&world, &body).await.expect_problem(404, "not_found");
    }
}

#[tokio::test]
async fn another_tenant_sees_nothing_of_a_device_and_has_its_own_of_the_same_serial() {
    let mut world = World::start().await;
    let id = swept(&world).await;
    trusted_mac(&world, &id, MAC);
    let owner = std::mem::replace(&mut world.tenant, "stranger".to_owned());
    let status = status_of(&world, MAC).await;
    expect_verdict(&status, "unknown", "never_connected");
    assert_eq!((&status["device"], &status["okta_devices"]), (&json!(null), &json!([])));
    let foreign = format!("/trust-status/devices/{MAC}?integration_id={id}");
    ask(&world, &foreign).await.expect_problem(404, "not_found");
    assert_eq!(ask(&world, "/trust-status").await.expect(200)["total"], 0);
    assert_eq!(ask(&world, "/trust-status/devices").await.expect(200)["items"], json!([]));
    swept(&world).await;
    add_device(&world, MAC, "ios");
    expect_verdict(&status_of(&world, MAC).await, "untrusted", "config_not_delivered");
    world.tenant = owner;
    expect_verdict(&status_of(&world, MAC).await, "trusted", "managed_and_active");
}

#[tokio::test]
async fn trust_is_told_to_those_with_the_scope_alone() {
    let world = World::start().await;
    let others = ["odt:read", "odt:write", "odt:deploy", "odt:inventory"];
    let one = format!("/trust-status/devices/{MAC}");
    for path in ["/trust-status", "/trust-status/devices", "/trust-status/devices/x", one.as_str()]
    {
        let answer = world.ask(Method::GET, path).scopes(&others).send().await;
        answer.expect_problem(403, "scope_missing");
    }
    let ask = world.ask(Method::POST, "/trust-status/devices/query").scopes(&others);
    ask.json(&json!({ "devices": [] })).send().await.expect_problem(403, "scope_missing");
}
