use std::time::Duration;

use bosa_auth_core::{AuthStatus, OperationId, SecretKind, UserState};
use bosa_auth_store::{
    ClientTx, DataKeyUse, IntegrationChange, IntegrationInsert, Lease, NeedsReauth, NewSecret,
    Opaque, PageQuery, Refreshed, Revocation, Store, StoreError, Updated, UserChange,
    connect_states, params,
};
use bosa_auth_testkit::on_every_database;

use super::connected::{
    PAGE, STATE, WAITING, completion, connected, departure, holder, own, page_of, sealed,
};
use super::world::{
    Tenant, account, api_key, at, data_key, digest_secret, id, token_issue, two_clients, user_row,
};

fn all<K>() -> PageQuery<K> {
    PageQuery {
        after: None,
        limit: 100,
    }
}

/// Everything that can be read of a client, to see that nothing of it changes.
async fn everything(store: &Store, of: &Tenant) -> String {
    let mut scope = store.client(of.client);
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        scope.data_keys().await.unwrap(),
        scope.api_keys(all()).await.unwrap(),
        scope.users(all()).await.unwrap(),
        scope.user(of.user).await.unwrap(),
        scope.tokens(of.user, all()).await.unwrap(),
        scope.integrations(of.user, None).await.unwrap(),
        scope.all_granted_integrations(all()).await.unwrap(),
        scope.all_connector_settings().await.unwrap(),
        scope
            .verifiers_under_keys_before(at(1), all())
            .await
            .unwrap()
            .items,
        connect_states::find_page(store, &page_of(of, PAGE).digest)
            .await
            .unwrap(),
    )
}

