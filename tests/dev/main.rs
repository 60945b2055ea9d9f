//! `cargo dev` runs the whole product on this machine: PostgreSQL, a simulated Okta org and the
//! service, in one process. `cargo dev tour` walks through the setup wizard and checks each step.
//!
//! For development only. It connects only to what it started itself.

mod banner;
mod database;
mod env_file;
mod folder;
mod http;
mod interrupt;
mod ports;
mod settings;
mod stack;
mod tokens;
mod tour;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use folder::Folder;
use interrupt::Interrupt;
use stack::{Kind, Stack};

pub type Failure = Box<dyn Error>;

/// The whole product on this machine: PostgreSQL, a simulated Okta org and the service.
#[derive(Parser)]
#[command(bin_name = "cargo dev", args_conflicts_with_subcommands = true)]
struct Arguments {
    /// Delete the data of earlier runs and start over.
    #[arg(long)]
    fresh: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Walk through the setup wizard step by step and check each result.
    Tour,
}

#[actix_web::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Some(Command::Tour) => tour::run().await,
        None => run(arguments.fresh).await,
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("cargo dev: {}", with_causes(error.as_ref()));
        ExitCode::FAILURE
    })
}

async fn run(fresh: bool) -> Result<ExitCode, Failure> {
    // Before the start, so that a signal during the start shuts down in order, too.
    let mut interrupt = Interrupt::listen()?;
    let folder = Folder::in_workspace();
    let Some(_lock) = folder.lock()? else {
        say_on_stderr(&banner::already_running(&folder));
        return Ok(ExitCode::FAILURE);
    };
    folder.remove_announcements()?;
    if fresh {
        folder.remove_everything()?;
    }
    let mut stack = Stack::start(&folder, Kind::Permanent).await?;
    folder.announce(&stack.facts)?;
    say(&banner::running(&folder, &stack));

    let ended = tokio::select! {
        () = interrupt.received() => None,
        error = stack.service_ended() => Some(error),
    };
    interrupt.exit_on_the_next();
    folder.remove_announcements()?;
    stack.stop().await;
    if let Some(error) = ended {
        return Err(error);
    }
    say("\nStopped. The data is preserved; `cargo dev --fresh` starts over.\n");
    Ok(ExitCode::SUCCESS)
}

/// Prints without the panic of `println!` when the reader is gone (`cargo dev | head`).
pub fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn say_on_stderr(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}
