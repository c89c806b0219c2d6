//! Addresses of PostgreSQL, and the settings that lead there.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

use bosa_auth_testkit::TestDatabase;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::support::{MASTER_KEY, ROOT_KEYS, SIGNING_KEY, World};

const URL: &str = "DATABASE_AUTHENTICATION_URL";

/// The settings of a test's own database, with metrics.
pub(super) fn world_on(db: &TestDatabase) -> World {
    let mut world = World::on(db);
    world.set("BOSA_AUTH_METRICS_LISTEN", "127.0.0.1:0");
    world
}

/// The settings of a database at this address.
pub(super) fn world_at(url: &str) -> World {
    let mut world = World::new();
    for (variable, value) in [
        (URL, url),
        ("BOSA_AUTH_ROOT_KEYS", ROOT_KEYS),
        ("AUTH_SECRET_KEY", SIGNING_KEY),
        ("BOSA_WHITELISTED_KEYS", MASTER_KEY),
        ("BOSA_AUTH_METRICS_LISTEN", "127.0.0.1:0"),
    ] {
        world.set(variable, value);
    }
    world
}

/// The same settings with one more, or another one.
pub(super) fn with(world: &World, variable: &str, value: &str) -> World {
    let mut other = World::new();
    other.environment.clone_from(&world.environment);
    other.set(variable, value);
    other
}

/// The same settings with the database behind another port of this machine, without encryption.
pub(super) fn behind(world: &World, port: u16) -> World {
    let config = server_of(world);
    let user = config.get_user().unwrap_or_default();
    let name = config.get_dbname().unwrap_or_default();
    let address = format!("postgresql://{user}@127.0.0.1:{port}/{name}?sslmode=disable");
    with(world, URL, &address)
}

/// Where the database of these settings is.
pub(super) fn server_of(world: &World) -> Config {
    let mut settings = world.environment.iter().rev();
    let (_, url) = settings.find(|(variable, _)| variable == URL).unwrap();
    url.parse().unwrap()
}

pub(super) fn port_of(config: &Config) -> u16 {
    let [Host::Tcp(host)] = config.get_hosts() else {
        panic!("PostgreSQL has to listen on a TCP port");
    };
    assert!(
        ["127.0.0.1", "localhost"].contains(&host.as_str()),
        "{host}"
    );
    config.get_ports().first().copied().unwrap_or(5432)
}

/// A port that nobody listens on, and that no connection gets by chance.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(31) + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + u16::try_from(number % 12_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
