//! PostgreSQL unavailable, restarted under load or hanging; unsafe roles and schemas; and the statements that
//! the service sends.

mod clock;
mod hangs;
mod outages;
mod pooler;
mod roles;
mod statements;

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::support::answer::Answer;
use crate::support::world::World;

/// The timeout of database operations (8 s) with a margin for a busy machine.
pub const BOUND: Duration = Duration::from_secs(10);

#[track_caller]
pub fn expect_unavailable(answer: Answer) {
    let seconds: u64 = answer.header("retry-after").parse().unwrap_or_default();
    assert!((1..=60).contains(&seconds), "{} {:?}", answer.status, answer.headers);
    answer.expect_problem(503, "database_unavailable");
}

/// Returns the statuses of liveness and readiness, and the database check of readiness.
pub async fn health(world: &World) -> (u16, u16, Value) {
    let live = world.ask(Method::GET, "/health/live").send().await;
    let ready = world.ask(Method::GET, "/health/ready").send().await;
    let database = ready.json()["database"].clone();
    (live.status.as_u16(), ready.status.as_u16(), database)
}
