//! Rows as plain values, for backups that either database can read.
//!
//! The statements are made from one list of columns, so that the columns that are read are the columns that
//! are written. [`tables`] are in an order in which every row's references come before it.

use std::sync::LazyLock;

use bosa_auth_core::{InstanceId, Timestamp};
use uuid::Uuid;

use crate::changes;
use crate::columns::statements;
use crate::db::{Param, Row, Tx};
use crate::error::StoreError;
use crate::params;
use crate::store::Source;

/// The type of a column, the same on both databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// True or false.
    Bool,
    /// A whole number; times are microseconds since the epoch.
    Int,
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// A UUID.
    Uuid,
}

/// A table of the schema, as backups see it.
#[derive(Debug)]
pub struct ArchiveTable {
    definition: &'static Definition,
    first_page: String,
    next_page: String,
    insert: String,
}

/// Lists every table, what is referred to before what refers to it.
pub fn tables() -> &'static [ArchiveTable] {
    &STATEMENTS_OF_TABLES
}

/// Finds a table by its name.
pub fn table(name: &str) -> Option<&'static ArchiveTable> {
    tables().iter().find(|table| table.name() == name)
}

impl ArchiveTable {
    /// Returns the table's name.
    pub fn name(&self) -> &'static str {
        self.definition.name
    }

    /// Tells whether a backup carries the table's rows.
    ///
    /// Not carried is what says something about running processes, requests in flight or the
    /// numbering of this very database.
    pub fn is_carried(&self) -> bool {
        self.definition.is_carried
    }

    /// Returns the table's columns; those of the primary key come first.
    pub fn columns(&self) -> &'static [(&'static str, ColumnKind)] {
        self.definition.columns
    }

    /// Returns the part of a row that the next page continues after.
    pub fn key(&self, row: &[Param]) -> Vec<Param> {
        row.iter().take(self.definition.key).cloned().collect()
    }
}

/// Reads up to `limit` rows in the order of the primary key, from the first one or after a
/// [key](ArchiveTable::key).
///
/// # Errors
/// [`StoreError`] when the database refuses or cannot be reached.
pub async fn export(
    mut source: impl Source,
    table: &'static ArchiveTable,
    after: Option<Vec<Param>>,
    limit: u32,
) -> Result<Vec<Vec<Param>>, StoreError> {
    let rows = match after {
        None => source.rows(&table.first_page, params![limit]).await?,
        Some(mut key) => {
            key.push(limit.into());
            source.rows(&table.next_page, key).await?
        }
    };
    rows.iter().map(|row| read(table, row)).collect()
}

/// Writes one row.
///
/// # Errors
/// [`StoreError::Unreadable`] when the values are not those of the table's columns;
/// [`StoreError::Unique`] when the row is there; [`StoreError::ForeignKey`] when what it refers to
/// is not.
pub async fn import(
    tx: &mut Tx,
    table: &'static ArchiveTable,
    row: Vec<Param>,
) -> Result<(), StoreError> {
    let columns = table.columns();
    let fits = row.len() == columns.len()
        && row
            .iter()
            .zip(columns)
            .all(|(value, (_, kind))| kind_of(value) == *kind);
    if !fits {
        return Err(StoreError::unreadable(format!("a row of {}", table.name())));
    }
    tx.execute(&table.insert, row).await.map(drop)
}

/// Opens an imported instance as a new one: with an id of its own and a new change feed.
///
/// # Errors
/// [`StoreError::Unreadable`] when no instance was imported.
pub async fn adopt_instance(
    tx: &mut Tx,
    id: InstanceId,
    feed_mark: Uuid,
    at: Timestamp,
) -> Result<(), StoreError> {
    if tx.execute(ADOPT, params![id]).await? == 0 {
        return Err(StoreError::unreadable("the instance"));
    }
    changes::begin(tx, feed_mark, at).await
}

/// A table in words.
#[derive(Debug)]
struct Definition {
    name: &'static str,
    is_carried: bool,
    /// How many of the columns, counted from the first, are the primary key.
    key: usize,
    columns: &'static [(&'static str, ColumnKind)],
}

fn read(table: &ArchiveTable, row: &Row) -> Result<Vec<Param>, StoreError> {
    let columns = table.columns().iter().enumerate();
    columns
        .map(|(index, (_, kind))| {
            Ok(match kind {
                ColumnKind::Bool => Param::Bool(row.get(index)?),
                ColumnKind::Int => Param::Int(row.get(index)?),
                ColumnKind::Text => Param::Text(row.get(index)?),
                ColumnKind::Bytes => Param::Bytes(row.get(index)?),
                ColumnKind::Uuid => Param::Uuid(row.get(index)?),
            })
        })
        .collect()
}

fn kind_of(value: &Param) -> ColumnKind {
    match value {
        Param::Bool(_) => ColumnKind::Bool,
        Param::Int(_) => ColumnKind::Int,
        Param::Text(_) => ColumnKind::Text,
        Param::Bytes(_) => ColumnKind::Bytes,
        Param::Uuid(_) => ColumnKind::Uuid,
    }
}

fn statements_of(definition: &'static Definition) -> ArchiveTable {
    let names: Vec<&str> = definition.columns.iter().map(|(name, _)| *name).collect();
    let placeholders = |count: usize| {
        let numbered: Vec<String> = (1..=count).map(|number| format!("${number}")).collect();
        numbered.join(", ")
    };
    let table = definition.name;
    let columns = names.join(", ");
    let key = names
        .iter()
        .take(definition.key)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    let after = placeholders(definition.key);
    let limit = definition.key + 1;
    let values = placeholders(names.len());
    ArchiveTable {
        definition,
        first_page: format!("select {columns} from {table} order by {key} limit $1"),
        next_page: format!(
            "select {columns} from {table} where ({key}) > ({after}) order by {key} limit ${limit}"
        ),
        insert: format!("insert into {table} ({columns}) values ({values})"),
    }
}

