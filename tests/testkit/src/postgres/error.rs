//! The errors of a private PostgreSQL, with instructions.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error(
        "no PostgreSQL server programs (postgres, initdb, psql) found; install them with \
         `apt-get install postgresql` (Debian, Ubuntu), `dnf install postgresql-server` (Fedora, RHEL) or \
         `brew install postgresql@17` (macOS), or name their folder in ODT_POSTGRES_BIN"
    )]
    NoPrograms,

    #[error("ODT_POSTGRES_BIN is {0}, but postgres, initdb or psql is missing there")]
    BadOverride(PathBuf),

    #[error(
        "the data in {dir} was made by PostgreSQL {made_by}, but only PostgreSQL {installed} is installed; \
         install PostgreSQL {made_by}, or start afresh by removing the data"
    )]
    OtherVersion { dir: PathBuf, made_by: String, installed: String },

    #[error(
        "a PostgreSQL server (process {pid}) is still running on {dir}; stop the program that started it, \
         or the process itself, and try again"
    )]
    AlreadyRunning { pid: i32, dir: PathBuf },

    #[error(
        "{0} holds data but its password file is missing or not readable; remove the data to start again"
    )]
    NoPassword(PathBuf),

    #[error("{0} belongs to another user; remove it or choose another data folder")]
    NotOurs(PathBuf),

    #[error(
        "PostgreSQL refuses to run as root, and no unprivileged user was found; create one named `postgres`"
    )]
    NoUnprivilegedUser,

    #[error("initdb failed in {dir}:\n{output}")]
    Initdb { dir: PathBuf, output: String },

    #[error("PostgreSQL did not start: {reason}; the last lines of its log:\n{log}")]
    NotStarted { reason: String, log: String },

    #[error("PostgreSQL did not stop within {seconds} s")]
    NotStopped { seconds: u64 },

    #[error("psql refused on database {database}: {message}")]
    Sql { database: String, message: String },

    #[error("cannot {doing}")]
    Io {
        doing: String,
        #[source]
        source: io::Error,
    },
}

/// `result.map_err(cannot("create the data folder"))`
pub(super) fn cannot(doing: impl Into<String>) -> impl FnOnce(io::Error) -> PostgresError {
    let doing = doing.into();
    move |source| PostgresError::Io { doing, source }
}
