//! Reads settings by name from the environment, a `…_FILE` or the configuration file.
//!
//! Problems are collected, so that an operator sees all of them in one message. A message never
//! quotes a value: it may be a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use super::table::SETTINGS;

/// The `ODT_` environment variables. Created once, in `main` or by a test; nothing else reads the
/// environment.
#[derive(Clone, Default)]
pub struct Environment {
    values: BTreeMap<String, String>,
    /// Names of our variables whose values are not UTF-8.
    unreadable: BTreeSet<String>,
}

impl Environment {
    /// Reads the variables of this process.
    pub fn from_process() -> Self {
        Self::from_variables(std::env::vars_os())
    }

    /// Keeps the variables that begin with `ODT_`. Skips those that Kubernetes adds for a service whose
    /// name begins with `odt`.
    pub fn from_variables(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            let name = name.to_string_lossy();
            if !name.starts_with("ODT_") {
                continue;
            }
            match value.to_str() {
                Some(value) if !is_known(&name) && is_service_link(&name, value) => {}
                Some(value) => environment.set(&name, value),
                None => {
                    environment.unreadable.insert(name.into_owned());
                }
            }
        }
        environment
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// Lists names that begin with `ODT_` and are not settings, so that a misspelt setting is reported.
    pub fn unknown_names(&self) -> Vec<&str> {
        self.values.keys().map(String::as_str).filter(|name| !is_known(name)).collect()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self { values: pairs.into_iter().collect(), unreadable: BTreeSet::new() }
    }
}

/// Variables that `cargo dev` writes into `.dev/env` or reads itself. A shell that exports them must
/// still be able to start the service.
const DEVELOPMENT_VARIABLES: [&str; 12] = [
    "ODT_URL",
    "ODT_SIM_URL",
    "ODT_SIM_CA",
    "ODT_SIM_CLIENT_ID",
    "ODT_SIM_CLIENT_SECRET",
    "ODT_METRICS_URL",
    "ODT_DEV_PID",
    "ODT_TOKEN_ADMIN",
    "ODT_TOKEN_MDM",
    "ODT_TOKEN_TRUST",
    "ODT_TOKEN_OTHER_TENANT",
    "ODT_POSTGRES_BIN",
];

fn is_known(name: &str) -> bool {
    if DEVELOPMENT_VARIABLES.contains(&name) {
        return true;
    }
    let plain = name.strip_suffix("_FILE").unwrap_or(name);
    SETTINGS.iter().any(|setting| setting.name == name || (setting.secret && setting.name == plain))
}

/// Returns whether Kubernetes or a Docker link set the variable: `ODT_SERVICE_HOST`,
/// `ODT_SERVICE_PORT[_NAME]`, `ODT_PORT=tcp://…`, `ODT_PORT_8080_TCP[_ADDR|_PORT|_PROTO]`, also with
/// more of the service's name in between. Any other value means a misspelt setting.
fn is_service_link(name: &str, value: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let words: Vec<&str> = name.split('_').collect();
    match words.as_slice() {
        [.., "SERVICE", "HOST"] => true,
        [.., "SERVICE", "PORT"] => is_number(value),
        [.., "PORT", port, "TCP" | "UDP" | "SCTP"] => is_number(port) && is_address,
        [.., "PORT", port, "TCP" | "UDP" | "SCTP", "ADDR" | "PORT" | "PROTO"] => is_number(port),
        [.., "PORT"] => is_address,
        _ => name.contains("_SERVICE_PORT_") && is_number(value),
    }
}

/// Every problem found in the configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub problems: Vec<String>,
}

impl std::error::Error for ConfigError {}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the configuration has {} problem(s):", self.problems.len())?;
        for problem in &self.problems {
            write!(f, "\n  - {problem}")?;
        }
        Ok(())
    }
}

