//! `app_config_extra`: additional settings of Okta Verify. They are checked on input, so that they can
//! always be serialized as a property list.

use serde_json::{Map, Value};

use super::document::check_text;
use super::okta_verify::{MANAGEMENT_HINT, ORG_URL, SERIAL_NUMBER, UDID};
use super::{Device, PayloadError};

const FIELD: &str = "app_config_extra";
const MAX_DEPTH: usize = 8;
const MAX_KEYS: usize = 100;
const MAX_BYTES: usize = 16 * 1024;

/// Keys that identify the device and prove that it is managed. They cannot be overridden, in any case
/// (upper or lower), so that no second key with a similar name exists. Other keys can be overridden.
const RESERVED: [&str; 4] = [MANAGEMENT_HINT, ORG_URL, UDID, SERIAL_NUMBER];

/// Validated settings.
#[derive(Clone, Default, PartialEq)]
pub struct AppConfigExtra(Map<String, Value>);

impl AppConfigExtra {
    /// Validates settings: at most 16 KiB of JSON, 100 keys and 8 levels (including the outermost), no
    /// null.
    pub fn parse(settings: Map<String, Value>) -> Result<Self, PayloadError> {
        let settings = Value::Object(settings);
        if settings.to_string().len() > MAX_BYTES {
            return Err(PayloadError::TooLarge { field: FIELD.to_owned(), max: MAX_BYTES });
        }
        let mut keys = 0;
        check(FIELD, &settings, 1, &mut keys)?;
        match settings {
            Value::Object(settings) => {
                let extra = Self(settings);
                extra.refuse_keys(&RESERVED, |field| PayloadError::ReservedKey { field })?;
                Ok(extra)
            }
            _ => Ok(Self::default()),
        }
    }

    /// Returns `error` for the first setting with one of these keys, ignoring case.
    pub(super) fn refuse_keys(
        &self,
        keys: &[&str],
        error: impl FnOnce(String) -> PayloadError,
    ) -> Result<(), PayloadError> {
        let refused = |key: &&String| keys.iter().any(|other| other.eq_ignore_ascii_case(key));
        match self.0.keys().find(refused) {
            Some(key) => Err(error(below(FIELD, key))),
            None => Ok(()),
        }
    }

    /// Returns the settings with `{serial_number}` and `{udid}` replaced in all text values.
    ///
    /// # Errors
    /// `NoIdentifiers` if a text has one of them and the device, with User Enrollment, has neither.
    pub(super) fn for_device(&self, device: &Device) -> Result<Map<String, Value>, PayloadError> {
        let entry = |(key, value): (&String, &Value)| {
            Ok((key.clone(), fill_placeholders(&below(FIELD, key), value, device)?))
        };
        self.0.iter().map(entry).collect()
    }
}

/// Shows the keys only, because a value may be a secret.
impl std::fmt::Debug for AppConfigExtra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("AppConfigExtra").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}

fn check(field: &str, value: &Value, depth: usize, keys: &mut usize) -> Result<(), PayloadError> {
    match value {
        Value::Null => Err(PayloadError::NullValue { field: field.to_owned() }),
        Value::Number(number) if number.is_u64() && !number.is_i64() => {
            Err(PayloadError::NumberOutOfRange { field: field.to_owned() })
        }
        Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(text) if text.is_empty() => Ok(()),
        Value::String(text) => check_text(field, text),
        Value::Array(_) | Value::Object(_) if depth > MAX_DEPTH => {
            Err(PayloadError::TooDeep { field: field.to_owned(), max: MAX_DEPTH })
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(at, item)| check(&format!("{field}/{at}"), item, depth + 1, keys)),
        Value::Object(entries) => entries.iter().try_for_each(|(key, value)| {
            *keys += 1;
            if *keys > MAX_KEYS {
                return Err(PayloadError::TooManyKeys { field: FIELD.to_owned(), max: MAX_KEYS });
            }
            let field = below(field, key);
            check_text(&field, key)?;
            check(&field, value, depth + 1, keys)
        }),
    }
}

/// Appends a key to a JSON pointer (RFC 6901 §3).
fn below(field: &str, key: &str) -> String {
    format!("{field}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn fill_placeholders(field: &str, value: &Value, device: &Device) -> Result<Value, PayloadError> {
    Ok(match value {
        Value::String(text) => Value::String(device.fill(field, text)?),
        Value::Array(items) => items
            .iter()
            .map(|item| fill_placeholders(field, item, device))
            .collect::<Result<_, _>>()?,
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| {
                Ok((key.clone(), fill_placeholders(&below(field, key), value, device)?))
            };
            Value::Object(entries.iter().map(entry).collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}