on_every_database! {
    async fn a_client_reads_nothing_of_another_client(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        let mut scope = store.client(ours.client);
        assert_eq!(scope.data_key(theirs.data_key).await, Ok(None));
        assert_eq!(scope.active_data_key().await.unwrap().unwrap().id, ours.data_key);
        assert_eq!(scope.data_keys().await.unwrap().len(), 1);
        assert_eq!(scope.api_key(theirs.api_key).await, Ok(None));
        assert_eq!(scope.api_keys(all()).await.unwrap().items.len(), 1);
        assert_eq!(scope.user(theirs.user).await, Ok(None));
        let ana = scope.user_by_identifier("ana").await.unwrap().unwrap();
        assert_eq!((ana.user.id, ana.client.id), (ours.user, ours.client));
        assert_eq!(scope.users(all()).await.unwrap().items.len(), 1);
        assert_eq!(scope.token(theirs.token).await, Ok(None));
        assert!(scope.tokens(theirs.user, all()).await.unwrap().items.is_empty());
        assert_eq!(scope.default_integration(theirs.user, "github").await, Ok(None));
        assert_eq!(scope.named_integration(theirs.user, "github", "first").await, Ok(None));
        assert_eq!(scope.integration(theirs.user, theirs.first).await, Ok(None));
        assert_eq!(scope.has_integration(theirs.user, "github").await, Ok(false));
        assert_eq!(scope.integrations(theirs.user, None).await, Ok(vec![]));
        assert_eq!(scope.integrations(theirs.user, Some("github")).await, Ok(vec![]));
        assert!(scope.integrations_page(theirs.user, None, all()).await.unwrap().items.is_empty());
        let at_github = scope.integrations_page(theirs.user, Some("github"), all()).await.unwrap();
        assert!(at_github.items.is_empty());
        assert_eq!(scope.account_names(theirs.user, "github").await, Ok(vec![]));
        let accounts = scope.all_integrations(all()).await.unwrap().items;
        assert!(accounts.iter().all(|row| row.integration.client_id == ours.client));
        assert_eq!(accounts.len(), 3);
    }

    async fn a_client_reads_no_connection_of_another_client(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        let removed = write!(store, [ours] tx => {
            ClientTx::new(tx, ours.client).unset_connector_settings("github").await
        });
        assert_eq!(removed, Ok(true));
        let mut scope = store.client(ours.client);
        assert_eq!(scope.connector_settings("github").await, Ok(None));
        assert_eq!(scope.all_connector_settings().await, Ok(vec![]));
        assert_eq!(scope.connector_settings_under_keys_before(at(1)).await, Ok(vec![]));
        assert_eq!(scope.granted_integration(theirs.first).await, Ok(None));
        assert_eq!(scope.default_granted_integration(theirs.user, "github").await, Ok(None));
        let named = scope.named_granted_integration(theirs.user, "github", "first").await;
        assert_eq!(named, Ok(None));
        let found = scope.all_granted_integrations(all()).await.unwrap().items;
        let old = scope.integrations_under_keys_before(at(1), all()).await.unwrap().items;
        for accounts in [found, old] {
            assert!(accounts.iter().all(|row| row.integration.client_id == ours.client));
            assert_eq!(accounts.len(), 3);
        }
        let verifiers = scope.verifiers_under_keys_before(at(1), all()).await.unwrap().items;
        assert_eq!(verifiers.len(), 1);
        assert_eq!(verifiers[0].row.client_id, ours.client);
        assert_eq!(scope.data_key_usage(theirs.data_key).await, Ok(DataKeyUse::default()));
    }

    async fn a_client_changes_no_connection_of_another_client(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        let length = Duration::from_secs(3600);
        let leased = write!(store, [theirs] tx => {
            let mut scope = ClientTx::new(tx, theirs.client);
            scope.take_lease(theirs.first, holder(1), length).await?;
            scope.mark_sent(theirs.first, holder(1)).await
        });
        assert_eq!(leased, Ok(true));
        let before = everything(&store, &theirs).await;
        let done = write!(store, [ours, theirs] tx => {
            let found = ClientTx::new(&mut *tx, theirs.client).granted_integration(theirs.first).await?;
            let found = found.unwrap();
            let mut scope = ClientTx::new(tx, ours.client);
            let value = sealed(&ours, 9);
            let page = page_of(&theirs, PAGE).digest;
            assert!(!scope.depart(&page, &departure(&ours, PAGE), at(1)).await?);
            let (old, state) = (sealed(&theirs, 0x63), own(&theirs, STATE));
            assert!(!scope.reseal_verifier(state, &old, &value).await?);
            let answer = Refreshed {
                version: 1,
                auth_scopes: "[]".to_owned(),
                access_token: value.clone(),
                refresh_token: Some(value.clone()),
                expires_at: at(1),
                next_refresh_at: None,
                at: at(1),
            };
            assert_eq!(scope.store_refreshed(theirs.first, holder(1), &answer).await?, None);
            let need = NeedsReauth { reason: "no".to_owned(), at: at(1) };
            assert!(!scope.set_needs_reauth(theirs.first, 1, &need, Some(holder(1))).await?);
            assert!(!scope.postpone_refresh(theirs.first, at(1)).await?);
            let code = completion(&theirs, WAITING).digest;
            assert_eq!(scope.complete_integration(theirs.user, &code, at(1)).await?, None);
            assert!(!scope.reseal_integration(&found, &value, Some(&value)).await?);
            scope.delete_grant_later(theirs.first);
            assert_eq!(scope.delete_only_integration(theirs.user, "github", "first").await?, None);
            assert_eq!(scope.set_integration_scopes(theirs.first, 1, "[]", at(1)).await?, None);
            assert_eq!(scope.take_lease(theirs.first, holder(1), length).await?, Lease::Gone);
            assert!(!scope.mark_sent(theirs.first, holder(1)).await?);
            scope.release_lease(theirs.first, holder(1)).await?;
            scope.abandon_lease(theirs.first, holder(1)).await?;
            assert!(scope.unset_connector_settings("github").await?);
            assert!(!scope.reseal_connector_secret("github", &sealed(&theirs, 0x62), &value).await?);
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(everything(&store, &theirs).await, before);
        let still_theirs = write!(store, [theirs] tx => {
            let mut scope = ClientTx::new(tx, theirs.client);
            scope.take_lease(theirs.first, holder(2), length).await
        });
        assert!(matches!(still_theirs, Ok(Lease::Held { .. })));
    }

    async fn a_client_changes_nothing_of_another_client(db: TestDatabase) {
        let (_db, store, ours, theirs) = connected(db).await;
        let before = everything(&store, &theirs).await;
        let done = write!(store, [ours, theirs] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            assert!(!scope.revoke_api_key(theirs.api_key, at(1)).await?);
            assert!(!scope.limit_api_key(theirs.api_key, at(1)).await?);
            let digest = Opaque::from([9; 32]);
            let old = Opaque::from([7; 32]);
            assert!(!scope.rewrite_api_key_digest(theirs.api_key, &old, &digest, id(0xd1)).await?);
            let change = UserChange {
                version: 1,
                identifier: "eve".to_owned(),
                state: UserState::Suspended,
                end_tokens: true,
                at: at(1),
            };
            assert_eq!(scope.update_user(theirs.user, &change).await?, Updated::Stale);
            let new = NewSecret {
                kind: SecretKind::Generated,
                secret: digest_secret(9),
                preview: None,
            };
            assert!(!scope.replace_secret(theirs.user, Some(1), &new, at(1)).await?);
            assert!(!scope.rewrite_secret(theirs.user, 1, &digest_secret(9)).await?);
            assert!(!scope.end_user_tokens(theirs.user, at(1)).await?);
            assert!(!scope.delete_user(theirs.user).await?);
            assert!(!scope.issue_token(&token_issue(id(0x99), theirs.user)).await?);
            let operation = id::<OperationId>(0x77);
            let revoked = scope.revoke_token(theirs.token, operation, at(1)).await?;
            assert_eq!(revoked, Revocation::NotLive);
            assert!(!scope.slide_token(theirs.token, at(9), at(1)).await?);
            let foreign = account(&theirs, id(0x98), "third");
            assert_eq!(scope.insert_integration(&foreign).await?, IntegrationInsert::NoUser);
            assert_eq!(scope.select_integration(theirs.user, "github", "second").await?, None);
            let change = IntegrationChange {
                version: 1,
                auth_scopes: "[]".to_owned(),
                sealed: vec![9].into(),
                data_key_id: ours.data_key,
                auth_status: AuthStatus::Active,
                subject: None,
                at: at(1),
            };
            assert_eq!(scope.update_integration(theirs.first, &change).await?, None);
            let status = AuthStatus::NeedsReauth;
            assert!(!scope.set_integration_status(theirs.first, 1, status, at(1)).await?);
            assert_eq!(scope.delete_integration(theirs.user, "github", "first").await?, None);
            assert!(!scope.delete_data_key(theirs.data_key).await?);
            let sealed = Opaque::from(vec![9]);
            assert!(!scope.reseal_data_key(&data_key(theirs.data_key), "k1", &sealed).await?);
            scope.replace_data_key(&data_key(id(0x97))).await?;
            scope.wipe_data_keys(&[0; 32]).await?;
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(everything(&store, &theirs).await, before);
    }

    async fn ids_of_another_client_cannot_be_taken(db: TestDatabase) {
        let (_db, store, ours, theirs) = two_clients(db).await;
        let before = everything(&store, &theirs).await;
        let key = write!(store, [ours, theirs] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            scope.insert_api_key(&api_key(ours.client, theirs.api_key)).await
        });
        assert_eq!(key, Ok(false));
        let token = write!(store, [ours, theirs] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            scope.issue_token(&token_issue(theirs.token, ours.user)).await
        });
        assert_eq!(token, Ok(false));
        let user = write!(store, [ours, theirs] tx => {
            let mut scope = ClientTx::new(tx, ours.client);
            scope.insert_user(&user_row(ours.client, theirs.user, "eve")).await
        });
        assert!(matches!(user, Err(StoreError::Unique { .. })));
        assert_eq!(everything(&store, &theirs).await, before);
    }

    async fn the_database_refuses_rows_that_mix_two_clients(db: TestDatabase) {
        let (db, _store, ours, theirs) = two_clients(db).await;
        let set = db.db().write::<_, StoreError, _>({
            let (client, user) = (ours.client, theirs.user);
            move |tx| Box::pin(async move {
                tx.execute(FOREIGN_SET, params![client, user]).await
            })
        }).await;
        assert_eq!(set, Err(StoreError::ForeignKey));
        let token = db.db().write::<_, StoreError, _>({
            let (client, user) = (ours.client, theirs.user);
            move |tx| Box::pin(async move {
                tx.execute(FOREIGN_TOKEN, params![client, id::<uuid::Uuid>(0x96), user]).await
            })
        }).await;
        assert_eq!(token, Err(StoreError::ForeignKey));
        let sealed = db.db().write::<_, StoreError, _>({
            let (client, account, key) = (ours.client, ours.first, theirs.data_key);
            move |tx| Box::pin(async move {
                tx.execute(FOREIGN_DATA_KEY, params![client, account, key]).await
            })
        }).await;
        assert_eq!(sealed, Err(StoreError::ForeignKey));
        let settings = db.db().write::<_, StoreError, _>({
            let (client, key) = (ours.client, theirs.data_key);
            move |tx| Box::pin(async move {
                tx.execute(FOREIGN_SECRET, params![client, key, vec![1_u8]]).await
            })
        }).await;
        assert_eq!(settings, Err(StoreError::ForeignKey));
        for statement in [FOREIGN_GRANT, FOREIGN_LEASE] {
            let row = db.db().write::<_, StoreError, _>({
                let (client, account) = (ours.client, theirs.first);
                move |tx| Box::pin(async move {
                    tx.execute(statement, params![client, account]).await
                })
            }).await;
            assert_eq!(row, Err(StoreError::ForeignKey), "{statement}");
        }
    }
}

const FOREIGN_SECRET: &str = "insert into bosa_connector_settings (client_id, connector, settings, sealed, \
    data_key_id, version, created_at, updated_at) values ($1, 'slack', '{}', $3, $2, 1, 0, 0)";
const FOREIGN_GRANT: &str = "insert into bosa_integration_grants (client_id, integration_id, oauth_client_id, \
    expires_at) values ($1, $2, 'app', 0)";
const FOREIGN_LEASE: &str = "insert into bosa_refresh_leases (client_id, integration_id, holder, held_until) \
    values ($1, $2, $2, 0)";

const FOREIGN_SET: &str = "insert into bosa_integration_sets (client_id, user_id, connector, version) \
    values ($1, $2, 'slack', 1)";
const FOREIGN_TOKEN: &str = "insert into bosa_tokens (client_id, id, user_id, signing_key_id, form, \
    client_generation, user_generation, issued_at, expires_at) values ($1, $2, $3, 'k', 'current', 0, 0, 0, 0)";
const FOREIGN_DATA_KEY: &str =
    "update bosa_integrations set data_key_id = $3 where client_id = $1 and id = $2";
