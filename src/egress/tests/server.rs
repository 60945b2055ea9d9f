//! A minimal HTTP server for tests: one thread, one response per connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub struct Server {
    pub address: SocketAddr,
    /// The root of the server's certificate; empty without TLS.
    pub root_pem: Vec<u8>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts an HTTP server that answers every request with these bytes.
    pub fn plain(answer: impl Into<Vec<u8>>) -> Self {
        Self::start(vec![answer.into()], None, Vec::new())
    }

    /// Starts an HTTP server that sends each answer once, then repeats the last one.
    pub fn plain_sequence<A: Into<Vec<u8>>>(answers: impl IntoIterator<Item = A>) -> Self {
        Self::start(answers.into_iter().map(Into::into).collect(), None, Vec::new())
    }

    /// Starts an HTTPS server with a certificate for these hosts.
    pub fn tls(hosts: &[&str], answer: impl Into<Vec<u8>>) -> Self {
        Self::tls_sequence(hosts, [answer])
    }

    /// Starts an HTTPS server that sends each answer once, then repeats the last one.
    pub fn tls_sequence<A: Into<Vec<u8>>>(
        hosts: &[&str],
        answers: impl IntoIterator<Item = A>,
    ) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut ca = CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let leaf = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        let answers = answers.into_iter().map(Into::into).collect();
        Self::start(answers, Some(Arc::new(config)), ca.pem().into_bytes())
    }

    fn start(answers: Vec<Vec<u8>>, tls: Option<Arc<ServerConfig>>, root_pem: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Some tests abort the connection.
                let _ = match &tls {
                    None => exchange(stream, &answers, &seen),
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                        exchange(StreamOwned::new(connection, stream), &answers, &seen)
                    }
                };
            }
        });
        Self { address, root_pem, requests }
    }

    /// Returns the head of each request so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn exchange(
    mut stream: impl Read + Write,
    answers: &[Vec<u8>],
    seen: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut chunk)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => request.extend_from_slice(&chunk[..read]),
        }
    }
    // Recorded before the answer, so that a test that has the answer also sees the request.
    let turn = {
        let mut seen = seen.lock().unwrap();
        seen.push(String::from_utf8_lossy(&request).into_owned());
        seen.len() - 1
    };
    stream.write_all(&answers[turn.min(answers.len() - 1)])?;
    stream.flush()
}

/// Starts a server that accepts connections and never answers.
pub fn silent() -> (SocketAddr, thread::JoinHandle<Vec<TcpStream>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, thread::spawn(move || listener.incoming().flatten().collect()))
}
