//! A token issuer for tests: signs valid and invalid JWTs and publishes its keys as a JWKS.
//!
//! It does not verify tokens; that is the product's task.

mod claims;
mod keys;
mod server;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub use claims::{Claims, Flaw, ScopeForm};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use keys::Key;
pub use keys::KeyKind;
use serde_json::{Value, json};
pub use server::JwksServer;

use crate::private_file;

/// Signs tokens. Clones share the keys, also with the JWKS server.
#[derive(Clone)]
pub struct TokenIssuer {
    issuer: String,
    audience: String,
    tenant_claim: String,
    keys: Arc<RwLock<Keys>>,
}

struct Keys {
    current: Key,
    /// Still in the JWKS, but no longer used to sign.
    old: Vec<Key>,
}

impl TokenIssuer {
    /// Returns an issuer with a new RS256 key.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self::with_key(issuer, audience, KeyKind::Rs256)
    }

    pub fn with_key(issuer: impl Into<String>, audience: impl Into<String>, kind: KeyKind) -> Self {
        Self::of(issuer, audience, Key::generate(kind))
    }

    /// Returns an issuer with the key stored in `path`, which is created if needed (mode 0600).
    pub fn load_or_create(
        path: &Path,
        issuer: impl Into<String>,
        audience: impl Into<String>,
        kind: KeyKind,
    ) -> io::Result<Self> {
        if let Some(pem) = private_file::read(path)? {
            let key = Key::from_pem(&pem).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "{} holds no RSA or P-256 private key; remove it to get a new one",
                        path.display()
                    ),
                )
            })?;
            return Ok(Self::of(issuer, audience, key));
        }
        let key = Key::generate(kind);
        private_file::write(path, key.to_pem())?;
        Ok(Self::of(issuer, audience, key))
    }

    fn of(issuer: impl Into<String>, audience: impl Into<String>, key: Key) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            tenant_claim: "tenant_id".to_string(),
            keys: Arc::new(RwLock::new(Keys { current: key, old: Vec::new() })),
        }
    }

    /// Sets the name of the tenant claim (default `tenant_id`).
    pub fn tenant_claim(mut self, name: impl Into<String>) -> Self {
        self.tenant_claim = name.into();
        self
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn audience(&self) -> &str {
        &self.audience
    }

    pub fn kid(&self) -> String {
        self.current().kid
    }

    pub fn public_key_pem(&self) -> String {
        self.current().public_pem
    }

    pub fn jwks(&self) -> Value {
        let keys = self.keys.read().expect("no holder panics");
        let all: Vec<Value> =
            std::iter::once(&keys.current).chain(&keys.old).map(Key::jwk).collect();
        json!({ "keys": all })
    }

    /// Switches to a new key; the JWKS keeps the old one if `keep_old`. Returns the new `kid`.
    pub fn rotate(&self, keep_old: bool) -> String {
        let kind = self.current().kind;
        let new = Key::generate(kind);
        let kid = new.kid.clone();
        let mut keys = self.keys.write().expect("no holder panics");
        let old = std::mem::replace(&mut keys.current, new);
        if keep_old {
            keys.old.push(old);
        } else {
            keys.old.clear();
        }
        kid
    }

    pub fn sign(&self, claims: &Claims) -> String {
        let key = self.current();
        encode(&header(&key, Some(&key.kid)), &self.claims(claims), &key.encoding)
            .expect("JSON can be signed")
    }

    /// Signs the same token with one flaw, for which it must be rejected.
    pub fn sign_flawed(&self, claims: &Claims, flaw: Flaw) -> String {
        let key = self.current();
        let claims = claims.clone();
        match flaw {
            Flaw::Expired => self.sign(&claims.expires_in(-3600)),
            Flaw::NoExpiry => self.sign(&claims.claim("exp", Value::Null)),
            Flaw::NotYetValid => self.sign(&claims.expires_in(7200).not_before_in(3600)),
            Flaw::OtherAudience => self.sign(&claims.audience("https://another-audience.example")),
            Flaw::NoAudience => self.sign(&claims.claim("aud", Value::Null)),
            Flaw::OtherIssuer => self.sign(&claims.issuer("https://another-issuer.example")),
            Flaw::NoTenant => {
                self.sign(&Claims { tenant: None, ..claims }.claim(&self.tenant_claim, Value::Null))
            }
            Flaw::AlgNone => {
                let header = json!({"alg": "none", "typ": "JWT", "kid": key.kid});
                format!("{}.{}.", part(&header), part(&self.claims(&claims)))
            }
            Flaw::OtherKeySameKid => {
                let stranger = Key::generate(key.kind);
                encode(&header(&key, Some(&key.kid)), &self.claims(&claims), &stranger.encoding)
                    .expect("JSON can be signed")
            }
            Flaw::PublicKeyAsSecret => {
                let mut header = Header::new(Algorithm::HS256);
                header.kid = Some(key.kid.clone());
                let secret = EncodingKey::from_secret(key.public_pem.as_bytes());
                encode(&header, &self.claims(&claims), &secret).expect("JSON can be signed")
            }
            Flaw::NoKid => encode(&header(&key, None), &self.claims(&claims), &key.encoding)
                .expect("JSON can be signed"),
            Flaw::UnknownKid => {
                encode(&header(&key, Some("no-such-key")), &self.claims(&claims), &key.encoding)
                    .expect("JSON can be signed")
            }
            Flaw::BrokenSignature => {
                let token = self.sign(&claims);
                let (signed, signature) = token.rsplit_once('.').expect("a token has three parts");
                let other = if signature.starts_with('A') { 'B' } else { 'A' };
                format!("{signed}.{other}{}", &signature[1..])
            }
            Flaw::ForgedClaims => {
                let token = self.sign(&claims);
                let forged = part(&self.claims(&claims.claim("sub", "somebody-else")));
                let parts: Vec<&str> = token.split('.').collect();
                format!("{}.{forged}.{}", parts[0], parts[2])
            }
        }
    }

    /// Signs with the issuer's key under a header that `change` was applied to, as other issuers write it.
    pub fn sign_with_header(&self, claims: &Claims, change: impl FnOnce(&mut Header)) -> String {
        let key = self.current();
        let mut header = header(&key, Some(&key.kid));
        change(&mut header);
        encode(&header, &self.claims(claims), &key.encoding).expect("JSON can be signed")
    }

    /// HS256 with a secret that both sides know, for a service that is configured so.
    pub fn sign_with_secret(&self, claims: &Claims, secret: &str) -> String {
        let header = Header::new(Algorithm::HS256);
        let secret = EncodingKey::from_secret(secret.as_bytes());
        encode(&header, &self.claims(claims), &secret).expect("JSON can be signed")
    }

    fn claims(&self, claims: &Claims) -> Value {
        claims.to_json(&self.issuer, &self.audience, &self.tenant_claim)
    }

    fn current(&self) -> Key {
        self.keys.read().expect("no holder panics").current.clone()
    }
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TokenIssuer").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

fn header(key: &Key, kid: Option<&str>) -> Header {
    let mut header = Header::new(key.kind.algorithm());
    header.kid = kid.map(ToString::to_string);
    header
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}
