//! A configuration profile as a file: the keys that every profile and payload has, and the one
//! place where a property list is written.

use plist::{Dictionary, Value};
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use super::identity::PayloadKind;
use super::{Deployment, PayloadError};

/// The media type by which Apple's systems know a profile.
pub const PROFILE_CONTENT_TYPE: &str = "application/x-apple-aspen-config";

/// More than a profile with a secret ever needs, so that writing one does not move the buffer and
/// leave a copy behind.
const ROOM: usize = 16 * 1024;

/// One `.mobileconfig`, not signed. It may hold a secret, so it does not show itself.
pub struct ProfileDocument {
    pub file_name: String,
    pub content_type: &'static str,
    pub payload_identifier: String,
    pub payload_uuid: Uuid,
    bytes: Zeroizing<Vec<u8>>,
}

impl ProfileDocument {
    /// The file itself: for the answer to the MDM and for nothing else.
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

/// What a reader of the profile is told about it.
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
}

/// A payload of the given type, with the keys that all have ("CommonPayloadKeys").
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
        // In the spelling that our answers use: a device reports it back as it was written.
        ("PayloadUUID", deployment.uuid(kind).to_string().into()),
        ("PayloadDisplayName", label.name.into()),
        ("PayloadDescription", label.description.into()),
    ]);
    if let Some(organization) = deployment.organization {
        payload.insert("PayloadOrganization".to_owned(), text("organization", organization)?);
    }
    Ok(payload)
}

/// The profile around its payloads ("TopLevel"), written.
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
        bytes: written(Value::Dictionary(profile))?,
    })
}

fn written(mut value: Value) -> Result<Zeroizing<Vec<u8>>, PayloadError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(ROOM));
    let outcome = value.to_writer_xml(&mut *bytes);
    wipe(&mut value);
    outcome.map_err(PayloadError::Unwritten)?;
    Ok(bytes)
}

/// The writer takes plain strings; they do not outlive it.
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

/// A text from outside, as a value: whatever enters a profile comes through here.
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

/// The characters of XML 1.0 (§2.2, `Char`), without the carriage return, which a reader takes for
/// a line feed (§2.11): what arrives must be what was sent.
fn is_writable(c: char) -> bool {
    matches!(c, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..)
}
