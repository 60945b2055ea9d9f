//! Batches of up to a thousand reports: each is accepted or rejected individually, in one transaction.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::inventory::{MAC, at, delivery, enrolled, id_of, with};
use crate::support::world::World;

#[tokio::test]
async fn bad_reports_in_a_batch_of_1000_do_not_affect_others() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    let mut devices: Vec<Value> = (0..1_000)
        .map(|n| {
            let mut item = with(enrolled(0), "serial_number", json!(format!("C02BATCH{n:04}")));
            item["udid"] = json!(format!("00008030-001C45A83C98{n:04X}"));
            item["deliveries"] = json!({ id: delivery(1, 1) });
            item
        })
        .collect();
    devices[3] = json!("not an object");
    devices[4]["serial_number"] = json!("SHORT");
    devices[5]["udid"] = devices[6]["udid"].take();
    devices[6]["udid"] = devices[5]["udid"].clone();
    devices[7]["surprise"] = json!(true);
    devices[8].as_object_mut().expect("item").remove("serial_number");
    devices[9]["deliveries"] = json!({ uuid::Uuid::now_v7().to_string(): delivery(1, 1) });
    devices[10].as_object_mut().expect("item").remove("enrollment");
    devices[999] = with(devices[0].clone(), "deliveries", json!({ id: delivery(2, 2) }));
    let results = world.report_batch(&devices).await.expect(200)["results"].clone();
    let refused: Vec<usize> = (0..1_000).filter(|n| results[n]["status"] == "refused").collect();
    assert_eq!(refused, [3, 4, 7, 8, 9, 10]);
    for (n, pointer) in [
        (3, ""),
        (4, "/serial_number"),
        (7, "/surprise"),
        (8, "/serial_number"),
        (10, "/enrollment"),
    ] {
        let error = &results[n]["problem"]["errors"][0];
        assert_eq!(error["pointer"], format!("/devices/{n}{pointer}"), "{error}");
    }
    assert_eq!(results[6]["results"]["identity"], "identifier_taken");
    assert_eq!(results[9]["problem"]["errors"][0]["code"], "unknown_integration");
    assert_eq!(
        (&results[0]["status"], &results[999]["status"]),
        (&json!("created"), &json!("merged"))
    );
    assert_eq!(world.count("devices"), 993);
    let twice = world.read_device("C02BATCH0000").await.expect(200);
    assert_eq!(
        twice["deliveries"][id]["config_version"], 2,
        "in the order in which they stand there"
    );
}

#[tokio::test]
async fn batches_have_a_size_limit() {
    let world = World::start().await;
    let item = with(enrolled(0), "serial_number", json!(MAC));
    let most = world.report_batch(&vec![item.clone(); 1_000]).await.expect(200);
    assert_eq!(most["results"].as_array().map(Vec::len), Some(1_000));
    let over = world.report_batch(&vec![item; 1_001]).await.expect_problem(422, "invalid_request");
    assert_eq!(over["errors"][0]["code"], "too_many");
    world.report_batch(&[]).await.expect_problem(422, "invalid_request");
    let body = |size: usize| format!(r#"{{"devices":["{}"]}}"#, "a".repeat(size - 16));
    let send = |size| {
        let ask = world.ask(Method::POST, "/devices/batch").scopes(&["odt:inventory"]);
        ask.body("application/json", body(size)).send()
    };
    send(2 * 1024 * 1024).await.expect(200);
    send(2 * 1024 * 1024 + 1).await.expect_problem(413, "body_too_large");
}

#[tokio::test]
async fn duplicate_field_rejects_a_report_and_its_batch_item() {
    let world = World::start().await;
    let twice = r#"{"platform":"macos","serial_number":"C02ABC123DEF","serial_number":"C02ABC123DEG",
        "enrollment":{"state":"enrolled","reported_at":"2026-01-01T00:00:00Z"}}"#;
    let put = world.ask(Method::PUT, "/devices/C02ABC123DEF").scopes(&["odt:inventory"]);
    let alone = put.body("application/json", twice).send().await;
    let alone = alone.expect_problem(422, "invalid_request");
    assert_eq!(alone["errors"][0]["pointer"], "/serial_number");
    let post = world.ask(Method::POST, "/devices/batch").scopes(&["odt:inventory"]);
    let batch = format!(r#"{{"devices":[{twice}, 7]}}"#);
    let batch = post.body("application/json", batch).send().await.expect(200);
    assert_eq!(batch["results"][0]["problem"]["errors"][0]["code"], "duplicate", "{batch}");
    assert_eq!(batch["results"][0]["problem"]["errors"][0]["pointer"], "/devices/0/serial_number");
    assert_eq!(batch["results"][1]["problem"]["errors"][0]["pointer"], "/devices/1");
}

#[tokio::test]
async fn batches_with_the_same_devices_in_opposite_order_do_not_deadlock() {
    let world = World::build().setting("ODT_WORKERS", "2").start().await;
    let devices: Vec<Value> = (0..300)
        .map(|n| with(enrolled(0), "serial_number", json!(format!("C02BATCH{n:04}"))))
        .collect();
    let reversed: Vec<Value> = devices.iter().rev().cloned().collect();
    for round in 0..3 {
        let later = |items: &[Value]| -> Vec<Value> {
            items
                .iter()
                .map(|item| {
                    let verify = json!({ "installed_at": at(0), "reported_at": at(round) });
                    with(item.clone(), "okta_verify", verify)
                })
                .collect()
        };
        let (forth, back) = (later(&devices), later(&reversed));
        let answers = tokio::join!(
            world.report_batch(&forth),
            world.report_batch(&back),
            world.report_batch(&back)
        );
        for answer in [answers.0, answers.1, answers.2] {
            let results = answer.expect(200)["results"].to_string();
            assert!(!results.contains("refused"), "{results}");
        }
    }
    assert_eq!(world.count("devices"), 300);
}
