//! Tokens, as far as they are not over.

use std::collections::HashMap;
use std::time::Duration;

use bosa_auth_core::{ClientId, Form, Timestamp, TokenId, UserId};
use bosa_auth_store::tokens::TokenRow;
use bosa_auth_store::{ImportKind, ImportMarker, ImportOutcome, OriginalToken, import_markers};
use uuid::Uuid;

use super::report::{Found, LATER, OVER, What};
use super::run::{End, Here, Plan, Run, by_client};
use super::write::{Row, Write};
use crate::error::Result;
use crate::tenant::{IMPORTED_KEY, IMPORTED_KEY_OWN_END};

const KIND: ImportKind = ImportKind::Token;
/// How long the row of a token is kept whose end only the token itself tells: longer than any lifetime
/// that is accepted.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

impl Run<'_> {
    pub(super) async fn plan_tokens(&mut self, rows: &[OriginalToken]) -> Result<Plan> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let markers = import_markers::find_all(&self.inner().store, KIND, &ids).await?;
        let is_known = |row: &OriginalToken| {
            let marker = markers.get(&row.id);
            marker.is_some_and(|marker| marker.outcome == ImportOutcome::Imported)
        };
        let (known, new): (Vec<_>, Vec<_>) = rows.iter().partition(|row| is_known(row));
        let here = self.tokens_here(&known).await?;
        let users = new.iter().map(|row| (row.client_id, row.user_id));
        let users = self.users(users).await?;
        let mut plan = Plan::default();
        for row in rows {
            let marker = markers.get(&row.id);
            let (Some(client), Some(user_id)) = (row.client_id, row.user_id) else {
                self.skip(
                    &mut plan,
                    KIND,
                    row.id,
                    marker,
                    "belongs to no user or no client",
                );
                continue;
            };
            let client_id = ClientId::from(client);
            if let Some(marker) = marker
                && marker.outcome == ImportOutcome::Imported
            {
                let here = here.get(&row.id);
                self.look_again_at_token(&mut plan, row, client_id, marker, here);
                continue;
            }
            if row.user_client_id != Some(client) {
                let reason = "its user belongs to another client";
                self.skip(&mut plan, KIND, row.id, marker, reason);
                continue;
            }
            if end(row).is_some_and(|end| end <= self.now) {
                self.skip(&mut plan, KIND, row.id, marker, OVER);
                continue;
            }
            let here = users.get(self, client, user_id);
            self.plan_token(&mut plan, row, client_id, user_id, here, marker);
        }
        Ok(plan)
    }

    /// Those of the tokens that are here.
    async fn tokens_here(&self, rows: &[&OriginalToken]) -> Result<HashMap<Uuid, TokenRow>> {
        let store = &self.inner().store;
        let named = rows
            .iter()
            .filter_map(|row| Some((row.client_id?, TokenId::from(row.id))));
        let of_clients = by_client(named);
        let readings = of_clients
            .iter()
            .flat_map(|(client, ids)| store.client(*client).tokens_readings(ids));
        let found = store.together(readings.collect::<Vec<_>>()).await?;
        let found = found.into_iter().flatten();
        Ok(found.map(|found| (found.id.as_uuid(), found)).collect())
    }

    /// A token that was imported earlier: its revocation in the source counts, and a later end.
    fn look_again_at_token(
        &self,
        plan: &mut Plan,
        row: &OriginalToken,
        client_id: ClientId,
        marker: &ImportMarker,
        here: Option<&TokenRow>,
    ) {
        let id = TokenId::from(row.id);
        let here = here.filter(|here| here.revoked_at.is_none());
        let is_revoked = row.is_revoked == Some(true);
        let what = match (here, end(row)) {
            (Some(here), _) if is_revoked && here.expires_at > self.now => {
                plan.ends.push(End::Token(client_id, here.user_id, id));
                What::AlreadyThere(Some("was revoked in the source since"))
            }
            (Some(here), Some(end)) if !is_revoked && here.expires_at < end => {
                plan.writes.push(Write {
                    row: Row::TokenEnd(client_id, id, end),
                    marker: marker.clone(),
                });
                What::Updated(LATER)
            }
            _ => What::AlreadyThere(None),
        };
        plan.found.push(Found { id: row.id, what });
    }

    fn plan_token(
        &self,
        plan: &mut Plan,
        row: &OriginalToken,
        client_id: ClientId,
        user_id: Uuid,
        user: Here,
        before: Option<&ImportMarker>,
    ) {
        let skip = |plan: &mut Plan, reason| self.skip(plan, KIND, row.id, before, reason);
        match (self.client(client_id.as_uuid()), user) {
            (Here::Present { generation: 0 }, Here::Present { generation: 0 }) => {}
            // What was ended here must not go on by a token that was still issued there.
            (Here::Present { .. }, Here::Present { .. }) => {
                return skip(plan, "its user or client was signed out here");
            }
            (Here::Deleted, _) | (_, Here::Deleted) => {
                return skip(plan, "its user or client was deleted here");
            }
            (Here::Skipped, _) | (_, Here::Skipped) => {
                return skip(plan, "its user was not imported");
            }
        }
        let mut repairs = Vec::new();
        if row.is_revoked.is_none() {
            repairs.push("is_revoked was null: it is not revoked");
        }
        let (key, expires_at) = match end(row) {
            Some(end) => (IMPORTED_KEY, end),
            None => (IMPORTED_KEY_OWN_END, self.now + LONGEST),
        };
        let token = TokenRow {
            client_id,
            id: TokenId::from(row.id),
            user_id: UserId::from(user_id),
            signing_key_id: key.to_owned(),
            form: Form::Imported,
            client_generation: 0,
            user_generation: 0,
            issued_at: self.now,
            expires_at,
            idle_end: None,
            revoked_at: (row.is_revoked == Some(true)).then_some(self.now),
            revoke_operation: None,
        };
        plan.writes.push(Write {
            row: Row::Token(Box::new(token)),
            marker: self.imported(KIND, row.id, row.is_revoked != Some(true)),
        });
        plan.found.push(Found {
            id: row.id,
            what: What::Imported(repairs),
        });
    }
}

/// When the row says that the token ends; a time that no calendar of ours holds is past.
fn end(row: &OriginalToken) -> Option<Timestamp> {
    let seconds = row.expires_at?;
    Some(Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH))
}
