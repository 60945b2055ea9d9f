//! Which file of `src` imports which.
//!
//! A file imports the file that *defines* what it names: in a `use`, in a path in its code, or by
//! calling a method of `Service` or `Store` on `self` that another file of the same layer defines.
//! `pub use` is followed to the definition. The `mod x;` and `pub use x::Y;` of a folder's `mod.rs`
//! are declarations and no imports. Test modules are left out.

use std::collections::{BTreeMap, BTreeSet};

use super::code::{self, Path};
use super::top_module;

/// The files that each file imports, by their names below `src`.
pub struct ImportGraph(BTreeMap<String, BTreeSet<String>>);

/// The modules of the crate: their files, and what those re-export.
struct Modules {
    files: BTreeMap<Path, String>,
    re_exports: BTreeMap<String, Vec<Path>>,
}

impl ImportGraph {
    /// Reads the imports of `sources`: pairs of a file's name below `src` and its text.
    pub fn read(sources: &[(String, String)]) -> Self {
        let files: Vec<(String, String)> = sources
            .iter()
            .filter(|(name, _)| !is_test(name))
            .map(|(name, text)| (name.clone(), code::strip(text)))
            .collect();
        let modules = Modules::read(&files);
        let mut graph = Self(BTreeMap::new());
        for (name, text) in &files {
            let paths = code::paths(text);
            let found = paths.iter().filter_map(|path| modules.defining_file(path, name));
            graph.0.entry(name.clone()).or_default().extend(found);
        }
        graph.add_calls(&files, "service", "Service");
        graph.add_calls(&files, "store", "Store");
        for (name, imported) in &mut graph.0 {
            imported.remove(name);
        }
        graph
    }

    /// Adds the calls of methods of `owner` between the files of one layer.
    fn add_calls(&mut self, files: &[(String, String)], layer: &str, owner: &str) {
        let in_layer = || files.iter().filter(|(name, _)| top_module(name) == layer);
        let defined: BTreeMap<String, &String> = in_layer()
            .flat_map(|(name, text)| code::methods(text, owner).into_iter().map(move |m| (m, name)))
            .collect();
        for (name, text) in in_layer() {
            let called = code::calls_on_self(text, layer).into_iter();
            let found = called.filter_map(|method| defined.get(&method).map(|&file| file.clone()));
            self.0.entry(name.clone()).or_default().extend(found);
        }
    }

    /// Each pair of an importing and an imported file.
    pub fn imports(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|(name, imported)| {
            imported.iter().map(move |other| (name.as_str(), other.as_str()))
        })
    }

    /// A cycle of files, if there is one: each file imports the next, the last one the first.
    pub fn cycle(&self) -> Option<Vec<String>> {
        let mut left = self.0.clone();
        // What imports nothing that is left cannot be in a cycle.
        loop {
            let names: BTreeSet<String> = left.keys().cloned().collect();
            let before = left.len();
            left.retain(|_, imported| !imported.is_disjoint(&names));
            if left.len() == before {
                break;
            }
        }
        let mut walked = vec![left.keys().next()?.clone()];
        loop {
            let next = left[walked.last()?].iter().find(|name| left.contains_key(*name))?;
            if let Some(start) = walked.iter().position(|name| name == next) {
                return Some(walked.split_off(start));
            }
            walked.push(next.clone());
        }
    }
}

impl Modules {
    fn read(files: &[(String, String)]) -> Self {
        let modules = files.iter().filter(|(name, _)| name != "main.rs");
        Self {
            files: modules.map(|(name, _)| (module_of(name), name.clone())).collect(),
            re_exports: files
                .iter()
                .map(|(name, text)| (name.clone(), code::re_exports(text)))
                .collect(),
        }
    }

    /// The file that defines what `path` names in `file`; `None` for what is not of this crate.
    fn defining_file(&self, path: &[String], file: &str) -> Option<String> {
        let (module, item) = self.resolve(path, &module_of(file))?;
        let found = self.files.get(&module)?;
        let re_exports = self.re_exports.get(found);
        let re_exported =
            item.and_then(|item| re_exports?.iter().find(|p| p.last() == Some(&item)));
        match re_exported {
            // A folder that re-exports from itself under the same name would go round for ever.
            Some(path) if found != file => self.defining_file(path, found),
            _ => Some(found.clone()),
        }
    }

    /// The module that `path` leads to from the module `from`, and the name that is meant in it.
    fn resolve(&self, path: &[String], from: &[String]) -> Option<(Path, Option<String>)> {
        let mut rest = path;
        let mut module = match path.first()?.as_str() {
            "crate" | "okta_device_trust" => Path::new(),
            "self" | "super" => from.to_vec(),
            child => {
                let inner: Path = from.iter().cloned().chain([child.to_owned()]).collect();
                return self.files.contains_key(&inner).then(|| self.descend(inner, &path[1..]));
            }
        };
        while let Some(first @ ("self" | "super" | "crate" | "okta_device_trust")) =
            rest.first().map(String::as_str)
        {
            if first == "super" {
                module.pop();
            }
            rest = &rest[1..];
        }
        Some(self.descend(module, rest))
    }

    fn descend(&self, mut module: Path, rest: &[String]) -> (Path, Option<String>) {
        for (at, name) in rest.iter().enumerate() {
            module.push(name.clone());
            if !self.files.contains_key(&module) {
                module.pop();
                return (module, rest.get(at).cloned());
            }
        }
        (module, None)
    }
}

fn is_test(name: &str) -> bool {
    name.contains("tests/") || name.ends_with("tests.rs")
}

/// `store/mirror/syncs.rs` is the module `store::mirror::syncs`, `store/mod.rs` is `store`.
fn module_of(name: &str) -> Path {
    let mut path: Path = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    path.pop_if(|last| matches!(last.as_str(), "mod" | "lib" | "main"));
    path
}

#[test]
fn re_exports_are_followed_and_declarations_are_no_imports() {
    let sources = [
        ("store/mod.rs", "mod a;\npub use a::{A, other};\n"),
        ("store/a/mod.rs", "mod b;\npub(super) use b::A;\npub fn other() {}"),
        ("store/a/b.rs", "pub struct A;"),
        (
            "service/mod.rs",
            "use crate::store::{\n    A as B,\n};\nfn f() { crate::store::other(); }",
        ),
    ];
    let sources = sources.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let graph = ImportGraph::read(&sources);
    let imports: Vec<(&str, &str)> = graph.imports().collect();
    let expected = ["store/a/b.rs", "store/a/mod.rs"].map(|other| ("service/mod.rs", other));
    assert_eq!(imports, expected);
    assert_eq!(graph.cycle(), None);
}

#[test]
fn a_cycle_through_methods_on_self_is_found() {
    let sources = [
        ("service/a.rs", "impl Service {\n    fn one(&self) {\n        self\n.two();\n    }\n}\n"),
        ("service/b.rs", "impl Service {\n    fn two(&self) {\n        self.one();\n    }\n}\n"),
        ("service/c.rs", "use super::a::X;"),
    ];
    let sources = sources.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let cycle = ImportGraph::read(&sources).cycle().expect("a cycle");
    assert_eq!(cycle, ["service/a.rs", "service/b.rs"]);
}
