//! `simulated-okta-org`: the simulated Okta as a program, for development stacks and other teams.
//!
//! It is not part of the product, only for tests and development.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use testkit::okta::{Options, OrgSetup, ScepBackend, SimulatedOkta};

/// Simulated Okta orgs over TLS, which respond like Okta and fail on demand.
#[derive(Debug, Parser)]
#[command(name = "simulated-okta-org", version)]
struct Arguments {
    /// The port; 0 selects a free one.
    #[arg(long, env = "SIMULATED_OKTA_PORT", default_value_t = 9443)]
    port: u16,

    /// The address to listen on; 0.0.0.0 in a container.
    #[arg(long, env = "SIMULATED_OKTA_LISTEN", default_value = "127.0.0.1")]
    listen: IpAddr,

    /// The address:port that clients use, if it differs from the one listened on.
    #[arg(long, env = "SIMULATED_OKTA_ADVERTISE")]
    advertise: Option<String>,

    /// The directory where the root CA is stored between runs.
    #[arg(long, env = "SIMULATED_OKTA_CA_DIR", default_value = "simulated-okta-ca")]
    ca_dir: PathBuf,

    /// A real SCEP server, which signs for every org: http://host:port/path. It asks
    /// /_sim/orgs/{name}/scep/consume-challenge whether a challenge is good.
    #[arg(long, value_name = "URL", env = "SIMULATED_OKTA_SCEP_BACKEND")]
    scep_backend: Option<ScepBackend>,

    /// An org: `acme`, or a full host such as `acme.oktapreview.com`. Can be repeated.
    #[arg(long = "org", value_name = "NAME", default_value = "acme")]
    orgs: Vec<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprint!("simulated-okta-org: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprint!(": {error}");
                cause = error.source();
            }
            eprintln!();
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let mut okta = SimulatedOkta::start(Options {
        port: arguments.port,
        listen: arguments.listen,
        ca_dir: Some(arguments.ca_dir.clone()),
        advertise: arguments.advertise,
        scep_backend: arguments.scep_backend,
        ..Options::default()
    })
    .await?;
    for host in &arguments.orgs {
        let setup = match host.split_once('.') {
            Some((name, suffix)) => OrgSetup::new(name).suffix(suffix),
            None => OrgSetup::new(host),
        };
        okta.add_org(setup);
    }
    println!("listening on      {}", okta.url());
    println!("control API       {}/_sim", okta.url());
    println!(
        "root CA           {}",
        std::path::absolute(arguments.ca_dir.join("root-ca.pem"))?.display()
    );
    println!("host overrides    {}", okta.host_overrides());
    for org in okta.orgs() {
        println!("org               {} ({})", org.url(), org.id());
        println!("  client id       {}", org.client_id());
        println!("  client secret   {}", org.client_secret());
        println!("  SCEP URL        {}", org.scep_url());
        println!("  challenge URL   {}", org.challenge_url());
        println!("  SCEP user name  {}", org.scep_username());
        println!("  SCEP password   {}", org.scep_password());
    }
    wait_for_shutdown().await?;
    okta.stop();
    Ok(())
}

async fn wait_for_shutdown() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
