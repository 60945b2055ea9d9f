//! The subject that a Mac asks a certificate for. Okta takes a device for managed by the word
//! `managementAttestation` in it, and by the UDID it is told which device the certificate is of, so
//! neither is ever missing and neither is ever cut.

use super::document::check_text;
use super::{Device, PayloadError};

const WORD: &str = "managementAttestation";
const FIELD: &str = "subject_template";

/// The longest common name, in characters (RFC 5280, appendix A, `ub-common-name`).
const MAX_LEN: usize = 64;

/// What the subject is made of when nobody says otherwise. With the UDID of a Mac there is room for
/// five characters more, too few for a name that says anything.
pub const DEFAULT_SUBJECT_TEMPLATE: &str = "managementAttestation {udid}";

/// Fills `{serial_number}`, `{udid}` and `{user_principal_name}`. The word and the UDID are put at
/// the end when the template lacks them. A name that is too long becomes
/// `<name> managementAttestation <UDID>`, with as much of the name as there is room for.
///
/// # Errors
/// `UnknownPlaceholder` for any other brace; `InvalidCharacters` for what XML cannot carry.
pub fn common_name(template: &str, device: &Device) -> Result<String, PayloadError> {
    // The word counts where the template has it by itself, not where a user's name happens to.
    let words = || template.split_whitespace();
    let mut whole: Vec<&str> = words().collect();
    if !whole.contains(&WORD) {
        whole.push(WORD);
    }
    if !template.contains("{udid}") {
        whole.push("{udid}");
    }
    let name = one_line(&filled(&whole.join(" "), device)?);
    check_text(FIELD, &name)?;
    if name.chars().count() <= MAX_LEN {
        return Ok(name);
    }

    let rest: Vec<&str> = words().filter(|word| *word != WORD).collect();
    let rest = filled(&rest.join(" ").replace("{udid}", ""), device)?;
    let tail = format!("{WORD} {}", device.udid);
    let room = MAX_LEN.saturating_sub(tail.len() + 1);
    let cut: String = one_line(&rest).chars().take(room).collect();
    Ok(one_line(&format!("{cut} {tail}")))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// In one pass, so that braces in a user's name are not taken for placeholders.
fn filled(template: &str, device: &Device) -> Result<String, PayloadError> {
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
