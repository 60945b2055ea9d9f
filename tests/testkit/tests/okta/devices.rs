//! Devices: lists, cursors, searches, users and the device lifecycle.

use reqwest::Response;
use serde_json::{Value, json};
use testkit::okta::{DEVICES_MANAGE, DEVICES_READ, NewDevice, Refused};

use crate::client::{World, json, world};

/// Returns the `after` of the link to the next page.
fn next(response: &Response) -> Option<String> {
    let links: Vec<&str> =
        response.headers().get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
    assert!(links.iter().any(|link| link.ends_with("rel=\"self\"")), "{links:?}");
    let next = links.iter().find(|link| link.ends_with("rel=\"next\""))?;
    let url = reqwest::Url::parse(next.trim_start_matches('<').split('>').next().unwrap()).unwrap();
    assert_eq!(url.host_str(), Some("acme.okta.com"));
    url.query_pairs().find(|(name, _)| name == "after").map(|(_, value)| value.into_owned())
}

async fn ids(response: Response) -> Vec<String> {
    let rows = json(response).await;
    rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_string()).collect()
}

async fn search(world: &World, token: &str, filter: &str) -> Response {
    world
        .client()
        .get(world.at("/api/v1/devices"))
        .query(&[("search", filter), ("expand", "userSummary")])
        .bearer_auth(token)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn pages_follow_the_cursor_and_the_last_has_no_next() {
    let world = world().await;
    let token = world.token(DEVICES_READ).await;
    let added: Vec<String> = (0..5)
        .map(|n| world.acme.add_device(NewDevice::mac(format!("C0{n}"), format!("U{n}"))))
        .collect();
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = world.get(&token, &format!("/api/v1/devices?limit=2{after}")).await;
        let cursor = next(&page);
        seen.extend(ids(page).await);
        // A record that is deleted between two pages must not break the cursor.
        world.acme.delete_device(&added[1]).unwrap_or(());
        match cursor {
            Some(cursor) => after = format!("&after={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, added);
    for (query, code) in [
        ("after=guoNONSENSE", "E0000031"),
        ("limit=201", "E0000001"),
        ("limit=0", "E0000001"),
        ("search=nonsense", "E0000031"),
    ] {
        let refused = world.get(&token, &format!("/api/v1/devices?{query}")).await;
        assert_eq!(
            (refused.status().as_u16(), json(refused).await["errorCode"].clone()),
            (400, code.into()),
            "{query}"
        );
    }
}

#[tokio::test]
async fn fastpass_sign_in_sets_managed_and_keeps_last_updated_by_default() {
    let world = world().await;
    let token = world.token(DEVICES_READ).await;
    let device = world.acme.add_device(NewDevice::mac("C02XK1", "UDID-1"));
    let user = world.acme.add_user("ada@example.com");
    world.acme.enroll(&device, &user).unwrap();
    let path = format!("/api/v1/devices/{device}");
    let before = json(world.get(&token, &path).await).await["lastUpdated"].clone();
    let status = async || {
        json(world.get(&token, &format!("{path}/users")).await).await[0]["managementStatus"].clone()
    };
    assert_eq!(status().await, "NOT_MANAGED");

    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    world.acme.sign_in_with_fastpass(&device, &user).unwrap();
    assert_eq!(status().await, "MANAGED");
    assert_eq!(json(world.get(&token, &path).await).await["lastUpdated"], before);
    let since = format!("lastUpdated gt {before}");
    assert!(ids(search(&world, &token, &since).await).await.is_empty());

    world.acme.change(|knobs| knobs.sign_in_moves_last_updated = true);
    world.acme.sign_in_with_fastpass(&device, &user).unwrap();
    let found = json(search(&world, &token, &since).await).await;
    assert_eq!(found[0]["_embedded"]["users"][0]["managementStatus"], "MANAGED");
    assert_eq!(found[0]["_embedded"]["users"][0]["user"]["profile"]["login"], "ada@example.com");
    world.acme.change(|knobs| knobs.summary_without_management_status = true);
    let found = json(search(&world, &token, "profile.serialNumber eq \"c02xk1\"").await).await;
    assert_eq!(found[0]["_embedded"]["users"][0].get("managementStatus"), None);
}

#[tokio::test]
async fn device_lifecycle_follows_oktas_rules() {
    let world = world().await;
    let device = world.acme.add_device(NewDevice::iphone());
    let user = world.acme.add_user("ada@example.com");
    world.acme.sign_in_with_fastpass(&device, &user).unwrap();
    let (read, manage) = (world.token(DEVICES_READ).await, world.token(DEVICES_MANAGE).await);
    let path = format!("/api/v1/devices/{device}");
    let post = async |token: &str, change: &str| {
        let url = world.at(&format!("{path}/lifecycle/{change}"));
        world.client().post(url).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    let delete = async || {
        world
            .client()
            .delete(world.at(&path))
            .bearer_auth(&manage)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(post(&read, "suspend").await, 403);
    assert_eq!((post(&manage, "suspend").await, post(&manage, "suspend").await), (204, 403));
    assert_eq!(delete().await, 403);
    assert_eq!(post(&manage, "deactivate").await, 204);
    let shown = json(world.get(&read, &path).await).await;
    assert_eq!(shown["status"], "DEACTIVATED");
    assert!(shown["_links"].get("activate").is_some() && shown["_links"].get("suspend").is_none());
    assert_eq!(shown["profile"].get("serialNumber"), None);
    assert_eq!(json(world.get(&read, &format!("{path}/users")).await).await, json!([]));
    assert_eq!((delete().await, delete().await), (204, 404));
    assert_eq!(world.get(&read, &path).await.status(), 404);
}

#[tokio::test]
async fn stale_search_lags_behind_reads_by_id() {
    let world = world().await;
    let token = world.token(DEVICES_READ).await;
    let device = world.acme.add_device(NewDevice::mac("C02", "U"));
    world.acme.change(|knobs| knobs.stale_search = true);
    world.acme.set_device_status(&device, "SUSPENDED").unwrap();
    let listed = |rows: Value| rows[0]["status"].clone();
    assert_eq!(listed(json(world.get(&token, "/api/v1/devices").await).await), "ACTIVE");
    assert_eq!(
        json(world.get(&token, &format!("/api/v1/devices/{device}")).await).await["status"],
        "SUSPENDED"
    );
    world.acme.change(|knobs| knobs.stale_search = false);
    assert_eq!(listed(json(world.get(&token, "/api/v1/devices").await).await), "SUSPENDED");
}

#[tokio::test]
async fn wiped_mac_gets_a_new_or_its_old_record_by_knob() {
    let world = world().await;
    let mac = NewDevice::mac("C02XL0GTJGH5", "55900BDC-347C-58B1-D249-F32244B11D30");
    let (ada, bob) =
        (world.acme.add_user("ada@example.com"), world.acme.add_user("bob@example.com"));
    let first = world.acme.register(&mac, &ada).unwrap();
    assert_eq!(world.acme.register(&mac, &bob).unwrap(), first, "a second user of the same record");
    world.acme.wipe(&first).unwrap();
    assert_eq!(world.acme.sign_in(&first, &ada), Err(Refused::NotInstalled));
    let second = world.acme.register(&mac, &bob).unwrap();
    assert_ne!(second, first);
    world.acme.change(|knobs| knobs.wiped_mac_keeps_its_record = true);
    world.acme.wipe(&second).unwrap();
    assert_eq!(world.acme.register(&mac, &ada).unwrap(), second);
    world.acme.sign_in(&second, &ada).unwrap();
    world.acme.change(|knobs| knobs.second_user_is_second_record = true);
    let carol = world.acme.add_user("carol@example.com");
    assert_ne!(world.acme.register(&mac, &carol).unwrap(), second);
}

#[tokio::test]
async fn lists_truncate_hide_and_omit_users_by_knob() {
    let world = world().await;
    let token = world.token(DEVICES_READ).await;
    let device = world.acme.add_device(NewDevice::mac("C02XK1", "UDID-1"));
    for n in 0..25 {
        let user = world.acme.add_user(&format!("user{n}@example.com"));
        world.acme.enroll(&device, &user).unwrap();
    }
    let list = "/api/v1/devices?expand=user";
    let users = async || json(world.get(&token, list).await).await[0]["_embedded"]["users"].clone();
    assert_eq!(users().await.as_array().unwrap().len(), 20);
    let first = users().await[0]["user"].clone();
    assert_eq!(first["status"], "ACTIVE");
    world.acme.deprovision_user(first["id"].as_str().unwrap()).unwrap();
    assert_eq!(users().await[0]["user"]["status"], "DEPROVISIONED");
    world.acme.change(|knobs| knobs.percent_of_users_hidden = 100);
    assert_eq!(users().await, Value::Null);
    world.acme.change(|knobs| knobs.device_users_page = 20);
    let page = world.get(&token, &format!("/api/v1/devices/{device}/users")).await;
    assert_eq!(next(&page).as_deref(), Some("20"));
    let rest = world.get(&token, &format!("/api/v1/devices/{device}/users?after=20")).await;
    assert_eq!(next(&rest), None);
    assert_eq!(json(rest).await.as_array().unwrap().len(), 5);
    world.acme.change(|knobs| knobs.percent_of_devices_listed = 0);
    assert_eq!(json(world.get(&token, list).await).await, json!([]));
}
