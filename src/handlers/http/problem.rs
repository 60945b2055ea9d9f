//! Problem documents (RFC 9457), and the one table that gives each error its HTTP status.
//! A 500 says nothing; its chain goes to the log once, here.

use std::error::Error as StdError;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::auth::AuthError;
use crate::handlers::http::problem_detail::{okta_detail, sentence};
use crate::handlers::http::request_id;
use crate::model::{IntegrationId, Platform};
use crate::okta::{OktaError, REQUIRED_SCOPES};
use crate::service::{
    ChecklistItem, DeviceError, Error, EventHookError, FieldError, IntegrationChoice,
};
use crate::store::StoreError;
use crate::telemetry::chain_of;

/// A kind of problem: its stable code, its status, its title, and when it comes about.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
    pub about: &'static str,
}

macro_rules! kinds {
    ($($name:ident $status:literal $code:literal $title:literal $about:literal;)*) => {
        $(const $name: &Kind = &Kind { code: $code, status: $status, title: $title, about: $about };)*
        /// Every problem that this service answers with.
        pub const KINDS: &[&Kind] = &[$($name),*];
    };
}

kinds! {
    MALFORMED_REQUEST 400 "malformed_request" "Request cannot be read" "The body is not JSON, a header or the query cannot be read.";
    UNAUTHORIZED 401 "unauthorized" "Token needed" "No bearer token, or one that is not accepted; `detail` says why.";
    SCOPE_MISSING 403 "scope_missing" "Scope missing" "The token lacks the scope that `detail` names.";
    NOT_FOUND 404 "not_found" "Not found" "Nothing is at this path, or not in this tenant.";
    METHOD_NOT_ALLOWED 405 "method_not_allowed" "Method not allowed" "The path exists, but not with this method; `Allow` lists those it has.";
    CONFIRMATION_REQUIRED 409 "confirmation_required" "Confirmation required" "Platforms or devices depend on it; repeat with `?confirm=true` after reading `checklist`.";
    OTHER_ORG 409 "other_org" "Domain of another org" "The domain leads to another Okta org than the connected one.";
    INTEGRATION_AMBIGUOUS 409 "integration_ambiguous" "Several integrations" "The tenant has several integrations and none was named; repeat with one of `integrations` as `integration_id`.";
    ORG_ALREADY_CONNECTED 409 "org_already_connected" "Org already connected" "The tenant has an integration for this org; `integration_id` names it.";
    CHANGED_MEANWHILE 409 "changed_meanwhile" "Changed in between" "Somebody else changed the integration while this request ran.";
    CREDENTIALS_NEEDED 409 "credentials_needed" "Credentials needed first" "The operation needs credentials and none are stored.";
    CANNOT_BE_ATTESTED 409 "cannot_be_attested" "Cannot be attested" "Okta shows this prerequisite itself, so nobody's word replaces it.";
    IDEMPOTENCY_IN_FLIGHT 409 "idempotency_in_flight" "Request still in flight" "An earlier request with this Idempotency-Key has not ended.";
    IDEMPOTENT_RESULT_GONE 409 "idempotent_result_gone" "Result is gone" "What this Idempotency-Key created has been deleted since.";
    PLATFORM_MISMATCH 409 "platform_mismatch" "Another platform" "A report for another platform than the device is enrolled with, without `enrollment`.";
    IDENTIFIER_TAKEN 409 "identifier_taken" "Identifier of another device" "The UDID or Okta device id is that of another living device; `detail` names it.";
    DEVICE_MISMATCH 409 "device_mismatch" "Not the device that was reported" "The inventory knows the device with another UDID or platform.";
    STALE_VERSION 412 "stale_version" "Stale version" "`If-Match` names another version than the current one.";
    BODY_TOO_LARGE 413 "body_too_large" "Body too large" "The body has more bytes than the operation takes: 64 KiB, 256 KiB for event hooks, 2 MiB for up to 1,000 devices.";
    UNSUPPORTED_MEDIA_TYPE 415 "unsupported_media_type" "Unsupported media type" "The body is not declared as JSON.";
    INVALID_REQUEST 422 "invalid_request" "Invalid fields" "Fields are missing, unknown or not acceptable; `errors` names each.";
    IDEMPOTENCY_KEY_REUSED 422 "idempotency_key_reused" "Idempotency-Key reused" "The key was used with another body in the last 24 hours.";
    CA_EXPIRED 422 "scep_ca_expired" "Certificate authority has ended" "The certificate authority behind the SCEP URL is past its end.";
    SCEP_CREDENTIALS_REFUSED 422 "scep_credentials_refused" "Okta refused the SCEP credentials" "Wrong username or password for the challenge URL, or a password that was reset.";
    SCEP_WRONG_URL 422 "scep_wrong_url" "Wrong SCEP address" "The challenge URL or the SCEP URL does not answer as one.";
    SCEP_PERMISSION_MISSING 422 "scep_permission_missing" "No permission to enroll" "Okta says that the user of the challenge URL may not enroll.";
    SCEP_CHALLENGE_MISSING 422 "scep_challenge_missing" "No challenge in the page" "The challenge URL answered with a page that holds no challenge.";
    SCEP_CA_UNREADABLE 422 "scep_ca_unreadable" "No certificate authority there" "The SCEP URL did not answer with a certificate.";
    ORG_NOT_FOUND 422 "org_not_found" "No Okta org there" "No Okta org answers at the domain.";
    INVALID_CLIENT 422 "invalid_client" "Okta refused the credentials" "Wrong client ID or secret, or a revoked client.";
    MISSING_SCOPES 422 "missing_scopes" "Scopes not granted" "The client lacks scopes; `missing_scopes` lists them.";
    DPOP_REQUIRED 422 "dpop_required" "Client demands DPoP" "The client in Okta demands proof of possession, which is not supported.";
    NETWORK_ZONE_BLOCKED 422 "network_zone_blocked" "Blocked by a network zone" "Okta admits the client from named network zones only.";
    FEATURE_NOT_ENABLED 422 "feature_not_enabled" "Feature not enabled in Okta" "The org lacks a feature that the call needs.";
    ADMIN_ROLE_MISSING 422 "admin_role_missing" "Admin role missing in Okta" "The client has the scope but no admin role that allows the call.";
    OKTA_REFUSED 422 "okta_refused" "Okta refused" "Another refusal by Okta, in its own words.";
    TOO_MANY_CHALLENGES 429 "too_many_challenges" "Too many challenges" "Five challenges of a device in ten minutes, or eight at once, are the most. Try again after `Retry-After` seconds.";
    TOO_MANY_ATTEMPTS 429 "too_many_attempts" "Too many attempts" "The integration was connected or checked too often in the last minute: ten times are the most. Try again after `Retry-After` seconds.";
    TOO_MANY_DELIVERIES 429 "too_many_deliveries" "Too many deliveries" "Too many calls of event hooks are waiting. Okta delivers again by itself.";
    TOO_MANY_VERIFICATIONS 429 "too_many_verifications" "Too many verifications" "An event hook is verified ten times in a minute at most. Try again after `Retry-After` seconds.";
    INTERNAL 500 "internal" "Internal error" "A fault of this service; `request_id` finds it in the log.";
    OKTA_BAD_ANSWER 502 "okta_bad_answer" "Okta's answer was not understood" "Okta answered with something else than its API describes.";
    CHALLENGE_CACHE_FULL 503 "challenge_cache_full" "Okta has no room for challenges" "Too many challenges of the org are unused. Try again after `Retry-After` seconds.";
    OKTA_RATE_LIMITED 503 "okta_rate_limited" "Okta's rate limit is used up" "Try again after `Retry-After` seconds.";
    DATABASE_UNAVAILABLE 503 "database_unavailable" "Database unavailable" "PostgreSQL does not answer. Try again after `Retry-After` seconds.";
    SIGNING_KEYS_UNAVAILABLE 503 "signing_keys_unavailable" "Token keys unavailable" "The token issuer's keys cannot be read, so no token can be checked.";
    OKTA_UNREACHABLE 504 "okta_unreachable" "Okta cannot be reached" "No answer from Okta in time.";
}

