//! Changes to the accounts of a user at other services.
//!
//! Every change first updates the set's row, which serialises the changes of one set on both
//! databases.

use std::time::Duration;

use bosa_auth_core::{AuthStatus, ClientId, DataKeyId, IntegrationId, Timestamp, UserId};

use crate::client_tx::ClientScope;
use crate::columns::{Opaque, statements};
use crate::db::{Later, Param, Tx};
use crate::error::StoreError;
use crate::grants::{AccountPlace, NeedsReauth};
use crate::integrations::{self, IntegrationRow, integration_columns};
use crate::params;

/// What became of a new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntegrationInsert {
    /// It is stored.
    Done {
        /// Whether it is the first of its connector, and so the default.
        selected: bool,
    },
    /// The client has no such user.
    NoUser,
    /// The user has that account already.
    Taken,
}

/// A newly sealed authorization of an account, if its row still has the version that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationChange {
    /// The version that was read.
    pub version: i64,
    /// What the authorization permits, as a JSON array of texts.
    pub auth_scopes: String,
    /// The sealed authorization.
    pub sealed: Opaque,
    /// The data key that it is sealed under.
    pub data_key_id: DataKeyId,
    /// Whether the authorization can be used.
    pub auth_status: AuthStatus,
    /// The account's unchangeable id at the other service, when it is known.
    pub subject: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// An account that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationDeleted {
    /// Its id.
    pub id: IntegrationId,
    /// Whether it was the default, so that another one is in its place now, if any is left.
    pub was_default: bool,
}

impl ClientScope<&mut Tx> {
    /// Stores a new account, whatever client, version and selection the row names: the first
    /// account of a connector becomes the default.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] when the client has no such data key.
    pub async fn insert_integration(
        &mut self,
        row: &IntegrationRow,
    ) -> Result<IntegrationInsert, StoreError> {
        let opened = self.open_set_later(row);
        let values = values(self.client_id, row);
        let inserted = self.source.query_opt(INSERT, values).await;
        match self.source.changed(&opened) {
            Ok(0) => return Ok(IntegrationInsert::NoUser),
            Ok(_) => {}
            // The user was deleted at this moment; the next attempt sees it.
            Err(StoreError::ForeignKey) => return Err(self.source.run_again()),
            Err(error) => return Err(error),
        }
        Ok(match inserted? {
            None => IntegrationInsert::Taken,
            Some(row) => IntegrationInsert::Done {
                selected: row.get(0)?,
            },
        })
    }

    /// As [`insert_integration`](Self::insert_integration), with the next statement, which fails with
    /// [`StoreError::ForeignKey`] also when the user is deleted at this moment. No row changed means that
    /// the client has no such user, or the user has that account already.
    pub fn insert_integration_later(&mut self, row: &IntegrationRow) -> Later {
        let _is_seen_by_the_next = self.open_set_later(row);
        let values = values(self.client_id, row);
        self.source.later(INSERT, values)
    }

    fn open_set_later(&mut self, row: &IntegrationRow) -> Later {
        let set = params![self.client_id, row.user_id, row.connector.as_str()];
        self.source.later(OPEN_SET, set)
    }

    /// Makes an account the default of its connector and returns it; `None`, having changed nothing,
    /// when the user has no such account.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn select_integration(
        &mut self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Result<Option<IntegrationRow>, StoreError> {
        let set = params![self.client_id, user_id, connector];
        let _locks = self.source.later(LOCK_SET, set);
        let account = || params![self.client_id, user_id, connector, user_identifier];
        // The old default goes first: one statement for both can meet the unique index halfway.
        let (unselect, select) = (account(), account());
        let _makes_room = self.source.later(UNSELECT_OTHERS, unselect);
        let row = self.source.query_opt(SELECT, select).await?;
        row.as_ref().map(integrations::read).transpose()
    }

    /// Replaces the sealed authorization of an account and returns it; `None` when the row has
    /// another version or is gone: read again.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] when the client has no such data key.
    pub async fn update_integration(
        &mut self,
        id: IntegrationId,
        change: &IntegrationChange,
    ) -> Result<Option<IntegrationRow>, StoreError> {
        self.lock_set_of_later(id);
        let row = self
            .source
            .query_opt(
                UPDATE,
                params![
                    self.client_id,
                    id,
                    change.version,
                    &change.auth_scopes,
                    &change.sealed,
                    change.data_key_id,
                    change.auth_status.as_str(),
                    change.subject.as_deref(),
                    change.at
                ],
            )
            .await?;
        row.as_ref().map(integrations::read).transpose()
    }

