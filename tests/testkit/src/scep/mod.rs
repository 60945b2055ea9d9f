//! A real SCEP server behind a simulated org, and a real SCEP client in front of it: Debian's package `scep`
//! (micromdm's `scepserver` and `scepclient`).
//!
//! The server signs, and asks the org whether a challenge is valid.
//!
//! ```no_run
//! # fn example(okta: &testkit::okta::SimulatedOkta, acme: &testkit::okta::Org, challenge: &str) -> std::io::Result<()> {
//! use testkit::scep::RealScep;
//! let Some(real) = RealScep::find() else { return Ok(()) };
//! let running = real.start(okta, acme)?;
//! let certificate_pem = running.enrol(challenge).expect("a fresh challenge");
//! # Ok(())
//! # }
//! ```

mod certificate_request;
mod forwarder;
mod server;
mod verifier;

use std::io;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use self::server::Server;
use crate::loopback_http::Served;
use crate::okta::{Org, ScepBackend, SimulatedOkta};

/// The installed programs.
#[derive(Debug, Clone)]
pub struct RealScep {
    server: PathBuf,
    client: PathBuf,
}

impl RealScep {
    /// Finds the programs. If they are not installed, returns `None` and prints that the check is skipped.
    pub fn find() -> Option<Self> {
        let found = on_path("scepserver").zip(on_path("scepclient"));
        if found.is_none() {
            eprintln!("SKIPPED: no real SCEP server and client here: install the package `scep`");
        }
        found.map(|(server, client)| Self { server, client })
    }

    /// Starts a server with a new CA behind the org's SCEP URL, until the result is dropped. Takes about a second;
    /// needs no async runtime.
    pub fn start(&self, okta: &SimulatedOkta, org: &Org) -> io::Result<RunningScep> {
        let folder = tempfile::Builder::new().prefix("odt-scep-").tempdir()?;
        let verifier = verifier::serve(org)?;
        let script = verifier::write_script(folder.path(), verifier.address.port())?;
        let server = Server::start(&self.server, folder.path(), &script, &org.host())?;
        let forwarder = forwarder::serve(okta.address(), okta.root_ca_pem(), &org.host())?;
        org.set_scep_backend(Some(ScepBackend::new(server.address(), "/scep")));
        Ok(RunningScep {
            org: org.clone(),
            client: self.client.clone(),
            forwarder,
            server,
            _verifier: verifier,
            folder,
        })
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// A server behind an org. It stops and is detached from the org when dropped.
#[derive(Debug)]
pub struct RunningScep {
    org: Org,
    client: PathBuf,
    forwarder: Served,
    server: Server,
    _verifier: Served,
    folder: TempDir,
}

impl RunningScep {
    /// Enrolls like a device: creates a key and gets a certificate with this challenge at the org's SCEP URL.
    /// Returns the certificate in PEM, or the client's output. Blocks for about 100 ms.
    pub fn enrol(&self, challenge: &str) -> Result<String, String> {
        self.enrol_as("device managementAttestation 0", challenge)
    }

    /// Enrolls with this common name.
    pub fn enrol_as(&self, common_name: &str, challenge: &str) -> Result<String, String> {
        self.run_client(common_name, challenge).map_err(|error| error.to_string())
    }

    /// Returns the certificate of the CA in PEM.
    pub fn ca_certificate_pem(&self) -> &str {
        self.server.ca_certificate_pem()
    }

    /// Returns the org's SCEP URL without TLS on loopback, for clients that do not trust the simulated root.
    pub fn plain_url(&self) -> String {
        let path = self.org.scep_url().replacen(&self.org.url(), "", 1);
        format!("http://{}{path}", self.forwarder.address)
    }

    fn run_client(&self, common_name: &str, challenge: &str) -> io::Result<String> {
        let device = TempDir::new_in(self.folder.path())?;
        let ran = Command::new(&self.client)
            .current_dir(device.path())
            .args(["-server-url", &self.plain_url()])
            .args(["-private-key", "key.pem", "-certificate", "certificate.pem"])
            .args(["-cn", common_name, "-challenge", challenge])
            .output()?;
        if !ran.status.success() {
            let said = [ran.stdout, ran.stderr].concat();
            return Err(io::Error::other(String::from_utf8_lossy(&said).into_owned()));
        }
        std::fs::read_to_string(device.path().join("certificate.pem"))
    }
}

impl Drop for RunningScep {
    fn drop(&mut self) {
        self.org.set_scep_backend(None);
    }
}
