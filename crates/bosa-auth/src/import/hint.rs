//! Saying at the start that there is something to import.

use bosa_auth_store::{PageQuery, StoreError, clients, original};

use crate::auth::Inner;

impl Inner {
    /// Says how to import when the tables of the original lie beside ours, and ours are empty.
    pub(crate) async fn hint_at_import(&self) {
        match self.is_importable().await {
            Ok(false) => {}
            Ok(true) => tracing::warn!(
                "this database also holds the tables of BOSA Core Authentication, and no client is here yet; \
                 to take them over, run: bosa-auth import bosa --dry-run"
            ),
            // The start itself does not depend on it.
            Err(error) => {
                tracing::debug!(%error, "whether there is anything to import is not known")
            }
        }
    }

    async fn is_importable(&self) -> Result<bool, StoreError> {
        if !original::is_beside(self.store.db()).await? {
            return Ok(false);
        }
        let first = PageQuery {
            after: None,
            limit: 1,
        };
        Ok(clients::page(&self.store, first).await?.items.is_empty())
    }
}
