//! Tests of the simulated Okta with a client based on Okta's documentation.

mod client;
mod description;
mod devices;
mod faults;
mod organization;
mod scep;
mod token;
