//! One run of an import: what it works on, and what it has learned so far.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bosa_auth_core::{ClientId, ClientState, Timestamp, TokenId, UserId};
use bosa_auth_store::{
    ImportKind, ImportMarker, ImportOutcome, Original, OriginalCache, OriginalClient,
    OriginalIntegration, OriginalToken, OriginalUser, import_markers,
};
use uuid::Uuid;

use super::integrations::{Defaults, Set};
use super::left::ImportedTokenKeys;
use super::names::Owner;
use super::opening::Opening;
use super::report::{Found, Growing};
use super::write::Write;
use super::{ImportProgress, ImportReport, ImportSource, of_the_source};
use crate::auth::Inner;
use crate::error::Result;
use crate::principal::Operator;

/// How often a portion is looked at before others are held to be in the way for good.
const MOST_LOOKS: usize = 10;

pub(super) struct Run<'a> {
    pub(super) operator: &'a Operator,
    pub(super) original: Arc<Original>,
    pub(super) opening: Opening,
    pub(super) dry_run: bool,
    pub(super) now: Timestamp,
    /// What there is here of each client of the source.
    pub(super) clients: HashMap<Uuid, Here>,
    /// Users that a dry run would not import.
    pub(super) skipped_users: HashSet<Uuid>,
    /// Names that the portion gives and the database does not know yet.
    pub(super) planned: HashSet<(Owner, String)>,
    /// Whose default account was skipped, with none imported of the set since.
    pub(super) lost_default: Option<Set>,
    /// Accounts that the source has removed, and this run here.
    pub(super) gone: HashSet<Uuid>,
    /// The Redis of the source, if it is asked.
    pub(super) cache: Option<OriginalCache>,
    report: Growing,
    progress: ImportProgress,
    looked_at: u64,
    whole: u64,
}

/// What there is here of something that others belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    /// It is there, or would be but for the dry run, at this generation.
    Present { generation: i64 },
    /// It was imported earlier and deleted here.
    Deleted,
    /// It was never imported.
    Skipped,
}

/// What there is here of the users of a portion whose clients are there.
#[derive(Debug)]
pub(super) struct Users(HashMap<(Uuid, Uuid), Here>);

/// Rows of one kind that are looked at together.
#[derive(Debug)]
pub(super) enum Portion {
    Clients(Vec<OriginalClient>),
    Users(Vec<OriginalUser>),
    Tokens(Vec<OriginalToken>),
    Integrations(Vec<OriginalIntegration>, HashMap<Uuid, &'static str>),
}

impl Portion {
    fn kind(&self) -> ImportKind {
        match self {
            Self::Clients(_) => ImportKind::Client,
            Self::Users(_) => ImportKind::User,
            Self::Tokens(_) => ImportKind::Token,
            Self::Integrations(..) => ImportKind::Integration,
        }
    }
}

/// What a portion comes to.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) writes: Vec<Write>,
    pub(super) found: Vec<Found>,
    pub(super) ends: Vec<End>,
    /// As that of the run, at the end of the portion.
    pub(super) lost_default: Option<Set>,
}

impl Plan {
    /// Has the marker of an imported row say whether it is active in the source now.
    pub(super) fn remember_activity(&mut self, marker: &ImportMarker, is_active: bool) {
        if marker.was_active != is_active {
            self.writes.push(Write {
                row: super::write::Row::Nothing,
                marker: ImportMarker {
                    was_active: is_active,
                    ..marker.clone()
                },
            });
        }
    }
}

/// Something that was ended in the source since it was imported.
#[derive(Debug, Clone, Copy)]
pub(super) enum End {
    Client(ClientId),
    User(ClientId, UserId),
    Token(ClientId, UserId, TokenId),
}

impl<'a> Run<'a> {
    /// # Errors
    /// `Configuration`: the memory for hashes is too small for the source's user secrets.
    pub(super) fn begin(
        operator: &'a Operator,
        source: ImportSource,
        progress: ImportProgress,
    ) -> Result<Self> {
        let inner = &operator.auth.inner;
        source.check_memory(&inner.settings)?;
        progress(0, source.rows);
        Ok(Self {
            operator,
            original: source.original.into(),
            opening: source.opening,
            dry_run: source.dry_run,
            now: inner.clock.now(),
            clients: HashMap::new(),
            skipped_users: HashSet::new(),
            planned: HashSet::new(),
            lost_default: None,
            gone: HashSet::new(),
            cache: source.cache,
            report: Growing::new(),
            progress,
            looked_at: 0,
            whole: source.rows,
        })
    }

