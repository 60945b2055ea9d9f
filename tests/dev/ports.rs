//! Well-known ports where they are free, others where they are not.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

/// `wanted`, or any port of the same address when somebody else listens there; and what to say of it.
pub fn free(wanted: SocketAddr, what: &str) -> (SocketAddr, Option<String>) {
    match TcpListener::bind(wanted) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let note = format!("{wanted} is taken, so {what} took another port.");
            (SocketAddr::new(wanted.ip(), 0), Some(note))
        }
        // Any other error is told better by the server that will meet it.
        _ => (wanted, None),
    }
}

/// Where a client on this machine dials what listens on `address`.
pub fn dialled(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, address.port())
}
