//! The two ways of connecting that the wizard offers: the integration from Okta's catalogue, and a service
//! app of the customer's own, each with its steps in Okta.

use super::setup_text::{CopyValue, FormField};
use crate::config::WizardConfig;
use crate::model::{ClientKeyState, CredentialsKind, IntegrationRecord};

/// A way of connecting.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct CredentialsChoice {
    /// What the credentials are sent with as `kind`.
    pub kind: CredentialsKind,
    /// True for the way that was chosen by what is stored; the catalogue's integration until then.
    pub chosen: bool,
    pub text_id: &'static str,
    pub title: &'static str,
    /// What the admin does in Okta and here, in this order.
    pub instructions: Vec<Instruction>,
    /// What the admin carries to Okta. A service app's key is here once it was made with
    /// `POST …/credentials/keys`.
    pub copy: Vec<CopyValue>,
    pub fields: Vec<FormField>,
}

/// One thing to do.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Instruction {
    pub text_id: &'static str,
    pub text: String,
}

/// The way that was chosen by what is stored.
pub(super) fn chosen_kind(record: &IntegrationRecord) -> CredentialsKind {
    let has_key = record.client_keys.in_state(ClientKeyState::Pending).is_some();
    match &record.credentials {
        Some(credentials) => credentials.kind,
        None if has_key => CredentialsKind::PrivateKeyJwt,
        None => CredentialsKind::ClientSecret,
    }
}

/// Both ways. `jwks_url` is where Okta may read the keys of a service app.
pub(super) fn choices(
    record: &IntegrationRecord,
    wizard: &WizardConfig,
    jwks_url: Option<&str>,
) -> Vec<CredentialsChoice> {
    let chosen = chosen_kind(record);
    vec![
        CredentialsChoice {
            kind: CredentialsKind::ClientSecret,
            chosen: chosen == CredentialsKind::ClientSecret,
            text_id: "choice.catalogue_integration",
            title: "Integration from Okta's catalogue",
            instructions: catalogue_instructions(&wizard.okta_app_name),
            copy: vec![CopyValue {
                text_id: "copy.okta_app_name",
                label: "Name in Okta's catalogue",
                value: wizard.okta_app_name.clone(),
            }],
            fields: fields_of(CredentialsKind::ClientSecret),
        },
        CredentialsChoice {
            kind: CredentialsKind::PrivateKeyJwt,
            chosen: chosen == CredentialsKind::PrivateKeyJwt,
            text_id: "choice.own_service_app",
            title: "Own service app",
            instructions: service_app_instructions(&wizard.okta_app_name),
            copy: key_values(record, jwks_url),
            fields: fields_of(CredentialsKind::PrivateKeyJwt),
        },
    ]
}

fn catalogue_instructions(app: &str) -> Vec<Instruction> {
    instructions([
        (
            "instruction.catalogue.install",
            format!(
                "In Okta go to Applications > API Service Integrations > Add Integration, choose \"{app}\" and click Install & Authorize. This takes a super admin."
            ),
        ),
        (
            "instruction.catalogue.copy",
            "Copy the client secret, which Okta shows once, and the client ID.".to_owned(),
        ),
        ("instruction.catalogue.enter", "Enter both here.".to_owned()),
    ])
}

/// Okta's developer guide "Implement OAuth for Okta with a service app".
fn service_app_instructions(app: &str) -> Vec<Instruction> {
    instructions([
        (
            "instruction.service_app.make_key",
            "Make a key pair here. The private key never leaves this service.".to_owned(),
        ),
        (
            "instruction.service_app.create",
            format!(
                "In Okta go to Applications > Applications > Create App Integration, choose API Services and name the app, for example \"{app}\"."
            ),
        ),
        (
            "instruction.service_app.add_key",
            "Under General > Client Credentials click Edit and choose Public key / Private key. Choose Save keys in Okta > Add key and paste the public key, or choose Use a URL to fetch keys dynamically and enter the address. Save.".to_owned(),
        ),
        (
            "instruction.service_app.dpop",
            "Leave \"Require Demonstrating Proof of Possession (DPoP) header in token requests\" as it is: this service does what it asks for.".to_owned(),
        ),
        (
            "instruction.service_app.scopes",
            "Under Okta API Scopes grant okta.devices.manage, okta.devices.read and okta.authenticators.read. This takes a super admin.".to_owned(),
        ),
        (
            "instruction.service_app.role",
            "Under Admin roles assign a role that may manage devices and view authenticators: without one Okta refuses every call.".to_owned(),
        ),
        (
            "instruction.service_app.enter",
            "Copy the client ID from General and enter it here.".to_owned(),
        ),
    ])
}

fn instructions<const N: usize>(texts: [(&'static str, String); N]) -> Vec<Instruction> {
    texts.into_iter().map(|(text_id, text)| Instruction { text_id, text }).collect()
}

/// The key to enter in Okta: the pending one, else the active one; and where Okta may read it.
fn key_values(record: &IntegrationRecord, jwks_url: Option<&str>) -> Vec<CopyValue> {
    let keys = &record.client_keys;
    let key = keys
        .in_state(ClientKeyState::Pending)
        .or_else(|| keys.in_state(ClientKeyState::Active))
        .and_then(|key| serde_json::to_string(&key.jwk).ok());
    let copy = |text_id, label, value| CopyValue { text_id, label, value };
    let jwk = key.map(|key| copy("copy.public_key", "Public key (JWK)", key));
    let url =
        jwks_url.map(|url| copy("copy.jwks_url", "Address of the public keys", url.to_owned()));
    jwk.into_iter().chain(url).collect()
}

/// The fields of the form for credentials of this kind.
pub(super) fn fields_of(kind: CredentialsKind) -> Vec<FormField> {
    let client_id = |help| FormField { name: "client_id", label: "Client ID", secret: false, help };
    match kind {
        CredentialsKind::ClientSecret => vec![
            client_id("On the API service integration's page in Okta; begins with 0oa."),
            FormField {
                name: "client_secret",
                label: "Client secret",
                secret: true,
                help: "Okta shows it once, when the integration is installed or a new secret is generated.",
            },
        ],
        CredentialsKind::PrivateKeyJwt => {
            vec![client_id("In the service app in Okta under General; begins with 0oa.")]
        }
    }
}
