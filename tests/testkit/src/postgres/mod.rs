//! A private PostgreSQL from the installed server programs, for tests and the development stack.
//!
//! It listens only on 127.0.0.1, on a free port, with a random superuser password, and stops when its owner
//! ends. It never affects other servers.

mod account;
mod cluster;
mod error;
mod guardian;
mod place;
mod programs;
mod psql;

use std::ffi::OsString;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use account::Account;
pub use error::PostgresError;
use error::cannot;
use guardian::{Ending, Guardian, wait_until};
use place::Place;
use programs::Programs;

const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// A running server, which stops when dropped.
#[derive(Debug)]
pub struct Postgres {
    place: Place,
    data: PathBuf,
    account: Account,
    programs: Programs,
    password: String,
    port: u16,
    guardian: Option<Guardian>,
}

impl Postgres {
    /// Starts a server with its data in a temporary directory, which is removed at the end.
    pub fn start_temporary() -> Result<Self, PostgresError> {
        let account = Account::choose()?;
        let place = Place::temporary(&account)?;
        let folder = place.clone();
        Self::start(place, account).inspect_err(|_| {
            let _ = folder.remove();
        })
    }

    /// Starts a server with its data in `dir`, which is kept between runs. If the server's account cannot access
    /// `dir` (root with a private home), the data is elsewhere; see [`data_dir`](Self::data_dir).
    pub fn start_in(dir: &Path) -> Result<Self, PostgresError> {
        let account = Account::choose()?;
        let place = Place::kept(dir, &account)?;
        Self::start(place, account)
    }

    /// Removes the data that [`start_in`](Self::start_in) keeps for `dir`, if there is any.
    pub fn remove_in(dir: &Path) -> Result<(), PostgresError> {
        let account = Account::choose()?;
        let place = Place::kept(dir, &account)?;
        cluster::refuse_running(&place.data())?;
        place.remove()
    }

    fn start(place: Place, account: Account) -> Result<Self, PostgresError> {
        let (programs, password) = cluster::open(&place, &account)?;
        // The log contains only the current run.
        File::create(place.log()).map_err(cannot("create the server's log"))?;
        let mut postgres = Self {
            data: place.data(),
            place,
            account,
            programs,
            password,
            port: 0,
            guardian: None,
        };
        postgres.start_on_a_free_port()?;
        Ok(postgres)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns PostgreSQL's data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// `postgres://role:password@127.0.0.1:port/database`
    pub fn url(&self, role: &str, password: &str, database: &str) -> String {
        let mut url =
            url::Url::parse(&format!("postgres://127.0.0.1:{}/", self.port)).expect("a valid URL");
        url.set_path(database);
        url.set_username(role).expect("the url has a host");
        url.set_password(Some(password)).expect("the url has a host");
        url.into()
    }

    pub fn superuser_url(&self, database: &str) -> String {
        self.url("postgres", &self.password, database)
    }

    /// Runs SQL as the superuser. Returns the rows with columns separated by `|`.
    pub fn execute(&self, database: &str, sql: &str) -> Result<String, PostgresError> {
        psql::execute(&self.programs.psql, self.port, &self.password, database, sql)
    }

    pub fn create_database(&self, name: &str, template: Option<&str>) -> Result<(), PostgresError> {
        let name = psql::quoted_name(name);
        let template = psql::quoted_name(template.unwrap_or("template1"));
        // FILE_COPY is faster for small databases, but PostgreSQL 14 does not support the option.
        self.execute("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}")).map(drop)
    }

