//! `cargo dev tour`: walks through the setup wizard with the API that a front end would use.
//!
//! Uses the running stack, in a tenant of its own, or else a temporary stack.

mod answer;
mod client;
mod files;
mod org;
mod profile;
mod screen;
mod secrets;
mod steps;

use std::path::Path;
use std::process::ExitCode;

use uuid::Uuid;

use crate::env_file::Facts;
use crate::folder::Folder;
use crate::interrupt::Interrupt;
use crate::stack::{Kind, Stack};
use crate::{Failure, http, say, tokens};

use client::{Api, Iphone, Mac, Tour};
use files::Files;
use org::ControlledOrg;
use screen::Screen;
use secrets::Secrets;

/// The callers, as the audit names them.
pub const ADMIN: &str = "tour@acme.example";
pub const MDM: &str = "mdm-back-end";
pub const GATEWAY: &str = "gateway";

pub async fn run() -> Result<ExitCode, Failure> {
    let mut interrupt = Interrupt::listen()?;
    let running = Folder::in_workspace();
    if running.is_in_use() {
        let facts = wait_for(&running).await?;
        let _lock = running.lock_tour()?;
        say(&format!("On the running stack at {}.\n", facts.url));
        let files = Files::replace(running.tour())?;
        return walk(&facts, &running, files, &mut interrupt).await;
    }
    say("No `cargo dev` is running here, so the tour starts a temporary stack.\n");
    let place = tempfile::tempdir()?;
    let folder = Folder::at(place.path());
    let stack = Stack::start(&folder, Kind::Temporary).await?;
    let outcome = walk(&stack.facts, &folder, Files::temporary()?, &mut interrupt).await;
    stack.stop().await;
    outcome
}

/// Waits for the values of a stack that is starting.
async fn wait_for(folder: &Folder) -> Result<Facts, Failure> {
    for _ in 0..300 {
        match folder.announced() {
            Some(facts) => return Ok(facts),
            None if folder.is_in_use() => {}
            None => break,
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err("another `cargo dev` was starting or stopping and did not become ready: try again".into())
}

async fn walk(
    facts: &Facts,
    folder: &Folder,
    files: Files,
    interrupt: &mut Interrupt,
) -> Result<ExitCode, Failure> {
    let mut tour = prepare(facts, folder, files).await?;
    let outcome = tokio::select! {
        outcome = steps::walk(&mut tour) => Some(outcome),
        () = interrupt.received() => None,
    };
    tour.tidy_up().await;
    let code = match outcome {
        None => {
            say("\nInterrupted.\n");
            ExitCode::from(130)
        }
        Some(Ok(())) => {
            tour.screen.summary(&tour.api);
            ExitCode::SUCCESS
        }
        Some(Err(broken)) => {
            tour.screen.failed(&tour.secrets.redact_error(&broken));
            ExitCode::FAILURE
        }
    };
    tour.screen.files(&tour.files);
    Ok(code)
}

async fn prepare(facts: &Facts, folder: &Folder, files: Files) -> Result<Tour, Failure> {
    let http = http::client(Path::new(&facts.sim_ca).to_string_lossy().as_ref())?;
    let issuer = tokens::issuer(folder)?;
    // A new tenant, so that other use of the same stack does not interfere.
    let tenant = format!("tour-{}", Uuid::new_v4().simple());
    let org = ControlledOrg::start(http.clone(), &facts.sim_url).await?;
    let api = Api::new(http, &facts.url, tokens::token(&issuer, ADMIN, &tenant, &tokens::ADMIN));
    // Okta requires mixed case and symbols in a key that an admin chooses.
    let secret_key = format!("Tour!{}", Uuid::new_v4().simple());
    let mut secrets = Secrets::default();
    secrets.add_forbidden("the client secret", org.client_secret());
    secrets.add_forbidden("the SCEP password", org.scep_password());
    secrets.add_deployable("the iOS secret key", &secret_key);
    Ok(Tour {
        api,
        org,
        screen: Screen::new(),
        files,
        secrets,
        secret_key,
        new_password: String::new(),
        mdm: tokens::token(&issuer, MDM, &tenant, &tokens::MDM),
        reader: tokens::token(&issuer, GATEWAY, &tenant, &tokens::TRUST),
        other_tenant: facts.tokens.other_tenant.clone(),
        integration: String::new(),
        etag: String::new(),
        mac: Mac::new(),
        iphone: Iphone::new(),
        hook_path: String::new(),
        hook_secret: String::new(),
    })
}
