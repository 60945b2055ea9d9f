//! Converts the status, headers and body of an error response to a typed error. Does no I/O.

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, WWW_AUTHENTICATE};
use serde::Deserialize;

use super::error::{OktaError, UnreachableReason, clean};
use super::rate_limit;
use crate::egress::EgressResponse;

/// An error of Okta's API.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct OktaApiError {
    error_code: String,
    error_summary: String,
}

/// An OAuth error (RFC 6749 §5.2).
#[derive(Deserialize, Default)]
#[serde(default)]
struct OktaTokenError {
    error: String,
    error_description: String,
}

/// Returns the body of a successful API response, or the error.
pub(super) fn api(answer: &EgressResponse) -> Result<&[u8], OktaError> {
    if answer.status == StatusCode::OK {
        return Ok(&answer.body);
    }
    Err(common_refusal(answer).unwrap_or_else(|| api_refusal(answer)))
}

/// Why the token endpoint issued no token.
#[derive(Debug)]
pub(super) enum TokenRefusal {
    /// Okta requires a DPoP proof, or a proof with the nonce of this response.
    ProofRequired,
    Final(OktaError),
}

/// Returns the body of a successful token response, or the error.
pub(super) fn token(answer: &EgressResponse) -> Result<&[u8], TokenRefusal> {
    if answer.status == StatusCode::OK {
        return Ok(&answer.body);
    }
    Err(common_refusal(answer).map_or_else(|| token_refusal(answer), TokenRefusal::Final))
}

/// Returns by how many seconds Okta's clock is ahead of ours, from the response's `Date`.
pub(super) fn clock_skew(answer: &EgressResponse) -> Option<i64> {
    let date = answer.headers.get(DATE)?.to_str().ok()?;
    let theirs = DateTime::parse_from_rfc2822(date).ok()?;
    Some((theirs.to_utc() - Utc::now()).num_seconds())
}

/// Returns errors that mean the same for all endpoints: rate limits and server errors.
pub(super) fn common_refusal(answer: &EgressResponse) -> Option<OktaError> {
    let status = answer.status;
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Some(OktaError::RateLimited { retry_after: rate_limit::wait(&answer.headers) });
    }
    if status.is_server_error() {
        let reason = UnreachableReason::ServerError(status.as_u16());
        return Some(OktaError::Unreachable { reason, source: None });
    }
    None
}

fn api_refusal(answer: &EgressResponse) -> OktaError {
    let status = answer.status.as_u16();
    let challenge = Challenge::parse(&answer.headers);
    let body: OktaApiError = serde_json::from_slice(&answer.body).unwrap_or_default();
    match (status, body.error_code.as_str(), challenge.error.as_deref()) {
        (401, "E0000015", _) => OktaError::FeatureNotEnabled,
        // The retry uses a new token and a new proof, whose refusal shows the cause if it persists.
        (401 | 400, _, Some("invalid_dpop_proof" | "use_dpop_nonce"))
        | (401, "E0000011", _)
        | (401, "", Some("invalid_token")) => OktaError::TokenExpired,
        (403, "E0000006", _) => OktaError::AdminRoleMissing,
        (403, _, Some("insufficient_scope")) => {
            OktaError::InsufficientScope { scope: challenge.scope }
        }
        (404, "E0000007", _) => OktaError::NotFound,
        // Okta answers so on all paths when a network zone blocks the caller, and so do proxies. It says
        // nothing about the client.
        (403, "", None) => OktaError::bad_answer(
            "status 403 without an Okta error code; a network zone of the org or a proxy may \
             block this service's address",
        ),
        (_, "", _) => OktaError::bad_answer(format!("status {status} without an Okta error code")),
        (_, code, _) => OktaError::refused(status, code, &body.error_summary),
    }
}

fn token_refusal(answer: &EgressResponse) -> TokenRefusal {
    let body: OktaTokenError = serde_json::from_slice(&answer.body).unwrap_or_default();
    match body.error.as_str() {
        "invalid_dpop_proof" | "use_dpop_nonce" => TokenRefusal::ProofRequired,
        "" if answer.headers.contains_key("dpop-nonce") => TokenRefusal::ProofRequired,
        _ => TokenRefusal::Final(final_refusal(answer, &body)),
    }
}

fn final_refusal(answer: &EgressResponse, body: &OktaTokenError) -> OktaError {
    let status = answer.status.as_u16();
    let zone = body.error_description.to_ascii_lowercase().contains("network zone");
    match (status, body.error.as_str()) {
        // The token endpoint returns some errors in the format of the API.
        (_, "") => api_refusal(answer),
        (_, "invalid_client") => invalid_client(&body.error_description),
        (_, "invalid_scope") => OktaError::InvalidScope,
        (_, "consent_required") => OktaError::ConsentRequired,
        (_, "temporarily_unavailable") => OktaError::TemporarilyUnavailable,
        (403, "access_denied") if zone => OktaError::NetworkZoneBlocked,
        (_, error) => OktaError::refused(status, error, &body.error_description),
    }
}

