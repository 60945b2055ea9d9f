//! Access checks that all management API paths share, in Okta's order.
//!
//! They run before the resource is looked up.

use std::time::Instant;

use super::knobs::Pipeline;
use super::message::{Reply, Request};
use super::org::State;
use super::{dpop, errors};

/// Rejects the request, or counts one use of its token.
pub(super) fn check(state: &mut State, request: &Request, scope: &str) -> Result<(), Reply> {
    check_token(state, request, scope)?;
    let knobs = &state.knobs;
    // These APIs require Identity Engine. Okta answers 401, although the token is valid.
    let bought =
        !knobs.features_not_enabled.iter().any(|path| request.path.starts_with(path.as_str()));
    if knobs.pipeline == Pipeline::V1 || !bought {
        return Err(errors::feature_not_enabled());
    }
    if knobs.no_admin_role {
        return Err(errors::no_permission());
    }
    Ok(())
}

fn check_token(state: &mut State, request: &Request, scope: &str) -> Result<(), Reply> {
    let invalid = || {
        challenge(
            errors::invalid_token(),
            request,
            scope,
            "invalid_token",
            "The access token is invalid.",
        )
    };
    let tokens: Vec<&str> = request
        .headers
        .iter()
        .filter(|(name, _)| name == "authorization")
        .map(|(_, value)| value.as_str())
        .collect();
    let [authorization] = tokens[..] else { return Err(invalid()) };
    let (scheme, sent) = authorization.split_once(' ').ok_or_else(invalid)?;
    let sent = sent.trim();
    let limit = state.knobs.dead_tokens_after_uses;
    let thumbprint = state.tokens.get(sent).ok_or_else(invalid)?.thumbprint.clone();
    let expected = if thumbprint.is_some() { "dpop" } else { "bearer" };
    if !scheme.eq_ignore_ascii_case(expected) {
        return Err(invalid());
    }
    if let Some(thumbprint) = thumbprint {
        dpop::check_api_request(state, request, sent, &thumbprint)
            .map_err(|reason| bad_proof(&reason))?;
    }
    let token = state.tokens.get_mut(sent).ok_or_else(invalid)?;
    if token.expires <= Instant::now() || limit.is_some_and(|limit| token.uses >= limit) {
        return Err(invalid());
    }
    token.uses += 1;
    if !token.scopes.iter().any(|granted| granted == scope) {
        let description = "The access token provided does not contain the required scopes.";
        return Err(challenge(
            Reply::empty(403),
            request,
            scope,
            "insufficient_scope",
            description,
        ));
    }
    Ok(())
}

fn bad_proof(reason: &str) -> Reply {
    let value = format!("DPoP error=\"invalid_dpop_proof\", error_description=\"{reason}\"");
    Reply::empty(400).with("WWW-Authenticate", value)
}

fn challenge(
    reply: Reply,
    request: &Request,
    scope: &str,
    error: &str,
    description: &str,
) -> Reply {
    let Request { host, path, .. } = request;
    reply.with(
        "WWW-Authenticate",
        format!(
            "Bearer authorization_uri=\"http://{host}/oauth2/v1/authorize\", realm=\"http://{host}\", scope=\"{scope}\", \
             error=\"{error}\", error_description=\"{description}\", resource=\"{path}\""
        ),
    )
}
