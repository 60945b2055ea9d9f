//! PgBouncer in transaction mode in front of the shared server.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::support::postgres::PASSWORD;

/// PgBouncer in transaction mode in front of the shared server; killed when dropped.
pub struct Bouncer {
    pub child: std::process::Child,
    pub port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bouncer {
    /// Starts PgBouncer; `None` if it is not installed.
    pub async fn start(server: u16) -> Option<Self> {
        use std::os::unix::fs::PermissionsExt;
        let program = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"]
            .into_iter()
            .find(|path| std::path::Path::new(path).is_file())?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr();
        let port = port.expect("address").port();
        let folder = tempfile::tempdir().expect("folder");
        // It refuses to run as root, so it runs as another user, who needs access to the directory.
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
