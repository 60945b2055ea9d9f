//! The secrets of a tour. They are redacted in all output, and all responses are searched for them.

use serde_json::Value;

use super::answer::Broken;

/// Replaces a secret in output.
pub const HIDDEN: &str = "••••";

/// Fields with secrets; the content of a profile has some, too.
const FIELDS: [&str; 7] =
    ["client_secret", "password", "secret_key", "secret", "challenge", "content", "managementHint"];

/// Redacts the secrets of a body.
pub fn hide(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if FIELDS.contains(&name.as_str()) => {
                        HIDDEN.clone_into(text);
                    }
                    other => hide(other),
                }
            }
        }
        _ => {}
    }
}

/// All secrets that the tour has sent or received.
#[derive(Default)]
pub struct Secrets(Vec<Secret>);

struct Secret {
    what: &'static str,
    value: String,
    /// Whether operations that return secrets may contain it.
    deployable: bool,
}

impl Secrets {
    /// Adds a secret that no response may contain.
    pub fn add_forbidden(&mut self, what: &'static str, value: &str) {
        self.add(what, value, false);
    }

    /// Adds a secret that only challenges, deployments and a new event hook may contain.
    pub fn add_deployable(&mut self, what: &'static str, value: &str) {
        self.add(what, value, true);
    }

    fn add(&mut self, what: &'static str, value: &str, deployable: bool) {
        if !value.is_empty() && self.0.iter().all(|known| known.value != value) {
            self.0.push(Secret { what, value: value.to_owned(), deployable });
        }
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Returns a secret that `text` must not contain. `hands_out`: the operation returns secrets.
    pub fn find_leak(&self, text: &str, hands_out: bool) -> Option<&'static str> {
        let may = |secret: &Secret| hands_out && secret.deployable;
        let leaked = self.0.iter().find(|secret| !may(secret) && text.contains(&secret.value));
        leaked.map(|secret| secret.what)
    }

    pub fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(&secret.value, HIDDEN))
    }

    pub fn redact_error(&self, broken: &Broken) -> Broken {
        Broken {
            what: self.redact(&broken.what),
            answer: broken.answer.as_deref().map(|answer| self.redact(answer)),
        }
    }
}
