//! Counts the requests in flight on each connection. The middleware counts them; the listener closes a
//! connection that stays idle.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::web::Bytes;

/// The number of requests in flight on a connection. Clones share the counter.
#[derive(Debug, Clone, Default)]
pub struct Activity(Arc<AtomicUsize>);

/// A request in flight. Dropping it ends the request.
#[derive(Debug)]
pub struct InFlight(Activity);

impl Activity {
    pub fn is_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Counts a request until the returned guard is dropped.
    #[must_use]
    pub fn begin(&self) -> InFlight {
        self.0.fetch_add(1, Ordering::Relaxed);
        InFlight(self.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts `request` as in flight on its connection.
pub(in crate::handlers) fn begin(request: &ServiceRequest) -> Option<InFlight> {
    request.conn_data::<Activity>().map(Activity::begin)
}

/// Keeps the request in flight until a streamed body is sent. Other bodies are sent at once.
pub(in crate::handlers) fn end_after_body(
    response: ServiceResponse<BoxBody>,
    in_flight: Option<InFlight>,
) -> ServiceResponse<BoxBody> {
    match (response.response().body().size(), in_flight) {
        (BodySize::Stream, Some(in_flight)) => {
            response.map_body(|_, body| BoxBody::new(StreamedBody { body, _in_flight: in_flight }))
        }
        _ => response,
    }
}

struct StreamedBody {
    body: BoxBody,
    _in_flight: InFlight,
}

impl MessageBody for StreamedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_idle_when_no_request_is_in_flight() {
        let activity = Activity::default();
        let (first, second) = (activity.begin(), activity.clone().begin());
        drop(first);
        assert!(!activity.is_idle());
        drop(second);
        assert!(activity.is_idle());
    }
}
