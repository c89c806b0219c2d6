//! Two clients that have connected accounts, with everything that goes with it.

use bosa_auth_core::{AuthStatus, IntegrationId, OperationId};
use bosa_auth_store::{
    ClientTx, Completion, ConnectStateRow, ConnectorSettingsChange, DataKeyRow, Departure,
    GrantRow, IntegrationRow, KeyedDigest, Opaque, RefreshToken, Sealed, SealedChange, Store,
    StoreError, connector_keys, shared_connector_settings,
};
use bosa_auth_testkit::TestDatabase;
use uuid::Uuid;

use super::world::{DIGEST_KEY, Tenant, account, at, id, two_clients};

pub(crate) const CONNECTOR_KEY: u128 = 0xc1;

/// The ids of what [`connected`] adds to a client, each so far after the client's own id.
pub(crate) const PAGE: u128 = 0x10;
pub(crate) const STATE: u128 = 0x11;
pub(crate) const WAITING: u128 = 0x12;

/// As [`two_clients`], in which each client has settings of `github`, a connection that is a page, one
/// that is a state, a grant with a rotating refresh token for its first account, one with a lasting
/// one for its second, and an account that waits for its code. The deployment has settings of `slack`.
pub(crate) async fn connected(db: TestDatabase) -> (TestDatabase, Store, Tenant, Tenant) {
    let (db, store, ours, theirs) = two_clients(db).await;
    let shared = write!(store, [] tx => {
        connector_keys::insert_first(tx, &connector_key(CONNECTOR_KEY)).await?;
        let secret = sealed_under(id(CONNECTOR_KEY), 0x61);
        shared_connector_settings::set(tx, "slack", &new_settings(Some(secret))).await
    });
    assert_eq!(shared, Ok(true));
    for tenant in [&ours, &theirs] {
        assert_eq!(connect(&store, tenant).await, Ok(()));
    }
    (db, store, ours, theirs)
}

async fn connect(store: &Store, tenant: &Tenant) -> Result<(), StoreError> {
    write!(store, [tenant] tx => {
        let mut scope = ClientTx::new(tx, tenant.client);
        let secret = sealed(&tenant, 0x62);
        let settings = new_settings(Some(secret));
        assert!(scope.set_connector_settings("github", &settings).await?);
        for number in [PAGE, STATE] {
            let (row, page) = (connection(&tenant, number), page_of(&tenant, number));
            assert!(scope.begin_connection(&row, &page, 20).await?);
        }
        let page = page_of(&tenant, STATE).digest;
        assert!(scope.depart(&page, &departure(&tenant, STATE), at(1)).await?);
        let waiting = IntegrationRow {
            auth_status: AuthStatus::Pending,
            ..account(&tenant, own(&tenant, WAITING), "waiting")
        };
        scope.insert_integration(&waiting).await?;
        scope.put_grant(&grant(&tenant, tenant.first, Some(true))).await?;
        scope.put_grant(&grant(&tenant, tenant.second, Some(false))).await?;
        let grant = GrantRow {
            completion: Some(completion(&tenant, WAITING)),
            ..grant(&tenant, waiting.id, None)
        };
        scope.put_grant(&grant).await
    })
}

/// An id of a client's own.
pub(crate) fn own<T: From<Uuid>>(tenant: &Tenant, number: u128) -> T {
    id(tenant.client.as_uuid().as_u128() + number)
}

pub(crate) fn holder(number: u128) -> OperationId {
    id(0xa000 + number)
}

pub(crate) fn connector_key(number: u128) -> DataKeyRow {
    DataKeyRow {
        id: id(number),
        root_key_id: "k1".to_owned(),
        sealed: vec![6].into(),
        is_active: true,
        created_at: at(0),
    }
}

pub(crate) fn sealed_under(key_id: bosa_auth_core::DataKeyId, byte: u8) -> Sealed {
    Sealed {
        bytes: vec![byte].into(),
        key_id,
    }
}

/// A value under the client's data key.
pub(crate) fn sealed(tenant: &Tenant, byte: u8) -> Sealed {
    sealed_under(tenant.data_key, byte)
}

pub(crate) fn new_settings(secret: Option<Sealed>) -> ConnectorSettingsChange {
    ConnectorSettingsChange {
        version: None,
        settings: r#"{"client_id":"app"}"#.to_owned(),
        secret: secret.map_or(SealedChange::Keep, SealedChange::Replace),
        at: at(1),
    }
}

pub(crate) fn connection(tenant: &Tenant, number: u128) -> ConnectStateRow {
    ConnectStateRow {
        client_id: tenant.client,
        id: own(tenant, number),
        user_id: tenant.user,
        connector: "github".to_owned(),
        api_key_id: Some(tenant.api_key),
        return_address: Some("https://app.example.com/back".to_owned()),
        replaces: true,
        created_at: at(0),
        expires_at: at(600),
    }
}

/// 32 bytes that no other client and number has.
fn digest(tenant: &Tenant, number: u128, use_of_it: u8) -> Opaque {
    let id: Uuid = own(tenant, number);
    let mut bytes = [use_of_it; 32];
    bytes[..16].copy_from_slice(id.as_bytes());
    bytes.into()
}

fn keyed(digest: Opaque) -> KeyedDigest {
    KeyedDigest {
        digest,
        key_id: id(DIGEST_KEY),
    }
}

pub(crate) fn page_of(tenant: &Tenant, number: u128) -> KeyedDigest {
    keyed(digest(tenant, number, 1))
}

pub(crate) fn departure(tenant: &Tenant, number: u128) -> Departure {
    Departure {
        state: keyed(digest(tenant, number, 2)),
        cookie_digest: digest(tenant, number, 3),
        verifier: sealed(tenant, 0x63),
        auth_scopes: r#"["repo"]"#.to_owned(),
    }
}

pub(crate) fn completion(tenant: &Tenant, number: u128) -> Completion {
    Completion {
        digest: digest(tenant, number, 4),
        digest_key_id: id(DIGEST_KEY),
        expires_at: at(600),
    }
}

/// A grant whose refresh token rotates or stays, or which has none.
pub(crate) fn grant(tenant: &Tenant, account: IntegrationId, rotates: Option<bool>) -> GrantRow {
    GrantRow {
        integration_id: account,
        oauth_client_id: "app".to_owned(),
        expires_at: at(3600),
        refresh_token: rotates.map(|rotates| RefreshToken {
            sealed: sealed(tenant, 0x64),
            rotates,
        }),
        refreshed_at: None,
        next_refresh_at: rotates.map(|_| at(3000)),
        needs_reauth: None,
        completion: None,
    }
}
