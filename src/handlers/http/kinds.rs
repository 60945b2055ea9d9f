//! The table of all problems: the code, the HTTP status, the title and the meaning of each.

/// A kind of problem: its stable code, HTTP status, title, and meaning.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub code: &'static str,
    pub status: u16,
    pub answered_by: AnsweredBy,
    pub title: &'static str,
    pub about: &'static str,
}

/// Which operations can return a problem, among those that document its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredBy {
    All,
    /// Operations that call Okta.
    Okta,
    /// Operations that accept an `Idempotency-Key`.
    Key,
    /// Operations that require a token.
    Token,
}

macro_rules! kinds {
    ($($name:ident $status:literal $by:ident $code:literal $title:literal $about:literal;)*) => {
        $(pub(super) const $name: &Kind = &Kind {
            code: $code,
            status: $status,
            answered_by: AnsweredBy::$by,
            title: $title,
            about: $about,
        };)*
        /// Every problem that this service returns.
        pub const KINDS: &[&Kind] = &[$($name),*];
    };
}

kinds! {
    MALFORMED_REQUEST 400 All "malformed_request" "Malformed request" "The body is not JSON, or a header or the query string is malformed.";
    UNAUTHORIZED 401 All "unauthorized" "Unauthorized" "The request has no bearer token, or one that is not accepted; `detail` says why.";
    SCOPE_MISSING 403 All "scope_missing" "Scope missing" "The token lacks the scope that `detail` names.";
    NOT_FOUND 404 All "not_found" "Not found" "The resource does not exist in this tenant, or the path does not exist.";
    METHOD_NOT_ALLOWED 405 All "method_not_allowed" "Method not allowed" "The path exists, but not with this method; `Allow` lists its methods.";
    CONFIRMATION_REQUIRED 409 All "confirmation_required" "Confirmation required" "Platforms or devices depend on the resource. Read `checklist`, then repeat the request with `?confirm=true`.";
    OTHER_ORG 409 All "other_org" "Domain of another org" "The domain belongs to another Okta org than the connected one.";
    INTEGRATION_AMBIGUOUS 409 All "integration_ambiguous" "Several integrations" "The tenant has several integrations. Repeat the request with one of `integrations` as `integration_id`.";
    ORG_ALREADY_CONNECTED 409 All "org_already_connected" "Org already connected" "The tenant already has an integration for this Okta org; `integration_id` names it.";
    CHANGED_MEANWHILE 409 All "changed_meanwhile" "Concurrent change" "Another request changed the resource at the same time. Read it again, then repeat the request.";
    SCEP_URL_ON_OLD_HOST 409 Okta "scep_url_on_old_host" "SCEP URL on an old host" "The SCEP URL or the challenge URL is on a host that the Okta org no longer has. Enter both again as Okta shows them.";
    CREDENTIALS_NEEDED 409 All "credentials_needed" "Credentials required" "The operation requires stored credentials, and there are none.";
    CLIENT_KEY_NEEDED 409 All "client_key_needed" "Key pair required" "Credentials of kind `private_key_jwt` require a key pair whose public key is in Okta. Create one with `POST …/credentials/keys`.";
    CLIENT_KEY_IN_USE 409 All "client_key_in_use" "Key is in use" "The active key cannot be deleted. Create and activate another key first, or delete the credentials.";
    CANNOT_BE_ATTESTED 409 All "cannot_be_attested" "Cannot be attested" "The prerequisite is checked against Okta and cannot be attested.";
    IDEMPOTENCY_IN_FLIGHT 409 All "idempotency_in_flight" "Request in progress" "The first request with this Idempotency-Key is still running.";
    IDEMPOTENT_RESULT_GONE 409 All "idempotent_result_gone" "Result was deleted" "The integration created with this Idempotency-Key has been deleted.";
    PLATFORM_MISMATCH 409 All "platform_mismatch" "Platform mismatch" "The device is enrolled with another platform, and the report has no `enrollment`.";
    DEVICE_MISMATCH 409 All "device_mismatch" "Device mismatch" "The device was reported with another UDID or platform.";
    RECONCILE_CONFIRMATION_REQUIRED 409 All "reconcile_confirmation_required" "Many devices are missing" "More than 10 % of the enrolled devices are missing in the snapshot; `devices` counts them. If they really left the MDM, send the last page again with `confirm: true`.";
    SNAPSHOT_CLOSED 409 All "snapshot_closed" "Snapshot is closed" "The snapshot was completed, or it started more than a day ago. Start a new one with a new `snapshot_id`.";
    STALE_VERSION 412 All "stale_version" "Stale version" "`If-Match` does not match the current version.";
    REQUEST_TIMEOUT 408 All "request_timeout" "Request timeout" "The body did not arrive in time.";
    BODY_TOO_LARGE 413 All "body_too_large" "Body too large" "The body exceeds the limit of the operation: 64 KiB, 256 KiB for event hooks, 2 MiB for up to 1,000 devices.";
    UNSUPPORTED_MEDIA_TYPE 415 All "unsupported_media_type" "Unsupported media type" "The `Content-Type` of the body is not JSON, or the body has a `Content-Encoding`.";
    INVALID_REQUEST 422 All "invalid_request" "Invalid fields" "Fields are missing, unknown or invalid; `errors` describes each.";
    IDEMPOTENCY_KEY_REUSED 422 Key "idempotency_key_reused" "Idempotency-Key reused" "The key was used with a different body in the last 24 hours.";
    CA_EXPIRED 422 Okta "scep_ca_expired" "Certificate authority has expired" "The certificate authority behind the SCEP URL has expired.";
    SCEP_CREDENTIALS_REFUSED 422 Okta "scep_credentials_refused" "Okta rejected the SCEP credentials" "The username or password for the challenge URL is wrong, or the password was reset in Okta.";
    SCEP_WRONG_URL 422 Okta "scep_wrong_url" "Wrong SCEP URL" "The challenge URL or the SCEP URL does not answer as expected.";
    SCEP_PERMISSION_MISSING 422 Okta "scep_permission_missing" "No permission to enroll" "Okta reports that the user of the challenge URL may not enroll devices.";
    SCEP_CHALLENGE_MISSING 422 Okta "scep_challenge_missing" "No SCEP challenge" "The challenge URL returned a page without a challenge.";
    SCEP_CA_UNREADABLE 422 Okta "scep_ca_unreadable" "No certificate authority" "The SCEP URL did not return a certificate.";
    ORG_NOT_FOUND 422 Okta "org_not_found" "Okta org not found" "There is no Okta org at the domain.";
    INVALID_CLIENT 422 Okta "invalid_client" "Okta rejected the credentials" "The client ID or client secret is wrong, or the client was revoked.";
    WRONG_CLIENT_TYPE 422 Okta "wrong_client_type" "Wrong type of client" "The client is a custom app that authenticates with a private key (`private_key_jwt`), so Okta accepts no client secret from it.";
    MISSING_SCOPES 422 Okta "missing_scopes" "Scopes not granted" "Okta did not grant the client the scopes in `missing_scopes`.";
    KEY_REFUSED 422 Okta "key_refused" "Okta rejected the key" "The client ID is wrong, or the public key is missing or inactive in the service app in Okta.";
    NETWORK_ZONE_BLOCKED 422 Okta "network_zone_blocked" "Blocked by a network zone" "Okta does not allow requests from the address of this service: a network zone blocks it, or the client may be used only from certain zones.";
    FEATURE_NOT_ENABLED 422 Okta "feature_not_enabled" "Feature not enabled in Okta" "The Okta org lacks a feature that the call needs.";
    ADMIN_ROLE_MISSING 422 Okta "admin_role_missing" "Admin role missing in Okta" "The client has the scope, but no admin role that allows the call.";
    OKTA_REFUSED 422 Okta "okta_refused" "Okta refused the request" "Okta refused the request for another reason, which `detail` quotes.";
    TOO_MANY_CHALLENGES 429 All "too_many_challenges" "Too many challenges" "The limit is five challenges per device in ten minutes, and eight at once per platform. Try again after `Retry-After` seconds.";
    TOO_MANY_ATTEMPTS 429 All "too_many_attempts" "Too many attempts" "The integration was connected or checked too often in the last minute: the limit is ten times, unless configured otherwise. Try again after `Retry-After` seconds.";
    TOO_MANY_VERIFICATIONS 429 All "too_many_verifications" "Too many verifications" "The limit is ten verifications of an event hook per minute. Try again after `Retry-After` seconds.";
    TOO_MANY_KEY_READS 429 All "too_many_key_reads" "Too many reads of public keys" "The limit is 60 reads of a public key set per minute. Try again after `Retry-After` seconds.";
    INTERNAL 500 All "internal" "Internal error" "This service failed; `request_id` identifies the request in its log.";
    OKTA_BAD_ANSWER 502 Okta "okta_bad_answer" "Unexpected answer from Okta" "Okta's answer does not match its API description.";
    CLOCK_SKEW 503 Okta "clock_skew" "Clock differs from Okta's" "Okta rejects signatures of this service because its clock is wrong.";
    CHALLENGE_CACHE_FULL 503 Okta "challenge_cache_full" "Too many unused challenges in Okta" "The Okta org has too many unused challenges. Try again after `Retry-After` seconds.";
    OKTA_RATE_LIMITED 503 Okta "okta_rate_limited" "Okta's rate limit is used up" "The rate limit of the Okta org is used up. Try again after `Retry-After` seconds.";
    OVERLOADED 503 All "overloaded" "Overloaded" "The service could not handle the request in time. Try again after `Retry-After` seconds. Okta retries a delivery of events once by itself.";
    DATABASE_UNAVAILABLE 503 All "database_unavailable" "Database unavailable" "PostgreSQL does not answer. Try again after `Retry-After` seconds.";
    SIGNING_KEYS_UNAVAILABLE 503 Token "signing_keys_unavailable" "Signing keys unavailable" "The signing keys of the token issuer are not available, so tokens cannot be verified.";
    OKTA_UNREACHABLE 504 Okta "okta_unreachable" "Okta is unreachable" "Okta did not answer in time.";
}
