//! What Okta delivers to an event hook (facts §7): read for the ids of devices and nothing else. A
//! delivery is a hint where to look again; no fact is ever taken from it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::DeviceMention;
use crate::model::event_hooks::EVENT_TYPES;

/// The longest id that is looked at, in bytes; Okta's have 20.
const LONGEST_ID: usize = 64;
/// How the ids of devices begin.
const DEVICE_ID: &str = "guo";

/// Why a body cannot be what Okta delivers. Says nothing of what stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body has no list data.events")]
pub struct NotADelivery;

/// The ids that a delivery names in events that concern devices, each once and in order. Whatever
/// else is in it, and whatever has another shape than expected, is passed over: Okta adds fields
/// and events as it likes.
///
/// # Errors
/// [`NotADelivery`] for what is not JSON or has no list of events at all.
pub fn find_mentions(body: &[u8]) -> Result<Vec<DeviceMention>, NotADelivery> {
    let delivery: Value = serde_json::from_slice(body).map_err(|_| NotADelivery)?;
    let events = delivery.pointer("/data/events").and_then(Value::as_array).ok_or(NotADelivery)?;
    let targets = events
        .iter()
        .filter(|event| is_of_interest(event))
        .filter_map(|event| event.get("target")?.as_array())
        .flatten();
    let mut found: BTreeMap<&str, bool> = BTreeMap::new();
    for target in targets {
        let Some(id) = target.get("id").and_then(Value::as_str).filter(|id| may_be_id(id)) else {
            continue;
        };
        *found.entry(id).or_default() |= says_device(id, target.get("type"));
    }
    let mention = |(id, is_device): (&str, bool)| DeviceMention { id: id.to_owned(), is_device };
    Ok(found.into_iter().map(mention).collect())
}

fn is_of_interest(event: &Value) -> bool {
    let kind = event.get("eventType").and_then(Value::as_str);
    kind.is_some_and(|kind| EVENT_TYPES.contains(&kind))
}

fn may_be_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Okta's type of a device is not documented; each that was seen has the word in it.
fn says_device(id: &str, kind: Option<&Value>) -> bool {
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
    fn a_device_is_told_by_its_type_or_its_id_and_stands_once() {
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
    fn events_of_other_kinds_and_shapes_that_nobody_expects_are_passed_over() {
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
    fn what_has_no_list_of_events_is_no_delivery() {
        for body in ["", "{", "[]", "{}", "7", r#"{"data":[]}"#, r#"{"data":{"events":{}}}"#] {
            assert_eq!(find_mentions(body.as_bytes()), Err(NotADelivery), "{body}");
        }
        assert_eq!(find_mentions(&b"[".repeat(100_000)), Err(NotADelivery));
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = find_mentions(&body);
        }
    }
}
