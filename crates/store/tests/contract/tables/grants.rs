use std::time::Duration;

use bosa_auth_core::AuthStatus;
use bosa_auth_store::{
    AccountPlace, ClientTx, GrantRow, GrantWithKey, IntegrationRow, IntegrationWithGrant, Lease,
    NeedsReauth, Opaque, PageQuery, Refreshed, Sealed, Store, StoreError, grants, params,
};
use bosa_auth_testkit::on_every_database;

use super::connected::{WAITING, completion, connected, grant, holder, own, sealed, sealed_under};
use super::world::{Tenant, account, at, data_key, id};

const HOURS: Duration = Duration::from_secs(9 * 3600);

fn refreshed(tenant: &Tenant, version: i64, refresh_token: Option<Sealed>) -> Refreshed {
    Refreshed {
        version,
        auth_scopes: r#"["repo"]"#.to_owned(),
        access_token: sealed(tenant, 0x71),
        refresh_token,
        expires_at: at(7200),
        next_refresh_at: Some(at(6600)),
        at: at(3600),
    }
}

async fn store_refreshed(
    store: &Store,
    tenant: &Tenant,
    answer: Refreshed,
) -> Result<Option<IntegrationRow>, StoreError> {
    write!(store, [tenant, answer] tx => {
        ClientTx::new(tx, tenant.client).store_refreshed(tenant.first, holder(1), &answer).await
    })
}

async fn take(store: &Store, tenant: &Tenant, by: u128) -> Lease {
    let taken = write!(store, [tenant] tx => {
        ClientTx::new(tx, tenant.client).take_lease(tenant.first, holder(by), HOURS).await
    });
    taken.unwrap()
}

async fn first(store: &Store, tenant: &Tenant) -> (IntegrationRow, GrantRow) {
    let found = store
        .client(tenant.client)
        .granted_integration(tenant.first)
        .await;
    let found = found.unwrap().unwrap();
    (found.integration, found.grant.unwrap().row)
}

fn need() -> NeedsReauth {
    NeedsReauth {
        reason: "the provider refused: invalid_grant".to_owned(),
        at: at(50),
    }
}

