//! Users of a record in lists: null, and more than a list shows.

use chrono::Utc;
use serde_json::json;
use testkit::okta::Fault;

use crate::support::fleet::{DEVICES, mirroring, udid};
use crate::support::inventory::id_of;
use crate::support::trust::expect_verdict;
use crate::support::wait::until;
use crate::support::world::World;

const MAC: &str = "C02SYNC00000";

/// Reports the first Mac of the fleet as enrolled and configured.
async fn report_enrolled(world: &World, path: &str) {
    let now = Utc::now();
    let body = json!({
        "platform": "macos", "udid": udid(0),
        "enrollment": { "state": "enrolled", "reported_at": now },
        "deliveries": { id_of(path): { "config_version": 1, "delivered_at": now, "reported_at": now } },
    });
    world.report_device(MAC, &body).await.expect(201);
}

/// Okta returns `"users": null` for a device without users, such as one whose users were all deleted.
#[tokio::test]
async fn null_users_are_empty_and_need_no_further_read() {
    let world = mirroring().setting("ODT_SYNC_PENDING_EVERY_SECONDS", "1").start().await;
    world.acme.change(|knobs| knobs.no_users_are_null = true);
    let ids = world.add_fleet(5);
    let ada = world.acme.add_user("ada@acme.example");
    for id in &ids[..4] {
        world.acme.sign_in_with_fastpass(id, &ada).expect("device");
    }
    let path = world.configured().await;
    world.until_mirrored(&path).await;
    report_enrolled(&world, &path).await;
    expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
    // Managed before, with unchanged `lastUpdated`.
    world.acme.change_device(&ids[0], |device| device.users.clear()).expect("device");
    world.sweep_again(&path).await;
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "pending", "awaiting_fastpass_sign_in");
    assert_eq!(status["okta_devices"][0]["users"], json!([]));
    // The device without a delivery is not pending.
    for _ in 0..3 {
        let before = world.acme.journal().count(&format!("{DEVICES}/{}/users", ids[0]));
        world.make_job_due("rereads");
        until("the rereads have run", async || {
            world.acme.journal().count(&format!("{DEVICES}/{}/users", ids[0])) > before
        })
        .await;
    }
    assert_eq!(world.acme.journal().count(&format!("{DEVICES}/{}/users", ids[4])), 0);
}

/// A list shows at most 20 users of a device, without indicating that there are more.
#[tokio::test]
async fn truncated_list_does_not_satisfy_all_users() {
    let world = mirroring()
        .setting("ODT_SYNC_PENDING_EVERY_SECONDS", "1")
        .setting("ODT_TRUST_USER_POLICY", "all_users")
        .start()
        .await;
    let ids = world.add_fleet(1);
    let users: Vec<_> =
        (10..31).map(|n| world.acme.add_user(&format!("user{n}@acme.example"))).collect();
    for user in &users {
        world.acme.enroll(&ids[0], user).expect("device");
    }
    for user in &users[..20] {
        world.acme.sign_in_with_fastpass(&ids[0], user).expect("device");
    }
    world.acme.fail(Fault::status(503).on(format!("{DEVICES}/{}/users", ids[0])));
    let path = world.configured().await;
    world.until_mirrored(&path).await;
    report_enrolled(&world, &path).await;
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "unknown", "management_status_unknown");
    assert_eq!(status["okta_devices"][0]["users"].as_array().map(Vec::len), Some(20));
    // Reading all pages makes the list complete.
    world.acme.recover();
    let read_users = async |count: u64| {
        world.sql("UPDATE okta_devices SET users_put_off_until = NULL");
        world.make_job_due("rereads");
        let managed = format!(
            "okta_devices WHERE users_known AND jsonb_array_length(jsonb_path_query_array(users, \
             '$[*] ? (@.management_status == \"MANAGED\")')) = {count}"
        );
        until("all users are read", async || world.count(&managed) == 1).await;
    };
    read_users(20).await;
    expect_verdict(&world.trust_status(MAC).await, "pending", "awaiting_fastpass_sign_in");
    world.acme.sign_in_with_fastpass(&ids[0], &users[20]).expect("device");
    read_users(21).await;
    expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
}
