//! `…/scep-challenges` and `…/deployments`: the only answers with secrets. Never cached, never
//! compressed, each one audited.

use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION};
use actix_web::{HttpRequest, HttpResponse, post, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::crypto::reveal;
use crate::handlers::State;
use crate::handlers::http::body::{Body, not_null};
use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::{IntegrationPath, PlatformPath};
use crate::handlers::http::problem::Problem;
use crate::handlers::http::responses::AsksOkta;
use crate::model::{Platform, SerialNumber, Udid};
use crate::service::{
    APP_DOMAIN, DeploymentBundle, DeploymentOptions, DeploymentPart, DeviceFields, EXTENSION_DATA,
    EXTENSION_DOMAIN, FieldError, ManagedAppConfiguration, MintedChallenge, PROFILE_CONTENT_TYPE,
    PayloadScope, SINGLE_SIGN_ON_TYPE,
};

/// The device that it is for.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceRequest {
    #[schema(schema_with = SerialNumber::schema_with_example)]
    serial_number: String,
    #[schema(schema_with = Udid::schema_with_example)]
    udid: String,
    /// Macs: the user's name in Okta, so that Okta Verify need not ask for it. Not sent to iPhones.
    #[serde(default)]
    #[schema(example = "ada@acme.example", min_length = 1, max_length = 254)]
    user_principal_name: Option<String>,
}

/// For which Mac.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "device": { "serial_number": "C02ABC123DEF", "udid": "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D" } }))]
pub struct ScepChallengeRequest {
    device: DeviceRequest,
}

/// A one-time challenge.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ScepChallengeResponse {
    /// For one certificate of this device.
    challenge: String,
    scep_url: String,
    issued_at: DateTime<Utc>,
    /// Okta Verify has to have used it before this.
    use_before: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// For which device, which parts, and how.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "device": { "serial_number": "C02ABC123DEF", "udid": "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D", "user_principal_name": "ada@acme.example" },
    "parts": ["settings"], "options": { "silent_enrollment": true },
}))]
pub struct DeploymentRequest {
    device: DeviceRequest,
    /// All of the platform when it is left out. A Mac has `certificate` and `settings`, an iPhone
    /// `settings` and `app_configuration`.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(nullable = false, min_items = 1, max_items = 3)]
    parts: Option<Vec<DeploymentPart>>,
    #[serde(default)]
    options: OptionsRequest,
}

/// How it is to be rendered.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OptionsRequest {
    /// Macs: for the device or for its user.
    scope: ScopeRequest,
    /// The org's own host or its confirmed custom domain; the custom domain when there is one.
    sign_in_host: Option<String>,
    /// Macs: enrol the user without asking first. Ignored for iPhones.
    silent_enrollment: bool,
    /// Macs: whether diagnostics go to Okta; left to the user when it is left out. Ignored for iPhones.
    report_diagnostics: Option<bool>,
    /// Macs: names of integrations with other security products. Ignored for iPhones.
    #[schema(max_items = 20)]
    plugins: Vec<String>,
    /// Merged into both domains; `{serial_number}` and `{udid}` are filled in. The keys that the
    /// service sets itself are refused (`reserved_key`), and for iPhones those that only Macs have
    /// (`mac_only_key`).
    #[schema(value_type = Object, example = json!({ "AssetTag": "{serial_number}" }))]
    app_config_extra: Map<String, Value>,
    /// The certificate's common name; `managementAttestation` and the UDID are always in it.
    #[schema(example = "managementAttestation {udid}", max_length = 256)]
    subject_template: Option<String>,
}

/// Where a profile is installed.
#[derive(Default, Clone, Copy, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeRequest {
    #[default]
    System,
    User,
}

/// What one device must be given.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeploymentResponse {
    platform: Platform,
    /// The device reports it back when all is installed.
    config_version: i64,
    /// A certificate that was delivered with an older version than this is due again.
    certificate_version: i64,
    profiles: Vec<ProfileResponse>,
    /// iPhones and iPads: the managed app configuration of Okta Verify, by domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    app_configuration: Option<Map<String, Value>>,
    /// iPhones and iPads: where each dictionary of settings goes. Left out for Macs, whose settings
    /// are all inside the profiles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    dictionaries: Vec<DictionaryResponse>,
}

