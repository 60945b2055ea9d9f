//! The inventory: what the MDM reports comes late, twice, out of order and with mistakes in it.

mod batches;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::platforms::configured;
use crate::support::world::{Answer, World};

pub const MAC: &str = "C02ABC123DEF";

pub const UDID: &str = "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D";

pub const OTHER_UDID: &str = "00008030-001C45A83C98802E";

/// A moment of the reports, in minutes; the first are hours ago.
pub fn at(minute: i64) -> String {
    let base: DateTime<Utc> = "2026-01-15T09:00:00Z".parse().expect("time");
    (base + TimeDelta::minutes(minute)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

pub fn enrolled(minute: i64) -> Value {
    json!({ "platform": "macos", "enrollment": { "state": "enrolled", "reported_at": at(minute) } })
}

pub fn with(mut report: Value, field: &str, value: Value) -> Value {
    report[field] = value;
    report
}

pub fn delivery(version: i64, minute: i64) -> Value {
    json!({ "config_version": version, "delivered_at": at(minute), "reported_at": at(minute) })
}

fn certificate(serial: &str, from: i64, minute: i64) -> Value {
    json!({ "serial_number": serial, "not_before": at(from), "not_after": at(from + 1_000), "reported_at": at(minute) })
}

pub async fn ask(world: &World, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let ask = world.ask(method, path).scopes(&["odt:inventory"]);
    match body {
        Some(body) => ask.json(body).send().await,
        None => ask.send().await,
    }
}

pub async fn report(world: &World, serial: &str, body: &Value) -> Answer {
    ask(world, Method::PUT, &format!("/devices/{serial}"), Some(body)).await
}

pub async fn read(world: &World, serial: &str) -> Answer {
    ask(world, Method::GET, &format!("/devices/{serial}"), None).await
}

async fn delete(world: &World, serial: &str, minute: i64) -> Value {
    let path = format!("/devices/{serial}?reported_at={}", at(minute));
    ask(world, Method::DELETE, &path, None).await.expect(200)
}

pub async fn batch(world: &World, devices: &[Value]) -> Answer {
    ask(world, Method::POST, "/devices/batch", Some(&json!({ "devices": devices }))).await
}

pub fn id_of(path: &str) -> &str {
    path.rsplit('/').next().expect("id")
}

pub fn serials(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["serial_number"].as_str().expect("serial")).collect()
}

#[tokio::test]
async fn a_report_creates_a_device_and_the_same_report_changes_nothing() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    let mut body = with(enrolled(0), "udid", json!(UDID.to_ascii_lowercase()));
    body["okta_device_id"] = json!("guo123");
    body["okta_verify"] = json!({ "installed_at": at(0), "reported_at": at(1) });
    body["deliveries"] = json!({ id: delivery(4, 2) });
    body["certificates"] = json!({ id: certificate("0a:ff", 0, 3) });
    read(&world, MAC).await.expect_problem(404, "not_found");
    let created = report(&world, &MAC.to_ascii_lowercase(), &body).await.expect(201);
    let applied = json!({
        "identity": "applied", "enrollment": "applied", "okta_verify": "applied",
        "deliveries": { id: "applied" }, "certificates": { id: "applied" },
    });
    assert_eq!(created["results"], applied);
    let device = &created["device"];
    assert_eq!(device["serial_number"], MAC);
    assert_eq!((&device["udid"], &device["reported_at"]), (&json!(UDID), &json!(at(3))));
    assert_eq!(device["certificates"][id]["serial_number"], "0AFF");
    assert_eq!(device["deliveries"][id], delivery(4, 2));
    let again = report(&world, MAC, &body).await.expect(200);
    let text = again["results"].to_string();
    assert!(!text.contains("applied") && text.contains("unchanged"), "{text}");
    assert_eq!(again["device"], *device, "not even updated_at");
    assert_eq!(read(&world, MAC).await.expect(200), *device);
}

