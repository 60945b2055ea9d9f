//! The mirror without failures: what a sweep stores, what is re-read, and what callers see.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::{NewDevice, OrgSetup};

use crate::support::answer::item;
use crate::support::fleet::{DEVICES, mirroring};
use crate::support::wait::until;
use crate::support::world::World;

#[tokio::test]
async fn sweep_stores_every_device_once_and_minimal_user_data() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(450);
    let ada = world.acme.add_user("ada@acme.example");
    world.acme.sign_in_with_fastpass(&ids[7], &ada).expect("device");
    let path = world.connected().await;
    let sync = world.until_mirrored(&path).await;
    assert_eq!((&sync["devices"], &sync["unmatched"]), (&json!(450), &json!(450)));
    assert_eq!(sync["progress"]["expected"], 450);
    assert_eq!(sync["full_sweep_minutes"], 1);
    assert!(sync.get("last_error").is_none(), "{sync}");
    let pages = world.acme.journal().count(DEVICES);
    assert_eq!(pages, 3, "three pages of 200");
    let record = world.until_record(&path, &ids[7], |record| !record.is_null()).await;
    assert_eq!(
        record["users"],
        json!([{ "id": ada, "login": "ada@acme.example", "management_status": "MANAGED",
                "status": "ACTIVE", "created": record["users"][0]["created"] }])
    );
    assert_eq!(record["serial_number"], "C02SYNC00007");
    let kept = world.fields_of_stored_users();
    assert_eq!(kept, ["created", "id", "login", "management_status", "status"]);
}

#[tokio::test]
async fn adaptive_mfa_is_inferred_only_from_a_managed_user() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(2);
    let ada = world.acme.add_user("ada@acme.example");
    world.acme.enroll(&ids[0], &ada).expect("device");
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    let outcome = async || {
        let report = world.get(&format!("{path}/prerequisites")).await.expect(200);
        item(&report, "adaptive_mfa").clone()
    };
    assert_eq!(outcome().await["outcome"], "unknown");
    world.acme.sign_in_with_fastpass(&ids[0], &ada).expect("device");
    world.sweep_again(&path).await;
    until("adaptive MFA is inferred", async || outcome().await["outcome"] == "inferred").await;
    assert_eq!(outcome().await["reason"], "managed_user_seen");
}

#[tokio::test]
async fn second_sweep_writes_no_unchanged_row() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(3);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    let before = world.record_versions();
    world.sweep_again(&path).await;
    assert_eq!(world.record_versions(), before);
    world.acme.set_device_status(&ids[1], "SUSPENDED").expect("device");
    world.sweep_again(&path).await;
    assert_ne!(world.record_versions(), before);
}

#[tokio::test]
async fn unknown_values_and_fields_are_accepted() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(1);
    world
        .acme
        .change_device(&ids[0], |device| device.status = "QUARANTINED".into())
        .expect("device");
    let phone = world.acme.add_device(NewDevice::iphone().profile("platform", "VISIONOS"));
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    let record = world.until_record(&path, &ids[0], |record| !record.is_null()).await;
    assert_eq!(record["status"], "QUARANTINED");
    let record = world.until_record(&path, &phone, |record| !record.is_null()).await;
    assert_eq!((&record["platform"], &record["udid"]), (&json!("VISIONOS"), &Value::Null));
}

#[tokio::test]
async fn changing_the_org_deletes_the_mirror() {
    let world = mirroring().org(OrgSetup::new("beta")).start().await;
    world.add_fleet(3);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    world.put(&format!("{path}/event-hook"), &json!({})).await.expect(201);
    world.delete(&format!("{path}/credentials")).await.expect(200);
    world.patch(&path, &json!({ "okta_domain": "beta.okta.com" })).await.expect(200);
    for table in [
        "okta_devices",
        "okta_syncs",
        "okta_sweep_pages",
        "okta_rereads",
        "event_hooks",
        "hook_routes",
    ] {
        assert_eq!(world.count(table), 0, "{table}");
    }
}

#[tokio::test]
async fn incremental_read_finds_a_sign_in_that_updates_last_updated() {
    let world = mirroring().setting("ODT_SYNC_READ_EVERY_SECONDS", "1").start().await;
    world.acme.change(|knobs| knobs.sign_in_moves_last_updated = true);
    let ids = world.add_fleet(3);
    let ada = world.acme.add_user("ada@acme.example");
    world.acme.enroll(&ids[2], &ada).expect("device");
    let path = world.connected().await;
    let first = world.until_mirrored(&path).await;
    world.acme.sign_in_with_fastpass(&ids[2], &ada).expect("device");
    let managed = |record: &Value| record["users"][0]["management_status"] == "MANAGED";
    world.until_record(&path, &ids[2], managed).await;
    let sync = world.get(&format!("{path}/sync")).await.expect(200);
    assert_eq!(sync["last_success_at"], first["last_success_at"], "no sweep was needed");
}

