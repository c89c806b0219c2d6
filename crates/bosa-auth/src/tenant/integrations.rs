//! Integrations: a user's accounts at third parties, their credentials sealed.

use std::sync::Arc;

use bosa_auth_core::vault::{ValueContext, ValuePurpose, open_value, seal_value};
use bosa_auth_core::{
    AccountName, AuditAction, AuthStatus, ClientState, ConnectorName, IntegrationId, Scope, Secret,
    UserId, UserState,
};
use bosa_auth_store::integrations::{IntegrationRow, IntegrationWithKey};
use bosa_auth_store::{
    ClientTx, InstanceState, IntegrationChange, IntegrationInsert, Opaque, PageQuery, StoreError,
};
use uuid::Uuid;

use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::idempotency::{Begun, begin, in_progress};
use crate::model::{Created, IntegrationUpdate, Page, PageRequest, ThirdPartyIntegrationAuth};
use crate::operator::open_data_key;
use crate::page;
use crate::principal::Tenant;
use crate::tenant::is_storable;

/// Longest credential, in bytes.
const LONGEST_AUTH_STRING: usize = 64 * 1024;
const MOST_SCOPES: usize = 256;
const LONGEST_SCOPE: usize = 1024;
const NOT_FOUND: Error = Error::NotFound {
    what: "integration",
};

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

    /// As [`create_integration`](Self::create_integration); with `replace`, an account of this name
    /// that is there already gets the new credential.
    pub(super) async fn store_integration(
        &self,
        new: ThirdPartyIntegrationAuth,
        replace: bool,
    ) -> Result<Created<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsWrite)?;
        let inner = self.auth.inner.clone();
        let connector = ConnectorName::parse(&new.connector)?;
        let account = AccountName::parse(&new.user_identifier)?;
        check_auth_string(&new.auth_string)?;
        let auth_scopes = scopes_text(&new.auth_scopes)?;
        if new.client_id != self.id() || !self.has_active_user(new.user_id).await? {
            return Err(Error::Unauthorized);
        }
        let now = inner.clock.now();
        let mut row = IntegrationRow {
            client_id: self.id(),
            id: IntegrationId::generate(now, inner.entropy.as_ref())?,
            user_id: new.user_id,
            connector: connector.as_str().to_owned(),
            user_identifier: account.as_str().to_owned(),
            auth_scopes,
            sealed: Vec::new().into(),
            data_key_id: Uuid::nil().into(),
            version: 1,
            auth_status: AuthStatus::Active,
            subject: None,
            selected: false,
            created_at: now,
            updated_at: now,
        };
        if replace
            && let Some(existing) = self
                .named(row.user_id, &row.connector, &row.user_identifier)
                .await?
        {
            let update = IntegrationUpdate {
                auth_string: Some(Secret::from(new.auth_string.expose())),
                auth_scopes: Some(new.auth_scopes.clone()),
            };
            return match self.change_account(existing.integration, &update).await? {
                Some(changed) => Ok(changed),
                // Changed or deleted at this moment.
                None => Box::pin(self.store_integration(new, replace)).await,
            };
        }
        (row.sealed, row.data_key_id) = self.seal(&row, &new.auth_string).await?;
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationCreate,
            Some(self.id()),
            Some(row.id.as_uuid()),
            Some(describe(&row)),
        )?;
        let record = self
            .idempotency
            .as_ref()
            .map(|key| key.record(&inner, &self.actor));
        let written = Arc::new((row, event, record));
        let (client_id, created) = (self.id(), written.clone());
        let begun = inner
            .store
            .write(move |tx| {
                let new = written.clone();
                Box::pin(async move {
                    let (row, event, record) = new.as_ref();
                    let begun = begin(tx, event, record.as_ref(), row.id.as_uuid()).await?;
                    if begun == Begun::Fresh {
                        match ClientTx::new(tx, client_id).insert_integration(row).await? {
                            IntegrationInsert::Done { .. } => {}
                            IntegrationInsert::NoUser => return Err(Error::Unauthorized),
                            IntegrationInsert::Taken => {
                                return Err(Error::IntegrationAlreadyExists);
                            }
                        }
                    }
                    Ok(begun)
                })
            })
            .await
            .map_err(|error| in_progress(self.idempotency.is_some(), error))?;
        let row = &created.0;
        match begun {
            Begun::Replay(id) => {
                let stored = self
                    .integration_by_id(row.user_id, IntegrationId::from(id))
                    .await?;
                Ok(Created {
                    resource: model(&stored, Secret::default())?,
                    replayed: true,
                })
            }
            Begun::Fresh | Begun::Applied => {
                let stored = self.integration_by_id(row.user_id, row.id).await?;
                Ok(Created {
                    resource: model(&stored, new.auth_string)?,
                    replayed: false,
                })
            }
        }
    }

    /// Returns the named account of a connector, or without a name the default one, its credential
    /// opened; `None` when there is no such account or user.
    ///
    /// # Errors
    /// `Unauthorized`: the user is suspended. `NeedsReauthorization`: the account must be connected
    /// again. `Unreadable`: the stored value does not open. `PermissionDenied`: the key lacks
    /// `integrations:credentials`.
    pub async fn get_specific_or_default_integration(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: Option<&str>,
    ) -> Result<Option<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsCredentials)?;
        let connector = ConnectorName::parse(connector)?;
        if !self.has_active_user(user_id).await? {
            return Ok(None);
        }
        let found = match user_identifier {
            Some(name) => self.named(user_id, connector.as_str(), name).await?,
            None => {
                let mut client = self.auth.inner.store.client(self.id());
                client
                    .default_integration(user_id, connector.as_str())
                    .await?
            }
        };
        let Some(found) = found else { return Ok(None) };
        if found.integration.auth_status == AuthStatus::NeedsReauth {
            return Err(Error::NeedsReauthorization {
                connector: found.integration.connector,
                account: found.integration.user_identifier,
                since: found.integration.updated_at,
            });
        }
        let auth_string = open_integration(&self.auth, &found)?;
        model(&found.integration, auth_string).map(Some)
    }

    /// Returns all accounts of a user, their credentials opened; one that cannot be read has
    /// `auth_status` `unreadable` and an empty credential.
    ///
    /// # Errors
    /// `Unauthorized`: the user is suspended. `PermissionDenied`: the key lacks
    /// `integrations:credentials`.
    pub async fn get_integrations(
        &self,
        user_id: UserId,
        connector: Option<&str>,
    ) -> Result<Vec<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsCredentials)?;
        let connector = connector.map(ConnectorName::parse).transpose()?;
        if !self.has_active_user(user_id).await? {
            return Ok(Vec::new());
        }
        let mut client = self.auth.inner.store.client(self.id());
        let found = client
            .integrations(user_id, connector.as_ref().map(ConnectorName::as_str))
            .await?;
        Ok(found.iter().map(|found| self.open_or_mark(found)).collect())
    }

    /// Lists the accounts of a user without their credentials.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user. `InvalidInput`: the page's limit or cursor is not one
    /// of ours. `PermissionDenied`: the key lacks `integrations:read`.
    pub async fn list_integrations(
        &self,
        user_id: UserId,
        connector: Option<&str>,
        request: PageRequest,
    ) -> Result<Page<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsRead)?;
        let connector = connector.map(ConnectorName::parse).transpose()?;
        let query = PageQuery {
            after: request.after()?,
            limit: request.limit()?,
        };
        self.user_or_not_found(user_id).await?;
        let mut client = self.auth.inner.store.client(self.id());
        let connector = connector.as_ref().map(ConnectorName::as_str);
        let page = client.integrations_page(user_id, connector, query).await?;
        let items = page
            .items
            .iter()
            .map(|row| model(row, Secret::default()))
            .collect::<Result<_>>()?;
        Ok(Page {
            items,
            next_cursor: page.next.map(page::encode),
        })
    }

    /// Whether the user has an account of the connector.
    ///
    /// # Errors
    /// `Unauthorized`: the user is suspended. `PermissionDenied`: the key lacks `integrations:read`.
    pub async fn has_integration(&self, user_id: UserId, connector: &str) -> Result<bool> {
        self.require(Scope::IntegrationsRead)?;
        let connector = ConnectorName::parse(connector)?;
        if !self.has_active_user(user_id).await? {
            return Ok(false);
        }
        Ok(self
            .auth
            .inner
            .store
            .client(self.id())
            .has_integration(user_id, connector.as_str())
            .await?)
    }

    /// Makes an account the default of its connector.
    ///
    /// # Errors
    /// `NotFound`: the user has no such account. `Unauthorized`: the user is suspended.
    /// `PermissionDenied`: the key lacks `integrations:write`.
    pub async fn set_selected_integration(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Result<ThirdPartyIntegrationAuth> {
        self.require(Scope::IntegrationsWrite)?;
        let connector = ConnectorName::parse(connector)?;
        if !self.has_active_user(user_id).await? {
            return Err(NOT_FOUND);
        }
        let row = self
            .account(user_id, connector.as_str(), user_identifier)
            .await?
            .integration;
        let inner = self.auth.inner.clone();
        let client_id = self.id();
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationSelect,
            Some(client_id),
            Some(row.id.as_uuid()),
            Some(describe(&row)),
        )?;
        let change = Arc::new((row, event));
        inner
            .store
            .write(move |tx| {
                let change = change.clone();
                Box::pin(async move {
                    let (row, event) = change.as_ref();
                    if begin(tx, event, None, Uuid::nil()).await? == Begun::Fresh {
                        let mut scope = ClientTx::new(tx, client_id);
                        if !scope
                            .select_integration(row.user_id, &row.connector, &row.user_identifier)
                            .await?
                        {
                            return Err(NOT_FOUND);
                        }
                    }
                    Ok(())
                })
            })
            .await?;
        let stored = self
            .account(user_id, connector.as_str(), user_identifier)
            .await?;
        model(&stored.integration, Secret::default())
    }

    /// Replaces an account's credential or its list of permissions, and makes it usable again when
    /// it had to be connected again.
    ///
    /// # Errors
    /// `NotFound`: the user has no such account. `Unauthorized`: the user is suspended.
    /// `InvalidInput`: a field is malformed. `PermissionDenied`: the key lacks `integrations:write`.
    pub async fn update_integration_auth(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
        update: IntegrationUpdate,
    ) -> Result<ThirdPartyIntegrationAuth> {
        self.require(Scope::IntegrationsWrite)?;
        let connector = ConnectorName::parse(connector)?;
        if let Some(auth_string) = &update.auth_string {
            check_auth_string(auth_string)?;
        }
        if let Some(auth_scopes) = &update.auth_scopes {
            scopes_text(auth_scopes)?;
        }
        if !self.has_active_user(user_id).await? {
            return Err(NOT_FOUND);
        }
        loop {
            let found = self
                .account(user_id, connector.as_str(), user_identifier)
                .await?;
            // Lost against another change: the last writer wins, as if it had come a moment later.
            if let Some(changed) = self.change_account(found.integration, &update).await? {
                return Ok(changed.resource);
            }
        }
    }

    /// Changes an account that was just read; `None`, having written nothing, when it was changed or
    /// deleted since.
    async fn change_account(
        &self,
        row: IntegrationRow,
        update: &IntegrationUpdate,
    ) -> Result<Option<Created<ThirdPartyIntegrationAuth>>> {
        let inner = self.auth.inner.clone();
        let client_id = self.id();
        let (sealed, data_key_id) = match &update.auth_string {
            Some(auth_string) => self.seal(&row, auth_string).await?,
            None => (row.sealed.clone(), row.data_key_id),
        };
        let change = IntegrationChange {
            version: row.version,
            auth_scopes: match &update.auth_scopes {
                Some(scopes) => scopes_text(scopes)?,
                None => row.auth_scopes.clone(),
            },
            sealed,
            data_key_id,
            auth_status: match &update.auth_string {
                Some(_) => AuthStatus::Active,
                None => row.auth_status,
            },
            subject: row.subject.clone(),
            at: inner.clock.now(),
        };
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationUpdate,
            Some(client_id),
            Some(row.id.as_uuid()),
            Some(describe(&row)),
        )?;
        let record = self
            .idempotency
            .as_ref()
            .map(|key| key.record(&inner, &self.actor));
        let id = row.id;
        let change = Arc::new((change, event, record));
        let written = inner
            .store
            .write(move |tx| {
                let change = change.clone();
                Box::pin(async move {
                    let (change, event, record) = change.as_ref();
                    let begun = begin(tx, event, record.as_ref(), id.as_uuid()).await?;
                    let updated = begun != Begun::Fresh
                        || ClientTx::new(tx, client_id)
                            .update_integration(id, change)
                            .await?;
                    // Nothing of this write may stay when the row is another one by now.
                    if updated { Ok(begun) } else { Err(NOT_FOUND) }
                })
            })
            .await
            .map_err(|error| in_progress(self.idempotency.is_some(), error));
        let (id, replayed) = match written {
            Ok(Begun::Replay(id)) => (IntegrationId::from(id), true),
            Ok(Begun::Fresh | Begun::Applied) => (id, false),
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let stored = self.integration_by_id(row.user_id, id).await?;
        Ok(Some(Created {
            resource: model(&stored, Secret::default())?,
            replayed,
        }))
    }

    /// Deletes an account; true when there was one. Only then another one may become the default:
    /// the newest that is left.
    ///
    /// # Errors
    /// `AmbiguousAccount`: no name is given and there are several. `Unauthorized`: the user is
    /// suspended. `PermissionDenied`: the key lacks `integrations:write`.
    pub async fn delete_integration(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: Option<&str>,
    ) -> Result<bool> {
        self.require(Scope::IntegrationsWrite)?;
        let connector = ConnectorName::parse(connector)?;
        if !self.has_active_user(user_id).await? {
            return Ok(false);
        }
        let inner = self.auth.inner.clone();
        let client_id = self.id();
        let subject = Some(user_id.as_uuid());
        let detail = serde_json::json!({ "connector": connector.as_str() }).to_string();
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationDelete,
            Some(client_id),
            subject,
            Some(detail),
        )?;
        let target = Arc::new((connector, user_identifier.map(str::to_owned), event));
        inner
            .store
            .write(move |tx| {
                let target = target.clone();
                Box::pin(async move {
                    let (connector, name, event) = target.as_ref();
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    let mut names = scope.account_names(user_id, connector.as_str()).await?;
                    let name = match name {
                        Some(name) if names.contains(name) => name.clone(),
                        None if names.len() > 1 => {
                            return Err(Error::AmbiguousAccount {
                                connector: connector.as_str().to_owned(),
                                accounts: names,
                            });
                        }
                        None if names.len() == 1 => names.remove(0),
                        // Nothing to delete; or an earlier attempt of this very call deleted it.
                        _ => {
                            return Ok(
                                bosa_auth_store::audit::is_recorded(&mut *tx, event.id).await?
                            );
                        }
                    };
                    if begin(tx, event, None, Uuid::nil()).await? == Begun::Applied {
                        return Ok(true);
                    }
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    match scope
                        .delete_integration(user_id, connector.as_str(), &name)
                        .await?
                    {
                        Some(_) => Ok(true),
                        // Another transaction was faster: the next attempt sees it.
                        None => Err(tx.run_again().into()),
                    }
                })
            })
            .await
    }

    pub(super) async fn integrations_without_credentials(
        &self,
        user_id: UserId,
    ) -> Result<Vec<ThirdPartyIntegrationAuth>> {
        let found = self
            .auth
            .inner
            .store
            .client(self.id())
            .integrations(user_id, None)
            .await?;
        found
            .iter()
            .map(|found| model(&found.integration, Secret::default()))
            .collect()
    }

    /// Whether the client has this user.
    ///
    /// # Errors
    /// `InvalidClient` or `Unauthorized` when the client or the user is suspended.
    async fn has_active_user(&self, user_id: UserId) -> Result<bool> {
        match self
            .auth
            .inner
            .store
            .client(self.id())
            .user(user_id)
            .await?
        {
            None => Ok(false),
            Some(found) if found.instance_state != InstanceState::Open => {
                Err(StoreError::Moved.into())
            }
            Some(found) if found.client.state != ClientState::Active => Err(Error::InvalidClient),
            Some(found) if found.user.state != UserState::Active => Err(Error::Unauthorized),
            Some(_) => Ok(true),
        }
    }

    async fn account(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Result<IntegrationWithKey> {
        self.named(user_id, connector, user_identifier)
            .await?
            .ok_or(NOT_FOUND)
    }

    async fn named(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Result<Option<IntegrationWithKey>> {
        if !is_storable(user_identifier) {
            return Ok(None);
        }
        let mut client = self.auth.inner.store.client(self.id());
        Ok(client
            .named_integration(user_id, connector, user_identifier)
            .await?)
    }

    async fn integration_by_id(
        &self,
        user_id: UserId,
        id: IntegrationId,
    ) -> Result<IntegrationRow> {
        let found = self
            .auth
            .inner
            .store
            .client(self.id())
            .integrations(user_id, None)
            .await?;
        found
            .into_iter()
            .map(|found| found.integration)
            .find(|row| row.id == id)
            .ok_or(NOT_FOUND)
    }

    /// Seals a credential for its row under the client's active data key.
    async fn seal(
        &self,
        row: &IntegrationRow,
        auth_string: &Secret,
    ) -> Result<(Opaque, bosa_auth_core::DataKeyId)> {
        let inner = &self.auth.inner;
        let key = inner.store.client(self.id()).active_data_key().await?;
        let key = open_data_key(&self.auth, self.id(), &key.ok_or(Error::InvalidClient)?)?;
        let plain = auth_string.expose().as_bytes();
        let sealed = seal_value(
            &key,
            ValuePurpose::IntegrationAuth,
            &context(row),
            plain,
            inner.entropy.as_ref(),
        )
        .map_err(Error::internal)?;
        Ok((sealed.into(), key.id()))
    }

    fn open_or_mark(&self, found: &IntegrationWithKey) -> ThirdPartyIntegrationAuth {
        let opened = open_integration(&self.auth, found)
            .and_then(|auth_string| model(&found.integration, auth_string));
        opened.unwrap_or_else(|_| {
            let row = &found.integration;
            ThirdPartyIntegrationAuth {
                auth_status: AuthStatus::Unreadable,
                auth_scopes: scopes(row).unwrap_or_default(),
                ..bare(row)
            }
        })
    }
}

/// Opens the credential of an integration.
///
/// # Errors
/// `Unreadable`: it was moved, edited or truncated, or its key was.
pub(crate) fn open_integration(auth: &Auth, found: &IntegrationWithKey) -> Result<Secret> {
    let unreadable = || Error::Unreadable {
        what: "the credential of an integration".to_owned(),
    };
    let row = &found.integration;
    let key = open_data_key(auth, row.client_id, &found.key)?;
    let plain = open_value(
        &key,
        ValuePurpose::IntegrationAuth,
        &context(row),
        &row.sealed,
    )
    .map_err(|_| unreadable())?;
    let text = std::str::from_utf8(plain.expose()).map_err(|_| unreadable())?;
    Ok(Secret::from(text))
}

fn context(row: &IntegrationRow) -> ValueContext<'_> {
    ValueContext {
        client_id: row.client_id,
        user_id: row.user_id,
        row_id: row.id,
        connector: &row.connector,
        account: &row.user_identifier,
    }
}

