//! Users with their secrets.

use std::collections::HashSet;

use bosa_auth_core::password::cost_of;
use bosa_auth_core::{ClientId, SecretKind, UserId, UserState};
use bosa_auth_store::users::{self, StoredSecret, UserRow};
use bosa_auth_store::{ImportKind, ImportMarker, ImportOutcome, OriginalUser, import_markers};
use uuid::Uuid;

use super::names::Among;
use super::report::{Found, What};
use super::run::{End, Here, Plan, Run, by_client};
use super::write::{Row, Write};
use crate::error::Result;

const KIND: ImportKind = ImportKind::User;

impl Run<'_> {
    pub(super) async fn plan_users(&mut self, rows: &[OriginalUser]) -> Result<Plan> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let markers = import_markers::find_all(&self.inner().store, KIND, &ids).await?;
        let is_new = |row: &&OriginalUser| {
            let marker = markers.get(&row.id);
            marker.is_none_or(|marker| marker.outcome != ImportOutcome::Imported)
        };
        let taken = self.taken_identifiers(rows.iter().filter(is_new)).await?;
        let mut plan = Plan::default();
        for row in rows {
            match (markers.get(&row.id), row.client_id) {
                (Some(marker), _) if marker.outcome == ImportOutcome::Imported => {
                    self.look_again_at_user(&mut plan, row, marker).await?;
                }
                (marker, Some(client)) => {
                    let is_taken = taken.contains(&row.id);
                    self.plan_user(&mut plan, row, client.into(), marker, is_taken)
                        .await?;
                }
                (marker, None) => {
                    self.skip_user(&mut plan, row, marker, "belongs to no client");
                }
            }
        }
        Ok(plan)
    }

    /// Which of these users have an identifier that is taken here.
    async fn taken_identifiers(
        &self,
        rows: impl Iterator<Item = &OriginalUser>,
    ) -> Result<HashSet<Uuid>> {
        let store = &self.inner().store;
        let named = rows.filter_map(|row| Some((row.client_id?, (row.id, name(row)))));
        let of_clients = by_client(named);
        let mut taken = HashSet::new();
        for (client, users) in of_clients {
            let names: Vec<_> = users.iter().map(|(_, name)| name.clone()).collect();
            let readings = store.client(client).taken_readings(&names);
            let found = store.together(readings).await?;
            let found: HashSet<_> = found.into_iter().flatten().collect();
            let users = users.into_iter().filter(|(_, name)| found.contains(name));
            taken.extend(users.map(|(id, _)| id));
        }
        Ok(taken)
    }

    /// A user that was imported earlier: only its end in the source counts.
    async fn look_again_at_user(
        &mut self,
        plan: &mut Plan,
        row: &OriginalUser,
        marker: &ImportMarker,
    ) -> Result<()> {
        let id = UserId::from(row.id);
        let is_active = is_active(row);
        let mut ended = None;
        if marker.was_active != is_active {
            // It may have another client there by now.
            let here = users::find(&self.inner().store, id).await?;
            let here = here.filter(|here| here.user.state == UserState::Active);
            if let Some(here) = here.filter(|_| !is_active) {
                plan.ends.push(End::User(here.user.client_id, id));
                ended = Some("was switched off in the source since");
            }
            plan.remember_activity(marker, is_active);
        }
        plan.found.push(Found {
            id: row.id,
            what: What::AlreadyThere(ended),
        });
        Ok(())
    }

    async fn plan_user(
        &mut self,
        plan: &mut Plan,
        row: &OriginalUser,
        client_id: ClientId,
        before: Option<&ImportMarker>,
        is_taken: bool,
    ) -> Result<()> {
        match self.client(client_id.as_uuid()) {
            Here::Present { .. } => {}
            Here::Deleted => {
                self.skip_user(plan, row, before, "its client was deleted here");
                return Ok(());
            }
            Here::Skipped => {
                self.skip_user(plan, row, before, "its client was not imported");
                return Ok(());
            }
        }
        let mut repairs = Vec::new();
        let original_name = name(row);
        if row.identifier.is_none() {
            repairs.push("had no identifier: its id is its identifier");
        }
        let identifier = self
            .free_name(Among::Users(client_id), &original_name, is_taken)
            .await?;
        let mut marker = self.imported(KIND, row.id, is_active(row));
        if identifier != original_name {
            repairs.push(
                "its identifier is taken here: it has another one, and logs in with the old one",
            );
            marker.former_name = Some(original_name);
        }
        if row.is_active.is_none() {
            repairs.push("is_active was null: it is active, since the original lets it in");
        }
        let (secret_kind, secret) = match &row.secret {
            Some(hash) if cost_of(hash).is_some() => {
                (SecretKind::Imported, StoredSecret::Hash(hash.clone()))
            }
            _ => {
                repairs.push("has no usable secret: reset it");
                (SecretKind::Generated, self.nobodys_secret()?)
            }
        };
        let preview = row
            .secret_preview
            .as_deref()
            .filter(|preview| secret_kind == SecretKind::Imported && is_preview(preview));
        let user = UserRow {
            client_id,
            id: UserId::from(row.id),
            identifier,
            state: match is_active(row) {
                true => UserState::Active,
                false => UserState::Suspended,
            },
            generation: 0,
            version: 0,
            secret_kind,
            secret_version: 0,
            secret,
            secret_preview: preview.map(str::to_owned),
            created_at: self.now,
            updated_at: self.now,
        };
        plan.writes.push(Write {
            row: Row::User(Box::new(user)),
            marker,
        });
        plan.found.push(Found {
            id: row.id,
            what: What::Imported(repairs),
        });
        Ok(())
    }

    fn skip_user(
        &mut self,
        plan: &mut Plan,
        row: &OriginalUser,
        before: Option<&ImportMarker>,
        reason: &'static str,
    ) {
        if self.dry_run {
            self.skipped_users.insert(row.id);
        }
        self.skip(plan, KIND, row.id, before, reason);
    }

    /// A digest that no secret has.
    fn nobodys_secret(&self) -> Result<StoredSecret> {
        let inner = self.inner();
        let (key, _) = inner.digest_keys.active();
        let mut digest = [0; 32];
        inner.entropy.fill(&mut digest)?;
        Ok(StoredSecret::Digest {
            digest: digest.into(),
            key,
        })
    }
}

/// What it is called there, or its id.
fn name(row: &OriginalUser) -> String {
    let own = row.identifier.clone();
    own.unwrap_or_else(|| row.id.to_string())
}

/// Only an explicit `false` was meant: the original never looks at it.
fn is_active(row: &OriginalUser) -> bool {
    row.is_active != Some(false)
}

/// What the original shows of a secret, and nothing longer.
fn is_preview(text: &str) -> bool {
    text.strip_prefix("sk-user-...")
        .is_some_and(|shown| shown.len() == 8 && shown.is_ascii())
}
