//! What the tests and the development stack of okta-device-trust stand on: a simulated Okta org,
//! a private PostgreSQL, a token issuer and, where it is installed, a real SCEP server.
//!
//! Written from what Okta, PostgreSQL and the JWT standards do, not from what the product happens
//! to send: it never imports the product, and the product never depends on it.

mod background;
mod loopback_http;
pub mod okta;
pub mod phone;
pub mod postgres;
pub mod private_file;
pub mod scep;
pub mod tokens;
