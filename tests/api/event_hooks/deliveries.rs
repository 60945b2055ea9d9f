//! Okta's deliveries: which devices are re-read, and what is rejected.

use serde_json::json;
use testkit::okta::event;

use crate::support::event_hooks::{Hooked, NOTHING, deliver, devices, status};
use crate::support::inventory::id_of;
use crate::support::world::World;

#[tokio::test]
async fn delivery_requests_rereads_of_its_devices() {
    let world = World::start().await;
    let Hooked { path, okta, .. } = Hooked::new(&world).await;
    world.postpone_jobs();
    okta.deliver("device.lifecycle.suspend", &["guo2", "guo1", "guo2"]).await.expect("taken");
    assert_eq!(world.hook_rereads(), ["guo1", "guo2"]);
    assert_eq!((world.due_jobs("rereads"), world.due_jobs("sweep")), (1, 0));
    let read = world.get(&format!("{path}/event-hook")).await.expect(200);
    assert!(read["last_delivery_at"].is_string(), "{read}");
    assert_eq!(world.count("okta_devices"), 0, "a hook must not write devices");
    let metrics = world.metrics().await;
    assert!(
        metrics.contains(r#"odt_event_hook_deliveries_total{outcome="accepted"}"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn events_without_devices_request_nothing() {
    let world = World::start().await;
    let Hooked { hook_path, secret, okta, .. } = Hooked::new(&world).await;
    world.postpone_jobs();
    okta.deliver("user.session.start", &["guo1"]).await.expect("taken");
    okta.deliver("device.assurance.policy.add", &["guo1"]).await.expect("taken");
    for body in [
        NOTHING,
        r#"{"data":{"events":[null, 7, {}, {"eventType":"device.user.add"}]},"new":{"field":[]}}"#,
        r#"{"data":{"events":[{"eventType":"device.user.add","target":[{"id":"guo'; DROP","type":"Device"}]}]}}"#,
        r#"{"data":{"events":[{"eventType":"device.user.add","target":[{"id":"00u1","type":"User"}]}]}}"#,
    ] {
        let answer = world.post_hook(&hook_path, Some(&secret), body).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""), "{body}");
    }
    assert_eq!(world.hook_rereads(), [""; 0]);
    assert_eq!(world.due_jobs("sweep"), 0);
}

#[tokio::test]
async fn invalid_or_too_large_bodies_are_rejected_and_not_echoed() {
    let world = World::start().await;
    let Hooked { hook_path, secret, .. } = Hooked::new(&world).await;
    for body in ["", "{ canary", "[]", r#""canary""#, r#"{"data":{"events":"canary"}}"#] {
        let answer = world.post_hook(&hook_path, Some(&secret), body).await;
        assert!(!answer.text.contains("canary") && !answer.text.contains(&secret));
        answer.expect_problem(400, "malformed_request");
    }
    let padded = |length: usize| format!("{}{NOTHING}", " ".repeat(length - NOTHING.len()));
    let fits = world.post_hook(&hook_path, Some(&secret), &padded(256 * 1024)).await;
    assert_eq!(fits.status, 204, "{}", fits.text);
    let large = world.post_hook(&hook_path, Some(&secret), &padded(256 * 1024 + 1)).await;
    large.expect_problem(413, "body_too_large");
}

