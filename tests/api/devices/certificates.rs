//! Certificates of Macs: which one counts, and what clocks that differ do to their dates.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::inventory::{MAC, at, certificate, enrolled, id_of, with};
use crate::support::trust::{expect_verdict, managed};
use crate::support::world::World;

const DAY: i64 = 86_400;

/// A Mac that is trusted, whose MDM has reported nothing of certificates; the integration's id.
async fn trusted_mac(world: &World) -> String {
    let id = world.swept_integration().await;
    world.insert_device(MAC, "macos");
    world.insert_delivery(&id, MAC);
    world.insert_okta_device(&id, "guo1", Some(MAC), &managed());
    expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
    id
}

/// A report of a certificate whose dates are so many seconds from now.
fn dated(integration: &str, serial: &str, from: i64, until: i64, reported: i64) -> Value {
    let time = |seconds| Utc::now() + TimeDelta::seconds(seconds);
    json!({ "platform": "macos", "certificates": { integration: {
        "serial_number": serial, "not_before": time(from), "not_after": time(until),
        "reported_at": time(reported) } } })
}

#[tokio::test]
async fn the_certificate_that_was_issued_last_counts_in_whatever_order_they_are_reported() {
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
async fn an_old_certificate_that_has_ended_says_nothing_beside_a_newer_one() {
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
async fn a_certificate_that_begins_in_some_minutes_is_no_refusal() {
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
async fn a_certificate_ends_at_its_last_second() {
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
async fn a_report_of_a_certificate_may_be_five_minutes_ahead_and_no_more() {
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
    // The early one hides none that is reported in time.
    let now = world.report_device(MAC, &dated(&id, "B2", -5, 86_400, 0)).await.expect(200);
    assert_eq!(now["results"]["certificates"][&id], "applied");
    assert_eq!(now["device"]["certificates"][&id]["serial_number"], "B2");
    let removed =
        with(json!({ "platform": "macos" }), "certificates", json!({ id.as_str(): null }));
    let removed = world.report_device(MAC, &removed).await.expect(200);
    assert_eq!(removed["device"]["certificates"], json!({}), "{removed} {}", at(0));
}
