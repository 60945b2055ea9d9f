//! How the service authenticates with the customer's org: as the API service integration of Okta's
//! catalogue, by a secret, or as a service app of the customer's own, by a key pair.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// How the client authenticates at Okta's token endpoint.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum CredentialsKind {
    /// The API service integration from Okta's catalogue: a client secret.
    #[default]
    ClientSecret,
    /// A service app of the customer's own: a key pair that this service makes.
    PrivateKeyJwt,
}

impl CredentialsKind {
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What the client authenticates with.
#[derive(Debug, Clone)]
pub enum ClientSecret {
    /// Shown once by Okta and entered by the admin.
    Shared(SecretString),
    /// PKCS#8 in base64, made by this service.
    PrivateKey { kid: String, private_key: SecretString },
}

impl ClientSecret {
    pub fn kind(&self) -> CredentialsKind {
        match self {
            Self::Shared(_) => CredentialsKind::ClientSecret,
            Self::PrivateKey { .. } => CredentialsKind::PrivateKeyJwt,
        }
    }
}

/// Credentials entered by an admin. Okta must accept them before they are stored.
#[derive(Debug, Clone)]
pub struct NewCredentials {
    pub client_id: String,
    pub secret: ClientSecret,
}

/// Stored credentials without the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsState {
    pub kind: CredentialsKind,
    pub client_id: String,
    /// Increases with each secret that is entered and each key that is activated; never reused.
    pub version: i64,
    pub updated_at: DateTime<Utc>,
    pub updated_by: String,
}

/// Stored credentials with the decrypted secret, for a call to Okta.
#[derive(Debug, Clone)]
pub struct StoredCredentials {
    pub client_id: String,
    pub secret: ClientSecret,
    pub version: i64,
}
