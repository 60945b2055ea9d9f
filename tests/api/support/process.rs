//! The real program as a child process, with the settings of a test's world on free ports. It is
//! killed when it is dropped; what it writes is kept.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use okta_device_trust::config::{Environment, SETTINGS};

use crate::support::wait::WAIT_LIMIT;

/// The program with these settings and no others; what else is in the test's environment stays.
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

/// No command but `serve` has reason to take long.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// What a command that came to its end left behind.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// What it printed, after it was expected to succeed.
    #[track_caller]
    pub fn expect_success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// What it said, after it was expected to fail in its own words.
    #[track_caller]
    pub fn expect_failure(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.stderr.contains("okta-device-trust: "), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self.stderr
    }
}

/// Runs a subcommand to its end; one that does not end is killed, and has no code.
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

/// The program while it runs.
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
    /// A service that is ready to be asked.
    pub async fn serve(environment: &Environment) -> Self {
        let mut process = Self::spawn(environment, &["serve"]);
        process.until_it_serves().await;
        process
    }

    /// A process that was started and may not have done anything yet.
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

    /// Waits for the line that tells the addresses.
    pub async fn until_it_serves(&mut self) {
        let line = self.until_it_says("\"serving\"").await;
        let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
        let of = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        self.base = format!("http://{}", of("address"));
        self.metrics = format!("http://{}/metrics", of("metrics"));
    }

    /// Waits for a line with these words.
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

    /// All that it has written so far, on both streams.
    pub fn said(&self) -> String {
        self.said.lock().expect("no holder panics").clone()
    }

    /// Its number, for what the system tells of it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    /// SIGKILL, by its number; returns when it is gone and all that it said was read.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
        self.readers.drain(..).for_each(|reader| reader.join().expect("a reader"));
    }

    /// SIGTERM, as an orchestrator sends it.
    pub fn terminate(&self) {
        let sent = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\""])
            .arg(self.id().to_string())
            .status();
        assert!(sent.expect("sh").success());
    }

    /// Its exit code, when it ends by itself within `patience`; `None` also for one that was killed.
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
