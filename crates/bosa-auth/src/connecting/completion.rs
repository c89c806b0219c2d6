//! Completing a connection: the client takes over an account with the code that the returning browser
//! carried.
//!
//! Only the client knows who sits at that browser. Until it has posted the code for the user whom it
//! knows there, the account cannot be read, so that an account never goes to a user who was not at the
//! browser when its owner consented.

use std::sync::Arc;

use bosa_auth_connect::random_text;
use bosa_auth_core::{AuditAction, ConnectorName, IntegrationId, Scope, Secret, Timestamp, UserId};
use bosa_auth_store::{ClientTx, Completion, IntegrationRow, Opaque};

use super::digests::{Kind, stored};
use super::{LASTS, is_secret};
use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::model::{Created, ThirdPartyIntegrationAuth};
use crate::operation::{Settled, Written};
use crate::principal::{CurrentUser, Tenant};
use crate::tenant::{describe, model};

/// The secret half of a completion code, while its account is not known yet.
#[derive(Debug)]
pub(super) struct CompletionSecret(Secret);

impl CompletionSecret {
    pub(super) fn generate(inner: &Inner) -> Result<Self> {
        Ok(Self(random_text(inner.entropy.as_ref())?))
    }

    /// What is kept with the account.
    pub(super) fn kept(
        &self,
        inner: &Inner,
        account: IntegrationId,
        now: Timestamp,
    ) -> Result<Completion> {
        let (digest_key_id, key) = inner.digest_keys.active();
        let digest = Kind::Completion.digest(&key, &[&account.to_string(), self.0.expose()]);
        Ok(Completion {
            digest: stored(&digest),
            digest_key_id,
            expires_at: now.checked_add(LASTS).map_err(Error::internal)?,
        })
    }

    /// The code that the browser carries.
    pub(super) fn code(&self, account: IntegrationId) -> Secret {
        Secret::new(format!("{account}.{}", self.0.expose()))
    }
}

impl CurrentUser {
    /// As [`Tenant::complete_connection`], for the user of the token.
    ///
    /// # Errors
    /// As there. `InvalidClient`: no client key came along with the token.
    pub async fn complete_connection(
        &self,
        connector: &str,
        completion_code: &Secret,
    ) -> Result<Created<ThirdPartyIntegrationAuth>> {
        if self.api_key_id.is_none() {
            return Err(Error::InvalidClient);
        }
        let tenant = &self.tenant;
        tenant
            .complete_connection(self.user_id, connector, completion_code)
            .await
    }
}

impl Tenant {
    /// Takes over an account that waits for its code, so that it can be read.
    ///
    /// The code is the `completion_code` with which the browser came back; it is good for ten minutes
    /// and one use.
    ///
    /// # Errors
    /// `InvalidInput`: no account of this user at this connector waits for the code any more, one
    /// message for every reason. `PermissionDenied`: the key lacks `integrations:write`.
    pub async fn complete_connection(
        &self,
        user_id: UserId,
        connector: &str,
        completion_code: &Secret,
    ) -> Result<Created<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsWrite)?;
        let connector = ConnectorName::parse(connector)?;
        self.require_active_user(user_id).await?;
        let (inner, client_id) = (self.auth.inner.clone(), self.id());
        let Some((id, secret)) = parse(completion_code) else {
            return Err(not_waiting());
        };
        let mut reader = inner.store.client(client_id);
        let found = reader.granted_integration(id).await?;
        let found = found.filter(|found| {
            let row = &found.integration;
            row.user_id == user_id && row.connector == connector.as_str()
        });
        let Some(found) = found else {
            return Err(not_waiting());
        };
        let grant = found.grant.as_ref();
        let waits_for = grant.and_then(|grant| grant.row.completion.as_ref());
        let digest = digest(&inner, waits_for, id, secret).await?;
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationComplete,
            Some(client_id),
            Some(id.as_uuid()),
            Some(describe(&found.integration)),
        )?;
        let at = event.at;
        let operation = self
            .idempotency
            .operation(&inner, &self.actor, event, id.as_uuid());
        let completing = Arc::new((digest, operation));
        let made = completing.clone();
        let written = inner.store.write(move |tx| {
            let made = made.clone();
            Box::pin(async move {
                let (digest, operation) = made.as_ref();
                let opening = operation.open(tx);
                let mut scope = ClientTx::new(&mut *tx, client_id);
                let completed = scope.complete_integration(user_id, digest, at).await;
                if let Some(earlier) = opening.earlier(tx)? {
                    return Ok(Written::Earlier(earlier));
                }
                completed?.map(Written::Now).ok_or_else(not_waiting)
            })
        });
        let settled = completing.1.settle(&inner, written.await).await?;
        let replayed = matches!(settled, Settled::Replay(_));
        let row = match settled {
            Settled::Now(row) => row,
            Settled::Before => self.integration_by_id(user_id, id).await?,
            Settled::Replay(id) => self.integration_by_id(user_id, id.into()).await?,
        };
        account(&row, replayed)
    }
}

fn account(row: &IntegrationRow, replayed: bool) -> Result<Created<ThirdPartyIntegrationAuth>> {
    Ok(Created {
        resource: model(row, Secret::default())?,
        replayed,
    })
}

/// The digest of the code, as an account that waits for it has it. One that waits for nothing is not
/// found by any, and an earlier request of the same idempotency key is.
async fn digest(
    inner: &Inner,
    waits_for: Option<&Completion>,
    id: IntegrationId,
    secret: &str,
) -> Result<Opaque> {
    let keys = &inner.digest_keys;
    let key = match waits_for {
        Some(waits_for) => {
            let key_id = waits_for.digest_key_id;
            keys.get(key_id, &inner.store, &inner.root_keys).await?
        }
        None => keys.active().1,
    };
    Ok(stored(
        &Kind::Completion.digest(&key, &[&id.to_string(), secret]),
    ))
}

fn parse(code: &Secret) -> Option<(IntegrationId, &str)> {
    let (id, secret) = code.expose().split_once('.')?;
    let id = id.parse().ok()?;
    is_secret(secret).then_some((id, secret))
}

fn not_waiting() -> Error {
    Error::invalid("completion_code", "is not known, was used, or has ended")
}
