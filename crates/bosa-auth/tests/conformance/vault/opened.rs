//! Everything sealed in a database, opened beside the library: with core and store alone.

use std::collections::BTreeMap;

use bosa_auth::{ClientId, Secret, Timestamp};
use bosa_auth_core::vault::{
    DataKey, KeyPurpose, RootKeyring, ValueContext, ValuePurpose, open_key, open_value, seal_value,
};
use bosa_auth_core::{ClientState, SystemEntropy};
use bosa_auth_store::{
    ConnectStateRow, DataKeyRow, IntegrationRow, PageQuery, Sealed, Store, clients, connector_keys,
    shared_connector_settings,
};
use bosa_auth_testkit::TestDatabase;

use crate::support::ROOT_KEYS;

/// Root keys of the tests, of which the second is not active.
pub(crate) const TWO_ROOT_KEYS: &str = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,k2:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";

/// Every value by its name, and every key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// `kind client connector account` and the plain text; a value that does not open says so.
    pub(crate) values: BTreeMap<String, String>,
    /// Data keys and connector keys.
    pub(crate) keys: Vec<DataKeyRow>,
}

impl Opened {
    /// When the oldest key was made.
    pub(crate) fn oldest_key(&self) -> Timestamp {
        self.keys.iter().map(|key| key.created_at).min().unwrap()
    }
}

pub(crate) fn store(db: &TestDatabase) -> Store {
    Store::new(db.db().clone())
}

/// Opens everything; clients that are being deleted are left out.
pub(crate) async fn open_all(db: &TestDatabase) -> Opened {
    let store = store(db);
    let all = |after| PageQuery {
        after,
        limit: 10_000,
    };
    let mut opened = Opened::default();
    let mut put = |name: String, purpose, context: ValueContext<'_>, value: &Sealed, key| {
        let key: DataKey = key;
        let text = match open_value(&key, purpose, &context, &value.bytes) {
            Ok(plain) => String::from_utf8(plain.expose().to_vec()).unwrap(),
            Err(error) => format!("does not open: {error}"),
        };
        assert_eq!(opened.values.insert(name, text), None);
    };
    for found in shared_connector_settings::list(&store).await.unwrap() {
        let Some(secret) = &found.settings.secret else {
            continue;
        };
        let name = &found.settings.connector;
        let context = ValueContext::connector_secret(None, name);
        let key = open_data_key(None, &found.key.unwrap());
        put(
            format!("secret deployment {name}"),
            ValuePurpose::ConnectorSecret,
            context,
            secret,
            key,
        );
    }
    let page = clients::page(
        &store,
        PageQuery {
            after: None,
            limit: 1000,
        },
    )
    .await
    .unwrap();
    for client in page.items {
        if client.state == ClientState::Deleting {
            continue;
        }
        let (id, of) = (client.id, &client.name);
        let mut client = store.client(id);
        for found in client.all_connector_settings().await.unwrap() {
            let Some(secret) = &found.settings.secret else {
                continue;
            };
            let name = &found.settings.connector;
            let context = ValueContext::connector_secret(Some(id), name);
            let key = open_data_key(Some(id), &found.key.unwrap());
            put(
                format!("secret {of} {name}"),
                ValuePurpose::ConnectorSecret,
                context,
                secret,
                key,
            );
        }
        for found in client
            .all_granted_integrations(all(None))
            .await
            .unwrap()
            .items
        {
            let row = &found.integration;
            let name = format!("{of} {} {}", row.connector, row.user_identifier);
            let key = open_data_key(Some(id), &found.key);
            let value = Sealed {
                bytes: row.sealed.clone(),
                key_id: row.data_key_id,
            };
            put(
                format!("credential {name}"),
                ValuePurpose::IntegrationAuth,
                of_account(row),
                &value,
                key,
            );
            let token = found
                .grant
                .as_ref()
                .and_then(|grant| grant.row.refresh_token.as_ref());
            if let Some(token) = token {
                let key = open_data_key(
                    Some(id),
                    found.grant.as_ref().unwrap().key.as_ref().unwrap(),
                );
                put(
                    format!("refresh {name}"),
                    ValuePurpose::RefreshToken,
                    of_account(row),
                    &token.sealed,
                    key,
                );
            }
        }
        let verifiers = client
            .verifiers_under_keys_before(Timestamp::MAX, all(None))
            .await
            .unwrap();
        for found in verifiers.items {
            let key = open_data_key(Some(id), &found.key);
            let name = format!("verifier {of} {} {}", found.row.connector, found.row.id);
            put(
                name,
                ValuePurpose::CodeVerifier,
                of_connection(&found.row),
                &found.verifier,
                key,
            );
        }
        opened
            .keys
            .extend(store.client(id).data_keys().await.unwrap());
    }
    opened
        .keys
        .extend(connector_keys::list(&store).await.unwrap());
    opened
}

/// Opens a key of a client or of the deployment; one that does not open becomes a key of zeros.
pub(crate) fn open_data_key(owner: Option<ClientId>, row: &DataKeyRow) -> DataKey {
    let roots = RootKeyring::parse(&Secret::from(TWO_ROOT_KEYS)).unwrap();
    assert!(TWO_ROOT_KEYS.starts_with(ROOT_KEYS));
    let root = roots.get(&row.root_key_id.parse().unwrap()).unwrap();
    let (purpose, name) = match owner {
        Some(client) => (KeyPurpose::DataKey, format!("{client}/{}", row.id)),
        None => (KeyPurpose::ConnectorSecretKey, row.id.to_string()),
    };
    let bytes = open_key(root, purpose, &name, &row.sealed).unwrap_or_else(|_| vec![0; 32].into());
    DataKey::from_bytes(row.id, &bytes).unwrap()
}

/// Seals a text under a key.
pub(crate) fn seal(
    key: &DataKey,
    purpose: ValuePurpose,
    context: &ValueContext<'_>,
    text: &str,
) -> Sealed {
    let bytes = seal_value(key, purpose, context, text.as_bytes(), &SystemEntropy).unwrap();
    Sealed {
        bytes: bytes.into(),
        key_id: key.id(),
    }
}

pub(crate) fn of_account(row: &IntegrationRow) -> ValueContext<'_> {
    ValueContext {
        client_id: row.client_id,
        user_id: row.user_id,
        row_id: row.id,
        connector: &row.connector,
        account: &row.user_identifier,
    }
}

pub(crate) fn of_connection(row: &ConnectStateRow) -> ValueContext<'_> {
    ValueContext {
        client_id: row.client_id,
        user_id: row.user_id,
        row_id: row.id,
        connector: &row.connector,
        account: "",
    }
}
