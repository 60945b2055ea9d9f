//! Shrunk sweeps, and endless ones.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::EndlessList;

use crate::support::fleet::{DEVICES, mirroring};
use crate::support::wait::until;
use crate::support::world::World;

async fn sweep(world: &World, path: &str, body: Option<Value>) {
    let ask = world.ask(Method::POST, &format!("{path}/sync")).admin();
    let ask = if let Some(body) = body { ask.json(&body) } else { ask };
    ask.send().await.expect(202);
}

/// Returns the codes of the integration's notices.
async fn notices(world: &World, path: &str) -> Vec<String> {
    let shown = world.get(path).await.expect(200)["notices"].clone();
    let code = |notice: &Value| notice["code"].as_str().expect("code").to_owned();
    shown.as_array().map(|all| all.iter().map(code).collect()).unwrap_or_default()
}

async fn until_notices(world: &World, path: &str, expected: &[&str]) {
    until("the notices are as expected", async || notices(world, path).await == expected).await;
}

#[tokio::test]
async fn shrunk_sweep_removes_nothing_until_accepted() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(10);
    let path = world.connected().await;
    let first = world.until_mirrored(&path).await;
    world.acme.change(|knobs| knobs.percent_of_devices_listed = 40);
    world.acme.delete_device(&ids[9]).expect("device");
    sweep(&world, &path, None).await;
    until_notices(&world, &path, &["sweep_shrunk"]).await;
    let notice = world.get(&path).await.expect(200)["notices"][0].clone();
    let setup = world.get(&format!("{path}/setup")).await.expect(200);
    assert_eq!(setup["notices"], json!([notice]));
    assert_eq!(notice["parameters"], json!({ "shown": 4, "expected": 10 }));
    let sync = world.get(&format!("{path}/sync")).await.expect(200);
    assert_eq!(
        (&sync["devices"], &sync["last_success_at"]),
        (&json!(10), &first["last_success_at"])
    );
    // Missing records are read by ID: a 404 is recorded but removes nothing.
    world.make_job_due("rereads");
    until("the record that is gone is marked", async || world.records_not_found() == 1).await;
    until("all were read by id", async || world.count("okta_rereads") == 0).await;
    assert_eq!(world.count("okta_devices WHERE removed_at IS NULL"), 10);
    // A second one within an hour changes nothing.
    sweep(&world, &path, None).await;
    until("it is over", async || {
        world.count("okta_syncs WHERE sweep_id = 3 AND sweep_started_at IS NULL") == 1
    })
    .await;
    assert_eq!(notices(&world, &path).await, ["sweep_shrunk"]);
    sweep(&world, &path, Some(json!({ "accept_shrunk": true }))).await;
    until_notices(&world, &path, &[]).await;
    world.make_job_due("rereads");
    until("what is gone is removed", async || {
        world.count("okta_devices WHERE removed_at IS NULL") == 9
    })
    .await;
}

#[tokio::test]
async fn same_shrunk_sweep_an_hour_later_is_accepted() {
    let world = mirroring().start().await;
    world.add_fleet(10);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    world.acme.change(|knobs| knobs.percent_of_devices_listed = 40);
    sweep(&world, &path, None).await;
    until_notices(&world, &path, &["sweep_shrunk"]).await;
    world.age_shrunk_sweep("1 hour");
    sweep(&world, &path, None).await;
    until_notices(&world, &path, &[]).await;
    let sync = world.get(&format!("{path}/sync")).await.expect(200);
    assert_eq!(sync["progress"]["expected"], 4);
    assert_eq!(world.count("okta_sweep_pages"), 0);
}

#[tokio::test]
async fn users_missing_from_most_records_stay_and_from_one_are_removed() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(4);
    for (n, id) in ids.iter().enumerate() {
        let user = world.acme.add_user(&format!("user{n}@acme.example"));
        world.acme.sign_in_with_fastpass(id, &user).expect("device");
    }
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    let with_users = || world.count("okta_devices WHERE any_managed");
    world.acme.change(|knobs| knobs.percent_of_users_hidden = 75);
    world.sweep_again(&path).await;
    assert_eq!(notices(&world, &path).await, ["users_vanished"]);
    assert_eq!(with_users(), 4);
    world.acme.change(|knobs| knobs.percent_of_users_hidden = 25);
    world.sweep_again(&path).await;
    assert!(notices(&world, &path).await.is_empty());
    assert_eq!(with_users(), 3);
}

#[tokio::test]
async fn endless_sweep_is_aborted() {
    for endless in [EndlessList::Loop, EndlessList::EmptyPages] {
        let world = mirroring().start().await;
        world.add_fleet(450);
        let path = world.connected().await;
        world.until_mirrored(&path).await;
        world.acme.change(|knobs| knobs.endless_list = endless);
        sweep(&world, &path, None).await;
        let sync = world.until_sync(&path, |sync| !sync["last_error"].is_null()).await;
        assert_eq!(sync["last_error"]["code"], "okta_bad_answer", "{endless:?}");
        assert_eq!(sync["devices"], 450);
        let asked = world.acme.journal().count(DEVICES);
        assert!(asked < 40, "{endless:?} {asked}");
    }
}

#[tokio::test]
async fn endless_incremental_read_is_aborted() {
    for endless in [EndlessList::Loop, EndlessList::EmptyPages] {
        let world = mirroring().start().await;
        let ids = world.add_fleet(450);
        let path = world.connected().await;
        world.until_mirrored(&path).await;
        world.acme.change(|knobs| knobs.endless_list = endless);
        let before = world.acme.journal().count(DEVICES);
        world.make_job_due("incremental");
        let sync = world.until_sync(&path, |sync| !sync["last_error"].is_null()).await;
        assert_eq!(sync["last_error"]["code"], "okta_bad_answer", "{endless:?}");
        let asked = world.acme.journal().count(DEVICES) - before;
        assert!(asked < 40, "{endless:?} {asked}");
        // The next read starts where this one started.
        world.acme.change(|knobs| knobs.endless_list = EndlessList::No);
        world.acme.set_device_status(&ids[449], "SUSPENDED").expect("device");
        world.make_job_due("incremental");
        world.until_record(&path, &ids[449], |record| record["status"] == "SUSPENDED").await;
        until("its pages are gone", async || world.count("okta_sweep_pages") == 0).await;
    }
}

#[tokio::test]
async fn next_page_without_expand_still_has_the_users() {
    let world = mirroring().start().await;
    let ids = world.add_fleet(250);
    let ada = world.acme.add_user("ada@acme.example");
    world.acme.sign_in_with_fastpass(&ids[249], &ada).expect("device");
    world.acme.change(|knobs| knobs.next_drops_expand = true);
    let path = world.connected().await;
    world.until_mirrored(&path).await;
    assert_eq!(world.count("okta_devices WHERE users_known"), 250);
    let record = world.find_record(&path, &ids[249]).await;
    assert_eq!(record["users"][0]["management_status"], "MANAGED");
}
