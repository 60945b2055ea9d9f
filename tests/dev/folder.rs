//! The folder `.dev/` of the workspace: data that survives a run, and the values of the running stack.
//!
//! A lock file allows one `cargo dev` at a time. Files with secrets have mode 0600.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testkit::postgres::Postgres;
use testkit::private_file;

use crate::Failure;
use crate::env_file::Facts;

pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder of the workspace, whatever the current directory is.
    pub fn in_workspace() -> Self {
        Self { path: Path::new(env!("CARGO_MANIFEST_DIR")).join(".dev") }
    }

    pub fn at(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The values of the running stack, for scripts.
    pub fn env(&self) -> PathBuf {
        self.file("env")
    }

    /// A header line for `curl -H @file`, which keeps the token off the command line.
    pub fn admin_header(&self) -> PathBuf {
        self.file("admin.header")
    }

    pub fn postgres(&self) -> PathBuf {
        self.file("postgres")
    }

    /// The files that the last tour would have delivered to devices.
    pub fn tour(&self) -> PathBuf {
        self.file("tour")
    }

    /// Takes the lock, which is held until the file is closed. Returns `None` if another process holds it.
    pub fn lock(&self) -> Result<Option<File>, Failure> {
        fs::create_dir_all(&self.path)?;
        let file = File::options().create(true).append(true).open(self.file("lock"))?;
        // `is_in_use` of a tour holds the lock for a moment.
        for pause_ms in [50, 200, 0] {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) => {
                    std::thread::sleep(Duration::from_millis(pause_ms));
                }
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Returns whether a `cargo dev` uses this folder.
    pub fn is_in_use(&self) -> bool {
        let Ok(file) = File::open(self.file("lock")) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Waits for other tours on this stack, because each changes the simulated org and restores it.
    pub fn lock_tour(&self) -> io::Result<File> {
        let file = File::options().create(true).append(true).open(self.file("tour.lock"))?;
        file.lock()?;
        Ok(file)
    }

    /// Writes the values of the running stack. The last step of the start, because scripts wait for it.
    pub fn announce(&self, facts: &Facts) -> io::Result<()> {
        let header = format!("Authorization: Bearer {}\n", facts.tokens.admin);
        private_file::write(&self.admin_header(), &header)?;
        private_file::write(&self.env(), &facts.to_shell())
    }

    /// Reads the values of the running stack; `None` while it is starting.
    pub fn announced(&self) -> Option<Facts> {
        Facts::from_shell(&fs::read_to_string(self.env()).ok()?)
    }

    /// Removes the values, so that they never describe a stack that is not running. The first step of
    /// start and stop.
    pub fn remove_announcements(&self) -> io::Result<()> {
        for file in [self.env(), self.admin_header()] {
            ignore_missing(fs::remove_file(file))?;
        }
        Ok(())
    }

    /// Removes everything except the lock, which this process holds.
    pub fn remove_everything(&self) -> Result<(), Failure> {
        // PostgreSQL's data may be elsewhere, so that its user can access it.
        Postgres::remove_in(&self.postgres())?;
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path == self.file("lock") {
                continue;
            }
            let is_folder = path.symlink_metadata()?.is_dir();
            if is_folder { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
        }
        Ok(())
    }

    /// Reads a secret, or creates it with `generate` and stores it.
    pub fn load_or_create_secret(
        &self,
        name: &str,
        generate: impl FnOnce() -> String,
    ) -> io::Result<String> {
        let path = self.file(name);
        if let Some(stored) = private_file::read(&path)? {
            return Ok(stored.trim().to_owned());
        }
        let secret = generate();
        private_file::write(&path, &format!("{secret}\n"))?;
        Ok(secret)
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
