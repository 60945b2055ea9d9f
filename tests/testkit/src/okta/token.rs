//! `POST /oauth2/v1/token` of the org authorization server, for a client with a secret or a key pair.
//!
//! Supports only the client credentials grant; other requests are rejected like in Okta.

use std::time::{Duration, Instant};

use serde_json::json;

use super::errors::{self, oauth};
use super::knobs::Knobs;
use super::message::{Reply, Request};
use super::org::{IssuedToken, Org, State};
use super::{client_authentication, dpop, ids, rate};

/// A selection of resources with scopes (`okta.<resource>.read` and `.manage`).
const RESOURCES: [&str; 20] = [
    "appGrants",
    "apps",
    "authenticators",
    "behaviors",
    "brands",
    "deviceAssurance",
    "deviceIntegrations",
    "devices",
    "domains",
    "eventHooks",
    "factors",
    "features",
    "groups",
    "idps",
    "logs",
    "orgs",
    "policies",
    "roles",
    "schemas",
    "users",
];

pub(super) fn answer(org: &Org, request: &Request) -> Reply {
    if request.method != "POST" {
        return errors::method_not_supported("POST");
    }
    let mut state = org.state();
    match rate::count(&mut state, rate::TOKEN) {
        Ok(standing) => standing.head(grant(&mut state, request).unwrap_or_else(|refusal| refusal)),
        Err(refusal) => refusal,
    }
}

fn grant(state: &mut State, request: &Request) -> Result<Reply, Reply> {
    if !request.is_form() || !request.admits_json() {
        return Err(errors::media_type_not_supported());
    }
    let form = Form::read(request)?;
    client_authentication::check(state, request, &form)?;
    check_circumstances(&state.knobs)?;
    let thumbprint = dpop::check_token_request(state, request)?;
    if form.get("grant_type") != Some("client_credentials") {
        return Err(oauth(
            400,
            "unsupported_grant_type",
            "The grant type in the request isn't supported.",
        ));
    }
    let scopes = granted_scopes(&state.knobs, form.get("scope").unwrap_or_default())?;
    let lifetime = state.knobs.token_lifetime_seconds;
    let token = ids::random(96);
    let body = json!({
        "token_type": if thumbprint.is_some() { "DPoP" } else { "Bearer" },
        "expires_in": lifetime,
        "access_token": token,
        "scope": scopes.join(" "),
    });
    let expires = Instant::now() + Duration::from_secs(lifetime);
    state.tokens.retain(|_, token| token.expires > Instant::now());
    state.tokens.insert(token, IssuedToken { scopes, expires, uses: 0, thumbprint });
    Ok(Reply::json(200, body).with("Cache-Control", "no-store").with("Pragma", "no-cache"))
}

/// The form's parameters, each at most once.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    fn read(request: &Request) -> Result<Self, Reply> {
        let pairs = request.form();
        for (index, (name, _)) in pairs.iter().enumerate() {
            if pairs[..index].iter().any(|(other, _)| other == name) {
                return Err(oauth(
                    400,
                    "invalid_request",
                    format!("The parameter '{name}' must not be repeated."),
                ));
            }
        }
        let in_query =
            |name: &str| matches!(name, "client_id" | "client_secret" | "grant_type" | "scope");
        if request.query_pairs().iter().any(|(name, _)| in_query(name)) {
            return Err(oauth(
                400,
                "invalid_request",
                "Parameters must be sent in the body, not in the query string.",
            ));
        }
        Ok(Self(pairs))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

fn check_circumstances(knobs: &Knobs) -> Result<(), Reply> {
    if knobs.network_zone_blocked {
        let text = "The request is made from outside the client's permitted network zones.";
        return Err(oauth(403, "access_denied", text));
    }
    if knobs.temporarily_unavailable {
        let text = "The authorization server is currently unable to handle the request.";
        return Err(oauth(400, "temporarily_unavailable", text));
    }
    Ok(())
}

/// Returns the requested scopes that are granted, in the requested order.
fn granted_scopes(knobs: &Knobs, asked: &str) -> Result<Vec<String>, Reply> {
    let invalid = |text: &str| Err(oauth(400, "invalid_scope", text));
    let mut scopes: Vec<String> = Vec::new();
    for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
        if !is_known(scope) && !knobs.granted_scopes.iter().any(|granted| granted == scope) {
            return invalid(
                "One or more scopes are not configured for the authorization server resource.",
            );
        }
        if !scopes.iter().any(|other| other == scope) {
            scopes.push(scope.to_string());
        }
    }
    if scopes.is_empty() {
        return invalid("No scopes were requested.");
    }
    let all = scopes.len();
    scopes.retain(|scope| knobs.granted_scopes.contains(scope));
    if scopes.is_empty() {
        return Err(oauth(
            400,
            "consent_required",
            "None of the requested scopes were granted to the client.",
        ));
    }
    if scopes.len() < all && knobs.refuse_ungranted_scopes {
        return invalid("One or more of the requested scopes were not granted to the client.");
    }
    Ok(scopes)
}

fn is_known(scope: &str) -> bool {
    let mut parts = scope.split('.');
    let resource = parts.next().filter(|first| *first == "okta").and_then(|_| parts.next());
    let verb = parts.next();
    parts.next().is_none()
        && resource.is_some_and(|resource| RESOURCES.contains(&resource))
        && matches!(verb, Some("read" | "manage"))
}
