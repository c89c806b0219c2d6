//! Connections to providers that were begun: first a page of ours, then a state at the provider.
//!
//! A page and a state are each used once. Both are found by the digest of a secret that only the
//! user's browser has, so that they are found before their client is known.

use bosa_auth_core::{
    ApiKeyId, ClientId, DataKeyId, DigestKeyId, IntegrationId, Timestamp, UserId,
};
use uuid::Uuid;

use crate::client_tx::ClientScope;
use crate::columns::{Columns, Opaque, statements};
use crate::data_keys::{DataKeyRow, data_key_columns};
use crate::db::{Row, Tx};
use crate::error::StoreError;
use crate::page::{Page, PageQuery};
use crate::params;
use crate::sealed::Sealed;
use crate::store::Source;

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectStateRow {
    /// The client that it was begun for.
    pub client_id: ClientId,
    /// Its id, which an account that comes of it takes over.
    pub id: IntegrationId,
    /// The user whose account it will be.
    pub user_id: UserId,
    /// The connector.
    pub connector: String,
    /// The API key that began it; `None` when the user's token alone did.
    pub api_key_id: Option<ApiKeyId>,
    /// Where the browser goes afterwards; `None` for a plain page of ours.
    pub return_address: Option<String>,
    /// Whether an account of the same name may be replaced that was stored by a caller.
    pub replaces: bool,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it ends, by the clock of a process: whoever finds it compares.
    pub expires_at: Timestamp,
}

/// A digest with the key that it was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedDigest {
    /// The digest.
    pub digest: Opaque,
    /// The digest key.
    pub key_id: DigestKeyId,
}

/// The user leaves the page for the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The digest of the state that the provider will bring back.
    pub state: KeyedDigest,
    /// The digest of the cookie that the same browser will bring back, under the same key.
    pub cookie_digest: Opaque,
    /// The code verifier.
    pub verifier: Sealed,
    /// The scopes that are asked for, as a JSON array of texts.
    pub auth_scopes: String,
}

/// A connection that came back from the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectReturn {
    /// What it is for.
    pub row: ConnectStateRow,
    /// The digest of the cookie that the browser must bring.
    pub cookie: KeyedDigest,
    /// The code verifier.
    pub verifier: Sealed,
    /// The scopes that were asked for, as a JSON array of texts.
    pub auth_scopes: String,
}

/// A code verifier with the sealed key that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierWithKey {
    /// What the connection is for.
    pub row: ConnectStateRow,
    /// The code verifier.
    pub verifier: Sealed,
    /// Its data key.
    pub key: DataKeyRow,
}

/// Finds a connection by the digest of its page's secret, before its client is known.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn find_page(
    mut source: impl Source,
    page_digest: &Opaque,
) -> Result<Option<ConnectStateRow>, StoreError> {
    let row = source.row(FIND_PAGE, params![page_digest]).await?;
    row.map(|row| ConnectStateRow::read(&mut Columns::of(&row)))
        .transpose()
}

/// Takes a connection out by the digest of its state, before its client is known: nobody finds it a
/// second time, whatever comes of it.
///
/// Repeated after an unknown outcome it finds nothing either, so that the user begins anew.
///
/// # Security
/// The answer says only that the state was one of ours. Its end, its cookie, and whether client, user
/// and key are still good are for the caller to check.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn consume(
    tx: &mut Tx,
    state_digest: &Opaque,
) -> Result<Option<ConnectReturn>, StoreError> {
    let row = tx.query_opt(CONSUME, params![state_digest]).await?;
    row.map(|row| {
        let mut columns = Columns::of(&row);
        let row = ConnectStateRow::read(&mut columns)?;
        let verifier = read_verifier(&mut columns)?;
        let key_id = columns.next()?;
        Ok(ConnectReturn {
            row,
            cookie: KeyedDigest {
                digest: columns.opaque()?,
                key_id,
            },
            verifier,
            auth_scopes: columns.next()?,
        })
    })
    .transpose()
}

/// Removes up to `limit` connections that ended before `before`; returns how many.
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn prune(tx: &mut Tx, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    tx.execute(PRUNE, params![before, limit]).await
}

impl<S: Source> ClientScope<S> {
    /// Lists a page of the client's connections whose code verifier is sealed under a key made before
    /// `before`.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn verifiers_under_keys_before(
        &mut self,
        before: Timestamp,
        query: PageQuery<IntegrationId>,
    ) -> Result<Page<VerifierWithKey, IntegrationId>, StoreError> {
        let old = params![
            self.client_id,
            before,
            query.after_or(Uuid::nil()),
            query.fetch()
        ];
        let rows = self.source.rows(UNDER_KEYS_BEFORE, old).await?;
        Page::read(&rows, &query, read_with_key, |found| found.row.id)
    }
}

impl ClientScope<&mut Tx> {
    /// Begins a connection for the client, whatever client the row names, and ends all but the `most`
    /// newest of the user; false when the client has no such user.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] when the client has no such API key or there is no such digest key;
    /// [`StoreError::Unique`] when the page's digest is taken.
    pub async fn begin_connection(
        &mut self,
        row: &ConnectStateRow,
        page: &KeyedDigest,
        most: u32,
    ) -> Result<bool, StoreError> {
        let values = params![
            self.client_id,
            row.id,
            row.user_id,
            &row.connector,
            row.api_key_id,
            row.return_address.as_deref(),
            row.replaces,
            &page.digest,
            page.key_id,
            row.created_at,
            row.expires_at
        ];
        if self.source.execute(BEGIN, values).await? == 1 {
            let newest = params![self.client_id, row.user_id, most];
            let _how_many = self.source.later(KEEP_NEWEST, newest);
            return Ok(true);
        }
        // Whether an earlier attempt of the same write has begun it.
        let begun = params![self.client_id, row.id, row.user_id];
        Ok(self.source.query_opt(IS_BEGUN, begun).await?.is_some())
    }

