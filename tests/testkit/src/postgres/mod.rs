//! A private PostgreSQL from the installed server programs, for tests and the development stack.
//!
//! It listens on 127.0.0.1 alone, on a free port, with a random superuser password, and is gone when
//! its owner is gone. It never touches a server that somebody else runs.

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

const PATIENCE_TO_START: Duration = Duration::from_secs(60);
const PATIENCE_TO_STOP: Duration = Duration::from_secs(60);

/// A running server; it stops when this is dropped.
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
    /// A server whose data lies in a temporary folder and is removed in the end.
    pub fn start_temporary() -> Result<Self, PostgresError> {
        let account = Account::choose()?;
        let place = Place::temporary(&account)?;
        let folder = place.clone();
        Self::start(place, account).inspect_err(|_| {
            let _ = folder.remove();
        })
    }

    /// A server whose data is kept in `dir` from run to run. Where the server's account cannot reach
    /// `dir` (root with a closed home), the data lies elsewhere; [`data_dir`](Self::data_dir) says where.
    pub fn start_in(dir: &Path) -> Result<Self, PostgresError> {
        let account = Account::choose()?;
        let place = Place::kept(dir, &account)?;
        Self::start(place, account)
    }

    /// Removes what [`start_in`](Self::start_in) keeps for `dir`; fine if there is nothing.
    pub fn remove_in(dir: &Path) -> Result<(), PostgresError> {
        let account = Account::choose()?;
        let place = Place::kept(dir, &account)?;
        cluster::refuse_running(&place.data())?;
        place.remove()
    }

    fn start(place: Place, account: Account) -> Result<Self, PostgresError> {
        let (programs, password) = cluster::open(&place, &account)?;
        // One run, one log: an old one would only mislead.
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

    /// PostgreSQL's own data folder.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// `postgres://role:password@127.0.0.1:port/database`
    pub fn url(&self, role: &str, password: &str, database: &str) -> String {
        let mut url = url::Url::parse(&format!("postgres://127.0.0.1:{}/", self.port))
            .expect("a fixed shape");
        url.set_path(database);
        url.set_username(role).expect("the url has a host");
        url.set_password(Some(password)).expect("the url has a host");
        url.into()
    }

    pub fn superuser_url(&self, database: &str) -> String {
        self.url("postgres", &self.password, database)
    }

    /// Runs SQL as the superuser; returns the rows, columns separated by `|`.
    pub fn execute(&self, database: &str, sql: &str) -> Result<String, PostgresError> {
        psql::execute(&self.programs.psql, self.port, &self.password, database, sql)
    }

    pub fn create_database(&self, name: &str, template: Option<&str>) -> Result<(), PostgresError> {
        let name = psql::quoted_name(name);
        let template = psql::quoted_name(template.unwrap_or("template1"));
        // FILE_COPY is the faster way for the small databases of tests, but PostgreSQL 14 lacks the word.
        self.execute("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}")).map(drop)
    }

    /// Also when sessions are still open on it.
    pub fn drop_database(&self, name: &str) -> Result<(), PostgresError> {
        let name = psql::quoted_name(name);
        self.execute("postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).map(drop)
    }

    pub fn database_exists(&self, name: &str) -> Result<bool, PostgresError> {
        let name = psql::quoted_text(name);
        let sql = format!("SELECT count(*) FROM pg_database WHERE datname = {name}");
        Ok(self.execute("postgres", &sql)? == "1")
    }

    /// Stops the server; a temporary one loses its data.
    pub fn stop(&mut self) {
        if let Some(mut guardian) = self.guardian.take() {
            let _ = guardian.end(PATIENCE_TO_STOP);
        }
    }

    /// Takes the server down as a crash would, and leaves it down until [`restart`](Self::restart).
    pub fn crash(&mut self) -> Result<(), PostgresError> {
        match self.guardian.take() {
            Some(mut guardian) => guardian.crash(PATIENCE_TO_STOP),
            None => Ok(()),
        }
    }

    /// Takes the server down as a crash would, and starts it again on the same port with the same data.
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
            // Somebody may take the port between our look and the server's, so one failure proves nothing.
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
        let ready = wait_until(PATIENCE_TO_START, || {
            ended = guardian.ended();
            ended.is_some() || self.answers()
        });
        if ready && ended.is_none() {
            self.guardian = Some(guardian);
            return Ok(());
        }
        let reason = match ended {
            Some(code) => format!("it ended with code {code}"),
            None => format!("it did not answer within {} s", PATIENCE_TO_START.as_secs()),
        };
        let log = self.place.log_tail();
        // Another attempt needs the temporary folder, so it is kept here and removed by whoever gives up.
        let _ = guardian.crash(PATIENCE_TO_STOP);
        Err(PostgresError::NotStarted { reason, log })
    }

    /// Whether *our* server answers on the port: only it takes the password.
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
            // Nothing here survives the run, so nothing needs to survive a power cut.
            settings.extend(
                ["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(String::from),
            );
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
            // After a crash without a restart nobody else is left to do it.
            let _ = self.place.remove();
        }
    }
}

fn free_port() -> Result<u16, PostgresError> {
    let listener =
        TcpListener::bind(("127.0.0.1", 0)).map_err(cannot("find a free port on 127.0.0.1"))?;
    Ok(listener.local_addr().map_err(cannot("find a free port on 127.0.0.1"))?.port())
}
