//! `.dev/` in the workspace's root: what is kept from run to run, and what tells of the running stack.
//!
//! It also knows who holds it: one `cargo dev` at a time. Secrets lie in files of mode 0600.

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
    /// The same one wherever in the workspace the command was given.
    pub fn of_the_workspace() -> Self {
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

    /// A header line for `curl -H @file`: it keeps the token off the command line.
    pub fn admin_header(&self) -> PathBuf {
        self.file("admin.header")
    }

    pub fn postgres(&self) -> PathBuf {
        self.file("postgres")
    }

    /// What the last tour would have given to devices.
    pub fn tour(&self) -> PathBuf {
        self.file("tour")
    }

    /// Held as long as the file is open, however the process ends. `None`: another one runs.
    pub fn lock(&self) -> Result<Option<File>, Failure> {
        fs::create_dir_all(&self.path)?;
        let file = File::options().create(true).append(true).open(self.file("lock"))?;
        // A tour that looks whether anybody is there holds the lock for a moment.
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

    /// Whether a `cargo dev` holds this folder.
    pub fn is_in_use(&self) -> bool {
        let Ok(file) = File::open(self.file("lock")) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }

    /// Waits for other tours on this stack: each turns the same simulated org, and turns it back.
    pub fn tours_take_turns(&self) -> io::Result<File> {
        let file = File::options().create(true).append(true).open(self.file("tour.lock"))?;
        file.lock()?;
        Ok(file)
    }

    /// Says where everything is. The last thing of the start: scripts wait for it.
    pub fn announce(&self, facts: &Facts) -> io::Result<()> {
        let header = format!("Authorization: Bearer {}\n", facts.tokens.admin);
        private_file::write(&self.admin_header(), &header)?;
        private_file::write(&self.env(), &facts.to_shell())
    }

    /// What the running one has announced; `None` while it still starts.
    pub fn announced(&self) -> Option<Facts> {
        Facts::from_shell(&fs::read_to_string(self.env()).ok()?)
    }

    /// First thing of start and stop: nobody shall read of a stack that is not there.
    pub fn remove_announcements(&self) -> io::Result<()> {
        for file in [self.env(), self.admin_header()] {
            ignore_missing(fs::remove_file(file))?;
        }
        Ok(())
    }

    /// Everything but the lock, which we hold.
    pub fn remove_everything(&self) -> Result<(), Failure> {
        // PostgreSQL's data may lie elsewhere, where the user that it runs as can reach it.
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

    /// A secret that is made once, by `make`, and then kept.
    pub fn keep_secret(&self, name: &str, make: impl FnOnce() -> String) -> io::Result<String> {
        let path = self.file(name);
        if let Some(kept) = private_file::read(&path)? {
            return Ok(kept.trim().to_owned());
        }
        let made = make();
        private_file::write(&path, &format!("{made}\n"))?;
        Ok(made)
    }
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