/// Converts `invalid_client`, which Okta returns also for a client that requires `private_key_jwt`.
fn invalid_client(description: &str) -> OktaError {
    let message = clean(description);
    if description.to_ascii_lowercase().contains("private_key_jwt") {
        OktaError::WrongClientType { message }
    } else {
        OktaError::InvalidClient { message }
    }
}

/// The parameters of `WWW-Authenticate` (RFC 6750 §3).
#[derive(Debug, Default, PartialEq)]
struct Challenge {
    error: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    fn parse(headers: &HeaderMap) -> Self {
        let mut challenge = Self::default();
        for value in headers.get_all(WWW_AUTHENTICATE) {
            for (name, value) in parameters(&String::from_utf8_lossy(value.as_bytes())) {
                match name {
                    "error" => challenge.error = Some(clean(value)),
                    "scope" => challenge.scope = Some(clean(value)),
                    _ => {}
                }
            }
        }
        challenge
    }
}

/// Returns all `name="…"` and `name=…`. Each search starts after the previous value, so text inside of
/// quotes is not mistaken for a parameter. Escapes are not decoded, because no value that we use has any.
fn parameters(text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        let name = before.trim_end().rsplit([' ', ',', '\t']).next().unwrap_or_default();
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_at(closing_quote(quoted)),
            None => after.split_at(after.find([',', ' ']).unwrap_or(after.len())),
        };
        found.push((name, value));
        rest = left;
    }
    found
}

