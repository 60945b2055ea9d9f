//! The configuration, read once at start-up from the environment and an optional file.
//!
//! All settings are checked before any error is reported, so one message lists every problem. The
//! values are plain: this module imports none of the modules that it configures.

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
