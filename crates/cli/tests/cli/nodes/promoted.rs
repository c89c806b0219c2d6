//! A standby that takes over without the last commits.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::address::{behind, world_at};
use super::cluster::Cluster;
use super::forwarder::Forwarder;
use super::group::{BOUND, Group};
use super::node::{UNAVAILABLE, VALID, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_promotion_of_a_late_standby_only_what_it_holds_is_accepted() {
    let primary = Cluster::start().await;
    let line = Forwarder::to(primary.port()).await;
    let world = behind(&world_at(primary.url()), line.port());
    let mut group = Group::start(&[&world, &world]).await;
    group.end_token(0).await;
    let resumed = group.another_client("resumed").await;
    let suspended = group.another_client("suspended").await;
    let (kept, revoked) = (group.token().await, group.token().await);
    for credentials in [
        &kept,
        &revoked,
        &resumed.credentials,
        &suspended.credentials,
    ] {
        group.remember(credentials).await;
    }
    group.set_active(&resumed, false).await;

    let standby = primary.standby().await;
    let follower = standby.session().await;
    let session = primary.session().await;
    let end = session
        .run("select pg_current_wal_flush_lsn()")
        .await
        .remove(0);
    let reached = format!("select pg_last_wal_replay_lsn() >= '{end}'::pg_lsn");
    let has_followed = async || follower.run(&reached).await == ["t"];
    until("the standby follows", has_followed).await;
    follower.run(CUT).await;
    follower.run("select pg_reload_conf()").await;
    let is_alone = async || session.run(FOLLOWERS).await == ["0"];
    until("the standby is cut off", is_alone).await;

    // Commits that the standby will never have.
    let lost = group.token().await;
    group.set_active(&resumed, true).await;
    for credentials in [&lost, &resumed.credentials] {
        group.remember(credentials).await;
    }
    group.set_active(&suspended, false).await;
    group.revoke(0, &revoked).await;
    let refused = [&revoked, &suspended.credentials];
    for node in &group.nodes {
        join_all(refused.map(|credentials| node.last_acceptance(credentials))).await;
        assert_eq!(node.verify(&lost).await, VALID);
    }

    primary.crash().await;
    let down = Instant::now();
    standby.promote().await;
    line.turn_to(standby.port());
    // From here on nothing that is remembered counts any more.
    sleep_until(down + BOUND).await;
    for node in &group.nodes {
        let serves = async || {
            for credentials in [&lost, &resumed.credentials] {
                assert_ne!(node.verify(credentials).await, VALID);
            }
            let said = node.verify(&kept).await;
            assert!([VALID, UNAVAILABLE].contains(&said.as_str()), "{said}");
            said == VALID
        };
        until("service resumes", serves).await;
        let ready = async || {
            let (status, ready) = node.call(Method::GET, "/readyz", "", json!({})).await;
            status == 200 && ready["data"]["stale"] == false
        };
        until("readiness", ready).await;
        assert_eq!(node.verify(&lost).await, "invalid_token");
        assert_eq!(node.verify(&resumed.credentials).await, "invalid_client");
        // The documented limit: nobody can know of a revocation that is lost.
        for credentials in refused {
            assert_eq!(node.verify(credentials).await, VALID);
        }
    }
    // What is ended from now on has ended.
    group.revoke(1, &revoked).await;
    group.set_active(&suspended, false).await;
    for node in &group.nodes {
        join_all(refused.map(|credentials| node.last_acceptance(credentials))).await;
    }
    group.end_key(1).await;
    group.nothing_returns().await;
}

const CUT: &str = "alter system set primary_conninfo = ''";
const FOLLOWERS: &str = "select count(*) from pg_stat_replication";
