//! A throw-away PostgreSQL from the installed binaries, one per test process.
//!
//! It runs under a shell that stops it and deletes its files when the standard input closes: that happens when the
//! test process ends, however it ends.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::{chown, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::LazyLock;

/// PostgreSQL refuses to run as root; `nobody` has this id on every Linux.
const NOBODY: u32 = 65_534;

const SCRIPT: &str = r#"
set -eu
"$BIN/initdb" --no-sync --auth=trust --username=postgres --encoding=UTF8 --locale=C -D "$DIR/data" >"$DIR/initdb.log" 2>&1
"$BIN/postgres" -D "$DIR/data" -k "$DIR" -c listen_addresses= -c fsync=off -c max_connections=400 </dev/null >"$DIR/log" 2>&1 &
server=$!
trap 'kill -INT $server; wait $server || true; rm -rf "$DIR"' EXIT
while ! [ -S "$DIR/.s.PGSQL.5432" ]; do kill -0 $server; sleep 0.05; done
echo ready
cat >/dev/null
"#;

struct Server {
    directory: PathBuf,
    databases: AtomicU32,
    /// Holds the standard input open.
    _shell: Child,
}

static SERVER: LazyLock<Server> = LazyLock::new(Server::start);

/// URL of a new, empty database.
pub async fn new_database() -> String {
    tokio::task::spawn_blocking(|| LazyLock::force(&SERVER)).await.unwrap();
    let name = format!("test_{}", SERVER.databases.fetch_add(1, Ordering::SeqCst));
    let directory = SERVER.directory.display();
    sqlx::any::install_default_drivers();
    let url = |database: &str| format!("postgres://postgres@localhost/{database}?host={directory}");
    let mut connection = connect(&url("postgres")).await;
    sqlx::query(&format!("CREATE DATABASE {name}")).execute(&mut connection).await.unwrap();
    url(&name)
}

/// The socket exists a moment before the server takes connections.
async fn connect(url: &str) -> sqlx::AnyConnection {
    use sqlx::Connection;
    for _ in 0..200 {
        match sqlx::AnyConnection::connect(url).await {
            Ok(connection) => return connection,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
    panic!("the throw-away PostgreSQL does not take connections, see {}/log", SERVER.directory.display())
}

impl Server {
    fn start() -> Self {
        let binaries = find_binaries().expect(
            "no PostgreSQL server was found in PATH or /usr/lib/postgresql/*/bin; install it (Debian: apt-get install postgresql)",
        );
        let directory = tempfile::Builder::new().prefix("cluster-pg-").tempdir().unwrap().keep();
        let mut command = Command::new("/bin/sh");
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            chown(&directory, Some(NOBODY), Some(NOBODY)).unwrap();
            command.uid(NOBODY).gid(NOBODY);
        }
        // A group of its own: an interrupt at the terminal reaches the tests, and they end the server.
        command.process_group(0).current_dir(&directory).args(["-c", SCRIPT]);
        command.env("BIN", binaries).env("DIR", &directory);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let log = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap_or_default();
        assert_eq!(line, "ready\n", "PostgreSQL did not start:\n{}{}", log("initdb.log"), log("log"));
        Self { directory, databases: AtomicU32::new(0), _shell: child }
    }
}

/// The newest directory with `initdb` and `postgres`. A link in PATH may point into one, which also has the rest.
fn find_binaries() -> Option<PathBuf> {
    let complete = |directory: &Path| directory.join("initdb").is_file() && directory.join("postgres").is_file();
    let mut installed: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).filter(|path| complete(path)).collect())
        .unwrap_or_default();
    installed.sort();
    installed.pop().or_else(|| {
        let path = std::env::var_os("PATH")?;
        let found = std::env::split_paths(&path).find(|directory| complete(directory))?;
        std::fs::canonicalize(found.join("postgres")).ok()?.parent().map(Path::to_owned)
    })
}
