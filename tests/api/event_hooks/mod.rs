//! Event hooks: set up by an admin, called by Okta, and trusted only as a reason to read a device again.

mod deliveries;
mod secrets;
mod storms;
