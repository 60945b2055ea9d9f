//! The API's listener: accepts connections and passes each to actix as a [`TimedStream`].

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol, Request, Response};
use actix_server::Server;
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config,
};
use actix_web::body::MessageBody;
use actix_web::dev::AppConfig;
use tokio::net::{TcpSocket, TcpStream};

use super::timed_stream::{TimedStream, Timeouts};

/// From the first byte of a request to the end of its head; for every request of a connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection stays open.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long a client may read nothing of a response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long closing a connection waits for the client.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Connections that wait in the kernel until one can be accepted.
const BACKLOG: u32 = 1024;

/// Settings of the API's server.
pub(super) struct Listener {
    pub(super) address: SocketAddr,
    pub(super) workers: usize,
    /// Over all workers.
    pub(super) max_connections: usize,
    pub(super) blocking_threads: usize,
    pub(super) shutdown_grace: Duration,
}

impl Listener {
    /// Binds the address and creates the server, which accepts connections when it runs.
    ///
    /// # Errors
    /// The operating system's error for the address.
    pub(super) fn bind<F, I, S, B>(&self, app: F) -> io::Result<(Server, SocketAddr)>
    where
        F: Fn() -> I + Send + Clone + 'static,
        I: IntoServiceFactory<S, Request>,
        S: ServiceFactory<Request, Config = AppConfig> + 'static,
        S::Error: Into<actix_web::Error> + 'static,
        S::InitError: std::fmt::Debug,
        S::Response: Into<Response<B>> + 'static,
        <S::Service as Service<Request>>::Future: 'static,
        S::Service: 'static,
        B: MessageBody + 'static,
    {
        let listener = listen(self.address)?;
        let address = listener.local_addr()?;
        let timeouts =
            Timeouts { head: HEAD_TIMEOUT, idle: KEEP_ALIVE + HEAD_TIMEOUT, write: WRITE_TIMEOUT };
        let builder = Server::build()
            .workers(self.workers)
            .max_concurrent_connections((self.max_connections / self.workers).max(1))
            .worker_max_blocking_threads(self.blocking_threads)
            .shutdown_timeout(self.shutdown_grace.as_secs())
            .disable_signals();
        let stopping = builder.graceful_shutdown_signal();
        let server = builder.listen("api", listener, move || {
            let app = app().into_factory().map_err(|error| error.into().error_response());
            let stopping = stopping.clone();
            let http = HttpService::build()
                .keep_alive(KEEP_ALIVE)
                .client_request_timeout(HEAD_TIMEOUT)
                .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                .local_addr(address)
                .on_connect_ext(|stream: &TimedStream<TcpStream>, data| {
                    data.insert(stream.activity().clone());
                })
                .graceful_shutdown_signal(move || {
                    let stopping = stopping.clone();
                    async move { stopping.notified().await }
                })
                .finish(map_config(app, |()| AppConfig::default()));
            fn_service(move |stream: TcpStream| async move {
                let peer = stream.peer_addr().ok();
                let stream = TimedStream::new(stream, timeouts);
                Ok::<_, DispatchError>((stream, Protocol::Http1, peer))
            })
            .and_then(http)
        })?;
        Ok((server.run(), address))
    }
}

fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Allows to bind the address while connections of the previous process are still closing.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}
