//! Describes what an MDM installs on a device (`contents`), and renders it as configuration profiles and
//! managed app configuration.
//!
//! Rendering is a pure function: the same values give the same bytes and the same `PayloadUUID`s, so an
//! MDM can detect changes. It uses no clock, no random numbers and no I/O.

mod certificate;
mod contents;
mod device;
mod document;
mod error;
mod extra;
mod hosts;
mod identity;
mod okta_verify;
mod profiles;
mod settings;
mod single_sign_on;
mod subject;

#[cfg(test)]
mod tests;

pub use contents::{
    AppConfiguration, CertificateEnrollment, KeyRequest, MacSettings, MobileIdentity, MobileSignOn,
    OktaVerifySettings, ProfileContents,
};
pub use device::{Device, DeviceIdentity, HardwareIdentifiers};
pub use document::{PROFILE_CONTENT_TYPE, ProfileDocument};
pub use error::PayloadError;
pub use extra::AppConfigExtra;
pub use hosts::OrgHosts;
pub use identity::{Deployment, PayloadScope};
pub use okta_verify::{APP_DOMAIN, EXTENSION_DOMAIN, EnrollmentOptions, OktaVerifyOptions};
pub use profiles::render_profile;
pub use single_sign_on::{EXTENSION_DATA, SINGLE_SIGN_ON_TYPE};
pub use subject::{DEFAULT_SUBJECT_TEMPLATE, common_name};

/// The version of the rendered output. With every change of the rendered bytes, increase it and add a
/// migration that increases every `config_version`. Otherwise devices with the old rendering are not
/// reported as outdated.
pub const RENDERING_VERSION: u32 = 3;
