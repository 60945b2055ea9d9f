//! The client for Okta's own API: one concrete client, with the org as an argument.
//!
//! It keeps tokens for an hour, respects Okta's rate, follows pages and turns every refusal into a
//! typed error. It stores nothing, decides nothing about tenants or trust, and its wire shapes
//! (`OktaX`) stay inside. Credentials and tokens are sent to an [`OrgAddress`] only, which is always
//! a host under one of Okta's suffixes.

mod answer;
mod authenticators;
mod client;
mod credentials;
mod error;
mod link;
mod org;
mod paging;
mod rate_limit;
#[cfg(test)]
mod tests;
mod token;
mod token_cache;
mod transport;

pub use authenticators::{Authenticator, AuthenticatorMethod, FastPass, OKTA_VERIFY, SIGNED_NONCE};
pub use client::{OktaClient, OktaSettings, READ_SCOPES, REQUIRED_SCOPES};
pub use credentials::{AccessToken, ClientCredentials, OrgAddress, ProvedGrant, TokenKey};
pub use error::{OktaError, UnreachableReason};
pub use org::{DiscoveredOrg, OrgMetadata};
