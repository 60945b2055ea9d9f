//! The files of a cluster: `data/` (PostgreSQL's own), `password` and `server.log`.
//!
//! Creates nothing else there, and removes nothing that it did not create.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf, absolute};

use uuid::Uuid;

use super::account::Account;
use super::error::{PostgresError, cannot};

#[derive(Debug, Clone)]
pub(super) struct Place {
    pub folder: PathBuf,
    pub temporary: bool,
}

impl Place {
    /// Creates a directory that is removed at the end.
    pub fn temporary(account: &Account) -> Result<Self, PostgresError> {
        let name = format!("odt-postgres-{}", Uuid::new_v4().simple());
        let parent = common_folder(account);
        let place = Self { folder: parent.join(name), temporary: true };
        make_private_folder(&place.folder)?;
        account.give(&place.folder)?;
        Ok(place)
    }

    /// Returns `dir`, or a substitute if the server's account cannot access it.
    pub fn kept(dir: &Path, account: &Account) -> Result<Self, PostgresError> {
        let place = Self { folder: Self::folder_for(dir, account)?, temporary: false };
        if !place.folder.exists() {
            make_private_folder(&place.folder)?;
            account.give(&place.folder)?;
        }
        let owner = fs::metadata(&place.folder)
            .map_err(cannot(format!("look at {}", place.folder.display())))?;
        // Shared directories are writable by all, so another user may already use the name.
        if !account.may_own(owner.uid()) {
            return Err(PostgresError::NotOurs(place.folder));
        }
        Ok(place)
    }

    fn folder_for(dir: &Path, account: &Account) -> Result<PathBuf, PostgresError> {
        let dir = absolute(dir).map_err(cannot(format!("resolve {}", dir.display())))?;
        if account.can_reach(&dir.join("data")) {
            return Ok(dir);
        }
        // The name is derived from the path, so that the next run finds it.
        let name = Uuid::new_v5(&Uuid::NAMESPACE_URL, dir.as_os_str().as_encoded_bytes());
        Ok(common_folder(account).join(format!("odt-postgres-for-{}", name.simple())))
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn password(&self) -> PathBuf {
        self.folder.join("password")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// Returns the last lines of the server's log, for an error message.
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Removes the files of a cluster, and the directory if it is then empty.
    pub fn remove(&self) -> Result<(), PostgresError> {
        for folder in [self.data(), unfinished(&self.data())] {
            ignore_missing(fs::remove_dir_all(&folder))
                .map_err(cannot(format!("remove {}", folder.display())))?;
        }
        for file in [self.password(), self.log()] {
            ignore_missing(fs::remove_file(&file))
                .map_err(cannot(format!("remove {}", file.display())))?;
        }
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }
}

/// Returns the directory where initdb runs. A complete cluster is renamed, so that a killed initdb leaves no
/// partial one.
pub(super) fn unfinished(data: &Path) -> PathBuf {
    data.with_file_name("data.unfinished")
}

fn common_folder(account: &Account) -> PathBuf {
    let usual = std::env::temp_dir();
    if account.can_reach(&usual.join("any/thing")) { usual } else { PathBuf::from("/var/tmp") }
}

fn make_private_folder(folder: &Path) -> Result<(), PostgresError> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(cannot(format!("create {}", parent.display())))?;
    }
    fs::DirBuilder::new()
        .mode(0o700)
        .create(folder)
        .map_err(cannot(format!("create {}", folder.display())))?;
    // The umask may have removed permissions of the owner, too.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
        .map_err(cannot(format!("open {}", folder.display())))
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
