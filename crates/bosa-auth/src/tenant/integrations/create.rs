//! Storing an account.

use std::sync::Arc;

use bosa_auth_core::{
    AccountName, AuditAction, AuthStatus, ConnectorName, IntegrationId, Scope, Secret, Timestamp,
    UserId,
};
use bosa_auth_store::integrations::IntegrationRow;
use bosa_auth_store::{AccountPlace, ClientTx, DataKeyRow, IntegrationInsert, StoreError};
use uuid::Uuid;

use super::configuration::{OAUTH, read_tokens};
use super::sealed::check_auth_string;
use super::{NOT_FOUND, describe, model, scopes_text};
use crate::error::{Error, Result};
use crate::model::{
    ConfiguredIntegration, Created, IntegrationUpdate, NewIntegration, ThirdPartyIntegrationAuth,
};
use crate::operation::{Settled, Written};
use crate::principal::Tenant;

impl Tenant {
    /// Stores an account of a user; the first one of a connector becomes its default.
    ///
    /// # Errors
    /// `Unauthorized`: unknown, foreign or suspended user. `IntegrationAlreadyExists`: the user has
    /// this account already. `InvalidInput`: a field is malformed, or the credential is empty or
    /// longer than 64 KiB. `PermissionDenied`: the key lacks `integrations:write`.
    pub async fn create_integration(
        &self,
        new: ThirdPartyIntegrationAuth,
    ) -> Result<Created<ThirdPartyIntegrationAuth>> {
        self.store_integration(new, false).await
    }

    /// Stores an account of a user, or gives the one of this name another credential.
    ///
    /// # Errors
    /// As [`create_integration`](Self::create_integration); `IntegrationAlreadyExists` only when the
    /// account may not be replaced.
    pub async fn add_integration(
        &self,
        user_id: UserId,
        new: NewIntegration,
    ) -> Result<Created<ThirdPartyIntegrationAuth>> {
        let integration = ThirdPartyIntegrationAuth::new(
            self.id(),
            user_id,
            new.connector,
            new.user_identifier,
            new.auth_string,
            new.auth_scopes,
        );
        self.store_integration(integration, new.replace_duplicate)
            .await
    }

