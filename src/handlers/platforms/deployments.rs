//! `…/scep-challenges` and `…/deployments`. Their responses contain secrets: they are never cached or
//! compressed, and each one is audited.

use actix_web::http::header::{ACCEPT, CONTENT_DISPOSITION, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, post, web};

use crate::handlers::State;
use crate::handlers::http::body::Body;
use crate::handlers::http::headers::Verified;
use crate::handlers::http::path::{IntegrationPath, PlatformPath};
use crate::handlers::http::problem::Problem;
use crate::handlers::http::responses::CallsOkta;
use crate::handlers::platforms::deployment_bodies::{
    DeploymentRequest, DeploymentResponse, ScepChallengeRequest, ScepChallengeResponse,
};
use crate::service::{DeploymentPart, FieldError, PROFILE_CONTENT_TYPE};

/// Create a SCEP challenge
///
/// Fetches a new one-time challenge from Okta for one Mac. The limits are five challenges per device in ten
/// minutes, and eight at once per platform.
#[utoipa::path(
    operation_id = "create_scep_challenge", tag = "Deployments", request_body = ScepChallengeRequest,
    params(IntegrationPath),
    responses(
        (status = 201, description = "The challenge", body = ScepChallengeResponse),
        (status = 409, description = "device_mismatch, scep_url_on_old_host"),
        (status = 429, description = "too_many_challenges"),
        CallsOkta,
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

/// Create a deployment
///
/// Renders the profiles and the app configuration that the MDM installs on a device. Returns JSON with all
/// requested parts, or the profile itself if the request has a single part and `Accept:
/// application/x-apple-aspen-config`. The part `certificate` fetches a SCEP challenge from Okta. The part
/// `settings` does not, so that installing changed settings does not issue a new certificate.
///
/// The managed app configuration and the profile of an iPhone or iPad contain its UDID and serial number.
/// Okta Verify sends them to Okta; without them, Okta's record cannot be matched to the device.
/// With User Enrollment it has neither: send its `enrollment_id`. There is no trust status of it. Macs with
/// User Enrollment are rejected.
#[utoipa::path(
    operation_id = "create_deployment", tag = "Deployments",
    request_body(content = DeploymentRequest, examples(
        ("mac" = (summary = "The settings of a Mac", value = json!({
            "device": { "serial_number": "C02ABC123DEF", "udid": "8A5B0C2E-1D3F-4A6B-9C8D-7E6F5A4B3C2D", "user_principal_name": "ada@acme.example" },
            "parts": ["settings"], "options": { "enrollment_options": "prompt_always" },
        }))),
        ("iphone" = (summary = "All parts for an iPhone", value = json!({
            "device": { "serial_number": "F2LABCDEFG12", "udid": "00008030-001A2B3C4D5E6F70" },
        }))),
        ("user_enrollment" = (summary = "An iPhone of User Enrollment", value = json!({
            "device": { "enrollment_id": "2F5C0D8A9B1E4C7D8E6F0A1B2C3D4E5F6A7B8C9D" },
        }))),
        ("shared_ipad" = (summary = "The user of a Shared iPad", value = json!({
            "device": { "serial_number": "F2LABCDEFG12", "udid": "00008030-001A2B3C4D5E6F70" },
            "options": { "scope": "user" },
        }))),
    )),
    params(IntegrationPath, PlatformPath),
    responses(
        (status = 201, description = "The deployment",
         headers(("Deprecation" = Option<String>, description = "The request has a deprecated field (RFC 9745)")), content(
            (DeploymentResponse = "application/json", examples(("iphone" = (summary = "All parts for an iPhone", value = json!({
                "platform": "ios", "config_version": 2, "certificate_version": 2, "channel": "device",
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
        (status = 409, description = "device_mismatch, scep_url_on_old_host"),
        (status = 429, description = "too_many_challenges"),
        CallsOkta,
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
    let deprecated = options.silent_enrollment.is_some();
    let as_file = prefers_file(&request);
    if as_file {
        require_single_profile(parts.as_deref())?;
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
    let mut answer = HttpResponse::Created();
    if deprecated {
        answer.insert_header(SILENT_ENROLLMENT_DEPRECATED);
    }
    Ok(match bundle.profiles.first().filter(|_| as_file) {
        Some(profile) => answer
            .content_type(PROFILE_CONTENT_TYPE)
            .insert_header((
                CONTENT_DISPOSITION,
                format!("attachment; filename=\"{}\"", profile.document.file_name),
            ))
            .body(profile.document.expose_bytes().to_vec()),
        None => answer.json(DeploymentResponse::from(&bundle)),
    })
}

/// `options.silent_enrollment` is deprecated since 2026-11-26 (RFC 9745).
const SILENT_ENROLLMENT_DEPRECATED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("deprecation"), HeaderValue::from_static("@1795651200"));

/// Returns true if `Accept` names the profile's media type with at least the weight of JSON (RFC 9110
/// §12.5.1).
fn prefers_file(request: &HttpRequest) -> bool {
    let accept =
        request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let file = media_type_weight(accept, PROFILE_CONTENT_TYPE);
    file > 0.0 && file >= media_type_weight(accept, "application/json")
}

/// Returns the weight of a media type in an `Accept` header; 0 if it is not named.
fn media_type_weight(accept: &str, media_type: &str) -> f32 {
    let weight = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let matches = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(media_type));
        let weight =
            parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        matches.then(|| weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
    };
    accept.split(',').find_map(weight).unwrap_or(0.0)
}

/// Requires a single profile for a file response, before a challenge is fetched.
fn require_single_profile(parts: Option<&[DeploymentPart]>) -> Result<(), Problem> {
    if let Some([DeploymentPart::Certificate | DeploymentPart::Settings]) = parts {
        return Ok(());
    }
    let detail = "A profile file holds one part. Send parts with only certificate or only settings, or accept application/json.";
    Err(Problem::invalid(vec![FieldError::new("/parts", "one_profile_only", detail)]))
}
