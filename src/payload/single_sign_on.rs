//! The single sign-on extension, with which Okta Verify answers sign-in requests of browsers and apps: the
//! payload for both platforms, and the profile for iPhones and iPads.

use plist::{Dictionary, Value};
use secrecy::{ExposeSecret, SecretString};

use super::document::{Label, dictionary, payload, profile, text};
use super::identity::PayloadKind;
use super::okta_verify::{EXTENSION_DOMAIN, MANAGEMENT_HINT, ios_identity};
use super::{Deployment, PayloadError, ProfileDocument};

pub const SINGLE_SIGN_ON_TYPE: &str = "com.apple.extensiblesso";
/// The key of the payload that contains the settings of the extension on iOS.
pub const EXTENSION_DATA: &str = "ExtensionData";
/// Okta's Apple team id.
const TEAM_IDENTIFIER: &str = "B7F62B65BN";
/// Maximum length of a host name in bytes (RFC 1035 §2.3.4).
const MAX_HOST_LEN: usize = 253;

const LABEL: Label = Label {
    name: "Okta single sign-on",
    description: "Lets Okta Verify answer when a browser or an app asks to sign in with Okta.",
};

/// The host names of an org without duplicates. The first one is where its users sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgHosts {
    sign_in: String,
    others: Vec<String>,
}

impl OrgHosts {
    /// Creates the list of hosts.
    ///
    /// # Errors
    /// `InvalidHost` for a text that is not a plain host name.
    pub fn new<'a>(
        sign_in: &str,
        others: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, PayloadError> {
        let mut hosts = Self { sign_in: host(sign_in)?, others: Vec::new() };
        for other in others {
            let other = host(other)?;
            // Apple refuses a host that is in two payloads. Duplicates in one payload are untested.
            if hosts.iter().all(|known| known != other) {
                hosts.others.push(other);
            }
        }
        Ok(hosts)
    }

    /// Returns the host where the org's users sign in: the custom domain if there is one.
    pub fn sign_in(&self) -> &str {
        &self.sign_in
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.sign_in.as_str()).chain(self.others.iter().map(String::as_str))
    }
}

fn host(text: &str) -> Result<String, PayloadError> {
    let plain = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if text.len() <= MAX_HOST_LEN && text.split('.').all(plain) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(PayloadError::InvalidHost { field: "hosts".to_owned() })
    }
}

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
pub fn single_sign_on_profile(
    deployment: &Deployment<'_>,
    hosts: &OrgHosts,
    management_hint: &SecretString,
) -> Result<ProfileDocument, PayloadError> {
    let mut payload = extension(deployment, PayloadKind::SingleSignOnExtension, hosts)?;
    let identity = ios_identity(hosts, deployment.device);
    let mut data: Dictionary =
        identity.map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
    // Inserted last, so that no error drops it without zeroing.
    let hint = text("management_hint", management_hint.expose_secret())?;
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
