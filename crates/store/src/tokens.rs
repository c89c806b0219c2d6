//! Issued access tokens.

use bosa_auth_core::token::LEEWAY_SECONDS;
use bosa_auth_core::{ClientId, Form, OperationId, Timestamp, TokenId, UserId, UserState};
use jiff::SignedDuration;
use uuid::Uuid;

use crate::client_tx::ClientScope;
use crate::clients::{ClientRow, client_columns};
use crate::columns::{Columns, statements};
use crate::db::{Later, Row, Tx};
use crate::error::StoreError;
use crate::instance::InstanceState;
use crate::many::{lists, many};
use crate::page::{Page, PageQuery};
use crate::params;
use crate::store::Source;
use crate::together::Reading;

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// The client that it belongs to.
    pub client_id: ClientId,
    /// The token's id, its `jti`.
    pub id: TokenId,
    /// The user that it speaks for.
    pub user_id: UserId,
    /// The key that it was signed with.
    pub signing_key_id: String,
    /// Whether it was issued here or imported.
    pub form: Form,
    /// The client's generation when it was issued.
    pub client_generation: i64,
    /// The user's generation when it was issued.
    pub user_generation: i64,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// When it ends unless it is used again.
    pub idle_end: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// The operation that revoked it.
    pub revoke_operation: Option<OperationId>,
}

/// A token with what decides whether it is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenWithOwner {
    /// The token.
    pub token: TokenRow,
    /// The identifier of its user today.
    pub user_identifier: String,
    /// Whether its user may be used.
    pub user_state: UserState,
    /// The generation of its user today.
    pub user_generation: i64,
    /// The version of the user's secret today.
    pub secret_version: i64,
    /// Its client.
    pub client: ClientRow,
    /// Whether the key that signed it is stored in the database; a configured one is not.
    pub signing_key_is_stored: bool,
    /// Whether this database may be used.
    pub instance_state: InstanceState,
}

/// A token to be issued on what was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIssue {
    /// The token's id.
    pub id: TokenId,
    /// The user that it speaks for.
    pub user_id: UserId,
    /// The key that it is signed with.
    pub signing_key_id: String,
    /// The client's generation that was read.
    pub client_generation: i64,
    /// The user's generation that was read.
    pub user_generation: i64,
    /// The version of the secret that was verified; `None` when the token is issued without one.
    pub secret_version: Option<i64>,
    /// When it is issued.
    pub issued_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// When it ends unless it is used again.
    pub idle_end: Option<Timestamp>,
}

/// What became of the revocation of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// It is revoked now.
    Done,
    /// This very operation had revoked it, in an earlier attempt of the same write.
    DoneBefore,
    /// It was not live.
    NotLive,
}

/// Finds a token by its id alone, before its client is known.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn find(
    mut source: impl Source,
    id: TokenId,
) -> Result<Option<TokenWithOwner>, StoreError> {
    let row = source.row(FIND_ANY, params![id]).await?;
    row.as_ref().map(read_with_owner).transpose()
}

/// Removes up to `limit` tokens that ended before `before`, imported ones only those that also ended
/// before `imported_before`; returns how many.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn prune(
    tx: &mut Tx,
    before: Timestamp,
    imported_before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    tx.execute(PRUNE, params![before, imported_before, limit])
        .await
}

impl<S: Source> ClientScope<S> {
    /// Finds a token of the client.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn token(&mut self, id: TokenId) -> Result<Option<TokenWithOwner>, StoreError> {
        let row = self.source.row(FIND, params![self.client_id, id]).await?;
        row.as_ref().map(read_with_owner).transpose()
    }

    /// Finds those of these tokens that there are, to be read together with other things.
    pub fn tokens_readings(&self, ids: &[TokenId]) -> Vec<Reading<Vec<TokenRow>>> {
        let all = |rows: &[Row]| rows.iter().map(read).collect();
        lists(self.client_id, ids)
            .map(|list| Reading::new(FIND_MANY, list, all))
            .collect()
    }

    /// Lists a user's tokens, live and dead, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn tokens(
        &mut self,
        user_id: UserId,
        query: PageQuery<TokenId>,
    ) -> Result<Page<TokenRow, TokenId>, StoreError> {
        let before = query.after_or(Uuid::max());
        let rows = self
            .source
            .rows(
                PAGE,
                params![self.client_id, user_id, before, query.fetch()],
            )
            .await?;
        Page::read(&rows, &query, read, |token| token.id)
    }
}

