//! A server of a test's own, which remembers a data key and stores what the library's flows store:
//! accounts with refresh tokens, connector secrets, and connections that were begun.

use bosa_auth::{AuthStatus, ClientId, IntegrationId, Secret, Timestamp, UserId};
use bosa_auth_core::vault::{
    DataKey, KeyPurpose, RootKeyring, ValueContext, ValuePurpose, seal_key,
};
use bosa_auth_core::{OperationId, SystemEntropy};
use bosa_auth_store::{
    ClientTx, ConnectStateRow, ConnectorSettingsChange, DataKeyRow, Departure, GrantRow,
    IntegrationInsert, IntegrationRow, IntegrationWithGrant, KeyedDigest, RefreshToken, Refreshed,
    Sealed, SealedChange, Store, StoreError, connector_keys, digest_keys,
    shared_connector_settings,
};
use bosa_auth_testkit::TestDatabase;
use uuid::Uuid;

use super::opened::{TWO_ROOT_KEYS, of_account, of_connection, open_data_key, seal, store};

pub(crate) const NOW: &str = "2026-01-02T03:04:05Z";

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// When access tokens and connections end: in no test.
fn end() -> Timestamp {
    "2036-01-02T03:04:05Z".parse().unwrap()
}

/// What such a server knows of one client.
pub(crate) struct Server {
    pub(crate) store: Store,
    pub(crate) client: ClientId,
    pub(crate) user: UserId,
    /// The key that it thinks is active.
    pub(crate) key: DataKey,
}

impl Server {
    pub(crate) async fn new(db: &TestDatabase, client: ClientId, user: UserId) -> Self {
        let store = store(db);
        let key = active_key(&store, client).await;
        Self {
            store,
            client,
            user,
            key,
        }
    }

    /// Reads the active key again.
    pub(crate) async fn learn(&mut self) {
        self.key = active_key(&self.store, self.client).await;
    }

    /// Stores a connected account with both of its tokens; false, having learned the active key, when
    /// the remembered one is gone.
    pub(crate) async fn connect(
        &mut self,
        account: &str,
        access: &str,
        refresh: Option<&str>,
    ) -> bool {
        let mut row = self.row(account);
        let credential = self.seal(ValuePurpose::IntegrationAuth, &of_account(&row), access);
        (row.sealed, row.data_key_id) = (credential.bytes, credential.key_id);
        let token = refresh.map(|token| RefreshToken {
            sealed: self.seal(ValuePurpose::RefreshToken, &of_account(&row), token),
            rotates: true,
        });
        let grant = GrantRow {
            integration_id: row.id,
            oauth_client_id: "app".to_owned(),
            expires_at: end(),
            next_refresh_at: token.as_ref().map(|_| now()),
            refresh_token: token,
            refreshed_at: None,
            needs_reauth: None,
            completion: None,
        };
        let client = self.client;
        let stored = self.store.write(move |tx| {
            let (row, grant) = (row.clone(), grant.clone());
            Box::pin(async move {
                let mut scope = ClientTx::new(tx, client);
                let inserted = scope.insert_integration(&row).await?;
                assert!(matches!(inserted, IntegrationInsert::Done { .. }));
                scope.put_grant(&grant).await
            })
        });
        let stored = stored.await;
        self.settle(stored.map(|()| true)).await
    }

    /// Stores what a provider answered to a refresh; false when it has to be stored again, because the
    /// account was changed or the remembered key is gone.
    pub(crate) async fn refresh(
        &mut self,
        account: &str,
        access: &str,
        refresh: Option<&str>,
    ) -> bool {
        let Some(found) = self.find(account).await else {
            return false;
        };
        let has_token = found
            .grant
            .is_some_and(|grant| grant.row.refresh_token.is_some());
        let row = found.integration;
        let refreshed = Refreshed {
            version: row.version,
            auth_scopes: "[]".to_owned(),
            access_token: self.seal(ValuePurpose::IntegrationAuth, &of_account(&row), access),
            refresh_token: refresh
                .map(|token| self.seal(ValuePurpose::RefreshToken, &of_account(&row), token)),
            expires_at: end(),
            next_refresh_at: has_token.then(now),
            at: now(),
        };
        let (client, id, holder) = (self.client, row.id, OperationId::from(Uuid::from_u128(7)));
        let stored = self.store.write(move |tx| {
            let refreshed = refreshed.clone();
            Box::pin(async move {
                ClientTx::new(tx, client)
                    .store_refreshed(id, holder, &refreshed)
                    .await
            })
        });
        let stored = stored.await;
        self.settle(stored.map(|row| row.is_some())).await
    }

    pub(crate) async fn disconnect(&self, account: &str) -> bool {
        let (client, user, account) = (self.client, self.user, account.to_owned());
        let deleted = self.store.write::<_, StoreError, _>(move |tx| {
            let account = account.clone();
            Box::pin(async move {
                ClientTx::new(tx, client)
                    .delete_integration(user, "github", &account)
                    .await
            })
        });
        deleted.await.unwrap().is_some()
    }

    pub(crate) async fn find(&self, account: &str) -> Option<IntegrationWithGrant> {
        let mut client = self.store.client(self.client);
        client
            .named_granted_integration(self.user, "github", account)
            .await
            .unwrap()
    }

