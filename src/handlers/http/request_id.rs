//! The request that is being answered: its id for the header, the problems and the log, and the
//! tenant and integration it is about for the log.

use std::cell::OnceCell;

use uuid::Uuid;

use crate::model::{IntegrationId, TenantId};

struct Context {
    id: String,
    tenant: OnceCell<TenantId>,
    integration: OnceCell<IntegrationId>,
}

tokio::task_local! {
    static CONTEXT: Context;
}

/// Runs `answer` as the request `id`.
pub(in crate::handlers) async fn scope<F: Future>(id: String, answer: F) -> F::Output {
    let context = Context { id, tenant: OnceCell::new(), integration: OnceCell::new() };
    CONTEXT.scope(context, answer).await
}

/// The id of the current request; `None` outside of one.
pub(in crate::handlers) fn current() -> Option<String> {
    CONTEXT.try_with(|context| context.id.clone()).ok()
}

/// Names the caller's tenant in further log lines of the current request.
pub(in crate::handlers) fn set_tenant(tenant: &TenantId) {
    let _ = CONTEXT.try_with(|context| context.tenant.set(tenant.clone()));
}

/// Names the integration in further log lines of the current request.
pub(in crate::handlers) fn set_integration(id: IntegrationId) {
    let _ = CONTEXT.try_with(|context| context.integration.set(id));
}

/// The tenant of the current request, once its token is verified.
pub(in crate::handlers) fn tenant() -> Option<TenantId> {
    CONTEXT.try_with(|context| context.tenant.get().cloned()).ok().flatten()
}

/// The integration that the path of the current request names.
pub(in crate::handlers) fn integration() -> Option<IntegrationId> {
    CONTEXT.try_with(|context| context.integration.get().copied()).ok().flatten()
}

/// Returns the caller's own id if it is fit for a log line, else a new one.
pub(in crate::handlers) fn choose(sent: Option<&str>) -> String {
    let fits = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    sent.filter(fits).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}