/// A dictionary of settings for Okta Verify, and where it goes.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DictionaryResponse {
    /// Where it is in this answer (JSON pointer, RFC 6901): the dictionary itself, or the profile that
    /// has it inside.
    #[schema(example = "/app_configuration/com.okta.mobile")]
    pointer: String,
    target: DictionaryTarget,
    /// The bundle identifier of the app or extension that reads it.
    #[schema(example = "com.okta.mobile")]
    domain: &'static str,
    /// In a profile: the type of the payload that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "com.apple.extensiblesso")]
    payload_type: Option<&'static str>,
    /// In a profile: its key in that payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ExtensionData")]
    payload_key: Option<&'static str>,
}

/// How a dictionary gets onto the device.
///
/// `managed_app_configuration`: the MDM sends it as the managed app configuration of `domain`. Both
/// domains get the same; an MDM that can configure apps only sends it to the app `com.okta.mobile`.
/// `profile`: it is inside the profile already, and installing the profile is all there is to do.
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
    /// A profile with a challenge has to be on the device before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    use_before: Option<DateTime<Utc>>,
}

impl From<DeviceRequest> for DeviceFields {
    fn from(request: DeviceRequest) -> Self {
        let DeviceRequest { serial_number, udid, user_principal_name } = request;
        Self { serial_number, udid, user_principal_name }
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
            silent_enrollment: request.silent_enrollment,
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
            profiles: profiles.collect(),
            app_configuration: bundle
                .app_configuration
                .as_ref()
                .map(ManagedAppConfiguration::expose_map),
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
    let in_profiles = (0..bundle.profiles.len()).map(|at| DictionaryResponse {
        pointer: format!("/profiles/{at}"),
        target: DictionaryTarget::Profile,
        domain: EXTENSION_DOMAIN,
        payload_type: Some(SINGLE_SIGN_ON_TYPE),
        payload_key: Some(EXTENSION_DATA),
    });
    configurations.chain(in_profiles).collect()
}

/// Mint a SCEP challenge
///
/// A fresh one-time challenge for one Mac: each call its own. Five for a device in ten minutes and
/// eight at once are the most.
#[utoipa::path(
    operation_id = "create_scep_challenge", tag = "Deployments", request_body = ScepChallengeRequest,
    params(IntegrationPath),
    responses(
        (status = 201, description = "The challenge; never cached", body = ScepChallengeResponse),
        (status = 409, description = "device_mismatch"),
        (status = 429, description = "too_many_challenges"),
        AsksOkta,
    ),
    security(("bearer" = ["odt:deploy"])),
)]
#[post("/integrations/okta-device-trust/{integration_id}/platforms/macos/scep-challenges")]
pub async fn create_scep_challenge(
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    body: Body<ScepChallengeRequest>,
) -> Result<HttpResponse, Problem> {
    let minted = state.service.create_scep_challenge(&caller.0, id.0, body.0.device.into()).await?;
    Ok(HttpResponse::Created().json(ScepChallengeResponse::from(minted)))
}

