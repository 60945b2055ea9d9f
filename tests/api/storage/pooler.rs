//! The service behind PgBouncer.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::pgbouncer::Bouncer;
use crate::support::postgres::{POSTGRES, database_on};
use crate::support::world::{INTEGRATIONS, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_are_isolated_behind_pgbouncer() {
    let (database, url, port) = {
        let postgres = POSTGRES.lock().expect("postgres");
        let (database, url) = database_on(&postgres);
        (database, url, postgres.port())
    };
    let Some(bouncer) = Bouncer::start(port).await else {
        eprintln!("SKIPPED: pgbouncer is not installed (Debian: apt-get install pgbouncer)");
        return;
    };
    let url = url.replace(&format!(":{port}/"), &format!(":{}/", bouncer.port));
    let builder = World::build().database_url(url).setting("ODT_DATABASE_POOLER", "transaction");
    let mut world = builder.start().await;
    world.database = database;
    let mut tenants = Vec::new();
    for tenant in ["tenant-one", "tenant-two"] {
        world.tenant = tenant.to_owned();
        tenants.push((tenant, world.connected().await));
    }
    let world = &world;
    let client = |(tenant, path): (&'static str, String), number: usize| async move {
        let token = world.token_of(tenant, &["odt:read", "odt:write"]);
        for turn in 0..15 {
            let (path, method, body) = match (number + turn) % 3 {
                0 => (path.clone(), Method::PATCH, json!({ "selected_platforms": ["ios"] })),
                1 => (INTEGRATIONS.to_owned(), Method::GET, Value::Null),
                _ => (format!("{path}/events?limit=200"), Method::GET, Value::Null),
            };
            let mut ask = world.ask(method.clone(), &path).token(&token);
            if !body.is_null() {
                ask = ask.json(&body);
            }
            let answer = ask.send().await.expect(200);
            if path == INTEGRATIONS {
                let items = answer["items"].as_array().expect("items");
                assert_eq!(items.len(), 1, "{tenant} sees {answer}");
            }
        }
        // Another tenant's ID is a 404 on every connection.
        let answer =
            world.ask(Method::GET, &path).token(&world.token_of("tenant-three", &["odt:read"]));
        answer.send().await.expect_problem(404, "not_found");
    };
    join_all((0..16).map(|number| client(tenants[number % 2].clone(), number))).await;
    let pid_count = world.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'odt_service' AND datname = current_database()",
    );
    assert!(
        pid_count == "1" || pid_count == "2",
        "not through the pooler: {pid_count} connections"
    );
}
