//! Finds the installed PostgreSQL server programs.
//!
//! It never downloads or builds any, and never mixes programs of different installations.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::PostgresError;

/// The programs of one installation.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    pub postgres: PathBuf,
    pub initdb: PathBuf,
    pub psql: PathBuf,
}

impl Programs {
    /// Finds an installation for new data, or the one that matches data of version `wanted_major`.
    pub fn find(wanted_major: Option<&str>, data: &Path) -> Result<Self, PostgresError> {
        let found = match env::var_os("ODT_POSTGRES_BIN") {
            Some(folder) => {
                let folder = PathBuf::from(folder);
                vec![Self::in_folder(&folder).ok_or(PostgresError::BadOverride(folder))?]
            }
            None => {
                candidate_folders().iter().filter_map(|folder| Self::in_folder(folder)).collect()
            }
        };
        let first = found.first().cloned().ok_or(PostgresError::NoPrograms)?;
        let Some(wanted) = wanted_major else {
            return Ok(first);
        };
        found.into_iter().find(|programs| programs.major_version() == wanted).ok_or_else(|| {
            PostgresError::OtherVersion {
                dir: data.to_path_buf(),
                made_by: wanted.to_string(),
                installed: first.major_version(),
            }
        })
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        // Resolve links such as /usr/local/bin/initdb to the actual installation.
        let real = |name: &str| fs::canonicalize(folder.join(name)).ok();
        let postgres = real("postgres")?;
        let initdb = real("initdb")?;
        if postgres.parent() != initdb.parent() {
            return None;
        }
        let beside = postgres.with_file_name("psql");
        let psql = if beside.is_file() {
            beside
        } else {
            folders_on_path()
                .into_iter()
                .map(|folder| folder.join("psql"))
                .find(|psql| psql.is_file())?
        };
        Some(Self { postgres, initdb, psql })
    }

    fn major_version(&self) -> String {
        let output = Command::new(&self.postgres).arg("--version").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        // "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)"
        text.unwrap_or_default()
            .split_whitespace()
            .nth(2)
            .and_then(|version| version.split(['.', 'b', 'r', 'd']).next())
            .unwrap_or("unknown")
            .to_string()
    }
}

fn folders_on_path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}

fn candidate_folders() -> Vec<PathBuf> {
    let mut folders = folders_on_path();
    let pg_config = Command::new("pg_config").arg("--bindir").output();
    if let Ok(output) = pg_config
        && output.status.success()
    {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    for (parent, prefix, rest) in [
        ("/usr/lib/postgresql", "", "bin"),
        ("/usr", "pgsql-", "bin"),
        ("/opt/homebrew/opt", "postgresql", "bin"),
        ("/usr/local/opt", "postgresql", "bin"),
    ] {
        folders.extend(
            versions_in(Path::new(parent), prefix).into_iter().map(|folder| folder.join(rest)),
        );
    }
    folders.push(PathBuf::from("/usr/bin"));
    folders
}

/// Returns the directories in `parent` whose names start with `prefix`, highest version first.
fn versions_in(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let rest = name.strip_prefix(prefix)?.trim_start_matches('@');
            let number = rest.split('.').next()?.parse().unwrap_or(0);
            Some((number, entry.path()))
        })
        .collect();
    versions.sort_by(|one, other| other.cmp(one));
    versions.into_iter().map(|(_, folder)| folder).collect()
}
