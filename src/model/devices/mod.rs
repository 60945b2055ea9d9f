//! Devices of the inventory: their identifiers, what is reported about them, what is known of them.

mod identifier_schemas;
pub mod identifiers;
pub mod leaving;
pub mod merge;
pub mod receipt;
pub mod records;
pub mod reports;