#[tokio::test]
async fn what_is_absent_stays_null_clears_and_older_is_ignored() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    let mut body = with(enrolled(0), "udid", json!(UDID));
    body["okta_verify"] = json!({ "installed_at": at(0), "reported_at": at(5) });
    body["deliveries"] = json!({ id: delivery(4, 5) });
    report(&world, MAC, &body).await.expect(201);
    let older = json!({ "platform": "macos", "deliveries": { id: delivery(3, 4) } });
    let late = report(&world, MAC, &older).await.expect(200);
    assert_eq!(late["results"]["deliveries"][id], "ignored_stale");
    assert_eq!(late["device"]["deliveries"][id]["config_version"], 4);
    let clear = json!({
        "platform": "macos", "reported_at": at(6), "okta_verify": null, "udid": null,
        "deliveries": { id: null }, "certificates": { id: null },
    });
    let cleared = report(&world, MAC, &clear).await.expect(200)["device"].clone();
    assert_eq!(cleared["okta_verify"], json!(null));
    assert_eq!(cleared["udid"], json!(null));
    assert_eq!(cleared["deliveries"], json!({}));
    let late = report(&world, MAC, &body).await.expect(200);
    assert_eq!(late["results"]["okta_verify"], "ignored_stale");
    assert_eq!(late["device"], cleared);
}

#[tokio::test]
async fn what_is_more_than_five_minutes_ahead_is_refused() {
    let world = World::start().await;
    let ahead = |seconds| (Utc::now() + TimeDelta::seconds(seconds)).to_rfc3339();
    let body = |time: String| json!({ "platform": "macos", "enrollment": { "state": "enrolled", "reported_at": time } });
    let refused = report(&world, MAC, &body(ahead(400))).await;
    let problem = refused.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["code"], "reported_in_the_future");
    assert_eq!(problem["errors"][0]["pointer"], "/enrollment/reported_at");
    report(&world, MAC, &body(ahead(200))).await.expect(201);
    let path = format!("/devices/{MAC}?reported_at={}", ahead(400).replace('+', "%2B"));
    let late =
        ask(&world, Method::DELETE, &path, None).await.expect_problem(422, "invalid_request");
    assert_eq!(late["errors"][0]["pointer"], "/query/reported_at");
    // A deletion without a time is newer than all that is known, also of a clock that is ahead.
    let gone = ask(&world, Method::DELETE, &format!("/devices/{MAC}"), None).await.expect(200);
    assert_eq!(gone["result"], "deleted");
    read(&world, MAC).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn every_order_of_the_same_reports_ends_in_the_same_device() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    let reports = [
        with(enrolled(1), "deliveries", json!({ id: delivery(1, 1) })),
        json!({ "platform": "macos", "enrollment": { "state": "wiped", "reported_at": at(2) } }),
        with(
            with(enrolled(3), "deliveries", json!({ id: delivery(2, 3) })),
            "certificates",
            json!({ id: certificate("A1", 2, 3) }),
        ),
        json!({ "platform": "ios", "enrollment": { "state": "enrolled", "reported_at": at(4) }, "okta_verify": { "installed_at": at(4), "reported_at": at(4) } }),
        with(
            with(enrolled(5), "certificates", json!({ id: certificate("A2", 1, 5) })),
            "okta_verify",
            json!(null),
        ),
    ];
    let mut ends = Vec::new();
    for (n, order) in permutations(5).into_iter().enumerate() {
        let serial = format!("PERM{n:05}");
        for place in order {
            let answer = report(&world, &serial, &reports[place]).await;
            assert!(answer.status.is_success(), "{}", answer.text);
        }
        let mut device = read(&world, &serial).await.expect(200);
        for own in ["serial_number", "updated_at"] {
            device.as_object_mut().expect("device").remove(own);
        }
        ends.push(device);
    }
    assert_eq!(ends.len(), 120);
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:#?}");
    assert_eq!(ends[0]["deliveries"], json!({}), "the phone came in between");
    assert_eq!(ends[0]["certificates"][id]["serial_number"], "A2");
    let columns = "platform, enrollment_state, enrollment_reported_at, okta_verify_reported_at, counts_from, reported_at, deleted_at";
    let states =
        world.sql(&format!("SELECT count(*) FROM (SELECT DISTINCT {columns} FROM devices) s"));
    assert_eq!(states, "1", "and the rows are the same as well");
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(n - 1);
    let insert = |short: &Vec<usize>, place| {
        let mut longer = short.clone();
        longer.insert(place, n - 1);
        longer
    };
    shorter.iter().flat_map(|short| (0..n).map(move |place| insert(short, place))).collect()
}

