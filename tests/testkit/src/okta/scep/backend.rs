//! Forwards requests for the SCEP URL to the real SCEP server, if there is one.

use actix_web::rt::task::spawn_blocking;

use super::scep_path;
use crate::loopback_http::{Message, exchange_plain};
use crate::okta::message::{Reply, Request};
use crate::okta::org::Org;

/// The path on the real server.
const REAL_PATH: &str = "/scep";

/// Returns the real server's response; `None` if the simulated CA must respond.
pub(in crate::okta) async fn forward(org: &Org, request: &Request) -> Option<Reply> {
    if request.path != scep_path(org) {
        return None;
    }
    let (address, healthy) = {
        let state = org.state();
        (state.scep.backend?, state.knobs.scep.is_healthy_ca())
    };
    // Faults on demand need the simulated CA.
    if !healthy && request.query.contains("GetCACert") {
        return None;
    }
    let message = Message {
        method: request.method.clone(),
        target: format!("{REAL_PATH}?{}", request.query),
        content_type: request.header("content-type").map(str::to_string),
        body: request.body.clone(),
    };
    // The response takes time, and the worker must serve other connections.
    let answered = spawn_blocking(move || exchange_plain(address, &message)).await;
    Some(match answered {
        Ok(Ok(answer)) => {
            let label = answer.content_type.unwrap_or_else(|| "text/plain".to_string());
            Reply::bytes_of(answer.status, label, answer.body)
        }
        _ => Reply::text(502, "the SCEP server behind this org does not answer\n"),
    })
}
