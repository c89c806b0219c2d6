//! A feed that cannot be read.

use bosa_auth_testkit::TestDatabase;
use futures_util::future::join;
use reqwest::Method;
use serde_json::json;

use super::address::{behind, port_of, server_of, world_on};
use super::forwarder::Forwarder;
use super::group::Group;
use super::node::{Node, VALID, until};
use super::session::Session;

/// What only the statement of the poll says.
const POLL: &str = "pg_postmaster_start_time";

/// Waits until a server says that it is stale, or that it is not; it is ready all the same.
async fn until_stale(node: &Node, stale: bool) {
    let is_so = async || {
        let ready = node.data(Method::GET, "/readyz", "", json!({})).await;
        ready["stale"] == stale
    };
    until("readiness", is_so).await;
    let expected = f64::from(u8::from(stale));
    let is_right = |value: f64| value.total_cmp(&expected).is_eq();
    node.until_metric("bosa_auth_stale", is_right).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_poll_hangs_says_so_and_reads_until_it_has_caught_up() {
    let db = TestDatabase::postgres().await;
    let world = world_on(&db);
    let line = Forwarder::to(port_of(&server_of(&world))).await;
    let cut_off = behind(&world, line.port());
    let mut group = Group::start(&[&world, &cut_off]).await;
    group.end_token(0).await;
    let (kept, ended) = (group.token().await, group.token().await);
    for credentials in [&kept, &ended] {
        group.remember(credentials).await;
    }

    line.hold(POLL);
    until_stale(&group.nodes[1], true).await;
    until_stale(&group.nodes[0], false).await;
    assert_eq!(group.nodes[1].verify(&kept).await, VALID);
    group.revoke(0, &ended).await;
    // At once, because it reads.
    assert_ne!(group.nodes[1].verify(&ended).await, VALID);
    assert_eq!(group.nodes[1].verify(&kept).await, VALID);
    // What it ends itself is seen by the other one as ever.
    group.end_token(1).await;

    line.release();
    until_stale(&group.nodes[1], false).await;
    assert_ne!(group.nodes[1].verify(&ended).await, VALID);
    assert_eq!(group.nodes[1].verify(&kept).await, VALID);
    group.end_token(0).await;
    group.nothing_returns().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_feed_is_locked_every_server_reads_and_nothing_is_ended_without_it() {
    let db = TestDatabase::postgres().await;
    let world = world_on(&db);
    let mut group = Group::start(&[&world, &world]).await;
    let (kept, ended) = (group.token().await, group.token().await);
    for credentials in [&kept, &ended] {
        group.remember(credentials).await;
    }
    let (holder, session) = (
        Session::open(&db.address()).await,
        Session::open(&db.address()).await,
    );
    holder.run(LOCK).await;
    for node in &group.nodes {
        until_stale(node, true).await;
        assert_eq!(node.verify(&kept).await, VALID);
    }
    let unlock = async {
        let waits = async || session.run(WAITS).await == ["1"];
        until("a revocation waits for the feed", waits).await;
        holder.run("rollback").await;
    };
    join(group.end_token(0), unlock).await;
    for node in &group.nodes {
        until_stale(node, false).await;
        assert_eq!(node.verify(&kept).await, VALID);
    }
    group.end_key(1).await;
    group.nothing_returns().await;
}

const LOCK: &str = "begin; lock table bosa_feed_head, bosa_changes in access exclusive mode";
const WAITS: &str = "select count(*) from pg_stat_activity where datname = current_database() \
    and wait_event_type = 'Lock' and query like 'update bosa_feed_head%'";