#[tokio::test]
async fn a_wiped_device_that_is_enrolled_again_begins_anew() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    report(&world, MAC, &with(enrolled(0), "deliveries", json!({ id: delivery(1, 1) })))
        .await
        .expect(201);
    let wiped =
        json!({ "platform": "macos", "enrollment": { "state": "wiped", "reported_at": at(2) } });
    let device = report(&world, MAC, &wiped).await.expect(200)["device"].clone();
    assert_eq!(
        (&device["enrollment"]["state"], &device["deliveries"]),
        (&json!("wiped"), &json!({}))
    );
    let anew = report(&world, MAC, &enrolled(3)).await.expect(200)["device"].clone();
    assert_eq!(anew["deliveries"], json!({}), "the delivery was before the wipe");
    let late = json!({ "platform": "macos", "deliveries": { id: delivery(9, 2) } });
    let late = report(&world, MAC, &late).await.expect(200);
    assert_eq!(late["results"]["deliveries"][id], "ignored_stale");
    let fresh = json!({ "platform": "macos", "deliveries": { id: delivery(1, 4) } });
    let fresh = report(&world, MAC, &fresh).await.expect(200);
    assert_eq!(fresh["device"]["deliveries"][id]["config_version"], 1);
}

#[tokio::test]
async fn a_platform_change_is_a_new_enrolment() {
    let world = World::start().await;
    report(&world, MAC, &enrolled(0)).await.expect(201);
    let silent = json!({ "platform": "ios", "okta_verify": null });
    let problem = report(&world, MAC, &silent).await.expect_problem(409, "platform_mismatch");
    assert!(problem["detail"].as_str().expect("detail").contains("send enrollment"), "{problem}");
    let said =
        json!({ "platform": "ios", "enrollment": { "state": "enrolled", "reported_at": at(1) } });
    assert_eq!(report(&world, MAC, &said).await.expect(200)["device"]["platform"], "ios");
    let late = report(&world, MAC, &enrolled(0)).await.expect(200);
    assert_eq!(
        (&late["results"]["enrollment"], &late["device"]["platform"]),
        (&json!("ignored_stale"), &json!("ios"))
    );
    let first = report(&world, "C02NEW123DEF", &json!({ "platform": "macos" })).await;
    let problem = first.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/enrollment");
    assert_eq!(world.sql("SELECT count(*) FROM devices"), "1", "what is refused leaves no row");
}

#[tokio::test]
async fn a_tombstone_keeps_late_reports_out_and_a_newer_enrolment_brings_the_device_back() {
    let world = World::start().await;
    report(&world, MAC, &with(enrolled(0), "udid", json!(UDID))).await.expect(201);
    assert_eq!(delete(&world, MAC, 5).await, json!({ "serial_number": MAC, "result": "deleted" }));
    let missing = read(&world, MAC).await.expect_problem(404, "not_found");
    assert!(missing["detail"].as_str().expect("detail").contains(MAC));
    let late = report(&world, MAC, &enrolled(5)).await.expect(200);
    assert_eq!(
        (&late["results"]["enrollment"], &late["device"]),
        (&json!("ignored_stale"), &json!(null))
    );
    read(&world, MAC).await.expect_problem(404, "not_found");
    assert_eq!(delete(&world, MAC, 4).await["result"], "ignored_stale");
    // The identifier is free for another device.
    report(&world, "C02OTHER123", &with(enrolled(0), "udid", json!(UDID))).await.expect(201);
    let back = report(&world, MAC, &enrolled(6)).await.expect(201);
    assert_eq!(back["device"]["udid"], json!(null));
    assert_eq!(delete(&world, MAC, 5).await["result"], "ignored_stale", "enrolled since");
    // Also a device that nobody had reported.
    delete(&world, "C02GONE1234", 5).await;
    report(&world, "C02GONE1234", &enrolled(4)).await.expect(200);
    read(&world, "C02GONE1234").await.expect_problem(404, "not_found");
    let list = ask(&world, Method::GET, "/devices", None).await.expect(200);
    assert_eq!(serials(&list), [MAC, "C02OTHER123"]);
}

