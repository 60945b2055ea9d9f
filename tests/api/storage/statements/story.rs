//! A tenant's life that uses every method of the store: connected, mirrored, asked about, deleted.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::{Fault, FaultKind};

use crate::support::event_hooks::{Hooked, NOTHING, deliver, devices};
use crate::support::fleet::{DEVICES, udid};
use crate::support::inventory::{MAC, UDID, at, certificate, delivery, enrolled, id_of, with};
use crate::support::process::run;
use crate::support::wait::until;
use crate::support::world::{INTEGRATIONS, World};

/// More than one page of Okta's list.
const FLEET: usize = 250;

/// A Mac that was given its configuration, and that Okta knows.
const CONFIGURED: &str = "C02CONF12345";

/// A host that is reached and is no Okta org.
pub const NO_ORG: &str = "nobody.okta.com";

pub async fn tell(world: &World) {
    world.ask(Method::GET, "/health/ready").send().await.expect(200);
    let ids = world.add_fleet(FLEET);
    move_an_integration(world).await;
    let path = connect(world).await;
    configure(world, &path).await;
    deploy(world, &path).await;
    report_devices(world, &path).await;
    reconcile(world).await;
    mirror(world, &path, &ids).await;
    reread(world, &ids).await;
    call_hooks(world, &path, &ids).await;
    ask_for_trust(world).await;
    recheck(world).await;
    keep_house(world).await;
    rotate_keys(world);
    check_projection(world).await;
    delete(world, &path).await;
}

/// An integration that is pointed at another org, and deleted.
async fn move_an_integration(world: &World) {
    let path = world.integration().await;
    world.put(&format!("{path}/event-hook"), &json!({})).await.expect(201);
    world.patch(&path, &json!({ "okta_domain": "beta.okta.com" })).await.expect(200);
    world.delete(&path).await.expect(200);
}

/// Tries a domain that is no org, connects one, and repeats the request.
async fn connect(world: &World) -> String {
    let create = async |domain: &str| {
        let ask = world.ask(Method::POST, INTEGRATIONS).admin().header("idempotency-key", "k");
        ask.json(&json!({ "okta_domain": domain })).send().await
    };
    assert!(create(NO_ORG).await.status.is_client_error());
    let created = create(&world.acme.host()).await.expect(201);
    let repeated = create(&world.acme.host()).await;
    assert_eq!(repeated.json()["id"], created["id"], "{}", repeated.text);
    let path = format!("{INTEGRATIONS}/{}", created["id"].as_str().expect("id"));
    world.put(&format!("{path}/credentials"), &world.credentials()).await.expect(201);
    // A service app in its place: a key is made, read by Okta, tried in vain and deleted.
    let keys = format!("{path}/credentials/keys");
    let made = world.post(&keys, &json!({})).await.expect(201);
    let url = made["jwks_url"].as_str().expect("an address");
    let address = url::Url::parse(url).expect("a URL");
    world.ask(Method::GET, address.path()).send().await.expect(200);
    let own_app = json!({ "kind": "private_key_jwt", "client_id": world.acme.client_id() });
    assert!(world.put(&format!("{path}/credentials"), &own_app).await.status.is_client_error());
    let kid = made["kid"].as_str().expect("kid");
    assert_eq!(world.delete(&format!("{keys}/{kid}")).await.status, 204);
    // Before anything else shows that the org has Adaptive MFA: a sweep looks for it then.
    world.until_mirrored(&path).await;
    path
}

async fn configure(world: &World, path: &str) {
    let check = || world.ask(Method::POST, &format!("{path}/prerequisites/check")).admin().send();
    check().await.expect(200);
    // Something else than an Okta org answers at its host.
    world.acme.fail(Fault::status(404).on("/.well-known/").times(1));
    check().await.expect_problem(422, "org_not_found");
    let attestation = format!("{path}/prerequisites/adaptive_mfa/attestation");
    world.put(&attestation, &json!({ "attested": true })).await.expect(200);
    world.patch(path, &json!({ "selected_platforms": ["macos", "ios"] })).await.expect(200);
    let macos = format!("{path}/platforms/macos");
    world.put(&macos, &world.macos_settings()).await.expect(201);
    world
        .put(&format!("{path}/platforms/ios"), &json!({ "secret_key": "Tr1cky-Secret-Key" }))
        .await
        .expect(201);
    world.ask(Method::POST, &format!("{macos}/verify")).admin().send().await.expect(200);
    for below in ["", "/setup", "/prerequisites", "/platforms", "/events?limit=200"] {
        world.get(&format!("{path}{below}")).await.expect(200);
    }
    world.get(INTEGRATIONS).await.expect(200);
    // Another scope than the one that is needed: denied, and audited.
    let denied = world.ask(Method::GET, path).scopes(&["trust:read"]).send().await;
    denied.expect_problem(403, "scope_missing");
}

