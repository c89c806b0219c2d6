//! The beginning: a page of ours for the user.

use std::sync::Arc;

use bosa_auth_connect::random_text;
use bosa_auth_core::{
    Actor, ApiKeyId, AuditAction, ConnectorName, IntegrationId, Scope, Secret, UserId,
};
use bosa_auth_store::{ClientTx, ConnectStateRow, KeyedDigest};
use serde_json::json;

use super::digests::{Kind, stored};
use super::{BegunConnection, LASTS, MOST_UNDER_WAY, NewConnection, return_address};
use crate::error::{Error, Result};
use crate::model::Created;
use crate::operation::{Settled, Written};
use crate::principal::{CurrentUser, Tenant};

impl CurrentUser {
    /// Begins to connect an account of the user through its provider. The answer is the address of
    /// the page where the user goes on in a browser.
    ///
    /// It is good for ten minutes. A user has at most 20 connections under way: one more ends the
    /// oldest.
    ///
    /// # Errors
    /// `InvalidInput`: the connector takes no accounts by OAuth or has no OAuth client, or browsers
    /// may not be sent to `callback_url`. `NotFound`: there is no such connector. `Configuration`: it
    /// is not known where browsers reach this server. `PermissionDenied`: the key beside the token
    /// lacks `integrations:write`.
    pub async fn begin_connection(&self, new: NewConnection) -> Result<Created<BegunConnection>> {
        self.tenant.begin(self.user_id, self.api_key_id, new).await
    }
}

impl Tenant {
    /// As [`CurrentUser::begin_connection`], for a user of the client.
    ///
    /// # Errors
    /// As there. `Unauthorized`: unknown, foreign or suspended user.
    pub async fn begin_connection(
        &self,
        user_id: UserId,
        new: NewConnection,
    ) -> Result<Created<BegunConnection>> {
        self.begin(user_id, self.api_key_id(), new).await
    }

    /// The API key that the caller has, if it is one.
    pub(crate) fn api_key_id(&self) -> Option<ApiKeyId> {
        match self.actor {
            Actor::ApiKey(id) => Some(id),
            _ => None,
        }
    }

    async fn begin(
        &self,
        user_id: UserId,
        api_key_id: Option<ApiKeyId>,
        new: NewConnection,
    ) -> Result<Created<BegunConnection>> {
        self.require(Scope::IntegrationsWrite)?;
        let (inner, client_id) = (self.auth.inner.clone(), self.id());
        let connector = ConnectorName::parse(&new.connector)?;
        let client = self.auth.oauth_client(Some(client_id), &connector).await?;
        let callback_url = new.callback_url.as_deref();
        let return_address =
            return_address::checked(&inner, client_id, &connector, &client, callback_url)?;
        let public_url = inner.public_url()?;
        self.require_active_user(user_id).await?;
        let secret = random_text(inner.entropy.as_ref())?;
        let url = public_url.connect_page(&secret);
        let (key_id, key) = inner.digest_keys.active();
        let page = KeyedDigest {
            digest: stored(&Kind::Page.digest(&key, &[secret.expose()])),
            key_id,
        };
        let now = inner.clock.now();
        let row = ConnectStateRow {
            client_id,
            id: IntegrationId::generate(now, inner.entropy.as_ref())?,
            user_id,
            connector: connector.as_str().to_owned(),
            api_key_id,
            return_address,
            replaces: new.replace_duplicate,
            created_at: now,
            expires_at: now.checked_add(LASTS).map_err(Error::internal)?,
        };
        let detail = json!({ "user": user_id.to_string(), "connector": connector.as_str() });
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationConnectBegin,
            Some(client_id),
            Some(row.id.as_uuid()),
            Some(detail.to_string()),
        )?;
        let resource = row.id.as_uuid();
        let operation = self
            .idempotency
            .operation(&inner, &self.actor, event, resource);
        let begun = Arc::new((row, page, operation));
        let made = begun.clone();
        let written = inner.store.write(move |tx| {
            let made = made.clone();
            Box::pin(async move {
                let (row, page, operation) = made.as_ref();
                let opening = operation.open(tx);
                let mut scope = ClientTx::new(&mut *tx, client_id);
                let begun = scope.begin_connection(row, page, MOST_UNDER_WAY).await;
                if let Some(earlier) = opening.earlier(tx)? {
                    return Ok(Written::Earlier(earlier));
                }
                match begun? {
                    true => Ok(Written::Now(())),
                    false => Err(Error::Unauthorized),
                }
            })
        });
        let settled = begun.2.settle(&inner, written.await).await?;
        let replayed = matches!(settled, Settled::Replay(_));
        let url = if replayed { Secret::default() } else { url };
        Ok(Created {
            resource: BegunConnection { url },
            replayed,
        })
    }
}
