//! What a profile is called: its `PayloadIdentifier`, which stays, and its `PayloadUUID`, which
//! tells one content from the next. Both come from plain facts, never from a secret.

use uuid::Uuid;

use super::Device;
use crate::model::{IntegrationId, Platform};

/// The namespace of all our `PayloadUUID`s. To change it is to make every device install anew.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d1c_2f0e_8b57_4c6a_9e43_51f7_a20b_d384);

/// Where a profile is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PayloadScope {
    /// For the whole device.
    #[default]
    System,
    /// For the user who is managed on it; Macs alone know this.
    User,
}

impl PayloadScope {
    /// Apple's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::User => "User",
        }
    }
}

/// What all that is rendered for one device has in common.
#[derive(Debug, Clone, Copy)]
pub struct Deployment<'a> {
    pub integration_id: IntegrationId,
    pub device: &'a Device,
    /// The version of the configuration, which the device reports back.
    pub config_version: i64,
    pub scope: PayloadScope,
    /// Shown on the device as who provides the profile.
    pub organization: Option<&'a str>,
}

/// Every payload that we render: the profiles, and what lies in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PayloadKind {
    Certificate,
    CertificateScep,
    Settings,
    SettingsSingleSignOn,
    SettingsOktaVerify,
    SettingsExtension,
    SingleSignOn,
    SingleSignOnExtension,
}

impl PayloadKind {
    /// The part of the identifier after the platform. What lies in a profile has the profile's
    /// identifier with one more component, as Apple advises (`CommonPayloadKeys`).
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::CertificateScep => "certificate.scep",
            Self::Settings => "settings",
            Self::SettingsSingleSignOn => "settings.single-sign-on",
            Self::SettingsOktaVerify => "settings.okta-verify",
            Self::SettingsExtension => "settings.okta-verify-extension",
            Self::SingleSignOn => "single-sign-on",
            Self::SingleSignOnExtension => "single-sign-on.extension",
        }
    }

    fn platform(self) -> Platform {
        match self {
            Self::SingleSignOn | Self::SingleSignOnExtension => Platform::Ios,
            _ => Platform::Macos,
        }
    }
}

impl Deployment<'_> {
    /// The same on all devices and in all versions: a device replaces the profile that it has under
    /// this name, instead of keeping both.
    pub(super) fn identifier(&self, kind: PayloadKind) -> String {
        let platform = kind.platform().as_str();
        format!("okta-device-trust.{}.{platform}.{}", self.integration_id, kind.as_str())
    }

    pub(super) fn uuid(&self, kind: PayloadKind) -> Uuid {
        // No part can hold a slash, so no two lists of parts make the same name.
        let name = format!(
            "{}/{}/{}/{}/{}",
            self.integration_id,
            kind.platform().as_str(),
            kind.as_str(),
            self.device.serial_number,
            self.config_version,
        );
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    }

    /// Letters, digits, dots and hyphens, so it needs no quoting in a header or a shell.
    pub(super) fn file_name(&self, kind: PayloadKind) -> String {
        format!("okta-device-trust-{}-{}.mobileconfig", kind.as_str(), self.device.serial_number)
    }
}