    /// Imports everything, what others belong to first.
    pub(super) async fn finish(mut self) -> Result<ImportReport> {
        let original = Arc::clone(&self.original);
        let mut clients = original.clients().await.map_err(of_the_source)?;
        while let Some(rows) = some(clients.next().await)? {
            self.portion(Portion::Clients(rows)).await?;
        }
        let mut users = original.users().await.map_err(of_the_source)?;
        while let Some(rows) = some(users.next().await)? {
            self.portion(Portion::Users(rows)).await?;
        }
        let mut tokens = original.tokens().await.map_err(of_the_source)?;
        while let Some(mut rows) = some(tokens.next().await)? {
            self.add_from_cache(&mut rows).await?;
            self.portion(Portion::Tokens(rows)).await?;
        }
        self.add_cached_tokens().await?;
        self.end_gone_accounts().await?;
        let mut defaults = Defaults::default();
        let mut integrations = original.integrations().await.map_err(of_the_source)?;
        while let Some(rows) = some(integrations.next().await)? {
            let repairs = defaults.look_at(&original, &rows);
            self.portion(Portion::Integrations(rows, repairs)).await?;
        }
        let notes = self.notes();
        Ok(self
            .report
            .finish(self.dry_run, self.original.version(), notes))
    }

    pub(super) async fn portion(&mut self, rows: Portion) -> Result<()> {
        let kind = rows.kind();
        for _ in 0..MOST_LOOKS {
            // A dry run writes none of them.
            if !self.dry_run {
                self.planned.clear();
            }
            let plan = match &rows {
                Portion::Clients(rows) => self.plan_clients(rows).await?,
                Portion::Users(rows) => self.plan_users(rows).await?,
                Portion::Tokens(rows) => self.plan_tokens(rows).await?,
                Portion::Integrations(rows, repairs) => {
                    self.plan_integrations(rows, repairs).await?
                }
            };
            for end in &plan.ends {
                self.end(*end).await?;
            }
            if self.write(kind, plan.writes).await? {
                self.lost_default = plan.lost_default;
                self.looked_at += plan.found.len() as u64;
                (self.progress)(self.looked_at, self.whole);
                self.report.add(kind, plan.found);
                return Ok(());
            }
        }
        Err(bosa_auth_store::StoreError::Busy.into())
    }

    /// More rows turned up than the tables of the source have.
    pub(super) fn add_to_whole(&mut self, rows: usize) {
        self.whole += rows as u64;
    }

    pub(super) fn tell(&mut self, kind: ImportKind, found: Vec<Found>) {
        self.report.add(kind, found);
    }

