//! Trust status of many devices: up to 1,000 at once, the list and the summary of the tenant.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::support::inventory::{MAC, UDID};
use crate::support::postgres::{POSTGRES, database_on};
use crate::support::proxy::counting_proxy;
use crate::support::trust::expect_verdict;
use crate::support::world::World;

#[tokio::test]
async fn thousand_devices_are_answered_in_order_in_one_round_trip() {
    let (database, url, port) = {
        let postgres = POSTGRES.lock().expect("postgres");
        let (database, url) = database_on(&postgres);
        (database, url, postgres.port())
    };
    let (proxy, round_trips) = counting_proxy(port).await;
    let url = url.replace(&format!(":{port}/"), &format!(":{proxy}/"));
    let mut world =
        World::build().database_url(url).setting("ODT_DATABASE_CONNECTIONS", "1").start().await;
    world.database = database;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    let mut devices: Vec<Value> =
        (0..998).map(|n| json!({ "serial_number": format!("UNKNOWN{n:05}") })).collect();
    devices.insert(500, json!({ "serial_number": MAC }));
    devices.push(json!({ "serial_number": MAC.to_lowercase() }));
    let body = json!({ "devices": devices });
    // Each connection prepares the statement at first use.
    world.query_trust(&body).await.expect(200);
    let before = round_trips.load(Ordering::SeqCst);
    assert!(before > 0, "not through the proxy");
    let found = world.query_trust(&body).await.expect(200);
    assert_eq!(round_trips.load(Ordering::SeqCst) - before, 1);
    let items = found["items"].as_array().expect("items");
    assert_eq!(items.len(), 1000);
    for (place, item) in items.iter().enumerate() {
        let asked = match place {
            500 | 999 => MAC.to_owned(),
            place => format!("UNKNOWN{:05}", if place > 500 { place - 1 } else { place }),
        };
        assert_eq!(item["asked"], json!({ "serial_number": asked }));
        if asked == MAC {
            expect_verdict(item, "trusted", "managed_and_active");
        } else {
            expect_verdict(item, "untrusted", "not_known_to_mdm");
        }
    }
}

#[tokio::test]
async fn invalid_identifiers_are_rejected_with_their_pointer() {
    let world = World::start().await;
    world.swept_integration().await;
    let long = "A".repeat(500);
    for (item, pointer) in [
        (json!({ "serial_number": long }), "/devices/1/serial_number"),
        (json!({ "serial_number": "'; DROP TABLE devices" }), "/devices/1/serial_number"),
        (json!({ "udid": "C02\u{0}ABC" }), "/devices/1/udid"),
        (json!({ "okta_device_id": "guo\u{0}" }), "/devices/1/okta_device_id"),
        (json!({}), "/devices/1"),
    ] {
        let body = json!({ "devices": [{ "serial_number": MAC }, item] });
        let problem = world.query_trust(&body).await.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    let device = json!({ "serial_number": MAC });
    for count in [0, 1001] {
        let body = json!({ "devices": vec![&device; count] });
        let problem = world.query_trust(&body).await.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/devices");
    }
    for hostile in
        ["C02%00ABCDEF", "..%2F..%2Fetc%2Fpasswd", "%FF%FE%FDABCDE", "C02ABC'--12", &long]
    {
        let answer = world.ask_trust(&format!("/trust-status/devices/{hostile}")).await;
        let problem = answer.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/path/serial_number");
    }
}

#[tokio::test]
async fn list_is_ordered_by_serial_number_and_filtered() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    for n in 0..5 {
        world.insert_trusted_mac(&id, &format!("TRUSTED{n:05}"));
        world.insert_device(&format!("BARE{n:08}"), "macos");
    }
    world.tombstone_device("BARE00000003");
    world.set_enrollment_state("BARE00000004", "unenrolled");
    world.set_udid("TRUSTED00002", UDID);
    world.set_record_udid("TRUSTED00002", UDID);
    let list =
        async |filter: &str| {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = world
                    .ask_trust(&format!("/trust-status/devices?{filter}{cursor}"))
                    .await
                    .expect(200);
                let items = page["items"].as_array().expect("items").clone();
                found.extend(items.iter().map(|item| {
                    item["device"]["serial_number"].as_str().expect("serial").to_owned()
                }));
                let Some(next) = page["next_cursor"].as_str() else { return found };
                cursor = format!("&cursor={next}");
            }
        };
    let all = list("limit=2").await;
    assert_eq!(all.len(), 9);
    assert!(all.is_sorted() && !all.contains(&"BARE00000003".to_owned()), "{all:?}");
    assert_eq!(list("trust=trusted&limit=3").await.len(), 5);
    assert_eq!(list("reason=config_not_delivered").await.len(), 3);
    assert_eq!(list("reason=mdm_unenrolled").await, ["BARE00000004"]);
    assert_eq!(list("trust=trusted&reason=mdm_unenrolled").await, [""; 0]);
    assert_eq!(list(&format!("udid={}", UDID.to_lowercase())).await, ["TRUSTED00002"]);
    assert_eq!(list("okta_device_id=guoTRUSTED00001").await, ["TRUSTED00001"]);
    assert_eq!(list("okta_device_id=guoTRUSTED00001&trust=pending").await, [""; 0]);
    for (filter, status) in [
        ("trust=maybe", 422),
        ("reason=none", 422),
        ("udid=x", 422),
        ("limit=0", 422),
        ("cursor=%21", 422),
    ] {
        let answer = world.ask_trust(&format!("/trust-status/devices?{filter}")).await;
        assert_eq!(answer.status, status, "{filter} {}", answer.text);
    }
}

#[tokio::test]
async fn summary_counts_verdicts_reasons_notes_and_certificates() {
    let world = World::start().await;
    let summary = world.ask_trust("/trust-status").await.expect(200);
    assert_eq!((&summary["total"], &summary["integration_id"]), (&json!(0), &json!(null)));
    let id = world.swept_integration().await;
    for (n, days) in [5, 20, 60, 200, 0].into_iter().enumerate() {
        let serial = format!("TRUSTED{n:05}");
        world.insert_trusted_mac(&id, &serial);
        world.delete_certificates(&serial);
        world.insert_certificate(&id, &serial, days);
    }
    world.insert_device("BARE00000001", "macos");
    world.insert_device("BARE00000002", "macos");
    world.insert_delivery(&id, "BARE00000002");
    let summary = world.ask_trust("/trust-status").await.expect(200);
    assert_eq!(summary["total"], 7);
    assert_eq!(
        summary["trust"],
        json!({ "trusted": 4, "pending": 1, "untrusted": 2, "unknown": 0 })
    );
    let count = |list: &str, reason: &str| {
        let counts = summary[list].as_array().expect("counts");
        let found = counts.iter().find(|count| count["reason"] == reason);
        found.map_or(json!(0), |count| count["devices"].clone())
    };
    assert_eq!(count("reasons", "managed_and_active"), 4);
    assert_eq!(count("reasons", "certificate_expired"), 1);
    assert_eq!(count("reasons", "config_not_delivered"), 1);
    assert_eq!(count("reasons", "not_registered_in_okta"), 1);
    assert_eq!(count("notes", "certificate_expiring"), 2);
    assert_eq!(count("notes", "certificate_missing"), 1);
    assert_eq!(
        summary["certificates"],
        json!({
            "expired": 1, "expiring_in_7_days": 1, "expiring_in_30_days": 2, "expiring_in_90_days": 3
        })
    );
    assert_eq!(summary["stale"], false);
    world.set_swept("20 minutes");
    assert_eq!(world.ask_trust("/trust-status").await.expect(200)["stale"], true);
}
