//! Raw connections, for requests that client libraries do not send.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::world::World;

/// Longer than any timeout of the service.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A connection to a world's service.
pub struct Socket {
    stream: TcpStream,
    host: String,
}

impl Socket {
    pub async fn connect(world: &World) -> Self {
        let host = world.base.strip_prefix("http://").expect("an address").to_owned();
        let stream = TcpStream::connect(&host).await.expect("connected");
        Self { stream, host }
    }

    /// Sends bytes; returns false if the service has closed the connection.
    pub async fn send(&mut self, bytes: &str) -> bool {
        self.stream.write_all(bytes.as_bytes()).await.is_ok()
    }

    /// Sends a complete head; each header ends with `\r\n`.
    pub async fn send_head(&mut self, method: &str, path: &str, headers: &str) -> bool {
        let host = &self.host;
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n");
        self.send(&head).await
    }

    /// Reads the status of a response; `None` if the connection ends without one.
    pub async fn read_status(&mut self) -> Option<u16> {
        let mut answer = vec![0; 4_096];
        let read = timeout(LONGEST_WAIT, self.stream.read(&mut answer)).await.expect("an end");
        let answer = String::from_utf8_lossy(&answer[..read.ok()?]).into_owned();
        answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
    }

    /// Reads until the service closes the connection.
    pub async fn closed(&mut self) {
        let mut rest = vec![0; 4_096];
        let until_end =
            async { while self.stream.read(&mut rest).await.is_ok_and(|length| length > 0) {} };
        timeout(LONGEST_WAIT, until_end).await.expect("the connection ends");
    }
}
