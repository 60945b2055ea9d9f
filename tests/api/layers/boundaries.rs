//! What the layers show each other: handlers see the service and not what lies below it.

use super::{all_sources, code, top_module};

/// The modules that handlers may import.
const HANDLERS_MAY_IMPORT: [&str; 5] = ["model", "service", "auth", "telemetry", "handlers"];

/// Types and constants of lower layers that requests and answers of the service are made of.
const SERVICE_RE_EXPORTS: [&str; 10] = [
    "APP_DOMAIN",
    "AppConfiguration",
    "EXTENSION_DATA",
    "EXTENSION_DOMAIN",
    "EnrollmentOptions",
    "PROFILE_CONTENT_TYPE",
    "PayloadScope",
    "ReportOutcome",
    "SINGLE_SIGN_ON_TYPE",
    "Snapshot",
];

#[test]
fn handlers_import_the_service_and_not_what_lies_below_it() {
    for (name, source) in all_sources() {
        if top_module(&name) != "handlers" {
            continue;
        }
        for path in code::paths(&code::strip(&source)) {
            let [root, module, ..] = path.as_slice() else { continue };
            let allowed = HANDLERS_MAY_IMPORT.contains(&module.as_str())
                || path == ["crate", "crypto", "reveal"];
            assert!(root != "crate" || allowed, "{name} imports {}", path.join("::"));
        }
    }
}

#[test]
fn the_service_re_exports_only_listed_names_of_lower_layers() {
    for (name, source) in all_sources() {
        if top_module(&name) != "service" {
            continue;
        }
        for path in code::re_exports(&code::strip(&source)) {
            let [root, module, .., item] = path.as_slice() else { continue };
            let is_lower =
                root == "crate" && ["store", "okta", "payload"].contains(&module.as_str());
            let listed = SERVICE_RE_EXPORTS.contains(&item.as_str());
            assert!(!is_lower || listed, "{name} re-exports {}", path.join("::"));
        }
    }
}

#[test]
fn errors_of_the_service_name_no_errors_of_lower_layers() {
    let mut found = 0;
    for (name, source) in all_sources() {
        if !name.starts_with("service/") {
            continue;
        }
        // Public enums at the start of a line; the private one behind `Cause` may name them.
        for part in source.split("\npub enum ").skip(1) {
            let declared = part.split("\n}").next().unwrap_or_default();
            if !code::first_word(declared).ends_with("Error") {
                continue;
            }
            found += 1;
            for error in ["StoreError", "OktaError", "PayloadError"] {
                assert!(!declared.contains(error), "an error in {name} names {error}: {declared}");
            }
        }
    }
    assert!(found >= 3, "only {found} errors were found");
}