/// A problem document.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Names the kind of problem; the same for the same `code`.
    #[serde(rename = "type")]
    #[schema(example = "urn:okta-device-trust:problem:not_found")]
    pub kind: String,
    #[schema(example = "Not found")]
    pub title: &'static str,
    #[schema(example = 404)]
    pub status: u16,
    /// Stable; programs decide by it.
    #[schema(example = "not_found")]
    pub code: &'static str,
    /// What to do next, for people.
    #[schema(
        example = "No integration 0193d2a4-5b1c-7c43-8b5e-2f8d1c0a9e77 in this tenant. List them with GET /integrations/okta-device-trust."
    )]
    pub detail: String,
    /// The fields that cannot be accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
    /// Finds the request in the log; also in the header `X-Request-Id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Problems about Okta: whether the same request may succeed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transient: Option<bool>,
    /// The scopes that Okta did not grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing_scopes: Option<Vec<String>>,
    /// The integration that is in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_id: Option<IntegrationId>,
    /// The integrations of which one has to be named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<IntegrationRef>>)]
    pub integrations: Option<Box<[IntegrationRef]>>,
    /// How many devices depend on what was to be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<i64>,
    /// Which platforms depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Vec<Platform>>,
    /// What the admin has to do in Okta, in this order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checklist: Option<Vec<ChecklistItem>>,
    #[serde(skip)]
    retry_after: Option<u64>,
    #[serde(skip)]
    authenticate: Option<&'static str>,
    #[serde(skip)]
    pub(in crate::handlers) allow: Option<String>,
}

