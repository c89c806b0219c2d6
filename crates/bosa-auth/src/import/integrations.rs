//! Accounts at other services, their values sealed anew.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use bosa_auth_core::vault::DataKey;
use bosa_auth_core::{ClientId, DataKeyId, IntegrationId, UserId};
use bosa_auth_store::{
    AccountPlace, DataKeyRow, ImportKind, ImportMarker, ImportOutcome, IntegrationChange,
    IntegrationRow, Original, OriginalIntegration, import_markers,
};
use uuid::Uuid;

use super::names::Among;
use super::opening::Opened;
use super::report::{Found, What};
use super::run::{Here, Plan, Run, Users, by_client};
use super::write::{Row, Write};
use crate::error::{Error, Result};
use crate::tenant::{new_account, open_credential};
use crate::vault::{Place, open_data_key};

const KIND: ImportKind = ImportKind::Integration;
/// The first schema version that knows default accounts.
const DEFAULTS_SINCE: i64 = 2;

/// Finds out by the order of the accounts which sets have no default account, or several.
///
/// The accounts of a set follow each other, the one first that becomes the default.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    set: Option<Set>,
}

/// User, client and connector.
pub(super) type Set = (Option<Uuid>, Option<Uuid>, Option<String>);

fn set_of(row: &OriginalIntegration) -> Set {
    (row.user_id, row.client_id, row.connector.clone())
}

impl Defaults {
    pub(super) fn look_at(
        &mut self,
        original: &Original,
        rows: &[OriginalIntegration],
    ) -> HashMap<Uuid, &'static str> {
        let mut repairs = HashMap::new();
        for row in rows {
            let set = set_of(row);
            let is_first = self.set.as_ref() != Some(&set);
            let is_selected = row.selected == Some(true);
            let repair = match (is_first, is_selected) {
                (true, false) => Some("its connector had no default account: the newest is it"),
                (false, true) => {
                    Some("its connector had several default accounts: the newest is it")
                }
                _ => None,
            };
            if let Some(repair) = repair
                && original.version() >= DEFAULTS_SINCE
            {
                repairs.insert(row.id, repair);
            }
            self.set = Some(set);
        }
        repairs
    }
}

