//! PostgreSQL's bad days: away, back, restarted under load, frozen; and roles and schemas that the
//! service must not run with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::okta::OrgSetup;
use testkit::postgres::Postgres;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::process::{Process, run};
use crate::support::world::{
    Answer, INTEGRATIONS, PASSWORD, POSTGRES, World, database_on, item, prepare, unique,
};

/// How long a caller may wait for PostgreSQL (8 s), and a little for a busy machine.
const BOUND: Duration = Duration::from_secs(10);

/// A server of the test's own: a test that stops the shared one would fail the others.
fn own_postgres() -> (Postgres, String, String) {
    let postgres = Postgres::start_temporary().expect("a private PostgreSQL");
    prepare(&postgres);
    let (database, url) = database_on(&postgres);
    // The testkit's server forgets its last commits when it crashes; one that keeps data does not.
    let durable = format!("ALTER DATABASE \"{database}\" SET synchronous_commit = on");
    postgres.execute("postgres", &durable).expect("SQL");
    (postgres, database, url)
}

#[track_caller]
fn expect_unavailable(answer: Answer) {
    let seconds: u64 = answer.header("retry-after").parse().unwrap_or_default();
    assert!((1..=60).contains(&seconds), "{} {:?}", answer.status, answer.headers);
    answer.expect_problem(503, "database_unavailable");
}

/// What the two health checks answer: live, ready, and whether readiness blames the database.
async fn health(world: &World) -> (u16, u16, Value) {
    let live = world.ask(Method::GET, "/health/live").send().await;
    let ready = world.ask(Method::GET, "/health/ready").send().await;
    let database = ready.json()["database"].clone();
    (live.status.as_u16(), ready.status.as_u16(), database)
}

#[tokio::test]
async fn a_service_that_starts_before_its_database_waits_and_then_serves() {
    let (mut postgres, _, url) = own_postgres();
    let mut world = World::build().database_url(url).without_service().await;
    postgres.crash().expect("crash");
    let mut service = Process::spawn(&world.environment, &["serve"]);
    service.until_it_says("postgresql is not available: waiting for it").await;
    assert!(service.is_running());
    postgres.restart().expect("restart");
    let back = Instant::now();
    service.until_it_serves().await;
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    world.base.clone_from(&service.base);
    world.connected().await;
}

#[tokio::test]
async fn a_database_that_goes_away_is_a_503_in_time_and_is_found_again_without_a_restart() {
    let (mut postgres, _, url) = own_postgres();
    let world = World::build().database_url(url).start().await;
    let path = world.connected().await;
    let before = world.get(&path).await.expect(200);
    assert_eq!(health(&world).await, (200, 200, json!(true)));

    postgres.crash().expect("crash");
    // Readiness is looked at once a second at most.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let gone = Instant::now();
    // More than there are connections, reading and writing, all at once.
    let reads = join_all((0..8).map(|_| world.get(&path)));
    let patch = json!({ "selected_platforms": ["ios"] });
    let writes = join_all((0..8).map(|_| world.patch(&path, &patch)));
    let check = format!("{path}/prerequisites/check");
    let (reads, writes, check, health_then) =
        tokio::join!(reads, writes, world.post(&check, &Value::Null), health(&world));
    assert!(gone.elapsed() < BOUND, "{:?}", gone.elapsed());
    reads.into_iter().chain(writes).chain([check]).for_each(expect_unavailable);
    assert_eq!(health_then, (200, 503, json!(false)));
    // A caller without a token learns nothing of it.
    world.ask(Method::GET, &path).send().await.expect_problem(401, "unauthorized");

    postgres.restart().expect("restart");
    let back = Instant::now();
    let found = loop {
        let answer = world.get(&path).await;
        if answer.status == 200 {
            break answer.json();
        }
        expect_unavailable(answer);
    };
    assert!(back.elapsed() < Duration::from_secs(3), "{:?}", back.elapsed());
    assert_eq!(found, before, "what was refused was not done");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(health(&world).await, (200, 200, json!(true)));
}

