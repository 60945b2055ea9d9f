//! Reads configuration profiles (XML property lists) like a device.

use std::path::Path;

use plist::{Dictionary, Value};

use super::answer::Broken;

pub struct Profile(Dictionary);

impl Profile {
    /// Reads a profile from a file; refuses other formats than XML.
    pub fn read(path: &Path) -> Result<Self, Broken> {
        let bytes = std::fs::read(path)?;
        if !bytes.starts_with(b"<?xml") {
            return Err(broken(path, "is not XML"));
        }
        let read = Value::from_reader_xml(bytes.as_slice());
        match read.map(Value::into_dictionary) {
            Ok(Some(profile)) => Ok(Self(profile)),
            Ok(None) => Err(broken(path, "contains no dictionary")),
            Err(error) => Err(broken(path, &format!("is not an XML property list: {error}"))),
        }
    }

    /// Returns the `PayloadType` of the profile and of its payloads.
    pub fn types(&self) -> Vec<&str> {
        std::iter::once(&self.0).chain(self.payloads()).filter_map(payload_type).collect()
    }

    pub fn payloads(&self) -> impl Iterator<Item = &Dictionary> {
        let payloads = self.0.get("PayloadContent").and_then(Value::as_array);
        payloads.into_iter().flatten().filter_map(Value::as_dictionary)
    }

    /// Returns the text at a path in the first payload of a type. A number is the index of a list item.
    pub fn text(&self, kind: &str, path: &[&str]) -> &str {
        let payload = self.payloads().find(|payload| payload_type(payload) == Some(kind));
        payload.and_then(|payload| below(payload, path)?.as_string()).unwrap_or_default()
    }
}

fn payload_type(payload: &Dictionary) -> Option<&str> {
    payload.get("PayloadType")?.as_string()
}

fn below<'a>(payload: &'a Dictionary, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(payload.get(first)?, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        Value::Dictionary(entries) => entries.get(step),
        _ => None,
    })
}

fn broken(path: &Path, what: &str) -> Broken {
    Broken { what: format!("{} {what}", path.display()), answer: None }
}
