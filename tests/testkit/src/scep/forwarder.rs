//! Forwards plain HTTP on loopback to the org over TLS, for the SCEP client, which supports neither a custom
//! root nor host overrides.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::loopback_http::{Served, exchange};

/// Forwards all requests to `host`, which listens at `address`.
pub(super) fn serve(address: SocketAddr, root_pem: &str, host: &str) -> io::Result<Served> {
    let config = Arc::new(client_config(root_pem)?);
    let host = host.to_string();
    let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
    Served::start(move |message| {
        let session = ClientConnection::new(Arc::clone(&config), name.clone());
        let session = session.map_err(io::Error::other)?;
        let stream = TcpStream::connect(address)?;
        exchange(StreamOwned::new(session, stream), &host, &message)
    })
}

fn client_config(root_pem: &str) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(root_pem.as_bytes()).map_err(io::Error::other)?;
    roots.add(root).map_err(io::Error::other)?;
    Ok(ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
