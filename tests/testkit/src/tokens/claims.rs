//! The claims of a token, and the ways in which a token can be invalid.
//!
//! [`TokenIssuer`](super::TokenIssuer) signs them.

use chrono::Utc;
use serde_json::{Map, Value, json};

/// The claims of a token. Times are seconds from now.
#[derive(Debug, Clone)]
pub struct Claims {
    pub sub: String,
    /// `None`: a token without the tenant claim.
    pub tenant: Option<String>,
    pub scope: Vec<String>,
    pub scope_form: ScopeForm,
    /// Negative: the token has expired.
    pub expires_in: i64,
    /// Positive: the token is not valid yet.
    pub not_before_in: Option<i64>,
    /// Overrides the issuer.
    pub issuer: Option<String>,
    /// Overrides the audience; a string or an array of strings.
    pub audience: Option<Value>,
    /// Merged into all other claims; a null removes a claim.
    pub extra: Map<String, Value>,
}

/// The format of a token's scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeForm {
    /// `"scope": "a b"`
    Scope,
    /// `"scp": ["a", "b"]`
    ScpArray,
    /// `"scp": "a b"`
    ScpString,
    /// `"scope": ["a", "b"]`
    ScopeArray,
}

impl Claims {
    pub fn new(sub: impl Into<String>) -> Self {
        Self {
            sub: sub.into(),
            tenant: None,
            scope: Vec::new(),
            scope_form: ScopeForm::Scope,
            expires_in: 3600,
            not_before_in: None,
            issuer: None,
            audience: None,
            extra: Map::new(),
        }
    }

    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    pub fn scopes(mut self, scopes: &[&str]) -> Self {
        self.scope = scopes.iter().map(ToString::to_string).collect();
        self
    }

    pub fn scope_form(mut self, form: ScopeForm) -> Self {
        self.scope_form = form;
        self
    }

    pub fn expires_in(mut self, seconds: i64) -> Self {
        self.expires_in = seconds;
        self
    }

    pub fn not_before_in(mut self, seconds: i64) -> Self {
        self.not_before_in = Some(seconds);
        self
    }

    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    pub fn audience(mut self, audience: impl Into<Value>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Adds or replaces a claim; `Value::Null` removes it.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.extra.insert(name.into(), value.into());
        self
    }

    pub(super) fn to_json(&self, issuer: &str, audience: &str, tenant_claim: &str) -> Value {
        let now = Utc::now().timestamp();
        let mut claims = json!({
            "iss": self.issuer.as_deref().unwrap_or(issuer),
            "aud": self.audience.clone().unwrap_or_else(|| audience.into()),
            "sub": self.sub,
            "iat": now,
            "exp": now + self.expires_in,
            "jti": uuid::Uuid::new_v4(),
        });
        if let Some(seconds) = self.not_before_in {
            claims["nbf"] = json!(now + seconds);
        }
        if let Some(tenant) = &self.tenant {
            claims[tenant_claim] = json!(tenant);
        }
        match self.scope_form {
            ScopeForm::Scope => claims["scope"] = json!(self.scope.join(" ")),
            ScopeForm::ScpArray => claims["scp"] = json!(self.scope),
            ScopeForm::ScpString => claims["scp"] = json!(self.scope.join(" ")),
            ScopeForm::ScopeArray => claims["scope"] = json!(self.scope),
        }
        let all = claims.as_object_mut().expect("made as an object");
        for (name, value) in &self.extra {
            if value.is_null() {
                all.remove(name);
            } else {
                all.insert(name.clone(), value.clone());
            }
        }
        claims
    }
}

/// A flaw for which a token must be rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// Expired an hour ago, beyond any leeway.
    Expired,
    NoExpiry,
    /// Valid in an hour, beyond any leeway.
    NotYetValid,
    OtherAudience,
    NoAudience,
    OtherIssuer,
    NoTenant,
    /// `"alg": "none"` and no signature.
    AlgNone,
    /// The correct `kid`, but a key that is not in the JWKS.
    OtherKeySameKid,
    /// HS256 with the public key as the secret (algorithm confusion).
    PublicKeyAsSecret,
    NoKid,
    UnknownKid,
    /// One character of the signature changed.
    BrokenSignature,
    /// The claims changed after signing.
    ForgedClaims,
}

impl Flaw {
    /// All flaws.
    pub const ALL: [Self; 14] = [
        Self::Expired,
        Self::NoExpiry,
        Self::NotYetValid,
        Self::OtherAudience,
        Self::NoAudience,
        Self::OtherIssuer,
        Self::NoTenant,
        Self::AlgNone,
        Self::OtherKeySameKid,
        Self::PublicKeyAsSecret,
        Self::NoKid,
        Self::UnknownKid,
        Self::BrokenSignature,
        Self::ForgedClaims,
    ];
}
