//! The setup of an integration as data: the state of each step, and the next form.

use chrono::Utc;
use strum::VariantArray;

use super::client_keys::jwks_url;
use super::setup_choices::{
    CredentialsChoice, choices, chosen_kind, fields_of as credentials_fields,
};
use super::setup_text::{
    Caution, CopyValue, FormField, Link, PLATFORMS_FIELDS, StepName, cautions, copy_values, links,
    platform_fields, step_text,
};
use crate::config::WizardConfig;
use crate::model::integrations::notices::Notice;
use crate::model::integrations::okta_domain::OktaSuffixes;
use crate::model::integrations::prerequisites::Blocks;
use crate::model::{
    Caller, CredentialsKind, IntegrationId, IntegrationRecord, Outcome, Platform, PrerequisiteKind,
    Scope, Status, StatusReason, integrations::derive_status,
};
use crate::service::{Error, Service};

/// The state of a step. Exactly one step is `current` until all are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Done,
    Current,
    Waiting,
}

/// A step of the setup.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Step {
    pub name: StepName,
    pub state: StepState,
    /// False for a platform that is not selected; skip such a step.
    pub applies: bool,
    pub text_id: &'static str,
    pub title: &'static str,
    pub text: String,
    pub links: Vec<Link>,
    pub copy: Vec<CopyValue>,
    /// The ways to connect, in the step `credentials` only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<CredentialsChoice>,
    /// Prerequisites that failed or are unknown, and do not block the setup.
    pub warnings: Vec<PrerequisiteKind>,
    /// What goes wrong easily in the step.
    pub cautions: Vec<Caution>,
}

/// The next form.
#[derive(Debug, Clone)]
pub struct Form {
    pub step: StepName,
    /// Sent beside the fields of the form for credentials.
    pub kind: Option<CredentialsKind>,
    pub fields: Vec<FormField>,
}

/// The setup of an integration.
#[derive(Debug, Clone)]
pub struct Setup {
    pub status: Status,
    pub status_reasons: Vec<StatusReason>,
    pub steps: Vec<Step>,
    /// The form that the admin fills in next; `None` if the current step has no form.
    pub next_form: Option<Form>,
    pub notices: Vec<Notice>,
}

impl Service {
    /// Returns the setup of an integration.
    ///
    /// # Errors
    /// `IntegrationNotFound`.
    pub async fn get_setup(&self, caller: &Caller, id: IntegrationId) -> Result<Setup, Error> {
        self.require(caller, Scope::OdtRead).await?;
        let record = self.load(caller, id).await?;
        let jwks_url = jwks_url(self.public_url.as_ref(), &record.client_keys);
        Ok(describe(&record, &self.wizard, self.okta.suffixes(), jwks_url.as_deref()))
    }
}

fn describe(
    record: &IntegrationRecord,
    wizard: &WizardConfig,
    suffixes: &OktaSuffixes,
    jwks_url: Option<&str>,
) -> Setup {
    let (status, status_reasons) = derive_status(record, Utc::now());
    let mut steps: Vec<Step> =
        StepName::VARIANTS.iter().map(|name| step(*name, record, wizard, suffixes)).collect();
    mark_current(&mut steps);
    if let Some(step) = steps.iter_mut().find(|step| step.name == StepName::Credentials) {
        step.choices = choices(record, wizard, jwks_url);
    }
    let next_form = next_form(&steps, chosen_kind(record));
    let notices = record.notices.clone();
    Setup { status, status_reasons, steps, next_form, notices }
}

/// Marks the first step that applies and is not done as current.
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
        // Only the credentials show that the admin authorized the app in Okta.
        StepName::Authorize => record.credentials.is_some(),
        // If Okta refuses the client, the step is open again, so that the admin can enter a new secret.
        StepName::Credentials => {
            let reasons = derive_status(record, Utc::now()).1;
            record.credentials.is_some() && !reasons.contains(&StatusReason::ClientRefused)
        }
        StepName::Prerequisites => {
            record.credentials.is_some() && record.failed(Blocks::Setup).next().is_none()
        }
        StepName::Platforms => !selected.is_empty(),
        // After a rename in Okta its URLs have to be entered again: the form is offered again.
        StepName::Macos => {
            let state = record.platform(Platform::Macos);
            state.is_some_and(|state| !record.has_scep_url_on_old_host(state))
        }
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
    let (text_id, title, text) = step_text(name, record, wizard);
    Step {
        name,
        state: if is_done(name, record) { StepState::Done } else { StepState::Waiting },
        applies: applies(name, record),
        text_id,
        title,
        text,
        links: links(name, record, wizard, suffixes),
        copy: copy_values(name, wizard),
        choices: Vec::new(),
        warnings: warnings(name, record),
        cautions: cautions(name),
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

/// Returns the form of the current step. The step `authorize` has the form for the credentials, since
/// only they show that the admin authorized the app in Okta.
fn next_form(steps: &[Step], kind: CredentialsKind) -> Option<Form> {
    let current = steps.iter().find(|step| step.state == StepState::Current)?;
    let form = |step, fields| Some(Form { step, kind: None, fields });
    match current.name {
        StepName::Authorize | StepName::Credentials => {
            let fields = credentials_fields(kind);
            Some(Form { step: StepName::Credentials, kind: Some(kind), fields })
        }
        StepName::Platforms => form(StepName::Platforms, PLATFORMS_FIELDS.to_vec()),
        StepName::Macos => form(StepName::Macos, platform_fields(Platform::Macos)),
        StepName::Ios => form(StepName::Ios, platform_fields(Platform::Ios)),
        _ => None,
    }
}
