//! The layers of `src`: a module imports lower layers only, no files import each other in a cycle, and
//! SQL, HTTP and secrets stay where they belong.

mod boundaries;
mod code;
mod documents;
mod import_graph;
mod migrations;
mod store;

use std::path::{Path, PathBuf};

use code::first_word;
use import_graph::ImportGraph;

/// From the lowest to the highest; a module imports modules of lower layers only.
const LAYERS: [&[&str]; 10] = [
    &["model", "config"],
    &["crypto", "telemetry", "egress", "payload"],
    &["okta", "store", "auth"],
    &["service"],
    &["handlers"],
    &["openapi"],
    &["routes"],
    &["startup"],
    &["lib", "cli"],
    &["main"],
];

/// Where a secret may be taken out of its wrapper: where its bytes are sent, and where they are read.
const MAY_EXPOSE_SECRETS: [&str; 6] =
    ["crypto", "okta", "payload", "store/pool.rs", "store/migrations.rs", "auth/mod.rs"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The files below `src`, by their names there, and their text.
pub fn all_sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let name = |path: &PathBuf| {
        path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned()
    };
    paths.iter().map(|path| (name(path), std::fs::read_to_string(path).expect("source"))).collect()
}

/// The module at the top of `src` that a file belongs to.
fn top_module(name: &str) -> &str {
    let first = name.split('/').next().unwrap_or(name);
    first.strip_suffix(".rs").unwrap_or(first)
}

fn layer_of(name: &str) -> usize {
    let module = top_module(name);
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or_else(|| panic!("the module {module:?} has no layer: add it to LAYERS"))
}

fn graph() -> ImportGraph {
    ImportGraph::read(&all_sources())
}

#[test]
fn modules_import_lower_layers_only() {
    for (name, other) in graph().imports() {
        assert!(
            top_module(name) == top_module(other) || layer_of(other) < layer_of(name),
            "{name} imports {other}, which is not in a lower layer"
        );
    }
    for (name, _) in all_sources() {
        layer_of(&name);
    }
}

#[test]
fn no_files_import_each_other_in_a_cycle() {
    if let Some(cycle) = graph().cycle() {
        panic!("these files import each other in a cycle: {}", cycle.join(" -> "));
    }
}

#[test]
fn only_the_store_has_sql_and_only_handlers_have_http_status() {
    for (name, source) in all_sources() {
        let module = top_module(&name);
        if module != "store" {
            assert!(!source.contains("use diesel"), "{name} has SQL");
        }
        if module == "service" || module == "store" {
            assert!(
                !source.contains("actix_web") && !source.contains("StatusCode"),
                "{name} knows HTTP"
            );
        }
    }
}

#[test]
fn secrets_are_exposed_only_where_they_are_sent_or_read() {
    for (name, source) in all_sources() {
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let allowed = MAY_EXPOSE_SECRETS.iter().any(|place| name.starts_with(place));
        assert!(allowed || !code.contains("expose_secret()"), "{name} exposes a secret");
    }
}

/// The names of the types of a file that have a schema in the OpenAPI document.
fn schema_names(source: &str) -> Vec<String> {
    let after_derive = source.split("ToSchema").skip(1).filter_map(|rest| {
        let lines = rest.lines().map(|line| line.trim_start().trim_start_matches("pub "));
        let declared = lines
            .filter_map(|line| line.strip_prefix("struct ").or_else(|| line.strip_prefix("enum ")));
        declared.map(first_word).next()
    });
    after_derive.collect()
}

#[test]
fn no_two_types_have_one_schema_name() {
    let mut places = std::collections::BTreeMap::<String, String>::new();
    for (name, source) in all_sources() {
        for schema in schema_names(&source) {
            if let Some(other) = places.insert(schema.clone(), name.clone()) {
                panic!("{schema} is in {other} and in {name}: the document would show one of them");
            }
        }
    }
    assert!(places.len() > 50, "{places:?}");
}

#[test]
fn every_file_has_a_head_comment() {
    for (name, source) in all_sources() {
        assert!(
            source.starts_with("//!")
                || source.starts_with("#![doc")
                || name.ends_with("schema.rs"),
            "{name} has no head comment"
        );
    }
}
