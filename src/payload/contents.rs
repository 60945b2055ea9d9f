//! What a device gets, as values that know nothing of payloads and their keys. Configuration profiles are
//! rendered from them; Apple's declarations could be, too.
//!
//! The subject, the options and the settings of an admin are checked when a value is created; the remaining
//! texts when it is rendered.

use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;

use super::hosts::OrgHosts;
use super::subject::common_name;
use super::{Device, HardwareIdentifiers, PayloadError};

/// The contents of one profile.
#[derive(Debug, Clone)]
pub enum ProfileContents {
    /// Macs.
    Certificate(CertificateEnrollment),
    /// Macs.
    Settings(MacSettings),
    /// iPhones and iPads.
    SignOn(MobileSignOn),
}

/// A certificate that the device requests with SCEP (RFC 8894).
#[derive(Debug, Clone)]
pub struct CertificateEnrollment {
    pub url: Url,
    pub challenge: SecretString,
    pub common_name: String,
    pub key: KeyRequest,
}

/// The RSA key pair that a device generates for its certificate. It is for signatures only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRequest {
    pub bits: u16,
    pub is_extractable: bool,
    /// Whether every app may use the key without a keychain prompt.
    pub is_open_to_all_apps: bool,
}

impl KeyRequest {
    /// Okta Verify must be able to use the key without a keychain prompt.
    pub const OKTA: Self = Self { bits: 2048, is_extractable: false, is_open_to_all_apps: true };
}

impl CertificateEnrollment {
    /// Creates the enrollment of a Mac.
    ///
    /// # Errors
    /// Those of [`common_name`].
    pub fn new(
        device: &Device,
        url: Url,
        challenge: SecretString,
        subject_template: &str,
    ) -> Result<Self, PayloadError> {
        let common_name = common_name(subject_template, device)?;
        Ok(Self { url, challenge, common_name, key: KeyRequest::OKTA })
    }
}

/// The settings of a Mac. They contain no secret.
#[derive(Debug, Clone, PartialEq)]
pub struct MacSettings {
    /// The hosts of which Okta Verify's extension answers sign-in requests.
    pub hosts: OrgHosts,
    /// For the app and for its extension.
    pub okta_verify: OktaVerifySettings,
}

/// Settings of Okta Verify by key. `Debug` shows only the keys, because a setting of the admin's may be a
/// secret of another product.
#[derive(Clone, Default, PartialEq)]
pub struct OktaVerifySettings(pub Map<String, Value>);

impl std::fmt::Debug for OktaVerifySettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("OktaVerifySettings").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}

/// What connects an iPhone or iPad with its org and with Okta's record of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MobileIdentity {
    /// The host where its users sign in.
    pub sign_in_host: String,
    /// `None` with User Enrollment: Okta's record then has no identifiers and cannot be matched.
    pub hardware: Option<HardwareIdentifiers>,
}

impl MobileIdentity {
    pub fn new(device: &Device, hosts: &OrgHosts) -> Self {
        let sign_in_host = hosts.sign_in().to_owned();
        Self { sign_in_host, hardware: device.hardware().cloned() }
    }
}

/// The single sign-on extension of an iPhone or iPad, with what proves that the device is managed.
#[derive(Debug, Clone)]
pub struct MobileSignOn {
    pub hosts: OrgHosts,
    pub identity: MobileIdentity,
    pub management_hint: SecretString,
}

impl MobileSignOn {
    pub fn new(device: &Device, hosts: OrgHosts, management_hint: SecretString) -> Self {
        let identity = MobileIdentity::new(device, &hosts);
        Self { hosts, identity, management_hint }
    }
}

/// The managed app configuration of an iPhone or iPad, the same for the app and for its extension.
#[derive(Debug, Clone)]
pub struct AppConfiguration {
    pub identity: MobileIdentity,
    pub management_hint: SecretString,
    /// The admin's settings, checked and filled in for the device.
    pub extra: OktaVerifySettings,
}
