//! Stops the server when its owner ends, even if the owner is killed.
//!
//! A small shell holds the read end of a pipe; this process has the only write end. When that closes, by
//! `drop`, `exit` or `kill -9`, the shell stops the server and removes the directory of a temporary one.
//! The shell has its own process group, so that Ctrl-C in a terminal does not reach it. It never signals a
//! process ID that it has already waited for.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::error::{PostgresError, cannot};

const SCRIPT: &str = r#"
how=$1; folder=$2; shift 2
trap '' HUP INT PIPE
exec 3<&0
"$@" </dev/null 3<&- >&2 &
server=$!
trap 'kill -s "$how" "$server" 2>/dev/null' TERM
(trap - INT; cat <&3 >/dev/null 2>&1; kill -TERM $$) </dev/null >/dev/null 2>&1 &
watcher=$!
exec 3<&-
echo "server $server"
wait "$server"; code=$?
while kill -0 "$server" 2>/dev/null; do wait "$server"; code=$?; done
trap '' TERM
echo "ended $code" 2>/dev/null
wait "$watcher"
if [ -n "$folder" ] && [ ! -e "$folder/keep" ]; then rm -rf -- "$folder"; fi
"#;

/// How the server is stopped when its owner ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Immediately; the data is discarded.
    Immediate,
    /// Close the sessions and write a checkpoint; the data is kept.
    Fast,
}

#[derive(Debug)]
pub(super) struct Guardian {
    shell: Child,
    pipe: Option<ChildStdin>,
    server: i32,
    news: Receiver<String>,
    /// The temporary directory that the shell removes at the end.
    folder: Option<PathBuf>,
}

impl Guardian {
    pub fn start(
        command_line: &[std::ffi::OsString],
        ending: Ending,
        remove: Option<&Path>,
        log: &Path,
    ) -> Result<Self, PostgresError> {
        let log = File::options()
            .append(true)
            .create(true)
            .open(log)
            .map_err(cannot(format!("open the log {}", log.display())))?;
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "odt-postgres-guardian"])
            .arg(match ending {
                Ending::Immediate => "QUIT",
                Ending::Fast => "INT",
            })
            .arg(remove.unwrap_or(Path::new("")))
            .args(command_line)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(cannot("start /bin/sh"))?;
        let pipe = shell.stdin.take();
        let news = read_lines(shell.stdout.take().expect("stdout is piped"));
        let server = news
            .recv_timeout(Duration::from_secs(10))
            .ok()
            .and_then(|line| line.strip_prefix("server ")?.parse().ok())
            .unwrap_or(0);
        Ok(Self { shell, pipe, server, news, folder: remove.map(Path::to_path_buf) })
    }

    /// Returns the server's exit code, once it has ended.
    pub fn ended(&self) -> Option<String> {
        match self.news.try_recv() {
            Ok(line) => Some(line.strip_prefix("ended ").unwrap_or(&line).to_string()),
            Err(mpsc::TryRecvError::Disconnected) => Some("unknown".to_string()),
            Err(mpsc::TryRecvError::Empty) => None,
        }
    }

    /// Stops the server immediately, like a crash, and keeps the data.
    pub fn crash(&mut self, timeout: Duration) -> Result<(), PostgresError> {
        let keep = self.folder.as_ref().map(|folder| folder.join("keep"));
        if let Some(keep) = &keep {
            File::create(keep).map_err(cannot("mark the temporary data as still needed"))?;
        }
        if let Some(server) = Pid::from_raw(self.server) {
            let _ = kill_process(server, Signal::QUIT);
        }
        let ended = self.end(timeout);
        if let Some(keep) = &keep {
            let _ = std::fs::remove_file(keep);
        }
        ended
    }

    /// Closes the pipe and waits until the shell has stopped the server and cleaned up.
    pub fn end(&mut self, timeout: Duration) -> Result<(), PostgresError> {
        self.pipe = None;
        let until = Instant::now() + timeout;
        loop {
            match self.shell.try_wait() {
                Ok(Some(_)) => return Ok(()),
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                Ok(None) => return Err(PostgresError::NotStopped { seconds: timeout.as_secs() }),
                Err(error) => return Err(cannot("wait for the PostgreSQL guardian")(error)),
            }
        }
    }
}

/// Reads the shell's output on a thread, so that polling never blocks.
fn read_lines(stdout: std::process::ChildStdout) -> Receiver<String> {
    let (send, news) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    news
}

/// Waits until `condition` holds; returns false on a timeout.
pub(super) fn wait_until(timeout: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + timeout;
    while !condition() {
        if Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}
