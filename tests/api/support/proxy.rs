//! Proxies between the service and PostgreSQL.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::postgres::{POSTGRES, database_on};
use crate::support::world::World;

/// A proxy between the service and PostgreSQL that forwards or holds back data.
pub struct Proxy {
    pub port: u16,
    pub frozen: watch::Sender<bool>,
}

impl Proxy {
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("address").port();
        let (frozen, watched) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass_on(from_client, to_server, watched.clone()));
                tokio::spawn(pass_on(from_server, to_client, watched.clone()));
            }
        });
        Self { port, frozen }
    }
}

pub async fn pass_on(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut frozen: watch::Receiver<bool>,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(length) = from.read(&mut buffer).await else { return };
        if frozen.wait_for(|frozen| !frozen).await.is_err() || length == 0 {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Starts a world whose service connects to the shared PostgreSQL through a proxy.
pub async fn behind_a_proxy() -> (World, Proxy) {
    let (database, url, port) = {
        let postgres = POSTGRES.lock().expect("postgres");
        let (database, url) = database_on(&postgres);
        (database, url, postgres.port())
    };
    let proxy = Proxy::start(port).await;
    let url = url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port));
    let mut world = World::build().database_url(url).without_service().await;
    world.database = database;
    (world, proxy)
}

/// A proxy between the service and PostgreSQL that counts round trips.
pub async fn counting_proxy(port: u16) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("address");
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", port)).await.expect("PostgreSQL");
            let (mut from_client, to_client) = client.into_split();
            let (from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            tokio::spawn(count_ready(from_server, to_client, Arc::clone(&counted)));
        }
    });
    (address.port(), count)
}

/// Forwards the server's messages and counts `ReadyForQuery`, one per round trip.
pub async fn count_ready(
    mut server: impl AsyncReadExt + Unpin,
    mut client: impl AsyncWriteExt + Unpin,
    count: Arc<AtomicUsize>,
) {
    let mut begun = false;
    while let Ok(kind) = server.read_u8().await {
        if client.write_u8(kind).await.is_err() {
            return;
        }
        // Before the first message, a single byte declines encryption.
        if kind == b'N' && !begun {
            continue;
        }
        begun = true;
        let Ok(length) = server.read_u32().await else { return };
        let mut body = vec![0; length as usize - 4];
        if server.read_exact(&mut body).await.is_err() {
            return;
        }
        if kind == b'Z' {
            count.fetch_add(1, Ordering::SeqCst);
        }
        if client.write_u32(length).await.is_err() || client.write_all(&body).await.is_err() {
            return;
        }
    }
}
