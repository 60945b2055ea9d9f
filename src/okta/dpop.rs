//! DPoP (RFC 9449): proofs that this process holds the key that a token is bound to. One key for each
//! org, which is made at random and never stored; Okta's nonce is remembered beside it.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Utc;
use moka::sync::Cache;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value, json};
use url::Url;
use uuid::Uuid;

use super::OktaError;
use super::header_values::sensitive;
use crate::crypto::ProofKey;

pub(super) const DPOP: HeaderName = HeaderName::from_static("dpop");

const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Okta's nonces have some 32 characters.
const MAX_NONCE_LEN: usize = 512;

/// Orgs and clients that are remembered. Forgetting one costs a request more.
const MAX_REMEMBERED: u64 = 10_000;

/// What this process remembers of DPoP.
pub(super) struct Proofs {
    orgs: Cache<String, Arc<OrgProofs>>,
    /// Clients that demand proofs, by host and client id: their next request brings one at once.
    demanding: Cache<(String, String), ()>,
}

/// The key for one org, and the nonce that Okta gave last.
pub(super) struct OrgProofs {
    key: Arc<ProofKey>,
    nonce: Mutex<Option<String>>,
}

impl Default for Proofs {
    fn default() -> Self {
        Self { orgs: Cache::new(MAX_REMEMBERED), demanding: Cache::new(MAX_REMEMBERED) }
    }
}

impl Proofs {
    /// # Errors
    /// `Signing` when no key can be made.
    pub(super) fn of_org(&self, host: &str) -> Result<Arc<OrgProofs>, OktaError> {
        if let Some(known) = self.orgs.get(host) {
            return Ok(known);
        }
        let made = OrgProofs { key: Arc::new(ProofKey::generate()?), nonce: Mutex::default() };
        // Of two that are made at once one stays.
        Ok(self.orgs.get_with_by_ref(host, || Arc::new(made)))
    }

    pub(super) fn demands_proof(&self, host: &str, client_id: &str) -> bool {
        self.demanding.contains_key(&(host.to_owned(), client_id.to_owned()))
    }

    pub(super) fn remember_demand(&self, host: &str, client_id: &str) {
        self.demanding.insert((host.to_owned(), client_id.to_owned()), ());
    }
}

impl OrgProofs {
    pub(super) fn key(&self) -> Arc<ProofKey> {
        Arc::clone(&self.key)
    }

    pub(super) fn nonce(&self) -> Option<String> {
        self.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers the nonce of an answer, which may come with a token too.
    pub(super) fn remember_nonce(&self, headers: &HeaderMap) {
        let Some(nonce) = headers.get(NONCE).and_then(|value| value.to_str().ok()) else { return };
        if !nonce.is_empty() && nonce.len() <= MAX_NONCE_LEN {
            *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(nonce.to_owned());
        }
    }
}

/// The proof for one request. Good once: each proof has an id of its own.
pub(super) fn proof(
    key: &ProofKey,
    method: &Method,
    url: &Url,
    nonce: Option<&str>,
    token: Option<&SecretString>,
) -> Result<HeaderValue, OktaError> {
    let mut target = url.clone();
    target.set_query(None);
    target.set_fragment(None);
    let mut claims = Map::from_iter([
        ("htm".to_owned(), json!(method.as_str())),
        ("htu".to_owned(), json!(target.as_str())),
        ("iat".to_owned(), json!(Utc::now().timestamp())),
        ("jti".to_owned(), json!(Uuid::new_v4())),
    ]);
    if let Some(nonce) = nonce {
        claims.insert("nonce".to_owned(), json!(nonce));
    }
    if let Some(token) = token {
        let hash = digest(&SHA256, token.expose_secret().as_bytes());
        claims.insert("ath".to_owned(), json!(URL_SAFE_NO_PAD.encode(hash)));
    }
    sensitive(&key.sign_proof(&Value::Object(claims))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_org_keeps_its_key_and_its_last_nonce_and_another_has_its_own() {
        let proofs = Proofs::default();
        let acme = proofs.of_org("acme.okta.com").unwrap();
        assert!(Arc::ptr_eq(&acme, &proofs.of_org("acme.okta.com").unwrap()));
        assert!(!Arc::ptr_eq(&acme, &proofs.of_org("bird.okta.com").unwrap()));
        let answer = |nonce: &str| HeaderMap::from_iter([(NONCE, nonce.parse().unwrap())]);
        acme.remember_nonce(&answer("first"));
        for useless in [HeaderMap::new(), answer(""), answer(&"x".repeat(MAX_NONCE_LEN + 1))] {
            acme.remember_nonce(&useless);
        }
        assert_eq!(acme.nonce().as_deref(), Some("first"));
    }

    #[test]
    fn a_proof_names_the_address_without_its_query_and_shows_itself_nowhere() {
        let key = ProofKey::generate().unwrap();
        let url = Url::parse("https://acme.okta.com/api/v1/devices?limit=200#x").unwrap();
        let token = SecretString::from("canary-token");
        let proof = proof(&key, &Method::GET, &url, None, Some(&token)).unwrap();
        assert!(!format!("{proof:?}").contains("eyJ"));
        let claims = proof.to_str().unwrap().split('.').nth(1).unwrap();
        let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["htu"], "https://acme.okta.com/api/v1/devices");
        assert_eq!(claims["htm"], "GET");
        assert_eq!(claims.get("nonce"), None);
        assert_eq!(claims["ath"].as_str().unwrap().len(), 43);
    }
}
