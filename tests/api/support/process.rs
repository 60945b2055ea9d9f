//! The real program as a child process, with the settings of a test's world on free ports. It is killed when
//! dropped; its output is recorded.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use okta_device_trust::config::{Environment, SETTINGS};

use crate::support::wait::WAIT_LIMIT;

/// Returns the command with these settings and no others; the rest of the environment stays.
pub fn command(environment: &Environment, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_okta-device-trust"));
    command.args(arguments).stdin(Stdio::null());
    let inherited = std::env::vars_os();
    for (name, _) in inherited {
        if name.to_str().is_some_and(|name| name.starts_with("ODT_")) {
            command.env_remove(name);
        }
    }
    for setting in SETTINGS {
        for name in [setting.name.to_owned(), format!("{}_FILE", setting.name)] {
            if let Some(value) = environment.get(&name) {
                command.env(&name, value);
            }
        }
    }
    for name in environment.unknown_names() {
        command.env(name, environment.get(name).unwrap_or_default());
    }
    command
}

/// The timeout of commands other than `serve`.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The outcome of a finished command.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Returns its output after checking that it succeeded.
    #[track_caller]
    pub fn expect_success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Returns its error after checking that it failed with a message.
    #[track_caller]
    pub fn expect_failure(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.stderr.contains("okta-device-trust: "), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self.stderr
    }
}

/// Runs a subcommand. One that exceeds the timeout is killed and has no exit code.
pub fn run(environment: &Environment, arguments: &[&str]) -> Outcome {
    let mut child = command(environment, arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let (stdout, stderr) = (Arc::default(), Arc::default());
    let readers = [
        keep(child.stdout.take().expect("stdout is piped"), &stdout),
        keep(child.stderr.take().expect("stderr is piped"), &stderr),
    ];
    let until = Instant::now() + COMMAND_TIMEOUT;
    let code = loop {
        match child.try_wait().expect("a child of ours") {
            Some(status) => break status.code(),
            None if Instant::now() < until => std::thread::sleep(Duration::from_millis(2)),
            None => {
                child.kill().expect("a child of ours");
                child.wait().expect("a child of ours");
                break None;
            }
        }
    };
    for reader in readers {
        reader.join().expect("a reader");
    }
    let text = |kept: Arc<Mutex<String>>| kept.lock().expect("no holder panics").clone();
    Outcome { code, stdout: text(stdout), stderr: text(stderr) }
}

/// A running process.
pub struct Process {
    child: Child,
    said: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
    /// `http://…` of the API, once it serves.
    pub base: String,
    /// `http://…` of the metrics, once it serves.
    pub metrics: String,
}

impl Process {
    /// Starts a service and waits until it is ready.
    pub async fn serve(environment: &Environment) -> Self {
        let mut process = Self::spawn(environment, &["serve"]);
        process.until_it_serves().await;
        process
    }

    /// Starts a process without waiting.
    pub fn spawn(environment: &Environment, arguments: &[&str]) -> Self {
        let mut child = command(environment, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let said = Arc::new(Mutex::new(String::new()));
        let readers = vec![
            keep(child.stdout.take().expect("stdout is piped"), &said),
            keep(child.stderr.take().expect("stderr is piped"), &said),
        ];
        Self { child, said, readers, base: String::new(), metrics: String::new() }
    }

    /// Waits for the log line with the addresses.
    pub async fn until_it_serves(&mut self) {
        let line = self.until_it_says("\"serving\"").await;
        let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        let of = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        self.base = format!("http://{}", of("address"));
        self.metrics = format!("http://{}/metrics", of("metrics"));
    }

    /// Waits for a line with this text.
    pub async fn until_it_says(&self, words: &str) -> String {
        let until = Instant::now() + WAIT_LIMIT;
        loop {
            let said = self.said();
            if let Some(line) = said.lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            assert!(Instant::now() < until, "it never said {words:?}, but: {said}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Returns its output so far, of both streams.
    pub fn said(&self) -> String {
        self.said.lock().expect("no holder panics").clone()
    }

    /// Returns its process ID.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    /// Sends SIGKILL, and waits until it has ended and its output is read.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
        self.readers.drain(..).for_each(|reader| reader.join().expect("a reader"));
    }

    /// Sends SIGTERM, like an orchestrator.
    pub fn terminate(&self) {
        let sent = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\""])
            .arg(self.id().to_string())
            .status();
        assert!(sent.expect("sh").success());
    }

    /// Waits up to `patience` for its exit; `None` on a timeout or if it was killed.
    pub async fn exit_code(&mut self, patience: Duration) -> Option<i32> {
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("a child of ours") {
                self.readers.drain(..).for_each(|reader| reader.join().expect("a reader"));
                return status.code();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        None
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(stream: impl Read + Send + 'static, said: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut said = said.lock().expect("no holder panics");
            said.push_str(&line);
            said.push('\n');
        }
    })
}
