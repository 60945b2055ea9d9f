//! The platform catalogue: the fields of each platform and the guides for Okta, from which a front end
//! draws forms and help. It is the same for every tenant.

use serde::Serialize;

use crate::model::{Caller, Platform, Scope};
use crate::service::{Error, Service};

/// A platform of the catalogue.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CataloguePlatform {
    pub platform: Platform,
    pub name: &'static str,
    /// A short description of the platform.
    pub about: &'static str,
    /// True if the values can be verified against Okta before they are stored.
    pub verifiable: bool,
    pub fields: &'static [CatalogueField],
    /// How to add the device integration in Okta.
    pub add: Guide,
    /// How to rotate its secret.
    pub rotate: Guide,
    /// How to delete it.
    pub delete: Guide,
}

/// A field in the form of a platform.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CatalogueField {
    pub name: &'static str,
    pub label: &'static str,
    pub kind: FieldKind,
    /// True if the value is write-only.
    pub secret: bool,
    /// In characters.
    pub min_length: u16,
    pub max_length: u16,
    /// A regular expression (ECMA-262).
    pub pattern: &'static str,
    pub example: &'static str,
    /// Where the admin finds the value in Okta.
    pub where_in_okta: &'static str,
}

/// The type of a field.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    Url,
    Text,
    Password,
}

/// The steps of a task, and their effect on devices.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Guide {
    /// The stable id of the texts, for translations.
    pub text_id: &'static str,
    pub steps: &'static [&'static str],
    pub effect_on_devices: &'static str,
}

const URL_PATTERN: &str = "^https://[^\\s#]+$";

const fn url(
    name: &'static str,
    label: &'static str,
    example: &'static str,
    where_in_okta: &'static str,
) -> CatalogueField {
    CatalogueField {
        name,
        label,
        kind: FieldKind::Url,
        secret: false,
        min_length: 12,
        max_length: 2048,
        pattern: URL_PATTERN,
        example,
        where_in_okta,
    }
}

