//! A hundred kills during writes.

mod client;
mod writers;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use testkit::okta::OrgSetup;
use tokio::sync::watch;

use crate::support::process::Process;
use crate::support::world::{World, unique};
use client::{Client, Life};
use writers::{attest, change_credentials, change_platforms, create_and_delete};

/// The two services that are killed.
const SERVICES: [&str; 2] = ["acme", "beta"];

const KILLS_EACH: u32 = 50;

/// Kills the service repeatedly, each time after the clients' writes were acknowledged. The last client is
/// slow because it calls Okta; every fifth kill waits for it.
async fn kill_again_and_again(
    world: &World,
    life: watch::Sender<Life>,
    acknowledged: Vec<Arc<AtomicU64>>,
) {
    let counts =
        || -> Vec<u64> { acknowledged.iter().map(|count| count.load(Ordering::SeqCst)).collect() };
    for number in 1..=KILLS_EACH + 1 {
        let mut service = Process::serve(&world.environment).await;
        let before = counts();
        life.send_replace(Life { number, base: service.base.clone(), over: false });
        let until = Instant::now() + Duration::from_secs(20);
        let awaited = if number % 5 == 0 { before.len() } else { before.len() - 1 };
        while counts().iter().zip(&before).take(awaited).any(|(now, before)| now <= before) {
            assert!(Instant::now() < until, "no writes succeed: {}", service.said());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if number > KILLS_EACH {
            life.send_modify(|life| life.over = true);
            // The clients finish on the last service, which runs until they are done.
            life.closed().await;
            return;
        }
        // Each kill happens at another point of a write.
        tokio::time::sleep(Duration::from_micros(u64::from(number) * 137 % 5000)).await;
        service.kill();
    }
}

/// Invariants of every row.
const WHOLE: [(&str, &str); 5] = [
    (
        "each change counted its version up and left its event",
        "SELECT count(*) FROM integrations i WHERE version <> 1 + (SELECT count(*) FROM events e \
         WHERE e.integration_id = i.id AND e.kind IN ('integration_updated', 'credentials_stored'))",
    ),
    (
        "each integration was created by one event",
        "SELECT count(*) FROM integrations i WHERE 1 <> (SELECT count(*) FROM events e \
         WHERE e.integration_id = i.id AND e.kind = 'integration_created')",
    ),
    (
        "each secret was counted and left its event",
        "SELECT count(*) FROM credentials c JOIN integrations i ON i.id = c.integration_id \
         WHERE c.version <> i.secrets_entered OR c.version <> (SELECT count(*) FROM events e \
         WHERE e.integration_id = i.id AND e.kind = 'credentials_stored')",
    ),
    (
        "credentials stand with what their exchange showed",
        "SELECT count(*) FROM credentials c WHERE 3 <> (SELECT count(*) FROM prerequisite_findings f \
         WHERE f.integration_id = c.integration_id)",
    ),
    (
        "an attestation is the one of its last event",
        "SELECT count(*) FROM prerequisite_attestations a WHERE note <> (SELECT detail->>'note' \
         FROM events e WHERE e.integration_id = a.integration_id AND e.kind = 'prerequisite_attested' \
         ORDER BY at DESC, id DESC LIMIT 1)",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundred_kills_lose_no_acknowledged_write() {
    let mut builder = World::build();
    for name in &SERVICES[1..] {
        builder = builder.org(OrgSetup::new(*name));
    }
    let world = Arc::new(builder.without_service().await);
    let cut = Arc::new(AtomicU64::new(0));
    let (mut killers, mut clients, mut creators) = (Vec::new(), Vec::new(), Vec::new());
    for name in SERVICES {
        let org = world.okta.org(name).expect("org");
        org.change(|knobs| {
            (knobs.rate_limits.token, knobs.rate_limits.authenticators) = (100_000, 100_000);
        });
        let (sender, life) =
            watch::channel(Life { number: 0, base: "http://127.0.0.1:1".to_owned(), over: false });
        let counts: Vec<_> = (0..4).map(|_| Arc::new(AtomicU64::new(0))).collect();
        let client = |number: usize| Client {
            life: life.clone(),
            used: 0,
            http: world.http.clone(),
            token: world.token_of(&unique("tenant"), &["odt:read", "odt:write"]),
            acknowledged: Arc::clone(&counts[number]),
            cut: Arc::clone(&cut),
        };
        let host = org.host();
        clients.push(tokio::spawn(change_platforms(client(0), host.clone())));
        clients.push(tokio::spawn(attest(client(1), host.clone())));
        creators.push(tokio::spawn(create_and_delete(client(2), host)));
        clients.push(tokio::spawn(change_credentials(client(3), org)));
        drop(life);
        let world = Arc::clone(&world);
        killers
            .push(tokio::spawn(async move { kill_again_and_again(&world, sender, counts).await }));
    }
    for client in clients {
        client.await.expect("a client without failures");
    }
    for creator in creators {
        let (created, deleted) = creator.await.expect("a client without failures");
        let list = |ids: &[String]| format!("('{}')", ids.join("','"));
        let events = |kind: &str, ids: &[String]| {
            world.sql(&format!(
                "SELECT count(*), count(DISTINCT integration_id) FROM events \
                 WHERE kind = '{kind}' AND integration_id::text IN {}",
                list(ids)
            ))
        };
        let of = |ids: &[String]| format!("{0}|{0}", ids.len());
        assert_eq!(events("integration_created", &created), of(&created));
        assert_eq!(events("integration_deleted", &deleted), of(&deleted));
    }
    for killer in killers {
        killer.await.expect("the kills");
    }
    for (what, exceptions) in WHOLE {
        assert_eq!(world.sql(exceptions), "0", "not: {what}");
    }
    let cut = cut.load(Ordering::SeqCst);
    assert!(cut >= 100, "only {cut} writes were interrupted");
}
