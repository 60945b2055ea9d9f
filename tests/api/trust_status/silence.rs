//! Devices that have not checked in. A Mac that was erased offline stays enrolled in the MDM forever.

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::support::inventory::MAC;
use crate::support::trust::expect_verdict;
use crate::support::world::World;

/// Reports that the Mac last checked in `hours` hours ago.
async fn check_in(world: &World, hours: i64) {
    let now = Utc::now();
    let body = json!({ "platform": "macos", "check_in": {
        "last_seen_at": now - TimeDelta::hours(hours), "reported_at": now } });
    world.report_device(MAC, &body).await.expect(200);
}

#[tokio::test]
async fn silent_device_is_unknown_with_a_limit() {
    let world = World::build().setting("ODT_TRUST_LAST_SEEN_WITHIN", "86400").start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    expect_verdict(&world.trust_status(MAC).await, "trusted", "managed_and_active");
    check_in(&world, 25).await;
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "unknown", "mdm_silent");
    assert_eq!(status["users"][0]["login"], "ada@acme.example", "{status}");
    check_in(&world, 23).await;
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "trusted", "managed_and_active");
    // At most until the limit is reached.
    let until = status["fresh_until"].as_str().expect("a time");
    let until: chrono::DateTime<Utc> = until.parse().expect("a time");
    assert!(until <= Utc::now() + TimeDelta::hours(1), "{status}");
}

#[tokio::test]
async fn silent_device_is_noted_after_30_days_without_a_limit() {
    let world = World::start().await;
    let id = world.swept_integration().await;
    world.insert_trusted_mac(&id, MAC);
    check_in(&world, 24 * 30 - 1).await;
    let noted = json!("not_seen_lately");
    let reasons = |status: &serde_json::Value| status["reasons"].as_array().expect("list").clone();
    assert!(!reasons(&world.trust_status(MAC).await).contains(&noted));
    check_in(&world, 24 * 30 + 1).await;
    let status = world.trust_status(MAC).await;
    expect_verdict(&status, "trusted", "managed_and_active");
    assert!(reasons(&status).contains(&noted), "{status}");
}
