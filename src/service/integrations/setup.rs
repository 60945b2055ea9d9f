//! The wizard as data: which step is done, which is next, what to say, where to go and what to ask.
//! Texts are plain English with a stable `text_id` beside them, so that a front end may translate.

use chrono::Utc;
use strum::VariantArray;

use crate::config::WizardConfig;
use crate::model::integrations::okta_domain::OktaSuffixes;
use crate::model::integrations::prerequisites::Blocks;
use crate::model::{
    Caller, IntegrationId, IntegrationRecord, OktaDomain, Outcome, Platform, PrerequisiteKind,
    Scope, Status, StatusReason, integrations::derive_status,
};

use crate::service::platforms::CATALOGUE;
use crate::service::{Error, Service};

/// The steps, in their order (contract §2).
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

/// Exactly one step is `current` until all are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Done,
    Current,
    Waiting,
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

/// A step of the wizard.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Step {
    pub name: StepName,
    pub state: StepState,
    /// False for a platform that was not selected: the wizard passes over it.
    pub applies: bool,
    pub text_id: &'static str,
    pub title: &'static str,
    pub text: String,
    pub links: Vec<Link>,
    pub copy: Vec<CopyValue>,
    /// Prerequisites that are missing or not known, and do not stop the wizard.
    pub warnings: Vec<PrerequisiteKind>,
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

/// The next form.
#[derive(Debug, Clone)]
pub struct Form {
    pub step: StepName,
    pub fields: Vec<FormField>,
}

/// The whole wizard.
#[derive(Debug, Clone)]
pub struct Setup {
    pub status: Status,
    pub status_reasons: Vec<StatusReason>,
    pub steps: Vec<Step>,
    /// The form that the admin fills in next; `None` when nothing is to be entered.
    pub next_form: Option<Form>,
}

impl Service {
    /// # Errors
    /// `IntegrationNotFound`.
    pub async fn get_setup(&self, caller: &Caller, id: IntegrationId) -> Result<Setup, Error> {
        self.require(caller, Scope::OdtRead).await?;
        let record = self.load(caller, id).await?;
        Ok(describe(&record, &self.wizard, self.okta.suffixes()))
    }
}

fn describe(record: &IntegrationRecord, wizard: &WizardConfig, suffixes: &OktaSuffixes) -> Setup {
    let (status, status_reasons) = derive_status(record, Utc::now());
    let mut steps: Vec<Step> =
        StepName::VARIANTS.iter().map(|name| step(*name, record, wizard, suffixes)).collect();
    mark_current(&mut steps);
    let next_form = next_form(&steps);
    Setup { status, status_reasons, steps, next_form }
}

/// The first step that applies and is not done is the current one.
fn mark_current(steps: &mut [Step]) {
    let open = |step: &&mut Step| step.applies && step.state != StepState::Done;
    if let Some(step) = steps.iter_mut().find(open) {
        step.state = StepState::Current;
    }
}

fn is_done(name: StepName, record: &IntegrationRecord) -> bool {
    let selected = &record.integration.selected_platforms;
    match name {
        StepName::Domain => true,
        // What the admin did in Okta shows by the credentials alone.
        StepName::Authorize => record.credentials.is_some(),
        // A client that Okta refuses needs another secret: the form is offered again.
        StepName::Credentials => {
            let reasons = derive_status(record, Utc::now()).1;
            record.credentials.is_some() && !reasons.contains(&StatusReason::ClientRefused)
        }
        StepName::Prerequisites => {
            record.credentials.is_some() && record.failed(Blocks::Setup).next().is_none()
        }
        StepName::Platforms => !selected.is_empty(),
        StepName::Macos => record.platform(Platform::Macos).is_some(),
        StepName::Ios => record.platform(Platform::Ios).is_some(),
        StepName::Complete => derive_status(record, Utc::now()).0 == Status::Active,
    }
}

fn applies(name: StepName, record: &IntegrationRecord) -> bool {
    let selected = &record.integration.selected_platforms;
    match name {
        StepName::Macos => selected.contains(&Platform::Macos),
        StepName::Ios => selected.contains(&Platform::Ios),
        _ => true,
    }
}

fn step(
    name: StepName,
    record: &IntegrationRecord,
    wizard: &WizardConfig,
    suffixes: &OktaSuffixes,
) -> Step {
    let (text_id, title, text) = words(name, record, wizard);
    Step {
        name,
        state: if is_done(name, record) { StepState::Done } else { StepState::Waiting },
        applies: applies(name, record),
        text_id,
        title,
        text,
        links: links(name, record, wizard, suffixes),
        copy: copy_values(name, wizard),
        warnings: warnings(name, record),
    }
}

fn warnings(name: StepName, record: &IntegrationRecord) -> Vec<PrerequisiteKind> {
    if name != StepName::Prerequisites {
        return Vec::new();
    }
    let not_blocking = |kind: &PrerequisiteKind| kind.blocks() != Blocks::Setup;
    let open = |kind: &PrerequisiteKind| {
        matches!(record.outcome(*kind), Outcome::Failed | Outcome::Unknown)
    };
    PrerequisiteKind::VARIANTS.iter().copied().filter(not_blocking).filter(open).collect()
}

fn words(
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

fn links(
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

fn copy_values(name: StepName, wizard: &WizardConfig) -> Vec<CopyValue> {
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

/// The form of the current step. What the admin does in Okta shows by the credentials alone, so the
/// form for them belongs to that step too.
fn next_form(steps: &[Step]) -> Option<Form> {
    let current = steps.iter().find(|step| step.state == StepState::Current)?;
    match current.name {
        StepName::Authorize | StepName::Credentials => {
            Some(Form { step: StepName::Credentials, fields: CREDENTIALS_FIELDS.to_vec() })
        }
        StepName::Platforms => {
            Some(Form { step: StepName::Platforms, fields: PLATFORMS_FIELDS.to_vec() })
        }
        StepName::Macos => Some(Form { step: StepName::Macos, fields: fields_of(Platform::Macos) }),
        StepName::Ios => Some(Form { step: StepName::Ios, fields: fields_of(Platform::Ios) }),
        _ => None,
    }
}

/// The catalogue's fields, in short: it has the limits and patterns.
fn fields_of(platform: Platform) -> Vec<FormField> {
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

const CREDENTIALS_FIELDS: [FormField; 2] = [
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

const PLATFORMS_FIELDS: [FormField; 1] = [FormField {
    name: "selected_platforms",
    label: "Platforms",
    secret: false,
    help: "A list of macos and ios.",
}];
