//! The one table of problems: the code, the HTTP status, the title and the meaning of each.

/// A kind of problem: its stable code, its status, its title, and when it comes about.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub code: &'static str,
    pub status: u16,
    pub answered_by: AnsweredBy,
    pub title: &'static str,
    pub about: &'static str,
}

/// Which operations can answer with a problem, among those that have its status in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnsweredBy {
    All,
    /// Operations that ask Okta.
    Okta,
    /// Operations that take an `Idempotency-Key`.
    Key,
    /// Operations that need a token.
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
        /// Every problem that this service answers with.
        pub const KINDS: &[&Kind] = &[$($name),*];
    };
}

kinds! {
    MALFORMED_REQUEST 400 All "malformed_request" "Request cannot be read" "The body is not JSON, a header or the query cannot be read.";
    UNAUTHORIZED 401 All "unauthorized" "Token needed" "No bearer token, or one that is not accepted; `detail` says why.";
    SCOPE_MISSING 403 All "scope_missing" "Scope missing" "The token lacks the scope that `detail` names.";
    NOT_FOUND 404 All "not_found" "Not found" "Nothing is at this path, or not in this tenant.";
    METHOD_NOT_ALLOWED 405 All "method_not_allowed" "Method not allowed" "The path exists, but not with this method; `Allow` lists those it has.";
    REQUEST_TIMEOUT 408 All "request_timeout" "Request too slow" "The body did not arrive in time.";
    CONFIRMATION_REQUIRED 409 All "confirmation_required" "Confirmation required" "Platforms or devices depend on it; repeat with `?confirm=true` after reading `checklist`.";
    OTHER_ORG 409 All "other_org" "Domain of another org" "The domain leads to another Okta org than the connected one.";
    INTEGRATION_AMBIGUOUS 409 All "integration_ambiguous" "Several integrations" "The tenant has several integrations and none was named; repeat with one of `integrations` as `integration_id`.";
    ORG_ALREADY_CONNECTED 409 All "org_already_connected" "Org already connected" "The tenant has an integration for this org; `integration_id` names it.";
    CHANGED_MEANWHILE 409 All "changed_meanwhile" "Changed in between" "Somebody else changed the integration while this request ran.";
    CREDENTIALS_NEEDED 409 All "credentials_needed" "Credentials needed first" "The operation needs credentials and none are stored.";
    CLIENT_KEY_NEEDED 409 All "client_key_needed" "Key pair needed first" "Credentials of kind `private_key_jwt` need a key pair whose public half is in Okta; make one with `POST …/credentials/keys`.";
    CLIENT_KEY_IN_USE 409 All "client_key_in_use" "Key is in use" "The active key cannot be deleted; make and activate another one first, or delete the credentials.";
    CANNOT_BE_ATTESTED 409 All "cannot_be_attested" "Cannot be attested" "Okta shows this prerequisite itself, so nobody's word replaces it.";
    IDEMPOTENCY_IN_FLIGHT 409 All "idempotency_in_flight" "Request still in flight" "An earlier request with this Idempotency-Key has not ended.";
    IDEMPOTENT_RESULT_GONE 409 All "idempotent_result_gone" "Result is gone" "What this Idempotency-Key created has been deleted since.";
    PLATFORM_MISMATCH 409 All "platform_mismatch" "Another platform" "A report for another platform than the device is enrolled with, without `enrollment`.";
    DEVICE_MISMATCH 409 All "device_mismatch" "Not the device that was reported" "The inventory knows the device with another UDID or platform.";
    RECONCILE_CONFIRMATION_REQUIRED 409 All "reconcile_confirmation_required" "Many devices are missing" "More than 10 % of the enrolled devices are missing in the snapshot; `devices` says how many. If they really left, repeat the last page with `confirm: true`.";
    SNAPSHOT_CLOSED 409 All "snapshot_closed" "Snapshot is closed" "The snapshot is complete, or it began more than a day ago. Begin another one with a new `snapshot_id`.";
    STALE_VERSION 412 All "stale_version" "Stale version" "`If-Match` names another version than the current one.";
    BODY_TOO_LARGE 413 All "body_too_large" "Body too large" "The body has more bytes than the operation takes: 64 KiB, 256 KiB for event hooks, 2 MiB for up to 1,000 devices.";
    UNSUPPORTED_MEDIA_TYPE 415 All "unsupported_media_type" "Unsupported media type" "The body is not declared as JSON, or it has a `Content-Encoding`.";
    INVALID_REQUEST 422 All "invalid_request" "Invalid fields" "Fields are missing, unknown or not acceptable; `errors` names each.";
    IDEMPOTENCY_KEY_REUSED 422 Key "idempotency_key_reused" "Idempotency-Key reused" "The key was used with another body in the last 24 hours.";
    CA_EXPIRED 422 Okta "scep_ca_expired" "Certificate authority has ended" "The certificate authority behind the SCEP URL is past its end.";
    SCEP_CREDENTIALS_REFUSED 422 Okta "scep_credentials_refused" "Okta refused the SCEP credentials" "Wrong username or password for the challenge URL, or a password that was reset.";
    SCEP_WRONG_URL 422 Okta "scep_wrong_url" "Wrong SCEP address" "The challenge URL or the SCEP URL does not answer as one.";
    SCEP_PERMISSION_MISSING 422 Okta "scep_permission_missing" "No permission to enroll" "Okta says that the user of the challenge URL may not enroll.";
    SCEP_CHALLENGE_MISSING 422 Okta "scep_challenge_missing" "No challenge in the page" "The challenge URL answered with a page that holds no challenge.";
    SCEP_CA_UNREADABLE 422 Okta "scep_ca_unreadable" "No certificate authority there" "The SCEP URL did not answer with a certificate.";
    ORG_NOT_FOUND 422 Okta "org_not_found" "No Okta org there" "No Okta org answers at the domain.";
    INVALID_CLIENT 422 Okta "invalid_client" "Okta refused the credentials" "Wrong client ID or secret, or a revoked client.";
    WRONG_CLIENT_TYPE 422 Okta "wrong_client_type" "Wrong kind of client" "The client is an app of the customer's own, which has to sign in with a key: Okta accepts no secret from it.";
    MISSING_SCOPES 422 Okta "missing_scopes" "Scopes not granted" "The client lacks scopes; `missing_scopes` lists them.";
    KEY_REFUSED 422 Okta "key_refused" "Okta refused the key" "Wrong client ID, or a public key that is not in the service app in Okta or was deactivated there.";
    NETWORK_ZONE_BLOCKED 422 Okta "network_zone_blocked" "Blocked by a network zone" "Okta does not admit requests from this service's address: a network zone blocks it, or the client may be used from named zones only.";
    FEATURE_NOT_ENABLED 422 Okta "feature_not_enabled" "Feature not enabled in Okta" "The org lacks a feature that the call needs.";
    ADMIN_ROLE_MISSING 422 Okta "admin_role_missing" "Admin role missing in Okta" "The client has the scope but no admin role that allows the call.";
    OKTA_REFUSED 422 Okta "okta_refused" "Okta refused" "Another refusal by Okta, in its own words.";
    TOO_MANY_CHALLENGES 429 All "too_many_challenges" "Too many challenges" "Five challenges of a device in ten minutes, or eight at once, are the most. Try again after `Retry-After` seconds.";
    TOO_MANY_ATTEMPTS 429 All "too_many_attempts" "Too many attempts" "The integration was connected or checked too often in the last minute: ten times are the most. Try again after `Retry-After` seconds.";
    TOO_MANY_VERIFICATIONS 429 All "too_many_verifications" "Too many verifications" "An event hook is verified ten times in a minute at most. Try again after `Retry-After` seconds.";
    TOO_MANY_KEY_READS 429 All "too_many_key_reads" "Too many reads of public keys" "A public key set is read 60 times in a minute at most. Try again after `Retry-After` seconds.";
    INTERNAL 500 All "internal" "Internal error" "A fault of this service; `request_id` finds it in the log.";
    OKTA_BAD_ANSWER 502 Okta "okta_bad_answer" "Okta's answer was not understood" "Okta answered with something else than its API describes.";
    CLOCK_SKEW 503 Okta "clock_skew" "Clock differs from Okta's" "Okta refuses what this service signs because its clock is off.";
    CHALLENGE_CACHE_FULL 503 Okta "challenge_cache_full" "Okta has no room for challenges" "Too many challenges of the org are unused. Try again after `Retry-After` seconds.";
    OKTA_RATE_LIMITED 503 Okta "okta_rate_limited" "Okta's rate limit is used up" "Try again after `Retry-After` seconds.";
    DATABASE_UNAVAILABLE 503 All "database_unavailable" "Database unavailable" "PostgreSQL does not answer. Try again after `Retry-After` seconds.";
    OVERLOADED 503 All "overloaded" "Overloaded" "The request could not be handled in time. Try again after `Retry-After` seconds; Okta delivers an event once more by itself.";
    SIGNING_KEYS_UNAVAILABLE 503 Token "signing_keys_unavailable" "Token keys unavailable" "The token issuer's keys cannot be read, so no token can be checked.";
    OKTA_UNREACHABLE 504 Okta "okta_unreachable" "Okta cannot be reached" "No answer from Okta in time.";
}
