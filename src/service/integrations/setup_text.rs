//! The texts, links and fields of the setup steps. Texts are in English, each with a stable `text_id`
//! by which a front end can translate it.

use crate::config::WizardConfig;
use crate::model::integrations::okta_domain::OktaSuffixes;
use crate::model::{IntegrationRecord, OktaDomain, Platform};
use crate::service::platforms::CATALOGUE;

/// The steps of the setup, in their order.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, strum::VariantArray, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    Domain,
    Authorize,
    Credentials,
    Prerequisites,
    Platforms,
    Macos,
    Ios,
    Complete,
}

/// A link for the admin to open.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Link {
    pub rel: &'static str,
    pub text_id: &'static str,
    pub text: &'static str,
    pub href: String,
}

/// A value that the admin copies to Okta.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct CopyValue {
    pub text_id: &'static str,
    pub label: &'static str,
    pub value: String,
}

/// Something that goes wrong easily.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Caution {
    /// Stable, for translations.
    #[schema(example = "caution.single_sign_on_hosts_unique")]
    pub text_id: &'static str,
    pub text: &'static str,
}

/// What goes wrong easily in the step.
pub(super) fn cautions(name: StepName) -> Vec<Caution> {
    match name {
        StepName::Complete => vec![HOSTS_UNIQUE, NOT_BY_HAND],
        _ => Vec::new(),
    }
}

const HOSTS_UNIQUE: Caution = Caution {
    text_id: "caution.single_sign_on_hosts_unique",
    text: "Apple installs no second single sign-on profile that names a host of an installed one. Remove every other profile with a single sign-on payload for your Okta hosts from a device (of another MDM, or of another integration) before this one is installed.",
};

const NOT_BY_HAND: Caution = Caution {
    text_id: "caution.single_sign_on_not_by_hand",
    text: "The single sign-on profile cannot be installed by hand: Apple accepts it only from the MDM that manages the device.",
};

/// A field of a form.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct FormField {
    pub name: &'static str,
    pub label: &'static str,
    /// True if the value is write-only.
    pub secret: bool,
    pub help: &'static str,
}

/// Returns the text id, the title and the text of a step.
pub(super) fn step_text(
    name: StepName,
    record: &IntegrationRecord,
    wizard: &WizardConfig,
) -> (&'static str, &'static str, String) {
    let host = record.integration.sign_in_host();
    let app = &wizard.okta_app_name;
    match name {
        StepName::Domain => {
            ("setup.domain", "Okta domain", format!("Your Okta org was found at {host}."))
        }
        StepName::Authorize => (
            "setup.authorize",
            "Authorize in Okta",
            format!(
                "Sign in to the Okta Admin Console as a super admin. Go to Applications > API Service Integrations, click Add Integration, select \"{app}\" and authorize it. Copy the client ID and the client secret. Okta shows the client secret only once. To use a service app of your own instead, see the next step."
            ),
        ),
        StepName::Credentials => (
            "setup.credentials",
            "Enter the credentials",
            "Connect with the integration from Okta's catalogue or with a service app of your own. What you enter is verified with Okta before it is saved. A client secret is not shown again.".to_owned(),
        ),
        StepName::Prerequisites => (
            "setup.prerequisites",
            "Check the org",
            "Device trust requires Okta Identity Engine, Okta FastPass, Adaptive MFA, and Okta Verify from Apple's Apps and Books. Fix what the report lists as failed, then check again.".to_owned(),
        ),
        StepName::Platforms => (
            "setup.platforms",
            "Choose platforms",
            "Select the platforms to set up: macOS, iOS (includes iPadOS), or both.".to_owned(),
        ),
        StepName::Macos => (
            "setup.macos",
            "Set up macOS",
            "In the Okta Admin Console, go to Security > Device integrations and click Add platform. Select Desktop (Windows and macOS only), Use Okta as certificate authority, Dynamic SCEP URL, and Generic. Click Generate, then copy the SCEP URL, the challenge URL, the username and the password.".to_owned(),
        ),
        StepName::Ios => (
            "setup.ios",
            "Set up iOS",
            "In the Okta Admin Console, go to Security > Device integrations, click Add platform and select iOS. Copy the secret key, which Okta shows only once. Enter the device management provider and the enrollment link below, and click Save.".to_owned(),
        ),
        StepName::Complete => (
            "setup.complete",
            "Deploy Okta Verify",
            "The setup is complete. Deploy Okta Verify and the profiles to your devices. A device becomes trusted when its user next signs in with Okta FastPass.".to_owned(),
        ),
    }
}

/// Returns the links of a step.
pub(super) fn links(
    name: StepName,
    record: &IntegrationRecord,
    wizard: &WizardConfig,
    suffixes: &OktaSuffixes,
) -> Vec<Link> {
    let link = |rel, text_id, text, href| Link { rel, text_id, text, href };
    let domain = OktaDomain::parse(&record.integration.org.canonical_host, suffixes).ok();
    let console = domain.and_then(|domain| {
        let filled = wizard.install_link_template.replace("{sub}", domain.subdomain()?);
        Some(filled.replace("{suffix}", domain.suffix()?))
    });
    match name {
        StepName::Authorize => console
            .map(|href| link("okta_console", "link.okta_sign_in", "Sign in with Okta", href))
            .into_iter()
            .collect(),
        StepName::Macos | StepName::Ios => console
            .map(|href| {
                link("okta_console", "link.okta_console", "Open the Okta Admin Console", href)
            })
            .into_iter()
            .collect(),
        StepName::Complete => wizard
            .library_item_url
            .iter()
            .map(|url| {
                link("library_item", "link.library_item", "Go to the library item", url.to_string())
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns the values that the admin copies to Okta in a step.
pub(super) fn copy_values(name: StepName, wizard: &WizardConfig) -> Vec<CopyValue> {
    let copy = |text_id, label, value| CopyValue { text_id, label, value };
    match name {
        StepName::Authorize => {
            vec![copy(
                "copy.okta_app_name",
                "API service integration",
                wizard.okta_app_name.clone(),
            )]
        }
        StepName::Ios => {
            let provider =
                copy("copy.mdm_name", "Device management provider", wizard.mdm_name.clone());
            let enrollment = wizard
                .enrollment_link
                .iter()
                .map(|url| copy("copy.enrollment_link", "Enrollment link", url.to_string()));
            std::iter::once(provider).chain(enrollment).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the form fields of a platform. The catalogue also has their limits and patterns.
pub(super) fn platform_fields(platform: Platform) -> Vec<FormField> {
    let entry = CATALOGUE.iter().find(|entry| entry.platform == platform);
    let fields = entry.map_or(&[][..], |entry| entry.fields);
    fields
        .iter()
        .map(|field| FormField {
            name: field.name,
            label: field.label,
            secret: field.secret,
            help: field.where_in_okta,
        })
        .collect()
}

pub(super) const PLATFORMS_FIELDS: [FormField; 1] = [FormField {
    name: "selected_platforms",
    label: "Platforms",
    secret: false,
    help: "Select macOS, iOS, or both.",
}];
