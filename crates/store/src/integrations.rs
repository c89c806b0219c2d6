//! Accounts of a user at other services: rows and reads.

use bosa_auth_core::{AuthStatus, ClientId, DataKeyId, IntegrationId, Timestamp, UserId};
use uuid::Uuid;

use crate::client_tx::ClientScope;
use crate::columns::{Columns, Opaque, statements};
use crate::data_keys::{DataKeyRow, data_key_columns};
use crate::db::Row;
use crate::error::StoreError;
use crate::grants::NeedsReauth;
use crate::many::{lists, many};
use crate::page::{Page, PageQuery};
use crate::params;
use crate::store::Source;
use crate::together::Reading;

/// An account of a user at another service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationRow {
    /// The client of the user.
    pub client_id: ClientId,
    /// The account's id here.
    pub id: IntegrationId,
    /// The user that it belongs to.
    pub user_id: UserId,
    /// The connector.
    pub connector: String,
    /// The account's name at the other service.
    pub user_identifier: String,
    /// What the authorization permits, as a JSON array of texts.
    pub auth_scopes: String,
    /// The sealed authorization.
    pub sealed: Opaque,
    /// The data key that it is sealed under.
    pub data_key_id: DataKeyId,
    /// Raised with every change of the authorization or its status, which sealing the same
    /// authorization under another key is not.
    pub version: i64,
    /// Whether the authorization can be used.
    pub auth_status: AuthStatus,
    /// The account's unchangeable id at the other service, when it is known.
    pub subject: Option<String>,
    /// Whether it is the default account of its connector.
    pub selected: bool,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// An account with the sealed key that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationWithKey {
    /// The account.
    pub integration: IntegrationRow,
    /// Its data key.
    pub key: DataKeyRow,
    /// Why what was granted for it cannot be refreshed any more, if so.
    pub needs_reauth: Option<NeedsReauth>,
}

/// An account in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedIntegration {
    /// The account.
    pub integration: IntegrationRow,
    /// Why what was granted for it cannot be refreshed any more, if so.
    pub needs_reauth: Option<NeedsReauth>,
}

