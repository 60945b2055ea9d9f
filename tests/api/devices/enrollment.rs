//! Devices that are wiped, enrolled again, deleted, or change their platform.

use reqwest::Method;
use serde_json::json;

use crate::support::inventory::{MAC, UDID, at, delivery, enrolled, id_of, serials, with};
use crate::support::world::World;

#[tokio::test]
async fn wiped_device_starts_over_when_enrolled_again() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    world
        .report_device(MAC, &with(enrolled(0), "deliveries", json!({ id: delivery(1, 1) })))
        .await
        .expect(201);
    let wiped =
        json!({ "platform": "macos", "enrollment": { "state": "wiped", "reported_at": at(2) } });
    let device = world.report_device(MAC, &wiped).await.expect(200)["device"].clone();
    assert_eq!(
        (&device["enrollment"]["state"], &device["deliveries"]),
        (&json!("wiped"), &json!({}))
    );
    let anew = world.report_device(MAC, &enrolled(3)).await.expect(200)["device"].clone();
    assert_eq!(anew["deliveries"], json!({}), "the delivery was before the wipe");
    let late = json!({ "platform": "macos", "deliveries": { id: delivery(9, 2) } });
    let late = world.report_device(MAC, &late).await.expect(200);
    assert_eq!(late["results"]["deliveries"][id], "ignored_stale");
    let fresh = json!({ "platform": "macos", "deliveries": { id: delivery(1, 4) } });
    let fresh = world.report_device(MAC, &fresh).await.expect(200);
    assert_eq!(fresh["device"]["deliveries"][id]["config_version"], 1);
}

#[tokio::test]
async fn platform_change_is_a_new_enrolment() {
    let world = World::start().await;
    world.report_device(MAC, &enrolled(0)).await.expect(201);
    let silent = json!({ "platform": "ios", "okta_verify": null });
    let problem = world.report_device(MAC, &silent).await.expect_problem(409, "platform_mismatch");
    assert!(problem["detail"].as_str().expect("detail").contains("send enrollment"), "{problem}");
    let said =
        json!({ "platform": "ios", "enrollment": { "state": "enrolled", "reported_at": at(1) } });
    assert_eq!(world.report_device(MAC, &said).await.expect(200)["device"]["platform"], "ios");
    let late = world.report_device(MAC, &enrolled(0)).await.expect(200);
    assert_eq!(
        (&late["results"]["enrollment"], &late["device"]["platform"]),
        (&json!("ignored_stale"), &json!("ios"))
    );
    let first = world.report_device("C02NEW123DEF", &json!({ "platform": "macos" })).await;
    let problem = first.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/enrollment");
    assert_eq!(world.count("devices"), 1, "a rejected report leaves no row");
}

#[tokio::test]
async fn tombstone_ignores_late_reports_until_a_newer_enrolment() {
    let world = World::start().await;
    world.report_device(MAC, &with(enrolled(0), "udid", json!(UDID))).await.expect(201);
    assert_eq!(
        world.delete_device(MAC, 5).await,
        json!({ "serial_number": MAC, "result": "deleted" })
    );
    let missing = world.read_device(MAC).await.expect_problem(404, "not_found");
    assert!(missing["detail"].as_str().expect("detail").contains(MAC));
    let late = world.report_device(MAC, &enrolled(5)).await.expect(200);
    assert_eq!(
        (&late["results"]["enrollment"], &late["device"]),
        (&json!("ignored_stale"), &json!(null))
    );
    world.read_device(MAC).await.expect_problem(404, "not_found");
    assert_eq!(world.delete_device(MAC, 4).await["result"], "deleted", "already deleted");
    // Another device can use the identifier.
    world.report_device("C02OTHER123", &with(enrolled(0), "udid", json!(UDID))).await.expect(201);
    let back = world.report_device(MAC, &enrolled(6)).await.expect(201);
    assert_eq!(back["device"]["udid"], json!(null));
    assert_eq!(world.delete_device(MAC, 5).await["result"], "ignored_stale", "enrolled since");
    // Also for a device that was never reported.
    world.delete_device("C02GONE1234", 5).await;
    world.report_device("C02GONE1234", &enrolled(4)).await.expect(200);
    world.read_device("C02GONE1234").await.expect_problem(404, "not_found");
    let list = world.ask_inventory(Method::GET, "/devices", None).await.expect(200);
    assert_eq!(serials(&list), [MAC, "C02OTHER123"]);
}