/// Reads settings one by one and collects their problems.
pub(super) struct Reader<'a> {
    environment: &'a Environment,
    file: BTreeMap<String, String>,
    problems: Vec<String>,
    reported: BTreeSet<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        let mut reader = Self {
            environment,
            file: BTreeMap::new(),
            problems: Vec::new(),
            reported: BTreeSet::new(),
        };
        if let Some(path) = environment.get("ODT_CONFIG_FILE") {
            reader.read_file(Path::new(path));
        }
        for name in &environment.unreadable {
            reader.problem(name, "is not valid UTF-8");
        }
        for name in environment.unknown_names() {
            reader.problem(name, "is not a setting: see `okta-device-trust check-config --list`");
        }
        reader
    }

    fn read_file(&mut self, path: &Path) {
        let parsed =
            std::fs::read_to_string(path).map_err(|error| error.kind().to_string()).and_then(
                |text| text.parse::<toml::Table>().map_err(|error| first_line(&error.to_string())),
            );
        let table = match parsed {
            Ok(table) => table,
            Err(error) => {
                return self.problem("ODT_CONFIG_FILE", &format!("cannot be read: {error}"));
            }
        };
        for (key, value) in table {
            let name = format!("ODT_{}", key.to_ascii_uppercase());
            if !is_known(&name) || name == "ODT_CONFIG_FILE" {
                self.problem(&key, "in the configuration file is not a setting");
                continue;
            }
            let text = match value {
                toml::Value::String(text) => text,
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(flag) => flag.to_string(),
                _ => {
                    self.problem(
                        &key,
                        "in the configuration file must be a string, a number or a boolean",
                    );
                    continue;
                }
            };
            self.file.insert(name, text);
        }
    }

    pub(super) fn problem(&mut self, name: &str, what: &str) {
        if self.reported.insert(name.to_owned()) {
            self.problems.push(format!("{name} {what}"));
        }
    }

    fn raw(&self, name: &str) -> Option<String> {
        let value = self.environment.get(name).or_else(|| self.file.get(name).map(String::as_str));
        value.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// Returns the value, or the setting's default.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let default = SETTINGS.iter().find(|setting| setting.name == name).and_then(|s| s.default);
        self.raw(name).or_else(|| default.map(str::to_owned))
    }

    /// Returns a secret, from the setting itself or from the file named by `…_FILE`, but not both.
    pub(super) fn secret(&mut self, name: &str) -> Option<String> {
        let file_name = format!("{name}_FILE");
        match (self.raw(name), self.raw(&file_name)) {
            (Some(_), Some(_)) => {
                self.problem(name, &format!("and {file_name} cannot both be set"));
                None
            }
            (Some(value), None) => Some(value),
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
                Ok(_) => {
                    self.problem(&file_name, "names an empty file");
                    None
                }
                Err(error) => {
                    self.problem(&file_name, &format!("cannot be read: {}", error.kind()));
                    None
                }
            },
            (None, None) => None,
        }
    }

    /// Returns the parsed value. Reports a value that does not parse as "must be `expected`".
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.problem(name, &format!("must be {expected}"));
        }
        value
    }

    pub(super) fn required<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.problem(name, "is not set");
        }
        value
    }

    /// Returns the problems found so far.
    pub(super) fn into_problems(self) -> Vec<String> {
        self.problems
    }

    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(ConfigError { problems: self.problems }),
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn problems(variables: Vec<(&str, Vec<u8>)>) -> Vec<String> {
        let variables =
            variables.into_iter().map(|(name, value)| (name.into(), OsString::from_vec(value)));
        Reader::new(&Environment::from_variables(variables)).into_problems()
    }

    #[test]
    fn only_our_variables_must_be_utf_8() {
        let found = problems(vec![("ODT_LISTEN", vec![0xff, 0xfe]), ("HOME", vec![0xff])]);
        assert_eq!(found, ["ODT_LISTEN is not valid UTF-8"]);
    }

    #[test]
    fn kubernetes_service_variables_are_skipped() {
        for (name, value) in [
            ("ODT_SERVICE_HOST", "10.0.0.1"),
            ("ODT_SERVICE_PORT", "80"),
            ("ODT_SERVICE_PORT_HTTP", "80"),
            ("ODT_SERVICE_PORT_HTTP_METRICS", "9090"),
            ("ODT_PORT", "tcp://10.0.0.1:80"),
            ("ODT_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("ODT_PORT_8080_TCP_PROTO", "tcp"),
            ("ODT_PORT_8080_TCP_PORT", "8080"),
            ("ODT_PORT_8080_TCP_ADDR", "10.0.0.1"),
            ("ODT_POSTGRES_SERVICE_HOST", "10.0.0.2"),
            ("ODT_POSTGRES_PORT", "tcp://10.0.0.2:5432"),
            ("ODT_POSTGRES_PORT_5432_TCP_PORT", "5432"),
            ("ODT_DNS_PORT_53_UDP_ADDR", "10.0.0.3"),
        ] {
            assert_eq!(problems(vec![(name, value.into())]), [""; 0], "{name}");
        }
    }

    #[test]
    fn a_misspelt_setting_is_not_mistaken_for_a_kubernetes_variable() {
        for (name, value) in [
            ("ODT_PORT", "8080"),
            ("ODT_LISTEN_PORT", "8080"),
            ("ODT_PORT_8080", "tcp://10.0.0.1:80"),
            ("ODT_PORT_X_TCP_ADDR", "10.0.0.1"),
            ("ODT_SERVICE", "10.0.0.1"),
            ("ODT_SERVICE_PORT", "http"),
        ] {
            assert_eq!(problems(vec![(name, value.into())]).len(), 1, "{name}");
        }
    }
}
