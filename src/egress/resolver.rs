//! Resolves host names and checks their addresses.
//!
//! The HTTP client connects to exactly the addresses returned here, so DNS rebinding has no effect.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

use super::address::is_special_purpose;
use super::error::ResolveError;

type LookupFuture = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Resolves a name to addresses, without any check.
pub(super) type Lookup = Arc<dyn Fn(String) -> LookupFuture + Send + Sync>;

/// Maximum number of concurrent DNS lookups. The system resolver blocks a thread for as long as a
/// name server takes, customers choose the name servers, and database calls use the same threads.
pub const MAX_LOOKUPS: usize = MAX_TENANT_LOOKUPS + MAX_OPERATOR_LOOKUPS;
pub(super) const MAX_TENANT_LOOKUPS: usize = 32;
/// Separate, so that slow lookups for customers never block the lookup of the token issuer.
pub(super) const MAX_OPERATOR_LOOKUPS: usize = 4;

/// The resolver of the operating system, with at most `limit` concurrent lookups.
pub(super) fn system_lookup(limit: usize, timeout: Duration) -> Lookup {
    use std::net::ToSocketAddrs;
    let look_up = |host: String| {
        let addresses = (host, 0).to_socket_addrs()?;
        Ok(addresses.map(|address| address.ip()).collect())
    };
    bounded_lookup(limit, timeout, look_up)
}

/// Runs blocking lookups on blocking threads, at most `limit` at once. A lookup that gets no thread
/// within `timeout` is reported as failed, not as a missing name.
pub(super) fn bounded_lookup(
    limit: usize,
    timeout: Duration,
    look_up: impl Fn(String) -> io::Result<Vec<IpAddr>> + Send + Sync + Copy + 'static,
) -> Lookup {
    let permits = Arc::new(Semaphore::new(limit));
    Arc::new(move |host| {
        let permits = Arc::clone(&permits);
        let found = async move {
            let permit = permits.acquire_owned().await.map_err(io::Error::other)?;
            #[expect(
                clippy::disallowed_methods,
                reason = "bounded here; start-up reserves the threads for it"
            )]
            let blocking = tokio::task::spawn_blocking(move || {
                // The thread holds the permit: a caller that times out does not free the thread.
                let _permit = permit;
                look_up(host)
            });
            blocking.await.map_err(io::Error::other)?
        };
        Box::pin(async move {
            let timed_out = |_| Err(io::ErrorKind::TimedOut.into());
            tokio::time::timeout(timeout, found).await.unwrap_or_else(timed_out)
        })
    })
}

/// Resolves a name and refuses it if *any* of its addresses is special-purpose: a legitimate Okta
/// host does not mix public and private addresses.
pub(super) async fn resolve_public(
    lookup: &Lookup,
    host: String,
) -> Result<Vec<IpAddr>, ResolveError> {
    let addresses = resolve_any(lookup, host.clone()).await?;
    if addresses.iter().copied().any(is_special_purpose) {
        return Err(ResolveError::SpecialPurpose { host });
    }
    Ok(addresses)
}

async fn resolve_any(lookup: &Lookup, host: String) -> Result<Vec<IpAddr>, ResolveError> {
    match lookup(host.clone()).await {
        Ok(addresses) if addresses.is_empty() => Err(ResolveError::NotFound { host }),
        Ok(addresses) => Ok(addresses),
        Err(error) => Err(ResolveError::from_io(host, &error)),
    }
}

/// The resolver of the tenant policy. Only the configured proxy may have a private address; targets
/// behind the proxy are checked with [`resolve_public`] before the request is sent.
pub(super) struct PublicResolver {
    pub lookup: Lookup,
    pub proxy_host: Option<String>,
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, host) = (Arc::clone(&self.lookup), name.as_str().to_owned());
        let is_proxy = self.proxy_host.as_deref() == Some(host.as_str());
        Box::pin(async move {
            let found = if is_proxy {
                resolve_any(&lookup, host).await
            } else {
                resolve_public(&lookup, host).await
            };
            Ok(addrs(found?))
        })
    }
}

/// The resolver of the operator policy. Checks nothing.
pub(super) struct SystemResolver {
    pub lookup: Lookup,
}

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, host) = (Arc::clone(&self.lookup), name.as_str().to_owned());
        Box::pin(async move { Ok(addrs(resolve_any(&lookup, host).await?)) })
    }
}

/// Resolves the overridden hosts only, to their address and port.
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

/// To the HTTP client, port 0 means the port of the scheme.
fn addrs(addresses: Vec<IpAddr>) -> Addrs {
    Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)))
}
