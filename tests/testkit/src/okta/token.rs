//! `POST /oauth2/v1/token` of the org authorization server, for a client with a secret.
//!
//! Grants client credentials and nothing else; every other request is refused as Okta refuses it.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::errors::{self, oauth};
use super::ids;
use super::knobs::{Dpop, Knobs};
use super::message::{Reply, Request};
use super::org::{IssuedToken, Org, State};
use super::rate;

/// Resources that Okta has scopes for (`okta.<resource>.read` and `.manage`); a selection.
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
    check_client(&state.knobs, request, &form)?;
    check_circumstances(&state.knobs, request)?;
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
        "token_type": "Bearer",
        "expires_in": lifetime,
        "access_token": token,
        "scope": scopes.join(" "),
    });
    let expires = Instant::now() + Duration::from_secs(lifetime);
    state.tokens.retain(|_, token| token.expires > Instant::now());
    state.tokens.insert(token, IssuedToken { scopes, expires, uses: 0 });
    Ok(Reply::json(200, body).with("Cache-Control", "no-store").with("Pragma", "no-cache"))
}

/// The form's parameters, each at most once.
struct Form(Vec<(String, String)>);

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

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

fn check_client(knobs: &Knobs, request: &Request, form: &Form) -> Result<(), Reply> {
    let in_body = form.get("client_secret").is_some() || form.get("client_assertion").is_some();
    let in_header = request.header("authorization").is_some();
    let refused = |description: &str| Err(oauth(401, "invalid_client", description));
    match (in_header, in_body) {
        (true, true) => {
            return Err(oauth(
                400,
                "invalid_request",
                "Can't supply multiple client credentials. Use one way to authenticate.",
            ));
        }
        (false, false) => return refused("No client credentials found."),
        // The service integration is set up for client_secret_basic.
        (false, true) => {
            return refused("The client authentication method is not supported for this client.");
        }
        (true, false) => {}
    }
    let Some((id, secret)) = basic(request) else {
        return refused("The Authorization header is not readable as Basic credentials.");
    };
    if form.get("client_id").is_some_and(|other| other != id) {
        return Err(oauth(
            400,
            "invalid_request",
            "The client_id in the body is not the one in the Authorization header.",
        ));
    }
    if id != knobs.client_id || !knobs.client_active {
        return refused("Invalid value for 'client_id' parameter.");
    }
    if knobs.own_service_app {
        return refused(
            "The client must use 'private_key_jwt' as its token_endpoint_auth_method for the org authorization server.",
        );
    }
    if !knobs.client_secrets.contains(&secret) {
        return refused("The client secret supplied for a confidential client is invalid.");
    }
    Ok(())
}

fn basic(request: &Request) -> Option<(String, String)> {
    let (scheme, encoded) = request.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_string(), secret.to_string()))
}

fn check_circumstances(knobs: &Knobs, request: &Request) -> Result<(), Reply> {
    if knobs.network_zone_blocked {
        let text = "The request is made from outside the client's permitted network zones.";
        return Err(oauth(403, "access_denied", text));
    }
    if knobs.temporarily_unavailable {
        let text = "The authorization server is currently unable to handle the request.";
        return Err(oauth(400, "temporarily_unavailable", text));
    }
    match knobs.dpop {
        Dpop::NotRequired => Ok(()),
        Dpop::Required if request.header("dpop").is_none() => {
            Err(oauth(400, "invalid_dpop_proof", "The DPoP proof JWT header is missing."))
        }
        Dpop::Required => Err(oauth(400, "invalid_dpop_proof", "The DPoP proof JWT is invalid.")),
        Dpop::NonceRequired => {
            let refusal =
                oauth(400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.");
            Err(refusal.with("dpop-nonce", ids::random(32)))
        }
    }
}

/// What was asked for and granted, in the order of asking.
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
