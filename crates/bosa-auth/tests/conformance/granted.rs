//! What becomes of a provider's grant when a caller changes its account.

use std::time::Duration;

use bosa_auth::{
    AuthStatus, ConfiguredIntegration, Error, IntegrationId, IntegrationUpdate, NewIntegration,
    PageRequest, Tenant, ThirdPartyIntegrationAuth, Timestamp, UserId,
};
use bosa_auth_core::OperationId;
use bosa_auth_store::{
    ClientTx, GrantRow, GrantWithKey, IntegrationChange, IntegrationRow, Lease, NeedsReauth,
    RefreshToken, Refreshed, Sealed, Store, StoreError,
};
use bosa_auth_testkit::{TestDatabase, on_every_database};

use crate::support::{Client, World, code};

const NAME: &str = "octocat";
const HOUR: Duration = Duration::from_secs(3600);

/// A user whose account at `github` was granted by the provider and is just being refreshed.
struct Granted {
    world: World,
    client: Client,
    user: UserId,
    account: IntegrationId,
    store: Store,
}

fn holder(number: u128) -> OperationId {
    uuid::Uuid::from_u128(number).into()
}

fn later(seconds: i64) -> Timestamp {
    "2026-01-02T03:04:05Z".parse::<Timestamp>().unwrap() + jiff::SignedDuration::from_secs(seconds)
}

impl Granted {
    async fn new(db: &TestDatabase) -> Self {
        let world = World::new(db).await;
        let client = world.client("acme").await;
        let user = world.user(&client, "ana").await.id;
        let (c, secret) = (client.model.id, "stored".into());
        let new = ThirdPartyIntegrationAuth::new(c, user, "github", NAME, secret, vec![]);
        let tenant = world.tenant(&client).await;
        let account = tenant.create_integration(new).await.unwrap().resource.id;
        let granted = Self {
            world,
            client,
            user,
            account: account.unwrap(),
            store: Store::new(db.db().clone()),
        };
        granted.grant().await;
        granted
    }

    async fn tenant(&self) -> Tenant {
        self.world.tenant(&self.client).await
    }

    /// Has the provider grant the account, and somebody take its lease.
    async fn grant(&self) {
        let row = self.found().await.0;
        let change = IntegrationChange {
            version: row.version,
            auth_scopes: row.auth_scopes,
            sealed: row.sealed,
            data_key_id: row.data_key_id,
            auth_status: AuthStatus::Active,
            subject: Some("4711".to_owned()),
            at: later(1),
        };
        let grant = GrantRow {
            integration_id: row.id,
            oauth_client_id: "app".to_owned(),
            expires_at: later(3600),
            refresh_token: Some(RefreshToken {
                sealed: self.sealed(&row.data_key_id),
                rotates: true,
            }),
            refreshed_at: None,
            next_refresh_at: Some(later(3000)),
            needs_reauth: None,
            completion: None,
        };
        let (client, id) = (self.client.model.id, row.id);
        let what = std::sync::Arc::new((change, grant));
        let done = self.store.write(move |tx| {
            let what = what.clone();
            Box::pin(async move {
                let mut scope = ClientTx::new(tx, client);
                let updated = scope.update_integration(id, &what.0).await?;
                assert!(updated.is_some());
                scope.put_grant(&what.1).await?;
                let lease = scope.take_lease(id, holder(1), HOUR).await?;
                assert_eq!(lease, Lease::Taken { sent_ago: None });
                assert!(scope.mark_sent(id, holder(1)).await?);
                Ok::<_, StoreError>(())
            })
        });
        done.await.unwrap();
    }

    fn sealed(&self, key: &bosa_auth_core::DataKeyId) -> Sealed {
        Sealed {
            bytes: vec![7].into(),
            key_id: *key,
        }
    }

    async fn found(&self) -> (IntegrationRow, Option<GrantWithKey>) {
        let mut client = self.store.client(self.client.model.id);
        let found = client.granted_integration(self.account).await.unwrap();
        let found = found.unwrap();
        (found.integration, found.grant)
    }

    /// What another process meets that wants to refresh the account.
    async fn lease(&self) -> Lease {
        let (client, id) = (self.client.model.id, self.account);
        let taken = self.store.write(move |tx| {
            Box::pin(async move {
                let mut scope = ClientTx::new(&mut *tx, client);
                let lease = scope.take_lease(id, holder(2), HOUR).await?;
                tx.discard();
                Ok::<_, StoreError>(lease)
            })
        });
        taken.await.unwrap()
    }