/// An integration that may be named.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct IntegrationRef {
    pub integration_id: IntegrationId,
    #[schema(example = "acme.okta.com")]
    pub okta_domain: String,
}

/// A field that cannot be accepted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemField {
    /// JSON pointer (RFC 6901) into the body; for a query parameter `/query/<name>`.
    #[schema(example = "/okta_domain")]
    pub pointer: String,
    #[schema(example = "ip_address")]
    pub code: String,
    #[schema(
        example = "An Okta org has a name, not an IP address. Enter it, such as acme.okta.com."
    )]
    pub detail: String,
}

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.code)
    }
}

impl StdError for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code()).json(self);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(challenge) = self.authenticate {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(allow) =
            self.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok())
        {
            headers.insert(header::ALLOW, allow);
        }
        response
    }
}

impl Problem {
    fn new(kind: &Kind, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:okta-device-trust:problem:{}", kind.code),
            title: kind.title,
            status: kind.status,
            code: kind.code,
            detail: detail.into(),
            errors: Vec::new(),
            request_id: request_id::current(),
            transient: None,
            missing_scopes: None,
            integration_id: None,
            integrations: None,
            devices: None,
            platforms: None,
            checklist: None,
            retry_after: None,
            authenticate: None,
            allow: None,
        }
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub(in crate::handlers) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(MALFORMED_REQUEST, detail)
    }

    /// Nothing is there, or not in this tenant.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(NOT_FOUND, detail)
    }

    /// The path exists with the methods of `allow` only.
    pub fn method_not_allowed(allow: String) -> Self {
        let mut problem = Self::new(METHOD_NOT_ALLOWED, format!("This path has {allow}."));
        problem.allow = Some(allow);
        problem
    }

    pub(in crate::handlers) fn body_too_large(limit: usize) -> Self {
        Self::new(BODY_TOO_LARGE, format!("Send at most {limit} bytes."))
    }

    pub(in crate::handlers) fn unsupported_media_type(accepted: &str) -> Self {
        Self::new(UNSUPPORTED_MEDIA_TYPE, format!("Send JSON with Content-Type: {accepted}."))
    }

    pub(in crate::handlers) fn invalid(errors: Vec<FieldError>) -> Self {
        let name = |error: &FieldError| match error.pointer.as_str() {
            "" => "the body".to_owned(),
            pointer => pointer.to_owned(),
        };
        let names: Vec<String> = errors.iter().map(name).collect();
        let mut problem =
            Self::new(INVALID_REQUEST, format!("Correct {}: see errors.", names.join(", ")));
        problem.errors = errors
            .into_iter()
            .map(|FieldError { pointer, code, detail }| ProblemField { pointer, code, detail })
            .collect();
        problem
    }

    pub(in crate::handlers) fn token_missing() -> Self {
        let mut problem =
            Self::new(UNAUTHORIZED, "Send a token in the header Authorization: Bearer <token>.");
        problem.authenticate = Some("Bearer realm=\"okta-device-trust\"");
        problem
    }

    pub(in crate::handlers) fn token_refused(error: &AuthError) -> Self {
        if *error == AuthError::KeysUnavailable {
            let detail =
                "The keys of the token issuer cannot be read at the moment. Try again shortly.";
            return Self::new(SIGNING_KEYS_UNAVAILABLE, detail).retry_after(5);
        }
        let mut problem =
            Self::new(UNAUTHORIZED, format!("{}. Get a new token and try again.", sentence(error)));
        problem.authenticate = Some("Bearer realm=\"okta-device-trust\", error=\"invalid_token\"");
        problem
    }

    fn confirmation_required(
        devices: i64,
        platforms: Vec<Platform>,
        checklist: Vec<ChecklistItem>,
    ) -> Self {
        let detail = format!(
            "{devices} device(s) were given something of it. Read the checklist, then repeat with ?confirm=true."
        );
        let mut problem = Self::new(CONFIRMATION_REQUIRED, detail);
        problem.devices = Some(devices);
        problem.platforms = Some(platforms);
        problem.checklist = Some(checklist);
        problem
    }

    /// A fault of ours: told to nobody but the log.
    pub(in crate::handlers) fn internal(error: &(dyn StdError + 'static)) -> Self {
        let problem =
            Self::new(INTERNAL, "This is our fault, not yours. Tell the operator the request_id.");
        tracing::error!(
            request_id = problem.request_id,
            chain = chain_of(error),
            "a request failed"
        );
        problem
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::ScopeMissing(missing) => {
                let scope = missing.0.as_str();
                Self::new(SCOPE_MISSING, format!("This needs a token with the scope {scope}."))
            }
            Error::Invalid(errors) => Self::invalid(errors),
            Error::IntegrationNotFound(id) if id.0.is_nil() => Self::not_found(
                "This is no integration's id. List them with GET /integrations/okta-device-trust.",
            ),
            Error::IntegrationNotFound(id) => Self::not_found(format!(
                "No integration {id} in this tenant. List them with GET /integrations/okta-device-trust."
            )),
            Error::IntegrationAmbiguous(choices) => ambiguous(choices),
            Error::CredentialsNotFound(id) => Self::not_found(format!(
                "Integration {id} has no credentials. Nothing is left to delete."
            )),
            Error::EventHook(error) => of_event_hook(&error),
            Error::PrerequisiteNotFound(kind) => Self::not_found(format!(
                "No prerequisite {kind:?}. The ones to attest are adaptive_mfa and okta_verify_distribution."
            )),
            Error::Device(error) => of_device(&error),
            Error::PlatformNotFound(platform) => Self::not_found(format!(
                "{} is not configured. Configure it with PUT …/platforms/{}.", platform.as_str(), platform.as_str()
            )),
            Error::ConfirmationRequired { devices, platforms, checklist } => {
                Self::confirmation_required(devices, platforms, checklist)
            }
            Error::CertificateAuthorityExpired { not_after } => Self::new(
                CA_EXPIRED,
                format!("The certificate authority behind the SCEP URL ended at {not_after}. Add the platform in Okta anew."),
            ),
            Error::DeviceChallengeLimit { retry_after } => Self::new(
                TOO_MANY_CHALLENGES,
                "This device has had five challenges in ten minutes. Use the one it has, or wait.",
            )
            .retry_after(retry_after.as_secs().max(1)),
            Error::ChallengesInFlight => Self::new(
                TOO_MANY_CHALLENGES,
                "Eight challenges are being fetched for this platform at the moment. Wait a second.",
            )
            .retry_after(1),
            Error::TooManyAttempts { retry_after } => Self::new(
                TOO_MANY_ATTEMPTS,
                "This integration was connected or checked too often in the last minute: each time asks Okta, whose rate is limited. Wait.",
            )
            .retry_after(retry_after.as_secs().saturating_add(1)),
            Error::OrgAlreadyConnected(id) => {
                let detail = format!(
                    "This org is connected as integration {id}. Go on with that one, or delete it first."
                );
                let mut problem = Self::new(ORG_ALREADY_CONNECTED, detail);
                problem.integration_id = Some(id);
                problem
            }
            Error::OtherOrg => Self::new(
                OTHER_ORG,
                "This leads to another Okta org than the connected one. To move to another org create a new integration.",
            ),
            Error::StaleVersion { current } => Self::new(
                STALE_VERSION,
                format!(
                    "The current version is \"{current}\". Read it again, and send its ETag as If-Match."
                ),
            ),
            Error::ChangedMeanwhile => Self::new(
                CHANGED_MEANWHILE,
                "Somebody else changed this while the request ran. Read it again and repeat.",
            ),
            Error::CredentialsNeeded(id) => Self::new(
                CREDENTIALS_NEEDED,
                format!(
                    "Enter them first with PUT /integrations/okta-device-trust/{id}/credentials."
                ),
            ),
            Error::CannotBeAttested(kind) => Self::new(
                CANNOT_BE_ATTESTED,
                format!(
                    "Okta itself shows {}: run POST …/prerequisites/check in place of attesting it.",
                    kind.as_str()
                ),
            ),
            Error::IdempotencyInFlight => Self::new(
                IDEMPOTENCY_IN_FLIGHT,
                "Wait for the first request to end, then repeat this one.",
            )
            .retry_after(1),
            Error::IdempotencyKeyReused => {
                Self::new(IDEMPOTENCY_KEY_REUSED, "Use a new Idempotency-Key for another body.")
            }
            Error::IdempotentResultGone(id) => Self::new(
                IDEMPOTENT_RESULT_GONE,
                format!(
                    "Integration {id} was created with this key and deleted since. Use a new Idempotency-Key."
                ),
            ),
            Error::Okta(error) => of_okta(&error),
            Error::Payload(error) => Self::internal(&error),
            Error::Store(error) => of_store(&error),
        }
    }
}

