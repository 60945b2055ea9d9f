//! The catalogue: what each platform asks for and what its admin does in Okta, so that a front end can
//! draw forms and help from it. Texts are ours, in plain words; the same for every tenant.

use serde::Serialize;

use crate::model::{Caller, Platform, Scope};
use crate::service::{Error, Service};

/// A platform, as it can be set up.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CataloguePlatform {
    pub platform: Platform,
    pub name: &'static str,
    /// What it stands for, such as iPadOS.
    pub about: &'static str,
    /// Whether what is entered can be tried against Okta before it is stored.
    pub verifiable: bool,
    pub fields: &'static [CatalogueField],
    /// How to add the device integration in Okta.
    pub add: Guide,
    /// How to replace its secret.
    pub rotate: Guide,
    /// How to take it away.
    pub delete: Guide,
}

/// A field of the platform's form.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CatalogueField {
    pub name: &'static str,
    pub label: &'static str,
    pub kind: FieldKind,
    /// Never shown again after it was sent.
    pub secret: bool,
    /// In characters.
    pub min_length: u16,
    pub max_length: u16,
    /// A regular expression (ECMA-262).
    pub pattern: &'static str,
    pub example: &'static str,
    /// Where in Okta's console it stands.
    pub where_in_okta: &'static str,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    Url,
    Text,
    Password,
}

/// Steps, and what they do to devices that are set up already.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Guide {
    /// Stable, for translations.
    pub text_id: &'static str,
    pub steps: &'static [&'static str],
    pub effect_on_devices: &'static str,
}

const URL_PATTERN: &str = "^https://[^\\s#]+$";

const fn url(
    name: &'static str,
    label: &'static str,
    example: &'static str,
    place: &'static str,
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
        where_in_okta: place,
    }
}

/// Every platform that can be set up.
pub static CATALOGUE: &[CataloguePlatform] = &[
    CataloguePlatform {
        platform: Platform::Macos,
        name: "macOS",
        about: "Macs, with Okta as the certificate authority: each gets a certificate of its own.",
        verifiable: true,
        fields: &[
            url(
                "scep_url",
                "SCEP URL",
                "https://acme.okta.com/pki/0123456789abcdef0123456789abcdef01234567/scep/rac1a2b3c4",
                "Shown when the platform is added, and later under its Actions menu: SCEP URL.",
            ),
            url(
                "challenge_url",
                "Challenge URL",
                "https://acme.okta.com/pki/scep/challenge",
                "Shown together with the SCEP URL: Challenge URL.",
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
                where_in_okta: "Shown together with the SCEP URL: Username.",
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
                where_in_okta: "Shown once, when the platform is added or its password is reset: Password.",
            },
        ],
        add: Guide {
            text_id: "catalogue.macos.add",
            steps: &[
                "In Okta's console open Security > Device integrations and choose Add platform.",
                "Choose Desktop (Windows and macOS only), then Next.",
                "Under Certificate authority choose Use Okta as certificate authority.",
                "Under SCEP URL challenge type choose Dynamic SCEP URL, then Generic.",
                "Choose Generate. Copy the SCEP URL, the challenge URL, the username and the password: the password is shown once.",
                "Choose Save in Okta, then enter the four values here.",
            ],
            effect_on_devices: "None, until their profiles are delivered. A Mac is trusted after its certificate has arrived and its user has signed in with FastPass once more.",
        },
        rotate: Guide {
            text_id: "catalogue.macos.rotate",
            steps: &[
                "In Okta's console open Security > Device integrations.",
                "Open the Actions menu of the macOS platform and choose Reset password.",
                "Copy the new password and enter it here: it is tried, then it replaces the old one.",
            ],
            effect_on_devices: "None: certificates that were issued stay valid. Between the reset in Okta and the new password here, no Mac can be given a certificate.",
        },
        delete: Guide {
            text_id: "catalogue.macos.delete",
            steps: &[
                "In Okta, first take the condition \"Managed\" out of the sign-in policies for macOS: with it nobody gets in any more.",
                "Delete the platform here, and remove its profiles from the Macs in the MDM.",
                "In Okta's console under Security > Device integrations delete the macOS platform.",
            ],
            effect_on_devices: "Macs keep their certificates until these end, and count as managed until then. No new certificates are issued.",
        },
    },
    CataloguePlatform {
        platform: Platform::Ios,
        name: "iOS",
        about: "iPhones and iPads, with a secret key that the MDM hands to Okta Verify.",
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
            where_in_okta: "Shown once, when the platform is added or its secret key is reset: Secret key.",
        }],
        add: Guide {
            text_id: "catalogue.ios.add",
            steps: &[
                "In Okta's console open Security > Device integrations and choose Add platform.",
                "Choose iOS, then Next.",
                "Copy the secret key: it is shown once.",
                "Enter the device management provider and the enrollment link, which the setup offers to copy.",
                "Choose Save in Okta, then enter the secret key here.",
            ],
            effect_on_devices: "None, until the app configuration is delivered. An iPhone is trusted after that, once its user has signed in with FastPass. Okta has no way to try the key: a wrong one shows on the devices only.",
        },
        rotate: Guide {
            text_id: "catalogue.ios.rotate",
            steps: &[
                "In Okta's console open Security > Device integrations.",
                "Open the Actions menu of the iOS platform and choose Reset secret key.",
                "Copy the new key, enter it here, and deliver the configuration to every iPhone and iPad again.",
            ],
            effect_on_devices: "Devices that carry the old key stop being trusted until the new one has been delivered and their users have signed in again. Devices report the version that they carry.",
        },
        delete: Guide {
            text_id: "catalogue.ios.delete",
            steps: &[
                "In Okta, first take the condition \"Managed\" out of the sign-in policies for iOS: with it nobody gets in any more.",
                "Delete the platform here, and remove the profile and the app configuration in the MDM.",
                "In Okta's console under Security > Device integrations delete the iOS platform.",
            ],
            effect_on_devices: "iPhones and iPads are no longer managed in Okta's eyes as soon as the platform is deleted there.",
        },
    },
];

impl Service {
    /// The whole catalogue.
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

    /// One platform of the catalogue.
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
