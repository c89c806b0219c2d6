//! A process that sleeps while the others work.

use std::time::Duration;

use bosa_auth_testkit::TestDatabase;
use futures_util::future::join;
use tokio::time::{Instant, sleep_until};

use super::address::{with, world_on};
use super::group::Group;
use super::node::VALID;
use super::session::Session;

const BOUND: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_slept_past_the_bound_and_the_pruned_feed_wakes_with_a_refusal() {
    let db = TestDatabase::postgres().await;
    let world = with(&world_on(&db), "BOSA_AUTH_STALENESS_MS", "200");
    let mut group = Group::start(&[&world, &world]).await.bound_by(BOUND);
    let session = Session::open(&db.address()).await;
    for round in 1..=4 {
        let ended = group.token().await;
        group.remember(&ended).await;
        let asleep = &group.nodes[1];
        let sleep = async {
            asleep.server.signal("STOP");
            group.revoke(0, &ended).await;
            let answered = Instant::now();
            // The newest change stays: another one has to follow for this one to be pruned.
            group.revoke(0, &group.token().await).await;
            assert_eq!(session.run(PRUNE).await, ["1"]);
            sleep_until(answered + BOUND).await;
            // Sent while it sleeps.
            let wake = async { asleep.server.signal("CONT") };
            let (said, ()) = join(asleep.verify(&ended), wake).await;
            assert_ne!(said, VALID);
            answered
        };
        // One more connection is in the middle of a request, wherever that is.
        let (accepted, answered) = join(asleep.last_acceptance(&ended), sleep).await;
        let accepted = accepted.map(|last| last.saturating_duration_since(answered));
        assert!(accepted.is_none_or(|delay| delay <= BOUND), "{accepted:?}");
        let name = "bosa_auth_feed_restarts_total";
        asleep
            .until_metric(name, |count| count >= f64::from(round))
            .await;
    }
    group.end_token(0).await;
    group.nothing_returns().await;
}

/// As pruning leaves the feed.
const PRUNE: &str = "delete from bosa_changes c using bosa_feed_head h \
    where c.part = h.part and c.seq < h.seq; \
    select max(count) from (select count(*) from bosa_changes group by part) of_part";
