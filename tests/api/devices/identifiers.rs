//! Serial numbers, UDIDs and Okta IDs: uniqueness and validation.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::inventory::{
    MAC, OTHER_UDID, UDID, at, certificate, delivery, enrolled, id_of, with,
};
use crate::support::world::World;

#[tokio::test]
async fn identifier_belongs_to_one_living_device() {
    let world = World::start().await;
    let (one, two) = ("C02ONE12345", "C02TWO12345");
    let body = |udid: &str| with(enrolled(0), "udid", json!(udid));
    world.report_device(one, &with(body(UDID), "okta_device_id", json!("guo1"))).await.expect(201);
    let taken = world.report_device(two, &body(UDID)).await.expect(201);
    let holder = json!([{ "identifier": "udid", "holder": one }]);
    assert_eq!(taken["results"]["identity"], "identifier_taken");
    assert_eq!(taken["results"]["identifiers_taken"], holder);
    assert_eq!(taken["results"]["enrollment"], "applied");
    assert_eq!(taken["device"]["udid"], json!(null));
    let both = with(body(OTHER_UDID), "okta_device_id", json!("guo1"));
    let taken = world.report_device(two, &both).await.expect(200);
    assert_eq!(taken["results"]["identity"], "identifier_taken");
    assert_eq!(taken["results"]["identifiers_taken"][0]["identifier"], "okta_device_id");
    assert_eq!(taken["device"]["udid"], OTHER_UDID, "the other identifier is its own");
    // A rejected identifier does not discard a report that removes trust.
    let mut wiped = with(body(UDID), "reported_at", json!(at(2)));
    wiped["serial_number"] = json!("C02WIPED1234");
    wiped["enrollment"] = json!({ "state": "wiped", "reported_at": at(2) });
    let wiped = world.report_device("C02WIPED1234", &wiped).await.expect(201);
    assert_eq!(wiped["device"]["enrollment"]["state"], "wiped");
    assert_eq!(wiped["results"]["identity"], "identifier_taken");
    // An older identity is ignored, so it claims no identifier.
    let older = json!({ "platform": "macos", "reported_at": at(-1), "udid": UDID });
    assert_eq!(
        world.report_device(two, &older).await.expect(200)["results"]["identity"],
        "ignored_stale"
    );
    // Two devices can swap identifiers in one batch.
    let swap = [
        json!({ "serial_number": one, "platform": "macos", "reported_at": at(1), "udid": null }),
        json!({ "serial_number": two, "platform": "macos", "reported_at": at(1), "udid": UDID }),
        json!({ "serial_number": one, "platform": "macos", "reported_at": at(2), "udid": OTHER_UDID }),
        json!({ "serial_number": one, "platform": "macos", "reported_at": at(3), "udid": UDID }),
    ];
    let results = world.report_batch(&swap).await.expect(200)["results"].clone();
    assert_eq!(results[2]["status"], "merged", "{results}");
    assert_eq!(results[3]["results"]["identity"], "identifier_taken");
    assert_eq!(world.read_device(one).await.expect(200)["udid"], OTHER_UDID);
    assert_eq!(world.read_device(two).await.expect(200)["udid"], UDID);
}

#[tokio::test]
async fn one_of_many_concurrent_claims_of_an_identifier_succeeds() {
    let world = World::start().await;
    let body = with(enrolled(0), "udid", json!(UDID));
    let names: Vec<String> = (0..8).map(|n| format!("C02RACE{n:04}")).collect();
    let claims = names.iter().map(|name| world.report_device(name, &body));
    let answers = futures_util::future::join_all(claims).await;
    let results: Vec<Value> = answers
        .into_iter()
        .map(|answer| answer.expect(201)["results"]["identity"].clone())
        .collect();
    assert_eq!(results.iter().filter(|result| **result == "applied").count(), 1);
    assert_eq!(results.iter().filter(|result| **result == "identifier_taken").count(), 7);
}

#[tokio::test]
async fn tenants_with_the_same_device_are_isolated() {
    let world = World::start().await;
    let body = with(enrolled(0), "udid", json!(UDID));
    world.report_device(MAC, &body).await.expect(201);
    let stranger = world.token_of("stranger", &["odt:inventory"]);
    let path = format!("/devices/{MAC}");
    let theirs = |method| world.ask(method, &path).token(&stranger);
    theirs(Method::GET).send().await.expect_problem(404, "not_found");
    theirs(Method::PUT).json(&body).send().await.expect(201);
    theirs(Method::DELETE).send().await.expect(200);
    assert_eq!(world.read_device(MAC).await.expect(200)["udid"], UDID);
    let mine = world.integration().await;
    let foreign = with(enrolled(1), "deliveries", json!({ id_of(&mine): delivery(1, 1) }));
    let refused =
        world.ask(Method::PUT, "/devices/C02NEW12345").token(&stranger).json(&foreign).send().await;
    let problem = refused.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["code"], "unknown_integration");
    assert_eq!(problem["errors"][0]["pointer"], format!("/deliveries/{}", id_of(&mine)));
}

