//! Statements as PostgreSQL logs them with `log_statement = 'all'`, and what they consist of.

use std::collections::BTreeSet;

/// Words of SQL that stand for the time, without parentheses.
const CLOCK_WORDS: [&str; 5] =
    ["current_timestamp", "current_date", "current_time", "localtimestamp", "localtime"];

/// Functions that return the time.
const CLOCK_FUNCTIONS: [&str; 5] =
    ["now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday"];

/// The different statements of a log: on one line, without the quotes around names. Parameters are in
/// lines of their own and left out.
pub fn statements(log: &str) -> BTreeSet<String> {
    let mut found: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in log.lines() {
        if let Some(statement) = statement_in(line) {
            found.push(statement.to_owned());
            is_open = true;
        } else if let (true, Some(more), Some(last)) =
            (is_open, line.strip_prefix('\t'), found.last_mut())
        {
            last.push(' ');
            last.push_str(more);
        } else {
            is_open = false;
        }
    }
    found.iter().map(|statement| normalise(statement)).collect()
}

fn statement_in(line: &str) -> Option<&str> {
    if let Some((_, statement)) = line.split_once("LOG:  statement: ") {
        return Some(statement);
    }
    let (_, named) = line.split_once("LOG:  execute ")?;
    Some(named.split_once(": ")?.1)
}

fn normalise(statement: &str) -> String {
    statement.replace('"', "").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of a statement, each with the character after it.
fn words(sql: &str) -> impl Iterator<Item = (&str, Option<char>)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = sql;
    std::iter::from_fn(move || {
        let start = rest.find(is_word)?;
        let end = rest[start..].find(|c| !is_word(c)).map_or(rest.len(), |length| start + length);
        let word = &rest[start..end];
        rest = &rest[end..];
        Some((word, rest.chars().next()))
    })
}

/// The functions that a statement calls; words for the time count as such.
pub fn calls(sql: &str) -> BTreeSet<String> {
    words(sql)
        .map(|(word, next)| (word.to_ascii_lowercase(), next))
        .filter(|(word, next)| *next == Some('(') || CLOCK_WORDS.contains(&word.as_str()))
        .map(|(word, _)| word)
        .collect()
}

pub fn is_clock(call: &str) -> bool {
    CLOCK_WORDS.contains(&call) || CLOCK_FUNCTIONS.contains(&call)
}

pub fn names(sql: &str, name: &str) -> bool {
    words(sql).any(|(word, _)| word == name)
}

/// True when the statement reads rows of the table.
pub fn reads(sql: &str, table: &str) -> bool {
    let from = |start: &str| sql.match_indices(start).any(|(at, _)| follows(sql, at, start, table));
    from("JOIN ")
        || sql
            .match_indices("FROM ")
            .any(|(at, _)| !sql[..at].ends_with("DELETE ") && follows(sql, at, "FROM ", table))
}

/// True when the statement inserts, updates or deletes rows of the table.
pub fn writes(sql: &str, table: &str) -> bool {
    ["INSERT INTO ", "UPDATE ", "DELETE FROM "]
        .iter()
        .any(|start| sql.match_indices(start).any(|(at, _)| follows(sql, at, start, table)))
}

fn follows(sql: &str, at: usize, start: &str, table: &str) -> bool {
    words(&sql[at + start.len()..]).next().is_some_and(|(word, _)| word == table)
}

/// The assignments of `UPDATE … SET` and `DO UPDATE SET`.
pub fn assignments(sql: &str) -> Vec<&str> {
    sql.match_indices(" SET ").map(|(at, start)| until_its_end(&sql[at + start.len()..])).collect()
}

/// The text up to the clause that follows, outside parentheses.
fn until_its_end(text: &str) -> &str {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        let ends =
            [" WHERE ", " FROM ", " RETURNING "].iter().any(|end| text[at..].starts_with(end));
        if depth < 0 || (depth == 0 && ends) {
            return &text[..at];
        }
    }
    text
}

#[test]
fn a_log_is_read_statement_by_statement() {
    let log = "2026-01-01 00:00:00.000 UTC [7] LOG:  execute __diesel_stmt_3: \n\
               \t  SELECT \"a\".\"b\"\n\
               \t  FROM \"a\"\n\
               2026-01-01 00:00:00.000 UTC [7] DETAIL:  Parameters: $1 = 'SELECT: 7'\n\
               2026-01-01 00:00:00.000 UTC [7] LOG:  statement: BEGIN\n\
               2026-01-01 00:00:00.000 UTC [8] LOG:  checkpoint starting: time\n";
    let expected = ["BEGIN", "SELECT a.b FROM a"].map(str::to_owned);
    assert_eq!(statements(log), BTreeSet::from(expected));
}

#[test]
fn assignments_end_where_the_next_clause_begins() {
    let sql = "INSERT INTO t AS x (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET b = now(), \
               c = (SELECT max(c) FROM t WHERE d = 1) WHERE random() > 1 RETURNING a";
    let [set] = assignments(sql)[..] else { panic!("one list") };
    assert_eq!(set, "b = now(), c = (SELECT max(c) FROM t WHERE d = 1)");
    assert_eq!(calls(set), BTreeSet::from(["now".to_owned(), "max".to_owned()]));
    assert!(reads(sql, "t") && writes(sql, "t") && names(sql, "x") && !names(sql, "y"));
}
