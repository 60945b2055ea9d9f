//! Logs and metrics. Log fields and labels are fixed words, ids and durations, never secrets.

pub mod metrics;

use std::io::IsTerminal;

use tracing_subscriber::filter::{FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// The target of our own events; all others are third-party.
const OWN_TARGET: &str = "okta_device_trust";

/// Formats an error with its chain of causes, for the log field `error`.
pub fn chain_of(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Checks the syntax of a log filter.
///
/// # Errors
/// A description of the syntax error.
pub fn check_filter(filter: &str) -> Result<(), String> {
    filter.parse::<EnvFilter>().map(|_| ()).map_err(|error| error.to_string())
}

/// Installs the log subscriber. Third-party targets are capped at `info` whatever the filter says,
/// because at `trace` an HTTP library prints headers and bodies.
///
/// # Errors
/// An invalid filter, or a subscriber that is already installed.
pub fn start_log(filter: &str, json: bool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let asked: EnvFilter = filter.parse()?;
    let capped = filter_fn(|metadata| {
        let target = metadata.target();
        let ours = target.split("::").next() == Some(OWN_TARGET);
        // Anyone can send a request that does not parse, so it must not fill the log with errors.
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
