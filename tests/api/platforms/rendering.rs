//! A new rendering reaches devices that have the old one, because its migration marks them as outdated.

use chrono::Utc;
use okta_device_trust::store::migrations::migrate;
use reqwest::Method;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::support::postgres::{PASSWORD, POSTGRES};
use crate::support::world::World;

const IPHONE: &str = "F2LABCDEFG12";

async fn config_version(world: &World, path: &str, platform: &str) -> i64 {
    let platform = world.get(&format!("{path}/platforms/{platform}")).await.expect(200);
    platform["config_version"].as_i64().expect("a number")
}

async fn work_list(world: &World, path: &str, configuration: &str) -> Vec<Value> {
    let id = path.rsplit('/').next().expect("an id");
    let query = format!("/devices?integration_id={id}&configuration={configuration}");
    let ask = world.ask(Method::GET, &query).scopes(&["odt:inventory"]);
    let items = ask.send().await.expect(200)["items"].as_array().expect("items").clone();
    items.into_iter().map(|item| item["serial_number"].clone()).collect()
}

/// Returns each platform with the first version whose rendering contains the device's identifiers.
fn identifiers_since(world: &World) -> Vec<String> {
    world.column("platforms", "platform || ' ' || coalesce(identifiers_since::text, 'none')")
}

/// Forgets that the migration was run, and runs it as the owner does.
fn migrate_again(world: &World, version: &str) {
    world.sql(&format!("DELETE FROM __diesel_schema_migrations WHERE version = '{version}'"));
    let owner = POSTGRES.lock().expect("postgres").url("odt_owner", PASSWORD, &world.database);
    let ran = migrate(&SecretString::from(owner)).expect("the migration runs");
    assert_eq!(ran, [version]);
}

#[tokio::test]
async fn migration_of_a_new_rendering_marks_devices_outdated() {
    let world = World::start().await;
    let path = world.configured().await;
    let before = config_version(&world, &path, "ios").await;
    let id = path.rsplit('/').next().expect("an id");
    let now = Utc::now();
    let delivered = json!({
        "platform": "ios",
        "enrollment": { "state": "enrolled", "reported_at": now },
        "deliveries": { id: { "config_version": before, "delivered_at": now, "reported_at": now } },
    });
    let ask = world.ask(Method::PUT, &format!("/devices/{IPHONE}")).scopes(&["odt:inventory"]);
    ask.json(&delivered).send().await.expect(201);
    assert_eq!(work_list(&world, &path, "current").await, [IPHONE]);
    let etag = world.get(&format!("{path}/platforms/ios")).await.etag().to_owned();

    world.sql("ALTER TABLE platforms DROP COLUMN identifiers_since");
    migrate_again(&world, "20261126300000");

    assert_eq!(work_list(&world, &path, "outdated").await, [IPHONE]);
    let after = config_version(&world, &path, "ios").await;
    assert!(after > before, "{before} {after}");
    assert_eq!(config_version(&world, &path, "macos").await, after, "every platform, once");
    assert_ne!(world.get(&format!("{path}/platforms/ios")).await.etag(), etag);
    assert_eq!(world.column("integrations", "config_versions"), [after.to_string()]);
    assert_eq!(identifiers_since(&world), [format!("ios {after}"), "macos none".to_owned()]);
    let unforced = "SELECT count(*) FROM pg_class WHERE relname IN ('platforms', 'integrations') \
                    AND NOT (relrowsecurity AND relforcerowsecurity)";
    assert_eq!(world.sql(unforced), "0");
}

#[tokio::test]
async fn each_later_rendering_counts_every_platform_up_once_and_moves_nothing_else() {
    let world = World::start().await;
    let path = world.configured().await;
    for version in ["20261126720000"] {
        let before = config_version(&world, &path, "ios").await;
        let (since, due) = (identifiers_since(&world), certificate_versions(&world));
        migrate_again(&world, version);
        let after = config_version(&world, &path, "ios").await;
        assert!(after > before, "{before} {after}");
        assert_eq!(config_version(&world, &path, "macos").await, after, "every platform, once");
        assert_eq!((identifiers_since(&world), certificate_versions(&world)), (since, due));
    }
}

fn certificate_versions(world: &World) -> Vec<String> {
    world.column("platforms", "platform || ' ' || certificate_version")
}

#[tokio::test]
async fn a_new_ios_platform_carries_the_identifiers_from_its_first_version_on() {
    let world = World::start().await;
    let path = world.configured().await;
    let first = config_version(&world, &path, "ios").await;
    let expected = [format!("ios {first}"), "macos none".to_owned()];
    assert_eq!(identifiers_since(&world), expected);
    let rotated = json!({ "secret_key": "An0ther-Secret-Key" });
    world.put(&format!("{path}/platforms/ios"), &rotated).await.expect(200);
    assert!(config_version(&world, &path, "ios").await > first);
    assert_eq!(identifiers_since(&world), expected, "a rotation moves nothing");
}

/// A replica of the previous release creates a platform after the migration.
#[tokio::test]
async fn platform_of_the_previous_release_has_identifiers_from_its_next_version() {
    let world = World::start().await;
    let path = world.configured().await;
    world.sql("UPDATE platforms SET identifiers_since = NULL");
    let first = config_version(&world, &path, "ios").await;
    // Devices may have the first version as rendered by the other replica.
    let rotated = json!({ "secret_key": "An0ther-Secret-Key" });
    world.put(&format!("{path}/platforms/ios"), &rotated).await.expect(200);
    let next = config_version(&world, &path, "ios").await;
    assert!(next > first);
    assert_eq!(identifiers_since(&world), [format!("ios {next}"), "macos none".to_owned()]);
}
