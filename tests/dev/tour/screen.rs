//! Prints the tour, with colours on a terminal. Its callers redact secrets.

use std::io::IsTerminal;

use super::answer::Broken;
use super::client::Api;
use super::files::Files;
use crate::say;

pub struct Screen {
    colours: bool,
    steps: usize,
    title: String,
}

impl Screen {
    pub fn new() -> Self {
        // https://no-color.org
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colours = std::io::stdout().is_terminal() && !refused;
        Self { colours, steps: 0, title: String::new() }
    }

    pub fn step(&mut self, title: &str) {
        self.steps += 1;
        title.clone_into(&mut self.title);
        let title = self.ink("1", title);
        say(&format!("\n{:>2}. {title}\n", self.steps));
    }

    pub fn request(&self, line: &str, body: Option<&str>) {
        say(&format!("    {} {line}\n", self.ink("2", "→")));
        if let Some(body) = body {
            say(&format!("      {}\n", self.ink("2", body)));
        }
    }

    pub fn answer(&self, status: u16, took_ms: f64) {
        let colour = if status < 400 { "32" } else { "33" };
        let status = self.ink(colour, &status.to_string());
        let took = self.ink("2", &format!("{took_ms:.1} ms"));
        say(&format!("    {} {status}  {took}\n", self.ink("2", "←")));
    }

    /// Prints the last of several responses, without a duration.
    pub fn answered(&self, status: u16) {
        let colour = if status < 400 { "32" } else { "33" };
        say(&format!("    {} {}\n", self.ink("2", "←"), self.ink(colour, &status.to_string())));
    }

    /// Prints a line of a table.
    pub fn row(&self, text: &str) {
        say(&format!("      {}\n", self.ink("36", text.trim_end())));
    }

    pub fn done(&self, outcome: &str) {
        say(&format!("    {} {outcome}\n", self.ink("32", "✓")));
    }

    pub fn summary(&self, api: &Api) {
        let text = format!(
            "All {} steps passed: {} requests, median duration {:.1} ms.",
            self.steps,
            api.count(),
            api.median_ms()
        );
        say(&format!("\n{} {text}\n", self.ink("32", "✓")));
    }

    /// Prints the folder of the devices' files.
    pub fn files(&self, files: &Files) {
        if files.count() > 0 {
            let folder = self.ink("36", &files.folder().display().to_string());
            let count = files.count();
            say(&format!("Files that devices would get: {count} in {folder}\n"));
        }
    }

    /// Prints the failed step, what was expected, and the whole response.
    pub fn failed(&self, broken: &Broken) {
        say(&format!("    {} {}\n", self.ink("31", "✗"), broken.what));
        if let Some(answer) = &broken.answer {
            say(&format!("\nThe whole response:\n{answer}\n"));
        }
        let text = format!("Step {} failed: {}. {}", self.steps, self.title, broken.what);
        say(&format!("\n{} {text}\n", self.ink("31", "✗")));
    }

    fn ink(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
