//! What providers granted for accounts: rows and reads.

use bosa_auth_core::{ClientId, DigestKeyId, IntegrationId, Timestamp, UserId};
use uuid::Uuid;

use crate::client_tx::ClientScope;
use crate::columns::{Columns, Opaque, statements};
use crate::data_keys::{DataKeyRow, data_key_columns};
use crate::db::{Row, Tx};
use crate::error::StoreError;
use crate::integrations::{IntegrationRow, integration_columns};
use crate::page::{Page, PageQuery};
use crate::params;
use crate::sealed::Sealed;
use crate::store::Source;
use crate::together::Reading;

/// What a provider granted for an account, beside the access token, which is the account's sealed
/// value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// The account.
    pub integration_id: IntegrationId,
    /// The OAuth client that it was granted to: no other one can refresh it.
    pub oauth_client_id: String,
    /// When the access token ends.
    pub expires_at: Timestamp,
    /// The refresh token, if the provider gave one.
    pub refresh_token: Option<RefreshToken>,
    /// When it was last refreshed.
    pub refreshed_at: Option<Timestamp>,
    /// When it is to be refreshed without being asked for; `None` for never.
    pub next_refresh_at: Option<Timestamp>,
    /// Why it cannot be refreshed any more, if so.
    pub needs_reauth: Option<NeedsReauth>,
    /// The code that the account waits for, if it does.
    pub completion: Option<Completion>,
}

/// A refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The sealed token.
    pub sealed: Sealed,
    /// Whether it is used once: each use brings another one.
    pub rotates: bool,
}

/// Why, and since when, an account must be connected again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedsReauth {
    /// The reason, in words.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}

/// A code that the client has to bring before the account can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The code's digest.
    pub digest: Opaque,
    /// The digest key that it was made with.
    pub digest_key_id: DigestKeyId,
    /// When the code ends.
    pub expires_at: Timestamp,
}

/// An account with all that opens it, and what was granted for it unless it was stored by a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationWithGrant {
    /// The account.
    pub integration: IntegrationRow,
    /// The data key of its sealed value.
    pub key: DataKeyRow,
    /// What was granted for it.
    pub grant: Option<GrantWithKey>,
}

/// What was granted for an account, with the sealed key that opens the refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantWithKey {
    /// What was granted.
    pub row: GrantRow,
    /// The data key of the refresh token, if there is one.
    pub key: Option<DataKeyRow>,
}

/// An account by all its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPlace {
    /// Its client.
    pub client_id: ClientId,
    /// Its id.
    pub id: IntegrationId,
    /// Its user.
    pub user_id: UserId,
    /// The connector.
    pub connector: String,
    /// Its name there.
    pub user_identifier: String,
}

/// Lists up to `limit` accounts of any client that were to be refreshed at `now`, the longest overdue
/// first.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn due(
    mut source: impl Source,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<AccountPlace>, StoreError> {
    let rows = source.rows(DUE, params![now, limit]).await?;
    rows.iter().map(read_place).collect()
}

/// Lists up to `limit` accounts of any client that waited for a code which ended before `before`.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn uncompleted(
    mut source: impl Source,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<AccountPlace>, StoreError> {
    let rows = source.rows(UNCOMPLETED, params![before, limit]).await?;
    rows.iter().map(read_place).collect()
}

/// Marks the usable accounts of every client whose refresh token is used once as unverified, as a
/// restored backup must: the token in it may have been used since. Returns how many.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn mark_unverified(tx: &mut Tx, at: Timestamp) -> Result<u64, StoreError> {
    tx.execute(MARK_UNVERIFIED, params![at]).await
}

