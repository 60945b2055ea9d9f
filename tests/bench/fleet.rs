//! A fleet of 100,000 devices, mirrored by two replicas, one of which is killed; then reported by the
//! MDM and asked for. Run with `cargo bench --bench fleet [-- DEVICES]`: it takes minutes. What it
//! prints are this machine's figures, with client, Okta and database on the same cores: use ratios.

#[path = "../api/support/mod.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod support;

use std::time::{Duration, Instant};

use chrono::Utc;
use reqwest::Method;
use serde_json::{Value, json};
use support::process::Process;
use support::world::{INTEGRATIONS, World};
use testkit::okta::NewDevice;

const DEVICES: usize = 100_000;
const BATCH: usize = 1_000;
/// Requests a minute that the simulated org allows: enough that the machine is the limit, not Okta.
const ROOMY: u32 = 60_000;
const PATIENCE: Duration = Duration::from_secs(600);

fn serial(number: usize) -> String {
    format!("FLEET{number:07}")
}

fn udid(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012X}")
}

/// Resident memory of a process in MB: now, and at its highest.
fn memory(process: &Process) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()));
    let status = status.unwrap_or_default();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        let kilobytes = line.split_whitespace().nth(1).and_then(|text| text.parse().ok());
        kilobytes.unwrap_or(0_u64) / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}

fn tell(what: &str, figures: &str) {
    println!("{what:<44} {figures}");
}

async fn sync(world: &World, path: &str) -> Value {
    world.get(&format!("{path}/sync")).await.expect(200)
}

/// Waits for a sweep that completed after `since`.
async fn swept_since(world: &World, path: &str, since: chrono::DateTime<Utc>) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let state = sync(world, path).await;
        let success = state["last_success_at"].as_str().and_then(|at| at.parse().ok());
        if success.is_some_and(|at: chrono::DateTime<Utc>| at > since) && state["state"] == "idle" {
            return state;
        }
        assert!(Instant::now() < deadline, "no sweep came to its end: {state}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn asked(world: &World) -> String {
    let entries = world.acme.journal().take();
    let pages = entries.iter().filter(|entry| entry.path == "/api/v1/devices").count();
    let tokens = entries.iter().filter(|entry| entry.path.ends_with("/token")).count();
    format!("{} requests to Okta: {pages} pages, {tokens} tokens", entries.len())
}

#[tokio::main]
async fn main() {
    let wanted = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let devices: usize = wanted.unwrap_or(DEVICES);
    let mut world = World::build()
        .setting("ODT_SYNC_WORKERS", "4")
        .setting("ODT_SYNC_LEASE_SECONDS", "5")
        .setting("ODT_SYNC_SWEEP_EVERY_SECONDS", "3600")
        .without_service()
        .await;
    world.acme.change(|knobs| knobs.rate_limits.devices = ROOMY);
    world.acme.add_fleet((0..devices).map(|number| NewDevice::mac(serial(number), udid(number))));
    let mut replicas =
        vec![Process::serve(&world.environment).await, Process::serve(&world.environment).await];
    world.base = replicas[0].base.clone();
    let at_rest: Vec<(u64, u64)> = replicas.iter().map(memory).collect();
    tell("memory at rest, MB (now, highest)", &format!("{at_rest:?}"));

    let path = world.connected().await;
    first_sweep(&world, &path, &replicas).await;
    second_sweep(&world, &path).await;
    killed(&mut world, &path, &mut replicas, devices).await;
    report(&world, devices).await;
    ask(&world, &path, devices).await;
    deliver(&world, &path).await;
    let after: Vec<(u64, u64)> = replicas.iter().map(memory).collect();
    tell("memory at the end, MB (now, highest)", &format!("{after:?}"));
}

async fn first_sweep(world: &World, path: &str, replicas: &[Process]) {
    let started = Instant::now();
    let state = swept_since(world, path, chrono::DateTime::UNIX_EPOCH).await;
    let took = started.elapsed();
    tell("first sweep", &format!("{took:.1?}, {} devices, {}", state["devices"], asked(world)));
    let memory: Vec<(u64, u64)> = replicas.iter().map(memory).collect();
    tell("memory after it, MB (now, highest)", &format!("{memory:?}"));
}

async fn second_sweep(world: &World, path: &str) {
    let written = || {
        world.sql("SELECT sum(n_tup_ins + n_tup_upd) FROM pg_stat_user_tables WHERE relname = 'okta_devices'")
    };
    let before = written();
    let (started, since) = (Instant::now(), Utc::now());
    world.ask(Method::POST, &format!("{path}/sync")).admin().send().await.expect(202);
    swept_since(world, path, since).await;
    let took = started.elapsed();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let rows = format!("rows of the mirror written before {before}, after {}", written());
    tell("second sweep, nothing changed", &format!("{took:.1?}, {}, {rows}", asked(world)));
}

