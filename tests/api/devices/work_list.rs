//! Uses of the inventory: the work list, and checks before a deployment.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::inventory::{
    MAC, OTHER_UDID, UDID, at, certificate, delivery, enrolled, id_of, serials, with,
};
use crate::support::world::World;

#[tokio::test]
async fn work_list_filters_outdated_missing_and_expiring() {
    let world = World::start().await;
    let path = world.configured().await;
    let id = id_of(&path);
    // macOS was configured first and has version 1, iOS has version 2.
    let mac = |serial: &str, group: Value| {
        let item = with(enrolled(0), "serial_number", json!(serial));
        if group.is_null() { item } else { with(item, "deliveries", json!({ id: group })) }
    };
    let mut phone = json!({ "serial_number": "F2LABCDEFG12", "platform": "ios", "enrollment": { "state": "enrolled", "reported_at": at(0) } });
    phone["deliveries"] = json!({ id: delivery(1, 1) });
    let mut left = mac("C02LEFT12345", delivery(1, 0));
    left["enrollment"]["state"] = json!("unenrolled");
    let mut ending = mac("C02ENDING123", delivery(1, 1));
    ending["certificates"] = json!({ id: certificate("A1", 0, 1) });
    let mut renewed = mac("C02RENEWED12", delivery(1, 1));
    renewed["certificates"] = json!({ id: certificate("B1", 0, 1) });
    let renewal = json!({ "serial_number": "C02RENEWED12", "platform": "macos", "certificates": { id: certificate("B2", 500, 2) } });
    let all = [mac("C02NONE12345", json!(null)), phone, left, ending, renewed, renewal];
    let taken = world.report_batch(&all).await.expect(200).to_string();
    assert!(!taken.contains("refused"), "{taken}");
    let list = async |query: &str| {
        world.ask_inventory(Method::GET, &format!("/devices?{query}"), None).await.expect(200)
    };
    let of = |query: &str| format!("integration_id={id}&{query}");
    assert_eq!(serials(&list(&of("configuration=outdated")).await), ["F2LABCDEFG12"]);
    assert_eq!(serials(&list(&of("configuration=none")).await), ["C02NONE12345"]);
    assert_eq!(
        serials(&list(&of("configuration=current")).await),
        ["C02ENDING123", "C02RENEWED12"]
    );
    let soon = of(&format!("certificate_expires_before={}", at(1_200)));
    assert_eq!(serials(&list(&soon).await), ["C02ENDING123"], "the renewed certificate counts");
    let named = list(&of("limit=200")).await;
    assert_eq!(named["items"][0]["configuration"], "current");
    assert_eq!(
        named["items"].as_array().map(Vec::len),
        Some(4),
        "devices that left are not listed"
    );
    assert_eq!(list("").await["items"].as_array().map(Vec::len), Some(5));
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = list(&of(&format!("limit=2{cursor}"))).await;
        seen.extend(serials(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["C02ENDING123", "C02NONE12345", "C02RENEWED12", "F2LABCDEFG12"]);
    for (query, status, code) in [
        ("configuration=none".to_owned(), 422, "invalid_request"),
        (format!("certificate_expires_before={}", at(0)), 422, "invalid_request"),
        (of("configuration=some"), 422, "invalid_request"),
        (of("certificate_expires_before=soon"), 422, "invalid_request"),
        (of("limit=0"), 422, "invalid_request"),
        (of("cursor=!"), 422, "invalid_request"),
        (of("surprise=1"), 400, "malformed_request"),
        ("integration_id=nonsense".to_owned(), 404, "not_found"),
        (format!("integration_id={}", uuid::Uuid::now_v7()), 404, "not_found"),
    ] {
        let answer = world.ask_inventory(Method::GET, &format!("/devices?{query}"), None).await;
        answer.expect_problem(status, code);
    }
}

#[tokio::test]
async fn deployment_requires_the_reported_platform_and_udid() {
    let world = World::start().await;
    let path = world.configured().await;
    let ask_for = async |what: &str, udid: &str| {
        let body = json!({ "device": { "serial_number": MAC, "udid": udid } });
        let ask = world.ask(Method::POST, &format!("{path}/platforms/{what}"));
        ask.scopes(&["odt:deploy"]).json(&body).send().await
    };
    ask_for("macos/scep-challenges", UDID).await.expect(201);
    world.report_device(MAC, &enrolled(0)).await.expect(201);
    ask_for("macos/scep-challenges", UDID).await.expect(201);
    world.report_device(MAC, &with(enrolled(1), "udid", json!(UDID))).await.expect(200);
    ask_for("macos/deployments", UDID).await.expect(201);
    world.acme.journal().clear();
    let claims = world.count("scep_challenges");
    for (what, udid) in [
        ("macos/scep-challenges", OTHER_UDID),
        ("macos/deployments", OTHER_UDID),
        ("ios/deployments", UDID),
    ] {
        ask_for(what, udid).await.expect_problem(409, "device_mismatch");
    }
    assert_eq!(world.acme.journal().entries().len(), 0, "no request to Okta");
    assert_eq!(world.count("scep_challenges"), claims, "no challenge was used");
    world.delete_device(MAC, 2).await;
    ask_for("ios/deployments", OTHER_UDID).await.expect(201);
}

#[tokio::test]
async fn devices_with_a_reported_delivery_depend_on_the_platform() {
    let world = World::start().await;
    let path = world.configured().await;
    let id = id_of(&path);
    world
        .report_device(MAC, &with(enrolled(0), "deliveries", json!({ id: delivery(1, 1) })))
        .await
        .expect(201);
    let gone = with(enrolled(0), "deliveries", json!({ id: delivery(1, 1) }));
    world.report_device("C02WIPED1234", &gone).await.expect(201);
    let wiped =
        json!({ "platform": "macos", "enrollment": { "state": "wiped", "reported_at": at(2) } });
    world.report_device("C02WIPED1234", &wiped).await.expect(200);
    let body = json!({ "device": { "serial_number": MAC, "udid": UDID } });
    let deploy = world.ask(Method::POST, &format!("{path}/platforms/macos/deployments"));
    deploy.scopes(&["odt:deploy"]).json(&body).send().await.expect(201);
    let refused = world.delete(&format!("{path}/platforms/macos")).await;
    assert_eq!(refused.expect_problem(409, "confirmation_required")["devices"], 1, "each once");
    world.delete(&format!("{path}/platforms/ios")).await.expect(200);
}
