//! The single sign-on extension, with which Okta Verify answers sign-in requests of browsers and apps: the
//! payload for both platforms, and the profile for iPhones and iPads.

use plist::{Dictionary, Value};
use secrecy::ExposeSecret;

use super::contents::MobileSignOn;
use super::document::{Label, dictionary, payload, profile, text};
use super::hosts::OrgHosts;
use super::identity::PayloadKind;
use super::okta_verify::{EXTENSION_DOMAIN, MANAGEMENT_HINT, mobile_identity};
use super::{Deployment, PayloadError, ProfileDocument};

pub const SINGLE_SIGN_ON_TYPE: &str = "com.apple.extensiblesso";
/// The key of the payload that contains the settings of the extension on iOS.
pub const EXTENSION_DATA: &str = "ExtensionData";
/// Okta's Apple team id.
const TEAM_IDENTIFIER: &str = "B7F62B65BN";

const LABEL: Label = Label {
    name: "Okta single sign-on",
    description: "Lets Okta Verify answer when a browser or an app asks to sign in with Okta.",
};

/// Creates the payload for macOS (Apple: "ExtensibleSingleSignOn"), where `TeamIdentifier` is required.
pub(super) fn mac_payload(
    deployment: &Deployment<'_>,
    hosts: &OrgHosts,
) -> Result<Dictionary, PayloadError> {
    let mut payload = extension(deployment, PayloadKind::SettingsSingleSignOn, hosts)?;
    payload.insert("TeamIdentifier".to_owned(), TEAM_IDENTIFIER.into());
    Ok(payload)
}

/// Renders the profile of an iPhone or iPad. With user scope it is for a user of a Shared iPad, where single
/// sign-on extensions work on the user channel only. There is no `TeamIdentifier` on iOS. Managed app
/// configuration is available to apps but not to extensions, so the settings of the extension are in
/// `ExtensionData`.
pub(super) fn single_sign_on_profile(
    deployment: &Deployment<'_>,
    sign_on: &MobileSignOn,
) -> Result<ProfileDocument, PayloadError> {
    let mut payload = extension(deployment, PayloadKind::SingleSignOnExtension, &sign_on.hosts)?;
    let identity = mobile_identity(&sign_on.identity);
    let mut data: Dictionary =
        identity.map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
    // Inserted last, so that no error drops it without zeroing.
    let hint = text("management_hint", sign_on.management_hint.expose_secret())?;
    data.insert(MANAGEMENT_HINT.to_owned(), hint);
    payload.insert(EXTENSION_DATA.to_owned(), data.into());
    profile(deployment, PayloadKind::SingleSignOn, &LABEL, vec![payload])
}

fn extension(
    deployment: &Deployment<'_>,
    kind: PayloadKind,
    hosts: &OrgHosts,
) -> Result<Dictionary, PayloadError> {
    let mut payload = payload(deployment, kind, SINGLE_SIGN_ON_TYPE, &LABEL)?;
    payload.extend(dictionary([
        ("ExtensionIdentifier", EXTENSION_DOMAIN.into()),
        ("Type", "Credential".into()),
        ("Realm", "Okta Device".into()),
        ("Hosts", Value::Array(hosts.iter().map(Value::from).collect())),
    ]));
    Ok(payload)
}
