//! The client for Okta's own API: one concrete client, with the org as an argument.
//!
//! It keeps tokens for an hour, respects Okta's rate, follows pages and turns every refusal into a
//! typed error. It stores nothing, decides nothing about tenants or trust, and its wire shapes
//! (`OktaX`) stay inside. Client credentials and tokens are sent to an [`OrgAddress`] only, which is
//! always a host under one of Okta's suffixes; the SCEP password to a host that the caller names.

mod answer;
mod authenticators;
mod client;
mod credentials;
mod device_rows;
mod devices;
mod error;
mod error_meaning;
mod event_hook;
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
pub use devices::{Answered, DeviceList, DevicesPage};
pub use error::{OktaError, ScepEndpoint, UnreachableReason};
pub use event_hook::{NotADelivery, find_mentions};
pub use org::{DiscoveredOrg, OrgMetadata};
pub use scep::{CaCertificate, ScepChallenge, ScepChallengeSource};
