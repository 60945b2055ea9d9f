//! The secrets of a tour: hidden wherever something is shown, and looked for in all answers in the end.

use serde_json::Value;

use super::answer::Broken;

/// What is shown in place of a secret.
pub const HIDDEN: &str = "••••";

/// The names under which secrets travel; a profile's content holds them too.
const FIELDS: [&str; 7] =
    ["client_secret", "password", "secret_key", "secret", "challenge", "content", "managementHint"];

/// Hides the secrets of a body that is to be shown.
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

/// Everything secret that the tour has sent or been given.
#[derive(Default)]
pub struct Secrets(Vec<Secret>);

struct Secret {
    what: &'static str,
    value: String,
    /// Some answers are there to hand it out.
    handed_out: bool,
}

impl Secrets {
    /// A secret that no answer may hold.
    pub fn keep(&mut self, what: &'static str, value: &str) {
        self.add(what, value, false);
    }

    /// A secret that devices are given: challenges and deployments hold it, and nothing else.
    pub fn keep_for_devices(&mut self, what: &'static str, value: &str) {
        self.add(what, value, true);
    }

    fn add(&mut self, what: &'static str, value: &str, handed_out: bool) {
        if !value.is_empty() && self.0.iter().all(|known| known.value != value) {
            self.0.push(Secret { what, value: value.to_owned(), handed_out });
        }
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What the text holds and should not. `hands_out`: it comes from an answer that devices get.
    pub fn leaked_in(&self, text: &str, hands_out: bool) -> Option<&'static str> {
        let may = |secret: &Secret| hands_out && secret.handed_out;
        let leaked = self.0.iter().find(|secret| !may(secret) && text.contains(&secret.value));
        leaked.map(|secret| secret.what)
    }

    pub fn hidden_in(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(&secret.value, HIDDEN))
    }

    pub fn hidden_of(&self, broken: &Broken) -> Broken {
        Broken {
            what: self.hidden_in(&broken.what),
            answer: broken.answer.as_deref().map(|answer| self.hidden_in(answer)),
        }
    }
}
