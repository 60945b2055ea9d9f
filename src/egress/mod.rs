//! The one gate to other servers: a client builder with two policies (contract §3).
//!
//! *Tenant* is for what a customer can influence: https on port 443, hosts that the caller names, no
//! special-purpose address. *Operator* is for configured URLs (JWKS, OTLP): http and private
//! addresses are fine. Neither follows redirects, reads proxy variables, keeps cookies or takes a
//! body past its cap.
//!
//! Development and tests change two inputs of this same gate, an extra trust root and host
//! overrides. There is no mode that checks less, and this room never knows what Okta is.

mod address;
mod client;
mod error;
mod exchange;
mod policy;
mod resolver;
#[cfg(test)]
pub(crate) mod tests;

pub use address::is_special_purpose;
pub use client::{Egress, EgressSettings};
pub use error::{EgressError, EgressSetupError};
pub use exchange::{DEFAULT_BODY_LIMIT, EgressRequest, EgressResponse};
pub use policy::Policy;
pub use resolver::MOST_LOOKUPS;