/// All platforms that can be configured.
pub static CATALOGUE: &[CataloguePlatform] = &[
    CataloguePlatform {
        platform: Platform::Macos,
        name: "macOS",
        about: "Macs. Okta is the certificate authority, and each Mac gets its own certificate.",
        verifiable: true,
        fields: &[
            url(
                "scep_url",
                "SCEP URL",
                "https://acme.okta.com/pki/0123456789ABCDEF0123456789ABCDEF01234567/scep/rac1a2b3c4",
                "Okta shows it when you add the platform, and later in the Actions menu of the platform.",
            ),
            url(
                "challenge_url",
                "Challenge URL",
                "https://acme.okta.com/pki/scep/challenge",
                "Okta shows it next to the SCEP URL.",
            ),
            CatalogueField {
                name: "username",
                label: "Username",
                kind: FieldKind::Text,
                secret: false,
                min_length: 1,
                max_length: 256,
                pattern: "^[^:\\u0000-\\u001f\\u007f-\\u009f]+$",
                example: "okta-scep-user",
                where_in_okta: "Okta shows it next to the SCEP URL.",
            },
            CatalogueField {
                name: "password",
                label: "Password",
                kind: FieldKind::Password,
                secret: true,
                min_length: 1,
                max_length: 512,
                pattern: "^[!-~]+$",
                example: "shown-once-by-Okta",
                where_in_okta: "Okta shows it once, when you add the platform or reset its password.",
            },
        ],
        add: Guide {
            text_id: "catalogue.macos.add",
            steps: &[
                "In the Okta Admin Console, go to Security > Device integrations and click Add platform.",
                "Select Desktop (Windows and macOS only) and click Next.",
                "Under Certificate authority, select Use Okta as certificate authority.",
                "Under SCEP URL challenge type, select Dynamic SCEP URL, then Generic.",
                "Click Generate. Copy the SCEP URL, the challenge URL, the username and the password. Okta shows the password only once.",
                "Click Save in Okta, then enter the four values here.",
            ],
            effect_on_devices: "No effect until the MDM installs the profiles. A Mac becomes trusted when it has its certificate and its user signs in with Okta FastPass. The MDM must install the profile: Apple accepts no single sign-on profile that is installed by hand, and no second one with the same hosts.",
        },
        rotate: Guide {
            text_id: "catalogue.macos.rotate",
            steps: &[
                "In the Okta Admin Console, go to Security > Device integrations.",
                "Open the Actions menu of the macOS platform and click Reset password.",
                "Copy the new password and enter it here. It is verified before it replaces the old one.",
            ],
            effect_on_devices: "Certificates that were already issued stay valid. Until you enter the new password here, no Mac can get a new certificate.",
        },
        delete: Guide {
            text_id: "catalogue.macos.delete",
            steps: &[
                "In the Okta Admin Console under Security > Authentication Policies, first remove the condition \"Device management is: Managed\" from all rules for macOS. Otherwise users of Macs can no longer sign in.",
                "Delete the platform here. In the MDM, remove the Okta Device Trust profiles from the Macs.",
                "In the Okta Admin Console under Security > Device integrations, delete the macOS platform.",
            ],
            effect_on_devices: "Macs count as managed until their certificates expire. No new certificates are issued.",
        },
    },
    CataloguePlatform {
        platform: Platform::Ios,
        name: "iOS",
        about: "iPhones and iPads. The MDM sends a secret key to Okta Verify on each device.",
        verifiable: false,
        fields: &[CatalogueField {
            name: "secret_key",
            label: "Secret key",
            kind: FieldKind::Password,
            secret: true,
            min_length: 8,
            max_length: 256,
            pattern: "^[!-~]+$",
            example: "shown-once-by-Okta",
            where_in_okta: "Okta shows it once, when you add the platform or reset its secret key.",
        }],
        add: Guide {
            text_id: "catalogue.ios.add",
            steps: &[
                "In the Okta Admin Console, go to Security > Device integrations and click Add platform.",
                "Select iOS and click Next.",
                "Copy the secret key. Okta shows it only once.",
                "Enter the device management provider and the enrollment link. Copy both from the iOS step of the setup.",
                "Click Save in Okta, then enter the secret key here.",
            ],
            effect_on_devices: "No effect until the MDM sends the app configuration. After that, an iPhone or iPad becomes trusted when its user signs in with Okta FastPass. The key cannot be verified: with a wrong key, devices do not become managed in Okta. The MDM must install the profile: Apple accepts no single sign-on profile that is installed by hand, and no second one with the same hosts.",
        },
        rotate: Guide {
            text_id: "catalogue.ios.rotate",
            steps: &[
                "In the Okta Admin Console, go to Security > Device integrations.",
                "Open the Actions menu of the iOS platform and click Reset secret key.",
                "Copy the new key and enter it here.",
                "In the MDM, send the new configuration to every iPhone and iPad.",
            ],
            effect_on_devices: "Devices with the old key lose trust until they get the new configuration and their users sign in again. The list of devices shows which ones still have an outdated configuration.",
        },
        delete: Guide {
            text_id: "catalogue.ios.delete",
            steps: &[
                "In the Okta Admin Console under Security > Authentication Policies, first remove the condition \"Device management is: Managed\" from all rules for iOS. Otherwise users of iPhones and iPads can no longer sign in.",
                "Delete the platform here. In the MDM, remove the profile and the app configuration from the iPhones and iPads.",
                "In the Okta Admin Console under Security > Device integrations, delete the iOS platform.",
            ],
            effect_on_devices: "iPhones and iPads lose trust as soon as the platform is deleted in Okta.",
        },
    },
];

impl Service {
    /// Returns the catalogue.
    ///
    /// # Errors
    /// `ScopeMissing`.
    pub async fn list_catalogue(
        &self,
        caller: &Caller,
    ) -> Result<&'static [CataloguePlatform], Error> {
        self.require(caller, Scope::OdtRead).await?;
        Ok(CATALOGUE)
    }

    /// Returns a platform of the catalogue.
    ///
    /// # Errors
    /// `ScopeMissing`, `PlatformNotFound`.
    pub async fn get_catalogue_platform(
        &self,
        caller: &Caller,
        platform: Platform,
    ) -> Result<&'static CataloguePlatform, Error> {
        self.require(caller, Scope::OdtRead).await?;
        let found = CATALOGUE.iter().find(|entry| entry.platform == platform);
        found.ok_or(Error::PlatformNotFound(platform))
    }
}