    /// Changes only what the authorization of an account permits and returns the account; `None` when
    /// the row has another version or is gone: read again.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn set_integration_scopes(
        &mut self,
        id: IntegrationId,
        version: i64,
        auth_scopes: &str,
        at: Timestamp,
    ) -> Result<Option<IntegrationRow>, StoreError> {
        self.lock_set_of_later(id);
        let change = params![self.client_id, id, version, auth_scopes, at];
        let row = self.source.query_opt(SET_SCOPES, change).await?;
        row.as_ref().map(integrations::read).transpose()
    }

    /// Changes only the status of an account; false when the row has another version or is gone.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn set_integration_status(
        &mut self,
        id: IntegrationId,
        version: i64,
        status: AuthStatus,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.lock_set_of_later(id);
        let changed = self
            .source
            .execute(
                SET_STATUS,
                params![self.client_id, id, version, status.as_str(), at],
            )
            .await?;
        Ok(changed == 1)
    }

    /// Updates the set of an account first, with the next statement.
    pub(crate) fn lock_set_of_later(&mut self, id: IntegrationId) {
        let _locks = self.source.later(LOCK_SET_OF, params![self.client_id, id]);
    }

    /// Removes an account; `None` when the user has no such account. Removing the default makes the
    /// newest remaining account the default.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn delete_integration(
        &mut self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Result<Option<IntegrationDeleted>, StoreError> {
        self.delete_with(DELETE, user_id, connector, user_identifier)
            .await
    }

    /// Removes an account if it is the only one of its connector; `None` when there are others, or the
    /// user has no such account.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn delete_only_integration(
        &mut self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Result<Option<IntegrationDeleted>, StoreError> {
        self.delete_with(DELETE_ONLY, user_id, connector, user_identifier)
            .await
    }

    /// As [`delete_integration`](Self::delete_integration), if the account was imported and was not
    /// changed here since; else `None`.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn delete_unchanged_integration(
        &mut self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Result<Option<IntegrationDeleted>, StoreError> {
        self.delete_with(DELETE_UNCHANGED, user_id, connector, user_identifier)
            .await
    }

    async fn delete_with(
        &mut self,
        delete: &'static str,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Result<Option<IntegrationDeleted>, StoreError> {
        let set = || params![self.client_id, user_id, connector];
        let (lock, promote) = (set(), set());
        let account = params![self.client_id, user_id, connector, user_identifier];
        let _locks = self.source.later(LOCK_SET, lock);
        let Some(row) = self.source.query_opt(delete, account).await? else {
            return Ok(None);
        };
        let deleted = IntegrationDeleted {
            id: row.get(0)?,
            was_default: row.get(1)?,
        };
        if deleted.was_default {
            let _if_any_is_left = self.source.later(PROMOTE, promote);
        }
        Ok(Some(deleted))
    }

    /// Removes an account that was connected for the first time and whose code ended before `before`
    /// without being brought, or ends the wait of one that was there before: it must be connected again.
    /// False, having changed nothing, when it waits for no such code any more.
    ///
    /// `lasts` is how long a code is good. As with every deletion, the newest remaining account takes the
    /// place of a default that goes.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn end_uncompleted(
        &mut self,
        place: &AccountPlace,
        before: Timestamp,
        lasts: Duration,
        ended: &NeedsReauth,
    ) -> Result<bool, StoreError> {
        let lasts = i64::try_from(lasts.as_micros()).unwrap_or(i64::MAX);
        let set = || params![self.client_id, place.user_id, &place.connector];
        let (lock, promote) = (set(), set());
        let new = params![self.client_id, place.id, before, lasts];
        let _locks = self.source.later(LOCK_SET, lock);
        if let Some(row) = self.source.query_opt(DELETE_UNCOMPLETED, new).await? {
            if row.get(0)? {
                let _if_any_is_left = self.source.later(PROMOTE, promote);
            }
            return Ok(true);
        }
        let wait = params![self.client_id, place.id, before, &ended.reason, ended.at];
        if self.source.execute(END_WAIT, wait).await? == 0 {
            return Ok(false);
        }
        let waiting = params![self.client_id, place.id, ended.at];
        let _if_it_still_is = self.source.later(END_PENDING, waiting);
        Ok(true)
    }
}

/// What is stored of a new account.
fn values(client_id: ClientId, row: &IntegrationRow) -> Vec<Param> {
    params![
        client_id,
        row.id,
        row.user_id,
        &row.connector,
        &row.user_identifier,
        &row.auth_scopes,
        &row.sealed,
        row.data_key_id,
        row.auth_status.as_str(),
        row.subject.as_deref(),
        row.created_at,
        row.updated_at
    ]
}

