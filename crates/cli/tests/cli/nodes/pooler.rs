//! PgBouncer, handing connections out for one transaction each.

use std::fs::Permissions;
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio_postgres::Config;

use super::address::{free_port, port_of};
use super::node::until;

/// Refuses to run as root: this one owns nothing.
const NOBODY: u32 = 65534;

/// To each database.
pub(super) const CONNECTIONS_OF_THE_POOLER: usize = 5;

/// A running pooler in front of a server; ended when dropped.
pub(super) struct Pooler {
    child: Child,
    port: u16,
    directory: TempDir,
}

impl Pooler {
    pub(super) async fn before(server: &Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        let port = free_port();
        let settings = path.join("pgbouncer.ini");
        std::fs::write(&settings, text(server, port)).unwrap();
        let log = std::fs::File::create(path.join("log")).unwrap();
        let mut command = Command::new(program());
        command
            .arg(&settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if path.metadata().unwrap().uid() == 0 {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut pooler = Self {
            child: command.spawn().unwrap_or_else(|error| {
                panic!("PgBouncer is missing (Debian: apt-get install pgbouncer): {error}")
            }),
            port,
            directory,
        };
        let child = std::sync::Mutex::new(&mut pooler.child);
        let path = pooler.directory.path();
        let answers = async || {
            let ended = child.lock().unwrap().try_wait().unwrap();
            let log = || std::fs::read_to_string(path.join("log"));
            assert!(ended.is_none(), "{:?}", log());
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        };
        until("the pooler", answers).await;
        pooler
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn program() -> PathBuf {
    // Not on the path of everybody.
    let paths = [
        "/usr/sbin/pgbouncer",
        "/usr/bin/pgbouncer",
        "/usr/local/bin/pgbouncer",
    ];
    let found = paths.into_iter().find(|path| Path::new(path).exists());
    match found {
        Some(path) => path.into(),
        None => "pgbouncer".into(),
    }
}

fn text(server: &Config, port: u16) -> String {
    let user = server.get_user().unwrap_or_default();
    let password = match server.get_password() {
        Some(password) => format!(" password={}", String::from_utf8_lossy(password)),
        None => String::new(),
    };
    let behind = port_of(server);
    format!(
        "[databases]\n\
         * = host=127.0.0.1 port={behind} user={user}{password}\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         auth_type = any\n\
         pool_mode = transaction\n\
         default_pool_size = {CONNECTIONS_OF_THE_POOLER}\n\
         max_client_conn = 300\n"
    )
}
