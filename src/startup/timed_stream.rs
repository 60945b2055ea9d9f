//! A connection that ends when its peer sends no complete request in time, or does not read what it is
//! sent. actix times the first head of a connection only.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::handlers::http::connection::Activity;

/// How long a peer may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// From the first byte of a request to the end of its head.
    pub(super) head: Duration,
    /// Between two requests, until the end of the head of the second.
    pub(super) idle: Duration,
    /// To read some more of an answer.
    pub(super) write: Duration,
}

/// A stream with [`Timeouts`]. Reads and writes end with [`io::ErrorKind::TimedOut`].
pub(super) struct TimedStream<T> {
    stream: T,
    timeouts: Timeouts,
    activity: Activity,
    /// When the connection was opened, the last request was seen in flight, or something was sent.
    quiet_since: Instant,
    /// When the first byte of a request came, while its head is not complete.
    head_since: Option<Instant>,
    /// When the peer stopped reading.
    stalled_since: Option<Instant>,
    read_timer: Timer,
    write_timer: Timer,
}

impl<T> TimedStream<T> {
    pub(super) fn new(stream: T, timeouts: Timeouts) -> Self {
        Self {
            stream,
            timeouts,
            activity: Activity::default(),
            quiet_since: Instant::now(),
            head_since: None,
            stalled_since: None,
            read_timer: Timer::default(),
            write_timer: Timer::default(),
        }
    }

    /// The requests of this connection that are being answered.
    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Returns true when no head was complete in time. While a request is answered there is no limit
    /// here: its body and its answer have their own.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.activity.is_idle() {
            self.head_since = None;
            self.quiet_since = Instant::now();
            return Poll::Pending;
        }
        let quiet_until = self.quiet_since + self.timeouts.idle;
        let head_until = self.head_since.map(|since| since + self.timeouts.head);
        let deadline = head_until.map_or(quiet_until, |until| until.min(quiet_until));
        self.read_timer.poll(cx, deadline)
    }

    fn note_written(&mut self, cx: &mut Context<'_>, is_pending: bool) -> io::Result<()> {
        if !is_pending {
            self.stalled_since = None;
            self.quiet_since = Instant::now();
            return Ok(());
        }
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        match self.write_timer.poll(cx, since + self.timeouts.write) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

/// A timer that is set again when its deadline changes.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    fn poll(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for TimedStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // First, or a peer that sends a byte now and then would never be late.
        if self.poll_head(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before && self.head_since.is_none() && self.activity.is_idle() {
            self.head_since = Some(Instant::now());
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for TimedStream<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note_written(cx, written.is_pending())?;
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.note_written(cx, written.is_pending())?;
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    fn timeouts() -> Timeouts {
        Timeouts {
            head: Duration::from_millis(60),
            idle: Duration::from_millis(200),
            write: Duration::from_millis(60),
        }
    }

    #[tokio::test]
    async fn a_head_that_comes_byte_by_byte_ends_the_connection() {
        let (mut peer, stream) = duplex(64);
        let mut stream = TimedStream::new(stream, timeouts());
        let sending = tokio::spawn(async move {
            while peer.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let started = Instant::now();
        let mut all = Vec::new();
        let error = stream.read_to_end(&mut all).await.expect_err("it is too slow");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!((50..150).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
        drop(stream);
        sending.await.expect("the peer ends");
    }

    #[tokio::test]
    async fn a_connection_without_a_request_ends_and_one_with_a_request_does_not() {
        let (_peer, stream) = duplex(64);
        let mut stream = TimedStream::new(stream, timeouts());
        let error = stream.read_u8().await.expect_err("nothing came");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        let (_peer, stream) = duplex(64);
        let mut stream = TimedStream::new(stream, timeouts());
        let _in_flight = stream.activity().begin();
        let read = tokio::time::timeout(Duration::from_millis(400), stream.read_u8()).await;
        assert!(read.is_err(), "the request takes as long as it takes");
    }

    #[tokio::test]
    async fn a_peer_that_stops_reading_ends_the_connection() {
        let (mut peer, stream) = duplex(16);
        let mut stream = TimedStream::new(stream, timeouts());
        let (started, long) = (Instant::now(), [0; 64]);
        let error = stream.write_all(&long).await.expect_err("nobody reads");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!((50..150).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
        let mut some = [0; 16];
        peer.read_exact(&mut some).await.expect("what was sent");
    }
}
