//! The settings of Okta Verify. The same settings go to two domains, that of the app and that of its
//! single sign-on extension: on a Mac as managed preferences, on an iPhone as managed app configuration.
//!
//! The platforms have different keys. For iOS, Okta documents exactly four (help.okta.com, "Configure
//! Okta Verify options for iOS"): the org's host, the management hint, and the device's UDID and
//! serial number. Without the last two, Okta's record of an iPhone has no identifiers.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::contents::{AppConfiguration, MacSettings, MobileIdentity, OktaVerifySettings};
use super::document::check_text;
use super::hosts::OrgHosts;
use super::{AppConfigExtra, Device, PayloadError};

/// The bundle ids of the app and of its single sign-on extension.
pub const APP_DOMAIN: &str = "com.okta.mobile";
pub const EXTENSION_DOMAIN: &str = "com.okta.mobile.auth-service-extension";

/// Keys are case-sensitive; a dot is part of the key.
pub(super) const ORG_URL: &str = "OktaVerify.OrgUrl";
pub(super) const MANAGEMENT_HINT: &str = "managementHint";
pub(super) const UDID: &str = "OktaVerify.UDID";
pub(super) const SERIAL_NUMBER: &str = "OktaVerify.SerialNumber";

const USER_PRINCIPAL_NAME: &str = "OktaVerify.UserPrincipalName";
const ENROLLMENT_OPTIONS: &str = "OktaVerify.EnrollmentOptions";
const REPORT_DIAGNOSTICS: &str = "OktaVerify.ReportDiagnostics";
const PLUGINS: &str = "OktaVerify.Plugins";

/// Whether Okta Verify prompts a user without an account to add one. Okta documents two values and the
/// absent key. No value adds an account without a prompt.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EnrollmentOptions {
    /// Prompts in each sign-in with FastPass.
    PromptAlways,
    /// Okta's default: the key is left out.
    #[default]
    Default,
    /// Never prompts.
    Disabled,
}

impl EnrollmentOptions {
    fn value(self) -> Option<&'static str> {
        match self {
            Self::PromptAlways => Some("Enabled"),
            Self::Default => None,
            Self::Disabled => Some("Disabled"),
        }
    }
}

/// Keys for macOS only. They are not sent to iPhones.
const MAC_KEYS: [&str; 4] = [USER_PRINCIPAL_NAME, ENROLLMENT_OPTIONS, REPORT_DIAGNOSTICS, PLUGINS];

/// Options of Okta Verify. On iOS only `extra` applies.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OktaVerifyOptions {
    pub enrollment: EnrollmentOptions,
    /// Whether diagnostics are sent to Okta; `None` lets the user choose.
    pub report_diagnostics: Option<bool>,
    /// Names of integrations with other security products, such as `com.crowdstrike.zta`. Their own
    /// settings go into `extra`.
    pub plugins: Vec<String>,
    /// Overrides the options above.
    pub extra: AppConfigExtra,
}

impl MacSettings {
    /// # Errors
    /// For an option that a property list cannot represent.
    pub fn new(
        device: &Device,
        hosts: OrgHosts,
        options: &OktaVerifyOptions,
    ) -> Result<Self, PayloadError> {
        let okta_verify = OktaVerifySettings(mac_settings(&hosts, device, options)?);
        Ok(Self { hosts, okta_verify })
    }
}

/// Returns the settings of a Mac. They contain no secret.
pub(super) fn mac_settings(
    hosts: &OrgHosts,
    device: &Device,
    options: &OktaVerifyOptions,
) -> Result<Map<String, Value>, PayloadError> {
    let mut settings = Map::new();
    let mut set = |key: &str, value: Value| settings.insert(key.to_owned(), value);
    set(ORG_URL, hosts.sign_in().into());
    if let Some(name) = &device.user_principal_name {
        check_text("user_principal_name", name.as_str())?;
        set(USER_PRINCIPAL_NAME, name.as_str().into());
    }
    if let Some(enrollment) = options.enrollment.value() {
        set(ENROLLMENT_OPTIONS, enrollment.into());
    }
    if let Some(report) = options.report_diagnostics {
        set(REPORT_DIAGNOSTICS, report.into());
    }
    if !options.plugins.is_empty() {
        options.plugins.iter().try_for_each(|plugin| check_text("plugins", plugin))?;
        set(PLUGINS, options.plugins.clone().into());
    }
    settings.extend(options.extra.for_device(device)?);
    Ok(settings)
}

/// Returns the settings that connect an iPhone with its org and its record. They are the same in the
/// managed app configuration and in the single sign-on profile.
pub(super) fn mobile_identity(
    identity: &MobileIdentity,
) -> impl Iterator<Item = (&'static str, &str)> {
    let identifiers = identity.hardware.as_ref().map(|hardware| {
        [(UDID, hardware.udid.as_str()), (SERIAL_NUMBER, hardware.serial_number.as_str())]
    });
    std::iter::once((ORG_URL, identity.sign_in_host.as_str()))
        .chain(identifiers.into_iter().flatten())
}

impl AppConfiguration {
    /// Creates the managed app configuration. It is JSON here, but the MDM sends it as a property list, so
    /// values that a property list cannot represent are refused.
    ///
    /// # Errors
    /// `MacOnlyKey` for a setting of the admin's that iOS does not have, `NoIdentifiers` for one that names
    /// what User Enrollment hides, `InvalidCharacters` or `Empty` for the management hint.
    pub fn new(
        device: &Device,
        hosts: &OrgHosts,
        options: &OktaVerifyOptions,
        management_hint: SecretString,
    ) -> Result<Self, PayloadError> {
        check_text("management_hint", management_hint.expose_secret())?;
        options.extra.refuse_keys(&MAC_KEYS, |field| PayloadError::MacOnlyKey { field })?;
        let extra = OktaVerifySettings(options.extra.for_device(device)?);
        Ok(Self { identity: MobileIdentity::new(device, hosts), management_hint, extra })
    }

    /// Returns the dictionary of each domain. Only for the response to the MDM.
    pub fn expose_map(&self) -> Map<String, Value> {
        let mut settings = self.extra.0.clone();
        let identity = mobile_identity(&self.identity);
        settings.extend(identity.map(|(key, value)| (key.to_owned(), value.into())));
        settings.insert(MANAGEMENT_HINT.to_owned(), self.management_hint.expose_secret().into());
        [APP_DOMAIN, EXTENSION_DOMAIN]
            .into_iter()
            .map(|domain| (domain.to_owned(), Value::Object(settings.clone())))
            .collect()
    }
}
