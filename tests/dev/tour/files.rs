//! The folder with the files that devices would get, for inspection after the tour.
//!
//! The files contain secrets, so only their owner can access them.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use testkit::private_file;

pub struct Files {
    folder: PathBuf,
    count: usize,
}

impl Files {
    /// Replaces `folder` and the files of an earlier tour in it.
    pub fn replace(folder: PathBuf) -> io::Result<Self> {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => DirBuilder::new().recursive(true).mode(0o700).create(&folder)?,
        }
        Ok(Self { folder, count: 0 })
    }

    /// Creates a new folder that remains after the tour.
    pub fn temporary() -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("okta-device-trust-tour-").permissions(Permissions::from_mode(0o700));
        Ok(Self { folder: builder.tempdir()?.keep(), count: 0 })
    }

    pub fn write(&mut self, name: &str, contents: &str) -> io::Result<PathBuf> {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(io::Error::other(format!("{name:?} is not a file name")));
        }
        let path = self.folder.join(name);
        private_file::write(&path, contents)?;
        self.count += 1;
        Ok(path)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Removes the folder if it is empty.
    pub fn tidy_up(&self) {
        if self.count == 0 {
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// Returns whether only the owner can read and write the file.
pub fn is_private(path: &Path) -> io::Result<bool> {
    Ok(fs::metadata(path)?.permissions().mode() & 0o777 == 0o600)
}
