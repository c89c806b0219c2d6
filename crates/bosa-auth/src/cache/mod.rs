//! What verification remembers: digests and states by public ids, never a secret, never an absence.
//!
//! Only what was accepted is kept, each thing apart, so that ending one user forgets one entry
//! however many tokens it has. A hit puts the pieces together and decides again: every deadline is
//! compared and every generation too. Whatever is not accepted that way is read from the database.

#[cfg(test)]
mod model;
mod shards;
mod sync;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicI64, Ordering};

use bosa_auth_core::{ApiKeyId, ClientId, Timestamp, TokenId, UserId, UserState};
use bosa_auth_store::api_keys::{ApiKeyRow, ApiKeyWithClient};
use bosa_auth_store::changes::ChangeKind;
use bosa_auth_store::clients::ClientRow;
use bosa_auth_store::tokens::{TokenRow, TokenWithOwner};
use bosa_auth_store::{InstanceState, StoreError};
use uuid::Uuid;

use self::shards::{Hit, Shards, Spread};

const SHARDS: usize = 64;
/// All shards together hold 65,536 entries, about 20 MB; the places for them take 1 MB, made when
/// they are first needed.
const SHARD_CAPACITY: usize = 1024;

/// The memory of one database in this process.
#[derive(Debug)]
pub(crate) struct VerifyCache(Shards<Key, Entry>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    Client(ClientId),
    User(UserId),
    Credential(ApiKeyId),
    Token(TokenId),
}

#[derive(Debug)]
enum Entry {
    Client(Box<ClientRow>),
    User(Box<KnownUser>),
    ApiKey(Box<KnownApiKey>),
    Token(Box<KnownToken>),
}

type Remembered = Hit<Key, Entry>;

/// A client key that was accepted.
#[derive(Debug)]
pub(crate) struct KnownApiKey {
    pub(crate) row: ApiKeyRow,
    /// Second of its last use, by what was read or noted here.
    last_used: AtomicI64,
}

#[derive(Debug)]
struct KnownToken {
    row: TokenRow,
    signing_key_is_stored: bool,
}

#[derive(Debug)]
struct KnownUser {
    client_id: ClientId,
    identifier: String,
    state: UserState,
    generation: i64,
}

/// Everything that decides about a token, as it was read.
#[derive(Debug)]
pub(crate) struct KnownTokenWithOwner {
    token: Remembered,
    user: Remembered,
    client: Remembered,
}

/// A client as it was read.
#[derive(Debug)]
pub(crate) struct KnownClient(Remembered);

/// A client key as it was read, with its client.
#[derive(Debug)]
pub(crate) struct KnownApiKeyWithClient {
    key: Remembered,
    client: Remembered,
}

/// Everything that decides about a token, wherever it comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenFacts<'a> {
    pub(crate) token: &'a TokenRow,
    pub(crate) user_identifier: &'a str,
    pub(crate) user_state: UserState,
    pub(crate) user_generation: i64,
    pub(crate) client: &'a ClientRow,
    pub(crate) signing_key_is_stored: bool,
    pub(crate) instance_state: InstanceState,
}

impl Default for VerifyCache {
    fn default() -> Self {
        Self(Shards::new(SHARDS, SHARD_CAPACITY))
    }
}

impl VerifyCache {
    pub(crate) fn client(&self, id: ClientId) -> Option<KnownClient> {
        self.0.get(&Key::Client(id)).map(KnownClient)
    }

    pub(crate) fn api_key(&self, id: ApiKeyId) -> Option<KnownApiKeyWithClient> {
        let key = self.0.get(&Key::Credential(id))?;
        let client = match key.value()? {
            Entry::ApiKey(key) => self.0.get(&Key::Client(key.row.client_id))?,
            _ => return None,
        };
        Some(KnownApiKeyWithClient { key, client })
    }

    pub(crate) fn token(&self, id: TokenId) -> Option<KnownTokenWithOwner> {
        let token = self.0.get(&Key::Token(id))?;
        let (user, client) = match token.value()? {
            Entry::Token(token) => (
                self.0.get(&Key::User(token.row.user_id))?,
                self.0.get(&Key::Client(token.row.client_id))?,
            ),
            _ => return None,
        };
        Some(KnownTokenWithOwner {
            token,
            user,
            client,
        })
    }

    /// Reads a client, and remembers it if `accept` says so.
    ///
    /// # Errors
    /// What `read` returns.
    pub(crate) async fn fill_client<F>(
        &self,
        read: impl Fn() -> F,
        accept: impl Fn(&ClientRow) -> bool,
    ) -> Result<Option<ClientRow>, StoreError>
    where
        F: Future<Output = Result<Option<ClientRow>, StoreError>>,
    {
        let entries = |found: &ClientRow| {
            accept(found)
                .then(|| client_entry(found))
                .into_iter()
                .collect()
        };
        self.0.fill(read, entries).await
    }

