//! A wall clock that is moved while a server runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bosa_auth_testkit::on_every_database;
use futures_util::future::{Either, select};
use reqwest::Method;
use serde_json::json;
use tokio::time::sleep;

use super::address::{with, world_on};
use super::group::Group;
use super::node::until;
use crate::support::World;

const HOUR: i64 = 3600;

/// The wall clock of the servers that are started with it; it can be moved under them.
struct WallClock {
    world: World,
    offset: PathBuf,
}

impl WallClock {
    fn of(world: &World) -> Self {
        let offset = world.path().join("offset");
        let mut other = with(world, "LD_PRELOAD", &library());
        other.set("FAKETIME_TIMESTAMP_FILE", &offset.display().to_string());
        other.set("FAKETIME_NO_CACHE", "1");
        // The clocks that only run stay as they are.
        other.set("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        let clock = Self {
            world: other,
            offset,
        };
        clock.move_to(0);
        clock
    }

    /// Moves the clock so many seconds away from the right time.
    fn move_to(&self, seconds: i64) {
        let next = self.offset.with_extension("next");
        std::fs::write(&next, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(next, &self.offset).unwrap();
    }
}

/// What stands between a program and its clock.
fn library() -> String {
    let name = "faketime/libfaketimeMT.so.1";
    let below = |directory: &str| {
        let inside = std::fs::read_dir(directory).into_iter().flatten().flatten();
        inside
            .map(|entry| entry.path().join(name))
            .collect::<Vec<_>>()
    };
    let mut paths = below("/usr/lib");
    paths.extend(
        ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(|path| Path::new(path).join(name)),
    );
    match paths.iter().find(|path| path.exists()) {
        Some(path) => path.display().to_string(),
        None => panic!("libfaketime is missing (Debian: apt-get install faketime)"),
    }
}

/// How many seconds the clock of the second server is ahead of that of the first one.
async fn ahead(group: &Group) -> i64 {
    let mut ends = Vec::new();
    for node in &group.nodes {
        let path = format!("/users/{}/tokens", group.user);
        let token = node.data(Method::POST, &path, &group.key, json!({})).await;
        ends.push(token["expires_at"].as_i64().unwrap());
    }
    ends[1] - ends[0]
}

on_every_database! {
    async fn a_server_whose_wall_clock_is_moved_keeps_the_bound(db: TestDatabase) {
        let world = world_on(&db);
        let clock = WallClock::of(&world);
        let mut group = Group::start(&[&world, &clock.world]).await;
        for offset in [HOUR, -HOUR, 0] {
            clock.move_to(offset);
            let is_moved = async || (ahead(&group).await - offset).abs() < 60;
            until("the clock is moved", is_moved).await;
            group.end_token(0).await;
            group.end_key(1).await;
        }
        // All the time, back and forth.
        let moves = async {
            for number in 0.. {
                clock.move_to([HOUR, 2, -HOUR, 0, -2][number % 5]);
                sleep(Duration::from_millis(20)).await;
            }
        };
        let ends = async {
            for _ in 0..3 {
                group.end_token(0).await;
            }
        };
        match select(Box::pin(ends), Box::pin(moves)).await {
            Either::Left(_) => {}
            Either::Right(_) => unreachable!("the clock moves on and on"),
        }
        clock.move_to(0);
        group.nothing_returns().await;
        group.print_delays("with a moving clock the others went on for");
    }
}
