//! Reads names out of Rust source, as far as the layout of this crate needs it.

/// The segments of a path, such as `crate`, `store`, `Store`.
pub type Path = Vec<String>;

/// The code without comments, test modules and the paths in visibilities.
pub fn strip(source: &str) -> String {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let lines: Vec<&str> = code.lines().filter(|line| !is_comment(line)).collect();
    let mut stripped = String::new();
    for (place, part) in lines.join("\n").split("pub(").enumerate() {
        let rest = if place == 0 { part } else { part.split_once(')').map_or(part, |(_, r)| r) };
        stripped.push_str(if place == 0 { "" } else { "pub" });
        stripped.push_str(rest);
    }
    stripped
}

/// The first word of a text.
pub fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| is_word(*c)).collect()
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// All paths with `::` in the code but those of `pub use`; `a::{b, c}` is two paths.
pub fn paths(code: &str) -> Vec<Path> {
    let without: String = code
        .split("pub use ")
        .enumerate()
        .map(|(place, part)| match (place, part.split_once(';')) {
            (0, _) | (_, None) => part,
            (_, Some((_, rest))) => rest,
        })
        .collect();
    read_paths(&without)
}

/// The paths of `pub use`.
pub fn re_exports(code: &str) -> Vec<Path> {
    let statements = code.split("pub use ").skip(1);
    statements.flat_map(|rest| expand(rest.split(';').next().unwrap_or_default())).collect()
}

fn read_paths(code: &str) -> Vec<Path> {
    let mut found = Vec::new();
    let mut before = ' ';
    for (at, c) in code.char_indices() {
        if is_word(c) && !is_word(before) && before != ':' {
            let paths = expand(&code[at..]);
            found.extend(paths.into_iter().filter(|path| path.len() > 1));
        }
        before = c;
    }
    found
}

/// The paths of a tree such as `a::{b, c::{self, d as e}}` at the start of the text.
fn expand(text: &str) -> Vec<Path> {
    let mut found = Vec::new();
    read_tree(text, &Path::new(), &mut found);
    found
}

/// Reads one tree below `prefix`, and returns what comes after it.
fn read_tree<'t>(text: &'t str, prefix: &Path, found: &mut Vec<Path>) -> &'t str {
    let mut path = prefix.clone();
    let mut rest = text.trim_start();
    loop {
        let word = first_word(rest);
        if word.is_empty() {
            break;
        }
        rest = &rest[word.len()..];
        if word != "self" || path.is_empty() {
            path.push(word);
        }
        let Some(after) = rest.strip_prefix("::") else { break };
        rest = after;
        if let Some(list) = rest.strip_prefix('{') {
            return read_list(list, &path, found);
        }
    }
    found.push(path);
    rest
}

fn read_list<'t>(list: &'t str, path: &Path, found: &mut Vec<Path>) -> &'t str {
    let mut rest = list.trim_start();
    while !rest.is_empty() && !rest.starts_with('}') {
        let after = read_tree(rest, path, found);
        let end = after.find([',', '}']).unwrap_or(after.len());
        rest = after[end..].trim_start_matches(',').trim_start();
    }
    rest.get(1..).unwrap_or_default()
}

/// The names of the methods in `impl owner`.
pub fn methods(code: &str, owner: &str) -> Vec<String> {
    let start = format!("impl {owner} {{\n");
    let blocks = code.split(start.as_str()).skip(1);
    let bodies = blocks.map(|block| block.split("\n}").next().unwrap_or_default());
    bodies.flat_map(|body| body.split("fn ").skip(1).map(first_word)).collect()
}

/// The names of the methods that are called on `self`, or on a clone of it in the variable `clone`.
pub fn calls_on_self(code: &str, clone: &str) -> Vec<String> {
    let called = ["self", clone].into_iter().flat_map(|owner| {
        code.split(owner).skip(1).filter_map(|rest| {
            let name = first_word(rest.trim_start().strip_prefix('.')?);
            let call = rest.trim_start()[1..].trim_start().strip_prefix(name.as_str())?;
            call.starts_with('(').then_some(name)
        })
    });
    called.collect()
}
