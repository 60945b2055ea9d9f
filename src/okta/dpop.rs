//! DPoP (RFC 9449): proofs that this process has the key that a token is bound to. Each process has one
//! random key per org, which is never stored, and caches Okta's latest nonce.

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

/// Maximum length of a nonce. Okta's have about 32 characters.
const MAX_NONCE_LEN: usize = 512;

/// Maximum number of cached orgs and clients. An evicted one costs one more request.
const MAX_CACHED: u64 = 10_000;

/// The DPoP state of this process.
pub(super) struct Proofs {
    orgs: Cache<String, Arc<OrgProofs>>,
    /// Clients that require proofs, by host and client id. Their token requests have a proof at once.
    clients: Cache<(String, String), ()>,
}

/// The key for one org, and Okta's latest nonce.
pub(super) struct OrgProofs {
    key: Arc<ProofKey>,
    nonce: Mutex<Option<String>>,
}

impl Default for Proofs {
    fn default() -> Self {
        Self { orgs: Cache::new(MAX_CACHED), clients: Cache::new(MAX_CACHED) }
    }
}

impl Proofs {
    /// Returns the state of an org, with a new key if there is none.
    ///
    /// # Errors
    /// `Signing` if the key cannot be generated.
    pub(super) fn for_org(&self, host: &str) -> Result<Arc<OrgProofs>, OktaError> {
        if let Some(known) = self.orgs.get(host) {
            return Ok(known);
        }
        let new = OrgProofs { key: Arc::new(ProofKey::generate()?), nonce: Mutex::default() };
        // Of two concurrent calls, one inserts its key and both use it.
        Ok(self.orgs.get_with_by_ref(host, || Arc::new(new)))
    }

    pub(super) fn requires_proof(&self, host: &str, client_id: &str) -> bool {
        self.clients.contains_key(&(host.to_owned(), client_id.to_owned()))
    }

    pub(super) fn save_proof_required(&self, host: &str, client_id: &str) {
        self.clients.insert((host.to_owned(), client_id.to_owned()), ());
    }
}

impl OrgProofs {
    pub(super) fn key(&self) -> Arc<ProofKey> {
        Arc::clone(&self.key)
    }

    pub(super) fn nonce(&self) -> Option<String> {
        self.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Saves the nonce of a response. Successful responses may have one too.
    pub(super) fn save_nonce(&self, headers: &HeaderMap) {
        let Some(nonce) = headers.get(NONCE).and_then(|value| value.to_str().ok()) else { return };
        if !nonce.is_empty() && nonce.len() <= MAX_NONCE_LEN {
            *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(nonce.to_owned());
        }
    }
}

/// Builds the proof for one request. Okta accepts it once, so each has a new id.
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
    fn each_org_has_its_key_and_latest_nonce() {
        let proofs = Proofs::default();
        let acme = proofs.for_org("acme.okta.com").unwrap();
        assert!(Arc::ptr_eq(&acme, &proofs.for_org("acme.okta.com").unwrap()));
        assert!(!Arc::ptr_eq(&acme, &proofs.for_org("bird.okta.com").unwrap()));
        let answer = |nonce: &str| HeaderMap::from_iter([(NONCE, nonce.parse().unwrap())]);
        acme.save_nonce(&answer("first"));
        for useless in [HeaderMap::new(), answer(""), answer(&"x".repeat(MAX_NONCE_LEN + 1))] {
            acme.save_nonce(&useless);
        }
        assert_eq!(acme.nonce().as_deref(), Some("first"));
    }

    #[test]
    fn proof_has_the_url_without_query_and_debug_hides_it() {
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
