//! The account that runs the server: the current user or, because PostgreSQL refuses root, an unprivileged
//! one.
//!
//! It never creates a user and never opens a directory to that user. It returns whether the user can access
//! a directory, so that the caller can choose another one.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::Command;

use super::error::{PostgresError, cannot};

#[derive(Debug, Clone)]
pub(super) struct Account {
    /// `None`: the current user.
    other: Option<OtherUser>,
}

#[derive(Debug, Clone)]
struct OtherUser {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    pub fn choose() -> Result<Self, PostgresError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self { other: None });
        }
        let users = fs::read_to_string("/etc/passwd").map_err(cannot("read /etc/passwd"))?;
        ["postgres", "nobody"]
            .iter()
            .find_map(|name| find_user(&users, name))
            .map(|user| Self { other: Some(user) })
            .ok_or(PostgresError::NoUnprivilegedUser)
    }

    /// Returns the program and leading arguments that run `program` as this account.
    pub fn command_line(&self, program: &OsStr) -> Vec<std::ffi::OsString> {
        let Some(user) = &self.other else {
            return vec![program.to_owned()];
        };
        if is_installed("setpriv") {
            return vec![
                "setpriv".into(),
                format!("--reuid={}", user.uid).into(),
                format!("--regid={}", user.gid).into(),
                "--init-groups".into(),
                "--".into(),
                program.to_owned(),
            ];
        }
        if is_installed("runuser") {
            return vec![
                "runuser".into(),
                "-u".into(),
                user.name.clone().into(),
                "--".into(),
                program.to_owned(),
            ];
        }
        // `su` takes a shell command; `exec` keeps the process ID, so that signals reach the program.
        vec![
            "su".into(),
            "-s".into(),
            "/bin/sh".into(),
            user.name.clone().into(),
            "-c".into(),
            "exec \"$0\" \"$@\"".into(),
            program.to_owned(),
        ]
    }

    pub fn command(&self, program: &Path) -> Command {
        let line = self.command_line(program.as_os_str());
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).current_dir("/");
        command
    }

    /// Changes the owner of a file or directory to the account.
    pub fn give(&self, path: &Path) -> Result<(), PostgresError> {
        let Some(user) = &self.other else { return Ok(()) };
        chown(path, Some(user.uid), Some(user.gid)).map_err(cannot(format!(
            "hand {} to {}",
            path.display(),
            user.name
        )))
    }

    /// Returns whether `uid` may own the data: the account or the current user.
    pub fn may_own(&self, uid: u32) -> bool {
        uid == rustix::process::geteuid().as_raw()
            || self.other.as_ref().is_some_and(|user| user.uid == uid)
    }

    /// Returns whether the account can access `path`, which does not have to exist.
    pub fn can_reach(&self, path: &Path) -> bool {
        let Some(user) = &self.other else { return true };
        path.ancestors().skip(1).filter_map(|ancestor| fs::metadata(ancestor).ok()).all(|folder| {
            let shift = if folder.uid() == user.uid {
                6
            } else if folder.gid() == user.gid {
                3
            } else {
                0
            };
            (folder.mode() >> shift) & 0o1 != 0
        })
    }
}

fn find_user(users: &str, name: &str) -> Option<OtherUser> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(OtherUser { name: name.to_string(), uid, gid })
    })
}

fn is_installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn inaccessible_directory_is_detected() {
        let other = OtherUser { name: "stranger".into(), uid: 65_111, gid: 65_111 };
        let account = Account { other: Some(other) };
        let closed = tempfile::tempdir().unwrap();
        fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!account.can_reach(&closed.path().join("data")));
        assert!(account.can_reach(Path::new("/usr/bin/data")));
    }
}