#[tokio::test]
async fn invalid_serial_number_is_rejected_by_every_operation() {
    let world = World::start().await;
    let long = "A".repeat(500);
    for serial in [
        long.as_str(),
        "SHORT",
        "..%2F..%2Fetc",
        "C02ABC%00123",
        "C02ABC%F0%9F%92%A9123",
        "C02'%20OR%201=1",
        "%ff%fe%fd%fc%fb%fa%f9%f8",
    ] {
        let path = format!("/devices/{serial}");
        for (method, body) in
            [(Method::GET, None), (Method::PUT, Some(enrolled(0))), (Method::DELETE, None)]
        {
            let answer = world.ask_inventory(method.clone(), &path, body.as_ref()).await;
            assert_eq!(answer.status, 422, "{method} {serial}: {}", answer.text);
            let problem = answer.expect_problem(422, "invalid_request");
            assert_eq!(problem["errors"][0]["pointer"], "/path/serial_number");
        }
    }
    world.ask_inventory(Method::GET, "/devices/", None).await.expect_problem(404, "not_found");
    world.read_device(MAC).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn virtual_macs_are_rejected() {
    let world = World::start().await;
    for serial in ["VMa%2Bb%2FcDEfgh", "VMaaaaaaaaAA", "VMAAAAAAAAaa"] {
        let answer = world.report_device(serial, &enrolled(0)).await;
        let problem = answer.expect_problem(422, "invalid_request");
        let error = &problem["errors"][0];
        assert_eq!(
            (&error["pointer"], &error["code"]),
            (&json!("/path/serial_number"), &json!("virtual_mac"))
        );
        assert!(error["detail"].as_str().expect("detail").contains("virtual Mac"), "{problem}");
    }
    let two = |serials: [&str; 2]| {
        serials.map(|serial| with(enrolled(0), "serial_number", json!(serial)))
    };
    let [first, second] = two(["VMaaaaaaaaAA", "VMAAAAAAAAaa"]);
    let good = with(enrolled(0), "serial_number", json!(MAC));
    let results = world.report_batch(&[first, good, second]).await.expect(200)["results"].clone();
    assert_eq!(results[1]["status"], "created", "{results}");
    for rejected in [&results[0], &results[2]] {
        let code = &rejected["problem"]["errors"][0]["code"];
        assert_eq!(code, "virtual_mac", "{results}");
    }
    assert_eq!(world.count("devices"), 1);
    let asked = json!({ "devices": [{ "serial_number": "VMaaaaaaaaAA" }] });
    let problem = world.query_trust(&asked).await.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["code"], "virtual_mac");
}

#[tokio::test]
async fn every_invalid_field_is_named() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    let many: serde_json::Map<String, Value> =
        (0..21).map(|_| (uuid::Uuid::now_v7().to_string(), Value::Null)).collect();
    for (field, value, pointer, code) in [
        ("udid", json!("nonsense"), "/udid".to_owned(), "invalid_characters"),
        ("okta_device_id", json!("x".repeat(65)), "/okta_device_id".into(), "too_long"),
        ("okta_device_id", json!("a\u{0}b"), "/okta_device_id".into(), "invalid_characters"),
        ("serial_number", json!("C02OTHER123"), "/serial_number".into(), "mismatch"),
        (
            "deliveries",
            json!({ id: delivery(0, 0) }),
            format!("/deliveries/{id}/config_version"),
            "out_of_range",
        ),
        ("deliveries", json!({ "no-id": null }), "/deliveries/no-id".into(), "invalid"),
        ("deliveries", Value::Object(many), "/deliveries".into(), "too_many"),
        (
            "certificates",
            json!({ id: certificate("xyz", 0, 0) }),
            format!("/certificates/{id}/serial_number"),
            "invalid_characters",
        ),
        (
            "certificates",
            json!({ id: { "serial_number": "A", "not_before": at(1), "not_after": at(1), "reported_at": at(0) } }),
            format!("/certificates/{id}/not_after"),
            "out_of_range",
        ),
        ("enrollment", json!(null), "/enrollment".into(), "invalid"),
        (
            "enrollment",
            json!({ "state": "lost", "reported_at": at(0) }),
            "/enrollment/state".into(),
            "invalid",
        ),
        ("reported_at", json!("yesterday"), "/reported_at".into(), "invalid"),
        ("platform", json!("windows"), "/platform".into(), "invalid"),
        ("surprise", json!(1), "/surprise".into(), "unknown_field"),
    ] {
        let answer = world.report_device(MAC, &with(enrolled(0), field, value.clone())).await;
        let problem = answer.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["code"], code, "{field} {value}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{field} {value}: {problem}");
    }
    world.read_device(MAC).await.expect_problem(404, "not_found");
}