    /// Drops a database, even if sessions are open on it.
    pub fn drop_database(&self, name: &str) -> Result<(), PostgresError> {
        let name = psql::quoted_name(name);
        self.execute("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).map(drop)
    }

    pub fn database_exists(&self, name: &str) -> Result<bool, PostgresError> {
        let name = psql::quoted_text(name);
        let sql = format!("SELECT count(*) FROM pg_database WHERE datname = {name}");
        Ok(self.execute("postgres", &sql)? == "1")
    }

    /// Stops the server and removes the data of a temporary one.
    pub fn stop(&mut self) {
        if let Some(mut guardian) = self.guardian.take() {
            let _ = guardian.end(STOP_TIMEOUT);
        }
    }

    /// Stops the server like a crash; it stays down until [`restart`](Self::restart).
    pub fn crash(&mut self) -> Result<(), PostgresError> {
        match self.guardian.take() {
            Some(mut guardian) => guardian.crash(STOP_TIMEOUT),
            None => Ok(()),
        }
    }

    /// Stops the server like a crash and starts it again on the same port with the same data.
    pub fn restart(&mut self) -> Result<(), PostgresError> {
        self.crash()?;
        cluster::refuse_running(&self.data)?;
        self.start_on_the_same_port()
    }

    fn start_on_a_free_port(&mut self) -> Result<(), PostgresError> {
        let mut attempts_left = 3;
        loop {
            self.port = free_port()?;
            attempts_left -= 1;
            // Another process may take the port before the server does, so retry.
            match self.start_on_the_same_port() {
                Err(PostgresError::NotStarted { .. }) if attempts_left > 0 => {}
                result => return result,
            }
        }
    }

    fn start_on_the_same_port(&mut self) -> Result<(), PostgresError> {
        let ending = if self.place.temporary { Ending::Immediate } else { Ending::Fast };
        let remove = self.place.temporary.then_some(self.place.folder.as_path());
        let mut guardian =
            Guardian::start(&self.server_command(), ending, remove, &self.place.log())?;
        let mut ended = None;
        let ready = wait_until(START_TIMEOUT, || {
            ended = guardian.ended();
            ended.is_some() || self.answers()
        });
        if ready && ended.is_none() {
            self.guardian = Some(guardian);
            return Ok(());
        }
        let reason = match ended {
            Some(code) => format!("it ended with code {code}"),
            None => format!("it did not answer within {} s", START_TIMEOUT.as_secs()),
        };
        let log = self.place.log_tail();
        // Another attempt needs the temporary directory, so it is kept; the caller removes it when it gives up.
        let _ = guardian.crash(STOP_TIMEOUT);
        Err(PostgresError::NotStarted { reason, log })
    }

    /// Returns whether this server answers on the port. Only it accepts the password.
    fn answers(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
            && self.execute("postgres", "SELECT 1").is_ok()
    }

    fn server_command(&self) -> Vec<OsString> {
        let mut line = self.account.command_line(self.programs.postgres.as_os_str());
        line.push("-D".into());
        line.push(self.data.clone().into());
        let mut settings = vec![
            "listen_addresses=127.0.0.1".to_string(),
            format!("port={}", self.port),
            "unix_socket_directories=".to_string(),
            "password_encryption=scram-sha-256".to_string(),
            "max_connections=200".to_string(),
            "shared_buffers=32MB".to_string(),
            "timezone=UTC".to_string(),
            "log_timezone=UTC".to_string(),
            "logging_collector=off".to_string(),
        ];
        if self.place.temporary {
            // The data does not outlive the run, so it needs no durability.
            settings.extend(
                ["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(String::from),
            );
            // Cloning a template writes the whole database to the log, which grows to 1 GB by default.
            settings.extend(["min_wal_size=32MB", "max_wal_size=128MB"].map(String::from));
        }
        for setting in settings {
            line.push("-c".into());
            line.push(setting.into());
        }
        line
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
        if self.place.temporary {
            // After a crash without a restart, nothing else removes it.
            let _ = self.place.remove();
        }
    }
}

fn free_port() -> Result<u16, PostgresError> {
    let listener =
        TcpListener::bind(("127.0.0.1", 0)).map_err(cannot("find a free port on 127.0.0.1"))?;
    Ok(listener.local_addr().map_err(cannot("find a free port on 127.0.0.1"))?.port())
}