#[tokio::test]
async fn forged_delivery_requests_nothing() {
    let world = World::start().await;
    let Hooked { hook_path, okta, .. } = Hooked::new(&world).await;
    let delivery = okta.delivery(&[event("device.user.add", "guo1")]);
    let forger = world.acme.event_hook(format!("{}{hook_path}", world.base), "guessed");
    assert_eq!(status(forger.deliver_body(&delivery).await), 404);
    assert_eq!(world.hook_rereads(), [""; 0]);
    let metrics = world.metrics().await;
    assert!(metrics.contains(r#"odt_event_hook_deliveries_total{outcome="refused"}"#), "{metrics}");
}

#[tokio::test]
async fn repeated_and_out_of_order_deliveries_change_nothing() {
    let world = World::start().await;
    let Hooked { okta, .. } = Hooked::new(&world).await;
    let mut late = event("device.lifecycle.activate", "guo1");
    late["published"] = json!("2020-01-01T00:00:00.000Z");
    let first = okta.delivery(&[event("device.lifecycle.deactivate", "guo1")]);
    for delivery in [&first, &okta.delivery(&[late]), &first] {
        okta.deliver_body(delivery).await.expect("taken");
    }
    assert_eq!(world.hook_rereads(), ["guo1"]);
}

#[tokio::test]
async fn device_is_reread_at_most_once_a_minute_at_the_earlier_time() {
    let world = World::start().await;
    let Hooked { path, okta, .. } = Hooked::new(&world).await;
    let id = id_of(&path);
    for device in ["guoLately", "guoLong", "guoNever", "odd1"] {
        world.insert_okta_device(id, device, None, &json!([]));
    }
    world.read_record_by_id("guoLately", "20 seconds");
    world.read_record_by_id("guoLong", "2 hours");
    for (device, due) in [("guoLong", "-5 minutes"), ("guoEarly", "9 minutes")] {
        world.insert_reread(device, "missing", "1 hour");
        world.set_reread_due(device, due);
    }
    let devices = ["guoLately", "guoLong", "guoNever", "guoNew", "guoEarly"];
    okta.deliver("device.user.add", &devices).await.expect("taken");
    let in_seconds = |device: &str| world.seconds_until_reread(device);
    assert!((1.0..=40.0).contains(&in_seconds("guoLately")), "{}", in_seconds("guoLately"));
    for now in ["guoLong", "guoNever", "guoNew"] {
        assert!((-30.0..=0.0).contains(&in_seconds(now)), "{now}: {}", in_seconds(now));
    }
    assert!(in_seconds("guoEarly") < -500.0, "{}", in_seconds("guoEarly"));
    assert_eq!(world.rereads_requested_within("30 seconds"), 5);
    // Re-reads of hooks come before those of devices missing from a sweep.
    assert!(world.hook_rereads().contains(&"guoEarly".to_owned()));
    // An ID without the format of a device counts if the mirror has it.
    let target = json!([{ "id": "odd1", "type": "Thing" }, { "id": "odd2", "type": "Thing" }]);
    let odd = json!({ "eventType": "device.user.add", "target": target });
    okta.deliver_body(&okta.delivery(&[odd])).await.expect("taken");
    let all = ["guoEarly", "guoLately", "guoLong", "guoNever", "guoNew", "odd1"];
    assert_eq!(world.hook_rereads(), all);
}

#[tokio::test]
async fn without_credentials_no_rereads_are_requested() {
    let world = World::start().await;
    let path = world.integration().await;
    let hooked = Hooked::of(&world, path).await;
    deliver(&hooked.okta, &devices(0, 3)).await;
    assert_eq!(world.hook_rereads(), [""; 0]);
    assert_eq!(world.count_mirror_jobs(), 0);
}

#[tokio::test]
async fn hook_of_one_tenant_never_affects_another() {
    let mut world = World::start().await;
    let mine = Hooked::new(&world).await;
    let first = std::mem::replace(&mut world.tenant, "another-tenant".to_owned());
    let theirs = Hooked::new(&world).await;
    world.insert_okta_device(id_of(&theirs.path), "odd1", None, &json!([]));
    let target = json!([{ "id": "odd1", "type": "Thing" }, { "id": "guo1" }]);
    let delivery =
        mine.okta.delivery(&[json!({ "eventType": "device.user.add", "target": target })]);
    mine.okta.deliver_body(&delivery).await.expect("taken");
    // Only the mirror of the other tenant has odd1.
    let rereads = world.column("okta_rereads", "tenant_id || ' ' || okta_device_id");
    assert_eq!(rereads, [format!("{first} guo1")]);
    // A secret is valid for its own hook only.
    let crossed = world.post_hook(&theirs.hook_path, Some(&mine.secret), NOTHING).await;
    crossed.expect_problem(404, "not_found");
}
