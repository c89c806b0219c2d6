//! Another file under the name of the database.

use bosa_auth_testkit::TestDatabase;
use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::group::{BOUND, Group};
use super::node::UNAVAILABLE;
use crate::support::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_whose_file_was_replaced_answer_nothing_from_either_file() {
    let db = TestDatabase::sqlite().await;
    let mut world = World::on(&db);
    world.set("BOSA_AUTH_METRICS_LISTEN", "127.0.0.1:0");
    let group = Group::start(&[&world, &world]).await;
    let credentials = group.token().await;
    group.remember(&credentials).await;

    let file = |db: &TestDatabase| db.directory().unwrap().join("auth.db");
    let another = TestDatabase::sqlite().await;
    drop(World::initialized(&another));
    std::fs::rename(file(&another), file(&db)).unwrap();
    let replaced = Instant::now();
    sleep_until(replaced + BOUND).await;
    for node in &group.nodes {
        assert_eq!(node.verify(&credentials).await, UNAVAILABLE);
        let (status, ready) = node.call(Method::GET, "/readyz", "", json!({})).await;
        assert_eq!(status, 503, "{ready}");
    }
    for node in group.nodes {
        let log = node.server.log_until_stopped();
        assert!(log.contains("replaced or removed"), "{log}");
    }
}