async fn deploy(world: &World, path: &str) {
    let device = json!({ "device": { "serial_number": MAC, "udid": UDID } });
    for below in ["macos/scep-challenges", "macos/deployments", "ios/deployments"] {
        let ask = world.ask(Method::POST, &format!("{path}/platforms/{below}"));
        ask.scopes(&["odt:deploy"]).json(&device).send().await.expect(201);
    }
}

/// Single reports, a batch with one that is refused, a deletion, and the work list.
async fn report_devices(world: &World, path: &str) {
    let id = id_of(path);
    let report = with(enrolled(0), "udid", json!(UDID));
    world.report_device(MAC, &report).await.expect(201);
    let mut configured = with(enrolled(1), "serial_number", json!(CONFIGURED));
    configured["udid"] = json!(udid(1));
    configured["deliveries"] = json!({ id: delivery(1, 1) });
    let mut certified = with(enrolled(1), "serial_number", json!("C02CERT12345"));
    certified["certificates"] = json!({ id: certificate("A1", 0, 1) });
    let mut unknown = with(enrolled(1), "serial_number", json!("C02UNKNOWN12"));
    unknown["deliveries"] = json!({ uuid::Uuid::now_v7().to_string(): delivery(1, 1) });
    let gone = with(enrolled(1), "serial_number", json!("C02GONE12345"));
    let taken =
        world.report_batch(&[configured, certified, unknown, gone]).await.expect(200).to_string();
    assert!(taken.contains("refused"), "{taken}");
    world.delete_device("C02GONE12345", 5).await;
    world.read_device(MAC).await.expect(200);
    for query in [String::new(), format!("?integration_id={id}&configuration=current")] {
        world.ask_inventory(Method::GET, &format!("/devices{query}"), None).await.expect(200);
    }
    let page = format!("/devices?integration_id={id}&certificate_expires_before={}", at(9_000));
    world.ask_inventory(Method::GET, &page, None).await.expect(200);
}

/// A snapshot in two pages that leaves out a device.
async fn reconcile(world: &World) {
    let missing = "C02MISSING12";
    world.report_device(missing, &enrolled(1)).await.expect(201);
    let send = async |body: Value| {
        world.ask_inventory(Method::POST, "/devices/reconcile", Some(&body)).await
    };
    let page = json!({ "snapshot_id": "s1", "serial_numbers": [MAC, "C02CERT12345"] });
    send(page).await.expect(200);
    let last = json!({ "snapshot_id": "s1", "serial_numbers": [CONFIGURED], "complete": true });
    send(last.clone()).await.expect_problem(409, "reconcile_confirmation_required");
    let confirmed = with(last, "confirm", json!(true));
    assert_eq!(send(confirmed).await.expect(200)["unenrolled"], 1);
}

/// Sweeps and incremental reads, each also with a page that Okta does not know any more.
async fn mirror(world: &World, path: &str, ids: &[String]) {
    let first = world.get(&format!("{path}/sync")).await.expect(200);
    for list in ["", "?matched=true"] {
        world.get(&format!("{path}/okta-devices{list}")).await.expect(200);
    }
    let dead_cursor =
        || world.acme.fail(Fault::new(FaultKind::DeadCursor).on(DEVICES).after(1).times(1));
    // What was seen last is read once more, so both pages are.
    dead_cursor();
    world.make_job_due("incremental");
    let pages = world.acme.journal().count(DEVICES);
    until("changes are read from the start again", async || {
        world.acme.journal().count(DEVICES) >= pages + 4
    })
    .await;
    world.acme.recover();

    world.acme.delete_device(&ids[0]).expect("device");
    dead_cursor();
    world.ask(Method::POST, &format!("{path}/sync")).admin().send().await.expect(202);
    world.until_sync(path, |sync| sync["last_error"]["code"] == "cursor_expired").await;
    world.until_swept(path, Some(&first)).await;
    world.acme.recover();
    world.until_record(path, &ids[0], Value::is_null).await;
}

