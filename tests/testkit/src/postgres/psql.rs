//! Runs SQL through `psql`, so that the testkit needs no database library.
//!
//! Passwords and SQL never appear on a command line, where other users could read them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::cluster::clear_pg_variables;
use super::error::{PostgresError, cannot};

pub(super) fn execute(
    psql: &Path,
    port: u16,
    password: &str,
    database: &str,
    sql: &str,
) -> Result<String, PostgresError> {
    let mut command = Command::new(psql);
    clear_pg_variables(&mut command);
    let mut child = command
        .args(["-AtXq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres", "-f", "-"])
        .args(["-p", &port.to_string(), "-d", database])
        .env("PGPASSWORD", password)
        .env("PGCONNECT_TIMEOUT", "5")
        .env("LC_ALL", "C.UTF-8")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot("start psql"))?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    // Written on a separate thread, because psql may fill its output before it has read all input.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = stdin.write_all(sql.as_bytes());
        });
        child.wait_with_output()
    })
    .map_err(cannot("wait for psql"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_string());
    }
    Err(PostgresError::Sql {
        database: database.to_string(),
        message: String::from_utf8_lossy(&output.stderr).trim().to_string(),
    })
}

/// Quotes an SQL identifier.
pub(super) fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) fn quoted_text(text: &str) -> String {
    // E'' does not depend on the server's setting for backslashes.
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