#[tokio::test]
async fn a_restart_of_postgresql_between_two_requests_is_not_noticed() {
    let (mut postgres, _, url) = own_postgres();
    let world = World::build().database_url(url).start().await;
    let path = world.connected().await;
    for platforms in [json!(["ios"]), json!(["macos"])] {
        // Every connection of the pool is in use, and every one is dead afterwards.
        for answer in join_all((0..8).map(|_| world.get(&path))).await {
            answer.expect(200);
        }
        postgres.restart().expect("restart");
        let patch = json!({ "selected_platforms": platforms });
        let (reads, written) =
            tokio::join!(join_all((0..8).map(|_| world.get(&path))), world.patch(&path, &patch));
        written.expect(200);
        for answer in reads {
            answer.expect(200);
        }
    }
}

/// Writes without a pause; gives back the version that was acknowledged last, how many writes were,
/// and how many were refused with the 503.
async fn write_until(world: &World, path: &str, over: &AtomicBool) -> (i64, u64, u64) {
    let (mut version, mut acknowledged, mut refused) = (1, 0_u64, 0);
    while !over.load(Ordering::SeqCst) {
        // Always another one than was acknowledged last, so that each counts the version up.
        let platforms = if acknowledged % 2 == 0 { ["ios"] } else { ["macos"] };
        let answer = world.patch(path, &json!({ "selected_platforms": platforms })).await;
        if answer.status == 200 {
            let now = answer.json()["version"].as_i64().expect("number");
            assert!(now > version, "version {now} after {version}: an acknowledged write is lost");
            (version, acknowledged) = (now, acknowledged + 1);
        } else {
            expect_unavailable(answer);
            refused += 1;
        }
    }
    (version, acknowledged, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_restarted_under_load_costs_503s_alone_and_no_acknowledged_write() {
    const CLIENTS: usize = 8;
    let (mut postgres, database, url) = own_postgres();
    let mut builder = World::build().database_url(url);
    for number in 0..CLIENTS {
        builder = builder.org(OrgSetup::new(format!("org-{number}")));
    }
    let world = Arc::new(builder.start().await);
    let over = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for number in 0..CLIENTS {
        let body = json!({ "okta_domain": format!("org-{number}.okta.com") });
        let created = world.post(INTEGRATIONS, &body).await.expect(201);
        let id = created["id"].as_str().expect("id").to_owned();
        let (world, over) = (Arc::clone(&world), Arc::clone(&over));
        writers.push(tokio::spawn(async move {
            let path = format!("{INTEGRATIONS}/{id}");
            let (version, acknowledged, refused) = write_until(&world, &path, &over).await;
            (id, version, acknowledged, refused)
        }));
    }
    // A short absence is waited for; one that is longer than a caller's connection may take is told.
    for absence in [0, 0, 4] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        postgres.crash().expect("crash");
        tokio::time::sleep(Duration::from_secs(absence)).await;
        postgres.restart().expect("restart");
        let back = Instant::now();
        while world.get(INTEGRATIONS).await.status != 200 {
            assert!(back.elapsed() < Duration::from_secs(3), "it is not found again");
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    over.store(true, Ordering::SeqCst);
    let mut refusals = 0;
    for writer in writers {
        let (id, version, acknowledged, refused) = writer.await.expect("a writer");
        refusals += refused;
        assert!(acknowledged > 10, "the load was none: {acknowledged}");
        let sql = |sql: &str| postgres.execute(&database, sql).expect("SQL");
        let stored: i64 = sql(&format!("SELECT version FROM integrations WHERE id = '{id}'"))
            .parse()
            .expect("number");
        assert!(stored >= version, "{stored} is there, {version} was acknowledged");
        let events = sql(&format!(
            "SELECT count(*) FROM events WHERE integration_id = '{id}' AND kind = 'integration_updated'"
        ));
        assert_eq!(events, (stored - 1).to_string(), "a change without its event");
    }
    assert!(refusals > 0, "no write met an absence: the test shows nothing");
}

/// Stands between the service and PostgreSQL, and passes on or keeps what it is sent.
struct Proxy {
    port: u16,
    frozen: watch::Sender<bool>,
}

impl Proxy {
    async fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("address").port();
        let (frozen, watched) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass_on(from_client, to_server, watched.clone()));
                tokio::spawn(pass_on(from_server, to_client, watched.clone()));
            }
        });
        Self { port, frozen }
    }
}

