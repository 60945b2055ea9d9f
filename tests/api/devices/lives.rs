//! Departures and enrolments of a device with reports in any order.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::inventory::{MAC, at, delivery, enrolled, id_of, with};
use crate::support::world::World;

fn state(state: &str, minute: i64) -> Value {
    json!({ "platform": "macos", "enrollment": { "state": state, "reported_at": at(minute) } })
}

fn continuing(minute: i64) -> Value {
    let mut body = enrolled(minute);
    body["enrollment"]["continues"] = json!(true);
    body
}

/// Reports the device. Returns the result of the enrolment and the device.
async fn report(world: &World, body: &Value) -> (Value, Value) {
    let answer = world.report_device(MAC, body).await;
    assert!(answer.status.is_success(), "{} {}", answer.status, answer.text);
    let answer = answer.json();
    (answer["results"]["enrollment"].clone(), answer["device"].clone())
}

#[tokio::test]
async fn ended_at_sets_left_at_but_not_the_order_of_states() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    report(&world, &enrolled(0)).await;
    let mut wiped = state("wiped", 10);
    wiped["enrollment"]["ended_at"] = json!(at(4));
    let (result, device) = report(&world, &wiped).await;
    assert_eq!((&result, &device["left_at"]), (&json!("applied"), &json!(at(4))));
    // Reported earlier, but after the end.
    let (result, device) = report(&world, &enrolled(8)).await;
    assert_eq!(
        (&result, &device["enrollment"]["state"]),
        (&json!("ignored_stale"), &json!("wiped"))
    );
    // Reported at the same time as the end: only if enrolled_at is after the end.
    let mut same = enrolled(10);
    same["enrollment"]["enrolled_at"] = json!(at(3));
    let (_, device) = report(&world, &same).await;
    assert_eq!(device["enrollment"]["state"], "wiped");
    same["enrollment"]["enrolled_at"] = json!(at(5));
    same["deliveries"] = json!({ id: delivery(1, 6) });
    let (result, device) = report(&world, &same).await;
    assert_eq!((&result, &device["enrollment"]["state"]), (&json!("applied"), &json!("enrolled")));
    assert_eq!(device["left_at"], json!(at(4)));
    assert_eq!(device["deliveries"][id]["config_version"], 1, "delivered after the end");
    // An old end changes nothing; one in the future counts as of its report.
    for (reported, ended, left) in [(12, 2, 4), (13, 500, 13)] {
        let mut wiped = state("wiped", reported);
        wiped["enrollment"]["ended_at"] = json!(at(ended));
        let (result, device) = report(&world, &wiped).await;
        assert_eq!((&result, &device["left_at"]), (&json!("applied"), &json!(at(left))));
    }
}

#[tokio::test]
async fn reimport_with_continues_keeps_deliveries() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    report(&world, &with(enrolled(0), "deliveries", json!({ id: delivery(1, 1) }))).await;
    world.delete_device(MAC, 5).await;
    let (result, device) = report(&world, &continuing(6)).await;
    assert_eq!((&result, &device["left_at"]), (&json!("applied"), &json!(null)));
    assert_eq!(device["deliveries"][id]["config_version"], 1);
    // It has no effect for a device that was not deleted.
    report(&world, &state("wiped", 10)).await;
    let (_, device) = report(&world, &continuing(11)).await;
    assert_eq!((&device["left_at"], &device["deliveries"]), (&json!(at(10)), &json!({})));
    // It affects only one of two deletions.
    world.delete_device(MAC, 20).await;
    let (_, device) = report(&world, &enrolled(21)).await;
    assert_eq!(device["left_at"], json!(at(20)));
    world.delete_device(MAC, 30).await;
    let (_, device) = report(&world, &continuing(31)).await;
    assert_eq!(device["left_at"], json!(at(20)));
}

#[tokio::test]
async fn late_enrolment_between_two_deletions_makes_the_first_a_departure() {
    for import_comes_last in [true, false] {
        let world = World::start().await;
        let path = world.integration().await;
        let id = id_of(&path);
        report(&world, &with(enrolled(0), "deliveries", json!({ id: delivery(1, 1) }))).await;
        world.delete_device(MAC, 10).await;
        world.delete_device(MAC, 30).await;
        let reports = [enrolled(20), continuing(40)];
        let [first, second] =
            if import_comes_last { [0, 1] } else { [1, 0] }.map(|place| reports[place].clone());
        report(&world, &first).await;
        report(&world, &second).await;
        let device = world.read_device(MAC).await.expect(200);
        assert_eq!((&device["left_at"], &device["deliveries"]), (&json!(at(10)), &json!({})));
    }
}

#[tokio::test]
async fn wipe_reported_after_many_enrolments_counts() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    report(&world, &with(enrolled(0), "deliveries", json!({ id: delivery(1, 1) }))).await;
    for minute in 3..33 {
        report(&world, &enrolled(minute)).await;
    }
    let (result, device) = report(&world, &state("wiped", 2)).await;
    assert_eq!((&result, &device["enrollment"]["state"]), (&json!("applied"), &json!("enrolled")));
    assert_eq!((&device["left_at"], &device["deliveries"]), (&json!(at(2)), &json!({})));
    // The present life begins at the earliest with the first enrolment after it.
    let since = world.sql("SELECT enrolled_since FROM devices");
    let since = DateTime::parse_from_str(&since, "%Y-%m-%d %H:%M:%S%#z").expect("a time");
    let first: DateTime<Utc> = at(3).parse().expect("a time");
    assert!(since >= first, "{since}");
}

#[tokio::test]
async fn device_deleted_and_reimported_every_night_never_left() {
    let world = World::start().await;
    report(&world, &enrolled(0)).await;
    for night in 1..20 {
        world.delete_device(MAC, night * 10).await;
        let (_, device) = report(&world, &continuing(night * 10 + 1)).await;
        assert_eq!(device["left_at"], json!(null), "night {night}");
        report(&world, &enrolled(night * 10 + 5)).await;
    }
    // Without continues it is a departure.
    world
        .ask_inventory(Method::DELETE, &format!("/devices/{MAC}?reported_at={}", at(300)), None)
        .await;
    let (_, device) = report(&world, &enrolled(301)).await;
    assert_eq!(device["left_at"], json!(at(300)));
}