/// Render what a device must be given
///
/// JSON with all parts, or the file itself with `Accept: application/x-apple-aspen-config` when one
/// part is asked for. The part `certificate` fetches a challenge; `settings` fetches none, so that an
/// edit of settings never enrols anew.
///
/// An iPhone is sent its UDID and serial number, in the managed app configuration and in the profile:
/// Okta Verify passes them on to Okta, and without them Okta's record names no device.
#[utoipa::path(
    operation_id = "create_deployment", tag = "Deployments",
    request_body(content = DeploymentRequest, examples(
        ("mac" = (summary = "The settings of a Mac", value = json!({
            "device": { "serial_number": "C02ABC123DEF", "udid": "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D", "user_principal_name": "ada@acme.example" },
            "parts": ["settings"], "options": { "silent_enrollment": true },
        }))),
        ("iphone" = (summary = "All that an iPhone needs", value = json!({
            "device": { "serial_number": "F2LABCDEFG12", "udid": "00008030-001A2B3C4D5E6F70" },
        }))),
    )),
    params(IntegrationPath, PlatformPath),
    responses(
        (status = 201, description = "What the MDM installs; never cached", content(
            (DeploymentResponse = "application/json", examples(("iphone" = (summary = "All that an iPhone needs", value = json!({
                "platform": "ios", "config_version": 2, "certificate_version": 2,
                "profiles": [{
                    "part": "settings", "file_name": "okta-device-trust-single-sign-on-F2LABCDEFG12.mobileconfig",
                    "content_type": "application/x-apple-aspen-config",
                    "payload_identifier": "okta-device-trust.0193f8a0-0000-7000-8000-000000000001.ios.single-sign-on",
                    "payload_uuid": "345b28b1-9906-5c6f-a991-8e76af79c3ec", "content": "PD94bWwgdmVyc2lvbj0iMS4wIj8+…",
                }],
                "app_configuration": {
                    "com.okta.mobile": {
                        "OktaVerify.OrgUrl": "acme.okta.com", "managementHint": "the secret key of the iOS platform",
                        "OktaVerify.UDID": "00008030-001A2B3C4D5E6F70", "OktaVerify.SerialNumber": "F2LABCDEFG12",
                    },
                    "com.okta.mobile.auth-service-extension": {
                        "OktaVerify.OrgUrl": "acme.okta.com", "managementHint": "the secret key of the iOS platform",
                        "OktaVerify.UDID": "00008030-001A2B3C4D5E6F70", "OktaVerify.SerialNumber": "F2LABCDEFG12",
                    },
                },
                "dictionaries": [
                    { "pointer": "/app_configuration/com.okta.mobile", "target": "managed_app_configuration", "domain": "com.okta.mobile" },
                    { "pointer": "/app_configuration/com.okta.mobile.auth-service-extension", "target": "managed_app_configuration", "domain": "com.okta.mobile.auth-service-extension" },
                    { "pointer": "/profiles/0", "target": "profile", "domain": "com.okta.mobile.auth-service-extension", "payload_type": "com.apple.extensiblesso", "payload_key": "ExtensionData" },
                ],
            }))))),
            (String = "application/x-apple-aspen-config"))),
        (status = 409, description = "device_mismatch"),
        (status = 429, description = "too_many_challenges"),
        AsksOkta,
    ),
    security(("bearer" = ["odt:deploy"])),
)]
#[post("/integrations/okta-device-trust/{integration_id}/platforms/{platform}/deployments")]
pub async fn create_deployment(
    request: HttpRequest,
    state: web::Data<State>,
    caller: Verified,
    id: IntegrationPath,
    platform: PlatformPath,
    body: Body<DeploymentRequest>,
) -> Result<HttpResponse, Problem> {
    let DeploymentRequest { device, parts, options } = body.0;
    let as_file = wants_file(&request);
    if as_file {
        refuse_many(parts.as_deref())?;
    }
    let deployed = state.service.create_deployment(
        &caller.0,
        id.0,
        platform.0,
        device.into(),
        parts,
        options.into(),
    );
    let bundle = deployed.await?;
    match bundle.profiles.first().filter(|_| as_file) {
        Some(profile) => Ok(HttpResponse::Created()
            .content_type(PROFILE_CONTENT_TYPE)
            .insert_header((
                CONTENT_DISPOSITION,
                format!("attachment; filename=\"{}\"", profile.document.file_name),
            ))
            .body(profile.document.expose_bytes().to_vec())),
        None => Ok(HttpResponse::Created().json(DeploymentResponse::from(&bundle))),
    }
}

/// Whether the file is asked for, and not less than JSON (RFC 9110 §12.5.1).
fn wants_file(request: &HttpRequest) -> bool {
    let accept =
        request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let file = weight_of(accept, PROFILE_CONTENT_TYPE);
    file > 0.0 && file >= weight_of(accept, "application/json")
}

/// The weight of a media type that is named; 0 for one that is not.
fn weight_of(accept: &str, wanted: &str) -> f32 {
    let weight = |one: &str| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        let weight =
            parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        named.then(|| weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
    };
    accept.split(',').find_map(weight).unwrap_or(0.0)
}

/// A file is one profile: asked before a challenge is spent on an answer that cannot be given.
fn refuse_many(parts: Option<&[DeploymentPart]>) -> Result<(), Problem> {
    if let Some([DeploymentPart::Certificate | DeploymentPart::Settings]) = parts {
        return Ok(());
    }
    let detail =
        "The file form gives one profile: name one part, certificate or settings, or ask for JSON.";
    Err(Problem::invalid(vec![FieldError::new("/parts", "one_profile_only", detail)]))
}