impl<S: Source> ClientScope<S> {
    /// Finds the default account of a user at a connector.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn default_integration(
        &mut self,
        user_id: UserId,
        connector: &str,
    ) -> Result<Option<IntegrationWithKey>, StoreError> {
        self.default_integration_reading(user_id, connector)
            .alone(&mut self.source)
            .await
    }

    /// As [`default_integration`](Self::default_integration), to be read together with other things.
    pub fn default_integration_reading(
        &self,
        user_id: UserId,
        connector: &str,
    ) -> Reading<Option<IntegrationWithKey>> {
        let set = params![self.client_id, user_id, connector];
        Reading::new(DEFAULT, set, read_first)
    }

    /// Finds an account of a user at a connector by its name there.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn named_integration(
        &mut self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Result<Option<IntegrationWithKey>, StoreError> {
        self.named_integration_reading(user_id, connector, user_identifier)
            .alone(&mut self.source)
            .await
    }

    /// As [`named_integration`](Self::named_integration), to be read together with other things.
    pub fn named_integration_reading(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Reading<Option<IntegrationWithKey>> {
        let account = params![self.client_id, user_id, connector, user_identifier];
        Reading::new(NAMED, account, read_first)
    }

    /// As [`account_names`](Self::account_names), to be read together with other things.
    pub fn account_names_reading(&self, user_id: UserId, connector: &str) -> Reading<Vec<String>> {
        let set = params![self.client_id, user_id, connector];
        let names = |rows: &[Row]| rows.iter().map(|row| row.get(0)).collect();
        Reading::new(NAMES, set, names)
    }

    /// Finds an account of a user by its id.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn integration(
        &mut self,
        user_id: UserId,
        id: IntegrationId,
    ) -> Result<Option<IntegrationRow>, StoreError> {
        let row = self
            .source
            .row(FIND, params![self.client_id, user_id, id])
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// Finds those of these accounts, of any user, that there are, to be read together with other things.
    pub fn integrations_by_id_readings(
        &self,
        ids: &[IntegrationId],
    ) -> Vec<Reading<Vec<IntegrationRow>>> {
        let all = |rows: &[Row]| rows.iter().map(read).collect();
        lists(self.client_id, ids)
            .map(|list| Reading::new(FIND_MANY, list, all))
            .collect()
    }

    /// Finds the id of an account by its name, to be read together with other things.
    pub fn named_id_reading(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Reading<Option<IntegrationId>> {
        let account = params![self.client_id, user_id, connector, user_identifier];
        let first = |rows: &[Row]| rows.first().map(|row| row.get(0)).transpose();
        Reading::new(NAMED_ID, account, first)
    }

    /// Tells whether a user has an account at a connector.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn has_integration(
        &mut self,
        user_id: UserId,
        connector: &str,
    ) -> Result<bool, StoreError> {
        self.has_integration_reading(user_id, connector)
            .alone(&mut self.source)
            .await
    }

    /// As [`has_integration`](Self::has_integration), to be read together with other things.
    pub fn has_integration_reading(&self, user_id: UserId, connector: &str) -> Reading<bool> {
        let set = params![self.client_id, user_id, connector];
        Reading::new(HAS, set, |rows| Ok(!rows.is_empty()))
    }

    /// Lists all accounts of a user, or those at one connector, by connector and age.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn integrations(
        &mut self,
        user_id: UserId,
        connector: Option<&str>,
    ) -> Result<Vec<IntegrationWithKey>, StoreError> {
        self.integrations_reading(user_id, connector)
            .alone(&mut self.source)
            .await
    }

    /// As [`integrations`](Self::integrations), to be read together with other things.
    pub fn integrations_reading(
        &self,
        user_id: UserId,
        connector: Option<&str>,
    ) -> Reading<Vec<IntegrationWithKey>> {
        let (sql, params) = match connector {
            None => (LIST, params![self.client_id, user_id]),
            Some(connector) => (LIST_AT, params![self.client_id, user_id, connector]),
        };
        Reading::new(sql, params, |rows| rows.iter().map(read_with_key).collect())
    }

    /// Lists a page of the accounts of a user, or of those at one connector, in the order of ids.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn integrations_page(
        &mut self,
        user_id: UserId,
        connector: Option<&str>,
        query: PageQuery<IntegrationId>,
    ) -> Result<Page<ListedIntegration, IntegrationId>, StoreError> {
        let after = query.after_or(Uuid::nil());
        let (client, limit) = (self.client_id, query.fetch());
        let rows = match connector {
            None => {
                let params = params![client, user_id, after, limit];
                self.source.rows(PAGE, params).await?
            }
            Some(connector) => {
                let params = params![client, user_id, after, limit, connector];
                self.source.rows(PAGE_AT, params).await?
            }
        };
        Page::read(&rows, &query, read_listed, |row| row.integration.id)
    }

    /// Lists the names of a user's accounts at a connector, in alphabetical order.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn account_names(
        &mut self,
        user_id: UserId,
        connector: &str,
    ) -> Result<Vec<String>, StoreError> {
        self.account_names_reading(user_id, connector)
            .alone(&mut self.source)
            .await
    }

    /// Lists a page of all accounts of the client with their keys, for maintenance of the vault.
    ///
    /// # Errors
    /// [`StoreError`] when the database refuses or cannot be reached.
    pub async fn all_integrations(
        &mut self,
        query: PageQuery<IntegrationId>,
    ) -> Result<Page<IntegrationWithKey, IntegrationId>, StoreError> {
        let after = query.after_or(Uuid::nil());
        let rows = self
            .source
            .rows(PAGE_ALL, params![self.client_id, after, query.fetch()])
            .await?;
        Page::read(&rows, &query, read_with_key, |row| row.integration.id)
    }
}

impl IntegrationRow {
    pub(crate) fn read(columns: &mut Columns<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            client_id: columns.next()?,
            id: columns.next()?,
            user_id: columns.next()?,
            connector: columns.next()?,
            user_identifier: columns.next()?,
            auth_scopes: columns.next()?,
            sealed: columns.opaque()?,
            data_key_id: columns.next()?,
            version: columns.next()?,
            auth_status: columns.text("auth status")?,
            subject: columns.next()?,
            selected: columns.next()?,
            created_at: columns.next()?,
            updated_at: columns.next()?,
        })
    }
}