on_every_database! {
    async fn an_account_comes_back_with_its_grant_in_one_read(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let mut scope = store.client(ours.client);
        let found = scope.default_granted_integration(ours.user, "github").await.unwrap().unwrap();
        let selected = IntegrationRow { selected: true, ..account(&ours, ours.first, "first") };
        assert_eq!(found.integration, selected);
        assert_eq!(found.key, data_key(ours.data_key));
        let expected = GrantWithKey {
            row: grant(&ours, ours.first, Some(true)),
            key: Some(data_key(ours.data_key)),
        };
        assert_eq!(found.grant, Some(expected));
        assert_eq!(scope.granted_integration(ours.first).await, Ok(Some(found)));
        let second = scope.named_granted_integration(ours.user, "github", "second").await;
        let second = second.unwrap().unwrap();
        assert_eq!(second.grant.unwrap().row, grant(&ours, ours.second, Some(false)));
        let waiting = scope.named_granted_integration(ours.user, "github", "waiting").await;
        let waiting = waiting.unwrap().unwrap().grant.unwrap();
        assert_eq!(waiting.row.completion, Some(completion(&ours, WAITING)));
        assert_eq!((waiting.row.refresh_token, waiting.key), (None, None));
        let removed = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).delete_grant_later(ours.first);
            Ok(())
        });
        assert_eq!(removed, Ok(()));
        let plain = scope.default_granted_integration(ours.user, "github").await.unwrap().unwrap();
        assert_eq!(plain.grant, None);
        assert_eq!(scope.default_granted_integration(ours.user, "slack").await, Ok(None));
    }

    async fn a_grant_replaces_the_one_before(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let other = GrantRow {
            oauth_client_id: "other".to_owned(),
            expires_at: at(1),
            refreshed_at: Some(at(2)),
            needs_reauth: Some(need()),
            completion: Some(completion(&ours, 0x4711)),
            ..grant(&ours, ours.first, None)
        };
        let put = write!(store, [ours, other] tx => {
            ClientTx::new(tx, ours.client).put_grant(&other).await
        });
        assert_eq!(put, Ok(()));
        assert_eq!(first(&store, &ours).await.1, other);
    }

    async fn a_grant_belongs_to_an_account_and_a_key_of_its_client(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        let mut foreign_key = grant(&ours, ours.first, Some(true));
        foreign_key.refresh_token.as_mut().unwrap().sealed.key_id = theirs.data_key;
        for bad in [grant(&ours, theirs.first, Some(true)), grant(&ours, id(0x4711), None), foreign_key] {
            let put = write!(store, [ours, bad] tx => {
                ClientTx::new(tx, ours.client).put_grant(&bad).await
            });
            assert_eq!(put, Err(StoreError::ForeignKey));
        }
    }

    async fn a_refreshed_account_has_both_tokens_and_no_lease(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        assert_eq!(take(&store, &ours, 1).await, Lease::Taken { sent_ago: None });
        let next = sealed(&ours, 0x72);
        let stored = store_refreshed(&store, &ours, refreshed(&ours, 1, Some(next.clone()))).await;
        let (row, grant) = first(&store, &ours).await;
        assert_eq!(stored, Ok(Some(row.clone())));
        assert_eq!((row.version, row.updated_at, row.auth_status), (2, at(3600), AuthStatus::Active));
        assert_eq!((&row.sealed[..], row.auth_scopes.as_str()), (&[0x71][..], r#"["repo"]"#));
        assert_eq!(grant.refresh_token.unwrap().sealed, next);
        assert_eq!((grant.expires_at, grant.refreshed_at), (at(7200), Some(at(3600))));
        assert_eq!(grant.next_refresh_at, Some(at(6600)));
        assert_eq!(take(&store, &ours, 2).await, Lease::Taken { sent_ago: None });
        let kept = store_refreshed(&store, &ours, refreshed(&ours, 2, None)).await;
        assert!(kept.unwrap().is_some());
        let (_, grant) = first(&store, &ours).await;
        assert_eq!(grant.refresh_token.unwrap().sealed, next, "it stays when no other one came");
        let held = take(&store, &ours, 3).await;
        assert!(matches!(held, Lease::Held { .. }), "another holder's lease stays");
    }

    async fn an_answer_that_comes_too_late_changes_nothing(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let before = first(&store, &ours).await;
        take(&store, &ours, 1).await;
        for version in [0, 2] {
            let answer = refreshed(&ours, version, Some(sealed(&ours, 0x72)));
            assert_eq!(store_refreshed(&store, &ours, answer).await, Ok(None));
        }
        assert_eq!(first(&store, &ours).await, before);
        let held = take(&store, &ours, 2).await;
        assert!(matches!(held, Lease::Held { .. }), "the holder still decides what becomes of it");
        let gone = Refreshed { access_token: sealed_under(id(0x4711), 1), ..refreshed(&ours, 1, None) };
        let refused = store_refreshed(&store, &ours, gone).await;
        assert_eq!(refused, Err(StoreError::ForeignKey), "its data key was replaced");
        assert_eq!(first(&store, &ours).await, before);
    }

    async fn answers_stored_at_once_from_one_version_are_one(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let tasks: Vec<_> = (0..6)
            .map(|byte| {
                let (store, ours) = (store.clone(), ours.clone());
                tokio::spawn(async move {
                    let token = sealed(&ours, byte);
                    let answer = Refreshed { access_token: token.clone(), ..refreshed(&ours, 1, Some(token)) };
                    store_refreshed(&store, &ours, answer).await.unwrap().is_some()
                })
            })
            .collect();
        let mut stored = 0;
        for task in tasks {
            stored += usize::from(task.await.unwrap());
        }
        assert_eq!(stored, 1);
        let (row, grant) = first(&store, &ours).await;
        assert_eq!(row.version, 2);
        assert_eq!(row.sealed, grant.refresh_token.unwrap().sealed.bytes, "both are of one answer");
    }

    async fn an_account_that_needs_its_user_says_why_and_since_when(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        take(&store, &ours, 1).await;
        let outcomes = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            let stale = scope.set_needs_reauth(ours.first, 2, &need(), Some(holder(1))).await?;
            let done = scope.set_needs_reauth(ours.first, 1, &need(), Some(holder(1))).await?;
            let again = scope.set_needs_reauth(ours.first, 1, &need(), None).await?;
            Ok((stale, done, again))
        });
        assert_eq!(outcomes, Ok((false, true, false)));
        let (row, grant) = first(&store, &ours).await;
        assert_eq!((row.auth_status, row.version), (AuthStatus::NeedsReauth, 2));
        assert!(row.selected, "it stays the default");
        assert_eq!((grant.needs_reauth, grant.next_refresh_at), (Some(need()), None));
        assert!(grant.refresh_token.is_some());
        assert_eq!(take(&store, &ours, 2).await, Lease::Taken { sent_ago: None });
        let postponed = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).postpone_refresh(ours.first, at(99)).await
        });
        assert_eq!(postponed, Ok(false), "nobody refreshes it unasked");
        let stored = store_refreshed(&store, &ours, refreshed(&ours, 2, None)).await;
        assert!(stored.unwrap().is_some());
        let (row, grant) = first(&store, &ours).await;
        assert_eq!((row.auth_status, grant.needs_reauth), (AuthStatus::Active, None));
    }

    async fn a_need_on_an_account_without_a_grant_is_its_status_alone(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let done = write!(store, [ours] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            scope.delete_grant_later(ours.first);
            scope.set_needs_reauth(ours.first, 1, &need(), None).await
        });
        assert_eq!(done, Ok(true));
        let found = store.client(ours.client).granted_integration(ours.first).await.unwrap().unwrap();
        assert_eq!((found.integration.auth_status, found.grant), (AuthStatus::NeedsReauth, None));
    }

    async fn accounts_that_are_due_come_in_the_order_of_their_time(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        let place = |tenant: &Tenant, id, name: &str| AccountPlace {
            client_id: tenant.client,
            id,
            user_id: tenant.user,
            connector: "github".to_owned(),
            user_identifier: name.to_owned(),
        };
        let done = write!(store, [ours, theirs] tx => {
            let ours_first = ClientTx::new(&mut *tx, ours.client).postpone_refresh(ours.first, at(20)).await?;
            let theirs_second =
                ClientTx::new(tx, theirs.client).postpone_refresh(theirs.second, at(10)).await?;
            Ok((ours_first, theirs_second))
        });
        assert_eq!(done, Ok((true, true)));
        assert_eq!(grants::due(&store, at(9), 9).await, Ok(vec![]));
        let expected = vec![place(&theirs, theirs.second, "second"), place(&ours, ours.first, "first")];
        assert_eq!(grants::due(&store, at(20), 9).await, Ok(expected.clone()));
        assert_eq!(grants::due(&store, at(20), 1).await, Ok(expected[..1].to_vec()));
        assert_eq!(grants::due(&store, at(3000), 9).await.unwrap().len(), 4);
        assert_eq!(grants::uncompleted(&store, at(600), 9).await, Ok(vec![]));
        let waiting = grants::uncompleted(&store, at(601), 9).await.unwrap();
        assert_eq!(waiting.len(), 2);
        assert!(waiting.contains(&place(&ours, own(&ours, WAITING), "waiting")));
    }

    async fn a_waiting_account_is_completed_once_by_its_own_user(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        let code = completion(&ours, WAITING).digest;
        let complete = |of: &Tenant, user, digest: Opaque, now| {
            let (store, of) = (store.clone(), of.clone());
            async move {
                write!(store, [of, digest] tx => {
                    ClientTx::new(tx, of.client).complete_integration(user, &digest, at(now)).await
                })
            }
        };
        assert_eq!(complete(&ours, ours.user, code.clone(), 600).await, Ok(None), "it has ended");
        assert_eq!(complete(&ours, id(0x4711), code.clone(), 1).await, Ok(None));
        assert_eq!(complete(&theirs, theirs.user, code.clone(), 1).await, Ok(None));
        assert_eq!(complete(&ours, ours.user, [9; 32].into(), 1).await, Ok(None));
        let row = complete(&ours, ours.user, code.clone(), 1).await.unwrap().unwrap();
        assert_eq!((row.auth_status, row.version), (AuthStatus::Active, 2));
        assert_eq!(row.user_identifier, "waiting");
        assert_eq!(complete(&ours, ours.user, code, 1).await, Ok(None));
        let found = store.client(ours.client).granted_integration(row.id).await.unwrap().unwrap();
        assert_eq!(found.grant.unwrap().row.completion, None);
    }

    async fn a_waiting_account_waits_on_when_it_is_refreshed(db: TestDatabase) {
        let (_db, store, ours, _) = connected(db).await;
        let waiting = own(&ours, WAITING);
        let answer = refreshed(&ours, 1, None);
        let stored = write!(store, [ours, answer] tx => {
            ClientTx::new(tx, ours.client)
                .store_refreshed(waiting, holder(1), &Refreshed { next_refresh_at: None, ..answer })
                .await
        });
        assert_eq!(stored.unwrap().unwrap().auth_status, AuthStatus::Pending);
        let found = store.client(ours.client).granted_integration(waiting).await.unwrap().unwrap();
        assert!(found.grant.unwrap().row.completion.is_some());
    }

    async fn a_restore_doubts_refresh_tokens_that_are_used_once(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        let done = write!(store, [theirs] tx => {
            ClientTx::new(tx, theirs.client).set_needs_reauth(theirs.first, 1, &need(), None).await
        });
        assert_eq!(done, Ok(true));
        assert_eq!(write!(store, [] tx => grants::mark_unverified(tx, at(5)).await), Ok(1));
        let status = |tenant: &Tenant| {
            let mut scope = store.client(tenant.client);
            let all = PageQuery { after: None, limit: 9 };
            async move {
                let page = scope.all_granted_integrations(all).await.unwrap();
                let status = |row: &IntegrationWithGrant| row.integration.auth_status;
                page.items.iter().map(status).collect::<Vec<_>>()
            }
        };
        let (active, pending) = (AuthStatus::Active, AuthStatus::Pending);
        assert_eq!(status(&ours).await, vec![AuthStatus::Unverified, active, pending]);
        assert_eq!(status(&theirs).await, vec![AuthStatus::NeedsReauth, active, pending]);
        let (row, _) = first(&store, &ours).await;
        assert_eq!((row.version, row.updated_at), (2, at(5)));
        let stored = store_refreshed(&store, &ours, refreshed(&ours, 2, None)).await;
        assert_eq!(stored.unwrap().unwrap().auth_status, active, "a refresh shows that it works");
    }

    async fn grants_go_with_their_account_and_their_user(db: TestDatabase) {
        let (db, store, ours, theirs) = connected(db).await;
        take(&store, &ours, 1).await;
        let deleted = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).delete_integration(ours.user, "github", "second").await
        });
        assert!(deleted.unwrap().is_some());
        let count = || db.db().read(GRANTS_AND_LEASES_OF, params![ours.client]);
        assert_eq!(count().await.unwrap().len(), 3);
        let deleted = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).delete_user(ours.user).await
        });
        assert_eq!(deleted, Ok(true));
        assert!(count().await.unwrap().is_empty());
        let left = db.db().read(GRANTS_AND_LEASES_OF, params![theirs.client]).await.unwrap();
        assert_eq!(left.len(), 3);
    }
}

const GRANTS_AND_LEASES_OF: &str = "select 1 from bosa_integration_grants where client_id = $1 \
    union all select 1 from bosa_refresh_leases where client_id = $1";
