//! The documents name files that exist.

use std::path::Path;

/// A document and the folders, below the workspace, that its paths are relative to.
const DOCUMENTS: [(&str, &[&str]); 4] = [
    ("README.md", &[""]),
    ("src/README.md", &["src", ""]),
    ("src/okta/README.md", &["src", ""]),
    ("tests/README.md", &["tests", "", "tests/api/support", "tests/testkit/src/okta"]),
];

/// Returns the texts in backticks that look like the path of a file in the repository.
fn paths(document: &str) -> impl Iterator<Item = &str> {
    let in_backticks = document.split('`').skip(1).step_by(2);
    in_backticks.filter(|text| {
        let is_path = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
        let is_source = [".rs", ".md", ".sql"].iter().any(|extension| text.ends_with(extension));
        is_path && (is_source || (text.contains('/') && text.starts_with("tests/")))
    })
}

#[test]
fn documents_name_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    for (name, folders) in DOCUMENTS {
        let document = std::fs::read_to_string(root.join(name)).expect("document");
        for path in paths(&document) {
            // `mod.rs` and the like stand for a file of the folder that the sentence is about.
            let is_somewhere = !path.contains('/') && name == "src/README.md";
            let exists = folders.iter().any(|folder| root.join(folder).join(path).exists());
            assert!(is_somewhere || exists, "{name} names {path}, which does not exist");
            found += 1;
        }
    }
    assert!(found > 50, "only {found} paths were found");
}