    /// Stores the OAuth client secret of a connector.
    pub(crate) async fn set_secret(&mut self, connector: &'static str, secret: &str) -> bool {
        let mut client = self.store.client(self.client);
        let former = client.connector_settings(connector).await.unwrap();
        let context = ValueContext::connector_secret(Some(self.client), connector);
        let change = ConnectorSettingsChange {
            version: former.map(|former| former.settings.version),
            settings: "{}".to_owned(),
            secret: SealedChange::Replace(self.seal(
                ValuePurpose::ConnectorSecret,
                &context,
                secret,
            )),
            at: now(),
        };
        let client = self.client;
        let stored = self.store.write(move |tx| {
            let change = change.clone();
            Box::pin(async move {
                ClientTx::new(tx, client)
                    .set_connector_settings(connector, &change)
                    .await
            })
        });
        let stored = stored.await;
        self.settle(stored).await
    }

    /// Begins a connection and leaves for the provider with this code verifier.
    pub(crate) async fn depart(&mut self, id: IntegrationId, verifier: &str) -> bool {
        let digest_key = digest_keys::list(&self.store).await.unwrap()[0].id;
        let digest = |place: u8| {
            let mut bytes = [place; 32];
            bytes[..16].copy_from_slice(id.as_uuid().as_bytes());
            bytes.into()
        };
        let row = ConnectStateRow {
            client_id: self.client,
            id,
            user_id: self.user,
            connector: "github".to_owned(),
            api_key_id: None,
            return_address: None,
            replaces: false,
            created_at: now(),
            expires_at: end(),
        };
        let page = KeyedDigest {
            digest: digest(1),
            key_id: digest_key,
        };
        let departure = Departure {
            state: KeyedDigest {
                digest: digest(2),
                key_id: digest_key,
            },
            cookie_digest: digest(3),
            verifier: self.seal(ValuePurpose::CodeVerifier, &of_connection(&row), verifier),
            auth_scopes: "[]".to_owned(),
        };
        let client = self.client;
        let departed = self.store.write(move |tx| {
            let (row, page, departure) = (row.clone(), page.clone(), departure.clone());
            Box::pin(async move {
                let mut scope = ClientTx::new(tx, client);
                assert!(scope.begin_connection(&row, &page, 100).await?);
                scope.depart(&page.digest, &departure, now()).await
            })
        });
        let departed = departed.await;
        self.settle(departed).await
    }

    pub(crate) fn seal(
        &self,
        purpose: ValuePurpose,
        context: &ValueContext<'_>,
        text: &str,
    ) -> Sealed {
        seal(&self.key, purpose, context, text)
    }

    fn row(&self, account: &str) -> IntegrationRow {
        IntegrationRow {
            client_id: self.client,
            id: new_id(),
            user_id: self.user,
            connector: "github".to_owned(),
            user_identifier: account.to_owned(),
            auth_scopes: "[]".to_owned(),
            sealed: Vec::new().into(),
            data_key_id: self.key.id(),
            version: 1,
            auth_status: AuthStatus::Active,
            subject: None,
            selected: false,
            created_at: now(),
            updated_at: now(),
        }
    }

    /// A key that is gone is the one refusal that such a server meets.
    async fn settle(&mut self, outcome: Result<bool, StoreError>) -> bool {
        match outcome {
            Err(StoreError::ForeignKey) => {
                self.learn().await;
                false
            }
            outcome => outcome.unwrap(),
        }
    }
}

/// Stores an OAuth client secret of the deployment, under its first key.
pub(crate) async fn set_shared_secret(db: &TestDatabase, connector: &'static str, secret: &str) {
    let store = store(db);
    let key = match connector_keys::active(&store).await.unwrap() {
        Some(row) => open_data_key(None, &row),
        None => first_connector_key(&store).await,
    };
    let context = ValueContext::connector_secret(None, connector);
    let change = ConnectorSettingsChange {
        version: None,
        settings: "{}".to_owned(),
        secret: SealedChange::Replace(seal(&key, ValuePurpose::ConnectorSecret, &context, secret)),
        at: now(),
    };
    let stored = store.write::<_, StoreError, _>(move |tx| {
        let change = change.clone();
        Box::pin(async move { shared_connector_settings::set(tx, connector, &change).await })
    });
    assert!(stored.await.unwrap());
}

async fn first_connector_key(store: &Store) -> DataKey {
    let key = DataKey::generate(new_id(), &SystemEntropy).unwrap();
    let roots = RootKeyring::parse(&Secret::from(TWO_ROOT_KEYS)).unwrap();
    let (_, root) = roots.first().unwrap();
    let (purpose, name) = (KeyPurpose::ConnectorSecretKey, key.id().to_string());
    let row = DataKeyRow {
        id: key.id(),
        root_key_id: "k1".to_owned(),
        sealed: seal_key(root, purpose, &name, key.expose(), &SystemEntropy)
            .unwrap()
            .into(),
        is_active: true,
        created_at: now(),
    };
    let made = store.write::<_, StoreError, _>(move |tx| {
        let row = row.clone();
        Box::pin(async move { connector_keys::insert_first(tx, &row).await })
    });
    made.await.unwrap();
    key
}

async fn active_key(store: &Store, client: ClientId) -> DataKey {
    let row = store
        .client(client)
        .active_data_key()
        .await
        .unwrap()
        .unwrap();
    open_data_key(Some(client), &row)
}

pub(crate) fn new_id<T: From<Uuid>>() -> T {
    let mut bytes = [0; 16];
    bosa_auth::Entropy::fill(&SystemEntropy, &mut bytes).unwrap();
    T::from(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
