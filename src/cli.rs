//! The subcommands. On failure each prints to standard error what went wrong and what to do.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use okta_device_trust::config::{Config, Environment, SETTINGS};
use okta_device_trust::service::{AllIntegrations, KeyRotation, Projection};
use okta_device_trust::startup::{Application, load_config, open_store};
use okta_device_trust::store::migrations::migrate;
use okta_device_trust::{routes, telemetry};

/// Okta Device Trust for an Apple MDM.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API.
    Serve,
    /// Run pending database migrations, as the role of `ODT_MIGRATIONS_DATABASE_URL`.
    Migrate,
    /// Check the configuration and list all problems.
    CheckConfig {
        /// Instead, list every setting with its default and description.
        #[arg(long)]
        list: bool,
    },
    /// Print the `OpenAPI` document.
    Openapi,
    /// Re-encrypt all secrets with the first key of the keyring. Safe to run while serving.
    RotateKeys,
    /// Compare the projected facts of all devices with their definition. Safe to run while serving.
    CheckProjection {
        /// Write wrong facts again.
        #[arg(long)]
        repair: bool,
    },
    /// Inspect integrations.
    #[command(subcommand)]
    Integrations(IntegrationsCommand),
    /// Check the readiness of the service on this machine. For container health checks.
    Health,
}

#[derive(Subcommand)]
enum IntegrationsCommand {
    /// List the integrations of all tenants with their status.
    List {
        /// Only list integrations with this status.
        #[arg(long, value_parser = ["setup", "active", "degraded"])]
        status: Option<String>,
    },
}

type Failure = Box<dyn Error>;

pub async fn run() -> ExitCode {
    let arguments = Arguments::parse();
    match execute(arguments.command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("okta-device-trust: {}", with_causes(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn execute(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve => serve(&load_config(&Environment::from_process())?).await,
        Command::Migrate => run_migrations(),
        Command::CheckConfig { list: true } => Ok(list_settings()),
        Command::CheckConfig { list: false } => {
            load_config(&Environment::from_process())?;
            println!("the configuration is valid");
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi => {
            println!("{}", routes::document().to_pretty_json()?);
            Ok(ExitCode::SUCCESS)
        }
        Command::RotateKeys => rotate_keys(&load()?).await,
        Command::CheckProjection { repair } => check_projection(&load()?, repair).await,
        Command::Integrations(IntegrationsCommand::List { status }) => {
            list_integrations(&load()?, status.as_deref()).await
        }
        Command::Health => health(&load()?).await,
    }
}

fn load() -> Result<Config, Failure> {
    Ok(Config::load(&Environment::from_process())?)
}

async fn serve(config: &Config) -> Result<ExitCode, Failure> {
    telemetry::start_log(&config.log.filter, config.log.json).map_err(|error| error.to_string())?;
    let application = Application::build(config).await?;
    let metrics = application.metrics_address().map(tracing::field::display);
    tracing::info!(address = %application.address(), metrics, "serving");
    let handle = application.handle();
    tokio::spawn(async move {
        stop_signal().await;
        tracing::info!("stopping: waiting for requests in flight");
        handle.stop(true).await;
    });
    application.run().await?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
}

fn run_migrations() -> Result<ExitCode, Failure> {
    // Only this setting is read: the container that migrates has neither a keyring nor token keys.
    let url = Config::load_migrations_url(&Environment::from_process())?;
    match migrate(&url)?.as_slice() {
        [] => println!("nothing to do: the schema is up to date"),
        ran => ran.iter().for_each(|name| println!("ran {name}")),
    }
    Ok(ExitCode::SUCCESS)
}

fn list_settings() -> ExitCode {
    for setting in SETTINGS {
        let default = setting.default.map_or_else(String::new, |default| format!(" [{default}]"));
        let file = if setting.secret { " (or …_FILE)" } else { "" };
        println!("{}{default}{file}\n    {}", setting.name, setting.about);
    }
    ExitCode::SUCCESS
}

async fn rotate_keys(config: &Config) -> Result<ExitCode, Failure> {
    let rotation = KeyRotation::new(open_store(config)?);
    let before = rotation.count_by_key().await?;
    let by_key = before.iter().map(|(key, secrets)| format!("{key}: {secrets}"));
    println!("secrets by key before: {}", by_key.collect::<Vec<_>>().join(", "));
    let rotated =
        rotation.run(|tenant, count| println!("{count} re-encrypted (tenant {tenant})")).await?;
    let needed = rotation.release_unused_keys().await?.join(", ");
    println!(
        "{} re-encrypted in total; keys that must stay in the keyring: {needed}",
        rotated.resealed
    );
    if rotated.undecryptable.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let ids: Vec<String> = rotated.undecryptable.iter().map(ToString::to_string).collect();
    eprintln!(
        "secrets of these integrations cannot be decrypted with the keyring: {}",
        ids.join(", ")
    );
    Ok(ExitCode::FAILURE)
}

async fn check_projection(config: &Config, repair: bool) -> Result<ExitCode, Failure> {
    let projection = Projection::new(open_store(config)?);
    let report = projection
        .check(repair, |wrong| {
            let serials = wrong.serial_numbers.join(" ");
            println!("wrong: tenant {} integration {}: {serials}", wrong.tenant, wrong.integration);
        })
        .await?;
    println!(
        "{} checked, {} wrong, {} not projected",
        report.checked, report.wrong, report.missing
    );
    if report.wrong == 0 || repair {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!(
        "okta-device-trust: projected facts are wrong: run `okta-device-trust check-projection --repair`, and \
         report this as a defect"
    );
    Ok(ExitCode::FAILURE)
}

async fn list_integrations(config: &Config, status: Option<&str>) -> Result<ExitCode, Failure> {
    let integrations = AllIntegrations::new(open_store(config)?);
    println!("{:<36}  {:<8}  {:<32}  {:<24}  reasons", "id", "status", "okta_domain", "tenant");
    integrations
        .for_each(|entry| {
            if status.is_none_or(|wanted| wanted == entry.status.as_str()) {
                println!(
                    "{:<36}  {:<8}  {:<32}  {:<24}  {}",
                    entry.id,
                    entry.status.as_str(),
                    entry.okta_domain,
                    entry.tenant,
                    entry.reasons.join(" ")
                );
            }
        })
        .await?;
    Ok(ExitCode::SUCCESS)
}

/// Sends a plain HTTP/1.1 request; only the status line of the response matters.
async fn health(config: &Config) -> Result<ExitCode, Failure> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut address = config.listen;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    let request = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream
            .write_all(
                b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            )
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::time::timeout(Duration::from_secs(10), request).await??;
    let first_line = answer.lines().next().unwrap_or_default();
    println!("{first_line}");
    Ok(if first_line.contains(" 200 ") { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