    pub(super) fn inner(&self) -> &'a Arc<Inner> {
        &self.operator.auth.inner
    }

    /// What there is of the client that a row names.
    pub(super) fn client(&self, id: Uuid) -> Here {
        self.clients.get(&id).copied().unwrap_or(Here::Skipped)
    }

    /// What there is of users, each with its client.
    pub(super) async fn users(
        &self,
        all: impl IntoIterator<Item = (Option<Uuid>, Option<Uuid>)>,
    ) -> Result<Users> {
        let store = &self.inner().store;
        let there = |id| matches!(self.client(id), Here::Present { .. });
        let named = all
            .into_iter()
            .filter_map(|(client, user)| client.zip(user));
        let wanted: HashSet<_> = named.filter(|(client, _)| there(*client)).collect();
        let of_clients = by_client(
            wanted
                .iter()
                .map(|(client, user)| (*client, UserId::from(*user))),
        );
        let readings = of_clients
            .iter()
            .flat_map(|(client, ids)| store.client(*client).generations_readings(ids));
        let found = store.together(readings.collect::<Vec<_>>()).await?;
        let found = found.into_iter().flatten();
        let found: HashMap<_, _> = found.map(|(id, of)| (id.as_uuid(), of)).collect();
        let missing = wanted.iter().filter(|(_, user)| !found.contains_key(user));
        let missing: Vec<_> = missing.map(|(_, user)| *user).collect();
        let markers = import_markers::find_all(store, ImportKind::User, &missing).await?;
        let here = |id: &Uuid| match (found.get(id), markers.get(id)) {
            (Some(generation), _) => Here::Present {
                generation: *generation,
            },
            (None, Some(marker)) if marker.outcome == ImportOutcome::Imported => Here::Deleted,
            _ if self.dry_run && !self.skipped_users.contains(id) => {
                Here::Present { generation: 0 }
            }
            _ => Here::Skipped,
        };
        Ok(Users(
            wanted.iter().map(|key| (*key, here(&key.1))).collect(),
        ))
    }

    pub(super) fn imported(&self, kind: ImportKind, id: Uuid, was_active: bool) -> ImportMarker {
        ImportMarker {
            kind,
            id,
            outcome: ImportOutcome::Imported,
            reason: None,
            former_name: None,
            was_active,
            imported_at: self.now,
        }
    }

    /// Skips a row; writes its marker unless it says the same already.
    pub(super) fn skip(
        &self,
        plan: &mut Plan,
        kind: ImportKind,
        id: Uuid,
        before: Option<&ImportMarker>,
        reason: &'static str,
    ) {
        if before.is_some_and(|marker| marker.outcome == ImportOutcome::Imported) {
            // It lost in the source what it belongs to, and stays here as it is.
            let what = super::report::What::AlreadyThere(None);
            plan.found.push(Found { id, what });
            return;
        }
        if before.is_none_or(|marker| marker.reason.as_deref() != Some(reason)) {
            let marker = ImportMarker {
                outcome: ImportOutcome::Skipped,
                reason: Some(reason.to_owned()),
                ..self.imported(kind, id, false)
            };
            plan.writes.push(Write {
                row: super::write::Row::Nothing,
                marker,
            });
        }
        let what = super::report::What::Skipped(reason);
        plan.found.push(Found { id, what });
    }

    /// What the operator has to know about the source's tokens.
    fn notes(&self) -> Vec<String> {
        let keys = ImportedTokenKeys::of(self.inner());
        let mut notes = Vec::new();
        if !keys.can_verify {
            notes.push(
                "No key that the original may have signed with is configured: its tokens are refused until AUTH_SECRET_KEY or AUTH_SECRET_KEY_PREVIOUS has the key that signed them."
                    .to_owned(),
            );
        }
        if keys.has_short {
            notes.push(
                "A key in AUTH_SECRET_KEY_PREVIOUS is too short for today: it verifies tokens of the original only."
                    .to_owned(),
            );
        }
        if self.original.version() == 5 && self.cache.is_none() {
            notes.push(
                "Releases 0.9.0 to 0.9.2 of the original keep tokens in Redis alone: if it is one of them, name its Redis with --redis, or these tokens are refused."
                    .to_owned(),
            );
        }
        notes
    }
}

impl Users {
    /// What there is of a user, or of its client, which is not there.
    pub(super) fn get(&self, run: &Run<'_>, client: Uuid, id: Uuid) -> Here {
        let found = self.0.get(&(client, id)).copied();
        found.unwrap_or_else(|| run.client(client))
    }
}

impl Here {
    /// Whether a client or user of this state is there.
    pub(super) fn of_client(state: ClientState, generation: i64) -> Self {
        match state {
            ClientState::Deleting => Self::Deleted,
            ClientState::Active | ClientState::Suspended => Self::Present { generation },
        }
    }
}

/// Rows of each client together, as the store looks them up.
pub(super) fn by_client<T>(all: impl IntoIterator<Item = (Uuid, T)>) -> HashMap<ClientId, Vec<T>> {
    let mut of_clients: HashMap<_, Vec<_>> = HashMap::new();
    for (client, one) in all {
        of_clients
            .entry(ClientId::from(client))
            .or_default()
            .push(one);
    }
    of_clients
}

fn some<T>(
    rows: std::result::Result<Vec<T>, bosa_auth_store::StoreError>,
) -> Result<Option<Vec<T>>> {
    let rows = rows.map_err(of_the_source)?;
    Ok(Some(rows).filter(|rows| !rows.is_empty()))
}
