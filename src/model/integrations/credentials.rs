//! The client id and secret of the API service integration in the customer's org.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

/// What is entered: proved against Okta before it is stored.
#[derive(Debug, Clone)]
pub struct NewCredentials {
    pub client_id: String,
    pub client_secret: SecretString,
}

/// What may be told of stored credentials: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialsState {
    pub client_id: String,
    /// Grows with each secret that is entered, and never goes back.
    pub version: i64,
    pub updated_at: DateTime<Utc>,
    pub updated_by: String,
}

/// Stored credentials, opened for a call to Okta.
#[derive(Debug, Clone)]
pub struct StoredCredentials {
    pub client_id: String,
    pub client_secret: SecretString,
    pub version: i64,
}
