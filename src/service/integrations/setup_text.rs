//! What the steps of the wizard say, link to and ask for. Texts are plain English with a stable
//! `text_id` beside them, so that a front end may translate.

use crate::config::WizardConfig;
use crate::model::integrations::okta_domain::OktaSuffixes;
use crate::model::{IntegrationRecord, OktaDomain, Platform};
use crate::service::platforms::CATALOGUE;

/// The steps, in their order.
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

/// A link to open.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Link {
    pub rel: &'static str,
    pub text_id: &'static str,
    pub text: &'static str,
    pub href: String,
}

/// A value that the admin carries to Okta.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct CopyValue {
    pub text_id: &'static str,
    pub label: &'static str,
    pub value: String,
}

/// A field of a form.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct FormField {
    pub name: &'static str,
    pub label: &'static str,
    /// Never shown again after it was sent.
    pub secret: bool,
    pub help: &'static str,
}

/// The text id, the title and the text of a step.
pub(super) fn step_text(
    name: StepName,
    record: &IntegrationRecord,
    wizard: &WizardConfig,
) -> (&'static str, &'static str, String) {
    let host = record.integration.sign_in_host();
    let app = &wizard.okta_app_name;
    match name {
        StepName::Domain => {
            ("setup.domain", "Okta tenant", format!("Your Okta org was found at {host}."))
        }
        StepName::Authorize => (
            "setup.authorize",
            "Authorize in Okta",
            format!(
                "Sign in to Okta as a super admin, install the API service integration \"{app}\" from the catalogue and authorize it. Okta shows the client secret once: copy it and the client ID."
            ),
        ),
        StepName::Credentials => (
            "setup.credentials",
            "Enter the credentials",
            "Enter the client ID and the client secret. They are tried against Okta before they are stored, and the secret is never shown again.".to_owned(),
        ),
        StepName::Prerequisites => (
            "setup.prerequisites",
            "Check the org",
            "Device trust needs Okta Identity Engine, Okta FastPass, Adaptive MFA and Okta Verify from Apple's Apps and Books. What is missing stands in the report, with what to do about it.".to_owned(),
        ),
        StepName::Platforms => (
            "setup.platforms",
            "Choose platforms",
            "Choose the platforms that are to be trusted: macOS, iOS (with iPadOS) or both.".to_owned(),
        ),
        StepName::Macos => (
            "setup.macos",
            "Set up macOS",
            "In Okta go to Security > Device integrations > Add platform > Desktop (Windows and macOS only). Use Okta as certificate authority, choose Dynamic SCEP URL and Generic, and copy what Okta shows.".to_owned(),
        ),
        StepName::Ios => (
            "setup.ios",
            "Set up iOS",
            "In Okta go to Security > Device integrations > Add platform > iOS, enter the device management provider and the enrollment link below, and copy the secret key that Okta shows.".to_owned(),
        ),
        StepName::Complete => (
            "setup.complete",
            "Deploy Okta Verify",
            "All is configured: deploy Okta Verify and the profiles to your devices. A device is trusted after its user's next sign-in with FastPass.".to_owned(),
        ),
    }
}

/// Where the step sends the admin.
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
            .map(|href| link("okta_console", "link.okta_console", "Open Okta's console", href))
            .into_iter()
            .collect(),
        StepName::Complete => wizard
            .library_item_url
            .iter()
            .map(|url| {
                link("library_item", "link.library_item", "Go to Library item", url.to_string())
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// What the admin copies to Okta in the step.
pub(super) fn copy_values(name: StepName, wizard: &WizardConfig) -> Vec<CopyValue> {
    let copy = |text_id, label, value| CopyValue { text_id, label, value };
    match name {
        StepName::Authorize => {
            vec![copy(
                "copy.okta_app_name",
                "Name in Okta's catalogue",
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

/// The catalogue's fields, in short: it has the limits and patterns.
pub(super) fn fields_of(platform: Platform) -> Vec<FormField> {
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

pub(super) const CREDENTIALS_FIELDS: [FormField; 2] = [
    FormField {
        name: "client_id",
        label: "Client ID",
        secret: false,
        help: "On the API service integration's page in Okta; begins with 0oa.",
    },
    FormField {
        name: "client_secret",
        label: "Client secret",
        secret: true,
        help: "Okta shows it once, when the integration is installed or a new secret is generated.",
    },
];

pub(super) const PLATFORMS_FIELDS: [FormField; 1] = [FormField {
    name: "selected_platforms",
    label: "Platforms",
    secret: false,
    help: "A list of macos and ios.",
}];
