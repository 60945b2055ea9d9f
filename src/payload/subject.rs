//! The subject of a Mac's certificate. Okta requires no format, but binds a certificate to the first device
//! that uses it. So the subject always contains the UDID, and no two Macs have the same one.

use super::document::check_text;
use super::{Device, PayloadError};

const FIELD: &str = "subject_template";
const UDID: &str = "{udid}";

/// Maximum length of a common name in characters. RFC 5280 (appendix A, `ub-common-name`) has 64, which Okta
/// does not enforce. A truncated name would not identify its Mac.
const MAX_LEN: usize = 256;

/// The default template, as in Okta's examples.
pub const DEFAULT_SUBJECT_TEMPLATE: &str = "managementAttestation {udid}";

/// Renders the common name. Replaces `{serial_number}`, `{udid}` and `{user_principal_name}`, and appends the
/// UDID if the template lacks it.
///
/// # Errors
/// `UnknownPlaceholder` for any other brace, `InvalidCharacters` for characters that XML cannot represent,
/// `TooLong` for more than 256 characters, `NoIdentifiers` with User Enrollment.
pub fn common_name(template: &str, device: &Device) -> Result<String, PayloadError> {
    let whole =
        if template.contains(UDID) { template.to_owned() } else { format!("{template} {UDID}") };
    let name = one_line(&fill_placeholders(&whole, device)?);
    check_text(FIELD, &name)?;
    if name.chars().count() > MAX_LEN {
        return Err(PayloadError::TooLong { field: FIELD.to_owned(), max: MAX_LEN });
    }
    Ok(name)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Replaces placeholders in one pass, so that braces in a user's name are not replaced.
fn fill_placeholders(template: &str, device: &Device) -> Result<String, PayloadError> {
    let unknown = || PayloadError::UnknownPlaceholder { field: FIELD.to_owned() };
    let hardware =
        device.hardware().ok_or_else(|| PayloadError::NoIdentifiers { field: FIELD.to_owned() })?;
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (placeholder, after) = after.split_once('}').ok_or_else(unknown)?;
        text.push_str(before);
        text.push_str(match placeholder {
            "serial_number" => hardware.serial_number.as_str(),
            "udid" => hardware.udid.as_str(),
            "user_principal_name" => {
                device.user_principal_name.as_ref().map_or("", |name| name.as_str())
            }
            _ => return Err(unknown()),
        });
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}
