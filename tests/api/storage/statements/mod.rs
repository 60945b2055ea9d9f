//! The SQL that the service really sends: one story that uses all of the store, and PostgreSQL's log
//! of it.

mod methods;
mod sql;
mod story;

use std::collections::BTreeSet;

use testkit::okta::OrgSetup;

use crate::support::fleet::mirroring;
use crate::support::postgres::POSTGRES;
use crate::support::world::World;

use methods::{METHODS, public_methods};
use sql::{assignments, calls, is_clock, names, reads, statements, writes};

/// The tables of the schema, whether they hold customers' data, and whether the service may read and
/// write them.
const TABLES: &str = "SELECT relname, relrowsecurity, has_table_privilege('odt_app', oid, 'SELECT'), \
           has_table_privilege('odt_app', oid, 'INSERT') \
        OR has_table_privilege('odt_app', oid, 'UPDATE') \
        OR has_table_privilege('odt_app', oid, 'DELETE') \
      FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace";

struct Table {
    name: String,
    has_customer_data: bool,
    is_readable: bool,
    is_writable: bool,
}

fn tables(world: &World) -> Vec<Table> {
    let rows = world.sql(TABLES);
    let table = |row: &str| {
        let columns: Vec<&str> = row.split('|').collect();
        let [name, has_customer_data, is_readable, is_writable] = columns[..] else {
            panic!("{row}")
        };
        Table {
            name: name.to_owned(),
            has_customer_data: has_customer_data == "t",
            is_readable: is_readable == "t",
            is_writable: is_writable == "t",
        }
    };
    rows.lines().map(table).collect()
}

/// Has PostgreSQL log what the service sends to the world's database, and nothing that tests send.
fn log_statements(world: &World) {
    world.sql(&format!(
        "ALTER ROLE odt_service IN DATABASE \"{}\" SET log_statement = 'all'",
        world.database
    ));
}

/// No other session of the shared server logs statements.
fn logged() -> BTreeSet<String> {
    let log = POSTGRES.lock().expect("postgres").data_dir().with_file_name("server.log");
    statements(&String::from_utf8_lossy(&std::fs::read(log).expect("the server's log")))
}

/// A function that is volatile returns another value in each row, or does something.
fn volatile_functions(world: &World) -> BTreeSet<String> {
    let volatile = world.sql("SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v'");
    volatile.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_take_the_time_once_and_name_their_tenant() {
    let builder = mirroring()
        .org(OrgSetup::new("beta"))
        .other_host(story::NO_ORG)
        .setting("ODT_PUBLIC_URL", "https://trust.example.com");
    let world = builder.without_service().await;
    log_statements(&world);
    let world = world.serve().await;
    story::tell(&world).await;

    let (logged, tables) = (logged(), tables(&world));
    let volatile = volatile_functions(&world);
    assert!(volatile.contains("random") && volatile.contains("set_config"), "{volatile:?}");
    for sql in &logged {
        expect_stable_assignments(sql, &volatile);
        expect_time_at_the_start_only(sql);
        expect_tenant(sql, &tables);
    }
    expect_all_tables(&logged, &tables);
    expect_all_methods(&logged);
}

/// What an update assigns depends on its parameters and rows alone.
#[track_caller]
fn expect_stable_assignments(sql: &str, volatile: &BTreeSet<String>) {
    for assigned in assignments(sql) {
        for call in calls(assigned) {
            assert!(!is_clock(&call) && !volatile.contains(&call), "{call} is assigned in: {sql}");
        }
    }
}

/// The clock is read by the statement that begins a transaction, which also sets it up.
#[track_caller]
fn expect_time_at_the_start_only(sql: &str) {
    let calls = calls(sql);
    let begins = calls.contains("set_config");
    assert!(begins || !calls.iter().any(|call| is_clock(call)), "the clock is read in: {sql}");
}

/// Row-level security is the second line of defence, and not the first.
#[track_caller]
fn expect_tenant(sql: &str, tables: &[Table]) {
    let customers = tables.iter().filter(|table| table.has_customer_data);
    for Table { name, .. } in customers {
        let is_used = reads(sql, name) || writes(sql, name);
        assert!(!is_used || names(sql, "tenant_id"), "{name} without its tenant in: {sql}");
    }
}

/// The story is broad, and the service has no rights that it does not use.
#[track_caller]
fn expect_all_tables(logged: &BTreeSet<String>, tables: &[Table]) {
    assert!(tables.len() > 20, "only {} tables", tables.len());
    for Table { name, is_readable, is_writable, .. } in tables {
        let is_read = logged.iter().any(|sql| reads(sql, name));
        let is_written = logged.iter().any(|sql| writes(sql, name));
        assert_eq!(is_read, *is_readable, "{name} is read, and may be");
        assert_eq!(is_written, *is_writable, "{name} is written, and may be");
    }
}

#[track_caller]
fn expect_all_methods(logged: &BTreeSet<String>) {
    let listed: BTreeSet<String> = METHODS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed, public_methods(), "METHODS lists the methods of the store");
    let logged: Vec<String> = logged.iter().map(|sql| format!("^{sql}$")).collect();
    let did_not_run = |(_, part): &&(&str, &str)| !logged.iter().any(|sql| sql.contains(part));
    let missing: Vec<_> = METHODS.iter().filter(did_not_run).collect();
    assert!(missing.is_empty(), "not in PostgreSQL's log: {missing:#?}");
}
