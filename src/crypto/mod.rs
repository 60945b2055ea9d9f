//! Encryption of secrets at rest, and digests of event hook secrets.
//!
//! Envelope encryption with AES-256-GCM: each value has a data key of its own, which is wrapped by a
//! key-encryption key that the envelope names by id. This module knows neither tables nor Okta.

pub mod envelope;
mod error;
mod hook_secret;
pub mod keyring;
mod older_secrets;

pub use envelope::{Place, measure_secret, open, read_key_id, reveal, seal, seal_with};
pub use error::SealError;
pub use hook_secret::{HookSecretDigest, new_hook_secret};
pub use keyring::{KeyWrap, Keyring, KeyringError};
pub use older_secrets::OlderSecrets;