pub(crate) fn read(row: &Row) -> Result<IntegrationRow, StoreError> {
    IntegrationRow::read(&mut Columns::of(row))
}

fn read_first(rows: &[Row]) -> Result<Option<IntegrationWithKey>, StoreError> {
    rows.first().map(read_with_key).transpose()
}

fn read_with_key(row: &Row) -> Result<IntegrationWithKey, StoreError> {
    let mut columns = Columns::of(row);
    Ok(IntegrationWithKey {
        integration: IntegrationRow::read(&mut columns)?,
        key: DataKeyRow::read(&mut columns)?,
        needs_reauth: NeedsReauth::read(&mut columns)?,
    })
}

fn read_listed(row: &Row) -> Result<ListedIntegration, StoreError> {
    let mut columns = Columns::of(row);
    Ok(ListedIntegration {
        integration: IntegrationRow::read(&mut columns)?,
        needs_reauth: NeedsReauth::read(&mut columns)?,
    })
}

/// The columns of an account, each after `$of`.
macro_rules! integration_columns {
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
            "user_identifier, ",
            $of,
            "auth_scopes, ",
            $of,
            "sealed, ",
            $of,
            "data_key_id, ",
            $of,
            "version, ",
            $of,
            "auth_status, ",
            $of,
            "subject, ",
            $of,
            "selected, ",
            $of,
            "created_at, ",
            $of,
            "updated_at"
        )
    };
}

pub(crate) use integration_columns;

macro_rules! select_with_key {
    ($condition:literal) => {
        concat!(
            "select ", integration_columns!("a."), ", ", data_key_columns!(),
            ", g.needs_reauth_reason, g.needs_reauth_at from bosa_integrations a \
             join bosa_data_keys k on k.client_id = a.client_id and k.id = a.data_key_id \
             left join bosa_integration_grants g on g.client_id = a.client_id and g.integration_id = a.id \
             where ",
            $condition
        )
    };
}

macro_rules! select_listed {
    ($condition:literal) => {
        concat!(
            "select ", integration_columns!("a."),
            ", g.needs_reauth_reason, g.needs_reauth_at from bosa_integrations a \
             left join bosa_integration_grants g on g.client_id = a.client_id and g.integration_id = a.id \
             where ",
            $condition
        )
    };
}

statements! {
    FIND_MANY = concat!("select ", integration_columns!(""), " from bosa_integrations \
        where client_id = $1 and id in ", many!());
    NAMED_ID = "select id from bosa_integrations \
        where client_id = $1 and user_id = $2 and connector = $3 and user_identifier = $4";
    DEFAULT = select_with_key!("a.client_id = $1 and a.user_id = $2 and a.connector = $3 and a.selected");
    NAMED = select_with_key!("a.client_id = $1 and a.user_id = $2 and a.connector = $3 \
        and a.user_identifier = $4");
    FIND = concat!("select ", integration_columns!("a."), " from bosa_integrations a \
        where a.client_id = $1 and a.user_id = $2 and a.id = $3");
    HAS = "select 1 from bosa_integrations where client_id = $1 and user_id = $2 and connector = $3 limit 1";
    LIST = select_with_key!("a.client_id = $1 and a.user_id = $2 \
        order by a.connector, a.created_at, a.id");
    LIST_AT = select_with_key!("a.client_id = $1 and a.user_id = $2 and a.connector = $3 \
        order by a.created_at, a.id");
    PAGE = select_listed!("a.client_id = $1 and a.user_id = $2 and a.id > $3 order by a.id limit $4");
    PAGE_AT = select_listed!("a.client_id = $1 and a.user_id = $2 and a.id > $3 and a.connector = $5 \
        order by a.id limit $4");
    PAGE_ALL = select_with_key!("a.client_id = $1 and a.id > $2 order by a.id limit $3");
    NAMES = "select user_identifier from bosa_integrations \
        where client_id = $1 and user_id = $2 and connector = $3 order by user_identifier";
}
