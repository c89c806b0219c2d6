//! Ending here what was ended in the source since it was imported.

use super::run::{End, Run};
use crate::error::{Error, Result};
use crate::model::{ClientUpdate, UserUpdate};

impl Run<'_> {
    /// Ends one thing, unless this is a dry run; what is gone meanwhile has ended too.
    pub(super) async fn end(&self, end: End) -> Result<()> {
        if self.dry_run {
            return Ok(());
        }
        match self.end_now(end).await {
            Err(Error::NotFound { .. }) => Ok(()),
            ended => ended,
        }
    }

    async fn end_now(&self, end: End) -> Result<()> {
        match end {
            End::Client(id) => {
                let update = ClientUpdate {
                    is_active: Some(false),
                    ..ClientUpdate::default()
                };
                self.operator.update_client(id, update).await?;
            }
            End::User(client_id, id) => {
                let update = UserUpdate {
                    is_active: Some(false),
                    ..UserUpdate::default()
                };
                let tenant = self.operator.tenant(client_id).await?;
                tenant.update_user(id, update).await?;
            }
            End::Token(client_id, user_id, id) => {
                let tenant = self.operator.tenant(client_id).await?;
                tenant.revoke_token_by_id(user_id, id).await?;
            }
        }
        Ok(())
    }
}
