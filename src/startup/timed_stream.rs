//! A connection that is closed when the client sends no complete request in time or does not read the
//! response. actix limits the time of the first head of a connection only.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::handlers::http::connection::Activity;

/// Limits for a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    /// From the first byte of a request to the end of its head.
    pub(super) head: Duration,
    /// Between two requests, until the end of the head of the second.
    pub(super) idle: Duration,
    /// Without reading any byte of a response.
    pub(super) write: Duration,
}

/// A stream with [`Timeouts`]. Reads and writes end with [`io::ErrorKind::TimedOut`].
pub(super) struct TimedStream<T> {
    stream: T,
    timeouts: Timeouts,
    activity: Activity,
    /// When the connection was opened, a request was last in flight, or bytes were last sent.
    idle_since: Instant,
    /// When the first byte of an incomplete head arrived.
    head_started_at: Option<Instant>,
    /// When the client stopped reading.
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
            idle_since: Instant::now(),
            head_started_at: None,
            stalled_since: None,
            read_timer: Timer::default(),
            write_timer: Timer::default(),
        }
    }

    /// Returns the requests of this connection that are in flight.
    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Ready when no head was complete in time. There is no limit while a request is in flight: its body and
    /// response have their own.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.activity.is_idle() {
            self.head_started_at = None;
            self.idle_since = Instant::now();
            return Poll::Pending;
        }
        let idle_until = self.idle_since + self.timeouts.idle;
        let head_until = self.head_started_at.map(|since| since + self.timeouts.head);
        let deadline = head_until.map_or(idle_until, |until| until.min(idle_until));
        self.read_timer.poll(cx, deadline)
    }

    fn track_write(&mut self, cx: &mut Context<'_>, is_pending: bool) -> io::Result<()> {
        if !is_pending {
            self.stalled_since = None;
            self.idle_since = Instant::now();
            return Ok(());
        }
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        match self.write_timer.poll(cx, since + self.timeouts.write) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

/// A timer that is reset when its deadline changes.
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
        // Before reading, or a client that sends single bytes would never exceed the limit.
        if self.poll_head(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before
            && self.head_started_at.is_none()
            && self.activity.is_idle()
        {
            self.head_started_at = Some(Instant::now());
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
        self.track_write(cx, written.is_pending())?;
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
        self.track_write(cx, written.is_pending())?;
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
    async fn a_slow_head_closes_the_connection() {
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
    async fn an_idle_connection_is_closed_unless_a_request_is_in_flight() {
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
    async fn a_client_that_stops_reading_is_disconnected() {
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
