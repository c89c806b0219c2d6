//! A token that is used lives longer, where the configuration says so.

use bosa_auth_core::Timestamp;
use bosa_auth_store::ClientTx;
use bosa_auth_store::tokens::TokenRow;

use super::state::check_state;
use super::{after, earlier};
use crate::auth::Inner;
use crate::cache::TokenFacts;
use crate::error::{Error, Result};

/// An idle end moves only when at least this part of the idle time has passed, so that a busy token
/// is not written at every verification.
const SLIDE_AT_LEAST: i64 = 10;

impl Inner {
    /// Moves the idle end of a token that is being used; returns today's.
    pub(super) async fn slide(&self, row: &TokenRow, now: Timestamp) -> Result<Option<Timestamp>> {
        let Some(next) = self.next_idle_end(row, now)? else {
            return Ok(row.idle_end);
        };
        let (client_id, id) = (row.client_id, row.id);
        let moved = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    ClientTx::new(tx, client_id)
                        .slide_token(id, next, now)
                        .await
                        .map_err(Error::from)
                })
            })
            .await?;
        if moved {
            return Ok(Some(next));
        }
        // Somebody else moved it, or ended the token.
        let again = self
            .store
            .client(client_id)
            .token(id)
            .await?
            .ok_or(Error::InvalidToken)?;
        check_state(&TokenFacts::from(&again), now)?;
        Ok(again.token.idle_end)
    }

    /// Where the idle end of a token that is used now should move; `None` when it stays.
    pub(super) fn next_idle_end(
        &self,
        row: &TokenRow,
        now: Timestamp,
    ) -> Result<Option<Timestamp>> {
        let (Some(minutes), Some(idle_end)) = (self.settings.sliding_minutes, row.idle_end) else {
            return Ok(None);
        };
        let next = earlier(row.expires_at, Some(after(now, minutes * 60)?));
        let moves = next.as_second() - idle_end.as_second() >= minutes * 60 / SLIDE_AT_LEAST;
        Ok(moves.then_some(next))
    }
}