fn closing_quote(quoted: &str) -> usize {
    let mut escaped = false;
    let closes = |c: char| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    };
    quoted.find(closes).unwrap_or(quoted.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> EgressResponse {
        let headers =
            headers.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect();
        EgressResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers,
            body: body.as_bytes().to_vec(),
        }
    }

    fn api_error(status: u16, headers: &[(&'static str, &str)], body: &str) -> OktaError {
        api(&answer(status, headers, body)).unwrap_err()
    }

    fn token_error(status: u16, body: &str) -> OktaError {
        match token(&answer(status, &[], body)).unwrap_err() {
            TokenRefusal::Final(error) => error,
            TokenRefusal::ProofRequired => panic!("a proof is required"),
        }
    }

    fn okta(code: &str) -> String {
        format!(r#"{{"errorCode":"{code}","errorSummary":"It says no.","errorCauses":[]}}"#)
    }

    fn oauth(error: &str, description: &str) -> String {
        format!(r#"{{"error":"{error}","error_description":"{description}"}}"#)
    }

    #[test]
    fn a_401_is_an_expired_token_or_a_missing_feature_depending_on_its_code() {
        assert!(matches!(api_error(401, &[], &okta("E0000011")), OktaError::TokenExpired));
        assert!(matches!(api_error(401, &[], &okta("E0000015")), OktaError::FeatureNotEnabled));
        let challenge = [("www-authenticate", r#"Bearer realm="x", error="invalid_token""#)];
        assert!(matches!(api_error(401, &challenge, ""), OktaError::TokenExpired));
        assert!(matches!(
            api_error(401, &challenge, &okta("E0000015")),
            OktaError::FeatureNotEnabled
        ));
        assert!(matches!(api_error(401, &[], "<html>"), OktaError::BadAnswer { .. }));
    }

    #[test]
    fn a_403_without_a_body_names_the_missing_scope() {
        let value = r#"Bearer authorization_uri="http://acme.okta.com/oauth2/v1/authorize", realm="http://acme.okta.com", scope="okta.devices.read", error="insufficient_scope", error_description="The access token provided does not contain the required scopes.", resource="/api/v1/devices""#;
        let error = api_error(403, &[("www-authenticate", value)], "");
        assert!(
            matches!(error, OktaError::InsufficientScope { scope: Some(scope) } if scope == "okta.devices.read")
        );
        let error = api_error(403, &[("www-authenticate", "Bearer error=insufficient_scope")], "");
        assert!(matches!(error, OktaError::InsufficientScope { scope: None }));
        assert!(matches!(api_error(403, &[], &okta("E0000006")), OktaError::AdminRoleMissing));
        assert!(matches!(api_error(403, &[], ""), OktaError::BadAnswer { .. }));
    }

    #[test]
    fn a_404_means_not_found_only_with_oktas_error_code() {
        assert!(matches!(api_error(404, &[], &okta("E0000007")), OktaError::NotFound));
        assert!(matches!(
            api_error(404, &[], "<html>not here</html>"),
            OktaError::BadAnswer { .. }
        ));
        assert!(matches!(api_error(302, &[], ""), OktaError::BadAnswer { .. }));
        assert!(matches!(api_error(204, &[], ""), OktaError::BadAnswer { .. }));
    }

    #[test]
    fn other_refusals_have_oktas_message_truncated() {
        let long =
            format!(r#"{{"errorCode":"E0000031","errorSummary":"a\nb\u001b{}"}}"#, "x".repeat(500));
        let OktaError::Refused { status, error_code, summary } = api_error(400, &[], &long) else {
            panic!("not a refusal");
        };
        assert_eq!((status, error_code.as_str(), summary.chars().count()), (400, "E0000031", 200));
        assert!(summary.starts_with("abx"));
    }

    #[test]
    fn each_refusal_of_the_token_endpoint_has_its_error() {
        assert!(matches!(
            token_error(401, &oauth("invalid_client", "x")),
            OktaError::InvalidClient { message } if message == "x"
        ));
        assert!(matches!(token_error(400, &oauth("invalid_scope", "x")), OktaError::InvalidScope));
        assert!(matches!(
            token_error(400, &oauth("consent_required", "")),
            OktaError::ConsentRequired
        ));
        let down = token_error(400, &oauth("temporarily_unavailable", ""));
        assert!(matches!(down, OktaError::TemporarilyUnavailable) && down.is_transient());
        let zone = "The request is made from outside the client's permitted network zones.";
        assert!(matches!(
            token_error(403, &oauth("access_denied", zone)),
            OktaError::NetworkZoneBlocked
        ));
        assert!(matches!(
            token_error(403, &oauth("access_denied", "policy")),
            OktaError::Refused { .. }
        ));
        assert!(matches!(
            token_error(400, &oauth("unsupported_grant_type", "")),
            OktaError::Refused { .. }
        ));
        assert!(matches!(token_error(401, "<html>sign in</html>"), OktaError::BadAnswer { .. }));
        assert!(matches!(token_error(404, ""), OktaError::BadAnswer { .. }));
    }

    #[test]
    fn a_private_key_client_is_recognized_by_the_description() {
        for status in [400, 401] {
            let text =
                "Client must use 'Private_Key_JWT' as\\u202e token_endpoint_auth_method.\\u0007";
            let error = token_error(status, &oauth("invalid_client", text));
            let OktaError::WrongClientType { message } = &error else { panic!("{error:?}") };
            assert_eq!(message, "Client must use 'Private_Key_JWT' as token_endpoint_auth_method.");
            assert_eq!((error.code(), error.is_refusal()), ("wrong_client_type", true));
        }
    }

    #[test]
    fn messages_that_quote_the_secret_are_removed() {
        let quoting = token_error(401, &oauth("invalid_client", "canary-secret is wrong"));
        assert!(quoting.message().is_some());
        assert_eq!(quoting.without(&"canary-secret".into()).message(), None);
        let other = token_error(401, &oauth("invalid_client", "it is wrong"));
        assert_eq!(other.without(&"canary-secret".into()).message(), Some("it is wrong"));
    }

    #[test]
    fn distinguishes_a_required_proof_from_a_refusal() {
        let nonce = [("dpop-nonce", "n")];
        for (headers, body) in [
            (&[][..], oauth("invalid_dpop_proof", "")),
            (&nonce[..], oauth("use_dpop_nonce", "")),
            (&nonce[..], String::new()),
        ] {
            let refusal = token(&answer(400, headers, &body)).unwrap_err();
            assert!(matches!(refusal, TokenRefusal::ProofRequired), "{body}");
        }
        let challenge = [("www-authenticate", r#"DPoP error="invalid_dpop_proof""#)];
        assert!(matches!(api_error(400, &challenge, ""), OktaError::TokenExpired));
    }

    #[test]
    fn server_errors_and_rate_limits_are_transient() {
        for status in [500, 502, 503, 504] {
            assert!(token_error(status, "<html>").is_transient());
            assert!(matches!(api_error(status, &[], ""), OktaError::Unreachable { .. }));
        }
        assert!(matches!(token_error(429, &okta("E0000047")), OktaError::RateLimited { .. }));
        assert!(api_error(429, &[], &okta("E0000047")).is_transient());
    }

    #[test]
    fn quoted_text_is_not_mistaken_for_a_parameter() {
        let text = r#"Bearer error_description="an error=\"x\"", error="e" , scope=s"#;
        assert_eq!(
            parameters(text),
            [("error_description", r#"an error=\"x\""#), ("error", "e"), ("scope", "s")]
        );
        assert_eq!(parameters(r#"="\"#), [("", "\\")]);
        assert_eq!(parameters("Bearer"), []);
    }
}
