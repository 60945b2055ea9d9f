//! PostgreSQL unavailable, restarted under load or frozen, what the service refuses to start with,
//! and the statements that it sends.

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

/// How long a caller may wait for PostgreSQL (8 s), and a little for a busy machine.
pub const BOUND: Duration = Duration::from_secs(10);

#[track_caller]
pub fn expect_unavailable(answer: Answer) {
    let seconds: u64 = answer.header("retry-after").parse().unwrap_or_default();
    assert!((1..=60).contains(&seconds), "{} {:?}", answer.status, answer.headers);
    answer.expect_problem(503, "database_unavailable");
}

/// What the two health checks answer: live, ready, and whether readiness blames the database.
pub async fn health(world: &World) -> (u16, u16, Value) {
    let live = world.ask(Method::GET, "/health/live").send().await;
    let ready = world.ask(Method::GET, "/health/ready").send().await;
    let database = ready.json()["database"].clone();
    (live.status.as_u16(), ready.status.as_u16(), database)
}