impl<S: Source> ClientScope<S> {
    /// Finds an account of the client by its id, with what was granted for it.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn granted_integration(
        &mut self,
        id: IntegrationId,
    ) -> Result<Option<IntegrationWithGrant>, StoreError> {
        let row = self.source.row(FIND, params![self.client_id, id]).await?;
        row.as_ref().map(read_with_grant).transpose()
    }

    /// Finds the default account of a user at a connector, with what was granted for it.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn default_granted_integration(
        &mut self,
        user_id: UserId,
        connector: &str,
    ) -> Result<Option<IntegrationWithGrant>, StoreError> {
        self.default_granted_integration_reading(user_id, connector)
            .alone(&mut self.source)
            .await
    }

    /// As [`default_granted_integration`](Self::default_granted_integration), to be read together with
    /// other things.
    pub fn default_granted_integration_reading(
        &self,
        user_id: UserId,
        connector: &str,
    ) -> Reading<Option<IntegrationWithGrant>> {
        let set = params![self.client_id, user_id, connector];
        Reading::new(DEFAULT, set, read_first)
    }

    /// Finds an account of a user at a connector by its name there, with what was granted for it.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn named_granted_integration(
        &mut self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Result<Option<IntegrationWithGrant>, StoreError> {
        self.named_granted_integration_reading(user_id, connector, user_identifier)
            .alone(&mut self.source)
            .await
    }

    /// As [`named_granted_integration`](Self::named_granted_integration), to be read together with
    /// other things.
    pub fn named_granted_integration_reading(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Reading<Option<IntegrationWithGrant>> {
        let account = params![self.client_id, user_id, connector, user_identifier];
        Reading::new(NAMED, account, read_first)
    }

    /// Lists a page of all accounts of the client, with what was granted for them.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn all_granted_integrations(
        &mut self,
        query: PageQuery<IntegrationId>,
    ) -> Result<Page<IntegrationWithGrant, IntegrationId>, StoreError> {
        let page = params![self.client_id, query.after_or(Uuid::nil()), query.fetch()];
        let rows = self.source.rows(PAGE_ALL, page).await?;
        Page::read(&rows, &query, read_with_grant, |row| row.integration.id)
    }

    /// Lists a page of the client's accounts of which something is sealed under a key made before
    /// `before`.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn integrations_under_keys_before(
        &mut self,
        before: Timestamp,
        query: PageQuery<IntegrationId>,
    ) -> Result<Page<IntegrationWithGrant, IntegrationId>, StoreError> {
        let page = params![
            self.client_id,
            before,
            query.after_or(Uuid::nil()),
            query.fetch()
        ];
        let rows = self.source.rows(UNDER_KEYS_BEFORE, page).await?;
        Page::read(&rows, &query, read_with_grant, |row| row.integration.id)
    }
}

impl GrantRow {
    /// How many columns [`read`](Self::read) takes.
    const COLUMNS: usize = 13;

    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            integration_id: columns.next()?,
            oauth_client_id: columns.next()?,
            expires_at: columns.next()?,
            refresh_token: read_refresh_token(columns)?,
            refreshed_at: columns.next()?,
            next_refresh_at: columns.next()?,
            needs_reauth: NeedsReauth::read(columns)?,
            completion: read_completion(columns)?,
        })
    }
}

impl NeedsReauth {
    /// Reads two columns, both of which are null when there is no need.
    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Option<Self>, StoreError> {
        let reason: Option<String> = columns.next()?;
        let at: Option<Timestamp> = columns.next()?;
        match (reason, at) {
            (Some(reason), Some(at)) => Ok(Some(Self { reason, at })),
            (None, None) => Ok(None),
            _ => Err(StoreError::unreadable("the need to connect again")),
        }
    }
}

fn read_refresh_token(columns: &mut Columns<'_>) -> Result<Option<RefreshToken>, StoreError> {
    let sealed = Sealed::read(columns)?;
    let rotates: Option<bool> = columns.next()?;
    match (sealed, rotates) {
        (Some(sealed), Some(rotates)) => Ok(Some(RefreshToken { sealed, rotates })),
        (None, None) => Ok(None),
        _ => Err(StoreError::unreadable("refresh token")),
    }
}

