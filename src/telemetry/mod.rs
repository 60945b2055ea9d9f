//! Logs and metrics. Never sees a secret: what is logged are words, ids and durations.

pub mod metrics;

use std::io::IsTerminal;

use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// The target of our own events; everything else is a third party's.
const OURS: &str = "okta_device_trust";

/// An error with all of its causes, for the log.
pub fn chain_of(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}

/// Whether `filter` can be read.
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), String> {
    filter.parse::<EnvFilter>().map(|_| ()).map_err(|error| error.to_string())
}

/// Starts the log. Other crates' targets stop at `info` whatever the filter says (contract §3):
/// at `trace` an HTTP library prints headers and bodies.
///
/// # Errors
/// A filter that cannot be read, or a log that was started before.
pub fn start_log(filter: &str, json: bool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let asked: EnvFilter = filter.parse()?;
    let capped = filter_fn(|metadata| {
        let target = metadata.target();
        let ours = target.split("::").next() == Some(OURS);
        // A request that cannot be parsed is anybody's to send: not worth an error of the log.
        let noise = target.starts_with("actix_http::h1");
        ours || (!noise && *metadata.level() <= LevelFilter::INFO)
    });
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let layer = if json { layer.json().flatten_event(true).boxed() } else { layer.boxed() };
    tracing_subscriber::registry().with(layer.with_filter(asked.and(capped))).try_init()?;
    Ok(())
}
