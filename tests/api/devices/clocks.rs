//! Times that are ahead of the clock, and times that are out of range.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::inventory::{MAC, at, certificate, delivery, enrolled, id_of, with};
use crate::support::world::World;

fn ahead(seconds: i64) -> String {
    (Utc::now() + TimeDelta::seconds(seconds)).to_rfc3339()
}

fn state(state: &str, reported_at: &str) -> Value {
    json!({ "platform": "macos", "enrollment": { "state": state, "reported_at": reported_at } })
}

fn time_of(value: &Value) -> DateTime<Utc> {
    value.as_str().expect("time").parse().expect("time")
}

#[tokio::test]
async fn time_up_to_5_minutes_ahead_is_stored_as_of_receipt() {
    let world = World::start().await;
    let early = world.report_device(MAC, &state("enrolled", &ahead(290))).await.expect(201);
    assert_eq!(early["results"]["stored_as_of_receipt"], json!(["/enrollment/reported_at"]));
    assert!(time_of(&early["device"]["enrollment"]["reported_at"]) <= Utc::now());
    // It does not hide a current report.
    let wiped = world.report_device(MAC, &state("wiped", &ahead(0))).await.expect(200);
    assert_eq!(wiped["results"]["enrollment"], "applied");
    assert_eq!(wiped["device"]["enrollment"]["state"], "wiped");
    // Sent again, it is not newer.
    let again = world.report_device(MAC, &state("enrolled", &ahead(289))).await.expect(200);
    assert_eq!(again["results"]["enrollment"], "ignored_stale", "{again}");
    assert_eq!(again["device"]["enrollment"]["state"], "wiped");
}

#[tokio::test]
async fn reports_that_remove_trust_are_stored_however_far_ahead() {
    let world = World::start().await;
    world.report_device(MAC, &enrolled(0)).await.expect(201);
    for far in [301, 360, 400_000_000] {
        let wiped = with(state("wiped", &ahead(far)), "reported_at", json!(ahead(far)));
        let wiped = with(wiped, "udid", json!(null));
        let answer = world.report_device(MAC, &wiped).await.expect(200);
        assert_eq!(answer["results"]["enrollment"], "applied");
        assert_eq!(answer["results"]["stored_as_of_receipt"], json!(["/enrollment/reported_at"]));
        assert_eq!(answer["results"]["identity"], "ignored_ahead");
        assert!(time_of(&answer["device"]["left_at"]) <= Utc::now());
    }
    let lost =
        json!({ "platform": "macos", "lost_mode": { "enabled": true, "reported_at": ahead(900) } });
    let lost = world.report_device(MAC, &lost).await.expect(200);
    assert_eq!(lost["results"]["lost_mode"], "applied");
    assert_eq!(lost["device"]["lost_mode"]["enabled"], true);
    let path = format!("/devices/{MAC}?reported_at={}", ahead(900).replace('+', "%2B"));
    let gone = world.ask_inventory(Method::DELETE, &path, None).await.expect(200);
    assert_eq!((&gone["result"], &gone["stored_as_of_receipt"]), (&json!("deleted"), &json!(true)));
}

