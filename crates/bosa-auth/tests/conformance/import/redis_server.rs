//! A real Redis beside the database of the original.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bosa_auth::{ClientId, ImportOptions, Secret};
use bosa_auth_testkit::on_every_database;
use serde_json::Value;
use tempfile::TempDir;

use super::source::{Source, counts, import, known, rows, text, world};

/// A server of a test's own, which ends with it.
struct Server {
    child: Child,
    /// Of the port without TLS.
    port: u16,
    password: &'static str,
    files: TempDir,
}

impl Server {
    /// Starts one that listens without TLS, and with it at another port if that is given.
    fn start(password: &'static str, tls_port: Option<u16>) -> Self {
        let files = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new("redis-server");
        command
            .args([
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
                "--daemonize",
                "no",
            ])
            .args(["--port", &port.to_string(), "--requirepass", password])
            .current_dir(files.path())
            .stdout(Stdio::null());
        if let Some(tls_port) = tls_port {
            make_certificates(files.path());
            command
                .args([
                    "--tls-port",
                    &tls_port.to_string(),
                    "--tls-auth-clients",
                    "no",
                ])
                .args([
                    "--tls-cert-file",
                    "server.crt",
                    "--tls-key-file",
                    "server.key",
                ])
                .args(["--tls-ca-cert-file", "ca.crt"]);
        }
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("redis-server (Debian: apt-get install redis-server): {error}")
        });
        let server = Self {
            child,
            port,
            password,
            files,
        };
        for _ in 0..1000 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not listen");
    }

    /// Runs commands in a database, as the documentation writes them.
    fn run(&self, database: u32, commands: &[String]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let first = [
            format!("AUTH {}", self.password),
            format!("SELECT {database}"),
        ];
        let mut answers = BufReader::new(stream.try_clone().unwrap());
        for command in first.iter().chain(commands) {
            writeln!(stream, "{command}\r").unwrap();
            let mut answer = String::new();
            answers.read_line(&mut answer).unwrap();
            assert!(!answer.starts_with('-'), "{command}: {answer}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// An authority, and a certificate of its for `localhost`.
fn make_certificates(directory: &Path) {
    const MAKE: &str = "set -e; exec 2>/dev/null; \
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
            -subj '/CN=test authority' -keyout ca.key -out ca.crt; \
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=localhost' \
            -keyout server.key -out server.csr; \
        echo 'subjectAltName=DNS:localhost' >san.cnf; \
        openssl x509 -req -in server.csr -days 2 -CA ca.crt -CAkey ca.key -CAcreateserial \
            -extfile san.cnf -out server.crt";
    let made = Command::new("sh")
        .args(["-c", MAKE])
        .current_dir(directory)
        .status()
        .unwrap();
    assert!(made.success());
}

fn key(token: &Value) -> String {
    format!(
        "token::{}::{}::{}",
        text(token, "client_id"),
        text(token, "user_id"),
        text(token, "id")
    )
}

const PASSWORD: &str = "a%20password";

on_every_database! {
    async fn what_only_redis_knows_of_tokens_is_taken_over(db: TestDatabase) {
        let (world, source, known) = (world(&db).await, Source::fixture().await, known());
        let server = Server::start("a-password", None);
        let live: Vec<_> = rows(&known, "tokens").iter().filter(|token| token["is_revoked"] == false).collect();
        source.run("update public.tokens set expires_at = 1800000000").await;
        // One ends later there, one was revoked there, and the others have values that are none.
        let values = [
            format!("SET {} '{{\"is_revoked\": false, \"expires_at\": 2090000000}}'", key(live[0])),
            format!("SET {} '{{\"is_revoked\": true, \"expires_at\": 1800000000}}'", key(live[1])),
            format!("SET {} []", key(live[2])),
            format!("SET {} 'not JSON'", key(live[3])),
            format!("HSET {} is_revoked true", key(live[4])),
        ];
        server.run(3, &values);
        // Another database of it says something else.
        server.run(0, &[format!("SET {} '{{\"is_revoked\": true}}'", key(live[0]))]);

        let with = |redis: &str| ImportOptions { redis: Some(Secret::from(redis)), ..source.options() };
        let place = format!("127.0.0.1:{}", server.port);
        for (url, said) in [
            (format!("redis://{place}/3"), "refuses: NOAUTH"),
            (format!("redis://:other@{place}/3"), "refuses: WRONGPASS"),
            (format!("redis://:a-password@{place}/99"), "refuses: ERR DB index"),
        ] {
            let refused = import(&world.auth, with(&url)).await.unwrap_err();
            assert_eq!(refused.code(), "configuration");
            assert!(refused.to_string().contains(said), "{refused}");
        }
        assert_eq!(crate::support::counts(&db).await.clients, 0);

        let report = import(&world.auth, with(&format!("redis://:a-password@{place}/3"))).await.unwrap();
        assert_eq!(counts(&report, "token")[..2], [6, 6]);
        let mut ends = Vec::new();
        for token in &live {
            let client: ClientId = text(token, "client_id").parse().unwrap();
            let tenant = world.auth.operator().tenant(client).await.unwrap();
            ends.push(tenant.verify_token(text(token, "token")).await.map(|verified| verified.expires_at));
        }
        // The user of one is switched off in the source.
        let is_off = |token: &Value| text(token, "user_id") == "c0a1ede8-862b-4881-989b-aef058972727";
        for (number, end) in ends.iter().enumerate() {
            match (number, is_off(live[number])) {
                (1, _) | (_, true) => assert!(end.is_err(), "{number}"),
                (0, _) => assert_eq!(end.as_ref().ok(), Some(&2_090_000_000)),
                _ => assert_eq!(end.as_ref().ok(), Some(&1_800_000_000), "{number}"),
            }
        }
    }

    async fn a_redis_behind_tls_must_prove_who_it_is(db: TestDatabase) {
        let (world, source) = (world(&db).await, Source::fixture().await);
        let port = free_port();
        let server = Server::start("a password", Some(port));
        let authority = server.files.path().join("ca.crt");
        let authority = authority.to_str().unwrap();
        let with = |rest: String| {
            let url = format!("rediss://:{PASSWORD}@{rest}");
            ImportOptions { redis: Some(Secret::from(url.as_str())), dry_run: true, ..source.options() }
        };
        for (rest, is_accepted) in [
            (format!("localhost:{port}"), false),
            (format!("localhost:{port}?sslrootcert={authority}"), true),
            (format!("127.0.0.1:{port}?sslrootcert={authority}"), false),
            (format!("127.0.0.1:{port}/2?sslmode=verify-ca&sslrootcert={authority}"), true),
            (format!("127.0.0.1:{port}?sslmode=require"), true),
            // No TLS at that port.
            (format!("localhost:{}?sslmode=require", server.port), false),
        ] {
            let imported = import(&world.auth, with(rest.clone())).await;
            assert_eq!(imported.is_ok(), is_accepted, "{rest}: {:?}", imported.err());
        }
    }
}
