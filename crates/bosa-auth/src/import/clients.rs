//! Clients with their keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bosa_auth_core::{
    ApiKeyId, ClientId, ClientState, CredentialKind, Form, PresentedClientKey, ScopeSet, Secret,
    imported_digest,
};
use bosa_auth_store::{
    ApiKeyRow, ClientRow, ImportKind, ImportMarker, ImportOutcome, OriginalClient, clients,
    import_markers,
};

use super::names::Among;
use super::report::{Found, What};
use super::run::{End, Here, Plan, Run};
use super::write::{NewClient, Row, Write};
use crate::error::Result;
use crate::vault::new_data_key;

const KIND: ImportKind = ImportKind::Client;

impl Run<'_> {
    pub(super) async fn plan_clients(&mut self, rows: &[OriginalClient]) -> Result<Plan> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let markers = import_markers::find_all(&self.inner().store, KIND, &ids).await?;
        let store = &self.inner().store;
        let here = rows.iter().map(|row| clients::reading(row.id.into()));
        let named = rows.iter().map(|row| clients::named_reading(&name(row)));
        let readings = (here.collect::<Vec<_>>(), named.collect::<Vec<_>>());
        let (here, named) = store.together(readings).await?;
        let mut plan = Plan::default();
        for (row, (here, named)) in rows.iter().zip(here.into_iter().zip(named)) {
            match markers.get(&row.id) {
                Some(marker) if marker.outcome == ImportOutcome::Imported => {
                    self.look_again_at_client(&mut plan, row, marker, here);
                }
                marker if here.is_some() => {
                    let reason = "its id belongs to another client here";
                    self.skip(&mut plan, KIND, row.id, marker, reason);
                }
                _ => self.plan_client(&mut plan, row, named.is_some()).await?,
            }
        }
        Ok(plan)
    }

    /// A client that was imported earlier: only its end in the source counts.
    fn look_again_at_client(
        &mut self,
        plan: &mut Plan,
        row: &OriginalClient,
        marker: &ImportMarker,
        here: Option<ClientRow>,
    ) {
        let id = ClientId::from(row.id);
        let is_active = row.is_active == Some(true);
        let mut ended = None;
        if let Some(here) = &here
            && here.state == ClientState::Active
            && marker.was_active
            && !is_active
        {
            plan.ends.push(End::Client(id));
            ended = Some("was switched off in the source since");
        }
        self.clients.insert(
            row.id,
            here.map_or(Here::Deleted, |here| {
                Here::of_client(here.state, here.generation)
            }),
        );
        plan.remember_activity(marker, is_active);
        plan.found.push(Found {
            id: row.id,
            what: What::AlreadyThere(ended),
        });
    }

    async fn plan_client(
        &mut self,
        plan: &mut Plan,
        row: &OriginalClient,
        is_taken: bool,
    ) -> Result<()> {
        let inner = self.inner();
        let id = ClientId::from(row.id);
        let mut repairs = Vec::new();
        let original_name = name(row);
        if row.name.is_none() {
            repairs.push("had no name: its id is its name");
        }
        let name = self
            .free_name(Among::Clients, &original_name, is_taken)
            .await?;
        let mut marker = self.imported(KIND, row.id, row.is_active == Some(true));
        if name != original_name {
            repairs.push("its name is taken here: it has another one");
            marker.former_name = Some(original_name);
        }
        if row.is_active.is_none() {
            repairs.push("is_active was null: it is suspended, since the original refuses it");
        }
        if row.can_get_integrations.is_none() && self.original.version() >= 5 {
            repairs.push("can_get_integrations was null: it is false");
        }
        let api_key = match &row.secret {
            Some(secret) => self.api_key(id, secret)?,
            None => None,
        };
        if api_key.is_none() {
            repairs.push("has no usable key: make it a new one");
        }
        let (data_key, _) = new_data_key(inner, Some(id), &inner.active_root_key.id(), self.now)?;
        let client = ClientRow {
            id,
            name,
            state: match row.is_active {
                Some(true) => ClientState::Active,
                Some(false) | None => ClientState::Suspended,
            },
            can_get_integrations: row.can_get_integrations.unwrap_or(false),
            generation: 0,
            version: 0,
            created_at: row.created_at.unwrap_or(self.now),
            updated_at: self.now,
        };
        self.clients.insert(row.id, Here::Present { generation: 0 });
        plan.writes.push(Write {
            row: Row::Client(Box::new(NewClient {
                row: client,
                data_key,
                api_key,
            })),
            marker,
        });
        plan.found.push(Found {
            id: row.id,
            what: What::Imported(repairs),
        });
        Ok(())
    }

    /// The key of a client; `None` when its secret is not of a form that could be presented.
    fn api_key(&self, client_id: ClientId, secret: &Secret) -> Result<Option<ApiKeyRow>> {
        let id = URL_SAFE_NO_PAD.encode(client_id.to_string());
        let text = Secret::new(format!("sk-client-{id}..{}", secret.expose()));
        let is_presentable = PresentedClientKey::parse(text.expose())
            .is_ok_and(|key| key.form() == Form::Imported && key.id() == client_id.as_uuid());
        let Some(shown) = last_characters(secret).filter(|_| is_presentable) else {
            return Ok(None);
        };
        let (digest_key_id, digest_key) = self.inner().digest_keys.active();
        let digest = imported_digest(
            &digest_key,
            CredentialKind::ClientKey,
            client_id.as_uuid(),
            secret.expose(),
        );
        Ok(Some(ApiKeyRow {
            client_id,
            id: ApiKeyId::from(client_id.as_uuid()),
            form: Form::Imported,
            digest: (*digest.as_bytes()).into(),
            digest_key_id,
            preview: format!("sk-client-...{shown}"),
            scopes: ScopeSet::all(),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
            created_at: self.now,
        }))
    }
}

/// What it is called there, or its id.
fn name(row: &OriginalClient) -> String {
    let own = row.name.clone();
    own.unwrap_or_else(|| row.id.to_string())
}

/// As many as the original shows of a secret.
fn last_characters(secret: &Secret) -> Option<&str> {
    let text = secret.expose();
    text.get(text.len().checked_sub(8)?..)
}
