//! Request and response bodies of `/integrations/okta-device-trust`.

#[expect(unused_imports, reason = "named in the schema: a list without repetition")]
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::handlers::http::body::not_null;
use crate::model::integrations::notices::{self, OrgNotice};
use crate::model::integrations::{Engine, derive_status};
use crate::model::{
    Actor, CredentialsKind, IntegrationId, IntegrationRecord, Platform, Status, StatusReason,
};
use crate::service::ChecklistItem;

/// The Okta org to connect.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "okta_domain": "https://acme-admin.okta.com/admin/dashboard" }))]
pub struct CreateIntegrationRequest {
    /// The Okta domain as the admin enters it: `acme.okta.com`, a custom domain, or any URL of the org,
    /// such as that of the Okta Admin Console.
    #[schema(max_length = 2048)]
    pub(super) okta_domain: String,
    /// The platforms to set up. They can be selected later.
    #[serde(default)]
    #[schema(value_type = BTreeSet<Platform>, max_items = 2)]
    pub(super) selected_platforms: Vec<Platform>,
}

/// A merge patch (RFC 7396): absent fields stay.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "selected_platforms": ["macos", "ios"] }))]
pub struct UpdateIntegrationRequest {
    /// Another Okta domain. Once credentials are stored, it must belong to the same org.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(max_length = 2048, nullable = false)]
    pub(super) okta_domain: Option<String>,
    /// The platforms to set up.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<BTreeSet<Platform>>, max_items = 2, nullable = false)]
    pub(super) selected_platforms: Option<Vec<Platform>>,
    /// Further hosts where the org's users sign in, for the single sign-on extension: custom domains
    /// that the org does not name by itself. Each has to answer as the org; no secret is sent there. A
    /// change makes what devices have outdated.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(max_items = 200, nullable = false, example = json!(["login.brand.example"]))]
    pub(super) additional_sign_in_hosts: Option<Vec<String>>,
}

/// The state of a secret, without its value.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SecretState {
    /// True if the secret is stored.
    pub set: bool,
    /// Increases with every new secret of the integration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
}

/// The credentials of an integration, without the client secret. With a key pair, `client_secret` shows the
/// state of the active key.
#[derive(Serialize, utoipa::ToSchema)]
pub struct CredentialsResponse {
    /// How the client authenticates; absent while no credentials are stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<CredentialsKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0oa1b2c3d4e5f6g7h8i9")]
    pub client_id: Option<String>,
    pub client_secret: SecretState,
}

/// An integration.
#[derive(Serialize, utoipa::ToSchema)]
pub struct IntegrationResponse {
    pub id: IntegrationId,
    /// The canonical host of the Okta org.
    #[schema(example = "acme.okta.com")]
    pub okta_domain: String,
    /// The custom domain where users sign in: the first of `custom_domains`.
    #[schema(required, example = "login.acme.example")]
    pub custom_domain: Option<String>,
    /// All custom domains that the org confirmed.
    #[schema(example = json!(["login.acme.example"]))]
    pub custom_domains: Vec<String>,
    /// Further hosts where users sign in. No secret is sent there.
    pub additional_sign_in_hosts: Vec<String>,
    /// Okta's id of the org.
    #[schema(example = "00o1a2b3c4d5e6f7g8h9")]
    pub org_id: String,
    pub engine: Engine,
    pub status: Status,
    pub status_reasons: Vec<StatusReason>,
    pub selected_platforms: Vec<Platform>,
    pub credentials: CredentialsResponse,
    /// The version of the integration; the same as its `ETag`.
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub created_by: Actor,
    pub updated_at: DateTime<Utc>,
    /// Information for the admin that does not affect the status.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// Information for the admin that does not affect the status.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Notice {
    /// The stable kind of notice.
    #[schema(example = "sweep_shrunk")]
    pub code: &'static str,
    pub since: DateTime<Utc>,
    /// The stable id of the text, for translations.
    #[schema(example = "notice.custom_domain_not_confirmed")]
    pub text_id: &'static str,
    pub text: String,
    /// The values in the text.
    #[schema(value_type = Object)]
    pub parameters: serde_json::Value,
}

impl From<notices::Notice> for Notice {
    fn from(notice: notices::Notice) -> Self {
        match notice {
            notices::Notice::SweepShrunk { since, shown, expected } => Self {
                code: "sweep_shrunk",
                since,
                text_id: "notice.sweep_shrunk",
                text: format!(
                    "The last sync found {shown} device records in Okta, the one before {expected}. \
                     No record was removed. If you deleted these devices in Okta, confirm it with \
                     POST …/sync {{\"accept_shrunk\": true}}. Otherwise no action needed."
                ),
                parameters: json!({ "shown": shown, "expected": expected }),
            },
            notices::Notice::UsersVanished { since } => Self {
                code: "users_vanished",
                since,
                text_id: "notice.users_vanished",
                text: "In the last sync, Okta showed no users for most devices that had users before. \
                       The known users are kept and read again for each device. No action needed."
                    .to_owned(),
                parameters: json!({}),
            },
            notices::Notice::Org(OrgNotice::OrgRenamed { since, from, to }) => Self {
                code: "org_renamed",
                since,
                text_id: "notice.org_renamed",
                text: format!(
                    "Okta renamed this org from {from} to {to}, and the integration follows. If SCEP URLs are \
                     on {from}, enter them again; then deploy to all devices once more."
                ),
                parameters: json!({ "from": from, "to": to }),
            },
            notices::Notice::Org(OrgNotice::CustomDomainDropped { since, host }) => Self {
                code: "custom_domain_dropped",
                since,
                text_id: "notice.custom_domain_not_confirmed",
                text: format!(
                    "The org does not name {host} as one of its custom domains, so it is left out. Add it in \
                     Okta under Customizations > Brands > Domains: the next check finds it. If users sign in \
                     there all the same, add it to additional_sign_in_hosts."
                ),
                parameters: json!({ "host": host }),
            },
        }
    }
}

/// A deleted integration.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeletedResponse {
    pub deleted: IntegrationId,
    /// What the admin still has to do in Okta and the MDM, in this order. The service deletes nothing in
    /// Okta.
    pub checklist: Vec<ChecklistItem>,
}

impl From<IntegrationRecord> for IntegrationResponse {
    fn from(record: IntegrationRecord) -> Self {
        let (status, status_reasons) = derive_status(&record, Utc::now());
        let credentials = credentials(&record);
        let notices = record.notices.into_iter().map(Notice::from).collect();
        let integration = record.integration;
        Self {
            id: integration.id,
            okta_domain: integration.org.canonical_host,
            custom_domain: integration.org.custom_hosts.first().cloned(),
            custom_domains: integration.org.custom_hosts,
            additional_sign_in_hosts: integration.additional_sign_in_hosts,
            org_id: integration.org.id,
            engine: integration.org.engine,
            status,
            status_reasons,
            selected_platforms: integration.selected_platforms,
            credentials,
            version: integration.version,
            created_at: integration.created_at,
            created_by: integration.created_by,
            updated_at: integration.updated_at,
            notices,
        }
    }
}

fn credentials(record: &IntegrationRecord) -> CredentialsResponse {
    let state = record.credentials.clone();
    CredentialsResponse {
        kind: state.as_ref().map(|state| state.kind),
        client_secret: SecretState {
            set: state.is_some(),
            version: state.as_ref().map(|state| state.version),
            updated_at: state.as_ref().map(|state| state.updated_at),
            updated_by: state.as_ref().map(|state| state.updated_by.clone()),
        },
        client_id: state.map(|state| state.client_id),
    }
}
