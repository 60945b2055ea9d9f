//! The command-line program.

mod cli;

use std::process::ExitCode;

#[actix_web::main]
async fn main() -> ExitCode {
    cli::run().await
}
