//! Okta's own description of its API (OpenAPI), where the environment says that it is there: each request to
//! a simulated org is held against it.
//!
//! Knows as much of OpenAPI as Okta's description uses for requests: paths, parameters, forms and enums.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use super::message::Request;

/// The folder with the description's files.
const VARIABLE: &str = "ODT_TEST_OKTA_SPEC";

/// What a client authenticates with at the token endpoint. The description has these as security schemes
/// and not in the schema of the form.
const CLIENT_FIELDS: [&str; 4] =
    ["client_id", "client_secret", "client_assertion", "client_assertion_type"];

/// The operations that are described.
#[derive(Debug)]
pub struct Description {
    operations: Vec<Operation>,
}

#[derive(Debug)]
struct Operation {
    method: String,
    /// `/api/v1/devices/{deviceId}`
    path: String,
    /// With the references of the file resolved.
    parameters: Vec<Value>,
    form: Option<Form>,
    takes_token: bool,
}

#[derive(Debug, Default)]
struct Form {
    properties: Vec<(String, Value)>,
    required: Vec<String>,
}

impl Description {
    /// `None` where the description is not there, which it says on standard error.
    pub fn from_env() -> Option<Arc<Self>> {
        let Some(folder) = std::env::var_os(VARIABLE) else {
            eprintln!("SKIPPED: no request is held against Okta's description: set {VARIABLE}");
            return None;
        };
        Some(Arc::new(Self::read(Path::new(&folder)).expect("Okta's description")))
    }

    /// Reads all files of the folder that end in `.yaml`.
    ///
    /// # Errors
    /// For a folder without a description, and for a file that is none.
    pub fn read(folder: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let mut operations = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let documents = YamlLoader::load_from_str(&std::fs::read_to_string(&path)?)?;
                let document = documents.first().map(to_json).unwrap_or_default();
                operations.extend(operations_of(&document));
            }
        }
        if operations.is_empty() {
            return Err(format!("no operation is described in {}", folder.display()).into());
        }
        Ok(Self { operations })
    }

    /// What is wrong with a request by the description; nothing for most.
    pub(super) fn violations(&self, request: &Request) -> Vec<String> {
        let paths = self.operations.iter().filter(|op| matches(&op.path, &request.path));
        // `/users/me` is more particular than `/users/{userId}`.
        let by_path: Vec<&Operation> = paths.collect();
        let particular = by_path.iter().map(|op| op.path.matches('{').count()).min();
        let mut found = by_path
            .iter()
            .filter(|op| Some(op.path.matches('{').count()) == particular)
            .filter(|op| op.method == request.method);
        let Some(operation) = found.next() else {
            return vec!["this method and path are not described".to_owned()];
        };
        let mut violations = operation.query_violations(request);
        violations.extend(operation.path_violations(request));
        violations.extend(operation.form_violations(request));
        violations.extend(operation.header_violations(request));
        violations
    }
}

impl Operation {
    fn parameters_in<'a>(&'a self, place: &'a str) -> impl Iterator<Item = &'a Value> {
        self.parameters.iter().filter(move |parameter| parameter["in"] == place)
    }

    fn query_violations(&self, request: &Request) -> Vec<String> {
        let sent = request.query_pairs();
        let mut violations = Vec::new();
        for (index, (name, value)) in sent.iter().enumerate() {
            if sent[..index].iter().any(|(other, _)| other == name) {
                violations.push(format!("the parameter {name} is repeated"));
            }
            match self.parameters_in("query").find(|parameter| parameter["name"] == **name) {
                Some(parameter) => violations.extend(misfit(name, value, &parameter["schema"])),
                // Okta's links to the next page bring these, described or not.
                None if matches!(name.as_str(), "after" | "limit") => {}
                None => violations.push(format!("the parameter {name} is not described")),
            }
        }
        let missing = self.parameters_in("query").filter(|parameter| {
            parameter["required"] == true
                && !sent.iter().any(|(name, _)| parameter["name"] == **name)
        });
        violations.extend(missing.map(|p| format!("the parameter {} is missing", p["name"])));
        violations
    }

    fn path_violations(&self, request: &Request) -> Vec<String> {
        let pairs = self.path.split('/').zip(request.path.split('/'));
        let filled = pairs.filter_map(|(template, sent)| {
            let name = template.strip_prefix('{')?.strip_suffix('}')?;
            let parameter = self.parameters_in("path").find(|p| p["name"] == name)?;
            misfit(name, sent, &parameter["schema"])
        });
        filled.collect()
    }