fn of_event_hook(error: &EventHookError) -> Problem {
    use EventHookError as E;
    match error {
        E::NotFound(id) => Problem::not_found(format!(
            "Integration {id} has no event hook. Set one up with PUT …/event-hook."
        )),
        E::CallRefused => Problem::not_found(
            "There is no event hook at this address, or not with this secret. Compare both with what is entered in Okta.",
        ),
        E::ChallengeMalformed => Problem::malformed(
            "Send the header x-okta-verification-challenge once, with 1 to 256 visible ASCII characters.",
        ),
        E::DeliveryMalformed => Problem::malformed(
            "The body has to be what Okta delivers, within 3 seconds: JSON with a list data.events.",
        ),
        E::TooManyCalls { retry_after } => Problem::new(
            TOO_MANY_DELIVERIES,
            "Too many calls of event hooks are waiting at the moment. Call again in a few seconds.",
        )
        .retry_after(retry_after.as_secs().max(1)),
        E::TooManyVerifications { retry_after } => Problem::new(
            TOO_MANY_VERIFICATIONS,
            "This event hook was verified ten times in a minute. Wait, then verify it again.",
        )
        .retry_after(retry_after.as_secs().max(1)),
    }
}

fn of_device(error: &DeviceError) -> Problem {
    match error {
        DeviceError::NotFound(serial_number) => Problem::not_found(format!(
            "No device {serial_number} in this tenant, or it was deleted. Report it with PUT /devices/{serial_number}."
        )),
        DeviceError::PlatformMismatch { known } => Problem::new(
            PLATFORM_MISMATCH,
            format!(
                "The device is enrolled as one of {}. A platform change is a new enrolment: send enrollment.",
                known.as_str()
            ),
        ),
        DeviceError::IdentifierTaken { identifier, holder } => Problem::new(
            IDENTIFIER_TAKEN,
            format!(
                "Device {holder} has this {identifier}. Correct it, or clear or delete it there first."
            ),
        ),
        DeviceError::Mismatch { serial_number, field } => Problem::new(
            DEVICE_MISMATCH,
            format!(
                "The inventory knows device {serial_number} with another {field}. Ask with the one it has, or report the device anew with PUT /devices/{serial_number}."
            ),
        ),
    }
}

