//! Loads an integration with everything that belongs to it, and wraps changes to it. Does not import other
//! modules of the store, except events.

mod change;
pub(in crate::store) mod client_keys;
mod parts;
#[expect(clippy::module_inception, reason = "the record and its parts")]
mod record;

pub(in crate::store) use change::Change;
pub(in crate::store) use parts::{platform_row, upsert_findings};
pub(in crate::store) use record::{
    IntegrationRow, expect_integration, expect_version, first_notices, integration_row,
    load_record, load_records, mark_host_lost, next_secret_version, org_values,
    update_additional_hosts, update_engine, update_org,
};
