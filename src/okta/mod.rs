//! The client of Okta's API. One client serves all orgs; the org is an argument.
//!
//! The client caches tokens, respects Okta's rate limits, follows pages and converts every refusal to
//! a typed error. It stores nothing and makes no decisions about tenants or trust. Its wire types
//! (`OktaX`) are private. Client credentials and tokens are sent to an [`OrgAddress`] only, which is
//! always a host under one of Okta's suffixes. The SCEP password is sent to a host that the caller
//! allows.
//!
#![doc = include_str!("README.md")]

mod answer;
mod authenticators;
mod client;
mod client_authentication;
mod credentials;
mod device_rows;
mod devices;
mod dpop;
mod error;
mod error_meaning;
mod event_hook;
mod header_values;
mod link;
mod org;
mod paging;
mod rate_limit;
mod scep;
#[cfg(test)]
mod tests;
mod token;
mod token_cache;
mod transport;

pub use authenticators::{
    Authenticator, AuthenticatorMethod, FastPass, OKTA_VERIFY, OKTA_VERIFY_FASTPASS, OktaVerify,
    SIGNED_NONCE,
};
pub use client::{OktaClient, OktaSettings, READ_SCOPES, REQUIRED_SCOPES};
pub use credentials::{AccessToken, ClientCredentials, OrgAddress, ProvedGrant, TokenKey};
pub use devices::{DeviceList, DevicesPage, OktaResponse};
pub use error::{OktaError, ScepEndpoint, UnreachableReason};
pub use event_hook::{InvalidDelivery, find_mentions};
pub use org::{DiscoveredOrg, OrgMetadata};
pub use scep::{CaCertificate, ScepChallenge, ScepChallengeSource};
