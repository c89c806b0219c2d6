//! Databases of their own on a PostgreSQL server.

use std::{
    env, process,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use bosa_auth_core::{Entropy, SystemEntropy};
use tokio_postgres::{Error, NoTls, config::Host};

use crate::give_up;

const VARIABLE: &str = "BOSA_AUTH_TEST_POSTGRES_URL";

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// A database that this process made and drops in the end.
#[derive(Debug)]
pub(crate) struct OwnDatabase {
    server: String,
    name: String,
    url: String,
}

impl OwnDatabase {
    pub(crate) async fn create() -> Self {
        let server = server_url();
        let name = unique_name();
        let created = maintain(
            &server,
            format!("create database {name} template template0"),
        );
        if let Err(error) = created.await {
            give_up("the test database cannot be created", &error);
        }
        let url = with_database(&server, &name);
        Self { server, name, url }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

fn server_url() -> String {
    match env::var(VARIABLE) {
        Ok(server) => server,
        Err(error) => give_up(
            VARIABLE,
            &format!("{error}; run scripts/test.sh, or: eval \"$(scripts/postgres.sh start)\""),
        ),
    }
}

/// Host and port of the server, and the user of the tests.
pub(crate) fn server() -> (String, String) {
    let server: Result<tokio_postgres::Config, _> = server_url().parse();
    let server = match server {
        Ok(server) => server,
        Err(error) => give_up(VARIABLE, &error),
    };
    let (Some(Host::Tcp(host)), Some(port), Some(user)) = (
        server.get_hosts().first(),
        server.get_ports().first(),
        server.get_user(),
    ) else {
        give_up(VARIABLE, &"it names no host, port or user");
    };
    (format!("{host}:{port}"), user.to_owned())
}

impl Drop for OwnDatabase {
    /// Drops the database from a thread of its own, since this may run on a test's runtime.
    fn drop(&mut self) {
        let server = self.server.clone();
        let statement = format!("drop database if exists {} with (force)", self.name);
        let dropped = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.map(|runtime| runtime.block_on(maintain(&server, statement)))
        });
        // Best effort: the cluster is thrown away as a whole.
        if !matches!(dropped.join(), Ok(Ok(Ok(())))) {
            eprintln!("the test database {} could not be dropped", self.name);
        }
    }
}

/// Runs one statement outside a transaction on the server's own database.
async fn maintain(server: &str, statement: String) -> Result<(), Error> {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
    let connection = tokio::spawn(connection);
    let result = client.batch_execute(&statement).await;
    drop(client);
    let _ended = connection.await;
    result
}

/// Other processes use the same server, so that the process id alone is not enough.
fn unique_name() -> String {
    let mut random = [0; 4];
    if let Err(error) = SystemEntropy.fill(&mut random) {
        give_up("no randomness", &error);
    }
    format!(
        "bosa_auth_test_{}_{}_{:08x}",
        process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed),
        u32::from_be_bytes(random)
    )
}

/// Replaces the database in a URL.
fn with_database(server: &str, name: &str) -> String {
    let (address, query) = match server.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (server, String::new()),
    };
    let (scheme, rest) = address.split_once("://").unwrap_or(("postgresql", address));
    let authority = rest.split('/').next().unwrap_or_default();
    format!("{scheme}://{authority}/{name}{query}")
}
