//! Changes to what providers granted for accounts.
//!
//! The tokens of an account change only from the version of the account that was read, whether they
//! lie in its own row or in that of the grant, and the set's row is updated before both, as with every
//! change of an account.

use bosa_auth_core::{AuthStatus, IntegrationId, OperationId, Timestamp, UserId};

use crate::client_tx::ClientScope;
use crate::columns::{Opaque, statements};
use crate::db::Tx;
use crate::error::StoreError;
use crate::grants::{GrantRow, IntegrationWithGrant, NeedsReauth};
use crate::integrations::{self, IntegrationRow, integration_columns};
use crate::params;
use crate::sealed::Sealed;

/// What a provider answered to a refresh token, if the account still has the version that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    /// The version that was read.
    pub version: i64,
    /// What the authorization permits, as a JSON array of texts.
    pub auth_scopes: String,
    /// The new access token.
    pub access_token: Sealed,
    /// The new refresh token; `None` when the one that was sent stays.
    pub refresh_token: Option<Sealed>,
    /// When the access token ends.
    pub expires_at: Timestamp,
    /// When it is to be refreshed without being asked for; `None` for never.
    pub next_refresh_at: Option<Timestamp>,
    /// When.
    pub at: Timestamp,
}

impl ClientScope<&mut Tx> {
    /// Stores what was granted for an account, in place of what was granted before. It goes with the
    /// change that stores the access token, in the same transaction and after it.
    ///
    /// A lease on the account ends, because its holder has another refresh token.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] when the client has no such account or data key, or there is no such
    /// digest key.
    pub async fn put_grant(&mut self, grant: &GrantRow) -> Result<(), StoreError> {
        self.forget_lease_later(grant.integration_id);
        let refresh_token = grant.refresh_token.as_ref();
        let [sealed, key] = Sealed::params(refresh_token.map(|token| &token.sealed));
        let needs_reauth = grant.needs_reauth.as_ref();
        let completion = grant.completion.as_ref();
        let values = params![
            self.client_id,
            grant.integration_id,
            &grant.oauth_client_id,
            grant.expires_at,
            sealed,
            key,
            refresh_token.map(|token| token.rotates),
            grant.refreshed_at,
            grant.next_refresh_at,
            needs_reauth.map(|need| need.reason.as_str()),
            needs_reauth.map(|need| need.at),
            completion.map(|code| code.digest.to_vec()),
            completion.map(|code| code.digest_key_id),
            completion.map(|code| code.expires_at)
        ];
        self.source.execute(PUT, values).await.map(drop)
    }

    /// Removes what was granted for an account, and a lease on it, because a caller has stored
    /// something else in it. It goes with that change, in the same transaction and after it, and
    /// leaves with the next statement or the commit.
    pub fn delete_grant_later(&mut self, id: IntegrationId) {
        self.forget_lease_later(id);
        let grant = params![self.client_id, id];
        let _may_be_none = self.source.later(DELETE, grant);
    }

    /// Stores what a provider answered to a refresh token and gives the holder's lease back; `None`,
    /// with the lease as it was, when the account has another version or is gone.
    ///
    /// The account is usable from then on, unless it waits for its code.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] when the client has no such data key any more: seal under another
    /// one and store again.
    pub async fn store_refreshed(
        &mut self,
        id: IntegrationId,
        holder: OperationId,
        refreshed: &Refreshed,
    ) -> Result<Option<IntegrationRow>, StoreError> {
        self.lock_set_of_later(id);
        let access_token = params![
            self.client_id,
            id,
            refreshed.version,
            &refreshed.auth_scopes,
            &refreshed.access_token.bytes,
            refreshed.access_token.key_id,
            refreshed.at
        ];
        let Some(row) = self.source.query_opt(STORE_ACCESS, access_token).await? else {
            return Ok(None);
        };
        let [sealed, key] = Sealed::params(refreshed.refresh_token.as_ref());
        let refresh_token = params![
            self.client_id,
            id,
            sealed,
            key,
            refreshed.expires_at,
            refreshed.next_refresh_at,
            refreshed.at
        ];
        let _fails_with_the_commit = self.source.later(STORE_REFRESH, refresh_token);
        self.settle_lease_later(id, holder);
        integrations::read(&row).map(Some)
    }

