//! The simulated Okta, looked at from outside by a client that knows only Okta's description.

mod client;
mod devices;
mod faults;
mod organization;
mod scep;
mod token;
