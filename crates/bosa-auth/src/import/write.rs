//! Writing what a portion needs, in one transaction.

use std::sync::Arc;

use bosa_auth_core::{AuditAction, ClientId, IntegrationId, Timestamp, TokenId};
use bosa_auth_store::tokens::TokenRow;
use bosa_auth_store::users::UserRow;
use bosa_auth_store::{
    ApiKeyRow, ClientRow, ClientTx, DataKeyRow, ImportKind, ImportMarker, ImportOutcome,
    IntegrationChange, IntegrationInsert, IntegrationRow, StoreError, Tx, audit, clients,
    import_markers,
};

use super::run::Run;
use crate::error::{Error, Result};

/// One row to write.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) row: Row,
    pub(super) marker: ImportMarker,
}

#[derive(Debug)]
pub(super) enum Row {
    /// Only the marker.
    Nothing,
    Client(Box<NewClient>),
    User(Box<UserRow>),
    Token(Box<TokenRow>),
    Integration(Box<IntegrationRow>),
    /// A token that is there ends later.
    TokenEnd(ClientId, TokenId, Timestamp),
    /// An account that is there has another value.
    Value(ClientId, IntegrationId, Box<IntegrationChange>),
}

#[derive(Debug)]
pub(super) struct NewClient {
    pub(super) row: ClientRow,
    pub(super) data_key: DataKeyRow,
    pub(super) api_key: Option<ApiKeyRow>,
}

impl Write {
    /// False when it cannot be written as it was planned.
    async fn write(&self, tx: &mut Tx) -> Result<bool> {
        if self.marker.outcome == ImportOutcome::Skipped {
            return Ok(import_markers::put_skipped(tx, &self.marker).await?);
        }
        if !self.row.write(&mut *tx).await? {
            return Ok(false);
        }
        let _goes_with_the_next = import_markers::put_later(tx, &self.marker);
        Ok(true)
    }
}

impl Row {
    /// False when it cannot be written as it was planned.
    async fn write(&self, tx: &mut Tx) -> Result<bool> {
        let scope = |tx, client: ClientId| ClientTx::new(tx, client);
        Ok(match self {
            Self::Nothing => true,
            Self::Client(new) => {
                if !clients::insert(&mut *tx, &new.row).await? {
                    return Ok(false);
                }
                let mut scope = scope(tx, new.row.id);
                scope.insert_first_data_key(&new.data_key).await?;
                match &new.api_key {
                    Some(key) => scope.insert_api_key(key).await?,
                    None => true,
                }
            }
            Self::User(row) => scope(tx, row.client_id).insert_user(row).await?,
            Self::Token(row) => scope(tx, row.client_id).insert_token(row).await?,
            Self::Integration(row) => {
                let inserted = scope(tx, row.client_id).insert_integration(row).await?;
                matches!(inserted, IntegrationInsert::Done { .. })
            }
            Self::TokenEnd(client, id, end) => {
                scope(tx, *client).extend_imported_token(*id, *end).await?
            }
            Self::Value(client, id, change) => {
                let changed = scope(tx, *client).update_integration(*id, change).await?;
                changed.is_some()
            }
        })
    }
}

impl Run<'_> {
    /// Writes a portion; false, having written nothing, when it must be looked at again. A dry run
    /// writes nothing and is content.
    pub(super) async fn write(&self, kind: ImportKind, rows: Vec<Write>) -> Result<bool> {
        if self.dry_run || rows.is_empty() {
            return Ok(true);
        }
        let inner = self.inner();
        let detail = serde_json::json!({ "kind": kind.as_str(), "rows": rows.len() });
        let event = inner.event(
            &self.operator.actor,
            AuditAction::InstanceImport,
            None,
            None,
            Some(detail.to_string()),
        )?;
        let portion = Arc::new((event, rows));
        let written = inner
            .store
            .write(move |tx| {
                let portion = portion.clone();
                Box::pin(async move {
                    let (event, rows) = portion.as_ref();
                    if !audit::record(&mut *tx, event).await? {
                        // An earlier attempt of this very portion.
                        return Ok(true);
                    }
                    for write in rows {
                        if !write.write(tx).await? {
                            tx.discard();
                            return Ok(false);
                        }
                    }
                    Ok::<_, Error>(true)
                })
            })
            .await;
        match inner.unless_keys_were_replaced(written).await {
            Ok(written) => Ok(written.unwrap_or(false)),
            // Another import was faster with this row.
            Err(error) if is_of_another_run(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn is_of_another_run(error: &Error) -> bool {
    let Error::Internal(cause) = error else {
        return false;
    };
    matches!(
        cause.downcast_ref::<StoreError>(),
        Some(StoreError::Unique { .. })
    )
}
