//! Sealed bytes in their columns, read and written behind the library's back.

use bosa_auth::{ClientId, IntegrationId};
use bosa_auth_core::DataKeyId;
use bosa_auth_store::{Param, StoreError};
use bosa_auth_testkit::TestDatabase;

use super::filled::Server;

/// A column of sealed bytes in one row.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// As the library names what lies there.
    pub(crate) name: String,
    pub(crate) client: Option<ClientId>,
    table: &'static str,
    /// The column that tells the row, and what is there.
    place: (&'static str, Param),
    key_column: &'static str,
}

impl Cell {
    pub(crate) async fn credential(server: &Server, account: &str) -> Self {
        let id = server.find(account).await.unwrap().integration.id;
        Self::new(
            format!("credential of integration {id} at github{}", owner(server)),
            Some(server.client),
            "bosa_integrations",
            ("id", id.into()),
        )
    }

    pub(crate) async fn refresh_token(server: &Server, account: &str) -> Self {
        let id = server.find(account).await.unwrap().integration.id;
        Self::new(
            format!(
                "refresh token of integration {id} at github{}",
                owner(server)
            ),
            Some(server.client),
            "bosa_integration_grants",
            ("integration_id", id.into()),
        )
    }

    pub(crate) fn verifier(server: &Server, id: IntegrationId) -> Self {
        Self::new(
            format!(
                "code verifier of connection {id} at github{}",
                owner(server)
            ),
            Some(server.client),
            "bosa_connect_states",
            ("id", id.into()),
        )
    }

    pub(crate) fn secret(server: &Server) -> Self {
        Self::new(
            format!("connector secret of github, client {}", server.client),
            Some(server.client),
            "bosa_connector_settings",
            ("client_id", server.client.into()),
        )
    }

    pub(crate) fn shared_secret(connector: &str) -> Self {
        Self {
            key_column: "connector_key_id",
            ..Self::new(
                format!("connector secret of {connector}, deployment"),
                None,
                "bosa_shared_connector_settings",
                ("connector", connector.into()),
            )
        }
    }

    fn new(
        name: String,
        client: Option<ClientId>,
        table: &'static str,
        place: (&'static str, Param),
    ) -> Self {
        Self {
            name,
            client,
            table,
            place,
            key_column: "data_key_id",
        }
    }

    pub(crate) async fn read(&self, db: &TestDatabase) -> (Vec<u8>, DataKeyId) {
        let Self {
            table,
            place,
            key_column,
            ..
        } = self;
        let sql = format!(
            "select sealed, {key_column} from {table} where {} = $1",
            place.0
        );
        let rows = db
            .db()
            .read(leak(sql), vec![place.1.clone()])
            .await
            .unwrap();
        assert_eq!(rows.len(), 1, "{}", self.name);
        (rows[0].get(0).unwrap(), rows[0].get(1).unwrap())
    }

    pub(crate) async fn write(&self, db: &TestDatabase, (sealed, key): (Vec<u8>, DataKeyId)) {
        let Self {
            table,
            place,
            key_column,
            ..
        } = self;
        let sql = format!(
            "update {table} set sealed = $1, {key_column} = $2 where {} = $3",
            place.0
        );
        execute(
            db,
            leak(sql),
            vec![sealed.into(), key.into(), place.1.clone()],
        )
        .await;
    }
}

/// Edits that any reader must refuse.
pub(crate) fn edits(sealed: &[u8]) -> Vec<Vec<u8>> {
    let mut edits = Vec::new();
    for position in [0, 1, 16, 17, 40, 41, sealed.len() - 17, sealed.len() - 1] {
        let mut bytes = sealed.to_vec();
        bytes[position] ^= 1;
        edits.push(bytes);
    }
    edits.extend([0, 1, 40, sealed.len() - 1].map(|length| sealed[..length].to_vec()));
    edits.push([sealed, &[0]].concat());
    edits
}

pub(crate) async fn execute(db: &TestDatabase, sql: &'static str, params: Vec<Param>) {
    let changed = db.db().write::<_, StoreError, _>(move |tx| {
        let params = params.clone();
        Box::pin(async move { tx.execute(sql, params).await })
    });
    assert_eq!(changed.await.unwrap(), 1, "{sql}");
}

pub(crate) async fn bytes(db: &TestDatabase, sql: &'static str) -> Vec<u8> {
    db.db().read(sql, vec![]).await.unwrap()[0].get(0).unwrap()
}

fn owner(server: &Server) -> String {
    format!(", user {}, client {}", server.user, server.client)
}

pub(crate) fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}
