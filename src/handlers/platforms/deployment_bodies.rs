//! Request and response bodies of `…/scep-challenges` and `…/deployments`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::crypto::reveal;
use crate::handlers::http::body::not_null;
use crate::model::devices::enrollment_id::EnrollmentId;
use crate::model::{Platform, SerialNumber, Udid};
use crate::service::{
    APP_DOMAIN, AppConfiguration, Channel, DeploymentBundle, DeploymentOptions, DeploymentPart,
    DeviceFields, EXTENSION_DATA, EXTENSION_DOMAIN, EnrollmentOptions, MintedChallenge,
    PayloadScope, SINGLE_SIGN_ON_TYPE,
};

/// The device that gets the challenge or deployment.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceRequest {
    /// Required together with `udid`, unless `enrollment_id` is sent.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(schema_with = SerialNumber::schema_with_example, required = false)]
    serial_number: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(schema_with = Udid::schema_with_example, required = false)]
    udid: Option<String>,
    /// iPhones and iPads with User Enrollment: the `EnrollmentID`, instead of serial number and UDID.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(schema_with = EnrollmentId::schema_with_example, required = false)]
    enrollment_id: Option<String>,
    /// Macs: the Okta username of the user, so that Okta Verify does not ask for it. Not sent to iPhones and
    /// iPads.
    #[serde(default)]
    #[schema(example = "ada@acme.example", min_length = 1, max_length = 254)]
    user_principal_name: Option<String>,
}

/// The Mac that gets a challenge.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "device": { "serial_number": "C02ABC123DEF", "udid": "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D" } }))]
pub struct ScepChallengeRequest {
    pub(super) device: DeviceRequest,
}

/// A one-time SCEP challenge.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ScepChallengeResponse {
    /// The challenge, which is valid for one certificate.
    challenge: String,
    scep_url: String,
    issued_at: DateTime<Utc>,
    /// The deadline for the device to use the challenge.
    use_before: DateTime<Utc>,
    /// When the challenge expires in Okta.
    expires_at: DateTime<Utc>,
}

/// The request for a deployment.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "device": { "serial_number": "C02ABC123DEF", "udid": "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D", "user_principal_name": "ada@acme.example" },
    "parts": ["settings"], "options": { "enrollment_options": "prompt_always" },
}))]
pub struct DeploymentRequest {
    pub(super) device: DeviceRequest,
    /// The parts to render; by default all parts of the platform. Macs have `certificate` and `settings`;
    /// iPhones and iPads have `settings` and `app_configuration`.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false, min_items = 1, max_items = 3)]
    pub(super) parts: Option<Vec<DeploymentPart>>,
    #[serde(default)]
    pub(super) options: OptionsRequest,
}

/// Options for rendering a deployment.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OptionsRequest {
    /// Macs: install the profiles for the device (`system`) or for its user (`user`).
    /// iPads: `user` for a Shared iPad, where single sign-on extensions work on the user channel only.
    scope: ScopeRequest,
    /// The host where users sign in: the canonical host of the Okta org, or its confirmed custom domain. By
    /// default the custom domain, if there is one.
    sign_in_host: Option<String>,
    /// Macs: whether Okta Verify prompts a user without an account to add one. `prompt_always` prompts in
    /// each sign-in with Okta FastPass, `disabled` never prompts. Ignored for iPhones and iPads.
    #[serde(deserialize_with = "not_null")]
    #[schema(nullable = false)]
    enrollment_options: Option<EnrollmentOptions>,
    /// Deprecated: send `enrollment_options`. `true` means `prompt_always`. The response then has the header
    /// `Deprecation`. The next release rejects this field.
    #[schema(deprecated)]
    pub(super) silent_enrollment: Option<bool>,
    /// Macs: whether Okta Verify sends diagnostics to Okta; by default the user decides. Ignored for iPhones
    /// and iPads.
    report_diagnostics: Option<bool>,
    /// Macs: names of Okta Verify plugins for other security products. Ignored for iPhones and iPads.
    #[schema(max_items = 20)]
    plugins: Vec<String>,
    /// Extra keys of the app configuration, in both domains. `{serial_number}` and `{udid}` are replaced.
    /// Refuses keys that the service sets (`reserved_key`), and for iPhones and iPads keys that only Macs
    /// have (`mac_only_key`).
    #[schema(value_type = Object, example = json!({ "AssetTag": "{serial_number}" }))]
    app_config_extra: Map<String, Value>,
    /// The common name of the certificate, at most 256 characters after replacement. It always contains the
    /// UDID.
    #[schema(example = "managementAttestation {udid}", max_length = 256)]
    subject_template: Option<String>,
}

/// The scope of a profile.
#[derive(Default, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeRequest {
    #[default]
    System,
    User,
}

/// A deployment for one device.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeploymentResponse {
    platform: Platform,
    /// The version of the configuration. Report it as delivered once everything is installed.
    config_version: i64,
    /// Certificates that were delivered with an older version must be issued again.
    certificate_version: i64,
    /// On which channel the MDM sends the profiles.
    channel: Channel,
    /// User Enrollment: why the device has no trust status.
    #[serde(skip_serializing_if = "Option::is_none")]
    trust_status: Option<NoTrustStatus>,
    profiles: Vec<ProfileResponse>,
    /// iPhones and iPads: the managed app configuration of Okta Verify, keyed by domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    app_configuration: Option<Map<String, Value>>,
    /// iPhones and iPads: the target of each dictionary of settings. Absent for Macs, whose settings are all
    /// in the profiles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    dictionaries: Vec<DictionaryResponse>,
}

