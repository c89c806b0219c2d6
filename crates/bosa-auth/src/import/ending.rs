//! Ending here what was ended in the source since it was imported.

use std::sync::Arc;

use bosa_auth_core::{AuditAction, ClientId, TokenId};
use bosa_auth_store::{ClientTx, Revocation, audit};

use super::run::{End, Run};
use crate::error::{Error, Result};
use crate::memory::{Change, Outcome};
use crate::model::{ClientUpdate, UserUpdate};

impl Run<'_> {
    /// Ends one thing, unless this is a dry run; what is gone meanwhile has ended too.
    pub(super) async fn end(&self, end: End) -> Result<()> {
        if self.dry_run {
            return Ok(());
        }
        let ended = match end {
            End::Client(id) => {
                let update = ClientUpdate {
                    is_active: Some(false),
                    ..ClientUpdate::default()
                };
                self.operator.update_client(id, update).await.map(drop)
            }
            End::User(client_id, id) => {
                let update = UserUpdate {
                    is_active: Some(false),
                    ..UserUpdate::default()
                };
                match self.operator.tenant(client_id).await {
                    Ok(tenant) => tenant.update_user(id, update).await.map(drop),
                    Err(error) => Err(error),
                }
            }
            End::Token(client_id, id) => self.revoke(client_id, id).await,
        };
        match ended {
            Err(Error::NotFound { .. }) => Ok(()),
            ended => ended,
        }
    }

    async fn revoke(&self, client_id: ClientId, id: TokenId) -> Result<()> {
        let inner = self.inner();
        let event = Arc::new(inner.event(
            &self.operator.actor,
            AuditAction::TokenRevoke,
            Some(client_id),
            Some(id.as_uuid()),
            None,
        )?);
        inner
            .narrow(Change::of_token(client_id, id), move |tx| {
                let event = event.clone();
                Box::pin(async move {
                    let revocation = ClientTx::new(&mut *tx, client_id)
                        .revoke_token(id, event.id, event.at)
                        .await?;
                    Ok(match revocation {
                        Revocation::Done => {
                            // The token itself tells of an earlier attempt.
                            drop(audit::record_later(tx, &event));
                            Outcome::Changed(())
                        }
                        Revocation::DoneBefore | Revocation::NotLive => Outcome::Unchanged(()),
                    })
                })
            })
            .await
    }
}
