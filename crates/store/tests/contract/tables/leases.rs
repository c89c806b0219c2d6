//! Leases end by the clock of the database, so that these tests give them no length, or hours.

use std::time::Duration;

use bosa_auth_core::{AuthStatus, IntegrationId};
use bosa_auth_store::{ClientTx, Lease, Store, StoreError, leases, params};
use bosa_auth_testkit::on_every_database;
use jiff::SignedDuration;

use super::connected::{connected, grant, holder};
use super::world::{Tenant, at, id, two_clients};

const HOURS: Duration = Duration::from_secs(9 * 3600);
const NOTHING: Duration = Duration::ZERO;
const CLEAN: Lease = Lease::Taken { sent_ago: None };

async fn take(store: &Store, tenant: &Tenant, by: u128, length: Duration) -> Lease {
    take_of(store, tenant, tenant.first, by, length).await
}

async fn take_of(
    store: &Store,
    tenant: &Tenant,
    account: IntegrationId,
    by: u128,
    length: Duration,
) -> Lease {
    let taken = write!(store, [tenant] tx => {
        ClientTx::new(tx, tenant.client).take_lease(account, holder(by), length).await
    });
    taken.unwrap()
}

async fn mark(store: &Store, tenant: &Tenant, by: u128) -> bool {
    let marked = write!(store, [tenant] tx => {
        ClientTx::new(tx, tenant.client).mark_sent(tenant.first, holder(by)).await
    });
    marked.unwrap()
}

async fn release(store: &Store, tenant: &Tenant, by: u128) {
    let released = write!(store, [tenant] tx => {
        ClientTx::new(tx, tenant.client).release_lease(tenant.first, holder(by)).await
    });
    assert_eq!(released, Ok(()));
}

async fn abandon(store: &Store, tenant: &Tenant, by: u128) {
    let abandoned = write!(store, [tenant] tx => {
        ClientTx::new(tx, tenant.client).abandon_lease(tenant.first, holder(by)).await
    });
    assert_eq!(abandoned, Ok(()));
}

fn is_held(lease: Lease) -> bool {
    matches!(lease, Lease::Held { .. })
}

fn was_sent(lease: Lease) -> bool {
    let Lease::Taken {
        sent_ago: Some(ago),
    } = lease
    else {
        return false;
    };
    assert!(ago < SignedDuration::from_hours(1), "{ago:?}");
    true
}