#[tokio::test]
async fn reports_that_grant_trust_are_rejected_if_too_far_ahead() {
    let world = World::start().await;
    let refused = world.report_device(MAC, &state("enrolled", &ahead(400))).await;
    let problem = refused.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["code"], "reported_in_the_future");
    assert_eq!(problem["errors"][0]["pointer"], "/enrollment/reported_at");
    let mut off = state("enrolled", &ahead(-10));
    off["lost_mode"] = json!({ "enabled": false, "reported_at": ahead(400) });
    off["check_in"] = json!({ "last_seen_at": ahead(400), "reported_at": ahead(400) });
    let problem = world.report_device(MAC, &off).await.expect_problem(422, "invalid_request");
    let pointers: Vec<&str> = problem["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["pointer"].as_str().expect("pointer"))
        .collect();
    assert_eq!(pointers, ["/check_in/reported_at", "/lost_mode/reported_at"]);
    world.read_device(MAC).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn out_of_range_years_are_rejected_by_field() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    let mut full = enrolled(0);
    full["reported_at"] = json!(at(0));
    full["enrollment"]["enrolled_at"] = json!(at(0));
    full["enrollment"]["ended_at"] = json!(at(-9));
    full["okta_verify"] = json!({ "installed_at": at(0), "reported_at": at(0) });
    full["check_in"] = json!({ "last_seen_at": at(0), "reported_at": at(0) });
    full["lost_mode"] = json!({ "enabled": false, "reported_at": at(0) });
    full["deliveries"] = json!({ id: delivery(1, 0) });
    full["certificates"] = json!({ id: certificate("A1", 0, 0) });
    let pointers = [
        "/reported_at".to_owned(),
        "/enrollment/reported_at".into(),
        "/enrollment/enrolled_at".into(),
        "/enrollment/ended_at".into(),
        "/okta_verify/installed_at".into(),
        "/okta_verify/reported_at".into(),
        "/check_in/last_seen_at".into(),
        "/check_in/reported_at".into(),
        "/lost_mode/reported_at".into(),
        format!("/deliveries/{id}/delivered_at"),
        format!("/deliveries/{id}/reported_at"),
        format!("/certificates/{id}/not_before"),
        format!("/certificates/{id}/not_after"),
        format!("/certificates/{id}/reported_at"),
    ];
    let years = [
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999Z",
        "+10000-01-01T00:00:00Z",
        "-0044-03-15T00:00:00Z",
        "9999-12-31T23:59:60Z",
        "+262142-01-01T00:00:00Z",
    ];
    let mut items = vec![with(enrolled(0), "serial_number", json!("C02GOOD12345"))];
    for pointer in &pointers {
        for year in years {
            let mut item = with(full.clone(), "serial_number", json!(MAC));
            *item.pointer_mut(pointer).expect("field") = json!(year);
            items.push(item);
        }
    }
    let results = world.report_batch(&items).await.expect(200)["results"].clone();
    assert_eq!(results[0]["status"], "created");
    for (n, item) in items.iter().enumerate().skip(1) {
        let pointer = &pointers[(n - 1) / years.len()];
        let errors = results[n]["problem"]["errors"].as_array().cloned().unwrap_or_default();
        let refused = errors.iter().any(|error| {
            error["pointer"] == format!("/devices/{n}{pointer}") && error["code"] == "out_of_range"
        });
        assert!(refused, "{pointer} {item}: {}", results[n]);
    }
    for (query, pointer) in [
        (format!("/devices/{MAC}?reported_at=0000-01-01T00:00:00Z"), "/query/reported_at"),
        (
            format!(
                "/devices?integration_id={id}&certificate_expires_before=%2B10000-01-01T00:00:00Z"
            ),
            "/query/certificate_expires_before",
        ),
    ] {
        let method = if query.contains('?') && query.starts_with("/devices/") {
            Method::DELETE
        } else {
            Method::GET
        };
        let problem = world.ask_inventory(method, &query, None).await;
        let problem = problem.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], pointer);
        assert_eq!(problem["errors"][0]["code"], "out_of_range");
    }
    // The first and last valid times, and a leap second, which is stored as the next second.
    for (n, year) in ["1970-01-01T00:00:00Z", "2016-12-31T23:59:60Z"].into_iter().enumerate() {
        let serial = format!("C02EDGE{n:04}");
        world.report_device(&serial, &state("enrolled", year)).await.expect(201);
        let again = world.report_device(&serial, &state("enrolled", year)).await.expect(200);
        assert_eq!(again["results"]["enrollment"], "unchanged");
    }
    let mut last = full;
    last["certificates"][id]["not_after"] = json!("9999-12-31T23:59:59Z");
    world.report_device("C02LAST12345", &last).await.expect(201);
}
