//! The bound in ordinary life.

use std::time::Duration;

use bosa_auth_testkit::on_every_database;

use super::group::Group;
use crate::support::World;

const ROUNDS: usize = 3;

on_every_database! {
    async fn what_one_server_has_ended_is_refused_by_all_within_the_bound(db: TestDatabase) {
        let servers = if db.url().is_sqlite() { 2 } else { 3 };
        for bound in [1000, 200] {
            let mut world = World::on(&db);
            world.set("BOSA_AUTH_METRICS_LISTEN", "127.0.0.1:0");
            world.set("BOSA_AUTH_STALENESS_MS", &bound.to_string());
            let group = Group::start(&vec![&world; servers]).await;
            let mut group = group.bound_by(Duration::from_millis(bound));
            for round in 0..ROUNDS {
                group.end_token(round % servers).await;
                group.end_key(round % servers).await;
            }
            group.nothing_returns().await;
            group.print_delays(&format!("with a bound of {bound} ms the others went on for"));
        }
    }
}