    /// Turns a page that was found by its digest and has not ended at `now` into a state; false when
    /// the page is not there any more, because the user has left already or it has ended.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] when the client has no such data key or there is no such digest key.
    pub async fn depart(
        &mut self,
        page_digest: &Opaque,
        departure: &Departure,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let values = params![
            self.client_id,
            page_digest,
            &departure.state.digest,
            departure.state.key_id,
            &departure.cookie_digest,
            &departure.verifier.bytes,
            departure.verifier.key_id,
            &departure.auth_scopes,
            now
        ];
        if self.source.execute(DEPART, values).await? == 1 {
            return Ok(true);
        }
        // Whether an earlier attempt of the same write has.
        let departed = params![self.client_id, &departure.state.digest];
        Ok(self
            .source
            .query_opt(IS_DEPARTED, departed)
            .await?
            .is_some())
    }

    /// Seals a code verifier under another key, if it is still sealed as it was read.
    ///
    /// # Errors
    /// [`StoreError::ForeignKey`] when the client has no such data key.
    pub async fn reseal_verifier(
        &mut self,
        id: IntegrationId,
        before: &Sealed,
        sealed: &Sealed,
    ) -> Result<bool, StoreError> {
        let values = params![
            self.client_id,
            id,
            &before.bytes,
            &sealed.bytes,
            sealed.key_id
        ];
        Ok(self.source.execute(RESEAL, values).await? == 1)
    }
}

impl ConnectStateRow {
    fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            client_id: columns.next()?,
            id: columns.next()?,
            user_id: columns.next()?,
            connector: columns.next()?,
            api_key_id: columns.next()?,
            return_address: columns.next()?,
            replaces: columns.next()?,
            created_at: columns.next()?,
            expires_at: columns.next()?,
        })
    }
}

fn read_with_key(row: &Row) -> Result<VerifierWithKey, StoreError> {
    let mut columns = Columns::of(row);
    Ok(VerifierWithKey {
        row: ConnectStateRow::read(&mut columns)?,
        verifier: read_verifier(&mut columns)?,
        key: DataKeyRow::read(&mut columns)?,
    })
}

fn read_verifier(columns: &mut Columns<'_>) -> Result<Sealed, StoreError> {
    let bytes = columns.opaque()?;
    let key_id: DataKeyId = columns.next()?;
    Ok(Sealed { bytes, key_id })
}

/// The columns of what a connection is for, each after `$of`.
macro_rules! connect_state_columns {
    ($of:literal) => {
        concat!(
            $of,
            "client_id, ",
            $of,
            "id, ",
            $of,
            "user_id, ",
            $of,
            "connector, ",
            $of,
            "api_key_id, ",
            $of,
            "return_address, ",
            $of,
            "replaces, ",
            $of,
            "created_at, ",
            $of,
            "expires_at"
        )
    };
}

statements! {
    FIND_PAGE = concat!("select ", connect_state_columns!("c."), " from bosa_connect_states c \
        where c.page_digest = $1");
    CONSUME = concat!("delete from bosa_connect_states where state_digest = $1 returning ",
        connect_state_columns!(""), ", sealed, data_key_id, digest_key_id, cookie_digest, auth_scopes");
    PRUNE = "delete from bosa_connect_states where (client_id, id) in \
        (select client_id, id from bosa_connect_states where expires_at < $1 order by expires_at limit $2)";
    UNDER_KEYS_BEFORE = concat!("select ", connect_state_columns!("s."), ", s.sealed, s.data_key_id, ",
        data_key_columns!(), " from bosa_connect_states s \
        join bosa_data_keys k on k.client_id = s.client_id and k.id = s.data_key_id \
        where s.client_id = $1 and k.created_at < $2 and s.id > $3 order by s.id limit $4");
    BEGIN = "insert into bosa_connect_states (client_id, id, user_id, connector, api_key_id, return_address, \
        replaces, page_digest, digest_key_id, created_at, expires_at) \
        select u.client_id, $2, u.id, $4, $5, $6, $7, $8, $9, $10, $11 from bosa_users u \
        where u.client_id = $1 and u.id = $3 on conflict (client_id, id) do nothing";
    IS_BEGUN = "select 1 from bosa_connect_states where client_id = $1 and id = $2 and user_id = $3";
    KEEP_NEWEST = "delete from bosa_connect_states where client_id = $1 and user_id = $2 and id not in \
        (select n.id from bosa_connect_states n where n.client_id = $1 and n.user_id = $2 \
        order by n.id desc limit $3)";
    DEPART = "update bosa_connect_states set page_digest = null, state_digest = $3, digest_key_id = $4, \
        cookie_digest = $5, sealed = $6, data_key_id = $7, auth_scopes = $8 \
        where client_id = $1 and page_digest = $2 and expires_at > $9";
    IS_DEPARTED = "select 1 from bosa_connect_states where client_id = $1 and state_digest = $2";
    RESEAL = "update bosa_connect_states set sealed = $4, data_key_id = $5 \
        where client_id = $1 and id = $2 and sealed = $3";
}
