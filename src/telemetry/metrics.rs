//! Metrics in Prometheus text format. All names begin with `odt_`.
//!
//! The `metrics` facade has one recorder per process. It is installed once, however many servers a
//! process starts.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Histogram buckets in seconds, from a trust read to a connect to Okta.
const SECONDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0, 15.0];

/// Histogram buckets in seconds for sweeps, which take from less than a second to a day.
const SWEEP_SECONDS: [f64; 9] =
    [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4.0 * 3600.0, 24.0 * 3600.0];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// The recorder buffers every sample until a scrape or an upkeep. Without upkeep the memory of a
/// service that is not scraped would grow with each request.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Returns the recorder's handle and installs the recorder at the first call. Returns `None` if
/// another crate has installed one. Before that, nothing is recorded.
pub fn handle() -> Option<&'static PrometheusHandle> {
    RECORDER
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
                .and_then(|builder| {
                    let sweeps = Matcher::Full("odt_mirror_sweep_seconds".into());
                    builder.set_buckets_for_metric(sweeps, &SWEEP_SECONDS)
                });
            let handle = builder.ok()?.install_recorder().ok()?;
            describe();
            Some(handle)
        })
        .as_ref()
}

fn describe() {
    metrics::describe_histogram!(
        "odt_http_request_duration_seconds",
        "duration of HTTP requests by route and status"
    );
    metrics::describe_counter!(
        "odt_event_hook_deliveries_total",
        "event hook deliveries by outcome: accepted, refused, malformed, too_large or failed"
    );
    metrics::describe_gauge!(
        "odt_egress_overrides",
        "number of host overrides (ODT_OKTA_HOST_OVERRIDES); 0 in production"
    );
    metrics::describe_counter!(
        "odt_integration_status_changes_total",
        "changes of an integration's status by new status"
    );
    metrics::describe_counter!(
        "odt_okta_requests_total",
        "requests to Okta by endpoint and outcome"
    );
    metrics::describe_counter!("odt_jobs_total", "runs of background jobs by kind and outcome");
    metrics::describe_counter!(
        "odt_live_reads_total",
        "live reads of a device for max_age by outcome: done, exhausted (no budget left) or failed"
    );
    metrics::describe_counter!("odt_mirror_sweeps_total", "device sweeps by outcome");
    metrics::describe_histogram!(
        "odt_mirror_sweep_seconds",
        "duration of complete sweeps, including waits for the org's rate limit"
    );
    metrics::describe_gauge!("odt_build_info", "always 1; the version is a label");
}

/// Runs the recorder's upkeep until the future is dropped.
pub async fn run_upkeep() {
    let Some(handle) = handle() else { return };
    run_upkeep_every(UPKEEP_INTERVAL, || handle.run_upkeep()).await;
}

async fn run_upkeep_every(pause: Duration, upkeep: impl Fn()) {
    loop {
        tokio::time::sleep(pause).await;
        upkeep();
    }
}

/// Returns the label for a method. HTTP allows any token as a method (RFC 9110 §9.1), so unsupported
/// ones share one label: a caller must not be able to create time series.
fn method_label(method: &str) -> &'static str {
    match method {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// Records one HTTP request. `route` is the pattern, not the path, to bound the label's values.
pub fn record_request(method: &str, route: &str, status: u16, duration: Duration) {
    let labels = [
        ("method", method_label(method).to_owned()),
        ("route", route.to_owned()),
        ("status", status.to_string()),
    ];
    metrics::histogram!("odt_http_request_duration_seconds", &labels)
        .record(duration.as_secs_f64());
}

/// Counts a change of an integration's status.
pub fn record_status_change(to: &'static str) {
    metrics::counter!("odt_integration_status_changes_total", "to" => to).increment(1);
}

/// Counts one request to Okta.
pub fn record_okta_request(endpoint: &'static str, outcome: &'static str) {
    metrics::counter!("odt_okta_requests_total", "endpoint" => endpoint, "outcome" => outcome)
        .increment(1);
}

/// Counts one run of a background job.
pub fn record_job(kind: &'static str, succeeded: bool) {
    let outcome = if succeeded { "done" } else { "failed" };
    metrics::counter!("odt_jobs_total", "kind" => kind, "outcome" => outcome).increment(1);
}

/// Counts a live read with its outcome: `done`, `exhausted` or `failed`.
pub fn record_live_read(outcome: &'static str) {
    metrics::counter!("odt_live_reads_total", "outcome" => outcome).increment(1);
}

/// Counts a sweep with its outcome: `completed`, `shrunk` (not accepted) or `restarted`. Records the
/// duration of completed ones.
pub fn record_sweep(outcome: &'static str, duration: Duration) {
    metrics::counter!("odt_mirror_sweeps_total", "outcome" => outcome).increment(1);
    if outcome == "completed" {
        metrics::histogram!("odt_mirror_sweep_seconds").record(duration.as_secs_f64());
    }
}

/// Counts a delivery to an event hook.
pub fn record_hook_delivery(outcome: &'static str) {
    metrics::counter!("odt_event_hook_deliveries_total", "outcome" => outcome).increment(1);
}

/// Records the number of host overrides and the build version.
pub fn record_overrides(count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a handful of hosts")]
    metrics::gauge!("odt_egress_overrides").set(count as f64);
    metrics::gauge!("odt_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn upkeep_runs_until_it_is_aborted() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&runs);
        let task = tokio::spawn(run_upkeep_every(Duration::from_millis(5), move || {
            counter.fetch_add(1, Ordering::SeqCst);
        }));
        tokio::time::sleep(Duration::from_millis(100)).await;
        task.abort();
        assert!(task.await.is_err());
        let ran = runs.load(Ordering::SeqCst);
        assert!(ran >= 3, "{ran}");
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert_eq!(runs.load(Ordering::SeqCst), ran);
    }

    #[test]
    fn unsupported_methods_share_one_label() {
        assert_eq!(method_label("PATCH"), "PATCH");
        for other in ["CANARY", "get", "", "TRACE", "CONNECT"] {
            assert_eq!(method_label(other), "other");
        }
    }
}
