//! The id of the request that is being answered: in the header, in each problem and in the log.

use uuid::Uuid;

tokio::task_local! {
    static REQUEST_ID: String;
}

/// Runs `answer` as the request `id`.
pub(in crate::handlers) async fn scope<F: Future>(id: String, answer: F) -> F::Output {
    REQUEST_ID.scope(id, answer).await
}

/// The id of the current request; `None` outside of one.
pub(in crate::handlers) fn current() -> Option<String> {
    REQUEST_ID.try_with(Clone::clone).ok()
}

/// The caller's own id when it is fit for a log line, else a new one.
pub(in crate::handlers) fn choose(sent: Option<&str>) -> String {
    let fits = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    sent.filter(fits).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}
