//! Encryption of secrets at rest, digests of event hook secrets, and the keys that requests are signed
//! with.
//!
//! Envelope encryption with AES-256-GCM: each value has a data key of its own, which is wrapped by a
//! key-encryption key that the envelope names by id. This module knows neither tables nor Okta.

mod client_key;
pub mod envelope;
mod error;
mod hook_secret;
mod jws;
pub mod keyring;
mod older_secrets;
mod proof_key;

pub use client_key::ClientKey;
pub use envelope::{
    Place, measure_secret, open, read_key_id, reveal, seal, seal_with, trim_secret,
};
pub use error::SealError;
pub use hook_secret::{HookSecretDigest, new_hook_secret};
pub use keyring::{KeyWrap, Keyring, KeyringError};
pub use older_secrets::OlderSecrets;
pub use proof_key::ProofKey;
