//! The `PayloadIdentifier` of a profile, which is stable, and its `PayloadUUID`, which changes with the
//! content. Neither is derived from a secret.

use uuid::Uuid;

use super::Device;
use crate::model::{IntegrationId, Platform};

/// The namespace of all `PayloadUUID`s. If it changes, every device installs its profiles again.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d1c_2f0e_8b57_4c6a_9e43_51f7_a20b_d384);

/// Where a profile is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, strum::IntoStaticStr)]
pub enum PayloadScope {
    /// For the whole device.
    #[default]
    System,
    /// For a user, on the user channel: the managed user of a Mac, or a user of a Shared iPad.
    User,
}

impl PayloadScope {
    /// Returns Apple's value of `PayloadScope`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Values that all documents of one device share.
#[derive(Debug, Clone, Copy)]
pub struct Deployment<'a> {
    pub integration_id: IntegrationId,
    pub device: &'a Device,
    /// The version of the configuration, which the MDM reports back.
    pub config_version: i64,
    pub scope: PayloadScope,
    /// The provider of the profile, which the device shows.
    pub organization: Option<&'a str>,
}

/// All profiles and the payloads in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(super) enum PayloadKind {
    Certificate,
    #[strum(serialize = "certificate.scep")]
    CertificateScep,
    Settings,
    #[strum(serialize = "settings.single-sign-on")]
    SettingsSingleSignOn,
    #[strum(serialize = "settings.okta-verify")]
    SettingsOktaVerify,
    #[strum(serialize = "settings.okta-verify-extension")]
    SettingsExtension,
    SingleSignOn,
    #[strum(serialize = "single-sign-on.extension")]
    SingleSignOnExtension,
}

impl PayloadKind {
    /// Returns the part of the identifier after the platform. A payload has the identifier of its profile
    /// with an additional component, as Apple recommends ("CommonPayloadKeys").
    pub(super) fn as_str(self) -> &'static str {
        self.into()
    }

    fn platform(self) -> Platform {
        match self {
            Self::SingleSignOn | Self::SingleSignOnExtension => Platform::Ios,
            _ => Platform::Macos,
        }
    }
}

impl Deployment<'_> {
    /// Returns the identifier, which is the same for all devices and versions. A device replaces an
    /// installed profile that has the same identifier.
    pub(super) fn identifier(&self, kind: PayloadKind) -> String {
        let platform = kind.platform().as_str();
        format!("okta-device-trust.{}.{platform}.{}", self.integration_id, kind.as_str())
    }

    pub(super) fn uuid(&self, kind: PayloadKind) -> Uuid {
        // No part contains a slash, so the name is unambiguous.
        let name = format!(
            "{}/{}/{}/{}/{}",
            self.integration_id,
            kind.platform().as_str(),
            kind.as_str(),
            self.device.name(),
            self.config_version,
        );
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    }

    /// Returns a name of letters, digits, dots, hyphens and underscores, which needs no quoting.
    pub(super) fn file_name(&self, kind: PayloadKind) -> String {
        format!("okta-device-trust-{}-{}.mobileconfig", kind.as_str(), self.device.name())
    }
}
