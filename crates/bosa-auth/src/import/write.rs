//! Writing what a portion needs, in one transaction.

use std::sync::Arc;

use bosa_auth_core::{AuditAction, ClientId, IntegrationId, Timestamp, TokenId};
use bosa_auth_store::tokens::TokenRow;
use bosa_auth_store::users::UserRow;
use bosa_auth_store::{
    ApiKeyRow, ClientRow, ClientTx, DataKeyRow, ImportKind, ImportMarker, IntegrationChange,
    IntegrationRow, Later, StoreError, Tx, audit, clients, import_markers,
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
    /// Leaves it to be sent with others; each statement in `sent` must change a row. False when it cannot
    /// be written as it was planned.
    async fn write(&self, tx: &mut Tx, sent: &mut Vec<Later>) -> Result<bool> {
        if !self.row.write(&mut *tx, sent).await? {
            return Ok(false);
        }
        sent.push(import_markers::put_later(tx, &self.marker));
        Ok(true)
    }
}

impl Row {
    async fn write(&self, tx: &mut Tx, sent: &mut Vec<Later>) -> Result<bool> {
        let scope = |tx, client: ClientId| ClientTx::new(tx, client);
        match self {
            Self::Nothing => {}
            Self::Client(new) => {
                if !clients::insert(&mut *tx, &new.row).await? {
                    return Ok(false);
                }
                let mut scope = scope(tx, new.row.id);
                scope.insert_first_data_key(&new.data_key).await?;
                if let Some(key) = &new.api_key {
                    return Ok(scope.insert_api_key(key).await?);
                }
            }
            Self::User(row) => sent.push(scope(tx, row.client_id).insert_user_later(row)),
            Self::Token(row) => sent.push(scope(tx, row.client_id).insert_token_later(row)),
            Self::Integration(row) => {
                sent.push(scope(tx, row.client_id).insert_integration_later(row));
            }
            Self::TokenEnd(client, id, end) => {
                sent.push(scope(tx, *client).extend_imported_token_later(*id, *end));
            }
            Self::Value(client, id, change) => {
                let changed = scope(tx, *client).update_integration(*id, change).await?;
                return Ok(changed.is_some());
            }
        }
        Ok(true)
    }
}

/// Writes all rows; false when one cannot be written as it was planned.
async fn write_all(tx: &mut Tx, rows: &[Write]) -> Result<bool> {
    let mut sent = Vec::with_capacity(2 * rows.len());
    for write in rows {
        if !write.write(tx, &mut sent).await? {
            return Ok(false);
        }
    }
    tx.flush().await?;
    for statement in &sent {
        if tx.changed(statement)? != 1 {
            return Ok(false);
        }
    }
    Ok(true)
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
                    let written = write_all(tx, rows).await?;
                    if !written {
                        tx.discard();
                    }
                    Ok::<_, Error>(written)
                })
            })
            .await;
        match inner.unless_keys_were_replaced(written).await {
            Ok(written) => Ok(written.unwrap_or(false)),
            // Another import was faster with a row, or what one belongs to was deleted at this moment.
            Err(error) if is_overtaken(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn is_overtaken(error: &Error) -> bool {
    let Error::Internal(cause) = error else {
        return false;
    };
    matches!(
        cause.downcast_ref::<StoreError>(),
        Some(StoreError::Unique { .. } | StoreError::ForeignKey)
    )
}
