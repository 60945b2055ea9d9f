//! The HTTP front end: reads requests, applies faults, writes responses and keeps the journal.
//!
//! [`router`](super::router) determines Okta's responses.

use std::any::Any;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, SystemTime};

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::Extensions;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HttpDate};
use actix_web::rt::net::TcpStream;
use actix_web::rt::time::sleep;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, body::SizedStream, web};
use futures_util::stream;
use socket2::Socket;

use super::fault::{self, Fault, FaultKind};
use super::message::{Reply, Request};
use super::org::Org;
use super::world::{World, is_local};
use super::{control, errors, router, scep};

const OVERSIZED: usize = 20 * 1024 * 1024;

/// The state of a connection.
struct Line {
    socket: Option<Socket>,
    tls_name: Option<String>,
}

pub(super) fn on_connect(connection: &dyn Any, extensions: &mut Extensions) {
    let Some(tls) = connection.downcast_ref::<TlsStream<TcpStream>>() else { return };
    let (tcp, session) = tls.get_ref();
    // Otherwise a response waits about 40 ms for the client's delayed acknowledgement.
    let _ = tcp.set_nodelay(true);
    extensions.insert(Line {
        // A second handle to the connection, the only way to close it from within a handler.
        socket: tcp.as_fd().try_clone_to_owned().ok().map(Socket::from),
        tls_name: session.server_name().map(ToString::to_string),
    });
}

pub(super) async fn answer(
    http: HttpRequest,
    body: Bytes,
    world: web::Data<World>,
) -> HttpResponse {
    let request = read(&http, &body);
    if request.path == "/_sim" || request.path.starts_with("/_sim/") {
        return write(control::answer(&world, &request));
    }
    if is_local(&request.host) && request.path == "/" {
        // Shows the help to a browser that opens the address itself.
        return write(Reply::empty(302).with("Location", "/_sim"));
    }
    if let Some(org) = world.by_host(&request.host) {
        world.check(&request);
        return of_org(&http, &org, &request).await;
    }
    let number = world.unmatched_requests.record(&request, Vec::new());
    world.unmatched_requests.record_status(number, 404);
    write(Reply::html(
        404,
        "<!doctype html><title>404</title><h1>Not found</h1><p>This is not an Okta org.</p>",
    ))
}

async fn of_org(http: &HttpRequest, org: &Org, request: &Request) -> HttpResponse {
    let faults = fault::take(&mut org.state().knobs.faults, &request.host, &request.path);
    let names = faults.iter().map(|fault| format!("{:?}", fault.kind)).collect();
    let journal = org.journal();
    let number = journal.record(request, names);
    for fault in faults.iter().filter(|fault| fault.kind == FaultKind::Delay) {
        sleep(Duration::from_millis(fault.ms.unwrap_or(1000))).await;
    }
    let skew = org.state().knobs.clock_skew_seconds;
    let worst = faults.iter().find(|fault| fault.kind != FaultKind::Delay);
    if worst.is_some_and(|fault| fault.kind == FaultKind::ConnectionReset) {
        return cut(http);
    }
    let forwarded = match worst {
        Some(fault) if !fault.kind.reaches_the_org() => None,
        _ => scep::forward(org, request).await,
    };
    let right_answer = || forwarded.unwrap_or_else(|| router::answer(org, request));
    let mut response = match worst {
        Some(fault) => apply_fault(fault, right_answer),
        None => write(right_answer()),
    };
    if skew != 0 {
        let shifted = if skew > 0 {
            SystemTime::now() + Duration::from_secs(skew.unsigned_abs())
        } else {
            SystemTime::now() - Duration::from_secs(skew.unsigned_abs())
        };
        if let Ok(date) = HttpDate::from(shifted).to_string().parse() {
            response.headers_mut().insert(DATE, date);
        }
    }
    journal.record_status(number, response.status().as_u16());
    response
}

fn read(http: &HttpRequest, body: &Bytes) -> Request {
    let authority = http.uri().authority().map(ToString::to_string);
    let host_header = || Some(http.headers().get("host")?.to_str().ok()?.to_string());
    let host = authority.or_else(host_header).unwrap_or_default().to_ascii_lowercase();
    Request {
        method: http.method().to_string(),
        host: without_port(&host).to_string(),
        path: http.uri().path().to_string(),
        query: http.query_string().to_string(),
        headers: http
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect(),
        body: body.to_vec(),
        tls_name: http.conn_data::<Line>().and_then(|line| line.tls_name.clone()),
        http_version: format!("{:?}", http.version()),
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') =>
        {
            name
        }
        _ => host,
    }
}

fn write(reply: Reply) -> HttpResponse {
    let (content_type, bytes) = reply.bytes();
    let mut response = head(&reply, content_type);
    if bytes.is_empty() { response.finish() } else { response.body(bytes) }
}

