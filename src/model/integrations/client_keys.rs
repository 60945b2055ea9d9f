//! The key pairs that the service makes for a service app of the customer's own. A new one is pending
//! until Okta has accepted it; the one before stays valid until it is deleted.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An RSA public key as a JSON Web Key (RFC 7517), to be entered in Okta.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PublicJwk {
    #[schema(example = "RSA")]
    pub kty: String,
    #[schema(example = "sig")]
    pub r#use: String,
    #[schema(example = "RS256")]
    pub alg: String,
    /// The key's thumbprint (RFC 7638).
    #[schema(example = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")]
    pub kid: String,
    pub n: String,
    #[schema(example = "AQAB")]
    pub e: String,
}

/// Where a key stands in its life.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ClientKeyState {
    /// Made, and not yet proved against Okta.
    Pending,
    /// Signs all requests for tokens.
    Active,
    /// Was active before: stays in the public key set until it is deleted.
    Previous,
}

impl ClientKeyState {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What may be told of a key: everything but its private half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientKeyRecord {
    pub jwk: PublicJwk,
    pub state: ClientKeyState,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    /// When Okta accepted it first.
    pub activated_at: Option<DateTime<Utc>>,
}

/// The keys of an integration, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientKeys {
    pub keys: Vec<ClientKeyRecord>,
    /// The unguessable part of the address of the public key set; there once a key was made.
    pub jwks_id: Option<JwksId>,
}

impl ClientKeys {
    pub fn in_state(&self, state: ClientKeyState) -> Option<&ClientKeyRecord> {
        self.keys.iter().find(|key| key.state == state)
    }

    pub fn find(&self, kid: &str) -> Option<&ClientKeyRecord> {
        self.keys.iter().find(|key| key.jwk.kid == kid)
    }
}

/// The random id in the address of a public key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct JwksId(pub Uuid);

impl JwksId {
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// What has not the form of an id is the id of nothing.
    pub fn parse(text: &str) -> Self {
        Self(text.parse().unwrap_or(Uuid::nil()))
    }
}