#[tokio::test]
async fn changes_are_found_with_a_wrong_clock() {
    for skew in [7200, -7200] {
        let world = mirroring().setting("ODT_SYNC_READ_EVERY_SECONDS", "1").start().await;
        world.acme.change(|knobs| knobs.clock_skew_seconds = skew);
        let ids = world.add_fleet(2);
        let path = world.connected().await;
        world.until_mirrored(&path).await;
        for status in ["SUSPENDED", "ACTIVE", "DEACTIVATED"] {
            world.acme.set_device_status(&ids[1], status).expect("device");
            world.until_record(&path, &ids[1], |record| record["status"] == status).await;
        }
    }
}

#[tokio::test]
async fn records_are_listed_by_page_and_by_match() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(5);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    world.insert_device("C02SYNC00000", "macos");
    world.insert_device("C02OTHER0001", "macos");
    world.set_okta_device_id("C02OTHER0001", &ids[1]);
    world.insert_device("C02SYNC00002", "macos");
    world.tombstone_device("C02SYNC00002");
    let list = |query: &str| {
        let ask = world.ask(Method::GET, &format!("{path}/okta-devices{query}")).admin();
        async move { ask.send().await }
    };
    let matched = list("?matched=true").await.expect(200);
    let serials: Vec<&Value> = matched["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| &item["matched_serial_number"])
        .collect();
    assert_eq!(serials.len(), 2, "{matched}");
    assert!(serials.contains(&&json!("C02OTHER0001")) && serials.contains(&&json!("C02SYNC00000")));
    // Counted when a sweep ends, not per request.
    assert_eq!(world.get(&format!("{path}/sync")).await.expect(200)["unmatched"], 5);
    assert_eq!(world.sweep_again(&path).await["unmatched"], 3);
    let (mut query, mut seen) = ("?matched=false&limit=2".to_owned(), Vec::new());
    loop {
        let page = list(&query).await.expect(200);
        seen.extend(page["items"].as_array().expect("items").clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        query = format!("?matched=false&limit=2&cursor={next}");
    }
    assert_eq!(seen.len(), 3);
    for bad in ["?matched=maybe", "?foo=1"] {
        list(bad).await.expect_problem(400, "malformed_request");
    }
    list("?cursor=!!").await.expect_problem(422, "invalid_request");
}

#[tokio::test]
async fn sync_request_requires_credentials_and_is_audited() {
    let world = World::start().await;
    let path = world.integration().await;
    let ask = || world.ask(Method::POST, &format!("{path}/sync")).admin().send();
    ask().await.expect_problem(409, "credentials_needed");
    world.put(&format!("{path}/credentials"), &world.credentials()).await.expect(201);
    let sync = ask().await.expect(202);
    assert_eq!((&sync["state"], &sync["last_success_at"]), (&json!("queued"), &Value::Null));
    assert_eq!(
        sync["progress"],
        json!({
            "done": 0, "expected": null, "devices_per_minute": 3000, "seconds_left": null
        })
    );
    let events = world.get(&format!("{path}/events?limit=200")).await.expect(200);
    let kinds = events["items"].as_array().expect("items").iter().map(|event| &event["kind"]);
    assert_eq!(kinds.filter(|kind| **kind == "sync_requested").count(), 1);
    let token = world.token_of(&world.tenant, &["odt:read"]);
    let answer = world.ask(Method::POST, &format!("{path}/sync")).token(&token).send().await;
    answer.expect_problem(403, "scope_missing");
}

#[tokio::test]
async fn without_credentials_the_mirror_stays_and_reads_stop() {
    let world = mirroring().setting("ODT_SYNC_READ_EVERY_SECONDS", "1").start().await;
    world.add_fleet(3);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    world.delete(&format!("{path}/credentials")).await.expect(200);
    assert_eq!(world.count_mirror_jobs(), 0);
    let sync = world.get(&format!("{path}/sync")).await.expect(200);
    assert_eq!((&sync["state"], &sync["devices"]), (&json!("idle"), &json!(3)));
}