fn head(reply: &Reply, content_type: Option<&str>) -> actix_web::HttpResponseBuilder {
    let status = StatusCode::from_u16(reply.status).expect("a valid status");
    let mut response = HttpResponse::build(status);
    for (name, value) in &reply.headers {
        response.append_header((name.as_str(), value.as_str()));
    }
    if let Some(content_type) = content_type {
        response.insert_header((CONTENT_TYPE, content_type));
    }
    response
}

/// Closes the connection without a response. The returned value is not sent.
fn cut(http: &HttpRequest) -> HttpResponse {
    if let Some(socket) = http.conn_data::<Line>().and_then(|line| line.socket.as_ref()) {
        let _ = socket.set_linger(Some(Duration::ZERO));
        let _ = socket.shutdown(std::net::Shutdown::Both);
    }
    HttpResponse::ServiceUnavailable().finish()
}

fn apply_fault(fault: &Fault, right_answer: impl FnOnce() -> Reply) -> HttpResponse {
    match fault.kind {
        FaultKind::Status => write(match fault.status.unwrap_or(503) {
            500 => errors::internal(),
            status => Reply::html(
                status,
                format!("<html><head><title>{status}</title></head><body>{status}</body></html>"),
            ),
        }),
        FaultKind::Html => write(Reply::html(
            200,
            "<!doctype html><title>Sign in to the guest network</title><h1>Welcome</h1>",
        )),
        FaultKind::Blocked => write(Reply::html(
            403,
            "<!doctype html><title>Access denied</title><h1>403</h1><p>Access forbidden</p>",
        )),
        FaultKind::Redirect => {
            let to = fault.to.clone().unwrap_or_else(|| "https://example.com/".to_string());
            write(Reply::empty(fault.status.unwrap_or(302)).with("Location", to))
        }
        FaultKind::Oversized => oversized(&right_answer(), fault.bytes.unwrap_or(OVERSIZED)),
        FaultKind::DeadCursor => write(errors::api(400, "E0000031", "Invalid search criteria.")),
        FaultKind::ForeignNext => {
            let mut reply = right_answer();
            for (_, value) in reply.headers.iter_mut().filter(|(_, v)| v.contains("rel=\"next\"")) {
                *value = "<https://evil.example/api/v1/devices?after=1>; rel=\"next\"".to_string();
            }
            write(reply)
        }
        FaultKind::EmptyBody => {
            let reply = right_answer();
            head(&reply, Some("application/json")).finish()
        }
        FaultKind::InvalidJson => {
            let reply = right_answer();
            let (_, bytes) = reply.bytes();
            head(&reply, Some("application/json")).body(bytes[..bytes.len() / 2].to_vec())
        }
        FaultKind::WrongContentType => {
            let reply = right_answer();
            let (_, bytes) = reply.bytes();
            head(&reply, Some("text/html; charset=utf-8")).body(bytes)
        }
        FaultKind::TruncatedBody => truncated(&right_answer()),
        FaultKind::SlowBody => {
            slow(&right_answer(), Duration::from_millis(fault.ms.unwrap_or(100)))
        }
        FaultKind::Delay | FaultKind::ConnectionReset => write(right_answer()),
    }
}

fn oversized(reply: &Reply, bytes: usize) -> HttpResponse {
    const PIECE: usize = 64 * 1024;
    let start = Bytes::from_static(b"{\"padding\":\"");
    let padding = Bytes::from(vec![b'a'; PIECE]);
    // Without a Content-Length, so that the client has to read to find out.
    let body = stream::unfold(0_usize, move |sent| {
        let piece = if sent == 0 { start.clone() } else { padding.clone() };
        async move { (sent < bytes).then(|| (Ok::<_, io::Error>(piece.clone()), sent + piece.len())) }
    });
    head(reply, Some("application/json")).streaming(Box::pin(body))
}

fn truncated(reply: &Reply) -> HttpResponse {
    let (content_type, bytes) = reply.bytes();
    let announced = bytes.len() as u64;
    let half = Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
    let body = stream::unfold(false, move |half_is_sent| {
        let half = half.clone();
        async move {
            if half_is_sent {
                // An immediate error would discard unsent data in the buffer.
                sleep(Duration::from_millis(50)).await;
                return Some((Err(io::Error::other("closed by a fault")), true));
            }
            Some((Ok(half), true))
        }
    });
    head(reply, content_type)
        .insert_header((CONTENT_LENGTH, announced))
        .body(SizedStream::new(announced, Box::pin(body)))
}

fn slow(reply: &Reply, pause: Duration) -> HttpResponse {
    let (content_type, bytes) = reply.bytes();
    let length = bytes.len() as u64;
    let bytes = Bytes::from(bytes);
    let body = stream::unfold(0_usize, move |sent| {
        let bytes = bytes.clone();
        async move {
            if sent == bytes.len() {
                return None;
            }
            sleep(pause).await;
            Some((Ok::<_, io::Error>(bytes.slice(sent..=sent)), sent + 1))
        }
    });
    head(reply, content_type).body(SizedStream::new(length, Box::pin(body)))
}