statements! {
    OPEN_SET = "insert into bosa_integration_sets (client_id, user_id, connector, version) \
        select u.client_id, u.id, $3, 1 from bosa_users u where u.client_id = $1 and u.id = $2 \
        on conflict (client_id, user_id, connector) \
        do update set version = bosa_integration_sets.version + 1";
    LOCK_SET = "update bosa_integration_sets set version = version + 1 \
        where client_id = $1 and user_id = $2 and connector = $3";
    LOCK_SET_OF = "update bosa_integration_sets set version = version + 1 \
        where (client_id, user_id, connector) in \
        (select client_id, user_id, connector from bosa_integrations where client_id = $1 and id = $2)";
    INSERT = "insert into bosa_integrations (client_id, id, user_id, connector, user_identifier, auth_scopes, \
        sealed, data_key_id, version, auth_status, subject, selected, created_at, updated_at) \
        select s.client_id, $2, s.user_id, s.connector, $5, $6, $7, $8, 1, $9, $10, \
        not exists (select 1 from bosa_integrations o \
        where o.client_id = $1 and o.user_id = $3 and o.connector = $4), $11, $12 \
        from bosa_integration_sets s where s.client_id = $1 and s.user_id = $3 and s.connector = $4 \
        on conflict (client_id, user_id, connector, user_identifier) do nothing returning selected";
    UNSELECT_OTHERS = "update bosa_integrations set selected = false \
        where client_id = $1 and user_id = $2 and connector = $3 and user_identifier <> $4 and selected \
        and exists (select 1 from bosa_integrations o where o.client_id = $1 and o.user_id = $2 \
        and o.connector = $3 and o.user_identifier = $4)";
    SELECT = concat!("update bosa_integrations set selected = true \
        where client_id = $1 and user_id = $2 and connector = $3 and user_identifier = $4 returning ",
        integration_columns!(""));
    UPDATE = concat!("update bosa_integrations set auth_scopes = $4, sealed = $5, data_key_id = $6, \
        auth_status = $7, subject = $8, version = version + 1, updated_at = $9 \
        where client_id = $1 and id = $2 and version = $3 returning ", integration_columns!(""));
    SET_SCOPES = concat!("update bosa_integrations set auth_scopes = $4, version = version + 1, \
        updated_at = $5 where client_id = $1 and id = $2 and version = $3 returning ",
        integration_columns!(""));
    SET_STATUS = "update bosa_integrations set auth_status = $4, version = version + 1, updated_at = $5 \
        where client_id = $1 and id = $2 and version = $3";
    DELETE = "delete from bosa_integrations \
        where client_id = $1 and user_id = $2 and connector = $3 and user_identifier = $4 returning id, selected";
    DELETE_UNCOMPLETED = "delete from bosa_integrations where client_id = $1 and id = $2 \
        and auth_status = 'pending' and exists (select 1 from bosa_integration_grants g \
        where g.client_id = $1 and g.integration_id = $2 and g.completion_expires_at < $3 \
        and g.completion_expires_at <= bosa_integrations.created_at + $4) returning selected";
    END_WAIT = "update bosa_integration_grants set completion_digest = null, completion_digest_key_id = null, \
        completion_expires_at = null, needs_reauth_reason = coalesce(needs_reauth_reason, $4), \
        needs_reauth_at = coalesce(needs_reauth_at, $5), next_refresh_at = null \
        where client_id = $1 and integration_id = $2 and completion_expires_at < $3";
    END_PENDING = "update bosa_integrations set auth_status = 'needs_reauth', version = version + 1, \
        updated_at = $3 where client_id = $1 and id = $2 and auth_status = 'pending'";
    DELETE_ONLY = "delete from bosa_integrations \
        where client_id = $1 and user_id = $2 and connector = $3 and user_identifier = $4 \
        and not exists (select 1 from bosa_integrations o where o.client_id = $1 and o.user_id = $2 \
        and o.connector = $3 and o.user_identifier <> $4) returning id, selected";
    DELETE_UNCHANGED = "delete from bosa_integrations \
        where client_id = $1 and user_id = $2 and connector = $3 and user_identifier = $4 \
        and exists (select 1 from bosa_import_markers m where m.kind = 'integration' \
        and m.id = bosa_integrations.id and m.outcome = 'imported' \
        and m.imported_at = bosa_integrations.updated_at) returning id, selected";
    PROMOTE = "update bosa_integrations set selected = true where client_id = $1 and id = \
        (select id from bosa_integrations where client_id = $1 and user_id = $2 and connector = $3 \
        order by created_at desc, id desc limit 1)";
}
