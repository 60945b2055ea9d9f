//! One integration, read whole, and the frame for changes to it. Imports no other folder of the store.

mod change;
mod parts;
#[expect(clippy::module_inception, reason = "the record itself, beside its parts")]
mod record;

pub(in crate::store) use change::Change;
pub(in crate::store) use parts::{platform_row, upsert_findings};
pub(in crate::store) use record::{
    IntegrationRow, expect_integration, expect_version, integration_row, load_record, load_records,
    next_secret_version, update_engine,
};
