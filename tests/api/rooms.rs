//! The house: which room may import which (imports point left), and where secrets may be exposed.

use std::path::{Path, PathBuf};

/// From left to right; a room may import those of the groups before its own.
const GROUPS: [&[&str]; 9] = [
    &["model", "config"],
    &["crypto", "telemetry", "egress", "payload"],
    &["okta", "store", "auth"],
    &["service"],
    &["handlers"],
    &["openapi"],
    &["routes"],
    &["startup"],
    &["main", "cli", "lib"],
];

/// The only rooms where a secret leaves its wrapping: where bytes leave, and where they are read.
const MAY_EXPOSE: [&str; 6] =
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

fn all_sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let name = |path: &PathBuf| {
        path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned()
    };
    paths.iter().map(|path| (name(path), std::fs::read_to_string(path).expect("source"))).collect()
}

fn room_of(name: &str) -> &str {
    let first = name.split('/').next().unwrap_or(name);
    first.strip_suffix(".rs").unwrap_or(first)
}

fn group_of(room: &str) -> usize {
    GROUPS.iter().position(|group| group.contains(&room)).unwrap_or_else(|| {
        panic!("the room {room:?} has no place in the house: give it one in GROUPS")
    })
}

/// The rooms that a source names, in `use crate::…` and in paths.
fn imported(source: &str) -> Vec<String> {
    let code: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    let mut rooms = Vec::new();
    for root in ["crate::", "okta_device_trust::"] {
        for (at, _) in code.match_indices(root) {
            let rest = &code[at + root.len()..];
            let names: Vec<String> = match rest.strip_prefix('{') {
                Some(list) => {
                    list.split('}').next().unwrap_or_default().split(',').map(first_word).collect()
                }
                None => vec![first_word(rest)],
            };
            rooms.extend(names.into_iter().filter(|name| !name.is_empty()));
        }
    }
    rooms
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

#[test]
fn imports_point_left() {
    for (name, source) in all_sources() {
        let room = room_of(&name);
        for other in imported(&source) {
            if other == room || !GROUPS.concat().contains(&other.as_str()) {
                continue;
            }
            assert!(
                group_of(&other) < group_of(room),
                "{name} imports {other}, which does not lie to the left of {room}"
            );
        }
        group_of(room);
    }
}

#[test]
fn only_the_store_has_sql_and_only_handlers_have_http_status() {
    for (name, source) in all_sources() {
        let room = room_of(&name);
        if room != "store" {
            assert!(!source.contains("use diesel"), "{name} has SQL");
        }
        if room == "service" || room == "store" {
            assert!(
                !source.contains("actix_web") && !source.contains("StatusCode"),
                "{name} knows HTTP"
            );
        }
    }
}

#[test]
fn secrets_are_exposed_only_where_bytes_leave() {
    for (name, source) in all_sources() {
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        let allowed = MAY_EXPOSE.iter().any(|place| name.starts_with(place));
        assert!(allowed || !code.contains("expose_secret()"), "{name} exposes a secret");
    }
}

/// The names of the types of a source that the OpenAPI document has schemas of.
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
fn no_two_types_are_one_schema_of_the_document() {
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
fn every_file_says_what_it_is_for() {
    for (name, source) in all_sources() {
        assert!(
            source.starts_with("//!") || name.ends_with("schema.rs"),
            "{name} has no head comment"
        );
    }
}
