//! Client authentication at the token endpoint: by secret (`client_secret_basic`), or by key pair
//! (`private_key_jwt`, RFC 7523).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::errors::oauth;
use super::jwt;
use super::knobs::ClientAuthentication;
use super::message::{Reply, Request};
use super::org::State;
use super::token::Form;

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Okta accepts assertions that expire within an hour.
const MAX_ASSERTION_LIFETIME_SECONDS: i64 = 3600;

/// Authenticates the client.
pub(super) fn check(state: &mut State, request: &Request, form: &Form) -> Result<(), Reply> {
    let in_body = form.get("client_secret").is_some() || form.get("client_assertion").is_some();
    let in_header = request.header("authorization").is_some();
    match (in_header, in_body) {
        (true, true) => Err(oauth(
            400,
            "invalid_request",
            "Can't supply multiple client credentials. Use one way to authenticate.",
        )),
        (false, false) => Err(refused("No client credentials found.")),
        _ => match state.knobs.client_authentication {
            ClientAuthentication::ClientSecretBasic => by_secret(state, request, form),
            ClientAuthentication::PrivateKeyJwt => by_key(state, request, form),
        },
    }
}

fn refused(description: &str) -> Reply {
    oauth(401, "invalid_client", description)
}

fn by_secret(state: &State, request: &Request, form: &Form) -> Result<(), Reply> {
    if request.header("authorization").is_none() {
        return Err(refused("The client authentication method is not supported for this client."));
    }
    let (id, secret) = basic(request)
        .ok_or_else(|| refused("The Authorization header is not readable as Basic credentials."))?;
    if form.get("client_id").is_some_and(|other| other != id) {
        return Err(oauth(
            400,
            "invalid_request",
            "The client_id in the body is not the one in the Authorization header.",
        ));
    }
    check_id(state, &id)?;
    if !state.knobs.client_secrets.contains(&secret) {
        return Err(refused("The client secret supplied for a confidential client is invalid."));
    }
    Ok(())
}

fn check_id(state: &State, id: &str) -> Result<(), Reply> {
    if id != state.knobs.client_id || !state.knobs.client_active {
        return Err(refused("Invalid value for 'client_id' parameter."));
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

fn by_key(state: &mut State, request: &Request, form: &Form) -> Result<(), Reply> {
    let Some(assertion) = form.get("client_assertion") else {
        return Err(refused(
            "The client must use 'private_key_jwt' as its token_endpoint_auth_method for the org \
             authorization server.",
        ));
    };
    if form.get("client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(oauth(400, "invalid_request", "The client_assertion_type is invalid."));
    }
    let claims = jwt::read_assertion(assertion, &state.knobs.client_jwks)
        .ok_or_else(|| refused("The client_assertion signature is invalid."))?;
    check_claims(state, request, &claims)?;
    let id = claims["jti"].as_str().map(|id| format!("assertion {id}"));
    if id.is_some_and(|id| !state.used_jwts.insert(id)) {
        return Err(refused("The client_assertion has been used before."));
    }
    Ok(())
}

fn check_claims(state: &State, request: &Request, claims: &Value) -> Result<(), Reply> {
    let [issuer, subject] = [&claims["iss"], &claims["sub"]].map(Value::as_str);
    if issuer != subject || issuer.is_none() {
        return Err(refused(
            "The issuer and the subject of the client_assertion must be the client.",
        ));
    }
    check_id(state, issuer.unwrap_or_default())?;
    let endpoint = format!("https://{}{}", request.host, request.path);
    if claims["aud"].as_str() != Some(endpoint.as_str()) {
        return Err(refused(
            "The audience claim for client_assertion must be the endpoint invoked for the request.",
        ));
    }
    let now = state.now();
    match claims["exp"].as_i64() {
        Some(exp) if exp <= now => Err(refused("The client_assertion token is expired.")),
        Some(exp) if exp - now > MAX_ASSERTION_LIFETIME_SECONDS => {
            Err(refused("The client_assertion token has an expiration too far into the future."))
        }
        Some(_) => Ok(()),
        None => Err(refused("The client_assertion token must have an expiration.")),
    }
}
