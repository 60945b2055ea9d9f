//! Just enough HTTP/1.0 between our own programs on loopback: one request on each connection.
//!
//! Not for anything that a stranger can reach.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

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

/// Sends `message` to a plain server.
pub(crate) fn exchange_plain(address: SocketAddr, message: &Message) -> io::Result<Answer> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    exchange(stream, &address.to_string(), message)
}

/// Sends `message` as a request for `host` and reads the answer to its end.
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

/// The first line, the content type and the body. Without a length, an answer ends with its connection.
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
        Some(Err(_)) => return Err(malformed("the length is no number")),
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
