//! The settings profile of a Mac: the single sign-on extension and the preferences of Okta Verify. It
//! contains no secret and needs no challenge, so it can be sent at any time.

use plist::{Dictionary, Value};

use super::contents::MacSettings;
use super::document::{Label, dictionary, payload, profile};
use super::identity::PayloadKind;
use super::okta_verify::{APP_DOMAIN, EXTENSION_DOMAIN};
use super::single_sign_on::mac_payload;
use super::{Deployment, PayloadError, ProfileDocument};

/// Apple documents this type ("ManagedPreferences"), unlike payloads whose type is the domain itself. Its
/// settings are in a separate dictionary, so that a key of an admin cannot collide with a key of the
/// payload such as `PayloadUUID`.
const PREFERENCES: &str = "com.apple.ManagedClient.preferences";

const LABEL: Label = Label {
    name: "Okta Device Trust settings",
    description: "Connects Okta Verify on this Mac with your organization's Okta.",
};

const APP_LABEL: Label =
    Label { name: "Okta Verify", description: "Settings of the Okta Verify app." };

const EXTENSION_LABEL: Label = Label {
    name: "Okta Verify extension",
    description: "Settings of the single sign-on extension of Okta Verify.",
};

/// Renders the single sign-on extension and both preference domains as one profile.
pub(super) fn settings_profile(
    deployment: &Deployment<'_>,
    settings: &MacSettings,
) -> Result<ProfileDocument, PayloadError> {
    let hosts = &settings.hosts;
    let settings = preferences(settings.okta_verify.0.clone());
    let managed = |kind, domain, label| managed(deployment, kind, domain, label, &settings);
    let payloads = vec![
        mac_payload(deployment, hosts)?,
        managed(PayloadKind::SettingsOktaVerify, APP_DOMAIN, &APP_LABEL)?,
        managed(PayloadKind::SettingsExtension, EXTENSION_DOMAIN, &EXTENSION_LABEL)?,
    ];
    profile(deployment, PayloadKind::Settings, &LABEL, payloads)
}

/// Creates one payload per domain, as MDMs do, so that a Mac reports each separately.
fn managed(
    deployment: &Deployment<'_>,
    kind: PayloadKind,
    domain: &str,
    label: &Label,
    settings: &Dictionary,
) -> Result<Dictionary, PayloadError> {
    let mut payload = payload(deployment, kind, PREFERENCES, label)?;
    let forced = dictionary([("mcx_preference_settings", settings.clone().into())]);
    let forced = dictionary([("Forced", Value::Array(vec![forced.into()]))]);
    payload.insert("PayloadContent".to_owned(), dictionary([(domain, forced.into())]).into());
    Ok(payload)
}

/// Converts settings to a property list dictionary, sorted by key.
fn preferences(settings: serde_json::Map<String, serde_json::Value>) -> Dictionary {
    let mut dictionary: Dictionary =
        settings.into_iter().filter_map(|(key, value)| Some((key, preference(value)?))).collect();
    dictionary.sort_keys();
    dictionary
}

/// Converts a value. Returns `None` only for null, which validation has excluded.
fn preference(value: serde_json::Value) -> Option<Value> {
    use serde_json::Value as Json;
    Some(match value {
        Json::Null => return None,
        Json::Bool(value) => value.into(),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64()?.into(),
        },
        Json::String(text) => text.into(),
        Json::Array(items) => Value::Array(items.into_iter().filter_map(preference).collect()),
        Json::Object(entries) => preferences(entries).into(),
    })
}
