//! A PostgreSQL server of a test's own, which it may crash and promote.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::address::free_port;
use super::session::Session;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/postgres.sh");

/// A running server that keeps what it has acknowledged through a crash of its own; stopped and
/// removed when dropped.
pub(super) struct Cluster {
    directory: TempDir,
    /// Where the programs of PostgreSQL are.
    programs: PathBuf,
    url: String,
}

impl Cluster {
    pub(super) async fn start() -> Self {
        let mut cluster = Self {
            directory: directory(),
            programs: PathBuf::new(),
            url: String::new(),
        };
        run(cluster.script("start")).await;
        let url = fs::read_to_string(cluster.directory.path().join("url")).unwrap();
        url.trim().clone_into(&mut cluster.url);
        let session = cluster.session().await;
        session.run(KEEP_WHAT_IS_ACKNOWLEDGED).await;
        session.run("select pg_reload_conf()").await;
        cluster.programs = session.run(PROGRAMS).await.remove(0).into();
        cluster
    }

    /// Another server that follows this one.
    pub(super) async fn standby(&self) -> Self {
        let mut standby = Self {
            directory: directory(),
            programs: self.programs.clone(),
            url: String::new(),
        };
        let owner = self.data().metadata().unwrap();
        let path = standby.directory.path();
        chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
        let mut copy = self.program("pg_basebackup");
        copy.args(["--no-password", "--no-sync", "--checkpoint=fast"])
            .args(["--write-recovery-conf", "--dbname", &self.url, "--pgdata"])
            .arg(standby.data());
        run(copy).await;
        let (taken, port) = (self.port(), free_port());
        let settings = standby.data().join("bosa.conf");
        let text = fs::read_to_string(&settings).unwrap();
        // The last one counts. Sockets have files in the directory of the first server.
        let text = format!("{text}port = {port}\nunix_socket_directories = ''\n");
        fs::write(&settings, text).unwrap();
        standby.url = self
            .url
            .replace(&format!(":{taken}/"), &format!(":{port}/"));
        // The script stops what has one.
        fs::write(standby.directory.path().join("url"), &standby.url).unwrap();
        standby.start_again().await;
        standby
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn port(&self) -> u16 {
        let (_, port) = self.url.rsplit_once(':').unwrap();
        port.split('/').next().unwrap().parse().unwrap()
    }

    pub(super) async fn session(&self) -> Session {
        Session::open(&self.url).await
    }

    /// Ends the server without a warning.
    pub(super) async fn crash(&self) {
        self.control(&["-m", "immediate", "stop"]).await;
    }

    /// Starts the server again after a crash.
    pub(super) async fn start_again(&self) {
        self.control(&["start"]).await;
    }

    /// Makes a standby take writes.
    pub(super) async fn promote(&self) {
        self.control(&["promote"]).await;
    }

    async fn control(&self, args: &[&str]) {
        let mut control = self.program("pg_ctl");
        let log = self.directory.path().join("log");
        control.arg("-D").arg(self.data()).arg("-l").arg(log);
        control.args(["-w", "-t", "60"]).args(args);
        run(control).await;
    }

    /// A program of PostgreSQL, run by the user that the server runs as.
    fn program(&self, name: &str) -> Command {
        let owner = self.directory.path().metadata().unwrap();
        let mut command = Command::new(self.programs.join(name));
        command.uid(owner.uid()).gid(owner.gid()).current_dir("/");
        command
    }

    fn script(&self, verb: &str) -> Command {
        let mut script = Command::new("bash");
        script
            .args([SCRIPT, verb, "--dir"])
            .arg(self.directory.path());
        script
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.script("stop").output());
    }
}

/// The script hands it to the user that the server runs as.
fn directory() -> TempDir {
    tempfile::Builder::new()
        .prefix("bosa-auth-nodes-")
        .tempdir()
        .unwrap()
}

/// Runs a program on a thread that may wait, and expects success.
async fn run(mut command: Command) {
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// The tests' servers acknowledge before they write, for speed.
const KEEP_WHAT_IS_ACKNOWLEDGED: &str = "alter system set synchronous_commit = on";
const PROGRAMS: &str = "select setting from pg_config where name = 'BINDIR'";