/// The replica that mirrors is killed in the middle of a sweep; the other one ends it.
async fn killed(world: &mut World, path: &str, replicas: &mut Vec<Process>, devices: usize) {
    let since = Utc::now();
    world.ask(Method::POST, &format!("{path}/sync")).admin().send().await.expect(202);
    loop {
        let state = sync(world, path).await;
        if state["state"] == "running"
            && state["progress"]["done"].as_u64() > Some(devices as u64 / 4)
        {
            break;
        }
        assert!(state["state"] != "idle" || Utc::now() - since < chrono::TimeDelta::seconds(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (one, other) = (pages_of(world, &replicas[0]).await, pages_of(world, &replicas[1]).await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let grown =
        [pages_of(world, &replicas[0]).await - one, pages_of(world, &replicas[1]).await - other];
    let mirrors = usize::from(grown[1] > grown[0]);
    let started = Instant::now();
    replicas[mirrors].kill();
    world.base.clone_from(&replicas[1 - mirrors].base);
    swept_since(world, path, since).await;
    tell(
        "a replica killed -9 in a sweep: until its end",
        &format!("{:.1?}, {}", started.elapsed(), asked(world)),
    );
    let rows = world.sql("SELECT count(*) || ' rows, ' || count(DISTINCT okta_device_id) || ' ids' FROM okta_devices");
    tell("the mirror then", &rows);
    replicas.remove(mirrors);
}

/// Requests for devices that a replica has sent to Okta.
async fn pages_of(world: &World, replica: &Process) -> i64 {
    let page = world.http.get(&replica.metrics).send().await.expect("metrics");
    let page = page.text().await.expect("text");
    let of_devices =
        |line: &&str| line.starts_with("odt_okta_requests_total") && line.contains("devices");
    let counts = page.lines().filter(of_devices);
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok()).sum()
}

fn reported(number: usize) -> Value {
    json!({
        "serial_number": serial(number), "platform": "macos", "udid": udid(number),
        "enrollment": { "state": "enrolled", "reported_at": "2026-11-01T00:00:00Z" },
    })
}

async fn report(world: &World, devices: usize) {
    let started = Instant::now();
    for first in (0..devices).step_by(BATCH) {
        let batch: Vec<Value> = (first..(first + BATCH).min(devices)).map(reported).collect();
        let ask = world.ask(Method::POST, "/devices/batch").scopes(&["odt:inventory"]);
        ask.json(&json!({ "devices": batch })).send().await.expect(200);
    }
    let took = started.elapsed();
    let rate = devices as u128 * 1000 / took.as_millis().max(1);
    tell("inventory, batches of 1,000", &format!("{took:.1?}, {rate} devices a second"));
}

/// The middle of so many requests, one after the other.
async fn median(count: usize, mut each: impl AsyncFnMut(usize)) -> Duration {
    let mut took = Vec::new();
    for number in 0..count {
        let started = Instant::now();
        each(number).await;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    took[count / 2]
}

async fn ask(world: &World, path: &str, devices: usize) {
    world.get(INTEGRATIONS).await.expect(200);
    let token = world.token_of(&world.tenant, &["trust:read"]);
    let bare = median(200, async |_| {
        world.ask(Method::GET, "/health/live").send().await;
    })
    .await;
    let one = median(200, async |number| {
        let path = format!("/trust-status/devices/{}", serial(number * 37 % devices));
        let answer = world.ask(Method::GET, &path).token(&token).send().await.expect(200);
        assert_eq!(answer["okta_devices"].as_array().map(Vec::len), Some(1), "{answer}");
    })
    .await;
    let many = median(20, async |round| {
        let asked: Vec<Value> = (0..BATCH)
            .map(|number| json!({ "serial_number": serial((number * 97 + round) % devices) }))
            .collect();
        let ask = world.ask(Method::POST, "/trust-status/devices/query").token(&token);
        ask.json(&json!({ "devices": asked })).send().await.expect(200);
    })
    .await;
    let summary = median(3, async |_| {
        world.ask(Method::GET, "/trust-status").token(&token).send().await.expect(200);
    })
    .await;
    let overview = median(10, async |_| {
        sync(world, path).await;
    })
    .await;
    tell("the mirror's overview", &format!("{overview:.1?}"));
    tell("bare route, median of 200", &format!("{bare:.2?}"));
    tell("one device", &format!("{one:.2?}"));
    tell("a thousand at once", &format!("{many:.1?}"));
    tell("the tenant's summary", &format!("{summary:.1?}"));
}

/// Ten thousand deliveries to the event hook at once, and some as they come on other days; a device in
/// each.
async fn deliver(world: &World, path: &str) {
    let hook = world.put(&format!("{path}/event-hook"), &json!({})).await.expect(201);
    let text = |name: &str| hook[name].as_str().expect("a text").to_owned();
    let (url, secret) = (format!("{}{}", world.base, text("hook_path")), text("secret"));
    for (deliveries, in_flight) in [(500, 1), (2_000, 8), (10_000, 64)] {
        deliver_at_once(world, (&url, &secret), deliveries, in_flight).await;
    }
}

async fn deliver_at_once(
    world: &World,
    (url, secret): (&str, &str),
    deliveries: usize,
    in_flight: usize,
) {
    let started = Instant::now();
    let callers = (0..in_flight).map(|caller| {
        let (url, secret, http) = (url.to_owned(), secret.to_owned(), world.http.clone());
        tokio::spawn(async move {
            let mut took = Vec::new();
            for number in (caller..deliveries).step_by(in_flight) {
                let event = json!({ "eventType": "device.user.add",
                    "target": [{ "id": format!("guoHook{number}"), "type": "Device" }] });
                let body =
                    json!({ "eventType": "com.okta.event_hook", "data": { "events": [event] } });
                let sent = Instant::now();
                let ask = http.post(&url).header("authorization", &secret).json(&body);
                let status = ask.send().await.expect("an answer").status();
                assert!(status.is_success(), "{status}");
                took.push(sent.elapsed());
            }
            took
        })
    });
    let mut took = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        took.extend(caller.await.expect("a caller"));
    }
    let all = started.elapsed();
    took.sort_unstable();
    let at = |part: usize| took[took.len() * part / 100 - 1];
    let figures = format!("{all:.1?}; half within {:.1?}, 99 of 100 within {:.1?}", at(50), at(99));
    tell(&format!("{deliveries} deliveries to a hook, {in_flight} at once"), &figures);
}