    /// Stores what the provider answered to a refresh that began when the account had a version.
    async fn store_refreshed(&self, version: i64) -> bool {
        let row = self.found().await.0;
        let refreshed = std::sync::Arc::new(Refreshed {
            version,
            auth_scopes: "[]".to_owned(),
            access_token: self.sealed(&row.data_key_id),
            refresh_token: Some(self.sealed(&row.data_key_id)),
            expires_at: later(7200),
            next_refresh_at: None,
            at: later(2),
        });
        let client = self.client.model.id;
        let stored = self.store.write(move |tx| {
            let refreshed = refreshed.clone();
            Box::pin(async move {
                let mut scope = ClientTx::new(tx, client);
                scope.store_refreshed(row.id, holder(1), &refreshed).await
            })
        });
        let stored: Result<_, StoreError> = stored.await;
        stored.unwrap().is_some()
    }

    async fn set_needs_reauth(&self, reason: &str, at: Timestamp) {
        let row = self.found().await.0;
        let (client, reason) = (self.client.model.id, reason.to_owned());
        let need = std::sync::Arc::new(NeedsReauth { reason, at });
        let set = self.store.write(move |tx| {
            let need = need.clone();
            Box::pin(async move {
                let mut scope = ClientTx::new(tx, client);
                let (id, version) = (row.id, row.version);
                scope
                    .set_needs_reauth(id, version, &need, Some(holder(1)))
                    .await
            })
        });
        let set: Result<_, StoreError> = set.await;
        assert!(set.unwrap());
    }
}