#[tokio::test]
async fn an_identifier_belongs_to_one_living_device() {
    let world = World::start().await;
    let (one, two) = ("C02ONE12345", "C02TWO12345");
    let body = |udid: &str| with(enrolled(0), "udid", json!(udid));
    report(&world, one, &with(body(UDID), "okta_device_id", json!("guo1"))).await.expect(201);
    let taken = report(&world, two, &body(UDID)).await.expect_problem(409, "identifier_taken");
    assert!(taken["detail"].as_str().expect("detail").contains(one), "{taken}");
    let id = with(enrolled(0), "okta_device_id", json!("guo1"));
    report(&world, two, &id).await.expect_problem(409, "identifier_taken");
    report(&world, two, &body(OTHER_UDID)).await.expect(201);
    // An older identity is ignored, and so claims nothing.
    let older = json!({ "platform": "macos", "reported_at": at(-1), "udid": UDID });
    assert_eq!(
        report(&world, two, &older).await.expect(200)["results"]["identity"],
        "ignored_stale"
    );
    // In one batch two devices may change places.
    let swap = [
        json!({ "serial_number": one, "platform": "macos", "reported_at": at(1), "udid": null }),
        json!({ "serial_number": two, "platform": "macos", "reported_at": at(1), "udid": UDID }),
        json!({ "serial_number": one, "platform": "macos", "reported_at": at(2), "udid": OTHER_UDID }),
        json!({ "serial_number": one, "platform": "macos", "reported_at": at(3), "udid": UDID }),
    ];
    let results = batch(&world, &swap).await.expect(200)["results"].clone();
    assert_eq!(results[2]["status"], "merged", "{results}");
    assert_eq!(results[3]["problem"]["code"], "identifier_taken");
    assert_eq!(read(&world, one).await.expect(200)["udid"], OTHER_UDID);
    assert_eq!(read(&world, two).await.expect(200)["udid"], UDID);
}

#[tokio::test]
async fn of_many_devices_that_claim_one_identifier_at_once_one_gets_it() {
    let world = World::start().await;
    let body = with(enrolled(0), "udid", json!(UDID));
    let names: Vec<String> = (0..8).map(|n| format!("C02RACE{n:04}")).collect();
    let claims = names.iter().map(|name| report(&world, name, &body));
    let answers = futures_util::future::join_all(claims).await;
    let won = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(won, 1);
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.expect_problem(409, "identifier_taken");
    }
}

#[tokio::test]
async fn two_tenants_have_the_same_device_each_for_itself() {
    let world = World::start().await;
    let body = with(enrolled(0), "udid", json!(UDID));
    report(&world, MAC, &body).await.expect(201);
    let stranger = world.token_of("stranger", &["odt:inventory"]);
    let path = format!("/devices/{MAC}");
    let theirs = |method| world.ask(method, &path).token(&stranger);
    theirs(Method::GET).send().await.expect_problem(404, "not_found");
    theirs(Method::PUT).json(&body).send().await.expect(201);
    theirs(Method::DELETE).send().await.expect(200);
    assert_eq!(read(&world, MAC).await.expect(200)["udid"], UDID);
    let mine = world.integration().await;
    let foreign = with(enrolled(1), "deliveries", json!({ id_of(&mine): delivery(1, 1) }));
    let refused =
        world.ask(Method::PUT, "/devices/C02NEW12345").token(&stranger).json(&foreign).send().await;
    let problem = refused.expect_problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["code"], "unknown_integration");
    assert_eq!(problem["errors"][0]["pointer"], format!("/deliveries/{}", id_of(&mine)));
}