async fn pass_on(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut frozen: watch::Receiver<bool>,
) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let Ok(length) = from.read(&mut buffer).await else { return };
        if frozen.wait_for(|frozen| !frozen).await.is_err() || length == 0 {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// A world whose service reaches the shared PostgreSQL through a proxy.
async fn behind_a_proxy() -> (World, Proxy) {
    let (database, url, port) = {
        let postgres = POSTGRES.lock().expect("postgres");
        let (database, url) = database_on(&postgres);
        (database, url, postgres.port())
    };
    let proxy = Proxy::start(port).await;
    let url = url.replace(&format!(":{port}/"), &format!(":{}/", proxy.port));
    let mut world = World::build().database_url(url).without_service().await;
    world.database = database;
    (world, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_is_a_503_in_time_and_goes_on_where_it_stopped() {
    let (mut world, proxy) = behind_a_proxy().await;
    let service = Process::serve(&world.environment).await;
    world.base.clone_from(&service.base);
    let path = world.connected().await;
    proxy.frozen.send_replace(true);
    let hung = Instant::now();
    let patch = json!({ "selected_platforms": ["ios"] });
    let asked = join_all((0..8).map(|_| world.get(&path)));
    let live = async {
        // More connections than the service has, and still it says that it lives.
        for _ in 0..20 {
            let asked = Instant::now();
            let live = world.ask(Method::GET, "/health/live").send().await;
            assert_eq!(live.status, 200);
            assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let (asked, written, (), ready) =
        tokio::join!(asked, world.patch(&path, &patch), live, health(&world));
    assert!(hung.elapsed() < BOUND, "{:?}", hung.elapsed());
    asked.into_iter().chain([written]).for_each(expect_unavailable);
    assert_eq!(ready, (200, 503, json!(false)));

    proxy.frozen.send_replace(false);
    let thawed = Instant::now();
    world.get(&path).await.expect(200);
    assert!(thawed.elapsed() < Duration::from_secs(3), "{:?}", thawed.elapsed());
    // Whether the write that hung was made is not known: its version and its event agree.
    let version = world.get(&path).await.expect(200)["version"].clone();
    let events = world.sql("SELECT count(*) FROM events WHERE kind = 'integration_updated'");
    assert_eq!(version.to_string(), (2 + events.parse::<i64>().expect("number")).to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_hangs_does_not_hold_up_the_stop() {
    let (mut world, proxy) = behind_a_proxy().await;
    world.environment.set("ODT_SHUTDOWN_GRACE_SECONDS", "1");
    let mut service = Process::serve(&world.environment).await;
    world.base.clone_from(&service.base);
    let path = world.integration().await;
    proxy.frozen.send_replace(true);
    let request = world.http.get(format!("{}{path}", world.base));
    let request = request.bearer_auth(world.token_of(&world.tenant, &["odt:read"])).send();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        service.terminate();
        service.exit_code(Duration::from_secs(4)).await
    };
    let (_, code) = tokio::join!(request, stop);
    assert_eq!(code, Some(0), "it does not end, or badly: {}", service.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_another_session_holds_is_a_503_in_time_and_not_a_500() {
    use diesel::connection::SimpleConnection;
    use diesel::prelude::*;
    let world = World::start().await;
    let path = world.connected().await;
    let url = POSTGRES.lock().expect("postgres").superuser_url(&world.database);
    let mut holder = diesel::PgConnection::establish(&url).expect("connection");
    holder.batch_execute("BEGIN; SELECT * FROM integrations FOR UPDATE").expect("SQL");
    let patch = json!({ "selected_platforms": ["ios"] });
    let asked = Instant::now();
    expect_unavailable(world.patch(&path, &patch).await);
    assert!(asked.elapsed() < BOUND, "{:?}", asked.elapsed());
    holder.batch_execute("COMMIT").expect("SQL");
    world.patch(&path, &patch).await.expect(200);
    assert_eq!(
        item(&world.get(&format!("{path}/prerequisites")).await.expect(200), "fastpass")["outcome"],
        "passed"
    );
}

/// A role that exists on the shared server for one test.
fn role(attributes: &str) -> String {
    let name = unique("role").replace('-', "_");
    let sql = format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}' {attributes}");
    POSTGRES.lock().expect("postgres").execute("postgres", &sql).expect("role");
    name
}

fn url_as(role: &str, database: &str) -> String {
    POSTGRES.lock().expect("postgres").url(role, PASSWORD, database)
}

/// Starts the service with this database; what it says when it refuses.
#[track_caller]
fn refusal(world: &World, url: impl Into<String>) -> String {
    let mut environment = world.environment.clone();
    environment.set("ODT_DATABASE_URL", url);
    let stderr = run(&environment, &["serve"]).expect_failure();
    assert!(!stderr.contains("\"serving\""), "{stderr}");
    assert!(!stderr.contains(PASSWORD), "{stderr}");
    stderr
}

#[tokio::test]
async fn a_role_that_row_level_security_does_not_hold_is_refused_at_the_start() {
    let world = World::build().without_service().await;
    let superuser = POSTGRES.lock().expect("postgres").superuser_url(&world.database);
    let said = refusal(&world, superuser);
    assert!(said.contains("\"postgres\" is a superuser"), "{said}");

    let bypasses = role("BYPASSRLS IN ROLE odt_app");
    let said = refusal(&world, url_as(&bypasses, &world.database));
    assert!(said.contains(&format!("{bypasses:?} has BYPASSRLS")), "{said}");
    // `SET ROLE` gives what a role has not got by itself.
    for attributes in ["INHERIT", "NOINHERIT"] {
        let becomes = role(&format!("{attributes} IN ROLE odt_app, {bypasses}"));
        let said = refusal(&world, url_as(&becomes, &world.database));
        assert!(said.contains(&format!("{becomes:?} has BYPASSRLS")), "{said}");
        let becomes = role(&format!("{attributes} IN ROLE odt_app, postgres"));
        let said = refusal(&world, url_as(&becomes, &world.database));
        assert!(said.contains(&format!("{becomes:?} is a superuser")), "{said}");
    }
}

#[tokio::test]
async fn a_role_that_owns_the_tables_or_can_become_their_owner_is_refused_at_the_start() {
    let world = World::build().without_service().await;
    let said = refusal(&world, url_as("odt_owner", &world.database));
    assert!(said.contains("\"odt_owner\" owns or can become the owner of"), "{said}");
    for table in ["credentials", "events", "integrations"] {
        assert!(said.contains(table), "{table}: {said}");
    }
    let between = role("NOINHERIT IN ROLE odt_owner");
    for attributes in ["INHERIT", "NOINHERIT"] {
        for owner in ["odt_owner", &between] {
            let becomes = role(&format!("{attributes} IN ROLE odt_app, {owner}"));
            let said = refusal(&world, url_as(&becomes, &world.database));
            assert!(said.contains(&format!("{becomes:?} owns or can become the owner")), "{said}");
        }
    }
    // One table is enough.
    let one = role("IN ROLE odt_app");
    world.sql(&format!("ALTER TABLE events OWNER TO {one}"));
    let said = refusal(&world, url_as(&one, &world.database));
    assert!(said.contains("[\"events\"]"), "{said}");
}

#[tokio::test]
async fn a_table_whose_row_level_security_is_not_forced_stops_the_start() {
    let world = World::build().without_service().await;
    let url = world.environment.get("ODT_DATABASE_URL").expect("set").to_owned();
    for (off, on) in [
        ("NO FORCE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY"),
        ("DISABLE ROW LEVEL SECURITY", "ENABLE ROW LEVEL SECURITY"),
    ] {
        world.sql(&format!("ALTER TABLE credentials {off}"));
        let said = refusal(&world, &url);
        assert!(said.contains("row-level security is not forced on [\"credentials\"]"), "{said}");
        assert!(said.contains("okta-device-trust migrate"), "{said}");
        world.sql(&format!("ALTER TABLE credentials {on}"));
    }
    // A table of customers' data that nobody knew of when this was written.
    world.sql("CREATE TABLE later (tenant_id text); ALTER TABLE later OWNER TO odt_owner");
    assert!(refusal(&world, &url).contains("[\"later\"]"));
    world.sql("DROP TABLE later");
    Process::serve(&world.environment).await;
}

#[tokio::test]
async fn a_database_that_was_not_migrated_stops_the_start_and_says_what_to_run() {
    let world = World::build().without_service().await;
    let empty = unique("empty");
    POSTGRES.lock().expect("postgres").create_database(&empty, None).expect("database");
    let said = refusal(&world, url_as("odt_service", &empty));
    assert!(said.contains("run `okta-device-trust migrate`"), "{said}");
    // A role without rights on the schema sees none either, and is told what it lacks.
    let stranger = role("");
    let said = refusal(&world, url_as(&stranger, &world.database));
    assert!(said.contains("a member of odt_app"), "{said}");
}

#[tokio::test]
async fn a_schema_that_lacks_a_migration_stops_the_start() {
    let world = World::build().without_service().await;
    let url = world.environment.get("ODT_DATABASE_URL").expect("set").to_owned();
    world.sql(
        "DELETE FROM __diesel_schema_migrations WHERE version = \
         (SELECT max(version) FROM __diesel_schema_migrations)",
    );
    assert!(refusal(&world, &url).contains("run `okta-device-trust migrate`"));
}

/// PgBouncer in transaction mode before the shared server; killed when dropped.
struct Bouncer {
    child: std::process::Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bouncer {
    /// `None` where it is not installed.
    async fn start(server: u16) -> Option<Self> {
        use std::os::unix::fs::PermissionsExt;
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"]
            .into_iter()
            .find(|path| std::path::Path::new(path).is_file())?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr();
        let port = port.expect("address").port();
        let folder = tempfile::tempdir().expect("folder");
        // It refuses root and so runs as another user, who has to get there.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).expect("permissions");
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("file");
            path
        };
        let users = write("users.txt", format!("\"odt_service\" \"{PASSWORD}\"\n"));
        let settings = write(
            "pgbouncer.ini",
            format!(
                "[databases]\n* = host=127.0.0.1 port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\n\
                 pool_mode = transaction\ndefault_pool_size = 2\n",
                users.display()
            ),
        );
        let as_nobody = "[ \"$(id -u)\" != 0 ] && exec \"$0\" -q \"$1\"; \
             exec setpriv --reuid=nobody --regid=nogroup --clear-groups -- \"$0\" -q \"$1\"";
        let child = std::process::Command::new("sh")
            .args(["-c", as_nobody, program])
            .arg(&settings)
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("pgbouncer starts");
        let bouncer = Self { child, port, _folder: folder };
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(Instant::now() < until, "pgbouncer does not listen");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Some(bouncer)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_pgbouncer_two_tenants_at_once_never_meet_and_nothing_fails() {
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
        // Another tenant's id is nobody's, on whichever connection it is asked.
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
