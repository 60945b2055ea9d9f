//! Uses of records, as shown by lists, reads by ID and event hooks.

use chrono::Utc;
use serde_json::json;

use crate::support::event_hooks::Hooked;
use crate::support::fleet::{mirroring, udid};
use crate::support::wait::until;

#[tokio::test]
async fn sign_in_between_two_sweeps_is_a_use_and_a_suspension_is_not() {
    let world = mirroring().start().await;
    world.acme.change(|knobs| knobs.sign_in_moves_last_updated = true);
    let ids = world.add_fleet(3);
    let ada = world.acme.add_user("ada@acme.example");
    for id in &ids {
        world.acme.sign_in_with_fastpass(id, &ada).expect("device");
    }
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    let used = || world.column("okta_devices WHERE used_at = last_updated_at", "okta_device_id");
    assert!(used().is_empty(), "the first read is no use");
    world.acme.sign_in(&ids[0], &ada).expect("device");
    world.acme.suspend(&ids[1]).expect("device");
    let bob = world.acme.add_user("bob@acme.example");
    world.acme.enroll(&ids[2], &bob).expect("device");
    world.sweep_again(&path).await;
    assert_eq!(used(), [ids[0].as_str()]);
    world.acme.unsuspend(&ids[1]).expect("device");
    world.sweep_again(&path).await;
    assert_eq!(used(), [ids[0].as_str()]);
    assert_eq!(world.count("okta_devices WHERE users_added_at IS NOT NULL"), 3);
}

#[tokio::test]
async fn lifecycle_event_revokes_the_use_that_it_caused() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(2);
    let ada = world.acme.add_user("ada@acme.example");
    for id in &ids {
        world.acme.sign_in_with_fastpass(id, &ada).expect("device");
    }
    let Hooked { okta, path, .. } = Hooked::new(&world).await;
    world.until_mirrored(&path).await;
    // Suspended and unsuspended between two sweeps: in the list this looks like a sign-in.
    world.acme.suspend(&ids[0]).expect("device");
    world.acme.unsuspend(&ids[0]).expect("device");
    world.sweep_again(&path).await;
    let used = || world.count("okta_devices WHERE used_at IS NOT NULL");
    assert_eq!(used(), 1);
    okta.deliver("device.lifecycle.unsuspend", &[&ids[0]]).await.expect("taken");
    assert_eq!(used(), 0);
    // The event arrives before the read.
    world.age_record_updates("1 hour");
    okta.deliver("device.lifecycle.unsuspend", &[&ids[1]]).await.expect("taken");
    assert_eq!(world.count("okta_devices WHERE lifecycle_at IS NOT NULL"), 1);
    world.acme.set_device_status(&ids[1], "ACTIVE").expect("device");
    world.sweep_again(&path).await;
    until("the event is past", async || {
        world.count("okta_devices WHERE lifecycle_at IS NOT NULL") == 0
    })
    .await;
    let unused = format!("okta_devices WHERE used_at IS NULL AND okta_device_id = '{}'", ids[1]);
    assert_eq!(world.count(&unused), 1);
}

/// A shared Mac with more users than a list shows.
#[tokio::test]
async fn use_is_detected_if_lists_truncate_the_users() {
    let world = mirroring()
        .setting("ODT_SYNC_PENDING_EVERY_SECONDS", "1")
        .setting("ODT_SYNC_READ_EVERY_SECONDS", "1")
        .start()
        .await;
    world.acme.change(|knobs| knobs.sign_in_moves_last_updated = true);
    let ids = world.add_fleet(2);
    let users: Vec<_> =
        (0..25).map(|n| world.acme.add_user(&format!("user{n}@acme.example"))).collect();
    for id in &ids {
        for user in &users {
            world.acme.sign_in_with_fastpass(id, user).expect("device");
        }
    }
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    until("all users are read", async || {
        world.count("okta_devices WHERE jsonb_array_length(users) = 25 AND users_known") == 2
    })
    .await;
    // Enrolled again: the record counts once it is used.
    let now = Utc::now();
    let enrolled = json!({ "platform": "macos", "udid": udid(0),
        "enrollment": { "state": "enrolled", "enrolled_at": now, "reported_at": now } });
    world.report_device("C02SYNC00000", &enrolled).await.expect(201);
    let compared =
        || world.column("okta_devices WHERE use_base_updated_at IS NOT NULL", "okta_device_id");
    until("it is read by its id", async || compared() == [ids[0].as_str()]).await;
    world.acme.sign_in(&ids[0], &users[3]).expect("device");
    let used = || world.column("okta_devices WHERE used_at = last_updated_at", "okta_device_id");
    until("its use is noticed", async || used() == [ids[0].as_str()]).await;
}
