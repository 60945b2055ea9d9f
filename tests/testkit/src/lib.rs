//! Infrastructure for the tests and the development stack of okta-device-trust: a simulated Okta org, a
//! private PostgreSQL, a token issuer and, if installed, a real SCEP server.
//!
//! It implements the documented behavior of Okta, PostgreSQL and the JWT standards, not what the product
//! happens to send: it never imports the product, and the product never depends on it.

mod background;
mod loopback_http;
pub mod mac;
pub mod okta;
pub mod phone;
pub mod postgres;
pub mod private_file;
pub mod scep;
pub mod tokens;
