//! Creates a cluster, or reuses one of an earlier run.
//!
//! It never modifies data that a running server uses.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use uuid::Uuid;

use super::account::Account;
use super::error::{PostgresError, cannot};
use super::guardian::wait_until;
use super::place::{Place, unfinished};
use super::programs::Programs;
use crate::private_file;

/// How long a guardian whose owner was killed needs to stop its server.
const SHUTDOWN_GRACE_PERIOD: Duration = Duration::from_secs(5);

/// Returns the superuser's password of the cluster in `place`. Creates the cluster if it does not exist.
pub(super) fn open(place: &Place, account: &Account) -> Result<(Programs, String), PostgresError> {
    let data = place.data();
    let Ok(version) = fs::read_to_string(data.join("PG_VERSION")) else {
        let programs = Programs::find(None, &data)?;
        let password = create(place, account, &programs)?;
        return Ok((programs, password));
    };
    let programs = Programs::find(Some(version.trim()), &data)?;
    let password = private_file::read(&place.password())
        .ok()
        .flatten()
        .ok_or_else(|| PostgresError::NoPassword(place.folder.clone()))?;
    refuse_running(&data)?;
    Ok((programs, password))
}

fn create(place: &Place, account: &Account, programs: &Programs) -> Result<String, PostgresError> {
    let password = Uuid::new_v4().simple().to_string();
    let password_file = place.password();
    private_file::write(&password_file, &password)
        .map_err(cannot("write the superuser's password file"))?;
    account.give(&password_file)?;
    let half = unfinished(&place.data());
    if half.exists() {
        fs::remove_dir_all(&half).map_err(cannot(format!("remove {}", half.display())))?;
    }
    // initdb accepts an empty directory, and may lack the permission to create one here.
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&half)
        .map_err(cannot(format!("create {}", half.display())))?;
    account.give(&half)?;
    let mut initdb = account.command(&programs.initdb);
    initdb
        .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"])
        .arg("--pwfile")
        .arg(&password_file)
        .arg("--pgdata")
        .arg(&half)
        .env("LC_ALL", "C");
    if place.temporary {
        initdb.arg("--no-sync");
    }
    clear_pg_variables(&mut initdb);
    let output = initdb.output().map_err(cannot("run initdb"))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        return Err(PostgresError::Initdb {
            dir: half,
            output: String::from_utf8_lossy(&text).trim().to_string(),
        });
    }
    fs::rename(&half, place.data()).map_err(cannot("rename the new cluster"))?;
    Ok(password)
}

/// Fails if a server uses the data. After `kill -9` the old server is about to stop, or only its PID file is
/// left. Another process may have got that PID, which PostgreSQL would mistake for a running server.
pub(super) fn refuse_running(data: &Path) -> Result<(), PostgresError> {
    let stopped = wait_until(SHUTDOWN_GRACE_PERIOD, || running_server(data).is_none());
    if let (false, Some(pid)) = (stopped, running_server(data)) {
        return Err(PostgresError::AlreadyRunning { pid, dir: data.to_path_buf() });
    }
    let _ = fs::remove_file(data.join("postmaster.pid"));
    Ok(())
}

fn running_server(data: &Path) -> Option<i32> {
    let pid_file = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid: i32 = pid_file.lines().next()?.trim().parse().ok()?;
    let command_line = read_command_line(pid)?;
    command_line.contains(data.to_str()?).then_some(pid)
}

fn read_command_line(pid: i32) -> Option<String> {
    if Path::new("/proc/self").exists() {
        return fs::read(format!("/proc/{pid}/cmdline"))
            .ok()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    }
    let output =
        Command::new("ps").args(["-o", "args=", "-p"]).arg(pid.to_string()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Removes PGHOST, PGSERVICE, PGOPTIONS and others, which must not affect a private server.
pub(super) fn clear_pg_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PG")) {
            command.env_remove(name);
        }
    }
}
