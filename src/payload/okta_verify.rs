//! What Okta Verify is told about the org and the device. The same settings go to two domains, the
//! app's and its single sign-on extension's: on a Mac as managed preferences, on an iPhone as
//! managed app configuration, which MDMs take as a dictionary.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::document::check_text;
use super::{AppConfigExtra, Device, OrgHosts, PayloadError};

/// The app, and the extension that answers in its name.
pub(super) const APP_DOMAIN: &str = "com.okta.mobile";
pub(super) const EXTENSION_DOMAIN: &str = "com.okta.mobile.auth-service-extension";

/// What an admin can choose about Okta Verify.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OktaVerifyOptions {
    /// Enrols the user without asking them first.
    pub silent_enrollment: bool,
    /// Whether diagnostics go to Okta; `None` leaves it to the user.
    pub report_diagnostics: Option<bool>,
    /// Names of integrations with other security products, such as `com.crowdstrike.zta`. What each
    /// needs beside its name goes into `extra`.
    pub plugins: Vec<String>,
    /// Wins over the options above.
    pub extra: AppConfigExtra,
}

/// The settings without any secret. The keys are literal, dots and all.
pub(super) fn settings(
    hosts: &OrgHosts,
    device: &Device,
    options: &OktaVerifyOptions,
) -> Result<Map<String, Value>, PayloadError> {
    let mut settings = Map::new();
    let mut set = |key: &str, value: Value| settings.insert(key.to_owned(), value);
    set("OktaVerify.OrgUrl", hosts.sign_in().into());
    if let Some(name) = &device.user_principal_name {
        check_text("user_principal_name", name.as_str())?;
        set("OktaVerify.UserPrincipalName", name.as_str().into());
    }
    if options.silent_enrollment {
        set("OktaVerify.EnrollmentOptions", "SilentEnrollmentEnabled".into());
    }
    if let Some(report) = options.report_diagnostics {
        set("OktaVerify.ReportDiagnostics", report.into());
    }
    if !options.plugins.is_empty() {
        options.plugins.iter().try_for_each(|plugin| check_text("plugins", plugin))?;
        set("OktaVerify.Plugins", options.plugins.clone().into());
    }
    settings.extend(options.extra.for_device(device));
    Ok(settings)
}

/// The managed app configuration of an iPhone or iPad, which holds a secret and does not show itself.
#[derive(Clone)]
pub struct ManagedAppConfiguration {
    settings: Map<String, Value>,
    management_hint: SecretString,
}

impl ManagedAppConfiguration {
    /// The dictionary under each of both domains: for the answer to the MDM and for nothing else.
    pub fn expose_map(&self) -> Map<String, Value> {
        let mut settings = self.settings.clone();
        // Okta Verify reads this key in no other case.
        settings.insert("managementHint".to_owned(), self.management_hint.expose_secret().into());
        [APP_DOMAIN, EXTENSION_DOMAIN]
            .into_iter()
            .map(|domain| (domain.to_owned(), Value::Object(settings.clone())))
            .collect()
    }
}

impl std::fmt::Debug for ManagedAppConfiguration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ManagedAppConfiguration")
            .field("keys", &self.settings.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Renders the managed app configuration. It is JSON here, but a device gets it as a property list,
/// so what one cannot carry is refused here too.
pub fn managed_app_configuration(
    device: &Device,
    hosts: &OrgHosts,
    options: &OktaVerifyOptions,
    management_hint: &SecretString,
) -> Result<ManagedAppConfiguration, PayloadError> {
    check_text("management_hint", management_hint.expose_secret())?;
    let settings = settings(hosts, device, options)?;
    Ok(ManagedAppConfiguration { settings, management_hint: management_hint.clone() })
}
