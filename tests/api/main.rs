//! Behaviour that a user or an attacker would notice, told over HTTP to a real server: a real
//! PostgreSQL below it, a simulated Okta org over TLS behind it, real tokens in front of it.

mod world;

mod callers;
mod credentials;
mod documents;
mod integrations;
mod operations;
mod prerequisites;
mod rooms;
mod setup;
mod starting;
mod tenants;
