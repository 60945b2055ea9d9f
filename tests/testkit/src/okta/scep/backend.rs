//! Forwards requests for the SCEP URL to the real SCEP server, if there is one.

use std::net::SocketAddr;
use std::str::FromStr;

use actix_web::rt::task::spawn_blocking;

use super::scep_path;
use crate::loopback_http::{Message, exchange_plain};
use crate::okta::message::{Reply, Request};
use crate::okta::org::Org;

/// A real SCEP server: `http://host:port/path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScepBackend {
    address: SocketAddr,
    /// The real server's path, whatever the org's is.
    path: String,
}

impl ScepBackend {
    pub fn new(address: SocketAddr, path: impl Into<String>) -> Self {
        Self { address, path: path.into() }
    }
}

/// Plain HTTP alone: the server stands beside us. A name is looked up once.
impl FromStr for ScepBackend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = url::Url::parse(text).map_err(|error| error.to_string())?;
        if url.scheme() != "http" || url.query().is_some() {
            return Err("give it as http://host:port/path".to_string());
        }
        let mut addresses = url.socket_addrs(|| None).map_err(|error| error.to_string())?;
        // The first IPv4 address, where there is one: such a server often listens on that alone.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let address = addresses.into_iter().next().ok_or("the host has no address")?;
        Ok(Self::new(address, url.path()))
    }
}

/// Returns the real server's response; `None` if the simulated CA must respond.
pub(in crate::okta) async fn forward(org: &Org, request: &Request) -> Option<Reply> {
    if request.path != scep_path(org) {
        return None;
    }
    let (backend, healthy) = {
        let state = org.state();
        (state.scep.backend.clone()?, state.knobs.scep.is_healthy_ca())
    };
    // Faults on demand need the simulated CA.
    if !healthy && request.query.contains("GetCACert") {
        return None;
    }
    let message = Message {
        method: request.method.clone(),
        target: format!("{}?{}", backend.path, request.query),
        content_type: request.header("content-type").map(str::to_string),
        body: request.body.clone(),
    };
    // The response takes time, and the worker must serve other connections.
    let answered = spawn_blocking(move || exchange_plain(backend.address, &message)).await;
    Some(match answered {
        Ok(Ok(answer)) => {
            let label = answer.content_type.unwrap_or_else(|| "text/plain".to_string());
            Reply::bytes_of(answer.status, label, answer.body)
        }
        _ => Reply::text(502, "the SCEP server behind this org does not answer\n"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_an_address_with_a_path_over_plain_http() {
        let backend: ScepBackend = "http://127.0.0.1:8080/scep".parse().unwrap();
        assert_eq!(backend, ScepBackend::new(([127, 0, 0, 1], 8080).into(), "/scep"));
        for text in ["127.0.0.1:8080", "https://127.0.0.1/scep", "http://127.0.0.1/scep?x=1", "x"] {
            assert!(text.parse::<ScepBackend>().is_err(), "{text}");
        }
    }
}
