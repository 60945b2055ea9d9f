//! Picks well-known ports, or other ones if they are in use.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

/// Returns `wanted`, or port 0 of the same IP address with a note if the port is in use.
pub fn free(wanted: SocketAddr, what: &str) -> (SocketAddr, Option<String>) {
    match TcpListener::bind(wanted) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let note = format!("{wanted} is in use, so {what} listens on another port.");
            (SocketAddr::new(wanted.ip(), 0), Some(note))
        }
        // The server reports any other error better.
        _ => (wanted, None),
    }
}

/// Returns the address at which a client on this machine reaches a server that listens on `address`.
pub fn local_address(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}
