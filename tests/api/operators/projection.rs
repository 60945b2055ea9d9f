//! `check-projection`, and devices without projected facts.

use serde_json::Value;

use crate::support::inventory::enrolled;
use crate::support::process::run;
use crate::support::wait::until;
use crate::support::world::World;

const MAC: &str = "C02PROJ12345";

async fn reason(world: &World) -> Value {
    let status = world.trust_status(MAC).await;
    status["reasons"][0].clone()
}

#[tokio::test]
async fn wrong_projected_facts_are_found_and_repaired() {
    let world = World::start().await;
    world.configured().await;
    world.report_device(MAC, &enrolled(0)).await.expect(201);
    let right = reason(&world).await;
    let check = run(&world.environment, &["check-projection"]);
    assert_eq!(check.expect_success().trim(), "1 checked, 0 wrong, 0 not projected");

    world.falsify_projection(MAC);
    assert_eq!(reason(&world).await, "mdm_unenrolled", "verdicts rest on the projected facts");
    let found = run(&world.environment, &["check-projection"]);
    assert!(found.stdout.contains(MAC), "{found:?}");
    assert!(found.expect_failure().contains("check-projection --repair"));

    let repaired = run(&world.environment, &["check-projection", "--repair"]);
    assert!(repaired.expect_success().contains("1 wrong"));
    assert_eq!(reason(&world).await, right);
    let check = run(&world.environment, &["check-projection"]);
    assert_eq!(check.expect_success().trim(), "1 checked, 0 wrong, 0 not projected");
}

#[tokio::test]
async fn housekeeping_projects_devices_without_projected_facts() {
    let world = World::build().setting("ODT_SYNC_WORKERS", "1").start().await;
    let path = world.configured().await;
    world.until_mirrored(&path).await;
    world.report_device(MAC, &enrolled(0)).await.expect(201);
    let before = reason(&world).await;
    until("the first run is over", async || world.job("housekeeping").seconds_left > 3_000.0).await;
    world.forget_projection();
    assert_eq!(reason(&world).await, before);
    let check = run(&world.environment, &["check-projection"]);
    assert_eq!(check.expect_success().trim(), "1 checked, 0 wrong, 1 not projected");

    world.make_job_due("housekeeping");
    until("the device is projected", async || world.count("trust_facts") == 1).await;
    assert_eq!(reason(&world).await, before);
}
