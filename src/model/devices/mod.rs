//! Devices of the inventory: their identifiers, the reports about them, and how reports are merged.

pub mod enrollment_history;
pub mod enrollment_id;
mod identifier_schemas;
pub mod identifiers;
pub mod merge;
pub mod receipt;
pub mod records;
pub mod reports;
