//! A simulated Okta: stateful orgs over TLS that validate like Okta and fail on demand.
//!
//! Based on Okta's documented behavior, not on what a client happens to send: a request that Okta would
//! reject is rejected here.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use testkit::okta::{Fault, Options, OrgSetup, SimulatedOkta};
//! let okta = SimulatedOkta::start(Options::default()).await?;
//! let acme = okta.add_org(OrgSetup::new("acme").custom_domain("login.acme.example"));
//! acme.change(|knobs| knobs.fastpass = false);
//! acme.fail(Fault::status(503).on("/oauth2/").times(1));
//! // … run the product with okta.host_overrides() and okta.root_ca_pem() …
//! assert_eq!(acme.journal().count("/oauth2/v1/token"), 2);
//! # Ok(())
//! # }
//! ```

mod access;
mod authenticators;
mod certificates;
mod client_authentication;
mod control;
mod description;
mod devices;
mod discovery;
mod dpop;
mod errors;
mod event_hook;
mod fault;
mod fleet;
mod front;
mod ids;
mod journal;
mod jwt;
mod knobs;
mod lifecycle;

mod message;
mod org;
mod rate;
mod router;
mod scep;
mod search;
mod server;
mod token;
mod world;

pub use description::Description;
pub use event_hook::{EventHook, HookFailure, event};
pub use fault::{Fault, FaultKind};
pub use fleet::{Device, DeviceUser, NewDevice, UnknownId};
pub use journal::{Entry, Journal};
pub use knobs::{
    AUTHENTICATORS_READ, ClientAuthentication, CustomDomain, DEVICES_MANAGE, DEVICES_READ, Dpop,
    EndlessList, Knobs, Pipeline, Presence, RateLimits,
};
pub use lifecycle::Refused;
pub use org::{Org, OrgSetup};
pub use scep::{
    CaAnswer, ChallengePage, ChallengeRefusal, MintedChallenge, PageEncoding, ScepBackend,
    ScepKnobs,
};
pub use server::{Options, SimulatedOkta, StartError};