#[tokio::test]
async fn what_is_no_serial_number_is_refused_in_every_operation() {
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
            let answer = ask(&world, method.clone(), &path, body.as_ref()).await;
            assert_eq!(answer.status, 422, "{method} {serial}: {}", answer.text);
            let problem = answer.expect_problem(422, "invalid_request");
            assert_eq!(problem["errors"][0]["pointer"], "/path/serial_number");
        }
    }
    ask(&world, Method::GET, "/devices/", None).await.expect_problem(404, "not_found");
    read(&world, MAC).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn every_field_that_cannot_be_accepted_is_named() {
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
        let answer = report(&world, MAC, &with(enrolled(0), field, value.clone())).await;
        let problem = answer.expect_problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["code"], code, "{field} {value}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{field} {value}: {problem}");
    }
    read(&world, MAC).await.expect_problem(404, "not_found");
}

#[tokio::test]
async fn the_work_list_tells_what_is_outdated_missing_or_ending() {
    let world = World::start().await;
    let path = configured(&world).await;
    let id = id_of(&path);
    // macOS was configured first and is at version 1, iOS at version 2.
    let mac = |serial: &str, group: Value| {
        let item = with(enrolled(0), "serial_number", json!(serial));
        if group.is_null() { item } else { with(item, "deliveries", json!({ id: group })) }
    };
    let mut phone = json!({ "serial_number": "F2LABCDEFG12", "platform": "ios", "enrollment": { "state": "enrolled", "reported_at": at(0) } });
    phone["deliveries"] = json!({ id: delivery(1, 1) });
    let mut left = mac("C02LEFT12345", delivery(1, 0));
    left["enrollment"]["state"] = json!("unenrolled");
    let mut ending = mac("C02ENDING123", delivery(1, 1));
    ending["certificates"] = json!({ id: certificate("A1", 0, 1) });
    let mut renewed = mac("C02RENEWED12", delivery(1, 1));
    renewed["certificates"] = json!({ id: certificate("B1", 0, 1) });
    let renewal = json!({ "serial_number": "C02RENEWED12", "platform": "macos", "certificates": { id: certificate("B2", 500, 2) } });
    let all = [mac("C02NONE12345", json!(null)), phone, left, ending, renewed, renewal];
    let taken = batch(&world, &all).await.expect(200).to_string();
    assert!(!taken.contains("refused"), "{taken}");
    let list = async |query: &str| {
        ask(&world, Method::GET, &format!("/devices?{query}"), None).await.expect(200)
    };
    let of = |query: &str| format!("integration_id={id}&{query}");
    assert_eq!(serials(&list(&of("configuration=outdated")).await), ["F2LABCDEFG12"]);
    assert_eq!(serials(&list(&of("configuration=none")).await), ["C02NONE12345"]);
    assert_eq!(
        serials(&list(&of("configuration=current")).await),
        ["C02ENDING123", "C02RENEWED12"]
    );
    let soon = of(&format!("certificate_expires_before={}", at(1_200)));
    assert_eq!(serials(&list(&soon).await), ["C02ENDING123"], "the renewed certificate counts");
    let named = list(&of("limit=200")).await;
    assert_eq!(named["items"][0]["configuration"], "current");
    assert_eq!(named["items"].as_array().map(Vec::len), Some(4), "who left waits for nothing");
    assert_eq!(list("").await["items"].as_array().map(Vec::len), Some(5));
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(&of(&format!("limit=2{cursor}"))).await;
        seen.extend(serials(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["C02ENDING123", "C02NONE12345", "C02RENEWED12", "F2LABCDEFG12"]);
    for (query, status, code) in [
        ("configuration=none".to_owned(), 422, "invalid_request"),
        (format!("certificate_expires_before={}", at(0)), 422, "invalid_request"),
        (of("configuration=some"), 422, "invalid_request"),
        (of("certificate_expires_before=soon"), 422, "invalid_request"),
        (of("limit=0"), 422, "invalid_request"),
        (of("cursor=!"), 422, "invalid_request"),
        (of("surprise=1"), 400, "malformed_request"),
        ("integration_id=nonsense".to_owned(), 404, "not_found"),
        (format!("integration_id={}", uuid::Uuid::now_v7()), 404, "not_found"),
    ] {
        let answer = ask(&world, Method::GET, &format!("/devices?{query}"), None).await;
        answer.expect_problem(status, code);
    }
}

#[tokio::test]
async fn a_device_is_given_only_what_is_meant_for_the_one_that_was_reported() {
    let world = World::start().await;
    let path = configured(&world).await;
    let ask_for = async |what: &str, udid: &str| {
        let body = json!({ "device": { "serial_number": MAC, "udid": udid } });
        let ask = world.ask(Method::POST, &format!("{path}/platforms/{what}"));
        ask.scopes(&["odt:deploy"]).json(&body).send().await
    };
    ask_for("macos/scep-challenges", UDID).await.expect(201);
    report(&world, MAC, &enrolled(0)).await.expect(201);
    ask_for("macos/scep-challenges", UDID).await.expect(201);
    report(&world, MAC, &with(enrolled(1), "udid", json!(UDID))).await.expect(200);
    ask_for("macos/deployments", UDID).await.expect(201);
    world.acme.journal().clear();
    let claims = world.sql("SELECT count(*) FROM scep_challenges");
    for (what, udid) in [
        ("macos/scep-challenges", OTHER_UDID),
        ("macos/deployments", OTHER_UDID),
        ("ios/deployments", UDID),
    ] {
        ask_for(what, udid).await.expect_problem(409, "device_mismatch");
    }
    assert_eq!(world.acme.journal().entries().len(), 0, "Okta was not asked");
    assert_eq!(world.sql("SELECT count(*) FROM scep_challenges"), claims, "no challenge was spent");
    delete(&world, MAC, 2).await;
    ask_for("ios/deployments", OTHER_UDID).await.expect(201);
}

#[tokio::test]
async fn devices_that_report_a_delivery_depend_on_the_platform() {
    let world = World::start().await;
    let path = configured(&world).await;
    let id = id_of(&path);
    report(&world, MAC, &with(enrolled(0), "deliveries", json!({ id: delivery(1, 1) })))
        .await
        .expect(201);
    let gone = with(enrolled(0), "deliveries", json!({ id: delivery(1, 1) }));
    report(&world, "C02WIPED1234", &gone).await.expect(201);
    let wiped =
        json!({ "platform": "macos", "enrollment": { "state": "wiped", "reported_at": at(2) } });
    report(&world, "C02WIPED1234", &wiped).await.expect(200);
    let body = json!({ "device": { "serial_number": MAC, "udid": UDID } });
    let deploy = world.ask(Method::POST, &format!("{path}/platforms/macos/deployments"));
    deploy.scopes(&["odt:deploy"]).json(&body).send().await.expect(201);
    let refused = world.delete(&format!("{path}/platforms/macos")).await;
    assert_eq!(refused.expect_problem(409, "confirmation_required")["devices"], 1, "each once");
    world.delete(&format!("{path}/platforms/ios")).await.expect(200);
}

#[tokio::test]
async fn the_inventory_needs_its_own_scope() {
    let world = World::start().await;
    for (method, path) in [
        (Method::GET, "/devices".to_owned()),
        (Method::GET, format!("/devices/{MAC}")),
        (Method::PUT, format!("/devices/{MAC}")),
        (Method::DELETE, format!("/devices/{MAC}")),
        (Method::POST, "/devices/batch".to_owned()),
    ] {
        let body = if method == Method::POST { json!({ "devices": [] }) } else { enrolled(0) };
        let others = ["odt:read", "odt:write", "odt:deploy", "trust:read"];
        let answer = world.ask(method, &path).scopes(&others).json(&body).send().await;
        let problem = answer.expect_problem(403, "scope_missing");
        assert!(problem["detail"].as_str().expect("detail").contains("odt:inventory"));
    }
}
