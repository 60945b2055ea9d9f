//! Behaviour that a user or an attacker would notice, told over HTTP to a real server: a real
//! PostgreSQL below it, a simulated Okta org over TLS behind it, real tokens in front of it.

mod support;

mod canary;
mod devices;
mod event_hooks;
mod http;
mod integrations;
mod jobs;
mod layers;
mod mirror;
mod operators;
mod platforms;
mod processes;
mod storage;
mod tenants;
mod trust_status;
