//! Reads device ids and the times of lifecycle events from an event hook delivery. A delivery only triggers
//! a re-read of the devices; it never makes a device trusted.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::model::DeviceMention;
use crate::model::event_hooks::EVENT_TYPES;

/// Maximum length of an id in bytes; Okta's ids have 20.
const MAX_ID_LEN: usize = 64;
/// Prefix of the types of lifecycle events.
const LIFECYCLE: &str = "device.lifecycle.";
/// Prefix of device ids.
const DEVICE_ID: &str = "guo";

/// The body is not an event hook delivery. Contains nothing of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body has no list data.events")]
pub struct InvalidDelivery;

/// Returns the ids in events about devices, sorted and without duplicates. Other events, unknown fields
/// and values of unexpected types are ignored, because Okta adds new ones.
///
/// # Errors
/// [`InvalidDelivery`] if the body is not JSON or has no list of events.
pub fn find_mentions(body: &[u8]) -> Result<Vec<DeviceMention>, InvalidDelivery> {
    let delivery: Value = serde_json::from_slice(body).map_err(|_| InvalidDelivery)?;
    let events =
        delivery.pointer("/data/events").and_then(Value::as_array).ok_or(InvalidDelivery)?;
    let mut found: BTreeMap<&str, (bool, Option<DateTime<Utc>>)> = BTreeMap::new();
    for event in events.iter().filter(|event| concerns_device(event)) {
        let lifecycle_at = lifecycle_at(event);
        for target in event.get("target").and_then(Value::as_array).into_iter().flatten() {
            let id = target.get("id").and_then(Value::as_str).filter(|id| is_valid_id(id));
            let Some(id) = id else { continue };
            let (is_device, latest) = found.entry(id).or_default();
            *is_device |= is_device_target(id, target.get("type"));
            *latest = lifecycle_at.max(*latest);
        }
    }
    let mention = |(id, (is_device, lifecycle_at)): (&str, (bool, Option<DateTime<Utc>>))| {
        DeviceMention { id: id.to_owned(), is_device, lifecycle_at }
    };
    Ok(found.into_iter().map(mention).collect())
}

/// Returns when a lifecycle event was published.
fn lifecycle_at(event: &Value) -> Option<DateTime<Utc>> {
    let kind = event.get("eventType")?.as_str()?;
    let published = event.get("published").filter(|_| kind.starts_with(LIFECYCLE))?.as_str()?;
    Some(DateTime::parse_from_rfc3339(published).ok()?.to_utc())
}

fn concerns_device(event: &Value) -> bool {
    let kind = event.get("eventType").and_then(Value::as_str);
    kind.is_some_and(|kind| EVENT_TYPES.contains(&kind))
}

fn is_valid_id(id: &str) -> bool {
    (1..=MAX_ID_LEN).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Returns whether a target is a device. Okta does not document the target type of devices; all types
/// seen so far contain "device".
fn is_device_target(id: &str, kind: Option<&Value>) -> bool {
    let kind = kind.and_then(Value::as_str).unwrap_or_default();
    id.starts_with(DEVICE_ID) || kind.to_ascii_lowercase().contains("device")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn found(delivery: &Value) -> Vec<(String, bool)> {
        let mentions = find_mentions(delivery.to_string().as_bytes()).unwrap();
        mentions.into_iter().map(|mention| (mention.id, mention.is_device)).collect()
    }

    fn event(kind: &str, targets: &Value) -> Value {
        json!({ "uuid": "u", "eventType": kind, "target": targets })
    }

    #[test]
    fn lifecycle_events_have_the_time_of_publication() {
        let at = |kind: &str, published: &str| json!({ "eventType": kind, "published": published, "target": [{ "id": "guo1" }] });
        let latest = |events: Value| {
            let body = json!({ "data": { "events": events } }).to_string();
            find_mentions(body.as_bytes()).unwrap()[0].lifecycle_at
        };
        let (earlier, later) = ("2026-01-02T03:04:05.006Z", "2026-01-02T04:04:05.006Z");
        let suspend = "device.lifecycle.suspend";
        assert_eq!(latest(json!([at("device.user.add", earlier)])), None);
        assert_eq!(latest(json!([at(suspend, "today")])), None);
        let both = latest(json!([at(suspend, later), at(suspend, earlier)]));
        assert_eq!(both, Some(later.parse().unwrap()));
    }

    #[test]
    fn devices_are_recognized_by_type_or_id_and_listed_once() {
        let events = json!([
            event(
                "device.user.add",
                &json!([
                    { "id": "00u1", "type": "User" },
                    { "id": "guo2", "type": "UDDevice" },
                    { "id": "guo1" },
                ])
            ),
            event(
                "device.lifecycle.delete",
                &json!([{ "id": "guo2" }, { "id": "x7", "type": "Device" }])
            ),
        ]);
        let expected = [("00u1", false), ("guo1", true), ("guo2", true), ("x7", true)];
        let expected = expected.map(|(id, is_device)| (id.to_owned(), is_device));
        assert_eq!(found(&json!({ "data": { "events": events } })), expected);
    }

    #[test]
    fn other_events_and_unexpected_values_are_ignored() {
        let device = json!([{ "id": "guo1", "type": "Device" }]);
        let long = "g".repeat(65);
        for event in [
            event("user.session.start", &device),
            event("device.assurance.policy.add", &device),
            json!({ "target": device }),
            json!({ "eventType": 7, "target": device }),
            event("device.user.add", &json!({ "id": "guo1" })),
            event("device.user.add", &json!(null)),
            event(
                "device.user.add",
                &json!([null, 1, "guo1", [], {}, { "id": null }, { "id": 4 }]),
            ),
            event("device.user.add", &json!([{ "id": "", "type": "Device" }, { "id": long }])),
            event("device.user.add", &json!([{ "id": "guo1'; --" }, { "id": "guo/../1" }])),
            json!([]),
            json!(null),
        ] {
            let delivery = json!({ "data": { "events": [event] } });
            assert_eq!(found(&delivery), [], "{delivery}");
        }
    }

    #[test]
    fn a_body_without_events_is_not_a_delivery() {
        for body in ["", "{", "[]", "{}", "7", r#"{"data":[]}"#, r#"{"data":{"events":{}}}"#] {
            assert_eq!(find_mentions(body.as_bytes()), Err(InvalidDelivery), "{body}");
        }
        assert_eq!(find_mentions(&b"[".repeat(100_000)), Err(InvalidDelivery));
    }

    proptest! {
        #[test]
        fn no_body_causes_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = find_mentions(&body);
        }
    }
}
