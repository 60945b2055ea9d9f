//! Files that only their owner can read: keys and passwords that are kept between runs.
//!
//! It never changes the mode of an existing file, and rejects one that others can read.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Atomically writes `contents` to a new file with mode 0600.
pub fn write(path: &Path, contents: &str) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(folder) = folder {
        fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension(format!("{}.new", std::process::id()));
    // Replaces a leftover of a run that was killed between the two steps.
    let _ = fs::remove_file(&unfinished);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(contents.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

/// Reads a file written by [`write()`]; `None` if it does not exist.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!(
                "{} can be read by other users; run `chmod 600` on it, or remove it to get a new one",
                path.display()
            ),
        ));
    }
    fs::read_to_string(path).map(Some)
}
