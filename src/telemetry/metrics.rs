//! Metrics in Prometheus' text format. The recorder is the process's (the `metrics` facade has one),
//! installed once however many servers a process starts.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds; a warm trust read is far below the first bound, a connect to Okta near the last.
const SECONDS: [f64; 12] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 5.0, 15.0];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the recorder, at the first call; `None` when another crate has installed one before.
pub fn handle() -> Option<&'static PrometheusHandle> {
    RECORDER
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS);
            let handle = builder.ok()?.install_recorder().ok()?;
            describe();
            Some(handle)
        })
        .as_ref()
}

fn describe() {
    metrics::describe_histogram!(
        "http_request_duration_seconds",
        "duration of HTTP requests by route and status"
    );
    metrics::describe_gauge!(
        "egress_overrides",
        "hosts that are dialled elsewhere than DNS says; 0 in production"
    );
    metrics::describe_gauge!("build_info", "1, with the version as its label");
}

/// One HTTP request that was answered. `route` is the pattern, never the path: its values are few.
pub fn record_request(method: &str, route: &str, status: u16, duration: Duration) {
    let labels = [
        ("method", method.to_owned()),
        ("route", route.to_owned()),
        ("status", status.to_string()),
    ];
    metrics::histogram!("http_request_duration_seconds", &labels).record(duration.as_secs_f64());
}

/// How many hosts are overridden.
pub fn record_overrides(count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a handful of hosts")]
    metrics::gauge!("egress_overrides").set(count as f64);
    metrics::gauge!("build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}
