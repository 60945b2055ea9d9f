//! Converts Okta's device and user records to the model. A field that Okta omits stays unknown. Does no
//! I/O.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::error::clean_name;
use crate::model::devices::identifiers::is_virtual_mac;
use crate::model::{OktaDevice, OktaDeviceUser, SerialNumber, Udid};

/// Reads a device; returns `None` if its id or both of its times are missing.
pub(super) fn read_device(row: &Value) -> Option<OktaDevice> {
    let id = row_id(row)?;
    let created = time(row, "created");
    let last_updated = time(row, "lastUpdated");
    let profile = row.get("profile").unwrap_or(&Value::Null);
    Some(OktaDevice {
        id,
        platform: text_field(profile, "platform").unwrap_or_default(),
        status: text_field(row, "status").unwrap_or_default(),
        serial_number: text_field(profile, "serialNumber").map(|text| normalize_serial(&text)),
        udid: text_field(profile, "udid").map(|text| {
            Udid::parse(&text).map_or_else(|_| upper(&text), |udid| udid.as_str().to_owned())
        }),
        display_name: text_field(profile, "displayName"),
        created: created.or(last_updated)?,
        last_updated: last_updated.or(created)?,
        users: row.pointer("/_embedded/users").and_then(embedded_users),
    })
}

/// Reads the users embedded in a list. For a device without users Okta returns null or an empty list.
fn embedded_users(users: &Value) -> Option<Vec<OktaDeviceUser>> {
    match users {
        Value::Null => Some(Vec::new()),
        Value::Array(rows) => Some(read_users(rows)),
        _ => None,
    }
}

