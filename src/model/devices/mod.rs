//! Devices of the inventory: what names them, what is reported of them, what is known of them.

mod identifier_schemas;
pub mod identifiers;
pub mod records;
pub mod reports;
