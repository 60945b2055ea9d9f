//! The private PostgreSQL: it starts, keeps its data, and stops with its owner.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testkit::postgres::Postgres;

fn eventually(condition: impl Fn() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

#[test]
fn temporary_server_clones_databases_survives_a_crash_and_is_removed() {
    let mut postgres = Postgres::start_temporary().unwrap();
    let folder = postgres.data_dir().parent().unwrap().to_path_buf();
    postgres.create_database("template_of_tests", None).unwrap();
    postgres
        .execute(
            "template_of_tests",
            "CREATE TABLE colours (name text); INSERT INTO colours VALUES ('red'), ('blue')",
        )
        .unwrap();
    postgres.create_database("one", Some("template_of_tests")).unwrap();
    assert_eq!(
        postgres.execute("one", "SELECT name FROM colours ORDER BY 1").unwrap(),
        "blue\nred"
    );
    assert!(postgres.database_exists("one").unwrap());
    postgres.drop_database("one").unwrap();
    assert!(!postgres.database_exists("one").unwrap());

    let refusal =
        postgres.execute("postgres", "SELECT * FROM no_such_table; SELECT 1").unwrap_err();
    assert!(refusal.to_string().contains("no_such_table"), "{refusal}");

    let port = postgres.port();
    postgres.restart().unwrap();
    assert_eq!(postgres.port(), port);
    assert_eq!(postgres.execute("template_of_tests", "SELECT count(*) FROM colours").unwrap(), "2");

    drop(postgres);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(!folder.exists());
}

#[test]
fn wrong_password_is_rejected() {
    let postgres = Postgres::start_temporary().unwrap();
    postgres.execute("postgres", "CREATE ROLE app LOGIN PASSWORD 'right'").unwrap();
    let connect = |password: &str| {
        Command::new("psql")
            .args([&postgres.url("app", password, "postgres"), "-AtXc", "SELECT current_user"])
            .output()
            .unwrap()
    };
    assert_eq!(connect("right").stdout, b"app\n");
    assert!(!connect("wrong").status.success());
}

#[test]
fn stored_data_is_reused_and_a_second_server_is_rejected() {
    // Not accessible to the server's account if the current user is root.
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let dir = home.path().join("postgres");
    let first = Postgres::start_in(&dir).unwrap();
    first.execute("postgres", "CREATE TABLE kept AS SELECT 7 AS n").unwrap();
    let refusal = Postgres::start_in(&dir).unwrap_err();
    assert!(refusal.to_string().contains("still running"), "{refusal}");
    drop(first);

    let second = Postgres::start_in(&dir).unwrap();
    assert_eq!(second.execute("postgres", "SELECT n FROM kept").unwrap(), "7");
    let data = second.data_dir().to_path_buf();
    drop(second);
    assert!(data.exists());
    Postgres::remove_in(&dir).unwrap();
    assert!(!data.exists());
}

/// Not a separate test: the program that the next tests kill.
#[test]
#[ignore = "started by `server_stops_with_a_killed_owner`"]
fn owner_to_kill() {
    let postgres = match std::env::var_os("TESTKIT_KEPT_IN") {
        Some(dir) => Postgres::start_in(Path::new(&dir)).unwrap(),
        None => Postgres::start_temporary().unwrap(),
    };
    println!("port {} data {}", postgres.port(), postgres.data_dir().display());
    std::thread::sleep(Duration::from_secs(60));
}

fn start_and_kill_an_owner(kept_in: Option<&Path>) -> (u16, String) {
    let mut owner = Command::new(std::env::current_exe().unwrap());
    owner.args(["--exact", "owner_to_kill", "--ignored", "--nocapture"]);
    if let Some(dir) = kept_in {
        owner.env("TESTKIT_KEPT_IN", dir);
    }
    let mut owner = owner.stdout(Stdio::piped()).spawn().unwrap();
    let line = BufReader::new(owner.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.find("port ").map(|at| line[at..].to_string()))
        .expect("the owner says where its server is");
    let words: Vec<&str> = line.split(' ').collect();
    let (port, data) = (words[1].parse().unwrap(), words[3].to_string());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    owner.kill().unwrap(); // SIGKILL
    owner.wait().unwrap();
    (port, data)
}

#[test]
fn server_stops_with_a_killed_owner() {
    let (port, data) = start_and_kill_an_owner(None);
    assert!(
        eventually(|| TcpStream::connect(("127.0.0.1", port)).is_err()),
        "the server outlived its owner"
    );
    assert!(
        eventually(|| !Path::new(&data).parent().unwrap().exists()),
        "the temporary folder was left behind"
    );
}

#[test]
fn stored_data_survives_a_killed_owner() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("postgres");
    start_and_kill_an_owner(Some(&dir));
    let again = Postgres::start_in(&dir).unwrap();
    assert_eq!(again.execute("postgres", "SELECT 1").unwrap(), "1");
    drop(again);
    Postgres::remove_in(&dir).unwrap();
}

#[test]
fn existing_directory_keeps_its_other_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes"), "mine").unwrap();
    drop(Postgres::start_in(folder.path()).unwrap());
    Postgres::remove_in(folder.path()).unwrap();
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["notes"]);
}
