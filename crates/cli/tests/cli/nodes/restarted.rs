//! A database that crashes under load.

use std::time::Duration;

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::address::world_at;
use super::cluster::Cluster;
use super::group::{BOUND, Group};
use super::node::{Credentials, Node, UNAVAILABLE, VALID, until};

/// Verifies all along; returns every answer with the moment in which its request was sent.
async fn verify_until(
    node: &Node,
    credentials: &Credentials,
    over: watch::Receiver<bool>,
) -> Vec<(Instant, String)> {
    let mut answers = Vec::new();
    while !*over.borrow() {
        let sent = Instant::now();
        answers.push((sent, node.verify(credentials).await));
        sleep(Duration::from_millis(2)).await;
    }
    answers
}

/// Issues and revokes all along; returns what was ended by an answer that says so.
async fn revoke_until(group: &Group, over: watch::Receiver<bool>) -> Vec<Credentials> {
    let mut ended = Vec::new();
    while !*over.borrow() {
        if let Some(credentials) = group.try_token().await {
            let body = json!({"token": credentials.token});
            let path = "/auth/tokens/revoke";
            let node = &group.nodes[1];
            let answer = node.call(Method::POST, path, &credentials.key, body);
            match answer.await {
                (200, _) => ended.push(credentials),
                (status, answer) => assert_eq!(status, 503, "{answer}"),
            }
        }
        sleep(Duration::from_millis(2)).await;
    }
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_database_under_load_is_said_and_survived_without_a_wrong_answer() {
    let cluster = Cluster::start().await;
    let world = world_at(cluster.url());
    let mut group = Group::start(&[&world, &world]).await;
    group.end_token(0).await;
    let (kept, ended) = (group.token().await, group.token().await);
    group.remember(&kept).await;
    group.revoke(0, &ended).await;

    let (over, is_over) = watch::channel(false);
    let crash = async {
        sleep(Duration::from_millis(200)).await;
        cluster.crash().await;
        let down = Instant::now();
        sleep_until(down + BOUND).await;
        for node in &group.nodes {
            let (status, ready) = node.call(Method::GET, "/readyz", "", json!({})).await;
            assert_eq!(status, 503, "{ready}");
        }
        sleep(Duration::from_millis(200)).await;
        let up = Instant::now();
        cluster.start_again().await;
        for node in &group.nodes {
            let serves = async || node.verify(&kept).await == VALID;
            until("service resumes", serves).await;
        }
        sleep(Duration::from_millis(200)).await;
        over.send_replace(true);
        (down, up)
    };
    let kept_load = group.nodes.iter();
    let kept_load = kept_load.map(|node| verify_until(node, &kept, is_over.clone()));
    let ended_load = group.nodes.iter();
    let ended_load = ended_load.map(|node| verify_until(node, &ended, is_over.clone()));
    let verified = join(join_all(kept_load), join_all(ended_load));
    let revoked = revoke_until(&group, is_over.clone());
    let ((kept_answers, ended_answers), (revoked, (down, up))) =
        join(verified, join(revoked, crash)).await;

    for answers in kept_answers {
        for (sent, said) in &answers {
            let from_nothing = *sent > down + BOUND && *sent < up;
            let allowed: &[&str] = match from_nothing {
                true => &[UNAVAILABLE],
                false => &[VALID, UNAVAILABLE],
            };
            assert!(allowed.contains(&said.as_str()), "{said}");
        }
        for expected in [VALID, UNAVAILABLE] {
            assert!(answers.iter().any(|(_, said)| said == expected));
        }
    }
    for (_, said) in ended_answers.iter().flatten() {
        assert!(
            ["revoked_token", UNAVAILABLE].contains(&said.as_str()),
            "{said}"
        );
    }
    assert!(!revoked.is_empty());
    sleep_until(Instant::now() + BOUND).await;
    for credentials in &revoked {
        for node in &group.nodes {
            assert_eq!(node.verify(credentials).await, "revoked_token");
        }
    }
    println!(
        "{} revocations were acknowledged around the crash",
        revoked.len()
    );
    group.end_token(1).await;
    group.end_key(0).await;
    group.nothing_returns().await;
}
