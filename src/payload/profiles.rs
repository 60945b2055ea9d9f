//! Renders the contents of a profile as a configuration profile.

use super::certificate::certificate_profile;
use super::contents::ProfileContents;
use super::settings::settings_profile;
use super::single_sign_on::single_sign_on_profile;
use super::{Deployment, PayloadError, ProfileDocument};

/// Renders one profile.
///
/// # Errors
/// `InvalidCharacters` or `Empty` for a text that a property list cannot represent.
pub fn render_profile(
    deployment: &Deployment<'_>,
    contents: &ProfileContents,
) -> Result<ProfileDocument, PayloadError> {
    match contents {
        ProfileContents::Certificate(enrollment) => certificate_profile(deployment, enrollment),
        ProfileContents::Settings(settings) => settings_profile(deployment, settings),
        ProfileContents::SignOn(sign_on) => single_sign_on_profile(deployment, sign_on),
    }
}
