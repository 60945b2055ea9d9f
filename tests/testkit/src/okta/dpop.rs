//! DPoP (RFC 9449) as Okta requires it: a nonce at the token endpoint, `ath` at the API.

use std::collections::VecDeque;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::errors::oauth;
use super::knobs::Dpop;
use super::message::{Reply, Request};
use super::org::State;
use super::{ids, jwt};

/// Okta renews its nonce every 24 hours and accepts one for 3 days.
const NONCES_KEPT: usize = 3;

/// The maximum age of a proof; also the maximum time that it may be in the future.
const MAX_AGE_SECONDS: i64 = 300;

/// The valid nonces; the newest is the last.
#[derive(Debug, Default)]
pub(super) struct Nonces(VecDeque<String>);

impl Nonces {
    pub fn renew(&mut self) {
        self.0.push_back(ids::random(32));
        while self.0.len() > NONCES_KEPT {
            self.0.pop_front();
        }
    }

    pub fn forget(&mut self) {
        self.0.clear();
    }

    fn current(&mut self) -> String {
        if self.0.is_empty() {
            self.renew();
        }
        self.0.back().cloned().unwrap_or_default()
    }

    fn admit(&self, nonce: &str) -> bool {
        self.0.iter().any(|known| known == nonce)
    }
}

/// Returns the thumbprint of the key to bind a token to; `None` for a bearer token.
pub(super) fn check_token_request(
    state: &mut State,
    request: &Request,
) -> Result<Option<String>, Reply> {
    let demanded = state.knobs.dpop != Dpop::NotRequired;
    if request.header("dpop").is_none() {
        if demanded {
            return Err(refused("The DPoP proof JWT header is missing."));
        }
        return Ok(None);
    }
    let proof = read(state, request).map_err(|reason| refused(&reason))?;
    let nonce = proof.claims["nonce"].as_str();
    let is_loop = state.knobs.dpop == Dpop::NonceLoop;
    if is_loop {
        state.nonces.renew();
    }
    if is_loop || !nonce.is_some_and(|nonce| state.nonces.admit(nonce)) {
        let text = "Authorization server requires nonce in DPoP proof.";
        let refusal = oauth(400, "use_dpop_nonce", text);
        return Err(refusal.with("dpop-nonce", state.nonces.current()));
    }
    Ok(Some(proof.thumbprint))
}

/// Checks that the request proves possession of the key that its token is bound to.
pub(super) fn check_api_request(
    state: &mut State,
    request: &Request,
    token: &str,
    thumbprint: &str,
) -> Result<(), String> {
    let proof = read(state, request)?;
    if proof.thumbprint != thumbprint {
        return Err("The DPoP proof is of another key than the token.".to_string());
    }
    let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
    if proof.claims["ath"].as_str() != Some(hash.as_str()) {
        return Err("The DPoP proof has another ath than the token's.".to_string());
    }
    Ok(())
}

fn refused(description: &str) -> Reply {
    oauth(400, "invalid_dpop_proof", description)
}

/// Reads a proof for this request that is recent and was not used before.
fn read(state: &mut State, request: &Request) -> Result<jwt::Proof, String> {
    let mut sent = request.headers.iter().filter(|(name, _)| name == "dpop");
    let (Some((_, proof)), None) = (sent.next(), sent.next()) else {
        return Err("One DPoP header is needed.".to_string());
    };
    let proof = jwt::read_proof(proof).ok_or("The DPoP proof JWT is invalid.")?;
    let claims = &proof.claims;
    let target = format!("https://{}{}", request.host, request.path);
    let says = |name: &str| claims[name].as_str().unwrap_or_default();
    if says("htm") != request.method || says("htu") != target {
        return Err("The DPoP proof is for another request.".to_string());
    }
    let age = claims["iat"].as_i64().map(|iat| state.now() - iat);
    if age.is_none_or(|age| age.abs() > MAX_AGE_SECONDS) {
        return Err("The DPoP proof was not issued within the acceptable time.".to_string());
    }
    match claims["jti"].as_str() {
        Some(id) if state.used_jwts.insert(format!("proof {id}")) => Ok(proof),
        Some(_) => Err("The DPoP proof has been used before.".to_string()),
        None => Err("The DPoP proof has no jti.".to_string()),
    }
}