    /// Reads a key, and remembers it if `accept` says so; `last_used` gives the second of the last use
    /// that is stored or noted.
    ///
    /// # Errors
    /// What `read` returns.
    pub(crate) async fn fill_api_key<F>(
        &self,
        read: impl Fn() -> F,
        accept: impl Fn(&ApiKeyWithClient) -> bool,
        last_used: impl Fn(&ApiKeyRow) -> i64,
    ) -> Result<Option<ApiKeyWithClient>, StoreError>
    where
        F: Future<Output = Result<Option<ApiKeyWithClient>, StoreError>>,
    {
        let entries = |found: &ApiKeyWithClient| {
            if !accept(found) {
                return Vec::new();
            }
            let key = KnownApiKey {
                last_used: AtomicI64::new(last_used(&found.key)),
                row: found.key.clone(),
            };
            vec![
                (Key::Credential(found.key.id), Entry::ApiKey(Box::new(key))),
                client_entry(&found.client),
            ]
        };
        self.0.fill(read, entries).await
    }

    /// Reads a token, and remembers it with its user and client if `accept` says so.
    ///
    /// # Errors
    /// What `read` returns.
    pub(crate) async fn fill_token<F>(
        &self,
        read: impl Fn() -> F,
        accept: impl Fn(&TokenWithOwner) -> bool,
    ) -> Result<Option<TokenWithOwner>, StoreError>
    where
        F: Future<Output = Result<Option<TokenWithOwner>, StoreError>>,
    {
        let entries = |found: &TokenWithOwner| {
            if !accept(found) {
                return Vec::new();
            }
            let token = KnownToken {
                row: found.token.clone(),
                signing_key_is_stored: found.signing_key_is_stored,
            };
            let user = KnownUser {
                client_id: found.token.client_id,
                identifier: found.user_identifier.clone(),
                state: found.user_state,
                generation: found.user_generation,
            };
            vec![
                (Key::Token(found.token.id), Entry::Token(Box::new(token))),
                (Key::User(found.token.user_id), Entry::User(Box::new(user))),
                client_entry(&found.client),
            ]
        };
        self.0.fill(read, entries).await
    }

    /// Forgets what a change is about; everything when it is about no single thing.
    pub(crate) fn forget(&self, kind: ChangeKind, subject: Option<Uuid>) {
        let key = match (kind, subject) {
            (ChangeKind::Client, Some(id)) => Key::Client(id.into()),
            (ChangeKind::User, Some(id)) => Key::User(id.into()),
            (ChangeKind::ApiKey, Some(id)) => Key::Credential(id.into()),
            (ChangeKind::Token, Some(id)) => Key::Token(id.into()),
            _ => return self.forget_all(),
        };
        self.0.invalidate(&key);
    }

    pub(crate) fn forget_all(&self) {
        self.0.clear();
    }

    /// How many things are remembered.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl KnownApiKey {
    /// Whether a use at `now` is worth noting; true at most once in so many seconds.
    pub(crate) fn notes_use(&self, now: Timestamp, once_in_seconds: i64) -> bool {
        let before = self.last_used.load(Ordering::Relaxed);
        now.as_second().saturating_sub(before) >= once_in_seconds
            && self
                .last_used
                .compare_exchange(
                    before,
                    now.as_second(),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }
}

impl KnownClient {
    /// It; always there.
    pub(crate) fn get(&self) -> Option<&ClientRow> {
        match self.0.value()? {
            Entry::Client(client) => Some(client),
            _ => None,
        }
    }
}

impl KnownApiKeyWithClient {
    /// Both of them; always there.
    pub(crate) fn get(&self) -> Option<(&KnownApiKey, &ClientRow)> {
        match (self.key.value()?, self.client.value()?) {
            (Entry::ApiKey(key), Entry::Client(client)) => Some((key, client)),
            _ => None,
        }
    }
}

impl KnownTokenWithOwner {
    /// `None` when the user is another client's, which no row says.
    pub(crate) fn facts(&self) -> Option<TokenFacts<'_>> {
        let (Entry::Token(token), Entry::User(user), Entry::Client(client)) = (
            self.token.value()?,
            self.user.value()?,
            self.client.value()?,
        ) else {
            return None;
        };
        (user.client_id == client.id).then_some(TokenFacts {
            token: &token.row,
            user_identifier: &user.identifier,
            user_state: user.state,
            user_generation: user.generation,
            client,
            signing_key_is_stored: token.signing_key_is_stored,
            // A moved instance is never remembered, and its move forgets everything.
            instance_state: InstanceState::Open,
        })
    }
}

impl<'a> From<&'a TokenWithOwner> for TokenFacts<'a> {
    fn from(found: &'a TokenWithOwner) -> Self {
        Self {
            token: &found.token,
            user_identifier: &found.user_identifier,
            user_state: found.user_state,
            user_generation: found.user_generation,
            client: &found.client,
            signing_key_is_stored: found.signing_key_is_stored,
            instance_state: found.instance_state,
        }
    }
}

impl Spread for Key {
    fn spread(&self) -> u64 {
        let id = match self {
            Self::Client(id) => id.as_uuid(),
            Self::User(id) => id.as_uuid(),
            Self::Credential(id) => id.as_uuid(),
            Self::Token(id) => id.as_uuid(),
        };
        let (high, low) = id.as_u64_pair();
        // Imported ids may have any bits; ours have random ones at the end.
        let mixed = (high ^ low).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^ (mixed >> 32)
    }
}

fn client_entry(client: &ClientRow) -> (Key, Entry) {
    (
        Key::Client(client.id),
        Entry::Client(Box::new(client.clone())),
    )
}
