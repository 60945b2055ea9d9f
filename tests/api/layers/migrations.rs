//! The version of a migration is the number in front of its name.

use std::collections::BTreeSet;
use std::path::Path;

/// Of two migrations with one version Diesel runs only one, without an error.
#[test]
fn migration_versions_are_unique() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut versions = BTreeSet::new();
    for migration in std::fs::read_dir(folder).expect("migrations") {
        let name = migration.expect("migration").file_name().into_string().expect("name");
        let (version, _) = name.split_once('_').expect("a version and a name");
        assert!(versions.insert(version.to_owned()), "{version} is the version of two migrations");
    }
    assert!(versions.len() > 10, "only {} migrations were found", versions.len());
}
