//! The real SCEP server as a process with a new CA and a free port. It stops when this process ends, even if
//! it is killed.
//!
//! It cannot listen on loopback only, but it signs only requests with a challenge of the org.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::loopback_http::{Message, exchange_plain};

/// Stops the server as soon as the pipe closes, whose only write end this process has. Removes the directory
/// if this process was killed before it could do so.
const GUARD: &str = r#"
folder=$1; shift
"$@" </dev/null &
server=$!
said=$(cat)
kill "$server"; wait "$server"
[ -n "$said" ] || rm -rf -- "$folder"
"#;

const DEPOT: &str = "depot";
const LOG: &str = "server.log";

const TIMEOUT: Duration = Duration::from_secs(10);

/// Another process may take the chosen free port first, so retry.
const MAX_ATTEMPTS: usize = 3;

#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    ca_certificate_pem: String,
    shell: Child,
    pipe: Option<ChildStdin>,
}

impl Server {
    /// Starts the server, which runs `verifier` for each certificate request.
    pub fn start(program: &Path, folder: &Path, verifier: &Path, name: &str) -> io::Result<Self> {
        let (depot, log) = (folder.join(DEPOT), folder.join(LOG));
        create_authority(program, &depot, name)?;
        let ca_certificate_pem = fs::read_to_string(depot.join("ca.pem"))?;
        for _ in 0..MAX_ATTEMPTS {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let (shell, pipe) = spawn(program, folder, verifier, port)?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let ca_certificate_pem = ca_certificate_pem.clone();
            let server = Self { address, ca_certificate_pem, shell, pipe };
            if server.is_up(&log)? {
                return Ok(server);
            }
        }
        let said = fs::read_to_string(&log).unwrap_or_default();
        Err(io::Error::other(format!("{} does not come up: {said}", program.display())))
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn ca_certificate_pem(&self) -> &str {
        &self.ca_certificate_pem
    }

    /// Returns whether this server's CA answers at the port.
    fn is_up(&self, log: &Path) -> io::Result<bool> {
        let own = CertificateDer::from_pem_slice(self.ca_certificate_pem.as_bytes())
            .map_err(io::Error::other)?;
        let ask = Message {
            method: "GET".to_string(),
            target: "/scep?operation=GetCACert".to_string(),
            content_type: None,
            body: Vec::new(),
        };
        let begun = Instant::now();
        while begun.elapsed() < TIMEOUT {
            if exchange_plain(self.address, &ask).is_ok_and(|answer| *answer.body == *own) {
                return Ok(true);
            }
            if fs::read_to_string(log)?.contains("address already in use") {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(false)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(b"the folder is ours to remove");
        }
        let _ = self.shell.wait();
    }
}

fn create_authority(program: &Path, depot: &Path, name: &str) -> io::Result<()> {
    let made = Command::new(program)
        .args(["ca", "-init", "-keySize", "2048", "-years", "5", "-organization", name])
        .args([OsStr::new("-depot"), depot.as_os_str()])
        .output()?;
    if made.status.success() {
        return Ok(());
    }
    let said = [made.stdout, made.stderr].concat();
    Err(io::Error::other(format!("no CA could be made: {}", String::from_utf8_lossy(&said))))
}

fn spawn(
    program: &Path,
    folder: &Path,
    verifier: &Path,
    port: u16,
) -> io::Result<(Child, Option<ChildStdin>)> {
    let log = File::create(folder.join(LOG))?;
    let mut shell = Command::new("/bin/sh")
        .args(["-c", GUARD, "odt-scep-guard"])
        .args([folder, program])
        .args([OsStr::new("-depot"), folder.join(DEPOT).as_os_str()])
        .args([OsStr::new("-csrverifierexec"), verifier.as_os_str()])
        // A year, like Okta's; a name can be certified again at any time with a new challenge.
        .args(["-port", &port.to_string(), "-crtvalid", "365", "-allowrenew", "0"])
        // Ctrl-C in a terminal stops this process, and through the pipe the server.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    let pipe = shell.stdin.take();
    Ok((shell, pipe))
}
