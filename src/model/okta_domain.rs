//! See the module head.
pub struct OktaDomain;