impl Run<'_> {
    pub(super) async fn plan_integrations(
        &mut self,
        rows: &[OriginalIntegration],
        repairs: &HashMap<Uuid, &'static str>,
    ) -> Result<Plan> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let markers = import_markers::find_all(&self.inner().store, KIND, &ids).await?;
        let mut plan = Plan {
            lost_default: self.lost_default.clone(),
            ..Plan::default()
        };
        let mut keys = Keys::default();
        let is_known = |row: &OriginalIntegration| {
            let marker = markers.get(&row.id);
            marker.is_some_and(|marker| marker.outcome == ImportOutcome::Imported)
        };
        let (known, new): (Vec<_>, Vec<_>) = rows.iter().partition(|row| is_known(row));
        let mut here = self.accounts_here(&known).await?;
        let owners = new.iter().map(|row| (row.client_id, row.user_id));
        let users = self.users(owners).await?;
        let taken = self.taken_names(&new).await?;
        for row in rows {
            let marker = markers.get(&row.id);
            if let Some(marker) = marker
                && marker.outcome == ImportOutcome::Imported
            {
                let here = here.remove(&row.id);
                self.look_again_at_integration(&mut plan, row, &mut keys, marker, here)
                    .await?;
                continue;
            }
            let before = Before {
                marker,
                repair: repairs.get(&row.id).copied(),
                users: &users,
                is_taken: taken.contains(&row.id),
            };
            self.plan_integration(&mut plan, row, &mut keys, &before)
                .await?;
            let repair = before.repair;
            let is_skipped = matches!(
                plan.found.last(),
                Some(Found {
                    what: What::Skipped(_),
                    ..
                })
            );
            if is_skipped && (row.selected == Some(true) || repair.is_some()) {
                plan.lost_default = Some(set_of(row));
            }
        }
        Ok(plan)
    }

    /// Those of the accounts that are here.
    async fn accounts_here(
        &self,
        rows: &[&OriginalIntegration],
    ) -> Result<HashMap<Uuid, IntegrationRow>> {
        let store = &self.inner().store;
        let named = rows
            .iter()
            .filter_map(|row| Some((row.client_id?, row.id.into())));
        let of_clients = by_client(named);
        let readings = of_clients
            .iter()
            .flat_map(|(client, ids)| store.client(*client).integrations_by_id_readings(ids));
        let found = store.together(readings.collect::<Vec<_>>()).await?;
        let found = found.into_iter().flatten();
        Ok(found.map(|row| (row.id.as_uuid(), row)).collect())
    }

    /// Which of these accounts have a name that is taken here.
    async fn taken_names(&self, rows: &[&OriginalIntegration]) -> Result<HashSet<Uuid>> {
        let store = &self.inner().store;
        let (mut ids, mut readings) = (Vec::new(), Vec::new());
        for row in rows {
            if let (Some(client), Some(user)) = (row.client_id, row.user_id) {
                let client = store.client(ClientId::from(client));
                let (connector, name) = (text(&row.connector), text(&row.user_identifier));
                ids.push(row.id);
                readings.push(client.named_id_reading(user.into(), connector, name));
            }
        }
        let found = store.together(readings).await?;
        let taken = ids.into_iter().zip(found);
        Ok(taken
            .filter(|(_, found)| found.is_some_and(|found| self.is_left(found)))
            .map(|(id, _)| id)
            .collect())
    }

    /// Whether an account becomes the default only because the one that is it in the source was
    /// skipped.
    async fn stands_in(
        &self,
        plan: &mut Plan,
        row: &OriginalIntegration,
        place: &AccountPlace,
    ) -> Result<bool> {
        if plan.lost_default.as_ref() != Some(&set_of(row)) {
            return Ok(false);
        }
        plan.lost_default = None;
        let mut client = self.inner().store.client(place.client_id);
        let is_one_here = client.has_integration(place.user_id, &place.connector);
        Ok(!is_one_here.await?)
    }

    /// An account that was imported earlier: another value in the source counts, unless the account was
    /// changed here, where it then has another time of change.
    async fn look_again_at_integration(
        &self,
        plan: &mut Plan,
        row: &OriginalIntegration,
        keys: &mut Keys,
        marker: &ImportMarker,
        here: Option<IntegrationRow>,
    ) -> Result<()> {
        let here = here.filter(|account| account.updated_at == marker.imported_at);
        let what = match self.changed_value(row, keys, here).await? {
            Some((account, opened)) => {
                let (client_id, id) = (account.client_id, account.id);
                let key = keys.of(self, client_id).await?;
                let entropy = self.inner().entropy.as_ref();
                let sealed = Place::credential(&account).seal_text(key, &opened.plain, entropy)?;
                let change = IntegrationChange {
                    version: account.version,
                    auth_scopes: scopes(row.auth_scopes.as_deref(), &mut Vec::new())?,
                    sealed: sealed.bytes,
                    data_key_id: sealed.key_id,
                    auth_status: account.auth_status,
                    subject: account.subject,
                    at: account.updated_at,
                };
                plan.writes.push(Write {
                    row: Row::Value(client_id, id, Box::new(change)),
                    marker: marker.clone(),
                });
                What::Updated("has another value or other scopes in the source since")
            }
            None => What::AlreadyThere(None),
        };
        plan.found.push(Found { id: row.id, what });
        Ok(())
    }

    async fn changed_value(
        &self,
        row: &OriginalIntegration,
        keys: &mut Keys,
        here: Option<IntegrationRow>,
    ) -> Result<Option<(IntegrationRow, Opened)>> {
        let stored = row.auth_string.as_ref();
        let opened = stored.and_then(|stored| self.opening.open(stored).ok());
        let (Some(account), Some(opened)) = (here, opened) else {
            return Ok(None);
        };
        let Some(key) = keys.former(self, &account).await? else {
            return Ok(None);
        };
        let here = open_credential(&self.operator.auth, &account, key)?;
        let auth_scopes = scopes(row.auth_scopes.as_deref(), &mut Vec::new())?;
        let is_same = here.expose() == opened.plain.expose() && account.auth_scopes == auth_scopes;
        Ok((!is_same).then_some((account, opened)))
    }

    /// Whose account it is, with its value; or why it is not imported.
    fn importable(
        &self,
        row: &OriginalIntegration,
        users: &Users,
    ) -> std::result::Result<(ClientId, UserId, Opened), &'static str> {
        let (Some(client), Some(user)) = (row.client_id, row.user_id) else {
            return Err("belongs to no user or no client");
        };
        // Whoever stored it was another client than the user's: it is not that one's to read.
        if row.user_client_id != Some(client) {
            return Err("its user belongs to another client");
        }
        match users.get(self, client, user) {
            Here::Present { .. } => {}
            Here::Deleted => return Err("its user or client was deleted here"),
            Here::Skipped => return Err("its user was not imported"),
        }
        let stored = row.auth_string.as_ref().ok_or("has no value")?;
        Ok((client.into(), user.into(), self.opening.open(stored)?))
    }

    async fn plan_integration(
        &mut self,
        plan: &mut Plan,
        row: &OriginalIntegration,
        keys: &mut Keys,
        before: &Before<'_>,
    ) -> Result<()> {
        let (client_id, user_id, opened) = match self.importable(row, before.users) {
            Ok(importable) => importable,
            Err(reason) => {
                self.skip(plan, KIND, row.id, before.marker, reason);
                return Ok(());
            }
        };
        let mut repairs: Vec<_> = before.repair.into_iter().chain(opened.repair).collect();
        let connector = row.connector.clone().unwrap_or_default();
        let original_name = row.user_identifier.clone().unwrap_or_default();
        let among = Among::Accounts(client_id, user_id, &connector);
        let name = self
            .free_name(among, &original_name, before.is_taken)
            .await?;
        let mut marker = self.imported(KIND, row.id, true);
        if name != original_name {
            repairs.push("its name is taken here: it has another one");
            marker.former_name = Some(original_name);
        }
        let place = AccountPlace {
            client_id,
            id: IntegrationId::from(row.id),
            user_id,
            connector,
            user_identifier: name,
        };
        if self.stands_in(plan, row, &place).await? {
            repairs.push("the default account of its connector was skipped: it is the default");
        }
        if place.connector.is_empty() {
            repairs.push("its connector is empty: it is listed, and cannot be asked for by name");
        }
        let mut account = IntegrationRow {
            auth_scopes: scopes(row.auth_scopes.as_deref(), &mut repairs)?,
            created_at: row.created_at.unwrap_or(self.now),
            ..new_account(place, self.now)
        };
        if !self.dry_run {
            let key = keys.of(self, client_id).await?;
            let sealed = Place::credential(&account).seal_text(
                key,
                &opened.plain,
                self.inner().entropy.as_ref(),
            )?;
            (account.sealed, account.data_key_id) = (sealed.bytes, sealed.key_id);
        }
        plan.writes.push(Write {
            row: Row::Integration(Box::new(account)),
            marker,
        });
        plan.found.push(Found {
            id: row.id,
            what: What::Imported(repairs),
        });
        Ok(())
    }
}

