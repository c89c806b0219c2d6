//! What does not open stops nobody else, and what was begun is not forgotten.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bosa_auth::{Clock as _, RekeyEnd, RekeyOptions, Timestamp};
use bosa_auth_store::{ClientTx, StoreError, clients};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use super::cells::{Cell, execute};
use super::filled::Server;
use super::opened::{Opened, open_all, store};
use super::rekey::{assert_all_new, filled, rekey};
use crate::support::World;

const ANEW: RekeyOptions = RekeyOptions {
    rate: None,
    anew: true,
};

/// Every value but those named.
fn without(mut opened: Opened, names: &[&str]) -> Opened {
    for name in names {
        assert!(opened.values.remove(*name).is_some(), "{name}");
    }
    opened
}

async fn spoil(db: &TestDatabase, cell: &Cell) -> (Vec<u8>, bosa_auth_core::DataKeyId) {
    let good = cell.read(db).await;
    let mut sealed = good.0.clone();
    *sealed.last_mut().unwrap() ^= 1;
    cell.write(db, (sealed, good.1)).await;
    good
}

async fn keys_of(db: &TestDatabase, server: &Server) -> usize {
    store(db)
        .client(server.client)
        .data_keys()
        .await
        .unwrap()
        .len()
}

on_every_database! {
    async fn a_value_that_does_not_open_is_named_and_stops_nothing_else(db: TestDatabase) {
        let (world, servers) = filled(&db).await;
        let before = open_all(&db).await;
        let cell = Cell::refresh_token(&servers[0], "first").await;
        let good = spoil(&db, &cell).await;
        let report = rekey(&world.auth).await;
        assert_eq!((report.end, report.resealed), (RekeyEnd::KeysLeft, 12));
        assert_eq!(report.left, std::slice::from_ref(&cell.name));
        let left = (report.remaining.refresh_tokens, report.remaining.data_keys, report.remaining.values());
        assert_eq!(left, (1, 1, 1));
        let names = ["refresh acme github first"];
        let after = open_all(&db).await;
        assert_eq!(keys_of(&db, &servers[0]).await, 2);
        assert_eq!(keys_of(&db, &servers[1]).await, 1);
        assert_eq!(without(after, &names).values, without(open_all(&db).await, &names).values);

        let status = world.auth.operator().vault_status().await.unwrap();
        assert_eq!(status.data_keys.retiring, 1);
        let unfinished = status.rekey.unwrap();
        assert_eq!((unfinished.resealed, unfinished.remaining.values()), (12, 1));
        assert_eq!((unfinished.started_at, unfinished.started_by.as_str()), (report.started_at, "operator"));
        // Run again it says the same, and goes on once it is readable.
        let again = rekey(&world.auth).await;
        assert!(again.is_resumed && again.resealed == 0 && again.left == report.left);
        assert_eq!(again.started_at, report.started_at);
        cell.write(&db, good).await;
        let last = rekey(&world.auth).await;
        assert_eq!((last.end, last.is_resumed, last.resealed, last.keys_made), (RekeyEnd::Finished, true, 1, 0));
        assert_all_new(&before, &open_all(&db).await);
        assert_eq!(world.auth.operator().vault_status().await.unwrap().rekey, None);
    }

    async fn each_half_of_an_account_is_sealed_anew_without_the_other(db: TestDatabase) {
        let (world, servers) = filled(&db).await;
        let before = open_all(&db).await;
        let cell = Cell::credential(&servers[0], "first").await;
        let good = spoil(&db, &cell).await;
        let report = rekey(&world.auth).await;
        assert_eq!((report.resealed, report.left), (12, vec![cell.name.clone()]));
        let (_, token_key) = Cell::refresh_token(&servers[0], "first").await.read(&db).await;
        assert_ne!(token_key, good.1);
        cell.write(&db, good).await;
        assert_eq!(rekey(&world.auth).await.end, RekeyEnd::Finished);
        assert_all_new(&before, &open_all(&db).await);
    }

    async fn a_key_that_does_not_open_stays_until_nothing_is_under_it(db: TestDatabase) {
        let (world, servers) = filled(&db).await;
        let client = servers[0].client;
        let key = store(&db).client(client).active_data_key().await.unwrap().unwrap();
        let sql = "update bosa_data_keys set sealed = $2 where client_id = $1";
        execute(&db, sql, vec![client.into(), vec![1; 73].into()]).await;
        let report = rekey(&world.auth).await;
        assert_eq!(report.left, [format!("data key {}, client {client}, with 6 under it", key.id)]);
        assert_eq!((report.end, report.resealed, keys_of(&db, &servers[1]).await), (RekeyEnd::KeysLeft, 7, 1));
        // New values come under the new key, and the old one goes with the last of its values.
        let mut server = servers.into_iter().next().unwrap();
        server.learn().await;
        assert!(server.connect("new", "access", Some("refresh")).await);
        let operator = world.auth.operator();
        operator.tenant(client).await.unwrap().delete_user(server.user).await.unwrap();
        assert!(server.set_secret("github", "another").await);
        let last = rekey(&world.auth).await;
        assert_eq!((last.end, last.keys_removed, last.left), (RekeyEnd::Finished, 1, vec![]));
    }

    async fn an_unfinished_replacement_hides_no_key_from_one_that_begins_anew(db: TestDatabase) {
        let (world, servers) = filled(&db).await;
        let cell = Cell::secret(&servers[0]);
        spoil(&db, &cell).await;
        assert_eq!(rekey(&world.auth).await.left, std::slice::from_ref(&cell.name));
        world.clock.advance(Duration::from_secs(3600));
        let made_since = open_all(&db).await;
        // Going on leaves alone what was made since it began: it is said when that was.
        let resumed = rekey(&world.auth).await;
        assert!(resumed.is_resumed && resumed.started_at < world.clock.now());
        let ids = |opened: &Opened| opened.keys.iter().map(|key| key.id).collect::<Vec<_>>();
        assert_eq!(ids(&open_all(&db).await), ids(&made_since));

        let anew = world.auth.operator().vault_rekey(ANEW, |_| ()).await.unwrap();
        assert_eq!((anew.end, anew.is_resumed, anew.left), (RekeyEnd::KeysLeft, false, vec![cell.name.clone()]));
        assert_eq!((anew.started_at, anew.resealed), (world.clock.now(), 12));
        // Each of the others has one key, made now; the spoiled value keeps the oldest of its client.
        let after = open_all(&db).await;
        let old: Vec<_> = after.keys.iter().filter(|key| key.created_at < anew.started_at).collect();
        assert_eq!((after.keys.len(), old.len()), (4, 1));
        assert_eq!(old[0].id, cell.read(&db).await.1);
        let tenant = world.auth.operator().tenant(servers[0].client).await.unwrap();
        tenant.unset_connector_settings("github").await.unwrap();
        assert_eq!(rekey(&world.auth).await.end, RekeyEnd::Finished);
        assert_eq!(open_all(&db).await.keys.len(), 3);
    }

    async fn keys_of_processes_whose_clock_is_ahead_are_replaced_too(db: TestDatabase) {
        let (world, _) = filled(&db).await;
        let before = open_all(&db).await;
        let later = "2040-01-01T00:00:00Z".parse::<Timestamp>().unwrap();
        for sql in [
            "update bosa_data_keys set created_at = $1 where id = (select id from bosa_data_keys order by id limit 1)",
            "update bosa_connector_keys set created_at = $1",
        ] {
            execute(&db, sql, vec![later.into()]).await;
        }
        let report = rekey(&world.auth).await;
        assert_eq!((report.end, report.keys_removed), (RekeyEnd::Finished, 3));
        assert!(report.started_at > later);
        let after = open_all(&db).await;
        assert_eq!(after.values, before.values);
        assert!(after.keys.iter().all(|key| key.created_at > later));
        assert_eq!(rekey(&world.auth).await.keys_removed, 3);
    }

    async fn a_client_that_is_being_deleted_is_left_alone(db: TestDatabase) {
        let (world, servers) = filled(&db).await;
        let (client, at) = (servers[0].client, world.clock.now());
        let store = store(&db);
        let begun = store.write::<_, StoreError, _>(move |tx| {
            Box::pin(async move {
                clients::begin_deletion(tx, client, at).await?;
                ClientTx::new(tx, client).wipe_data_keys(&[0; 73]).await
            })
        });
        begun.await.unwrap();
        let keys = store.client(client).data_keys().await.unwrap();
        let report = rekey(&world.auth).await;
        assert_eq!((report.end, report.resealed, report.left), (RekeyEnd::Finished, 7, vec![]));
        assert_eq!(store.client(client).data_keys().await.unwrap(), keys);
        assert!(world.auth.operator().vault_verify(|_| ()).await.unwrap().unreadable.is_empty());
    }

    async fn a_rate_holds_on_the_injected_clock(db: TestDatabase) {
        let (world, _) = filled(&db).await;
        let before = open_all(&db).await;
        let sealed = Arc::new(AtomicU64::new(0));
        let (seen, auth) = (sealed.clone(), world.auth.clone());
        let run = tokio::spawn(async move {
            let options = RekeyOptions { rate: NonZeroU32::new(1), anew: false };
            let progress = move |step: bosa_auth::RekeyProgress| seen.store(step.resealed, Ordering::SeqCst);
            auth.operator().vault_rekey(options, progress).await.unwrap()
        });
        let mut seconds = 0;
        while !run.is_finished() {
            // One batch goes at once, and an account has up to two values.
            let most = seconds + 2;
            assert!(sealed.load(Ordering::SeqCst) <= most, "{seconds}");
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(sealed.load(Ordering::SeqCst) <= most, "{seconds}");
            world.clock.advance(Duration::from_secs(1));
            seconds += 1;
        }
        assert_eq!(run.await.unwrap().resealed, 13);
        assert!(seconds >= 11, "{seconds}");
        assert_all_new(&before, &open_all(&db).await);
    }

    async fn a_client_that_is_deleted_meanwhile_is_gone_with_every_key(db: TestDatabase) {
        let world = World::new(&db).await;
        for round in 0..8 {
            let client = world.client(&format!("client {round}")).await;
            let user = world.user(&client, "ana").await.id;
            let mut server = Server::new(&db, client.model.id, user).await;
            for account in ["a", "b", "c", "d"] {
                assert!(server.connect(account, "access", Some("refresh")).await);
            }
            let (deleting, id) = (world.auth.clone(), client.model.id);
            let deleted = tokio::spawn(async move {
                for _ in 0..round * 3 {
                    tokio::task::yield_now().await;
                }
                deleting.operator().delete_client(id).await.unwrap();
            });
            let report = rekey(&world.auth).await;
            deleted.await.unwrap();
            assert_eq!((report.end, report.left), (RekeyEnd::Finished, vec![]), "{round}");
            assert_eq!(keys_of(&db, &server).await, 0);
        }
        assert_eq!(rekey(&world.auth).await.keys_made, 0);
    }

    async fn each_run_is_on_record(db: TestDatabase) {
        let (world, servers) = filled(&db).await;
        let cell = Cell::secret(&servers[0]);
        let good = spoil(&db, &cell).await;
        rekey(&world.auth).await;
        cell.write(&db, good).await;
        world.clock.advance(Duration::from_secs(1));
        rekey(&world.auth).await;
        world.clock.advance(Duration::from_secs(1));
        world.auth.operator().vault_wrap().await.unwrap();
        let sql = "select detail from bosa_audit_events where action = 'vault.rekey' and actor_kind = 'operator' \
            order by id";
        let rows = db.db().read(sql, vec![]).await.unwrap();
        let details: Vec<String> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        let kinds = ["begins", "resumes", "finishes", "wraps_under"];
        assert_eq!(details.len(), kinds.len(), "{details:?}");
        // Two of them are of one moment.
        for kind in kinds {
            assert_eq!(details.iter().filter(|detail| detail.contains(kind)).count(), 1, "{details:?}");
        }
    }
}
