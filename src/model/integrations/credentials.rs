//! The client ID and secret of the API service integration in the customer's org.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

/// Credentials entered by an admin. Okta must accept them before they are stored.
#[derive(Debug, Clone)]
pub struct NewCredentials {
    pub client_id: String,
    pub client_secret: SecretString,
}

/// Stored credentials without the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsState {
    pub client_id: String,
    /// Increases with each secret that is entered; never reused.
    pub version: i64,
    pub updated_at: DateTime<Utc>,
    pub updated_by: String,
}

/// Stored credentials with the decrypted secret, for a call to Okta.
#[derive(Debug, Clone)]
pub struct StoredCredentials {
    pub client_id: String,
    pub client_secret: SecretString,
    pub version: i64,
}
