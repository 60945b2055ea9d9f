//! Metrics in Prometheus' text format, each with the prefix `odt_`. The recorder is the process's (the
//! `metrics` facade has one), installed once however many servers a process starts.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds; a warm trust read is far below the first bound, a connect to Okta near the last.
const SECONDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0, 15.0];

/// A sweep takes from less than a second to hours.
const SWEEP_SECONDS: [f64; 9] =
    [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4.0 * 3600.0, 24.0 * 3600.0];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Between two samples of upkeep. The recorder keeps every single sample until it is asked for the
/// page or for upkeep, so without this a service that nobody scrapes would grow with each request.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Installs the recorder, at the first call; `None` when another crate has installed one before.
/// Until then nothing is recorded, so a service without a listener for metrics keeps none.
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
        "deliveries to event hooks: accepted, refused, malformed, too_large or failed"
    );
    metrics::describe_gauge!(
        "odt_egress_overrides",
        "hosts that are dialled elsewhere than DNS says; 0 in production"
    );
    metrics::describe_counter!(
        "odt_integration_status_changes_total",
        "changes of integrations' status by the status that they came to"
    );
    metrics::describe_counter!(
        "odt_okta_requests_total",
        "requests to Okta by endpoint and outcome"
    );
    metrics::describe_counter!("odt_jobs_total", "steps of background work by kind and outcome");
    metrics::describe_counter!(
        "odt_live_reads_total",
        "reads of one device for a caller's max_age: done, exhausted (the budget) or failed"
    );
    metrics::describe_counter!("odt_mirror_sweeps_total", "sweeps of orgs by outcome");
    metrics::describe_histogram!(
        "odt_mirror_sweep_seconds",
        "duration of complete sweeps, pauses for the org's rate included"
    );
    metrics::describe_gauge!("odt_build_info", "1, with the version as its label");
}

/// Folds samples into their buckets for as long as it is polled.
pub async fn keep_up() {
    let Some(handle) = handle() else { return };
    keep_up_every(UPKEEP_EVERY, || handle.run_upkeep()).await;
}

async fn keep_up_every(pause: Duration, upkeep: impl Fn()) {
    loop {
        tokio::time::sleep(pause).await;
        upkeep();
    }
}

/// The method as a label. Any token is a method to HTTP (RFC 9110 §9.1), so those that nobody here
/// answers share one label: a caller must not be able to make a new time series with each request.
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

/// One HTTP request that was answered. `route` is the pattern, never the path: its values are few.
pub fn record_request(method: &str, route: &str, status: u16, duration: Duration) {
    let labels = [
        ("method", method_label(method).to_owned()),
        ("route", route.to_owned()),
        ("status", status.to_string()),
    ];
    metrics::histogram!("odt_http_request_duration_seconds", &labels)
        .record(duration.as_secs_f64());
}

/// An integration whose status has become another.
pub fn record_status_change(to: &'static str) {
    metrics::counter!("odt_integration_status_changes_total", "to" => to).increment(1);
}

/// One request to Okta. Both labels are words of our own, few of each.
pub fn record_okta_request(endpoint: &'static str, outcome: &'static str) {
    metrics::counter!("odt_okta_requests_total", "endpoint" => endpoint, "outcome" => outcome)
        .increment(1);
}

/// One claim of a job that ended.
pub fn record_job(kind: &'static str, well: bool) {
    let outcome = if well { "done" } else { "failed" };
    metrics::counter!("odt_jobs_total", "kind" => kind, "outcome" => outcome).increment(1);
}

/// A read of one device for a caller who needed it newer: `done`, `exhausted` or `failed`.
pub fn record_live_read(outcome: &'static str) {
    metrics::counter!("odt_live_reads_total", "outcome" => outcome).increment(1);
}

/// One sweep that came to its end, `completed` after so long, or `shrunk` and so not accepted, or was given
/// up and `restarted`.
pub fn record_sweep(outcome: &'static str, duration: Duration) {
    metrics::counter!("odt_mirror_sweeps_total", "outcome" => outcome).increment(1);
    if outcome == "completed" {
        metrics::histogram!("odt_mirror_sweep_seconds").record(duration.as_secs_f64());
    }
}

/// One delivery to an event hook; `outcome` is a word of the service's own.
pub fn record_hook_delivery(outcome: &'static str) {
    metrics::counter!("odt_event_hook_deliveries_total", "outcome" => outcome).increment(1);
}

/// How many hosts are overridden.
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
    async fn upkeep_runs_again_and_again_until_it_is_stopped() {
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&runs);
        let task = tokio::spawn(keep_up_every(Duration::from_millis(5), move || {
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
    fn a_method_of_ones_own_shares_one_label() {
        assert_eq!(method_label("PATCH"), "PATCH");
        for other in ["CANARY", "get", "", "TRACE", "CONNECT"] {
            assert_eq!(method_label(other), "other");
        }
    }
}
