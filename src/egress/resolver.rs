//! Turns names into addresses that may be dialled. The client connects to exactly the addresses that
//! are handed out here, so a name that changes its answer afterwards gains nothing.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::address::is_special_purpose;
use super::error::ResolveError;

type LookupFuture = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// How a name becomes addresses, before anyone judges them.
pub(super) type Lookup = Arc<dyn Fn(String) -> LookupFuture + Send + Sync>;

/// The most names that are being looked up at once. The system's resolver blocks a thread for as long
/// as a name server takes, the threads are those that also wait for the database, and whose name
/// servers are asked is for customers to say.
pub const MOST_LOOKUPS: usize = TENANT_LOOKUPS + OPERATOR_LOOKUPS;
pub(super) const TENANT_LOOKUPS: usize = 32;
/// Apart, so that customers' slow names never keep the token issuer's from being looked up.
pub(super) const OPERATOR_LOOKUPS: usize = 4;

/// The resolver of the operating system: `most` names at once, for at most `patience` each.
pub(super) fn system_lookup(most: usize, patience: Duration) -> Lookup {
    use std::net::ToSocketAddrs;
    let look_up = |host: String| {
        let addresses = (host, 0).to_socket_addrs()?;
        Ok(addresses.map(|address| address.ip()).collect())
    };
    bounded_lookup(most, patience, look_up)
}

/// Runs a blocking lookup where blocking is fine, with `most` at a time. Who finds none free in time
/// is told that the lookup failed, not that the name is missing.
pub(super) fn bounded_lookup(
    most: usize,
    patience: Duration,
    look_up: impl Fn(String) -> io::Result<Vec<IpAddr>> + Send + Sync + Copy + 'static,
) -> Lookup {
    let slots = Arc::new(Semaphore::new(most));
    Arc::new(move |host| {
        let slots = Arc::clone(&slots);
        let found = async move {
            let slot = slots.acquire_owned().await.map_err(io::Error::other)?;
            #[expect(
                clippy::disallowed_methods,
                reason = "bounded here; the threads for it are counted at start-up"
            )]
            let blocking = tokio::task::spawn_blocking(move || {
                // Held by the thread: a caller that gives up frees no thread, and so no slot.
                let _slot = slot;
                look_up(host)
            });
            blocking.await.map_err(io::Error::other)?
        };
        Box::pin(async move {
            timeout(patience, found).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        })
    })
}

/// All addresses of the name, or a refusal if *any* of them is special-purpose: a name that mixes
/// public and private addresses has no honest use here.
pub(super) async fn vetted(lookup: &Lookup, host: String) -> Result<Vec<IpAddr>, ResolveError> {
    let addresses = any(lookup, host.clone()).await?;
    if addresses.iter().copied().any(is_special_purpose) {
        return Err(ResolveError::SpecialPurpose { host });
    }
    Ok(addresses)
}

async fn any(lookup: &Lookup, host: String) -> Result<Vec<IpAddr>, ResolveError> {
    match lookup(host.clone()).await {
        Ok(addresses) if addresses.is_empty() => Err(ResolveError::NotFound { host }),
        Ok(addresses) => Ok(addresses),
        Err(error) => Err(ResolveError::from_io(host, &error)),
    }
}

/// Resolves for the tenant policy. The configured proxy is the one name that may be private; what
/// goes through it is judged by [`vetted`] before it is sent.
pub(super) struct VettedResolver {
    pub lookup: Lookup,
    pub proxy_host: Option<String>,
}

impl Resolve for VettedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, host) = (Arc::clone(&self.lookup), name.as_str().to_owned());
        let is_proxy = self.proxy_host.as_deref() == Some(host.as_str());
        Box::pin(async move {
            let found =
                if is_proxy { any(&lookup, host).await } else { vetted(&lookup, host).await };
            Ok(addrs(found?))
        })
    }
}

/// Resolves for the operator policy: whatever the system says.
pub(super) struct PlainResolver {
    pub lookup: Lookup,
}

impl Resolve for PlainResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, host) = (Arc::clone(&self.lookup), name.as_str().to_owned());
        Box::pin(async move { Ok(addrs(any(&lookup, host).await?)) })
    }
}

/// Knows the overridden hosts and nothing else. Their port is dialled in place of the scheme's own.
pub(super) struct OverrideResolver {
    pub hosts: Arc<BTreeMap<String, SocketAddr>>,
}

impl Resolve for OverrideResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.hosts.get(name.as_str()).copied();
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let address = found.ok_or(ResolveError::NotFound { host })?;
            Ok(Box::new(std::iter::once(address)) as Addrs)
        })
    }
}

/// Port 0 means "the port of the scheme" to the client.
fn addrs(addresses: Vec<IpAddr>) -> Addrs {
    Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)))
}
