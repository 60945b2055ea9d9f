//! Every key that a profile contains, with its type, the page that it is from, and the date of the page.
//!
//! Apple's pages (developer.apple.com, "Device Management") are published as files too
//! (github.com/apple/device-management, `mdm/profiles`): the tables were compared with that of [`APPLE`].

use plist::{Dictionary, Value};

/// The date of Apple's files: commit b6202ca.
const APPLE: &str = "2024-10-21";
/// The date when Okta's help page was read.
const OKTA: &str = "2026-11-26";

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Type {
    Text,
    Integer,
    Boolean,
    Array,
    Dictionary,
}
use Type::{Array, Boolean, Integer, Text};

/// The keys of one dictionary that this service sends, all of which are always present.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) page: &'static str,
    pub(super) date: &'static str,
    /// A key, its type, and whether the page says that it is required.
    pub(super) keys: &'static [(&'static str, Type, bool)],
}

pub(super) const COMMON: Table = Table {
    page: "CommonPayloadKeys",
    date: APPLE,
    keys: &[
        ("PayloadIdentifier", Text, true),
        ("PayloadUUID", Text, true),
        ("PayloadType", Text, true),
        ("PayloadVersion", Integer, true),
        ("PayloadDescription", Text, false),
        ("PayloadDisplayName", Text, false),
        ("PayloadOrganization", Text, false),
    ],
};

/// Without the keys for encryption. Apple's default of `PayloadScope` is `User`.
pub(super) const TOP_LEVEL: Table = Table {
    page: "TopLevel",
    date: APPLE,
    keys: &[("PayloadContent", Array, true), ("PayloadScope", Text, false)],
};

pub(super) const SCEP: Table =
    Table { page: "SCEP", date: APPLE, keys: &[("PayloadContent", Type::Dictionary, true)] };

/// Okta requires `Challenge` and `Subject`. Not sent: `Name`, `CAFingerprint`, `SubjectAltName`.
pub(super) const SCEP_CONTENT: Table = Table {
    page: "SCEP.PayloadContent",
    date: APPLE,
    keys: &[
        ("URL", Text, true),
        ("Subject", Array, false),
        ("Challenge", Text, false),
        ("Keysize", Integer, false),
        ("Key Type", Text, false),
        ("Key Usage", Integer, false),
        ("Retries", Integer, false),
        ("RetryDelay", Integer, false),
        ("KeyIsExtractable", Boolean, false),
        ("AllowAllAppsAccess", Boolean, false),
    ],
};

/// On macOS. `Realm` and `Hosts` are required because the type is `Credential`.
pub(super) const SINGLE_SIGN_ON_MAC: Table = Table {
    page: "ExtensibleSingleSignOn",
    date: APPLE,
    keys: &[
        ("ExtensionIdentifier", Text, true),
        ("TeamIdentifier", Text, true),
        ("Type", Text, true),
        ("Realm", Text, true),
        ("Hosts", Array, true),
    ],
};

/// On iOS, which has no `TeamIdentifier`.
pub(super) const SINGLE_SIGN_ON_IOS: Table = Table {
    page: "ExtensibleSingleSignOn",
    date: APPLE,
    keys: &[
        ("ExtensionIdentifier", Text, true),
        ("Type", Text, true),
        ("Realm", Text, true),
        ("Hosts", Array, true),
        ("ExtensionData", Type::Dictionary, false),
    ],
};

/// The key of the content is the domain.
pub(super) const PREFERENCES: Table = Table {
    page: "ManagedPreferences",
    date: APPLE,
    keys: &[("PayloadContent", Type::Dictionary, true)],
};

/// Not sent: `Set-Once`.
pub(super) const DOMAIN: Table = Table {
    page: "ManagedPreferences.PreferenceDomain",
    date: APPLE,
    keys: &[("Forced", Array, false)],
};

pub(super) const FORCED: Table = Table {
    page: "ManagedPreferences.PreferenceDomain.Forced",
    date: APPLE,
    keys: &[("mcx_preference_settings", Type::Dictionary, true)],
};

/// The settings of Okta Verify that the options of the tests set.
pub(super) const OKTA_VERIFY_MAC: Table = Table {
    page: "help.okta.com: Configure Okta Verify options for macOS",
    date: OKTA,
    keys: &[
        ("OktaVerify.OrgUrl", Text, true),
        ("OktaVerify.UserPrincipalName", Text, false),
        ("OktaVerify.EnrollmentOptions", Text, false),
        ("OktaVerify.ReportDiagnostics", Boolean, false),
        ("OktaVerify.Plugins", Array, false),
    ],
};

/// All that the page has.
pub(super) const OKTA_VERIFY_IOS: Table = Table {
    page: "help.okta.com: Configure Okta Verify options for iOS",
    date: OKTA,
    keys: &[
        ("OktaVerify.OrgUrl", Text, true),
        ("managementHint", Text, true),
        ("OktaVerify.UDID", Text, false),
        ("OktaVerify.SerialNumber", Text, false),
    ],
};

fn value_type(value: &Value) -> Option<Type> {
    Some(match value {
        Value::String(_) => Type::Text,
        Value::Integer(_) => Type::Integer,
        Value::Boolean(_) => Type::Boolean,
        Value::Array(_) => Type::Array,
        Value::Dictionary(_) => Type::Dictionary,
        _ => return None,
    })
}

/// Asserts that the keys are exactly those of the tables and have the right type.
pub(super) fn conforms(dictionary: &Dictionary, tables: &[Table]) {
    for (key, value) in dictionary {
        let row = tables.iter().find_map(|table| {
            let row = table.keys.iter().find(|(name, ..)| name == key)?;
            Some((table, row.1))
        });
        let (table, expected) = row.unwrap_or_else(|| panic!("{key} is in no table"));
        assert_eq!(value_type(value), Some(expected), "{key}: {}, {}", table.page, table.date);
    }
    for table in tables {
        for (key, ..) in table.keys {
            assert!(dictionary.contains_key(key), "{key} of {} is missing", table.page);
        }
    }
}

/// As [`conforms`], for a payload.
pub(super) fn conforms_as(payload: &Dictionary, payload_type: &str, table: Table) {
    conforms(payload, &[COMMON, table]);
    assert_eq!(payload["PayloadType"].as_string(), Some(payload_type));
    assert_eq!(payload["PayloadVersion"].as_signed_integer(), Some(1));
}

#[test]
fn each_table_names_its_page_and_its_date() {
    for table in [
        COMMON,
        TOP_LEVEL,
        SCEP,
        SCEP_CONTENT,
        SINGLE_SIGN_ON_MAC,
        SINGLE_SIGN_ON_IOS,
        PREFERENCES,
        DOMAIN,
        FORCED,
        OKTA_VERIFY_MAC,
        OKTA_VERIFY_IOS,
    ] {
        assert!(!table.page.is_empty());
        assert!(table.date.parse::<chrono::NaiveDate>().is_ok(), "{}", table.page);
        let mut keys: Vec<&str> = table.keys.iter().map(|(key, ..)| *key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), table.keys.len(), "{}", table.page);
    }
}
