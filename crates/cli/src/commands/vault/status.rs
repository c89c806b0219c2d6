//! `vault status`: what is sealed, and by which keys.

use bosa_auth::{ConnectorKeyInfo, DataKeyAges, Operator, RekeyStatus, VaultCounts, VaultStatus};
use serde::Serialize;

use crate::commands::context::Context;
use crate::commands::digest_key::DigestKeyView;
use crate::commands::root_key::RootKeyView;
use crate::exit::Failure;
use crate::output::table;
use crate::view;

#[derive(Debug, Serialize)]
struct StatusView {
    clients: u64,
    values: ValuesView,
    data_keys: DataKeysView,
    connector_keys: Vec<ConnectorKeyView>,
    root_keys: Vec<RootKeyView>,
    digest_keys: Vec<DigestKeyView>,
    rekey: Option<RekeyView>,
}

/// How many values there are of each kind.
#[derive(Debug, Serialize)]
pub(super) struct ValuesView {
    credentials: u64,
    refresh_tokens: u64,
    connector_secrets: u64,
    shared_connector_secrets: u64,
    code_verifiers: u64,
}

#[derive(Debug, Serialize)]
struct DataKeysView {
    count: u64,
    up_to_30_days: u64,
    up_to_90_days: u64,
    up_to_365_days: u64,
    older: u64,
    retiring: u64,
    oldest: Option<String>,
}

#[derive(Debug, Serialize)]
struct ConnectorKeyView {
    id: String,
    is_active: bool,
    seals: u64,
    created_at: String,
}

/// A replacement of keys that has not ended.
#[derive(Debug, Serialize)]
struct RekeyView {
    started_at: String,
    updated_at: String,
    started_by: String,
    resealed: u64,
    remaining: RemainingView,
    next: &'static str,
}

/// What is under old keys.
#[derive(Debug, Serialize)]
pub(super) struct RemainingView {
    data_keys: u64,
    connector_keys: u64,
    #[serde(flatten)]
    values: ValuesView,
}

/// Prints what is sealed.
pub(super) async fn run(context: &Context, operator: &Operator) -> Result<(), Failure> {
    let output = context.output;
    let view = StatusView::from(operator.vault_status().await?);
    if output.is_json() {
        return output.record(&view, &[]);
    }
    output.details(&Summary::of(&view), &[])?;
    output.text(&format!(
        "\nroot keys\n{}\n\ndigest keys\n{}\n",
        table(&view.root_keys, &RootKeyView::COLUMNS)?,
        table(&view.digest_keys, &DigestKeyView::COLUMNS)?,
    ))?;
    if !view.connector_keys.is_empty() {
        let columns = ["id", "is_active", "seals", "created_at"];
        let keys = table(&view.connector_keys, &columns)?;
        output.text(&format!("\nconnector keys\n{keys}\n"))?;
    }
    if view.rekey.is_some() {
        output.note("A replacement of keys is unfinished; run bosa-auth vault rekey to go on.");
    }
    Ok(())
}

/// What is no table of its own.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    clients: u64,
    values: &'a ValuesView,
    data_keys: &'a DataKeysView,
    #[serde(skip_serializing_if = "Option::is_none")]
    rekey: Option<&'a RekeyView>,
}

impl<'a> Summary<'a> {
    fn of(view: &'a StatusView) -> Self {
        Self {
            clients: view.clients,
            values: &view.values,
            data_keys: &view.data_keys,
            rekey: view.rekey.as_ref(),
        }
    }
}

impl From<VaultStatus> for StatusView {
    fn from(status: VaultStatus) -> Self {
        Self {
            clients: status.clients,
            data_keys: DataKeysView::of(&status.data_keys, status.sealed.data_keys),
            values: status.sealed.into(),
            connector_keys: status.connector_keys.into_iter().map(Into::into).collect(),
            root_keys: status.root_keys.into_iter().map(Into::into).collect(),
            digest_keys: status.digest_keys.into_iter().map(Into::into).collect(),
            rekey: status.rekey.map(Into::into),
        }
    }
}

impl DataKeysView {
    fn of(ages: &DataKeyAges, count: u64) -> Self {
        Self {
            count,
            up_to_30_days: ages.up_to_30_days,
            up_to_90_days: ages.up_to_90_days,
            up_to_365_days: ages.up_to_365_days,
            older: ages.older,
            retiring: ages.retiring,
            oldest: ages.oldest.map(view::time),
        }
    }
}

impl From<VaultCounts> for ValuesView {
    fn from(counts: VaultCounts) -> Self {
        Self {
            credentials: counts.credentials,
            refresh_tokens: counts.refresh_tokens,
            connector_secrets: counts.connector_secrets,
            shared_connector_secrets: counts.shared_connector_secrets,
            code_verifiers: counts.code_verifiers,
        }
    }
}

impl From<VaultCounts> for RemainingView {
    fn from(counts: VaultCounts) -> Self {
        Self {
            data_keys: counts.data_keys,
            connector_keys: counts.connector_keys,
            values: counts.into(),
        }
    }
}

impl From<ConnectorKeyInfo> for ConnectorKeyView {
    fn from(info: ConnectorKeyInfo) -> Self {
        Self {
            id: info.id,
            is_active: info.is_active,
            seals: info.seals,
            created_at: view::time(info.created_at),
        }
    }
}

impl From<RekeyStatus> for RekeyView {
    fn from(status: RekeyStatus) -> Self {
        Self {
            started_at: view::time(status.started_at),
            updated_at: view::time(status.updated_at),
            started_by: status.started_by,
            resealed: status.resealed,
            remaining: status.remaining.into(),
            next: "bosa-auth vault rekey",
        }
    }
}
