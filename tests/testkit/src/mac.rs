//! A Mac with Okta Verify: what an MDM installs on it, and what macOS and Okta Verify read of that.
//!
//! Written from Okta's pages for macOS ("Configure a certificate authority for managed devices", "Okta Verify
//! configurations for macOS devices", "Configure an SSO extension on macOS devices") and Apple's descriptions
//! of the payloads. A key by any other name is not there. A Mac tells its serial number and UDID by itself;
//! what has to be installed is the proof that it is managed.

use std::collections::BTreeMap;

use plist::{Dictionary, Value};

use crate::okta::NewDevice;

const APP: &str = "com.okta.mobile";
const EXTENSION: &str = "com.okta.mobile.auth-service-extension";
const TEAM: &str = "B7F62B65BN";

/// What is installed on the Mac.
#[derive(Debug, Clone, Default)]
pub struct Mac {
    scep: Option<Dictionary>,
    single_sign_on: Option<Dictionary>,
    /// Forced preferences, by their domain.
    preferences: BTreeMap<String, Dictionary>,
}

/// What macOS asks a certificate authority for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    pub url: String,
    pub challenge: String,
    pub common_name: String,
}

/// What Okta Verify knows of its org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacOktaVerify {
    /// Where the app and its extension were told the same.
    pub org_host: Option<String>,
    /// The hosts for which macOS asks the extension; none unless the extension is Okta's.
    pub extension_hosts: Vec<String>,
    pub user_principal_name: Option<String>,
}

impl Mac {
    /// Installs a configuration profile, a `.mobileconfig`. Payloads of other types have no effect here.
    ///
    /// # Errors
    /// When the file is no property list.
    pub fn install_profile(&mut self, mobileconfig: &[u8]) -> Result<(), plist::Error> {
        let profile: Value = plist::from_bytes(mobileconfig)?;
        let content = profile.as_dictionary().and_then(|profile| profile.get("PayloadContent"));
        for payload in content.and_then(Value::as_array).into_iter().flatten() {
            let Some(payload) = payload.as_dictionary() else { continue };
            match text(payload, "PayloadType").as_deref() {
                Some("com.apple.security.scep") => {
                    self.scep = dictionary(payload, "PayloadContent").cloned();
                }
                Some("com.apple.extensiblesso") => self.single_sign_on = Some(payload.clone()),
                Some("com.apple.ManagedClient.preferences") => self.force(payload),
                _ => {}
            }
        }
        Ok(())
    }

    /// `PayloadContent.<domain>.Forced[0].mcx_preference_settings`.
    fn force(&mut self, payload: &Dictionary) {
        for (domain, settings) in dictionary(payload, "PayloadContent").into_iter().flatten() {
            let forced = settings.as_dictionary().and_then(|settings| settings.get("Forced"));
            let first = forced.and_then(Value::as_array).and_then(|forced| forced.first());
            let first = first.and_then(Value::as_dictionary);
            if let Some(settings) = first.and_then(|f| dictionary(f, "mcx_preference_settings")) {
                self.preferences.insert(domain.clone(), settings.clone());
            }
        }
    }

    /// What macOS sends to the CA when the certificate profile is installed: `None` where a key is missing
    /// without which Okta issues nothing, or the key could not be used to sign.
    pub fn certificate_request(&self) -> Option<CertificateRequest> {
        let scep = self.scep.as_ref()?;
        let usage = scep.get("Key Usage").and_then(Value::as_signed_integer);
        let is_usable = text(scep, "Key Type").as_deref() == Some("RSA")
            && scep.get("Keysize").and_then(Value::as_signed_integer) == Some(2048)
            && usage.is_some_and(|usage| usage & 1 == 1);
        // An array of sets of pairs of an attribute and its value.
        let pair = scep.get("Subject")?.as_array()?.first()?.as_array()?.first()?.as_array()?;
        let [name, value] = pair.as_slice() else { return None };
        let common_name = (name.as_string() == Some("CN")).then(|| value.as_string())??;
        is_usable.then_some(CertificateRequest {
            url: text(scep, "URL")?,
            challenge: text(scep, "Challenge")?,
            common_name: common_name.to_owned(),
        })
    }

    /// Whether Okta Verify may use the certificate's key without asking the user for a password.
    pub fn lets_okta_verify_use_the_key(&self) -> bool {
        let allowed = |scep: &Dictionary| scep.get("AllowAllAppsAccess")?.as_boolean();
        self.scep.as_ref().and_then(allowed) == Some(true)
    }

    /// What Okta Verify reads when it starts.
    pub fn open_okta_verify(&self) -> MacOktaVerify {
        MacOktaVerify {
            org_host: self.read("OktaVerify.OrgUrl"),
            extension_hosts: self.extension_hosts().unwrap_or_default(),
            user_principal_name: self.read("OktaVerify.UserPrincipalName"),
        }
    }

    fn read(&self, key: &str) -> Option<String> {
        let [app, extension] =
            [APP, EXTENSION].map(|domain| text(self.preferences.get(domain)?, key));
        app.filter(|told| extension.as_ref() == Some(told))
    }

    fn extension_hosts(&self) -> Option<Vec<String>> {
        let payload = self.single_sign_on.as_ref()?;
        let says = |key: &str, expected: &str| text(payload, key).as_deref() == Some(expected);
        let is_oktas = says("ExtensionIdentifier", EXTENSION)
            && says("TeamIdentifier", TEAM)
            && says("Type", "Credential")
            && says("Realm", "Okta Device");
        let hosts = payload.get("Hosts")?.as_array()?.iter();
        let hosts = hosts.filter_map(|host| host.as_string().map(str::to_owned)).collect();
        is_oktas.then_some(hosts)
    }

    /// How Okta Verify registers the Mac: `None` where a FastPass sign-in would not show the org that the Mac
    /// is managed.
    pub fn managed_registration(
        &self,
        org_host: &str,
        serial_number: &str,
        udid: &str,
    ) -> Option<NewDevice> {
        let okta_verify = self.open_okta_verify();
        let certificate = self.certificate_request()?;
        let is_managed = okta_verify.org_host.as_deref() == Some(org_host)
            && okta_verify.extension_hosts.iter().any(|host| host == org_host)
            && self.lets_okta_verify_use_the_key()
            // Okta binds a certificate to one device.
            && certificate.common_name.contains(udid);
        is_managed.then(|| NewDevice::mac(serial_number, udid))
    }
}

fn text(dictionary: &Dictionary, key: &str) -> Option<String> {
    dictionary.get(key)?.as_string().map(str::to_owned)
}

fn dictionary<'a>(dictionary: &'a Dictionary, key: &str) -> Option<&'a Dictionary> {
    dictionary.get(key)?.as_dictionary()
}