fn read_completion(columns: &mut Columns<'_>) -> Result<Option<Completion>, StoreError> {
    let digest: Option<Vec<u8>> = columns.next()?;
    let key: Option<DigestKeyId> = columns.next()?;
    let end: Option<Timestamp> = columns.next()?;
    match (digest, key, end) {
        (Some(digest), Some(digest_key_id), Some(expires_at)) => Ok(Some(Completion {
            digest: digest.into(),
            digest_key_id,
            expires_at,
        })),
        (None, None, None) => Ok(None),
        _ => Err(StoreError::unreadable("completion code")),
    }
}

fn read_first(rows: &[Row]) -> Result<Option<IntegrationWithGrant>, StoreError> {
    rows.first().map(read_with_grant).transpose()
}

fn read_with_grant(row: &Row) -> Result<IntegrationWithGrant, StoreError> {
    let mut columns = Columns::of(row);
    let integration = IntegrationRow::read(&mut columns)?;
    let key = DataKeyRow::read(&mut columns)?;
    let grant = columns.joined(GrantRow::COLUMNS, GrantRow::read)?;
    let grant_key = columns.joined(DataKeyRow::COLUMNS, DataKeyRow::read)?;
    Ok(IntegrationWithGrant {
        integration,
        key,
        grant: grant.map(|row| GrantWithKey {
            row,
            key: grant_key,
        }),
    })
}

fn read_place(row: &Row) -> Result<AccountPlace, StoreError> {
    let mut columns = Columns::of(row);
    Ok(AccountPlace {
        client_id: columns.next()?,
        id: columns.next()?,
        user_id: columns.next()?,
        connector: columns.next()?,
        user_identifier: columns.next()?,
    })
}

macro_rules! select_with_grant {
    ($rest:literal) => {
        concat!(
            "select ",
            integration_columns!("a."),
            ", ",
            data_key_columns!(),
            ", g.integration_id, g.oauth_client_id, g.expires_at, g.sealed, g.data_key_id, g.rotates, \
             g.refreshed_at, g.next_refresh_at, g.needs_reauth_reason, g.needs_reauth_at, \
             g.completion_digest, g.completion_digest_key_id, g.completion_expires_at, ",
            data_key_columns!("r."),
            " from bosa_integrations a \
             join bosa_data_keys k on k.client_id = a.client_id and k.id = a.data_key_id \
             left join bosa_integration_grants g on g.client_id = a.client_id and g.integration_id = a.id \
             left join bosa_data_keys r on r.client_id = g.client_id and r.id = g.data_key_id where ",
            $rest
        )
    };
}

macro_rules! select_place {
    ($rest:literal) => {
        concat!(
            "select a.client_id, a.id, a.user_id, a.connector, a.user_identifier \
             from bosa_integration_grants g \
             join bosa_integrations a on a.client_id = g.client_id and a.id = g.integration_id where ",
            $rest
        )
    };
}

statements! {
    FIND = select_with_grant!("a.client_id = $1 and a.id = $2");
    DEFAULT = select_with_grant!("a.client_id = $1 and a.user_id = $2 and a.connector = $3 and a.selected");
    NAMED = select_with_grant!("a.client_id = $1 and a.user_id = $2 and a.connector = $3 \
        and a.user_identifier = $4");
    PAGE_ALL = select_with_grant!("a.client_id = $1 and a.id > $2 order by a.id limit $3");
    UNDER_KEYS_BEFORE = select_with_grant!("a.client_id = $1 and a.id > $3 \
        and (k.created_at < $2 or r.created_at < $2) order by a.id limit $4");
    DUE = select_place!("g.next_refresh_at <= $1 order by g.next_refresh_at limit $2");
    UNCOMPLETED = select_place!("g.completion_expires_at < $1 order by g.completion_expires_at limit $2");
    MARK_UNVERIFIED = "update bosa_integrations set auth_status = 'unverified', version = version + 1, \
        updated_at = $1 where auth_status = 'active' and (client_id, id) in \
        (select client_id, integration_id from bosa_integration_grants where rotates)";
}
