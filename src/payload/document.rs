//! Configuration profiles: their common keys, and serialization as property lists.

use plist::{Dictionary, Value};
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use super::identity::PayloadKind;
use super::{Deployment, PayloadError};

/// The media type of configuration profiles.
pub const PROFILE_CONTENT_TYPE: &str = "application/x-apple-aspen-config";

/// Larger than any profile with a secret, so that the buffer is not reallocated, which would leave a
/// copy of the secret in memory.
const BUFFER_CAPACITY: usize = 16 * 1024;

/// An unsigned `.mobileconfig` file. `Debug` does not show its content, which may contain a secret.
pub struct ProfileDocument {
    pub file_name: String,
    pub content_type: &'static str,
    pub payload_identifier: String,
    pub payload_uuid: Uuid,
    bytes: Zeroizing<Vec<u8>>,
}

impl ProfileDocument {
    /// Returns the content of the file. Only for the response to the MDM.
    pub fn expose_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl std::fmt::Debug for ProfileDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProfileDocument")
            .field("file_name", &self.file_name)
            .field("payload_identifier", &self.payload_identifier)
            .field("payload_uuid", &self.payload_uuid)
            .finish_non_exhaustive()
    }
}

/// Name and description of a payload, which the device shows.
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
}

/// Creates a payload with the keys that all payloads have (Apple: "CommonPayloadKeys").
pub(super) fn payload(
    deployment: &Deployment<'_>,
    kind: PayloadKind,
    payload_type: &str,
    label: &Label,
) -> Result<Dictionary, PayloadError> {
    let mut payload = dictionary([
        ("PayloadType", payload_type.into()),
        ("PayloadVersion", 1.into()),
        ("PayloadIdentifier", deployment.identifier(kind).into()),
        // In the same format as in API responses, because a device reports it unchanged.
        ("PayloadUUID", deployment.uuid(kind).to_string().into()),
        ("PayloadDisplayName", label.name.into()),
        ("PayloadDescription", label.description.into()),
    ]);
    if let Some(organization) = deployment.organization {
        payload.insert("PayloadOrganization".to_owned(), text("organization", organization)?);
    }
    Ok(payload)
}

/// Serializes a profile with its payloads (Apple: "TopLevel").
pub(super) fn profile(
    deployment: &Deployment<'_>,
    kind: PayloadKind,
    label: &Label,
    payloads: Vec<Dictionary>,
) -> Result<ProfileDocument, PayloadError> {
    let mut profile = payload(deployment, kind, "Configuration", label)?;
    profile.insert("PayloadScope".to_owned(), deployment.scope.as_str().into());
    let payloads = payloads.into_iter().map(Value::Dictionary).collect();
    profile.insert("PayloadContent".to_owned(), Value::Array(payloads));
    Ok(ProfileDocument {
        file_name: deployment.file_name(kind),
        content_type: PROFILE_CONTENT_TYPE,
        payload_identifier: deployment.identifier(kind),
        payload_uuid: deployment.uuid(kind),
        bytes: serialize(Value::Dictionary(profile))?,
    })
}

fn serialize(mut value: Value) -> Result<Zeroizing<Vec<u8>>, PayloadError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(BUFFER_CAPACITY));
    let outcome = value.to_writer_xml(&mut *bytes);
    wipe(&mut value);
    outcome.map_err(PayloadError::Unwritten)?;
    Ok(bytes)
}

/// Zeroes the strings of a property list, which are not zeroed on drop.
fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Dictionary(entries) => entries.iter_mut().for_each(|(_, value)| wipe(value)),
        _ => {}
    }
}

pub(super) fn dictionary<const N: usize>(entries: [(&str, Value); N]) -> Dictionary {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Checks a text and converts it to a value. All external text in profiles passes through here.
pub(super) fn text(field: &str, text: &str) -> Result<Value, PayloadError> {
    check_text(field, text)?;
    Ok(Value::String(text.to_owned()))
}

pub(super) fn check_text(field: &str, text: &str) -> Result<(), PayloadError> {
    if text.is_empty() {
        return Err(PayloadError::Empty { field: field.to_owned() });
    }
    if !text.chars().all(is_writable) {
        return Err(PayloadError::InvalidCharacters { field: field.to_owned() });
    }
    Ok(())
}

/// Returns whether XML 1.0 can represent the character (§2.2, `Char`). Excludes the carriage return,
/// which a parser would convert to a line feed (§2.11).
fn is_writable(c: char) -> bool {
    matches!(c, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..)
}
