//! Trust status over HTTP. Most tests insert the data of the MDM and Okta directly into the tables; `days`
//! tests end to end.

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