/// Made once: statements live as long as the program.
static STATEMENTS_OF_TABLES: LazyLock<Vec<ArchiveTable>> =
    LazyLock::new(|| TABLES.iter().map(statements_of).collect());

macro_rules! tables {
    ($( $carried:ident $name:ident [ $($key:ident $key_kind:ident),+ ] $($column:ident $kind:ident),* ; )+) => {
        &[$(
            Definition {
                name: stringify!($name),
                is_carried: tables!(@ $carried),
                key: [$( stringify!($key) ),+].len(),
                columns: &[
                    $( (stringify!($key), ColumnKind::$key_kind), )+
                    $( (stringify!($column), ColumnKind::$kind), )*
                ],
            },
        )+]
    };
    (@ carried) => { true };
    (@ left) => { false };
}

const TABLES: &[Definition] = tables! {
    left bosa_schema_migrations [version Int] name Text, checksum Text, applied_at Int;
    carried bosa_root_key_canaries [id Text] sealed Bytes, created_at Int;
    carried bosa_instance [singleton Int] id Uuid, issuer Text, state Text, active_root_key Text,
        moved_to Text, created_at Int;
    left bosa_nodes [id Uuid] kid Text, started_at Int, seen_at Int;
    carried bosa_digest_keys [id Uuid] root_key_id Text, sealed Bytes, state Text, created_at Int;
    carried bosa_signing_keys [kid Text] algorithm Text, root_key_id Text, sealed Bytes, state Text,
        created_at Int;
    carried bosa_connector_keys [id Uuid] root_key_id Text, sealed Bytes, state Text, created_at Int;
    carried bosa_shared_connector_settings [connector Text] settings Text, sealed Bytes,
        connector_key_id Uuid, version Int, created_at Int, updated_at Int;
    carried bosa_clients [id Uuid] name Text, state Text, can_get_integrations Bool, generation Int,
        version Int, created_at Int, updated_at Int;
    carried bosa_data_keys [client_id Uuid, id Uuid] root_key_id Text, sealed Bytes, state Text,
        created_at Int;
    carried bosa_connector_settings [client_id Uuid, connector Text] settings Text, sealed Bytes,
        data_key_id Uuid, version Int, created_at Int, updated_at Int;
    carried bosa_api_keys [client_id Uuid, id Uuid] form Text, digest Bytes, digest_key_id Uuid,
        preview Text, scopes Text, expires_at Int, last_used_at Int, revoked_at Int, created_at Int;
    carried bosa_users [client_id Uuid, id Uuid] identifier Text, state Text, generation Int,
        version Int, secret_kind Text, secret_version Int, digest Bytes, digest_key_id Uuid,
        password_hash Text, secret_preview Text, created_at Int, updated_at Int;
    carried bosa_tokens [client_id Uuid, id Uuid] user_id Uuid, signing_key_id Text, form Text,
        client_generation Int, user_generation Int, issued_at Int, expires_at Int, idle_end Int,
        revoked_at Int, revoke_operation Uuid;
    carried bosa_integration_sets [client_id Uuid, user_id Uuid, connector Text] version Int;
    carried bosa_integrations [client_id Uuid, id Uuid] user_id Uuid, connector Text,
        user_identifier Text, auth_scopes Text, sealed Bytes, data_key_id Uuid, version Int,
        auth_status Text, subject Text, selected Bool, created_at Int, updated_at Int;
    carried bosa_integration_grants [client_id Uuid, integration_id Uuid] oauth_client_id Text,
        expires_at Int, sealed Bytes, data_key_id Uuid, rotates Bool, refreshed_at Int,
        next_refresh_at Int, needs_reauth_reason Text, needs_reauth_at Int, completion_digest Bytes,
        completion_digest_key_id Uuid, completion_expires_at Int;
    carried bosa_import_markers [kind Text, id Uuid] outcome Text, reason Text, former_name Text,
        was_active Bool, imported_at Int;
    left bosa_refresh_leases [client_id Uuid, integration_id Uuid] holder Uuid, held_until Int,
        sent_at Int, sent_by Uuid;
    left bosa_connect_states [client_id Uuid, id Uuid] user_id Uuid, connector Text, api_key_id Uuid,
        return_address Text, replaces Bool, page_digest Bytes, state_digest Bytes, cookie_digest Bytes,
        digest_key_id Uuid, sealed Bytes, data_key_id Uuid, auth_scopes Text, created_at Int,
        expires_at Int;
    left bosa_rekey [singleton Int] operation_id Uuid, started_at Int, actor_kind Text, actor_id Uuid,
        resealed Int, updated_at Int;
    left bosa_feed_head [part Int] seq Int, mark Uuid;
    left bosa_changes [part Int, seq Int] mark Uuid, kind Text, client_id Uuid, subject Uuid, at Int;
    carried bosa_audit_events [id Uuid] at Int, actor_kind Text, actor_id Uuid, action Text,
        client_id Uuid, subject Uuid, detail Text;
    left bosa_idempotency [caller Text, route Text, key_digest Bytes] request_digest Bytes,
        digest_key_id Uuid, operation_id Uuid, status Int, resource_id Text, created_at Int;
};

statements! {
    ADOPT = "update bosa_instance set id = $1, state = 'open', moved_to = null";
}