/// Why the device has no trust status.
#[derive(Serialize, utoipa::ToSchema)]
pub struct NoTrustStatus {
    /// Always false.
    offered: bool,
    /// Stable, for translations.
    #[schema(example = "deployment.user_enrollment_without_trust_status")]
    text_id: &'static str,
    text: &'static str,
}

const NO_TRUST_STATUS: NoTrustStatus = NoTrustStatus {
    offered: false,
    text_id: "deployment.user_enrollment_without_trust_status",
    text: "With User Enrollment, Okta's record has neither serial number nor UDID, so it cannot be matched to the device. There is no trust status. Sign-in policies in Okta still see the device as managed.",
};

/// A dictionary of settings for Okta Verify, and its target.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DictionaryResponse {
    /// The JSON pointer (RFC 6901) of the dictionary, or of the profile that contains it, in this response.
    #[schema(example = "/app_configuration/com.okta.mobile")]
    pointer: String,
    target: DictionaryTarget,
    /// The bundle identifier of the app or extension that reads it.
    #[schema(example = "com.okta.mobile")]
    domain: &'static str,
    /// In a profile: the type of the payload that contains the dictionary.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "com.apple.extensiblesso")]
    payload_type: Option<&'static str>,
    /// In a profile: the key of the dictionary in that payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ExtensionData")]
    payload_key: Option<&'static str>,
}

/// How a dictionary gets onto the device.
///
/// `managed_app_configuration`: the MDM sends it as the managed app configuration of `domain`. Both domains
/// get the same values. An MDM that can configure only apps sends it to `com.okta.mobile`.
/// `profile`: it is part of the profile; the MDM only installs the profile.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DictionaryTarget {
    ManagedAppConfiguration,
    Profile,
}

/// A configuration profile.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ProfileResponse {
    part: DeploymentPart,
    file_name: String,
    content_type: &'static str,
    payload_identifier: String,
    payload_uuid: Uuid,
    /// The `.mobileconfig`, base64.
    content: String,
    /// The deadline for installing a profile that contains a challenge.
    #[serde(skip_serializing_if = "Option::is_none")]
    use_before: Option<DateTime<Utc>>,
}

impl From<DeviceRequest> for DeviceFields {
    fn from(request: DeviceRequest) -> Self {
        let DeviceRequest { serial_number, udid, enrollment_id, user_principal_name } = request;
        Self { serial_number, udid, enrollment_id, user_principal_name }
    }
}

impl From<OptionsRequest> for DeploymentOptions {
    fn from(request: OptionsRequest) -> Self {
        let scope = match request.scope {
            ScopeRequest::System => PayloadScope::System,
            ScopeRequest::User => PayloadScope::User,
        };
        Self {
            scope,
            sign_in_host: request.sign_in_host,
            enrollment: request.enrollment_options.unwrap_or(match request.silent_enrollment {
                Some(true) => EnrollmentOptions::PromptAlways,
                _ => EnrollmentOptions::Default,
            }),
            report_diagnostics: request.report_diagnostics,
            plugins: request.plugins,
            app_config_extra: request.app_config_extra,
            subject_template: request.subject_template,
        }
    }
}

impl From<MintedChallenge> for ScepChallengeResponse {
    fn from(minted: MintedChallenge) -> Self {
        Self {
            challenge: reveal(&minted.challenge).to_owned(),
            scep_url: minted.scep_url.to_string(),
            issued_at: minted.issued_at,
            use_before: minted.use_before,
            expires_at: minted.expires_at,
        }
    }
}

impl From<&DeploymentBundle> for DeploymentResponse {
    fn from(bundle: &DeploymentBundle) -> Self {
        let profiles = bundle.profiles.iter().map(|profile| ProfileResponse {
            part: profile.part,
            file_name: profile.document.file_name.clone(),
            content_type: profile.document.content_type,
            payload_identifier: profile.document.payload_identifier.clone(),
            payload_uuid: profile.document.payload_uuid,
            content: STANDARD.encode(profile.document.expose_bytes()),
            use_before: profile.use_before,
        });
        Self {
            platform: bundle.platform,
            config_version: bundle.config_version,
            certificate_version: bundle.certificate_version,
            channel: bundle.channel,
            trust_status: bundle.device.hardware().is_none().then_some(NO_TRUST_STATUS),
            profiles: profiles.collect(),
            app_configuration: bundle.app_configuration.as_ref().map(AppConfiguration::expose_map),
            dictionaries: dictionaries(bundle),
        }
    }
}

fn dictionaries(bundle: &DeploymentBundle) -> Vec<DictionaryResponse> {
    if bundle.platform == Platform::Macos {
        return Vec::new();
    }
    let domains = bundle.app_configuration.iter().flat_map(|_| [APP_DOMAIN, EXTENSION_DOMAIN]);
    let configurations = domains.map(|domain| DictionaryResponse {
        pointer: format!("/app_configuration/{domain}"),
        target: DictionaryTarget::ManagedAppConfiguration,
        domain,
        payload_type: None,
        payload_key: None,
    });
    let in_profiles = (0..bundle.profiles.len()).map(|index| DictionaryResponse {
        pointer: format!("/profiles/{index}"),
        target: DictionaryTarget::Profile,
        domain: EXTENSION_DOMAIN,
        payload_type: Some(SINGLE_SIGN_ON_TYPE),
        payload_key: Some(EXTENSION_DATA),
    });
    configurations.chain(in_profiles).collect()
}
