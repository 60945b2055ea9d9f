//! Re-reads of devices by ID: for what lists omit, lag behind with or contradict.

use serde_json::{Value, json};
use testkit::okta::Fault;

use crate::support::fleet::{DEVICES, mirroring, udid};
use crate::support::inventory::id_of;
use crate::support::wait::until;

#[tokio::test]
async fn deleted_device_is_removed_after_a_sweep_without_it_and_a_404() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(3);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    let by_id = format!("{DEVICES}/{}", ids[1]);
    // Only a 404, caused by a hook: the record stays.
    world.acme.delete_device(&ids[1]).expect("device");
    world.enqueue_reread(&ids[1]);
    until("the records that are gone are marked", async || world.records_not_found() == 1).await;
    // Only a sweep, without a response for the ID: the record stays.
    world.acme.fail(Fault::status(503).on(by_id.clone()));
    let asked = world.acme.journal().count(&by_id);
    let sync = world.sweep_again(&path).await;
    assert_eq!(sync["devices"], 3);
    until("Okta is asked by id", async || world.acme.journal().count(&by_id) > asked).await;
    assert_eq!(world.count("okta_devices"), 3);
    world.acme.recover();
    world.make_job_due("rereads");
    world.until_record(&path, &ids[1], Value::is_null).await;
    assert_eq!(world.count("okta_devices WHERE removed_at IS NULL"), 2);
    assert_eq!(world.count("okta_rereads"), 0);
}

#[tokio::test]
async fn lagging_list_does_not_overwrite_a_read_by_id() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(2);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    world.acme.change(|knobs| knobs.stale_search = true);
    world.acme.set_device_status(&ids[0], "SUSPENDED").expect("device");
    let users = |record: &Value| record["users"].as_array().map_or(0, Vec::len);
    let ada = world.acme.add_user("ada@acme.example");
    // The same `lastUpdated`, but with more data than the list shows.
    world.acme.sign_in_with_fastpass(&ids[1], &ada).expect("device");
    let same = world.last_updated(&ids[1]);
    world.acme.change_device(&ids[1], |device| device.last_updated = same).expect("device");
    world.enqueue_reread(&ids[0]);
    world.enqueue_reread(&ids[1]);
    world.until_record(&path, &ids[0], |record| record["status"] == "SUSPENDED").await;
    world.until_record(&path, &ids[1], |record| users(record) == 1).await;
    world.sweep_again(&path).await;
    let one = world.until_record(&path, &ids[0], |record| !record.is_null()).await;
    assert_eq!(one["status"], "SUSPENDED");
    let other = world.until_record(&path, &ids[1], |record| !record.is_null()).await;
    assert_eq!(users(&other), 1);
}

#[tokio::test]
async fn missing_management_status_is_completed_by_reading_the_users() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(2);
    let ada = world.acme.add_user("ada@acme.example");
    world.acme.sign_in_with_fastpass(&ids[0], &ada).expect("device");
    world.acme.change(|knobs| knobs.summary_without_management_status = true);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    world.make_job_due("rereads");
    let managed = |record: &Value| record["users"][0]["management_status"] == "MANAGED";
    world.until_record(&path, &ids[0], managed).await;
    // The next page without it does not make the device unknown again.
    world.sweep_again(&path).await;
    assert!(managed(&world.until_record(&path, &ids[0], |record| !record.is_null()).await));
    assert_eq!(world.acme.journal().count(&format!("{DEVICES}/{}/users", ids[1])), 0);
}

#[tokio::test]
async fn rows_without_users_are_completed_by_repeated_reads() {
    let world = mirroring().setting("ODT_SYNC_PENDING_EVERY_SECONDS", "1").start().await;
    let ids = world.add_fleet(2);
    let ada = world.acme.add_user("ada@acme.example");
    world.acme.sign_in_with_fastpass(&ids[0], &ada).expect("device");
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    let managed = |record: &Value| record["users"][0]["management_status"] == "MANAGED";
    world.until_record(&path, &ids[0], managed).await;
    // From now on lists have no users. A deactivated device has lost its users.
    world.acme.change(|knobs| knobs.summary_without_users = true);
    world.acme.change_device(&ids[0], |device| device.users.clear()).expect("device");
    for status in ["DEACTIVATED", "ACTIVE"] {
        world.acme.set_device_status(&ids[0], status).expect("device");
    }
    world.sweep_again(&path).await;
    let unmanaged = |record: &Value| record["users"] == json!([]);
    world.until_record(&path, &ids[0], unmanaged).await;
    // They are read again, so that data missing from lists does not become stale.
    world.sweep_again(&path).await;
    let observed = |record: &Value| record["observed_at"].as_str().map(str::to_owned);
    let before = observed(&world.until_record(&path, &ids[1], |record| !record.is_null()).await);
    world.sweep_again(&path).await;
    world.until_record(&path, &ids[1], |record| observed(record) > before).await;
}