    fn form_violations(&self, request: &Request) -> Vec<String> {
        let Some(form) = &self.form else {
            let has_body = !request.body.is_empty();
            return has_body.then(|| "no body is described".to_owned()).into_iter().collect();
        };
        if !request.is_form() {
            return vec!["the body is no form".to_owned()];
        }
        let sent = request.form();
        let mut violations = Vec::new();
        for (name, value) in &sent {
            match form.properties.iter().find(|(other, _)| other == name) {
                Some((_, schema)) => violations.extend(misfit(name, value, schema)),
                None if CLIENT_FIELDS.contains(&name.as_str()) => {}
                None => violations.push(format!("the field {name} is not described")),
            }
        }
        let missing = form.required.iter().filter(|name| !sent.iter().any(|(n, _)| n == *name));
        violations.extend(missing.map(|name| format!("the field {name} is missing")));
        violations
    }

    fn header_violations(&self, request: &Request) -> Vec<String> {
        let mut violations = Vec::new();
        if !request.admits_json() {
            violations.push("the answer is JSON, which Accept does not admit".to_owned());
        }
        let scheme = request.header("authorization").and_then(|value| value.split(' ').next());
        if self.takes_token && !matches!(scheme, Some("Bearer" | "DPoP")) {
            violations.push("no OAuth token is sent".to_owned());
        }
        violations
    }
}

/// Whether the template leads to the path.
fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(part, sent)| {
            part == sent || (part.starts_with('{') && part.ends_with('}') && !sent.is_empty())
        })
}

/// Why a text does not fit a schema of a string or a number.
fn misfit(name: &str, value: &str, schema: &Value) -> Option<String> {
    if schema["type"] == "integer" {
        let Ok(number) = value.parse::<i64>() else {
            return Some(format!("{name} is no integer: {value}"));
        };
        let outside = schema["minimum"].as_i64().is_some_and(|least| number < least)
            || schema["maximum"].as_i64().is_some_and(|most| number > most);
        return outside.then(|| format!("{name} is out of range: {value}"));
    }
    let allowed = schema["enum"].as_array()?;
    let is_allowed = allowed.iter().any(|other| other.as_str() == Some(value));
    (!is_allowed).then(|| format!("{name} has a value that is not described: {value}"))
}

fn operations_of(document: &Value) -> Vec<Operation> {
    let empty = serde_json::Map::new();
    let paths = document["paths"].as_object().unwrap_or(&empty);
    let mut found = Vec::new();
    for (path, item) in paths {
        for method in ["get", "post", "put", "delete", "patch"] {
            let operation = &item[method];
            if operation.is_null() {
                continue;
            }
            let own = operation["parameters"].as_array().into_iter().flatten();
            let parameters = own.chain(item["parameters"].as_array().into_iter().flatten());
            let mut security = operation["security"].as_array().into_iter().flatten();
            found.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                parameters: parameters.map(|parameter| resolved(document, parameter)).collect(),
                form: form_of(document, operation),
                takes_token: security.any(|way| way.get("oauth2").is_some()),
            });
        }
    }
    found
}

/// The value, and its schema, with what they refer to in their place.
fn resolved(document: &Value, value: &Value) -> Value {
    let mut value = follow(document, value).clone();
    if let Some(schema) = value.get("schema") {
        let schema = follow(document, schema).clone();
        value["schema"] = schema;
    }
    value
}

fn follow<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(&Value::Null),
        None => value,
    }
}

/// The form of an operation, for the grant of client credentials where it depends on the grant.
fn form_of(document: &Value, operation: &Value) -> Option<Form> {
    let content = &operation["requestBody"]["content"]["application/x-www-form-urlencoded"];
    let schema = follow(document, content.get("schema")?);
    let mut form = Form::default();
    let by_grant = &schema["discriminator"]["mapping"]["client_credentials"];
    match by_grant.as_str().and_then(|reference| document.pointer(reference.strip_prefix('#')?)) {
        Some(schema) => form.collect(document, schema),
        None => form.collect(document, schema),
    }
    form.required.push("grant_type".to_owned());
    Some(form)
}

impl Form {
    fn collect(&mut self, document: &Value, schema: &Value) {
        let schema = follow(document, schema);
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.collect(document, part);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            self.properties.push((name.clone(), follow(document, property).clone()));
        }
        let required = schema["required"].as_array().into_iter().flatten();
        self.required.extend(required.filter_map(|name| name.as_str().map(str::to_owned)));
    }
}

fn to_json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::String(text) | Yaml::Real(text) => Value::from(text.as_str()),
        Yaml::Integer(number) => Value::from(*number),
        Yaml::Boolean(value) => Value::from(*value),
        Yaml::Array(items) => items.iter().map(to_json).collect(),
        Yaml::Hash(entries) => {
            let name = |key: &Yaml| match to_json(key) {
                Value::String(name) => name,
                other => other.to_string(),
            };
            entries.iter().map(|(key, value)| (name(key), to_json(value))).collect()
        }
        _ => Value::Null,
    }
}
