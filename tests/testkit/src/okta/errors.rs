//! Okta's errors in their two shapes: API errors with a code, and OAuth errors of the token endpoint.
//!
//! Only formats and codes; the caller decides when to return an error.

use serde_json::json;

use super::ids;
use super::message::Reply;

/// `{errorCode, errorSummary, errorLink, errorId, errorCauses}`
pub(super) fn api(status: u16, code: &str, summary: impl Into<String>) -> Reply {
    Reply::json(
        status,
        json!({
            "errorCode": code,
            "errorSummary": summary.into(),
            "errorLink": code,
            "errorId": format!("oae{}", ids::random(22)),
            "errorCauses": [],
        }),
    )
}

/// `{error, error_description}`
pub(super) fn oauth(status: u16, error: &str, description: impl Into<String>) -> Reply {
    Reply::json(status, json!({"error": error, "error_description": description.into()}))
        .with("Cache-Control", "no-store")
        .with("Pragma", "no-cache")
}

pub(super) fn method_not_supported(allowed: &str) -> Reply {
    api(405, "E0000022", "The endpoint does not support the provided HTTP method")
        .with("Allow", allowed)
}

pub(super) fn media_type_not_supported() -> Reply {
    api(
        400,
        "E0000021",
        "Bad request. Accept and/or Content-Type headers likely do not match supported values.",
    )
}

pub(super) fn path_not_found() -> Reply {
    api(404, "E0000008", "The requested path was not found")
}

pub(super) fn not_found(what: &str, id: &str, kind: &str) -> Reply {
    api(404, "E0000007", format!("Not found: {what}: {id} ({kind})"))
}

pub(super) fn invalid_token() -> Reply {
    api(401, "E0000011", "Invalid token provided")
}

pub(super) fn feature_not_enabled() -> Reply {
    api(401, "E0000015", "You do not have permission to access the feature you are requesting")
}

pub(super) fn no_permission() -> Reply {
    api(403, "E0000006", "You do not have permission to perform the requested action")
}

pub(super) fn too_many_requests() -> Reply {
    api(429, "E0000047", "API call exceeded rate limit due to too many requests.")
}

pub(super) fn internal() -> Reply {
    api(500, "E0000009", "Internal Server Error")
}
