//! Trust status as gateways and front ends ask for it. Most tests write what the MDM and Okta reported
//! straight into the tables; `days` goes the whole way.

mod days;
mod freshness;
mod iphones;
mod lives;
mod macs;
mod queries;
mod random_lives;
mod silence;
mod tenants;
mod users;
mod verdicts;
