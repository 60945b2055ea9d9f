//! Certificates of Macs: which one counts, and the effect of different clocks.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::inventory::{MAC, at, certificate, enrolled, id_of, with};
use crate::support::trust::{expect_verdict, managed};
use crate::support::world::World;

const DAY: i64 = 86_400;

/// Adds a trusted Mac without reported certificates. Returns the integration's ID.
async fn trusted_mac(world: &World) -> String {
    let id = world.swept_integration().await;
    world.insert_device(MAC, "macos");
    world.insert_delivery(&id, MAC);
    world.insert_okta_device(&id, "guo1", Some(MAC), &managed());
    expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
    id
}

/// Returns a report of a certificate, with times in seconds from now.
fn dated(integration: &str, serial: &str, from: i64, until: i64, reported: i64) -> Value {
    let time = |seconds| Utc::now() + TimeDelta::seconds(seconds);
    json!({ "platform": "macos", "certificates": { integration: {
        "serial_number": serial, "not_before": time(from), "not_after": time(until),
        "reported_at": time(reported) } } })
}

#[tokio::test]
async fn latest_certificate_counts_in_any_order_of_reports() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    world.report_device(MAC, &enrolled(0)).await.expect(201);
    for (serial, from, minute) in [("B2", 20, 31), ("A1", 10, 32), ("C3", 30, 33), ("A0", 5, 34)] {
        let body = json!({ "platform": "macos", "certificates": { id: certificate(serial, from, minute) } });
        let answer = world.report_device(MAC, &body).await.expect(200);
        assert_eq!(answer["results"]["certificates"][id], "applied");
        let counts = if minute < 33 { "B2" } else { "C3" };
        assert_eq!(answer["device"]["certificates"][id]["serial_number"], counts);
    }
}

#[tokio::test]
async fn expired_certificate_is_ignored_if_a_newer_one_exists() {
    let world = World::start().await;
    let id = trusted_mac(&world).await;
    for (serial, from, until) in [("B2", -DAY, 300 * DAY), ("A1", -400 * DAY, -DAY)] {
        world.report_device(MAC, &dated(&id, serial, from, until, -1)).await.expect(200);
        let status = world.trust_status(MAC).await;
        expect_verdict(&status, "trusted", "managed_and_active");
        assert_eq!(status["certificate"]["serial_number"], "B2");
    }
}

#[tokio::test]
async fn certificate_valid_in_a_few_minutes_is_accepted() {
    for ahead in [3, 240, 299] {
        let world = World::start().await;
        let id = trusted_mac(&world).await;
        let body = dated(&id, "A1", ahead, 300 * 86_400, -1);
        let answer = world.report_device(MAC, &body).await.expect(200);
        assert_eq!(answer["results"]["certificates"][&id], "applied");
        let sent = &body["certificates"][&id]["not_before"];
        let stored = &answer["device"]["certificates"][&id]["not_before"];
        let time = |value: &Value| -> chrono::DateTime<Utc> {
            value.as_str().expect("a time").parse().expect("a time")
        };
        let difference = time(sent) - time(stored);
        assert!(difference.abs() < TimeDelta::milliseconds(1), "the authority's date: {answer}");
        expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
    }
}

#[tokio::test]
async fn certificate_expires_at_not_after() {
    let world = World::start().await;
    let id = trusted_mac(&world).await;
    world.report_device(MAC, &dated(&id, "A1", -86_400, 60, -1)).await.expect(200);
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "trusted", "managed_and_active");
    assert_eq!(status["reasons"][1], "certificate_expiring");
    let until = &status["fresh_until"];
    assert!(until.as_str() <= status["certificate"]["not_after"].as_str(), "{status}");
    world.sql("UPDATE device_certificates SET not_after = now()");
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "certificate_expired");
}

#[tokio::test]
async fn certificate_report_may_be_at_most_5_minutes_ahead() {
    let world = World::start().await;
    let id = trusted_mac(&world).await;
    let early = world.report_device(MAC, &dated(&id, "A1", -10, 86_400, 295)).await.expect(200);
    let pointer = format!("/certificates/{id}/reported_at");
    assert_eq!(early["results"]["stored_as_of_receipt"], json!([pointer]));
    let refused = world.report_device(MAC, &dated(&id, "B2", -5, 86_400, 305)).await;
    let problem = refused.expect_problem(422, "invalid_request");
    assert_eq!(
        (&problem["errors"][0]["pointer"], &problem["errors"][0]["code"]),
        (&json!(pointer), &json!("reported_in_the_future"))
    );
    // The early report does not hide one that is reported on time.
    let now = world.report_device(MAC, &dated(&id, "B2", -5, 86_400, 0)).await.expect(200);
    assert_eq!(now["results"]["certificates"][&id], "applied");
    assert_eq!(now["device"]["certificates"][&id]["serial_number"], "B2");
    let removed =
        with(json!({ "platform": "macos" }), "certificates", json!({ id.as_str(): null }));
    let removed = world.report_device(MAC, &removed).await.expect(200);
    assert_eq!(removed["device"]["certificates"], json!({}), "{removed} {}", at(0));
}
