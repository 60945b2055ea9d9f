//! The configuration: read once at start from the environment and an optional file, checked whole,
//! and reported whole. Holds plain values; never imports what it configures.

mod reader;
mod settings;
mod table;
mod values;

pub use reader::{ConfigError, Environment};
pub use settings::Draft;
pub use table::{SETTINGS, Setting};
pub use values::{
    AuthConfig, AuthKeys, Config, DatabaseConfig, LogConfig, OktaConfig, ProxyAddress, SyncConfig,
    TrustConfig, UserPolicy, WizardConfig,
};
