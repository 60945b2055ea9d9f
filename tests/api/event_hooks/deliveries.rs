//! Okta's deliveries: which devices are read again, and what is refused.

use serde_json::json;
use testkit::okta::event;

use crate::support::event_hooks::{Hooked, NOTHING, deliver, devices, status};
use crate::support::inventory::id_of;
use crate::support::world::World;

#[tokio::test]
async fn a_delivery_lets_its_devices_wait_to_be_read_again() {
    let world = World::start().await;
    let Hooked { path, okta, .. } = Hooked::new(&world).await;
    world.postpone_jobs();
    okta.deliver("device.lifecycle.suspend", &["guo2", "guo1", "guo2"]).await.expect("taken");
    assert_eq!(world.hook_rereads(), ["guo1", "guo2"]);
    assert_eq!((world.due_jobs("rereads"), world.due_jobs("sweep")), (1, 0));
    let read = world.get(&format!("{path}/event-hook")).await.expect(200);
    assert!(read["last_delivery_at"].is_string(), "{read}");
    assert_eq!(world.count("okta_devices"), 0, "a hook has written a fact");
    let metrics = world.metrics().await;
    assert!(
        metrics.contains(r#"odt_event_hook_deliveries_total{outcome="accepted"}"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn what_concerns_no_device_asks_for_nothing() {
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
async fn a_body_that_is_no_delivery_or_too_large_is_refused_and_echoed_to_nobody() {
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
async fn a_forged_delivery_asks_for_nothing() {
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
async fn the_same_delivery_again_and_deliveries_out_of_order_change_nothing() {
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
async fn a_device_is_read_once_in_a_minute_and_the_earlier_time_counts() {
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
    // What a hook named is read before what a sweep has missed.
    assert!(world.hook_rereads().contains(&"guoEarly".to_owned()));
    // An id of no device's shape counts when the mirror knows it.
    let target = json!([{ "id": "odd1", "type": "Thing" }, { "id": "odd2", "type": "Thing" }]);
    let odd = json!({ "eventType": "device.user.add", "target": target });
    okta.deliver_body(&okta.delivery(&[odd])).await.expect("taken");
    let all = ["guoEarly", "guoLately", "guoLong", "guoNever", "guoNew", "odd1"];
    assert_eq!(world.hook_rereads(), all);
}

#[tokio::test]
async fn without_credentials_nobody_would_read_so_nothing_waits() {
    let world = World::start().await;
    let path = world.integration().await;
    let hooked = Hooked::of(&world, path).await;
    deliver(&hooked.okta, &devices(0, 3)).await;
    assert_eq!(world.hook_rereads(), [""; 0]);
    assert_eq!(world.count_mirror_jobs(), 0);
}

#[tokio::test]
async fn a_hook_of_one_tenant_never_touches_the_devices_of_another() {
    let mut world = World::start().await;
    let mine = Hooked::new(&world).await;
    let first = std::mem::replace(&mut world.tenant, "another-tenant".to_owned());
    let theirs = Hooked::new(&world).await;
    world.insert_okta_device(id_of(&theirs.path), "odd1", None, &json!([]));
    let target = json!([{ "id": "odd1", "type": "Thing" }, { "id": "guo1" }]);
    let delivery =
        mine.okta.delivery(&[json!({ "eventType": "device.user.add", "target": target })]);
    mine.okta.deliver_body(&delivery).await.expect("taken");
    // The mirror of the other tenant has odd1: that says nothing about this one.
    let rereads = world.column("okta_rereads", "tenant_id || ' ' || okta_device_id");
    assert_eq!(rereads, [format!("{first} guo1")]);
    // Each secret opens its own hook only.
    let crossed = world.post_hook(&theirs.hook_path, Some(&mine.secret), NOTHING).await;
    crossed.expect_problem(404, "not_found");
}
