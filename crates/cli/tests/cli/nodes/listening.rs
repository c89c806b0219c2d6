//! Announcements that get lost.

use bosa_auth_testkit::TestDatabase;

use super::address::world_on;
use super::group::Group;
use super::node::until;
use super::session::Session;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_cut_off_from_announcements_keep_the_bound_and_listen_again() {
    let db = TestDatabase::postgres().await;
    let world = world_on(&db);
    let mut group = Group::start(&[&world; 3]).await;
    let session = Session::open(&db.address()).await;
    for cut in [CUT_LISTENERS, CUT_ALL] {
        let listen = async || session.run(LISTENERS).await == ["3"];
        until("three servers listen", listen).await;
        let cut = session.run(cut).await;
        assert!(cut.len() >= 3, "{cut:?}");
        group.end_token(0).await;
        group.end_key(1).await;
    }
    group.nothing_returns().await;
    group.print_delays("without announcements the others went on for");
}

const LISTENERS: &str = "select count(*) from pg_stat_activity \
    where datname = current_database() and query = 'listen bosa_auth_changes'";
const CUT_LISTENERS: &str = "select pg_terminate_backend(pid) from pg_stat_activity \
    where datname = current_database() and query = 'listen bosa_auth_changes'";
const CUT_ALL: &str = "select pg_terminate_backend(pid) from pg_stat_activity \
    where datname = current_database() and pid <> pg_backend_pid()";
