//! Sealing of secrets at rest: AES-256-GCM, a data key per value, the data key wrapped by a
//! key-encryption key that is named by its id; and the secrets of event hooks, which are kept as digests.
//! Knows nothing of tables or of Okta.

pub mod envelope;
mod error;
mod hook_secret;
pub mod keyring;

pub use envelope::{Place, key_id_of, open, reveal, seal, shape_of};
pub use error::SealError;
pub use hook_secret::{HookSecretDigest, new_hook_secret};
pub use keyring::{KeyWrap, Keyring, KeyringError};
