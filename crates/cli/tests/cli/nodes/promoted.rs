//! A standby without the last commits: asked by mistake, and taking over.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::address::{behind, world_at};
use super::cluster::Cluster;
use super::forwarder::Forwarder;
use super::group::{BOUND, Group};
use super::node::{Credentials, UNAVAILABLE, VALID, until};

/// A primary that the servers reach over a line that can be turned.
struct Primary {
    cluster: Cluster,
    line: Forwarder,
}

impl Primary {
    async fn start() -> (Self, Group) {
        let cluster = Cluster::start().await;
        let line = Forwarder::to(cluster.port()).await;
        let world = behind(&world_at(cluster.url()), line.port());
        let group = Group::start(&[&world, &world]).await;
        (Self { cluster, line }, group)
    }

    /// A standby that has everything until now and nothing that comes.
    async fn late_standby(&self) -> Cluster {
        let standby = self.cluster.standby().await;
        let (session, follower) = (self.cluster.session().await, standby.session().await);
        let end = session.run(END).await.remove(0);
        let reached = format!("select pg_last_wal_replay_lsn() >= '{end}'::pg_lsn");
        let has_followed = async || follower.run(&reached).await == ["t"];
        until("the standby follows", has_followed).await;
        follower.run(CUT).await;
        follower.run("select pg_reload_conf()").await;
        let is_alone = async || session.run(FOLLOWERS).await == ["0"];
        until("the standby is cut off", is_alone).await;
        standby
    }

    /// Has the standby take over; returns when nothing counts any more that was remembered before.
    async fn fail_over(&self, standby: &Cluster) {
        self.cluster.crash().await;
        let down = Instant::now();
        standby.promote().await;
        self.line.turn_to(standby.port());
        sleep_until(down + BOUND).await;
    }
}

/// Waits until every server accepts what the standby has; what it has not is never accepted.
async fn until_resumed(group: &Group, kept: &Credentials, lost: &[&Credentials]) {
    for node in &group.nodes {
        let serves = async || {
            for credentials in lost {
                assert_ne!(node.verify(credentials).await, VALID);
            }
            let said = node.verify(kept).await;
            assert!([VALID, UNAVAILABLE].contains(&said.as_str()), "{said}");
            said == VALID
        };
        until("service resumes", serves).await;
        let ready = async || {
            let (status, ready) = node.call(Method::GET, "/readyz", "", json!({})).await;
            status == 200 && ready["data"]["stale"] == false
        };
        until("readiness", ready).await;
        for credentials in lost {
            assert_ne!(node.verify(credentials).await, VALID);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_promotion_of_a_late_standby_only_what_it_holds_is_accepted() {
    let (primary, mut group) = Primary::start().await;
    group.end_token(0).await;
    let resumed = group.another_client("resumed").await;
    let suspended = group.another_client("suspended").await;
    let (kept, revoked) = (group.token().await, group.token().await);
    let all = [
        &kept,
        &revoked,
        &resumed.credentials,
        &suspended.credentials,
    ];
    for credentials in all {
        group.remember(credentials).await;
    }
    group.set_active(&resumed, false).await;
    let standby = primary.late_standby().await;

    let issued = group.token().await;
    group.set_active(&resumed, true).await;
    for credentials in [&issued, &resumed.credentials] {
        group.remember(credentials).await;
    }
    group.set_active(&suspended, false).await;
    group.revoke(0, &revoked).await;
    let ended = [&revoked, &suspended.credentials];
    for node in &group.nodes {
        join_all(ended.map(|credentials| node.last_acceptance(credentials))).await;
        assert_eq!(node.verify(&issued).await, VALID);
    }

    primary.fail_over(&standby).await;
    until_resumed(&group, &kept, &[&issued, &resumed.credentials]).await;
    for node in &group.nodes {
        assert_eq!(node.verify(&issued).await, "invalid_token");
        assert_eq!(node.verify(&resumed.credentials).await, "invalid_client");
        // The documented limit: nobody can know of a revocation that is lost.
        for credentials in ended {
            assert_eq!(node.verify(credentials).await, VALID);
        }
    }
    // What is ended from now on has ended.
    group.revoke(1, &revoked).await;
    group.set_active(&suspended, false).await;
    for node in &group.nodes {
        join_all(ended.map(|credentials| node.last_acceptance(credentials))).await;
    }
    group.end_key(1).await;
    group.nothing_returns().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_the_promoted_standby_never_had_is_refused_although_its_feed_is_whole() {
    let (primary, mut group) = Primary::start().await;
    let kept = group.token().await;
    group.remember(&kept).await;
    let standby = primary.late_standby().await;
    let session = standby.session().await;
    let feed = session.run(FEED).await;
    // Issuing writes nothing to the feed.
    let issued = group.token().await;
    group.remember(&issued).await;
    assert_eq!(primary.cluster.session().await.run(FEED).await, feed);

    primary.fail_over(&standby).await;
    until_resumed(&group, &kept, &[&issued]).await;
    group.end_token(0).await;
    group.nothing_returns().await;
}

/// As when a name leads to another server before that one has been promoted, or by mistake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_led_to_a_standby_answer_nothing_from_it_and_come_back() {
    let (primary, mut group) = Primary::start().await;
    let (kept, revoked) = (group.token().await, group.token().await);
    for credentials in [&kept, &revoked] {
        group.remember(credentials).await;
    }
    let standby = primary.late_standby().await;
    group.revoke(0, &revoked).await;
    primary.line.turn_to(standby.port());
    primary.cluster.session().await.run(END_OTHERS).await;
    sleep_until(Instant::now() + BOUND).await;
    for node in &group.nodes {
        for credentials in [&kept, &revoked] {
            assert_eq!(node.verify(credentials).await, UNAVAILABLE);
        }
    }
    primary.line.turn_to(primary.cluster.port());
    until_resumed(&group, &kept, &[&revoked]).await;
    group.end_token(0).await;
    group.nothing_returns().await;
}

const END: &str = "select pg_current_wal_flush_lsn()";
const END_OTHERS: &str = "select pg_terminate_backend(pid) from pg_stat_activity \
    where backend_type = 'client backend' and pid <> pg_backend_pid()";
const CUT: &str = "alter system set primary_conninfo = ''";
const FOLLOWERS: &str = "select count(*) from pg_stat_replication";
const FEED: &str =
    "select string_agg(seq::text || mark::text, ' ' order by part) from bosa_feed_head";
