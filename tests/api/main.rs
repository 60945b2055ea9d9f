//! Externally visible behavior, tested over HTTP against a real server with a real PostgreSQL, a simulated
//! Okta org over TLS, and real tokens.

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
