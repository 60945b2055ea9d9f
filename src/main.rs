//! The program: reads the command line, starts the log and calls what was asked for.

mod cli;

use std::process::ExitCode;

#[actix_web::main]
async fn main() -> ExitCode {
    cli::run().await
}