    /// Stores an account of a user with a credential that is made of fields, or gives the one of this
    /// name another credential.
    ///
    /// A connector that is declared takes the kinds of credentials that it declares, and fields of its
    /// own (`custom`) in any case: as its schema says where it has one, unless `auth_string` is given.
    ///
    /// # Errors
    /// As [`add_integration`](Self::add_integration). `InvalidInput`: the connector does not take this
    /// kind, or a field is missing or malformed; all that do not fit a schema are named.
    pub async fn configure_integration(
        &self,
        user_id: UserId,
        new: ConfiguredIntegration,
    ) -> Result<Created<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsWrite)?;
        if new.auth_type == OAUTH {
            let import = read_tokens(&new)?;
            return self
                .import_connection(user_id, &new.connector, import)
                .await;
        }
        let new = self.auth.read_configuration(new)?;
        self.add_integration(user_id, new).await
    }

    /// As [`create_integration`](Self::create_integration); with `replace`, an account of this name
    /// that is there already gets the new credential.
    async fn store_integration(
        &self,
        new: ThirdPartyIntegrationAuth,
        replace: bool,
    ) -> Result<Created<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsWrite)?;
        let connector = ConnectorName::parse(&new.connector)?;
        let account = AccountName::parse(&new.user_identifier)?;
        check_auth_string(&new.auth_string)?;
        let auth_scopes = scopes_text(&new.auth_scopes)?;
        if new.client_id != self.id() {
            return Err(Error::Unauthorized);
        }
        let store = &self.auth.inner.store;
        loop {
            let key = store.client(self.id()).active_data_key_reading();
            let existing = replace
                .then(|| self.named_reading(new.user_id, connector.as_str(), account.as_str()))
                .flatten();
            let read = self.has_active_user_and(new.user_id, (existing, key));
            let (has_user, (existing, key)) = read.await?;
            if !has_user {
                return Err(Error::Unauthorized);
            }
            if let Some(existing) = existing.flatten() {
                let update = IntegrationUpdate {
                    auth_string: Some(Secret::from(new.auth_string.expose())),
                    auth_scopes: Some(new.auth_scopes.clone()),
                };
                match self.change_account(existing, &update, key.as_ref()).await? {
                    Some(changed) => return Ok(changed),
                    // Changed or deleted at this moment.
                    None => continue,
                }
            }
            let (connector, account) = (connector.as_str(), account.as_str());
            let row = self.new_row(new.user_id, connector, account, &auth_scopes)?;
            let stored = match self.insert(row, &new.auth_string, key.as_ref()).await {
                // Stored by another call at this moment.
                Err(Error::IntegrationAlreadyExists) if replace => continue,
                stored => stored?,
            };
            if let Some((row, replayed)) = stored {
                let auth_string = match replayed {
                    true => Secret::default(),
                    false => new.auth_string,
                };
                return Ok(Created {
                    resource: model(&row, auth_string)?,
                    replayed,
                });
            }
        }
    }

    fn new_row(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
        auth_scopes: &str,
    ) -> Result<IntegrationRow> {
        let inner = &self.auth.inner;
        let now = inner.clock.now();
        let place = AccountPlace {
            client_id: self.id(),
            id: IntegrationId::generate(now, inner.entropy.as_ref())?,
            user_id,
            connector: connector.to_owned(),
            user_identifier: user_identifier.to_owned(),
        };
        Ok(IntegrationRow {
            auth_scopes: auth_scopes.to_owned(),
            ..new_account(place, now)
        })
    }

    /// Stores a new account, and tells whether it was stored by an earlier request; `None`, having
    /// written nothing, when the key was replaced since it was read.
    async fn insert(
        &self,
        mut row: IntegrationRow,
        auth_string: &Secret,
        key: Option<&DataKeyRow>,
    ) -> Result<Option<(IntegrationRow, bool)>> {
        let inner = self.auth.inner.clone();
        (row.sealed, row.data_key_id) = self.seal(&row, auth_string, key)?;
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationCreate,
            Some(self.id()),
            Some(row.id.as_uuid()),
            Some(describe(&row)),
        )?;
        let operation = self
            .idempotency
            .operation(&inner, &self.actor, event, row.id.as_uuid());
        let account = Arc::new((row, operation));
        let (client_id, made) = (self.id(), account.clone());
        let written = inner.store.write(move |tx| {
            let new = made.clone();
            Box::pin(async move {
                let (row, operation) = new.as_ref();
                let opening = operation.open(tx);
                let mut scope = ClientTx::new(&mut *tx, client_id);
                let inserted = scope.insert_integration(row).await;
                if let Some(earlier) = opening.earlier(tx)? {
                    return Ok(Written::Earlier(earlier));
                }
                match inserted {
                    // The key has been replaced.
                    Err(StoreError::ForeignKey) => Err(NOT_FOUND),
                    inserted => match inserted? {
                        IntegrationInsert::Done { selected } => Ok(Written::Now(selected)),
                        IntegrationInsert::NoUser => Err(Error::Unauthorized),
                        IntegrationInsert::Taken => Err(Error::IntegrationAlreadyExists),
                    },
                }
            })
        });
        let (row, operation) = account.as_ref();
        let stored = match operation.settle(&inner, written.await).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            settled => settled?,
        };
        Ok(Some(match stored {
            Settled::Now(selected) => {
                let row = row.clone();
                (IntegrationRow { selected, ..row }, false)
            }
            Settled::Before => (self.integration_by_id(row.user_id, row.id).await?, false),
            Settled::Replay(id) => {
                let id = IntegrationId::from(id);
                (self.integration_by_id(row.user_id, id).await?, true)
            }
        }))
    }

    pub(crate) async fn integration_by_id(
        &self,
        user_id: UserId,
        id: IntegrationId,
    ) -> Result<IntegrationRow> {
        let mut client = self.auth.inner.store.client(self.id());
        client.integration(user_id, id).await?.ok_or(NOT_FOUND)
    }
}

/// A new account, before anything is sealed for it.
pub(crate) fn new_account(place: AccountPlace, at: Timestamp) -> IntegrationRow {
    IntegrationRow {
        client_id: place.client_id,
        id: place.id,
        user_id: place.user_id,
        connector: place.connector,
        user_identifier: place.user_identifier,
        auth_scopes: String::new(),
        sealed: Vec::new().into(),
        data_key_id: Uuid::nil().into(),
        version: 1,
        auth_status: AuthStatus::Active,
        subject: None,
        selected: false,
        created_at: at,
        updated_at: at,
    }
}