#[tokio::test]
async fn list_that_contradicts_a_newer_read_does_not_refresh_it() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(1);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    // Read by ID a minute ago. Since then Okta has another status with the same lastUpdated.
    world.read_records_by_id("1 minute");
    world.observe_records("1 minute");
    world.set_swept("10 minutes");
    let read = world.find_record(&path, &ids[0]).await;
    world.acme.change_device(&ids[0], |device| device.status = "SUSPENDED".into()).expect("device");
    world.sweep_again(&path).await;
    // The list may lag behind the read, so it is not accepted, but it does not confirm the read either: a
    // re-read is requested.
    world
        .until_record(&path, &ids[0], |record| {
            let unconfirmed = record["observed_at"] == read["observed_at"];
            assert!(unconfirmed || record["status"] == "SUSPENDED", "{record}");
            record["status"] == "SUSPENDED"
        })
        .await;
}

#[tokio::test]
async fn failing_devices_do_not_block_the_others() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(8);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    world.acme.set_device_status(&ids[7], "SUSPENDED").expect("device");
    for id in &ids[..7] {
        world.acme.fail(Fault::status(500).on(format!("{DEVICES}/{id}")));
    }
    for id in &ids {
        world.enqueue_reread(id);
    }
    world.until_record(&path, &ids[7], |record| record["status"] == "SUSPENDED").await;
}

#[tokio::test]
async fn temporarily_missing_device_is_restored_by_the_next_sweep() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(2);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    world.mark_record_not_found(&ids[0]);
    world.sweep_again(&path).await;
    until("the records that are gone are marked", async || world.records_not_found() == 0).await;
}

#[tokio::test]
async fn a_404_counts_even_if_a_lagging_list_showed_the_device_since() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(2);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    world.acme.delete_device(&ids[0]).expect("device");
    // Missing from a sweep, then shown by a search.
    world.insert_reread(&ids[0], "missing", "1 minute");
    world.observe_records("0");
    world.make_job_due("rereads");
    until("the records that are gone are marked", async || world.records_not_found() == 1).await;
}

#[tokio::test]
async fn exhausted_device_budget_does_not_affect_user_reads() {
    let world = mirroring().setting("ODT_SYNC_PENDING_EVERY_SECONDS", "1").start().await;
    world.add_fleet(1);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    // The management status of its users is unknown, and many other devices have requested re-reads.
    world.set_record_users(None);
    for n in 0..60 {
        world.insert_reread(&format!("guoGone{n}"), "missing", "0");
    }
    world.spend_budget("devices", "pending");
    world.make_job_due("rereads");
    until("its users are read", async || world.all_users_are_known()).await;
}

#[tokio::test]
async fn sign_in_without_last_updated_is_found_on_delivered_devices() {
    let world = mirroring()
        .setting("ODT_SYNC_PENDING_EVERY_SECONDS", "1")
        .setting("ODT_SYNC_READ_EVERY_SECONDS", "1")
        .start()
        .await;
    let ids = world.add_fleet(2);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    world.insert_device("C02OTHER0001", "macos");
    world.set_udid("C02OTHER0001", &udid(0));
    world.insert_delivery(id_of(&path), "C02OTHER0001");
    let ada = world.acme.add_user("ada@acme.example");
    for id in &ids {
        world.acme.enroll(id, &ada).expect("device");
        world.until_record(&path, id, |record| !record["users"][0].is_null()).await;
        world.acme.sign_in_with_fastpass(id, &ada).expect("device");
    }
    let managed = |record: &Value| record["users"][0]["management_status"] == "MANAGED";
    let record = world.until_record(&path, &ids[0], managed).await;
    assert_eq!(record["matched_serial_number"], "C02OTHER0001");
    // Nothing was delivered to the other one, so it is not read.
    assert_eq!(world.acme.journal().count(&format!("{DEVICES}/{}/users", ids[1])), 0);
}
