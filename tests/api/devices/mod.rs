//! The inventory: late, repeated, out-of-order and invalid reports of the MDM.

mod batches;
mod certificates;
mod clocks;
mod enrollment;
mod identifiers;
mod lives;
mod reconcile;
mod work_list;

use reqwest::Method;
use serde_json::json;

use crate::support::inventory::{MAC, UDID, at, certificate, delivery, enrolled, id_of, with};
use crate::support::world::World;

#[tokio::test]
async fn report_creates_a_device_and_is_idempotent() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    let mut body = with(enrolled(0), "udid", json!(UDID.to_ascii_lowercase()));
    body["okta_device_id"] = json!("guo123");
    body["okta_verify"] = json!({ "installed_at": at(0), "reported_at": at(1) });
    body["deliveries"] = json!({ id: delivery(4, 2) });
    body["certificates"] = json!({ id: certificate("0a:ff", 0, 3) });
    world.read_device(MAC).await.expect_problem(404, "not_found");
    let created = world.report_device(&MAC.to_ascii_lowercase(), &body).await.expect(201);
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
    let again = world.report_device(MAC, &body).await.expect(200);
    let text = again["results"].to_string();
    assert!(!text.contains("applied") && text.contains("unchanged"), "{text}");
    assert_eq!(again["device"], *device, "not even updated_at");
    assert_eq!(world.read_device(MAC).await.expect(200), *device);
}

#[tokio::test]
async fn absent_groups_stay_null_clears_and_older_is_ignored() {
    let world = World::start().await;
    let path = world.integration().await;
    let id = id_of(&path);
    let mut body = with(enrolled(0), "udid", json!(UDID));
    body["okta_verify"] = json!({ "installed_at": at(0), "reported_at": at(5) });
    body["deliveries"] = json!({ id: delivery(4, 5) });
    world.report_device(MAC, &body).await.expect(201);
    let older = json!({ "platform": "macos", "deliveries": { id: delivery(3, 4) } });
    let late = world.report_device(MAC, &older).await.expect(200);
    assert_eq!(late["results"]["deliveries"][id], "ignored_stale");
    assert_eq!(late["device"]["deliveries"][id]["config_version"], 4);
    let clear = json!({
        "platform": "macos", "reported_at": at(6), "okta_verify": null, "udid": null,
        "deliveries": { id: null }, "certificates": { id: null },
    });
    let cleared = world.report_device(MAC, &clear).await.expect(200)["device"].clone();
    assert_eq!(cleared["okta_verify"], json!(null));
    assert_eq!(cleared["udid"], json!(null));
    assert_eq!(cleared["deliveries"], json!({}));
    let late = world.report_device(MAC, &body).await.expect(200);
    assert_eq!(late["results"]["okta_verify"], "ignored_stale");
    assert_eq!(late["device"], cleared);
}

#[tokio::test]
async fn any_order_of_the_same_reports_gives_the_same_device() {
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
            let answer = world.report_device(&serial, &reports[place]).await;
            assert!(answer.status.is_success(), "{}", answer.text);
        }
        let mut device = world.read_device(&serial).await.expect(200);
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
    let states = world.count(&format!("(SELECT DISTINCT {columns} FROM devices) AS states"));
    assert_eq!(states, 1, "the rows are the same, too");
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
async fn inventory_requires_its_own_scope() {
    let world = World::start().await;
    for (method, path) in [
        (Method::GET, "/devices".to_owned()),
        (Method::GET, format!("/devices/{MAC}")),
        (Method::PUT, format!("/devices/{MAC}")),
        (Method::DELETE, format!("/devices/{MAC}")),
        (Method::POST, "/devices/batch".to_owned()),
        (Method::POST, "/devices/reconcile".to_owned()),
    ] {
        let body = match path.as_str() {
            "/devices/batch" => json!({ "devices": [] }),
            "/devices/reconcile" => json!({ "snapshot_id": "s1", "serial_numbers": [] }),
            _ => enrolled(0),
        };
        let others = ["odt:read", "odt:write", "odt:deploy", "trust:read"];
        let answer = world.ask(method, &path).scopes(&others).json(&body).send().await;
        let problem = answer.expect_problem(403, "scope_missing");
        assert!(problem["detail"].as_str().expect("detail").contains("odt:inventory"));
    }
}