fn check_auth_string(auth_string: &Secret) -> Result<()> {
    match auth_string.expose().len() {
        0 => Err(Error::invalid("auth_string", "is empty")),
        1..=LONGEST_AUTH_STRING => Ok(()),
        _ => Err(Error::invalid("auth_string", "is longer than 65536 bytes")),
    }
}

fn scopes_text(scopes: &[String]) -> Result<String> {
    let malformed = |scope: &String| {
        scope.is_empty() || scope.len() > LONGEST_SCOPE || scope.chars().any(char::is_control)
    };
    if scopes.len() > MOST_SCOPES {
        return Err(Error::invalid("auth_scopes", "has more than 256 elements"));
    }
    if scopes.iter().any(malformed) {
        return Err(Error::invalid(
            "auth_scopes",
            "must hold texts of 1 to 1024 bytes without control characters",
        ));
    }
    serde_json::to_string(scopes).map_err(Error::internal)
}

fn scopes(row: &IntegrationRow) -> Result<Vec<String>> {
    serde_json::from_str(&row.auth_scopes).map_err(|_| Error::Unreadable {
        what: "the scopes of an integration".to_owned(),
    })
}

fn describe(row: &IntegrationRow) -> String {
    serde_json::json!({
        "user": row.user_id.to_string(),
        "connector": row.connector,
        "user_identifier": row.user_identifier,
    })
    .to_string()
}

fn model(row: &IntegrationRow, auth_string: Secret) -> Result<ThirdPartyIntegrationAuth> {
    Ok(ThirdPartyIntegrationAuth {
        auth_string,
        auth_scopes: scopes(row)?,
        ..bare(row)
    })
}

/// The row without what may not be readable.
fn bare(row: &IntegrationRow) -> ThirdPartyIntegrationAuth {
    ThirdPartyIntegrationAuth {
        id: Some(row.id),
        client_id: row.client_id,
        user_id: row.user_id,
        connector: row.connector.clone(),
        auth_string: Secret::default(),
        user_identifier: row.user_identifier.clone(),
        auth_scopes: Vec::new(),
        selected: row.selected,
        auth_status: row.auth_status,
        created_at: Some(row.created_at),
    }
}
