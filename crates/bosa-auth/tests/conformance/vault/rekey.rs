//! `vault rekey`: everything comes under new keys, and nothing is lost.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bosa_auth::{Auth, Clock as _, RekeyEnd, RekeyOptions, RekeyReport, ThirdPartyIntegrationAuth};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use super::filled::{Server, new_id, set_shared_secret};
use super::opened::{Opened, open_all};
use crate::support::World;

/// Two clients with two accounts each that were connected, one that was stored, a secret and a
/// connection that was begun; and a secret of the deployment.
pub(crate) async fn filled(db: &TestDatabase) -> (World, Vec<Server>) {
    filled_with(db, &[]).await
}

pub(crate) async fn filled_with(
    db: &TestDatabase,
    settings: &[(&'static str, &str)],
) -> (World, Vec<Server>) {
    let world = World::with(db, settings).await;
    let mut servers = Vec::new();
    for name in ["acme", "foreign"] {
        let client = world.client(name).await;
        let user = world.user(&client, "ana").await.id;
        let mut server = Server::new(db, client.model.id, user).await;
        assert!(server.connect("first", "access 1", Some("refresh 1")).await);
        assert!(server.connect("second", "access 2", None).await);
        assert!(server.set_secret("github", "secret of acme's app").await);
        assert!(server.depart(new_id(), "verifier").await);
        let stored = ThirdPartyIntegrationAuth::new(
            client.model.id,
            user,
            "slack",
            "third",
            "stored 3".into(),
            vec![],
        );
        world
            .auth
            .third_party_integration_service()
            .create_integration(stored)
            .await
            .unwrap();
        servers.push(server);
    }
    set_shared_secret(db, "slack", "secret of the deployment's app").await;
    world.clock.advance(Duration::from_secs(60));
    (world, servers)
}

pub(crate) async fn rekey(auth: &Auth) -> RekeyReport {
    auth.operator()
        .vault_rekey(RekeyOptions::default(), |_| ())
        .await
        .unwrap()
}

/// Polls a future so many times and then drops it, unless it has ended.
async fn stopped_after<F: Future>(polls: u32, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(move |context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

pub(crate) fn assert_all_new(before: &Opened, after: &Opened) {
    assert_eq!(after.values, before.values, "every value is what it was");
    assert_eq!(after.keys.len(), before.keys.len());
    let old: Vec<_> = before.keys.iter().map(|key| key.id).collect();
    assert!(
        after
            .keys
            .iter()
            .all(|key| key.is_active && !old.contains(&key.id))
    );
    assert!(after.oldest_key() > before.keys.iter().map(|key| key.created_at).max().unwrap());
}

on_every_database! {
    async fn everything_comes_under_new_keys_and_stays_what_it_was(db: TestDatabase) {
        let (world, _) = filled(&db).await;
        let before = open_all(&db).await;
        assert_eq!((before.values.len(), before.keys.len()), (13, 3));
        let mut steps = Vec::new();
        let progress = |step| steps.push(step);
        let report = world.auth.operator().vault_rekey(RekeyOptions::default(), progress).await.unwrap();
        assert_all_new(&before, &open_all(&db).await);
        assert_eq!(report.end, RekeyEnd::Finished);
        assert_eq!((report.resealed, report.keys_made, report.keys_removed), (13, 3, 3));
        assert_eq!((report.is_resumed, report.left.len(), report.remaining.values()), (false, 0, 0));
        assert_eq!(report.started_at, world.clock.now());
        assert!(steps.iter().all(|step: &bosa_auth::RekeyProgress| step.total == 13));
        assert_eq!((steps[0].resealed, steps.last().unwrap().resealed), (0, 13));
        assert!(world.auth.operator().vault_verify(|_| ()).await.unwrap().unreadable.is_empty());
        // Once more, in the same moment: what is new is old by then.
        let before = open_all(&db).await;
        assert_eq!(rekey(&world.auth).await.resealed, 13);
        assert_all_new(&before, &open_all(&db).await);
    }

    async fn a_run_that_is_stopped_at_any_point_is_gone_on_with(db: TestDatabase) {
        let (world, _) = filled(&db).await;
        let (mut before, mut stops, mut resumed) = (open_all(&db).await, 0, 0);
        for round in 0..12 {
            let mut polls = round;
            let report = loop {
                let operator = world.auth.operator();
                let run = operator.vault_rekey(RekeyOptions::default(), |_| ());
                if let Some(report) = stopped_after(polls, run).await {
                    break report.unwrap();
                }
                stops += 1;
                polls += 1;
                assert_eq!(open_all(&db).await.values, before.values);
                world.clock.advance(Duration::from_secs(1));
            };
            assert_eq!((report.end, report.left.len()), (RekeyEnd::Finished, 0));
            resumed += u32::from(report.is_resumed);
            let after = open_all(&db).await;
            assert_all_new(&before, &after);
            before = after;
        }
        assert!(stops > 20 && resumed > 0, "{stops} {resumed}");
    }
}