/// Reads the id if it is a valid Okta id.
fn row_id(row: &Value) -> Option<String> {
    let id = row.get("id")?.as_str()?;
    let plain = (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    plain.then(|| id.to_owned())
}

/// Reads the users of a device, sorted by id. A user that cannot be read is returned without an id: if it
/// were left out, all users of the device could appear to be managed.
pub(super) fn read_users(rows: &[Value]) -> Vec<OktaDeviceUser> {
    let read = |row: &Value| {
        let user = row.get("user").unwrap_or(&Value::Null);
        let profile = user.get("profile").unwrap_or(&Value::Null);
        OktaDeviceUser {
            id: text_field(user, "id").unwrap_or_default(),
            login: text_field(profile, "login").unwrap_or_default(),
            management_status: text_field(row, "managementStatus"),
            status: text_field(user, "status"),
            created: time(row, "created"),
        }
    };
    let mut users: Vec<OktaDeviceUser> = rows.iter().map(read).collect();
    users.sort_by(|a, b| a.id.cmp(&b.id));
    users
}

/// Normalizes a serial number as the inventory does, for comparison. That of a virtual Mac is unchanged,
/// because its case matters.
fn normalize_serial(text: &str) -> String {
    if is_virtual_mac(text) {
        return text.to_owned();
    }
    SerialNumber::parse(text).map_or_else(|_| upper(text), |serial| serial.as_str().to_owned())
}

fn upper(text: &str) -> String {
    clean_name(&text.to_uppercase())
}

/// Reads a non-empty text without control characters, truncated to 64 characters.
fn text_field(object: &Value, name: &str) -> Option<String> {
    let text = clean_name(object.get(name)?.as_str()?.trim());
    (!text.is_empty()).then_some(text)
}

fn time(object: &Value, name: &str) -> Option<DateTime<Utc>> {
    let text = object.get(name)?.as_str()?;
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_fields_and_values_are_accepted() {
        let row = json!({
            "id": "guo1", "status": "QUARANTINED", "created": "2026-01-02T03:04:05.006Z",
            "lastUpdated": "2026-02-03T04:05:06.000+01:00", "new": {"deep": [1]},
            "profile": {"displayName": " Ada's\u{0} Mac ", "platform": "VISIONOS", "more": 7,
                "serialNumber": "c02xl0gtjgh5", "udid": "55900bdc-347c-58b1-d249-f32244b11d30"},
            "_embedded": {"users": [
                {"managementStatus": "MANAGED", "user": {"id": "00u2", "profile": {"login": "b@x"}}},
                {"created": "?", "user": {"id": "00u1", "profile": {"login": "a@x"}}}]},
        });
        let device = read_device(&row).unwrap();
        assert_eq!((device.status.as_str(), device.platform.as_str()), ("QUARANTINED", "VISIONOS"));
        assert_eq!(device.serial_number.as_deref(), Some("C02XL0GTJGH5"));
        assert_eq!(device.udid.as_deref(), Some("55900BDC-347C-58B1-D249-F32244B11D30"));
        assert_eq!(device.display_name.as_deref(), Some("Ada's Mac"));
        assert_eq!(device.last_updated.to_rfc3339(), "2026-02-03T03:05:06+00:00");
        let users = device.users.unwrap();
        let seen: Vec<_> = users
            .iter()
            .map(|user| (user.id.as_str(), user.management_status.as_deref()))
            .collect();
        assert_eq!(seen, [("00u1", None), ("00u2", Some("MANAGED"))]);
    }

    #[test]
    fn omitted_fields_stay_unknown() {
        let row = json!({"id": "guo1", "lastUpdated": "2026-01-02T03:04:05Z", "profile": null});
        let device = read_device(&row).unwrap();
        assert_eq!(device.users, None, "omitted users are unknown");
        assert_eq!((device.serial_number, device.udid, device.display_name), (None, None, None));
        assert_eq!(device.created, device.last_updated);
        assert_eq!(device.status, "", "a missing status is not active");
        let row =
            json!({"id": "guo1", "created": "2026-01-02T03:04:05Z", "_embedded": {"users": []}});
        assert_eq!(read_device(&row).unwrap().users, Some(Vec::new()));
        let row =
            json!({"id": "guo1", "created": "2026-01-02T03:04:05Z", "_embedded": {"users": null}});
        assert_eq!(read_device(&row).unwrap().users, Some(Vec::new()), "null means no users");
    }

    #[test]
    fn an_unreadable_user_still_counts() {
        let users =
            read_users(&[json!({"managementStatus": "MANAGED", "user": {"id": "00u1"}}), json!(7)]);
        assert_eq!(users.len(), 2);
        assert!(users.iter().any(|user| !user.is_managed()));
    }

    #[test]
    fn the_serial_numbers_of_virtual_macs_keep_their_case() {
        for text in ["VMaaaaaaaaAA", "VMAAAAAAAAaa", "VMa+b/cDEfgh"] {
            let row = json!({"id": "a", "created": "2026-01-02T03:04:05Z", "profile": {"serialNumber": text}});
            assert_eq!(read_device(&row).unwrap().serial_number.as_deref(), Some(text));
        }
    }

    #[test]
    fn an_unusual_serial_number_is_stored_in_upper_case() {
        let row = json!({"id": "a", "created": "2026-01-02T03:04:05Z", "profile": {
            "serialNumber": " vmware-56 4d ", "udid": "x"}});
        let device = read_device(&row).unwrap();
        assert_eq!(device.serial_number.as_deref(), Some("VMWARE-56 4D"));
        assert_eq!(device.udid.as_deref(), Some("X"));
    }

    proptest! {
        #[test]
        fn text_fields_are_truncated_and_have_no_control_characters(text in any::<String>()) {
            let row = json!({"id": "a", "created": "2026-01-02T03:04:05Z", "status": text,
                "profile": {"serialNumber": text, "udid": text, "displayName": text, "platform": text}});
            let device = read_device(&row).unwrap();
            let texts = [Some(device.status), Some(device.platform), device.serial_number, device.udid, device.display_name];
            for text in texts.into_iter().flatten() {
                prop_assert!(text.chars().count() <= 64 && !text.contains('\0'));
            }
        }
    }
}