fn ambiguous(choices: Vec<IntegrationChoice>) -> Problem {
    let detail = "This tenant has several integrations. Name one of them as integration_id.";
    let mut problem = Problem::new(INTEGRATION_AMBIGUOUS, detail);
    let named =
        |IntegrationChoice { id, okta_domain }| IntegrationRef { integration_id: id, okta_domain };
    problem.integrations = Some(choices.into_iter().map(named).collect());
    problem
}

fn of_store(error: &StoreError) -> Problem {
    if matches!(error, StoreError::Unavailable(_)) {
        let detail = "The database does not answer at the moment. Whether the change was made is not known: read it again before repeating.";
        let problem = Problem::new(DATABASE_UNAVAILABLE, detail).retry_after(2);
        tracing::warn!(
            request_id = problem.request_id,
            chain = chain_of(error),
            "postgresql is not available"
        );
        return problem;
    }
    Problem::internal(error)
}

fn of_okta(error: &OktaError) -> Problem {
    let kind = kind_of_okta(error);
    let mut problem = Problem::new(kind, okta_detail(error));
    if kind.status >= 500 {
        let request_id = problem.request_id.as_deref();
        tracing::warn!(
            request_id,
            code = kind.code,
            chain = chain_of(error),
            "okta did not give what was needed"
        );
    }
    problem.transient = Some(error.is_transient());
    match error {
        OktaError::MissingScopes(missing) => problem.missing_scopes = Some(missing.clone()),
        OktaError::ConsentRequired | OktaError::InvalidScope => {
            problem.missing_scopes = Some(REQUIRED_SCOPES.map(str::to_owned).to_vec());
        }
        OktaError::InsufficientScope { scope } => {
            problem.missing_scopes = scope.clone().map(|scope| vec![scope]);
        }
        OktaError::RateLimited { retry_after } => {
            problem.retry_after = Some(retry_after.as_secs().max(1));
        }
        OktaError::Unreachable { .. } | OktaError::TemporarilyUnavailable => {
            problem.retry_after = Some(30);
        }
        // One expires or is used sooner or later; asking more often does not help.
        OktaError::ChallengeCacheFull => problem.retry_after = Some(60),
        _ => {}
    }
    problem
}

fn kind_of_okta(error: &OktaError) -> &'static Kind {
    let code = error.code();
    KINDS.iter().copied().find(|kind| kind.code == code).unwrap_or(OKTA_BAD_ANSWER)
}
