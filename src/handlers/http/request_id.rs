//! The context of the current request: its id for the header, problems and the log, and its tenant and
//! integration for the log.

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

/// Runs `task` in the context of a request with this id.
pub(in crate::handlers) async fn scope<F: Future>(id: String, task: F) -> F::Output {
    let context = Context { id, tenant: OnceCell::new(), integration: OnceCell::new() };
    CONTEXT.scope(context, task).await
}

/// Returns the id of the current request, or `None` outside of a request.
pub(in crate::handlers) fn current() -> Option<String> {
    CONTEXT.try_with(|context| context.id.clone()).ok()
}

/// Adds the tenant of the caller to further log lines of the current request.
pub(in crate::handlers) fn set_tenant(tenant: &TenantId) {
    let _ = CONTEXT.try_with(|context| context.tenant.set(tenant.clone()));
}

/// Adds the integration to further log lines of the current request.
pub(in crate::handlers) fn set_integration(id: IntegrationId) {
    let _ = CONTEXT.try_with(|context| context.integration.set(id));
}

/// Returns the tenant of the current request, once its token is verified.
pub(in crate::handlers) fn tenant() -> Option<TenantId> {
    CONTEXT.try_with(|context| context.tenant.get().cloned()).ok().flatten()
}

/// Returns the integration that the path of the current request names.
pub(in crate::handlers) fn integration() -> Option<IntegrationId> {
    CONTEXT.try_with(|context| context.integration.get().copied()).ok().flatten()
}

/// Returns the caller's request id if it is safe in a log line, otherwise a new one.
pub(in crate::handlers) fn accept_or_new(sent: Option<&str>) -> String {
    let is_safe = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    sent.filter(is_safe).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}
