//! Request and response bodies of `…/platforms`.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::handlers::http::body::not_null;
use crate::handlers::integrations::SecretState;
use crate::model::Platform;
use crate::model::platforms::{CertificateAuthority, PlatformState};
use crate::service::{ChecklistItem, PlatformFields, PlatformOutcome, Verification};

/// The values of a platform. macOS has `scep_url`, `challenge_url`, `username` and `password`; iOS has
/// `secret_key`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "scep_url": "https://acme.okta.com/pki/0123456789abcdef0123456789abcdef01234567/scep/rac1a2b3c4",
    "challenge_url": "https://acme.okta.com/pki/scep/challenge", "username": "okta-scep-user", "password": "shown-once-by-Okta",
}))]
pub struct PlatformRequest {
    /// macOS: an https URL on a host of the Okta org.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false, max_length = 2048, pattern = "^https://[^\\s#]+$")]
    scep_url: Option<String>,
    /// macOS: an https URL on a host of the Okta org.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false, max_length = 2048, pattern = "^https://[^\\s#]+$")]
    challenge_url: Option<String>,
    /// macOS: the username for the challenge URL.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 256,
        pattern = "^[^:\\u0000-\\u001f\\u007f-\\u009f]+$"
    )]
    username: Option<String>,
    /// macOS: the password for the challenge URL. Write-only.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<String>, nullable = false, format = Password, write_only, min_length = 1, max_length = 512, pattern = "^[!-~]+$")]
    password: Option<SecretString>,
    /// iOS: the secret key. Write-only.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = Option<String>, nullable = false, format = Password, write_only, min_length = 8, max_length = 256, pattern = "^[!-~]+$")]
    secret_key: Option<SecretString>,
}

impl From<PlatformRequest> for PlatformFields {
    fn from(request: PlatformRequest) -> Self {
        let PlatformRequest { scep_url, challenge_url, username, password, secret_key } = request;
        Self { scep_url, challenge_url, username, password, secret_key }
    }
}

/// A configured platform, without its secret.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PlatformResponse {
    platform: Platform,
    #[serde(skip_serializing_if = "Option::is_none")]
    scep_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<SecretState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<SecretState>,
    verification: VerificationResponse,
    /// The certificate authority behind the SCEP URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority: Option<CertificateAuthority>,
    /// The version of the configuration, which the MDM reports for each device that got it.
    config_version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Whether the values were verified with Okta.
#[derive(Serialize, utoipa::ToSchema)]
pub struct VerificationResponse {
    state: Verification,
    /// Why the values cannot be verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified_at: Option<DateTime<Utc>>,
    /// Since when Okta refuses the stored username and password.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_at: Option<DateTime<Utc>>,
}

/// The result of a verification.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrialResponse {
    platform: Platform,
    verification: VerificationResponse,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority: Option<CertificateAuthority>,
    /// False for values that are not stored (`dry_run`).
    stored: bool,
}

/// The configured platforms.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PlatformsResponse {
    pub(super) items: Vec<PlatformResponse>,
}

/// A deleted platform.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PlatformDeletedResponse {
    pub(super) deleted: Platform,
    /// What the admin still has to do in Okta and the MDM, in this order. The service deletes nothing in
    /// Okta.
    pub(super) checklist: Vec<ChecklistItem>,
}

/// The stored platform, or the result of a verification with `dry_run`.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum PlatformWritten {
    Stored(Box<PlatformResponse>),
    Verified(TrialResponse),
}

const UNVERIFIABLE: &str = "Okta offers no way to verify a secret key. With a wrong key, devices do not become managed in Okta.";

fn verification(
    state: Verification,
    verified_at: Option<DateTime<Utc>>,
    refused_at: Option<DateTime<Utc>>,
) -> VerificationResponse {
    let reason = (state == Verification::Unverifiable).then_some(UNVERIFIABLE);
    VerificationResponse { state, reason, verified_at, refused_at }
}

impl From<&PlatformState> for PlatformResponse {
    fn from(state: &PlatformState) -> Self {
        let secret = SecretState {
            set: true,
            version: Some(state.secret_version),
            updated_at: Some(state.secret_updated_at),
            updated_by: Some(state.secret_updated_by.clone()),
        };
        let (password, secret_key, kind) = match state.platform {
            Platform::Macos => (Some(secret), None, Verification::Verified),
            Platform::Ios => (None, Some(secret), Verification::Unverifiable),
        };
        Self {
            platform: state.platform,
            scep_url: state.scep.as_ref().map(|scep| scep.scep_url.to_string()),
            challenge_url: state.scep.as_ref().map(|scep| scep.challenge_url.to_string()),
            username: state.scep.as_ref().map(|scep| scep.username.clone()),
            password,
            secret_key,
            verification: verification(kind, state.verified_at, state.refused_at),
            certificate_authority: state.ca.clone(),
            config_version: state.config_version,
            created_at: state.created_at,
            updated_at: state.updated_at,
        }
    }
}

pub(super) fn trial(outcome: &PlatformOutcome, stored: bool) -> TrialResponse {
    let state = outcome.record.platform(outcome.platform).filter(|_| stored);
    TrialResponse {
        platform: outcome.platform,
        verification: verification(
            outcome.verification,
            state.and_then(|state| state.verified_at),
            state.and_then(|state| state.refused_at),
        ),
        certificate_authority: outcome.ca.clone(),
        stored,
    }
}
