//! The order of the folders inside `store`, and how many imports there are between its parts.

use std::collections::BTreeSet;

use super::{all_sources, graph};

/// The folders of `store`, from the lowest to the highest. A folder imports folders of its own group
/// and of those before it.
const FOLDERS: [&[&str]; 4] =
    [&["record"], &["keys", "event_hooks", "mirror", "devices"], &["platforms"], &["integrations"]];

/// What every file of `store` may use; imports of these are not counted.
const SHARED: [&str; 3] = ["mod.rs", "error.rs", "schema.rs"];

const MAX_IMPORTS: usize = 65;

/// The imports inside `store`: names below `store/`, without the shared files.
fn imports() -> Vec<(String, String)> {
    let graph = graph();
    let inside = graph.imports().filter_map(|(name, other)| {
        Some((name.strip_prefix("store/")?, other.strip_prefix("store/")?))
    });
    inside
        .filter(|(name, other)| !SHARED.contains(name) && !SHARED.contains(other))
        .map(|(name, other)| (name.to_owned(), other.to_owned()))
        .collect()
}

/// The folder of a file, or the file itself when it is in none.
fn part_of(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

fn group_of(part: &str) -> Option<usize> {
    FOLDERS.iter().position(|group| group.contains(&part))
}

#[test]
fn folders_of_the_store_import_lower_folders_only() {
    for (name, other) in imports() {
        if let (Some(own), Some(theirs)) = (group_of(part_of(&name)), group_of(part_of(&other))) {
            assert!(
                theirs <= own,
                "store/{name} imports store/{other}, which is in a higher folder"
            );
        }
    }
}

/// A file that imports several files of another folder counts once for that folder.
#[test]
fn parts_of_the_store_have_few_imports() {
    let imports = imports();
    let counted: BTreeSet<(&str, &str)> = imports
        .iter()
        .map(|(name, other)| {
            let same_folder = part_of(name) == part_of(other);
            (name.as_str(), if same_folder { other.as_str() } else { part_of(other) })
        })
        .collect();
    assert!(counted.len() <= MAX_IMPORTS, "{} imports: {counted:#?}", counted.len());
    assert!(counted.len() > 20, "the imports of the store are not found: {counted:#?}");
}

/// Tables whose rows are part of projected facts, and the projected facts.
const PROJECTED: [&str; 5] =
    ["devices", "device_deliveries", "device_certificates", "okta_devices", "trust_facts"];

/// The files that write them. Each notes in `Tx::touched` what it changes.
const PROJECTED_BY: [&str; 8] = [
    "devices/rows.rs",
    "housekeeping.rs",
    "mirror/merge.rs",
    "mirror/okta_devices.rs",
    // Columns that are no facts: when a read was postponed, and when a record was removed.
    "mirror/rereads.rs",
    "mirror/rows.rs",
    "mirror/sweep_completion.rs",
    "transaction.rs",
];

/// A write that is not noted would leave projected facts as they were, and with them a verdict.
#[test]
fn tables_of_projected_facts_are_written_by_few_files() {
    let mut found = BTreeSet::new();
    for (name, text) in all_sources() {
        let Some(name) = name.strip_prefix("store/") else { continue };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let writes = PROJECTED.iter().any(|table| writes_table(&text, table));
        if writes {
            assert!(PROJECTED_BY.contains(&name), "store/{name} writes projected tables");
            found.insert(name.to_owned());
        }
    }
    assert_eq!(
        found.len(),
        PROJECTED_BY.len(),
        "the list names files that do not write: {found:?}"
    );
}

fn writes_table(text: &str, table: &str) -> bool {
    let is_whole = |end: &str| !end.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let sql = ["INSERT INTO ", "UPDATE ", "DELETE FROM "].map(|verb| format!("{verb}{table}"));
    let in_sql = sql.iter().any(|write| text.split(write.as_str()).skip(1).any(is_whole));
    let diesel = ["insert_into(", "update(", "delete("].map(|verb| format!("{verb}{table}::table"));
    in_sql || diesel.iter().any(|write| text.contains(write))
}
