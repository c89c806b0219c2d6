//! An instance with two clients, made of fixed ids and times.

use bosa_auth_core::{
    ApiKeyId, AuthStatus, ClientId, ClientState, DataKeyId, DigestKeyId, Form, InstanceId,
    IntegrationId, ScopeSet, SecretKind, Timestamp, TokenId, UserId, UserState,
};
use bosa_auth_store::{
    ApiKeyRow, ClientRow, ClientTx, DataKeyRow, DigestKeyRow, InstanceRow, InstanceState,
    IntegrationInsert, IntegrationRow, KeyState, Opaque, Store, StoreError, StoredSecret,
    TokenIssue, UserRow, clients, digest_keys, instance,
};
use bosa_auth_testkit::TestDatabase;
use uuid::Uuid;

/// Runs a body in one transaction; what it takes from outside is listed, because it may run again.
macro_rules! write {
    ($store:expr, [$($taken:ident),*] $tx:ident => $body:expr) => {{
        $( let $taken = $taken.clone(); )*
        $store
            .write::<_, bosa_auth_store::StoreError, _>(move |$tx| {
                $( let $taken = $taken.clone(); )*
                Box::pin(async move { $body })
            })
            .await
    }};
}

pub(crate) fn id<T: From<Uuid>>(number: u128) -> T {
    T::from(Uuid::from_u128(number))
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

pub(crate) const DIGEST_KEY: u128 = 0xd1;

/// A client with a user, an API key, a token and two accounts at `github`.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) client: ClientId,
    pub(crate) data_key: DataKeyId,
    pub(crate) api_key: ApiKeyId,
    pub(crate) user: UserId,
    pub(crate) token: TokenId,
    pub(crate) first: IntegrationId,
    pub(crate) second: IntegrationId,
}

/// A migrated database with an instance and no client.
pub(crate) async fn instance_in(db: TestDatabase) -> (TestDatabase, Store) {
    let db = db.migrated().await;
    let store = Store::new(db.db().clone());
    let created = write!(store, [] tx => {
            let canary = Opaque::from(vec![1]);
            let created =
                instance::create(tx, &instance_row(), &canary, Uuid::from_u128(1)).await?;
            digest_keys::insert_first(tx, &digest_key(DIGEST_KEY)).await?;
            Ok(created)
        }
    );
    assert_eq!(created, Ok(true));
    (db, store)
}

/// As [`instance_in`], with two clients.
pub(crate) async fn two_clients(db: TestDatabase) -> (TestDatabase, Store, Tenant, Tenant) {
    let (db, store) = instance_in(db).await;
    let ours = tenant(&store, 0x1_0000, "ours").await;
    let theirs = tenant(&store, 0x2_0000, "theirs").await;
    (db, store, ours, theirs)
}

async fn tenant(store: &Store, base: u128, name: &'static str) -> Tenant {
    let tenant = Tenant {
        client: id(base),
        data_key: id(base + 1),
        api_key: id(base + 2),
        user: id(base + 3),
        token: id(base + 4),
        first: id(base + 5),
        second: id(base + 6),
    };
    let done = write!(store, [tenant] tx => {
            assert!(clients::insert(tx, &client_row(tenant.client, name)).await?);
            let mut scope = ClientTx::new(tx, tenant.client);
            scope
                .insert_first_data_key(&data_key(tenant.data_key))
                .await?;
            assert!(
                scope
                    .insert_api_key(&api_key(tenant.client, tenant.api_key))
                    .await?
            );
            assert!(
                scope
                    .insert_user(&user_row(tenant.client, tenant.user, "ana"))
                    .await?
            );
            assert!(
                scope
                    .issue_token(&token_issue(tenant.token, tenant.user))
                    .await?
            );
            let first = account(&tenant, tenant.first, "first");
            let second = account(&tenant, tenant.second, "second");
            let selected = IntegrationInsert::Done { selected: true };
            assert_eq!(scope.insert_integration(&first).await?, selected);
            let unselected = IntegrationInsert::Done { selected: false };
            assert_eq!(scope.insert_integration(&second).await?, unselected);
            Ok(())
        }
    );
    assert_eq!(done, Ok::<_, StoreError>(()));
    tenant
}

pub(crate) fn instance_row() -> InstanceRow {
    InstanceRow {
        id: id::<InstanceId>(1),
        issuer: "bosa-auth".to_owned(),
        state: InstanceState::Open,
        active_root_key: "k1".to_owned(),
        moved_to: None,
        created_at: at(0),
    }
}

pub(crate) fn digest_key(number: u128) -> DigestKeyRow {
    DigestKeyRow {
        id: id::<DigestKeyId>(number),
        root_key_id: "k1".to_owned(),
        sealed: vec![2].into(),
        state: KeyState::Active,
        created_at: at(0),
    }
}

pub(crate) fn data_key(key: DataKeyId) -> DataKeyRow {
    DataKeyRow {
        id: key,
        root_key_id: "k1".to_owned(),
        sealed: vec![3].into(),
        is_active: true,
        created_at: at(0),
    }
}

pub(crate) fn client_row(client: ClientId, name: &str) -> ClientRow {
    ClientRow {
        id: client,
        name: name.to_owned(),
        state: ClientState::Active,
        can_get_integrations: true,
        generation: 0,
        version: 1,
        created_at: at(0),
        updated_at: at(0),
    }
}

pub(crate) fn api_key(client: ClientId, key: ApiKeyId) -> ApiKeyRow {
    ApiKeyRow {
        client_id: client,
        id: key,
        form: Form::Current,
        digest: [7; 32].into(),
        digest_key_id: id(DIGEST_KEY),
        preview: "sk-client-...12345678".to_owned(),
        scopes: ScopeSet::all(),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        created_at: at(0),
    }
}

pub(crate) fn digest_secret(byte: u8) -> StoredSecret {
    StoredSecret::Digest {
        digest: [byte; 32].into(),
        key: id(DIGEST_KEY),
    }
}

pub(crate) fn user_row(client: ClientId, user: UserId, identifier: &str) -> UserRow {
    UserRow {
        client_id: client,
        id: user,
        identifier: identifier.to_owned(),
        state: UserState::Active,
        generation: 0,
        version: 1,
        secret_kind: SecretKind::Generated,
        secret_version: 1,
        secret: digest_secret(8),
        secret_preview: Some("sk-user-...12345678".to_owned()),
        created_at: at(0),
        updated_at: at(0),
    }
}

pub(crate) fn token_issue(token: TokenId, user: UserId) -> TokenIssue {
    TokenIssue {
        id: token,
        user_id: user,
        signing_key_id: "configured".to_owned(),
        client_generation: 0,
        user_generation: 0,
        secret_version: Some(1),
        issued_at: at(0),
        expires_at: at(1000),
        idle_end: None,
    }
}

pub(crate) fn account(tenant: &Tenant, account: IntegrationId, name: &str) -> IntegrationRow {
    IntegrationRow {
        client_id: tenant.client,
        id: account,
        user_id: tenant.user,
        connector: "github".to_owned(),
        user_identifier: name.to_owned(),
        auth_scopes: "[]".to_owned(),
        sealed: vec![4].into(),
        data_key_id: tenant.data_key,
        version: 1,
        auth_status: AuthStatus::Active,
        subject: None,
        selected: false,
        created_at: at(0),
        updated_at: at(0),
    }
}