impl ClientScope<&mut Tx> {
    /// Issues a token if client and user are active and still as they were read.
    ///
    /// True also when this very token is there already, from an earlier attempt of the same write.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn issue_token(&mut self, token: &TokenIssue) -> Result<bool, StoreError> {
        let inserted = self
            .source
            .execute(
                ISSUE,
                params![
                    self.client_id,
                    token.id,
                    token.user_id,
                    &token.signing_key_id,
                    token.issued_at,
                    token.expires_at,
                    token.idle_end,
                    token.client_generation,
                    token.user_generation,
                    token.secret_version
                ],
            )
            .await;
        match inserted {
            Ok(1) => Ok(true),
            Ok(_) => {
                let issued = params![self.client_id, token.id, token.user_id];
                Ok(self.source.query_opt(IS_ISSUED, issued).await?.is_some())
            }
            // The user was deleted at this moment; the next attempt sees it.
            Err(StoreError::ForeignKey) => Err(self.source.run_again()),
            Err(error) => Err(error),
        }
    }

    /// Adds a token as it is, for imports, with the next statement, which fails with
    /// [`StoreError::ForeignKey`] when the client has no such user. No row changed means that its id is
    /// taken.
    pub fn insert_token_later(&mut self, token: &TokenRow) -> Later {
        let values = params![
            self.client_id,
            token.id,
            token.user_id,
            &token.signing_key_id,
            token.form.as_str(),
            token.client_generation,
            token.user_generation,
            token.issued_at,
            token.expires_at,
            token.idle_end,
            token.revoked_at,
            token.revoke_operation
        ];
        self.source.later(INSERT, values)
    }

    /// Lets an imported token end later, as it does where it came from, with the next statement. No row
    /// changed means that it was revoked, or ends as late already.
    pub fn extend_imported_token_later(&mut self, id: TokenId, expires_at: Timestamp) -> Later {
        let end = params![self.client_id, id, expires_at];
        self.source.later(EXTEND, end)
    }

    /// Revokes a token that is live at `at`, the leeway included.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn revoke_token(
        &mut self,
        id: TokenId,
        operation: OperationId,
        at: Timestamp,
    ) -> Result<Revocation, StoreError> {
        let accepted_until = SignedDuration::from_secs(LEEWAY_SECONDS);
        let ended = at.checked_sub(accepted_until).unwrap_or(Timestamp::MIN);
        let changed = self
            .source
            .execute(REVOKE, params![self.client_id, id, at, operation, ended])
            .await?;
        if changed == 1 {
            return Ok(Revocation::Done);
        }
        let revoked = params![self.client_id, id, operation];
        let before = self.source.query_opt(IS_REVOKED_BY, revoked).await?;
        Ok(match before {
            Some(_) => Revocation::DoneBefore,
            None => Revocation::NotLive,
        })
    }

    /// Moves the idle end of a live token forward; false when the token must be read again.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn slide_token(
        &mut self,
        id: TokenId,
        idle_end: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let changed = self
            .source
            .execute(SLIDE, params![self.client_id, id, idle_end, now])
            .await?;
        Ok(changed == 1)
    }
}

impl TokenRow {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            client_id: columns.next()?,
            id: columns.next()?,
            user_id: columns.next()?,
            signing_key_id: columns.next()?,
            form: columns.text("token form")?,
            client_generation: columns.next()?,
            user_generation: columns.next()?,
            issued_at: columns.next()?,
            expires_at: columns.next()?,
            idle_end: columns.next()?,
            revoked_at: columns.next()?,
            revoke_operation: columns.next()?,
        })
    }
}

