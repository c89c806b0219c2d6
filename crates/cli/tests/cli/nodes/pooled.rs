//! A transaction pooler between the servers and PostgreSQL.

use bosa_auth_testkit::TestDatabase;

use super::address::{behind, server_of, world_on};
use super::group::Group;
use super::pooler::{CONNECTIONS_OF_THE_POOLER, Pooler};
use super::session::Session;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_behind_a_transaction_pooler_keep_the_bound_without_announcements() {
    let db = TestDatabase::postgres().await;
    let world = world_on(&db);
    let session = Session::open(&db.address()).await;
    let connections = async || -> usize { session.run(CONNECTIONS).await[0].parse().unwrap() };
    let before = connections().await;
    let pooler = Pooler::before(&server_of(&world)).await;
    let pooled = behind(&world, pooler.port());
    let mut group = Group::start(&[&pooled; 3]).await;
    for round in 0..3 {
        group.end_token(round).await;
        group.end_key(round).await;
    }
    group.nothing_returns().await;
    group.print_delays("behind a pooler the others went on for");
    // They were behind it: three servers have more connections of their own.
    assert!(connections().await <= before + CONNECTIONS_OF_THE_POOLER);
}

const CONNECTIONS: &str = "select count(*) from pg_stat_activity \
    where datname = current_database() and pid <> pg_backend_pid()";
