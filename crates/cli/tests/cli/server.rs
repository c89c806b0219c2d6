//! A running server that a test starts, talks to and kills.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::support::{MASTER_KEY, World};

/// A server on a free port; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// Kept open, so that the server can write.
    _stdout: BufReader<ChildStdout>,
    log: Option<JoinHandle<String>>,
    /// What it printed when it was ready.
    pub(crate) welcome: Value,
}

impl Server {
    /// Starts a server and waits until it has said where it listens.
    pub(crate) fn start(world: &World) -> Self {
        Self::spawn(world).ready()
    }

    /// Starts a server without waiting.
    pub(crate) fn spawn(world: &World) -> Starting {
        let args = ["serve", "--listen", "127.0.0.1:0", "--output", "json"];
        let child = world.command(&args).spawn().unwrap();
        Starting(child)
    }

    pub(crate) fn url(&self) -> &str {
        self.welcome["url"].as_str().unwrap()
    }

    /// Ends the process without a warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends the process a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("bash")
            .args(["-c", "kill -s \"$1\" \"$2\"", "kill", signal, &id])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Asks the process to stop and returns its exit code.
    pub(crate) fn stop(mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.child.wait().unwrap().code()
    }

    /// Asks the process to stop, waits until it has, and returns its whole log.
    pub(crate) fn log_until_stopped(mut self) -> String {
        let log = self.log.take().unwrap();
        assert_eq!(self.stop("TERM"), Some(0));
        log.join().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A server that may still be starting.
pub(crate) struct Starting(Child);

impl Starting {
    /// Waits until it has said where it listens, ends it and returns its log until then.
    pub(crate) fn log_until_ready(mut self) -> String {
        let mut stdout = BufReader::new(self.0.stdout.take().unwrap());
        let mut line = String::new();
        while line != "}\n" {
            line.clear();
            assert_ne!(
                stdout.read_line(&mut line).unwrap(),
                0,
                "the server did not start"
            );
        }
        self.0.kill().unwrap();
        let mut log = String::new();
        let mut stderr = self.0.stderr.take().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        self.0.wait().unwrap();
        log
    }

    /// Waits until it has said where it listens.
    pub(crate) fn ready(mut self) -> Server {
        let mut stdout = BufReader::new(self.0.stdout.take().unwrap());
        let mut text = String::new();
        while !text.ends_with("}\n") {
            if stdout.read_line(&mut text).unwrap() == 0 {
                let mut stderr = String::new();
                drop(self.0.stderr.take().unwrap().read_to_string(&mut stderr));
                panic!("the server did not start: {stderr}");
            }
        }
        // Read all along: the log must not fill the pipe and stop the server.
        let mut stderr = self.0.stderr.take().unwrap();
        let read = move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        };
        let log = Some(std::thread::spawn(read));
        Server {
            child: self.0,
            _stdout: stdout,
            log,
            welcome: serde_json::from_str(&text).unwrap(),
        }
    }
}

/// The key that may create clients.
pub(crate) fn master_key(world: &World, server: &Server) -> String {
    match server.welcome["master_key_path"].as_str() {
        None => MASTER_KEY.to_owned(),
        Some(path) => std::fs::read_to_string(world.path().join(path))
            .unwrap()
            .trim()
            .to_owned(),
    }
}

/// Sends a request with JSON and returns status and body.
pub(crate) async fn post(
    url: &str,
    path: &str,
    key: &str,
    body: Value,
) -> Result<(u16, Value), reqwest::Error> {
    let answer = reqwest::Client::new()
        .post(format!("{url}{path}"))
        .header("x-api-key", key)
        .json(&body)
        .send()
        .await?;
    let status = answer.status().as_u16();
    Ok((status, answer.json().await?))
}

/// Creates a client over HTTP and returns its key.
pub(crate) async fn create_client(
    url: &str,
    master_key: &str,
    name: &str,
) -> Result<String, reqwest::Error> {
    let (status, body) = post(url, "/clients", master_key, json!({"name": name})).await?;
    assert_eq!(status, 200, "{body}");
    Ok(body["data"]["api_key"].as_str().unwrap().to_owned())
}

/// Runs a shell script in the world's directory and environment, and returns what it printed.
pub(crate) fn shell(world: &World, script: &str) -> String {
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(world.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}
