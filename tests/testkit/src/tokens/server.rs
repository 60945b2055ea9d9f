//! Serves an issuer's JWKS over plain HTTP on loopback, with faults on demand.
//!
//! It never listens on another address.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::json;

use super::TokenIssuer;
use crate::background::Background;

/// The server; it stops when dropped.
#[derive(Debug)]
pub struct JwksServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    running: Option<Background>,
}

#[derive(Debug)]
struct Shared {
    issuer: TokenIssuer,
    address: SocketAddr,
    requests: AtomicUsize,
    manners: Mutex<Manners>,
}

/// The current behavior of the server.
#[derive(Debug, Clone, Default)]
struct Manners {
    delay: Duration,
    status: Option<u16>,
    body: Option<String>,
}

impl JwksServer {
    /// Starts the server on a free port of 127.0.0.1.
    pub fn start(issuer: &TokenIssuer) -> io::Result<Self> {
        Self::start_on(issuer, 0)
    }

    pub fn start_on(issuer: &TokenIssuer, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            issuer: issuer.clone(),
            address,
            requests: AtomicUsize::new(0),
            manners: Mutex::default(),
        });
        let running = Some(serve(listener, Arc::clone(&shared))?);
        Ok(Self { address, shared, running })
    }

    /// Returns the URL of the JWKS.
    pub fn url(&self) -> String {
        format!("http://{}/.well-known/jwks.json", self.address)
    }

    /// Returns the number of requests so far.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Makes the server respond with 503.
    pub fn set_unavailable(&self) {
        self.change(|manners| manners.status = Some(503));
    }

    /// Makes the server respond with 200 and this instead of the keys.
    pub fn set_body(&self, body: impl Into<String>) {
        let body = body.into();
        self.change(|manners| manners.body = Some(body));
    }

    /// Makes the server respond with 200 and invalid JSON.
    pub fn set_garbage(&self) {
        self.set_body("<html>this is not the document that you look for</html>");
    }

    /// Delays each request.
    pub fn set_slow(&self, delay: Duration) {
        self.change(|manners| manners.delay = delay);
    }

    /// Refuses connections until [`set_healthy`](Self::set_healthy).
    pub fn set_refusing(&mut self) {
        self.running = None;
    }

    /// Restores the normal behavior.
    pub fn set_healthy(&mut self) -> io::Result<()> {
        self.change(|manners| *manners = Manners::default());
        if self.running.is_none() {
            self.running = Some(serve(TcpListener::bind(self.address)?, Arc::clone(&self.shared))?);
        }
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut Manners)) {
        change(&mut self.shared.manners.lock().expect("no holder panics"));
    }
}

fn serve(listener: TcpListener, shared: Arc<Shared>) -> io::Result<Background> {
    Background::start("jwks-server", move || {
        let shared = web::Data::from(shared);
        let server = HttpServer::new(move || {
            App::new().app_data(shared.clone()).default_service(web::to(answer))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .listen(listener)?
        .run();
        Ok(server)
    })
}

async fn answer(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let manners = shared.manners.lock().expect("no holder panics").clone();
    sleep(manners.delay).await;
    if let Some(status) = manners.status {
        let status =
            actix_web::http::StatusCode::from_u16(status).expect("a status of our own choice");
        return HttpResponse::build(status).body("unavailable");
    }
    if let Some(body) = manners.body {
        return HttpResponse::Ok().content_type("application/json").body(body);
    }
    match request.path() {
        "/.well-known/jwks.json" => HttpResponse::Ok().json(shared.issuer.jwks()),
        "/.well-known/openid-configuration" => HttpResponse::Ok().json(json!({
            "issuer": shared.issuer.issuer(),
            "jwks_uri": format!("http://{}/.well-known/jwks.json", shared.address),
        })),
        _ => HttpResponse::NotFound().body("only /.well-known/jwks.json is here"),
    }
}
