//! The subject of a Mac's certificate. It always contains the word `managementAttestation`, which Okta's
//! examples use, and the UDID, which shows the device of the certificate. Neither is ever truncated.

use super::document::check_text;
use super::{Device, PayloadError};

const MANAGEMENT_ATTESTATION: &str = "managementAttestation";
const FIELD: &str = "subject_template";

/// Maximum length of a common name in characters (RFC 5280, appendix A, `ub-common-name`).
const MAX_LEN: usize = 64;

/// The default template. With the UDID of a Mac only five characters remain, too few for a useful name.
pub const DEFAULT_SUBJECT_TEMPLATE: &str = "managementAttestation {udid}";

/// Renders the common name. Replaces `{serial_number}`, `{udid}` and `{user_principal_name}`, and appends
/// the word and the UDID if the template lacks them. A name that is too long becomes
/// `<name> managementAttestation <UDID>` with a truncated name.
///
/// # Errors
/// `UnknownPlaceholder` for any other brace, `InvalidCharacters` for characters that XML cannot represent.
pub fn common_name(template: &str, device: &Device) -> Result<String, PayloadError> {
    // Only a word of the template counts, not part of a user's name.
    let words = || template.split_whitespace();
    let mut whole: Vec<&str> = words().collect();
    if !whole.contains(&MANAGEMENT_ATTESTATION) {
        whole.push(MANAGEMENT_ATTESTATION);
    }
    if !template.contains("{udid}") {
        whole.push("{udid}");
    }
    let name = one_line(&fill_placeholders(&whole.join(" "), device)?);
    check_text(FIELD, &name)?;
    if name.chars().count() <= MAX_LEN {
        return Ok(name);
    }

    let rest: Vec<&str> = words().filter(|word| *word != MANAGEMENT_ATTESTATION).collect();
    let rest = fill_placeholders(&rest.join(" ").replace("{udid}", ""), device)?;
    let tail = format!("{MANAGEMENT_ATTESTATION} {}", device.udid);
    let available = MAX_LEN.saturating_sub(tail.len() + 1);
    let cut: String = one_line(&rest).chars().take(available).collect();
    Ok(one_line(&format!("{cut} {tail}")))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Replaces placeholders in one pass, so that braces in a user's name are not replaced.
fn fill_placeholders(template: &str, device: &Device) -> Result<String, PayloadError> {
    let unknown = || PayloadError::UnknownPlaceholder { field: FIELD.to_owned() };
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (placeholder, after) = after.split_once('}').ok_or_else(unknown)?;
        text.push_str(before);
        text.push_str(match placeholder {
            "serial_number" => device.serial_number.as_str(),
            "udid" => device.udid.as_str(),
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