    /// Marks that an account must be connected again, and gives the lease back that `holder` may have;
    /// false when the account has another version or is gone.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn set_needs_reauth(
        &mut self,
        id: IntegrationId,
        version: i64,
        need: &NeedsReauth,
        holder: Option<OperationId>,
    ) -> Result<bool, StoreError> {
        let status = AuthStatus::NeedsReauth;
        if !self
            .set_integration_status(id, version, status, need.at)
            .await?
        {
            return Ok(false);
        }
        let reason = params![self.client_id, id, &need.reason, need.at];
        let _fails_with_the_commit = self.source.later(NEEDS_REAUTH, reason);
        if let Some(holder) = holder {
            self.settle_lease_later(id, holder);
        }
        Ok(true)
    }

    /// Has an account refreshed without being asked for at another time, unless it is not refreshed so
    /// at all; false then.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn postpone_refresh(
        &mut self,
        id: IntegrationId,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let values = params![self.client_id, id, until];
        Ok(self.source.execute(POSTPONE, values).await? == 1)
    }

    /// Ends the wait of a user's account for its code and returns the account; `None` when no account
    /// of the user waits for this code, or the code had ended at `at`.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn complete_integration(
        &mut self,
        user_id: UserId,
        digest: &Opaque,
        at: Timestamp,
    ) -> Result<Option<IntegrationRow>, StoreError> {
        let code = params![self.client_id, user_id, digest, at];
        let Some(row) = self.source.query_opt(FIND_WAITING, code).await? else {
            return Ok(None);
        };
        let id: IntegrationId = row.get(0)?;
        self.lock_set_of_later(id);
        let code = params![self.client_id, id, digest];
        if self.source.execute(COMPLETE, code).await? == 0 {
            return Ok(None);
        }
        let account = params![self.client_id, id, at];
        let row = self.source.query_opt(ACTIVATE, account).await?;
        row.as_ref().map(integrations::read).transpose()
    }

    /// Seals what an account has under another key, if nothing of it changed since it was read.
    ///
    /// It raises no version, so that a refresh that began before is stored nevertheless, under
    /// whatever key it was sealed.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] when the client has no such data key; [`StoreError::Internal`] when
    /// the refresh token is missing, or there was none.
    pub async fn reseal_integration(
        &mut self,
        before: &IntegrationWithGrant,
        value: &Sealed,
        refresh_token: Option<&Sealed>,
    ) -> Result<bool, StoreError> {
        let grant = before.grant.as_ref().map(|grant| &grant.row);
        let had_refresh_token = grant.is_some_and(|grant| grant.refresh_token.is_some());
        if had_refresh_token != refresh_token.is_some() {
            let half = "an account is sealed under another key in part only".to_owned();
            return Err(StoreError::Internal(half));
        }
        let row = &before.integration;
        self.lock_set_of_later(row.id);
        let values = params![
            self.client_id,
            row.id,
            row.version,
            &row.sealed,
            &value.bytes,
            value.key_id
        ];
        if self.source.execute(RESEAL, values).await? == 0 {
            return Ok(false);
        }
        if let Some(sealed) = refresh_token {
            let values = params![self.client_id, row.id, &sealed.bytes, sealed.key_id];
            let _fails_with_the_commit = self.source.later(RESEAL_GRANT, values);
        }
        Ok(true)
    }
}

statements! {
    PUT = "insert into bosa_integration_grants (client_id, integration_id, oauth_client_id, expires_at, sealed, \
        data_key_id, rotates, refreshed_at, next_refresh_at, needs_reauth_reason, needs_reauth_at, \
        completion_digest, completion_digest_key_id, completion_expires_at) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
        on conflict (client_id, integration_id) do update set oauth_client_id = $3, expires_at = $4, sealed = $5, \
        data_key_id = $6, rotates = $7, refreshed_at = $8, next_refresh_at = $9, needs_reauth_reason = $10, \
        needs_reauth_at = $11, completion_digest = $12, completion_digest_key_id = $13, \
        completion_expires_at = $14";
    DELETE = "delete from bosa_integration_grants where client_id = $1 and integration_id = $2";
    STORE_ACCESS = concat!("update bosa_integrations set auth_scopes = $4, sealed = $5, data_key_id = $6, \
        auth_status = case when auth_status = 'pending' then 'pending' else 'active' end, \
        version = version + 1, updated_at = $7 \
        where client_id = $1 and id = $2 and version = $3 returning ", integration_columns!(""));
    STORE_REFRESH = "update bosa_integration_grants set sealed = coalesce($3, sealed), \
        data_key_id = coalesce($4, data_key_id), expires_at = $5, next_refresh_at = $6, refreshed_at = $7, \
        needs_reauth_reason = null, needs_reauth_at = null where client_id = $1 and integration_id = $2";
    NEEDS_REAUTH = "update bosa_integration_grants set needs_reauth_reason = $3, needs_reauth_at = $4, \
        next_refresh_at = null where client_id = $1 and integration_id = $2";
    POSTPONE = "update bosa_integration_grants set next_refresh_at = $3 \
        where client_id = $1 and integration_id = $2 and next_refresh_at is not null";
    FIND_WAITING = "select a.id from bosa_integration_grants g \
        join bosa_integrations a on a.client_id = g.client_id and a.id = g.integration_id \
        where g.client_id = $1 and a.user_id = $2 and g.completion_digest = $3 \
        and g.completion_expires_at > $4";
    COMPLETE = "update bosa_integration_grants set completion_digest = null, completion_digest_key_id = null, \
        completion_expires_at = null where client_id = $1 and integration_id = $2 and completion_digest = $3";
    ACTIVATE = concat!("update bosa_integrations set version = version + 1, updated_at = $3, \
        auth_status = case when auth_status = 'pending' then 'active' else auth_status end \
        where client_id = $1 and id = $2 returning ", integration_columns!(""));
    RESEAL = "update bosa_integrations set sealed = $5, data_key_id = $6 \
        where client_id = $1 and id = $2 and version = $3 and sealed = $4";
    RESEAL_GRANT = "update bosa_integration_grants set sealed = $3, data_key_id = $4 \
        where client_id = $1 and integration_id = $2";
}