/// Devices and users that are read by id, also such that cannot be read.
async fn reread(world: &World, ids: &[String]) {
    let users = |id: &str| format!("{DEVICES}/{id}/users");
    world.acme.fail(Fault::status(500).on(format!("{DEVICES}/{}", ids[1])));
    world.acme.fail(Fault::status(500).on(users(&ids[2])));
    world.set_record_users(None);
    world.enqueue_reread(&ids[1]);
    let journal = || world.acme.journal();
    until("users are read by id", async || journal().count(&users(&ids[2])) > 0).await;
    world.acme.recover();
    world.enqueue_reread("guoNOTHERE");
    until("the unknown device is handled", async || {
        !world.hook_rereads().contains(&"guoNOTHERE".into())
    })
    .await;
}

/// A hook that is verified, called and rotated; with many devices a sweep takes the place of re-reads.
async fn call_hooks(world: &World, path: &str, ids: &[String]) {
    let hooked = Hooked::of(world, path.to_owned()).await;
    world.verify_hook(&hooked.hook_path, &hooked.secret, "challenge").await.expect(200);
    assert_eq!(world.post_hook(&hooked.hook_path, Some(&hooked.secret), NOTHING).await.status, 204);
    deliver(&hooked.okta, &ids[3..5]).await;
    until("the devices of the hook are read", async || world.hook_rereads().is_empty()).await;
    // Okta is slow, so that the devices of the hook become too many.
    world.acme.fail(Fault::delay_ms(1_000).on(DEVICES));
    deliver(&hooked.okta, &devices(0, 600)).await;
    world.acme.recover();
    until("a sweep takes their place", async || world.hook_rereads().is_empty()).await;
    let hook = format!("{}/event-hook", hooked.path);
    world.get(&hook).await.expect(200);
    world.put(&hook, &json!({})).await.expect(200);
    assert_eq!(world.delete(&format!("{hook}/previous-secrets")).await.status, 204);
    world.put(&hook, &json!({})).await.expect(200);
}

async fn ask_for_trust(world: &World) {
    until("all work is done", async || world.unfinished_jobs() == 0).await;
    world.trust_status(MAC).await;
    let asked =
        json!([{ "serial_number": MAC }, { "udid": udid(1) }, { "okta_device_id": "guo1" }]);
    world.query_trust(&json!({ "devices": asked })).await.expect(200);
    for path in
        ["/trust-status", "/trust-status/devices?limit=1", "/trust-status/devices?trust=trusted"]
    {
        world.ask_trust(path).await.expect(200);
    }
    world.age_mirror("5 minutes");
    let searches = world.acme.journal().count(DEVICES);
    world.ask_trust(&format!("/trust-status/devices/{CONFIGURED}?max_age=60")).await.expect(200);
    assert!(world.acme.journal().count(DEVICES) > searches, "Okta is asked about the device");
}

/// A check that finds something, one that cannot be made, and work for what does not exist any more.
async fn recheck(world: &World) {
    world.acme.change(|knobs| knobs.fastpass = false);
    let before = world.last_check();
    world.make_job_due("recheck");
    until("the integration is checked", async || world.last_check() != before).await;
    world.acme.fail(Fault::status(503));
    world.make_job_due("recheck");
    until("the check failed", async || world.job("recheck").attempts > 0).await;
    world.acme.recover();
    world.insert_orphaned_job("sweep");
    until("the orphaned job is deleted", async || world.count_jobs("sweep") == 1).await;
}

async fn keep_house(world: &World) {
    world.expire_previous_hook_secret();
    world.insert_events(&world.tenant, "401 days", 1);
    world.make_job_due("housekeeping");
    until("the housekeeping is done", async || world.job("housekeeping").seconds_left > 3_000.0)
        .await;
}

/// Seals with a new key, and takes the old one off the list.
fn rotate_keys(world: &World) {
    let mut environment = world.environment.clone();
    let keys = environment.get("ODT_KEYRING").expect("set").to_owned();
    let new_key = "new-key:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
    environment.set("ODT_KEYRING", format!("{new_key},{keys}"));
    run(&environment, &["rotate-keys"]).expect_success();
    run(&environment, &["integrations", "list"]).expect_success();
}

/// Finds wrong projected facts and writes them again.
async fn check_projection(world: &World) {
    world.report_device("C02PROJ12345", &enrolled(0)).await.expect(201);
    world.falsify_projection("C02PROJ12345");
    run(&world.environment, &["check-projection", "--repair"]).expect_success();
}

async fn delete(world: &World, path: &str) {
    world.delete(&format!("{path}/platforms/ios?confirm=true")).await.expect(200);
    assert_eq!(world.delete(&format!("{path}/event-hook")).await.status, 204);
    world.delete(&format!("{path}/credentials")).await.expect(200);
    world.delete(&format!("{path}?confirm=true")).await.expect(200);
}