on_every_database! {
    async fn another_credential_takes_the_place_of_what_was_granted(db: TestDatabase) {
        let granted = Granted::new(&db).await;
        let (tenant, user) = (granted.tenant().await, granted.user);
        let token = tenant.create_token(user).await.unwrap().resource.token;
        let current = granted.world.auth.current_user(None, token.expose()).await.unwrap();
        let new = || NewIntegration {
            connector: "github".into(),
            user_identifier: NAME.into(),
            auth_string: "given".into(),
            auth_scopes: vec![],
            replace_duplicate: true,
        };
        let configured = || ConfiguredIntegration {
            connector: "github".into(),
            auth_type: "bearer".into(),
            configuration: format!(r#"{{"token":"given","user_identifier":"{NAME}"}}"#).into(),
            replace_duplicate: true,
        };
        for way in 0..5 {
            granted.grant().await;
            let (row, grant) = granted.found().await;
            assert!(grant.is_some() && matches!(granted.lease().await, Lease::Held { .. }));
            let update = IntegrationUpdate { auth_string: Some("given".into()), auth_scopes: None };
            let changed = match way {
                0 => tenant.update_integration_auth(user, "github", NAME, update).await.map(drop),
                1 => tenant.add_integration(user, new()).await.map(drop),
                2 => tenant.configure_integration(user, configured()).await.map(drop),
                3 => current.create_integration(new()).await.map(drop),
                _ => current.configure_integration(configured()).await.map(drop),
            };
            changed.unwrap();
            let (after, grant) = granted.found().await;
            assert_eq!((grant, after.subject), (None, None), "{way}");
            assert_eq!((after.id, after.created_at, after.selected), (row.id, row.created_at, true));
            assert_eq!(granted.lease().await, Lease::Taken { sent_ago: None }, "{way}");
            let read = tenant.get_specific_or_default_integration(user, "github", None).await;
            assert_eq!(read.unwrap().unwrap().auth_string.expose(), "given");
            // The answer to a refresh that was on its way comes too late.
            assert!(!granted.store_refreshed(row.version).await);
        }
    }

    async fn other_permissions_leave_the_grant_as_it_is(db: TestDatabase) {
        let granted = Granted::new(&db).await;
        let (row, grant) = granted.found().await;
        for auth_scopes in [Some(vec!["repo".to_owned()]), None] {
            let update = IntegrationUpdate { auth_string: None, auth_scopes };
            let tenant = granted.tenant().await;
            tenant.update_integration_auth(granted.user, "github", NAME, update).await.unwrap();
        }
        let (after, kept) = granted.found().await;
        assert_eq!(after.auth_scopes, r#"["repo"]"#);
        assert_eq!((after.subject, after.sealed, after.auth_status), (row.subject, row.sealed, row.auth_status));
        assert_eq!(kept, grant);
        assert!(matches!(granted.lease().await, Lease::Held { .. }));
        assert!(granted.store_refreshed(after.version).await);
    }

    async fn what_is_refused_leaves_the_grant_as_it_is(db: TestDatabase) {
        let granted = Granted::new(&db).await;
        let before = granted.found().await;
        let (tenant, user) = (granted.tenant().await, granted.user);
        let new = ThirdPartyIntegrationAuth::new(granted.client.model.id, user, "github", NAME, "x".into(), vec![]);
        assert_eq!(code(tenant.create_integration(new).await), "integration_already_exists");
        let empty = IntegrationUpdate { auth_string: Some("".into()), auth_scopes: None };
        assert_eq!(code(tenant.update_integration_auth(user, "github", NAME, empty).await), "invalid_input");
        let other = granted.world.client("other").await;
        let update = IntegrationUpdate { auth_string: Some("x".into()), auth_scopes: None };
        let foreign = granted.world.tenant(&other).await;
        assert_eq!(code(foreign.update_integration_auth(user, "github", NAME, update).await), "not_found");
        tenant.set_selected_integration(user, "github", NAME).await.unwrap();
        assert_eq!(granted.found().await, before);
        assert!(matches!(granted.lease().await, Lease::Held { .. }));
    }

    async fn a_deleted_account_leaves_no_grant_and_no_lease(db: TestDatabase) {
        let granted = Granted::new(&db).await;
        let tenant = granted.tenant().await;
        assert!(tenant.delete_integration(granted.user, "github", None).await.unwrap());
        for table in ["select 1 from bosa_integration_grants", "select 1 from bosa_refresh_leases"] {
            assert!(db.db().read(table, vec![]).await.unwrap().is_empty(), "{table}");
        }
        assert_eq!(granted.lease().await, Lease::Gone);
    }

    async fn why_and_since_when_an_account_must_be_connected_again_is_told(db: TestDatabase) {
        let granted = Granted::new(&db).await;
        let (tenant, user) = (granted.tenant().await, granted.user);
        let shown = async || {
            let listed = tenant.list_integrations(user, None, PageRequest::default()).await.unwrap().items;
            let at = tenant.list_integrations(user, Some("github"), PageRequest::default()).await.unwrap().items;
            let opened = tenant.get_integrations(user, None).await.unwrap();
            let profile = tenant.get_user_complete(user).await.unwrap().integrations;
            let selected = vec![tenant.set_selected_integration(user, "github", NAME).await.unwrap()];
            let all = [listed, at, opened, profile, selected].map(|accounts| {
                let [account] = accounts.as_slice() else { panic!("{accounts:?}") };
                (account.auth_status, account.auth_status_reason.clone(), account.auth_status_since)
            });
            assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
            all[0].clone()
        };
        assert_eq!(shown().await, (AuthStatus::Active, None, None));
        let reason = "the provider refused: invalid_grant";
        granted.set_needs_reauth(reason, later(50)).await;
        let refused = (AuthStatus::NeedsReauth, Some(reason.to_owned()), Some(later(50)));
        assert_eq!(shown().await, refused);
        granted.world.clock.advance(HOUR);
        // Another list of permissions does not make it newer.
        let update = IntegrationUpdate { auth_string: None, auth_scopes: Some(vec!["repo".into()]) };
        let updated = tenant.update_integration_auth(user, "github", NAME, update).await.unwrap();
        assert_eq!((updated.auth_status, updated.auth_status_reason, updated.auth_status_since), refused);
        assert_eq!(shown().await, refused);
        for name in [None, Some(NAME)] {
            match tenant.get_specific_or_default_integration(user, "github", name).await {
                Err(Error::NeedsReauthorization { connector, account, since }) => {
                    assert_eq!((connector.as_str(), account.as_str(), since), ("github", NAME, later(50)));
                }
                other => panic!("{other:?}"),
            }
        }
        let update = IntegrationUpdate { auth_string: Some("given".into()), auth_scopes: None };
        let updated = tenant.update_integration_auth(user, "github", NAME, update).await.unwrap();
        assert_eq!((updated.auth_status, updated.auth_status_reason, updated.auth_status_since), (AuthStatus::Active, None, None));
        assert_eq!(shown().await, (AuthStatus::Active, None, None));
    }
}
