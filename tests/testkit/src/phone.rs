//! An iPhone with Okta Verify: what an MDM installs on it, and what Okta Verify reads.
//!
//! Based on Okta's page "Configure Okta Verify options for iOS", which lists the keys, and on Apple's
//! delivery: managed app configuration goes to the app, `ExtensionData` of the single sign-on profile to
//! its extension. Keys with other names are ignored.

use serde_json::{Map, Value};

use crate::okta::NewDevice;

const APP: &str = "com.okta.mobile";
const EXTENSION: &str = "com.okta.mobile.auth-service-extension";

/// What is installed on the phone.
#[derive(Debug, Clone, Default)]
pub struct Phone {
    app_configuration: Map<String, Value>,
    extension_data: Map<String, Value>,
}

/// What Okta Verify knows about the org and the phone. A value counts only if the app and the extension
/// have the same one, because Okta does not document which of them reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OktaVerify {
    pub org_host: Option<String>,
    pub management_hint: Option<String>,
    pub serial_number: Option<String>,
    pub udid: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum NotInstalled {
    #[error("the profile is not an XML property list")]
    Unreadable(#[from] plist::Error),
    #[error("the profile has no single sign-on extension of Okta Verify")]
    NoExtension,
    #[error("the ExtensionData is not a dictionary of strings")]
    NoExtensionData,
}

impl Phone {
    /// Replaces the app's managed configuration, like Apple's `ManagedApplicationConfiguration`. Only the app
    /// receives it, not the extension.
    pub fn configure_app(&mut self, bundle_identifier: &str, configuration: Map<String, Value>) {
        if bundle_identifier == APP {
            self.app_configuration = configuration;
        }
    }

    /// Installs a configuration profile, a `.mobileconfig`.
    ///
    /// # Errors
    /// [`NotInstalled`] if the profile does not configure the Okta Verify extension.
    pub fn install_profile(&mut self, mobileconfig: &[u8]) -> Result<(), NotInstalled> {
        let profile: plist::Value = plist::from_bytes(mobileconfig)?;
        let content = profile.as_dictionary().and_then(|profile| profile.get("PayloadContent"));
        let payloads = content.and_then(plist::Value::as_array).into_iter().flatten();
        let extension = payloads.filter_map(plist::Value::as_dictionary).find(|payload| {
            is(payload, "PayloadType", "com.apple.extensiblesso")
                && is(payload, "ExtensionIdentifier", EXTENSION)
        });
        let data = extension.ok_or(NotInstalled::NoExtension)?.get("ExtensionData");
        let data =
            data.and_then(plist::Value::as_dictionary).ok_or(NotInstalled::NoExtensionData)?;
        self.extension_data = data
            .iter()
            .map(|(key, value)| Some((key.clone(), Value::from(value.as_string()?))))
            .collect::<Option<_>>()
            .ok_or(NotInstalled::NoExtensionData)?;
        Ok(())
    }

    /// Returns what Okta Verify reads when it starts.
    pub fn open_okta_verify(&self) -> OktaVerify {
        OktaVerify {
            org_host: self.read("OktaVerify.OrgUrl"),
            management_hint: self.read("managementHint"),
            serial_number: self.read("OktaVerify.SerialNumber"),
            udid: self.read("OktaVerify.UDID"),
        }
    }

    fn read(&self, key: &str) -> Option<String> {
        let in_app = self.app_configuration.get(key)?.as_str()?;
        let in_extension = self.extension_data.get(key)?.as_str()?;
        (in_app == in_extension).then(|| in_app.to_owned())
    }
}

impl OktaVerify {
    /// Returns how it registers the phone with Okta: with both identifiers, or with none if one is missing.
    pub fn registration(&self) -> NewDevice {
        let identifiers = self.serial_number.clone().zip(self.udid.clone());
        let (serial_number, udid) = identifiers.unzip();
        NewDevice { serial_number, udid, ..NewDevice::iphone() }
    }

    /// Returns whether a FastPass sign-in proves to the org that the phone is managed, by the secret key that
    /// the admin copied from the Admin Console.
    pub fn proves_management(&self, org_host: &str, secret_key: &str) -> bool {
        self.org_host.as_deref() == Some(org_host)
            && self.management_hint.as_deref() == Some(secret_key)
    }
}

fn is(payload: &plist::Dictionary, key: &str, text: &str) -> bool {
    payload.get(key).and_then(plist::Value::as_string) == Some(text)
}
