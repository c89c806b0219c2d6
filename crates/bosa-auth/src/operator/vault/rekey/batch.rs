//! Values that are sealed under another key together, each only if it is still as it was read.

use std::sync::Arc;

use bosa_auth_core::{ClientId, IntegrationId, OperationId, Timestamp};
use bosa_auth_store::{
    ClientTx, IntegrationWithGrant, Sealed, Store, StoreError, Tx, rekey, shared_connector_settings,
};

/// A row whose values get another key.
#[derive(Debug)]
pub(super) enum Change {
    Account {
        before: Box<IntegrationWithGrant>,
        credential: Sealed,
        refresh_token: Option<Sealed>,
        /// How many of the two are new.
        values: u32,
    },
    ConnectorSecret {
        connector: String,
        before: Sealed,
        after: Sealed,
    },
    CodeVerifier {
        id: IntegrationId,
        before: Sealed,
        after: Sealed,
    },
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// How many values are under the new key.
    pub(super) values: u32,
    /// How many rows had changed since they were read.
    pub(super) lost: u32,
    /// Whether the replacement has ended meanwhile.
    pub(super) is_over: bool,
}

impl Change {
    pub(super) fn values(&self) -> u32 {
        match self {
            Self::Account { values, .. } => *values,
            Self::ConnectorSecret { .. } | Self::CodeVerifier { .. } => 1,
        }
    }

    async fn apply(&self, tx: &mut Tx, owner: Option<ClientId>) -> Result<bool, StoreError> {
        let Some(client) = owner else {
            return match self {
                Self::ConnectorSecret {
                    connector,
                    before,
                    after,
                } => shared_connector_settings::reseal(tx, connector, before, after).await,
                // The deployment has nothing else.
                Self::Account { .. } | Self::CodeVerifier { .. } => Ok(false),
            };
        };
        let mut scope = ClientTx::new(tx, client);
        match self {
            Self::Account {
                before,
                credential,
                refresh_token,
                ..
            } => {
                scope
                    .reseal_integration(before, credential, refresh_token.as_ref())
                    .await
            }
            Self::ConnectorSecret {
                connector,
                before,
                after,
            } => {
                scope
                    .reseal_connector_secret(connector, before, after)
                    .await
            }
            Self::CodeVerifier { id, before, after } => {
                scope.reseal_verifier(*id, before, after).await
            }
        }
    }
}

/// Writes a batch, and how many values of it there are, in one transaction.
///
/// Repeated after an unknown outcome it finds its rows changed, and counts them as lost.
pub(super) async fn write(
    store: &Store,
    owner: Option<ClientId>,
    operation: OperationId,
    at: Timestamp,
    batch: Vec<Change>,
) -> Result<Written, StoreError> {
    let batch = Arc::new(batch);
    let written = store.write(move |tx| {
        let batch = batch.clone();
        Box::pin(async move {
            let mut written = Written::default();
            for change in batch.iter() {
                match change.apply(tx, owner).await? {
                    true => written.values += change.values(),
                    false => written.lost += 1,
                }
            }
            written.is_over = !rekey::advance(tx, operation, written.values.into(), at).await?;
            Ok(written)
        })
    });
    match written.await {
        // The new key has gone, which only another replacement removes.
        Err(StoreError::ForeignKey) if !goes_on(store, operation).await? => Ok(Written {
            is_over: true,
            ..Written::default()
        }),
        written => written,
    }
}

async fn goes_on(store: &Store, operation: OperationId) -> Result<bool, StoreError> {
    let row = rekey::load(store).await?;
    Ok(row.is_some_and(|row| row.operation_id == operation))
}
