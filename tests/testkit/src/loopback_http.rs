//! Minimal HTTP/1.0 between test programs on loopback: one request per connection.
//!
//! Not for use beyond loopback.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

/// Sends `message` to a server without TLS.
pub(crate) fn exchange_plain(address: SocketAddr, message: &Message) -> io::Result<Answer> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    exchange(stream, &address.to_string(), message)
}

/// Sends `message` as a request for `host` and reads the whole response.
pub(crate) fn exchange(
    mut stream: impl Read + Write,
    host: &str,
    message: &Message,
) -> io::Result<Answer> {
    let Message { method, target, content_type, body } = message;
    let mut head = format!("{method} {target} HTTP/1.0\r\nHost: {host}\r\n");
    if let Some(content_type) = content_type {
        head.push_str(&format!("Content-Type: {content_type}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()?;
    let (start, content_type, body) = read(&mut BufReader::new(stream), true)?;
    let status = start.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Answer { status: status.ok_or_else(|| malformed("no status"))?, content_type, body })
}

/// Reads the first line, the content type and the body. Without a length, the body ends with the connection.
fn read(
    stream: &mut impl BufRead,
    may_end_with_connection: bool,
) -> io::Result<(String, Option<String>, Vec<u8>)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err(malformed("the head has no end"));
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_string()),
        }
    }
    let header = |name: &str| {
        lines.iter().skip(1).find_map(|line| {
            let (other, value) = line.split_once(':')?;
            other.eq_ignore_ascii_case(name).then(|| value.trim().to_string())
        })
    };
    let mut body = Vec::new();
    match header("content-length").map(|length| length.parse::<u64>()) {
        Some(Ok(length)) => {
            stream.take(length).read_to_end(&mut body)?;
        }
        Some(Err(_)) => return Err(malformed("the length is not a number")),
        None if may_end_with_connection => {
            stream.read_to_end(&mut body)?;
        }
        None => {}
    }
    Ok((lines.first().cloned().unwrap_or_default(), header("content-type"), body))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A server without TLS on a free loopback port; it stops when dropped.
#[derive(Debug)]
pub(crate) struct Served {
    pub address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    /// Starts the server. Each request runs on its own thread.
    pub fn start(
        answer: impl Fn(Message) -> io::Result<Answer> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let (seen, answer) = (Arc::clone(&stopped), Arc::new(answer));
        let thread = std::thread::Builder::new().name("loopback-http".into()).spawn(move || {
            for stream in listener.incoming() {
                if seen.load(Ordering::SeqCst) {
                    return;
                }
                let answer = Arc::clone(&answer);
                if let Ok(stream) = stream {
                    std::thread::spawn(move || serve(&stream, answer.as_ref()));
                }
            }
        })?;
        Ok(Self { address, stopped, thread: Some(thread) })
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread, which waits for the next connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Serves one connection; on an error it is closed.
fn serve(stream: &TcpStream, answer: &dyn Fn(Message) -> io::Result<Answer>) -> Option<()> {
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    let (start, content_type, body) = read(&mut BufReader::new(stream), false).ok()?;
    let mut words = start.split(' ').map(str::to_string);
    let message = Message { method: words.next()?, target: words.next()?, content_type, body };
    let answer = answer(message).unwrap_or_else(|error| Answer {
        status: 502,
        content_type: Some("text/plain".to_string()),
        body: error.to_string().into_bytes(),
    });
    let label = answer.content_type.map(|label| format!("Content-Type: {label}\r\n"));
    let head = format!(
        "HTTP/1.0 {} x\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n",
        answer.status,
        label.unwrap_or_default(),
        answer.body.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&answer.body).ok()
}
