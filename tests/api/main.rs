//! Behaviour that a user or an attacker would notice, told over HTTP to a real server: a real
//! PostgreSQL below it, a simulated Okta org over TLS behind it, real tokens in front of it.

mod process;
mod world;

mod callers;
mod canary;
mod canary_search;
mod catalogue;
mod command_line;
mod credentials;
mod deployments;
mod device_batches;
mod devices;
mod documents;
mod event_hook_storms;
mod event_hooks;
mod housekeeping;
mod integrations;
mod operations;
mod platforms;
mod prerequisites;
mod processes;
mod recheck;
mod rooms;
mod rotation;
mod setup;
mod starting;
mod storage;
mod sync;
mod sync_rereads;
mod sync_storms;
mod tenants;
mod trust_days;
mod trust_queries;
mod trust_status;
