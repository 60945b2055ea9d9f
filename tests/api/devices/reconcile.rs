//! Snapshots of the whole fleet: missing devices become unenrolled.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::inventory::{MAC, at, enrolled, with};
use crate::support::trust::expect_verdict;
use crate::support::world::World;

fn serial(n: usize) -> String {
    format!("C02FLEET{n:04}")
}

/// Returns the serial numbers of these devices.
fn named(range: std::ops::Range<usize>) -> Value {
    range.map(serial).collect()
}

fn page(serial_numbers: &Value) -> Value {
    json!({ "snapshot_id": "s1", "serial_numbers": serial_numbers })
}

fn last(serial_numbers: &Value) -> Value {
    with(page(serial_numbers), "complete", json!(true))
}

async fn send(world: &World, body: &Value) -> Answer {
    world.ask_inventory(Method::POST, "/devices/reconcile", Some(body)).await
}

async fn report_fleet(world: &World, size: usize) {
    let item = |n| with(enrolled(0), "serial_number", json!(serial(n)));
    let devices: Vec<Value> = (0..size).map(item).collect();
    for batch in devices.chunks(1_000) {
        world.report_batch(batch).await.expect(200);
    }
}

async fn state_of(world: &World, serial: &str) -> Value {
    world.read_device(serial).await.expect(200)["enrollment"]["state"].clone()
}

#[tokio::test]
async fn missing_device_is_unenrolled_as_of_the_snapshots_beginning() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    report_fleet(&world, 10).await;
    expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
    let first = send(&world, &page(&named(0..6))).await.expect(200);
    assert_eq!((&first["completed_at"], &first["unenrolled"]), (&json!(null), &json!(0)));
    // In upper and lower case, with whitespace, and repeated.
    let rest = json!([" c02fleet0006 ", "C02FLEET0006", serial(7), serial(8), serial(9)]);
    let done = send(&world, &last(&rest)).await.expect(200);
    assert_eq!((&done["unenrolled"], &done["began_at"]), (&json!(1), &first["began_at"]));
    let missing = world.read_device(MAC).await.expect(200);
    assert_eq!(missing["enrollment"]["state"], "unenrolled");
    assert_eq!(missing["enrollment"]["reported_at"], first["began_at"]);
    assert_eq!(missing["left_at"], first["began_at"]);
    expect_verdict(&world.trust_status(MAC).await, "untrusted", "mdm_unenrolled");
    assert_eq!(state_of(&world, &serial(6)).await, "enrolled");
    assert_eq!(world.count_events("devices_reconciled"), 1);
}

#[tokio::test]
async fn device_reported_since_the_beginning_stays_enrolled() {
    let world = World::start().await;
    report_fleet(&world, 20).await;
    let began = send(&world, &page(&json!([]))).await.expect(200)["began_at"].clone();
    // One by its own time, one by the time of receipt.
    let now =
        json!({ "platform": "macos", "enrollment": { "state": "enrolled", "reported_at": began } });
    world.report_device(&serial(18), &now).await.expect(200);
    let older = json!({ "installed_at": at(1), "reported_at": at(1) });
    let older = with(enrolled(0), "okta_verify", older);
    world.report_device(&serial(19), &older).await.expect(200);
    let done = send(&world, &last(&named(0..17))).await.expect(200);
    assert_eq!(done["unenrolled"], 1);
    for (n, state) in [(16, "enrolled"), (17, "unenrolled"), (18, "enrolled"), (19, "enrolled")] {
        assert_eq!(state_of(&world, &serial(n)).await, state, "{n}");
    }
    // Its next report enrolls it again.
    world.report_device(&serial(17), &with(now, "udid", json!(null))).await.expect(200);
    let later = chrono::Utc::now().to_rfc3339();
    let back =
        json!({ "platform": "macos", "enrollment": { "state": "enrolled", "reported_at": later } });
    world.report_device(&serial(17), &back).await.expect(200);
    assert_eq!(state_of(&world, &serial(17)).await, "enrolled");
}