on_every_database! {
    async fn one_holder_has_a_lease_until_it_gives_it_back(db: TestDatabase) {
        let (_db, store, ours, theirs) = two_clients(db).await;
        assert_eq!(take(&store, &ours, 1, HOURS).await, CLEAN);
        let Lease::Held { remaining } = take(&store, &ours, 2, HOURS).await else { panic!() };
        assert!(remaining > SignedDuration::from_hours(8), "{remaining:?}");
        assert!(remaining <= SignedDuration::from_hours(9), "{remaining:?}");
        assert_eq!(take(&store, &ours, 1, HOURS).await, CLEAN, "its own holder has it");
        let other = take_of(&store, &ours, ours.second, 2, HOURS).await;
        assert_eq!(other, CLEAN, "another account has another lease");
        assert_eq!(take(&store, &theirs, 2, HOURS).await, CLEAN);
        release(&store, &ours, 2).await;
        assert!(is_held(take(&store, &ours, 2, HOURS).await), "it was not the other's to give");
        release(&store, &ours, 1).await;
        assert_eq!(take(&store, &ours, 2, HOURS).await, CLEAN);
    }

    async fn takers_at_once_get_one_lease(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        for round in 0..4 {
            let tasks: Vec<_> = (0..8)
                .map(|number| {
                    let (store, ours) = (store.clone(), ours.clone());
                    tokio::spawn(async move {
                        let by = 100 * round + number;
                        (by, take(&store, &ours, by, HOURS).await)
                    })
                })
                .collect();
            let mut holders = Vec::new();
            for task in tasks {
                match task.await.unwrap() {
                    (by, Lease::Taken { .. }) => holders.push(by),
                    (_, other) => assert!(is_held(other)),
                }
            }
            assert_eq!(holders.len(), 1);
            // The next round races for a row that is there and has ended.
            abandon(&store, &ours, holders[0]).await;
        }
    }

    async fn a_lease_that_has_ended_goes_to_the_next_one(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        assert_eq!(take(&store, &ours, 1, NOTHING).await, CLEAN);
        assert!(!mark(&store, &ours, 1).await, "nothing may be sent after the end");
        assert_eq!(take(&store, &ours, 2, HOURS).await, CLEAN);
        release(&store, &ours, 1).await;
        abandon(&store, &ours, 1).await;
        assert!(!mark(&store, &ours, 1).await);
        assert!(mark(&store, &ours, 2).await, "the late holder has taken nothing away");
    }

    async fn a_successor_learns_that_something_was_sent(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        take(&store, &ours, 1, HOURS).await;
        assert!(mark(&store, &ours, 1).await);
        abandon(&store, &ours, 1).await;
        assert!(was_sent(take(&store, &ours, 2, HOURS).await));
        // The successor sends once more and does not come back either.
        assert!(mark(&store, &ours, 2).await);
        abandon(&store, &ours, 2).await;
        assert!(was_sent(take(&store, &ours, 3, HOURS).await));
    }

    async fn a_mark_counts_from_the_first_holder_that_sent(db: TestDatabase) {
        let (db, store, ours, _) = two_clients(db).await;
        take(&store, &ours, 1, HOURS).await;
        assert!(mark(&store, &ours, 1).await);
        let done = db.db().write::<_, StoreError, _>(|tx| {
            Box::pin(async move { tx.execute(SENT_HOURS_AGO, params![]).await })
        }).await;
        assert_eq!(done, Ok(1));
        abandon(&store, &ours, 1).await;
        take(&store, &ours, 2, HOURS).await;
        assert!(mark(&store, &ours, 2).await);
        abandon(&store, &ours, 2).await;
        let Lease::Taken { sent_ago: Some(ago) } = take(&store, &ours, 3, HOURS).await else { panic!() };
        assert!(ago >= SignedDuration::from_hours(5), "{ago:?}");
        assert!(ago < SignedDuration::from_hours(6), "{ago:?}");
    }

    async fn what_was_not_sent_leaves_no_mark_but_that_of_another(db: TestDatabase) {
        let (_db, store, ours, _) = two_clients(db).await;
        take(&store, &ours, 1, HOURS).await;
        assert!(mark(&store, &ours, 1).await);
        // The connection was refused: the token has not left.
        release(&store, &ours, 1).await;
        assert_eq!(take(&store, &ours, 2, HOURS).await, CLEAN);
        assert!(mark(&store, &ours, 2).await);
        abandon(&store, &ours, 2).await;
        assert!(was_sent(take(&store, &ours, 3, HOURS).await));
        assert!(mark(&store, &ours, 3).await);
        release(&store, &ours, 3).await;
        assert!(was_sent(take(&store, &ours, 4, HOURS).await), "what the second one sent is open");
    }

    async fn a_lease_needs_an_account_and_goes_with_it(db: TestDatabase) {
        let (db, store, ours, _) = two_clients(db).await;
        assert_eq!(take_of(&store, &ours, id(0x4711), 1, HOURS).await, Lease::Gone);
        take(&store, &ours, 1, HOURS).await;
        let deleted = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).delete_integration(ours.user, "github", "first").await
        });
        assert!(deleted.unwrap().is_some());
        assert_eq!(take(&store, &ours, 1, HOURS).await, Lease::Gone);
        assert!(!mark(&store, &ours, 1).await);
        assert!(db.db().read(LEASES, params![]).await.unwrap().is_empty());
    }

    async fn accounts_whose_token_is_on_its_way_are_doubted_when_nobody_can_store_the_answer(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        take(&store, &ours, 1, HOURS).await;
        assert!(mark(&store, &ours, 1).await);
        take(&store, &theirs, 1, HOURS).await;
        assert_eq!(write!(store, [] tx => leases::doubt_sent(tx, at(5)).await), Ok(1));
        for (tenant, status, version) in
            [(&ours, AuthStatus::Unverified, 2), (&theirs, AuthStatus::Active, 1)]
        {
            let found = store.client(tenant.client).granted_integration(tenant.first).await;
            let row = found.unwrap().unwrap().integration;
            assert_eq!((row.auth_status, row.version), (status, version));
        }
        assert_eq!(write!(store, [] tx => leases::doubt_sent(tx, at(6)).await), Ok(0));
    }

    async fn tokens_from_elsewhere_end_a_lease_and_its_mark(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        take(&store, &ours, 1, HOURS).await;
        assert!(mark(&store, &ours, 1).await);
        let connected_again = write!(store, [ours] tx => {
            let grant = grant(&ours, ours.first, Some(true));
            ClientTx::new(tx, ours.client).put_grant(&grant).await
        });
        assert_eq!(connected_again, Ok(()));
        assert_eq!(take(&store, &ours, 2, HOURS).await, CLEAN);
        assert!(mark(&store, &ours, 2).await);
        let replaced = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).delete_grant_later(ours.first);
            Ok(())
        });
        assert_eq!(replaced, Ok(()));
        assert_eq!(take(&store, &ours, 3, HOURS).await, CLEAN);
    }
}

const LEASES: &str = "select 1 from bosa_refresh_leases";
const SENT_HOURS_AGO: &str = "update bosa_refresh_leases set sent_at = sent_at - 18000000000";
