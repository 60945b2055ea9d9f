//! The egress client: all outgoing HTTP requests go through it, under one of two policies.
//!
//! [`Policy::Tenant`] is for URLs that a customer can influence: https on port 443, an allow-list of
//! hosts, no special-purpose address. [`Policy::Operator`] is for configured URLs such as the JWKS:
//! http and private addresses are allowed. Neither follows redirects, reads proxy variables, stores
//! cookies or reads a body beyond its limit.
//!
//! Development and tests use the same client with an extra trust root and host overrides. There is no
//! mode with fewer checks. This module does not know Okta.

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
pub use resolver::MAX_LOOKUPS;
