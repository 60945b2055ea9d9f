//! Event hooks: created by an admin, called by Okta, and used only to request re-reads.

mod deliveries;
mod secrets;
mod storms;