/// What is known of an account before it is looked at.
struct Before<'p> {
    marker: Option<&'p ImportMarker>,
    repair: Option<&'static str>,
    users: &'p Users,
    /// Whether its name is taken here.
    is_taken: bool,
}

/// The data keys of the clients of a portion.
#[derive(Debug, Default)]
struct Keys {
    /// Open, those that seal new values.
    active: HashMap<ClientId, DataKey>,
    /// Those that have sealed what is here.
    former: HashMap<DataKeyId, Option<DataKeyRow>>,
}

impl Keys {
    async fn of(&mut self, run: &Run<'_>, client_id: ClientId) -> Result<&DataKey> {
        Ok(match self.active.entry(client_id) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => {
                let inner = run.inner();
                let row = inner.store.client(client_id).active_data_key().await?;
                let row = row.ok_or(Error::NotFound { what: "client" })?;
                place.insert(open_data_key(inner, client_id, &row)?)
            }
        })
    }

    async fn former(
        &mut self,
        run: &Run<'_>,
        account: &IntegrationRow,
    ) -> Result<Option<&DataKeyRow>> {
        let id = account.data_key_id;
        let found = match self.former.entry(id) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => {
                let mut client = run.inner().store.client(account.client_id);
                place.insert(client.data_key(id).await?)
            }
        };
        Ok(found.as_ref())
    }
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

/// The scopes as they are stored here; each is kept as it is.
fn scopes(stored: Option<&str>, repairs: &mut Vec<&'static str>) -> Result<String> {
    let all: Option<Vec<Option<String>>> = match stored {
        Some(stored) => serde_json::from_str(stored).ok(),
        None => None,
    };
    let Some(all) = all else {
        repairs.push("its scopes are no list: it has none");
        return Ok("[]".to_owned());
    };
    if all.contains(&None) {
        repairs.push("a scope was null: it is left out");
    }
    let kept: Vec<String> = all.into_iter().flatten().collect();
    serde_json::to_string(&kept).map_err(Error::internal)
}