#[tokio::test]
async fn unenrolling_more_than_a_tenth_requires_confirmation() {
    let world = World::start().await;
    report_fleet(&world, 20).await;
    let body = last(&named(0..17));
    let problem = send(&world, &body).await.expect_problem(409, "reconcile_confirmation_required");
    assert_eq!(problem["devices"], 3);
    assert!(problem["detail"].as_str().expect("detail").contains("3 of 20"), "{problem}");
    assert_eq!(state_of(&world, &serial(17)).await, "enrolled");
    let confirmed = with(body, "confirm", json!(true));
    assert_eq!(send(&world, &confirmed).await.expect(200)["unenrolled"], 3);
    // Exactly a tenth requires none: 2 of the 20 enrolled devices.
    for n in 17..20 {
        let later = chrono::Utc::now().to_rfc3339();
        let back = json!({ "platform": "macos", "enrollment": { "state": "enrolled", "reported_at": later } });
        world.report_device(&serial(n), &back).await.expect(200);
    }
    let next = with(last(&named(0..18)), "snapshot_id", json!("s2"));
    assert_eq!(send(&world, &next).await.expect(200)["unenrolled"], 2);
}

#[tokio::test]
async fn more_devices_than_one_batch_are_unenrolled() {
    let world = World::start().await;
    report_fleet(&world, 2_003).await;
    let body = with(last(&named(0..2)), "confirm", json!(true));
    assert_eq!(send(&world, &body).await.expect(200)["unenrolled"], 2_001);
    assert_eq!(world.count("devices WHERE enrollment_state = 'enrolled'"), 2);
}

#[tokio::test]
async fn another_tenants_devices_and_snapshots_are_not_changed() {
    let mut world = World::start().await;
    report_fleet(&world, 3).await;
    let owner = std::mem::replace(&mut world.tenant, "stranger".to_owned());
    report_fleet(&world, 3).await;
    send(&world, &page(&named(0..3))).await.expect(200);
    let stranger = std::mem::replace(&mut world.tenant, owner);
    let all = with(last(&json!([])), "confirm", json!(true));
    assert_eq!(send(&world, &all).await.expect(200)["unenrolled"], 3);
    world.tenant = stranger;
    assert_eq!(state_of(&world, &serial(0)).await, "enrolled");
    assert_eq!(send(&world, &last(&json!([]))).await.expect(200)["unenrolled"], 0);
}

#[tokio::test]
async fn pages_are_idempotent_and_closed_snapshots_reject_others() {
    let world = World::start().await;
    report_fleet(&world, 20).await;
    let pages = [page(&named(0..10)), page(&named(0..10)), last(&named(10..19))];
    for body in &pages {
        send(&world, body).await.expect(200);
    }
    let closed = send(&world, &pages[2]).await.expect(200);
    assert_eq!(closed["unenrolled"], 1);
    for body in &pages {
        assert_eq!(send(&world, body).await.expect(200), closed);
    }
    assert_eq!(world.count_events("devices_reconciled"), 1);
    send(&world, &page(&named(19..20))).await.expect_problem(409, "snapshot_closed");

    let old = |range| with(last(&named(range)), "snapshot_id", json!("s2"));
    send(&world, &with(old(0..10), "complete", json!(false))).await.expect(200);
    world.age_snapshots("25 hours");
    send(&world, &old(10..19)).await.expect_problem(409, "snapshot_closed");
}

#[tokio::test]
async fn invalid_fields_are_named() {
    let world = World::start().await;
    let refused = async |body: Value| {
        send(&world, &body).await.expect_problem(422, "invalid_request")["errors"].clone()
    };
    let bad = refused(page(&json!([MAC, "SHORT", MAC, "no serial"]))).await;
    assert_eq!(bad[0]["pointer"], "/serial_numbers/1", "{bad}");
    assert_eq!(bad[1]["pointer"], "/serial_numbers/3", "{bad}");
    for id in ["", "with blanks", "ä", &"x".repeat(129)] {
        let bad = refused(with(page(&json!([MAC])), "snapshot_id", json!(id))).await;
        assert_eq!(bad[0]["pointer"], "/snapshot_id", "{bad}");
    }
    let many = refused(page(&named(0..1_001))).await;
    assert_eq!(
        (&many[0]["pointer"], &many[0]["code"]),
        (&json!("/serial_numbers"), &json!("too_many"))
    );
    send(&world, &page(&named(0..1_000))).await.expect(200);
    assert_eq!(world.count("device_snapshots"), 1, "a rejected page is not stored");
}