fn read(row: &Row) -> Result<TokenRow, StoreError> {
    TokenRow::read(&mut Columns::of(row))
}

fn read_with_owner(row: &Row) -> Result<TokenWithOwner, StoreError> {
    let mut columns = Columns::of(row);
    Ok(TokenWithOwner {
        token: TokenRow::read(&mut columns)?,
        user_identifier: columns.next()?,
        user_state: columns.text("user state")?,
        user_generation: columns.next()?,
        secret_version: columns.next()?,
        client: ClientRow::read(&mut columns)?,
        signing_key_is_stored: columns.next::<Option<String>>()?.is_some(),
        instance_state: columns.text("instance state")?,
    })
}

macro_rules! token_columns {
    () => {
        "t.client_id, t.id, t.user_id, t.signing_key_id, t.form, t.client_generation, \
         t.user_generation, t.issued_at, t.expires_at, t.idle_end, t.revoked_at, t.revoke_operation"
    };
}

macro_rules! select_with_owner {
    ($condition:literal) => {
        concat!(
            "select ",
            token_columns!(),
            ", u.identifier, u.state, u.generation, u.secret_version, ",
            client_columns!(),
            ", s.kid, i.state from bosa_tokens t \
             join bosa_users u on u.client_id = t.client_id and u.id = t.user_id \
             join bosa_clients c on c.id = t.client_id \
             left join bosa_signing_keys s on s.kid = t.signing_key_id \
             cross join bosa_instance i where ",
            $condition
        )
    };
}

statements! {
    FIND_ANY = select_with_owner!("t.id = $1");
    FIND = select_with_owner!("t.client_id = $1 and t.id = $2");
    FIND_MANY = concat!("select ", token_columns!(), " from bosa_tokens t \
        where t.client_id = $1 and t.id in ", many!());
    PAGE = concat!("select ", token_columns!(), " from bosa_tokens t \
        where t.client_id = $1 and t.user_id = $2 and t.id < $3 order by t.id desc limit $4");
    ISSUE = "insert into bosa_tokens (client_id, id, user_id, signing_key_id, form, client_generation, \
        user_generation, issued_at, expires_at, idle_end) \
        select c.id, $2, u.id, $4, 'current', c.generation, u.generation, $5, $6, $7 \
        from bosa_users u join bosa_clients c on c.id = u.client_id \
        where u.client_id = $1 and u.id = $3 and c.state = 'active' and u.state = 'active' \
        and c.generation = $8 and u.generation = $9 and u.secret_version = coalesce($10, u.secret_version) \
        on conflict (id) do nothing";
    IS_ISSUED = "select 1 from bosa_tokens where client_id = $1 and id = $2 and user_id = $3";
    INSERT = "insert into bosa_tokens (client_id, id, user_id, signing_key_id, form, client_generation, \
        user_generation, issued_at, expires_at, idle_end, revoked_at, revoke_operation) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict (id) do nothing";
    EXTEND = "update bosa_tokens set expires_at = $3 where client_id = $1 and id = $2 \
        and form = 'imported' and revoked_at is null and expires_at < $3";
    REVOKE = "update bosa_tokens set revoked_at = $3, revoke_operation = $4 \
        where client_id = $1 and id = $2 and revoked_at is null \
        and expires_at > $5 and (idle_end is null or idle_end > $3) \
        and exists (select 1 from bosa_users u join bosa_clients c on c.id = u.client_id \
        where u.client_id = $1 and u.id = bosa_tokens.user_id \
        and u.generation = bosa_tokens.user_generation and c.generation = bosa_tokens.client_generation)";
    IS_REVOKED_BY = "select 1 from bosa_tokens where client_id = $1 and id = $2 and revoke_operation = $3";
    SLIDE = "update bosa_tokens set idle_end = $3 where client_id = $1 and id = $2 \
        and revoked_at is null and idle_end > $4 and idle_end < $3";
    PRUNE = "delete from bosa_tokens where id in \
        (select id from bosa_tokens where expires_at < $1 and (form <> 'imported' or expires_at < $2) \
        order by expires_at limit $3)";
}
