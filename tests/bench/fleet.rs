//! Benchmark of a fleet of 100,000 devices: mirroring by two replicas, one of which is killed, inventory
//! reports, trust questions and event hooks. Run with `cargo bench --bench fleet [-- DEVICES]`; it takes
//! minutes. Client, simulated org and database share the machine, so only ratios are meaningful.

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
/// Rate limit of the simulated org, high enough not to be the bottleneck.
const REQUESTS_PER_MINUTE: u32 = 60_000;
const SWEEP_TIMEOUT: Duration = Duration::from_secs(600);

fn serial(number: usize) -> String {
    format!("FLEET{number:07}")
}

fn udid(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012X}")
}

/// Returns the resident memory of a process in MB: current and peak.
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

fn print_row(what: &str, figures: &str) {
    println!("{what:<44} {figures}");
}

async fn sync(world: &World, path: &str) -> Value {
    world.get(&format!("{path}/sync")).await.expect(200)
}

/// Waits for a sweep that completed after `since`.
async fn swept_since(world: &World, path: &str, since: chrono::DateTime<Utc>) -> Value {
    let deadline = Instant::now() + SWEEP_TIMEOUT;
    loop {
        let state = sync(world, path).await;
        let success = state["last_success_at"].as_str().and_then(|at| at.parse().ok());
        if success.is_some_and(|at: chrono::DateTime<Utc>| at > since) && state["state"] == "idle" {
            return state;
        }
        assert!(Instant::now() < deadline, "no sweep completed: {state}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn count_requests(world: &World) -> String {
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
    world.acme.change(|knobs| knobs.rate_limits.devices = REQUESTS_PER_MINUTE);
    world.acme.add_fleet((0..devices).map(|number| NewDevice::mac(serial(number), udid(number))));
    let mut replicas =
        vec![Process::serve(&world.environment).await, Process::serve(&world.environment).await];
    world.base = replicas[0].base.clone();
    let at_rest: Vec<(u64, u64)> = replicas.iter().map(memory).collect();
    print_row("memory at start, MB (current, peak)", &format!("{at_rest:?}"));

    let path = world.connected().await;
    first_sweep(&world, &path, &replicas).await;
    second_sweep(&world, &path).await;
    kill_replica(&mut world, &path, &mut replicas, devices).await;
    report(&world, devices).await;
    ask(&world, &path, devices).await;
    deliver(&world, &path).await;
    let after: Vec<(u64, u64)> = replicas.iter().map(memory).collect();
    print_row("memory at the end, MB (current, peak)", &format!("{after:?}"));
}

async fn first_sweep(world: &World, path: &str, replicas: &[Process]) {
    let started = Instant::now();
    let state = swept_since(world, path, chrono::DateTime::UNIX_EPOCH).await;
    let took = started.elapsed();
    print_row(
        "first sweep",
        &format!("{took:.1?}, {} devices, {}", state["devices"], count_requests(world)),
    );
    let memory: Vec<(u64, u64)> = replicas.iter().map(memory).collect();
    print_row("memory after the sweep, MB (current, peak)", &format!("{memory:?}"));
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
    print_row(
        "second sweep, nothing changed",
        &format!("{took:.1?}, {}, {rows}", count_requests(world)),
    );
}

/// Kills the replica that runs a sweep; the other replica completes the sweep.
async fn kill_replica(world: &mut World, path: &str, replicas: &mut Vec<Process>, devices: usize) {
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
    let (first, second) =
        (count_pages(world, &replicas[0]).await, count_pages(world, &replicas[1]).await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let grown = [
        count_pages(world, &replicas[0]).await - first,
        count_pages(world, &replicas[1]).await - second,
    ];
    let sweeping = usize::from(grown[1] > grown[0]);
    let started = Instant::now();
    replicas[sweeping].kill();
    world.base.clone_from(&replicas[1 - sweeping].base);
    swept_since(world, path, since).await;
    print_row(
        "completion of the sweep after SIGKILL",
        &format!("{:.1?}, {}", started.elapsed(), count_requests(world)),
    );
    let rows = world.sql("SELECT count(*) || ' rows, ' || count(DISTINCT okta_device_id) || ' ids' FROM okta_devices");
    print_row("the mirror afterwards", &rows);
    replicas.remove(sweeping);
}

/// Returns the number of device requests that a replica has sent to Okta.
async fn count_pages(world: &World, replica: &Process) -> i64 {
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
    print_row("inventory in batches of 1,000", &format!("{took:.1?}, {rate} devices a second"));
}

/// Returns the median duration of sequential calls.
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
    print_row("sync status", &format!("{overview:.1?}"));
    print_row("GET /health/live, median of 200", &format!("{bare:.2?}"));
    print_row("trust status of one device", &format!("{one:.2?}"));
    print_row("trust status of 1,000 devices", &format!("{many:.1?}"));
    print_row("trust summary", &format!("{summary:.1?}"));
}

/// Delivers events with one device each: sequentially, and concurrently up to 10,000.
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
    let figures = format!("{all:.1?}; median {:.1?}, p99 {:.1?}", at(50), at(99));
    print_row(&format!("{deliveries} event hook deliveries, {in_flight} concurrent"), &figures);
}
