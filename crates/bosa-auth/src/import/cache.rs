//! What the original's Redis adds to its tokens.
//!
//! The original asks Redis before its database. A key of a token that has a row there says no more than
//! the row, unless the row has no end, or one that was not written; that it is missing says nothing.
//! Releases 0.9.0 to 0.9.2 write no rows: what they issue is a key in Redis, and ends with it.

use std::collections::HashSet;

use bosa_auth_core::TokenId;
use bosa_auth_store::{ImportKind, OriginalToken, import_markers};
use serde::Deserialize;
use uuid::Uuid;

use super::of_the_source;
use super::report::{Found, What};
use super::run::{End, Portion, Run};
use crate::error::Result;

/// How many tokens are asked for together.
const PORTION: i64 = 500;

/// The value of a token's key.
#[derive(Debug, Deserialize)]
struct Kept {
    #[serde(default)]
    is_revoked: bool,
    expires_at: Option<i64>,
}

impl Run<'_> {
    /// Adds what Redis knows, if it is asked.
    pub(super) async fn add_from_cache(&mut self, tokens: &mut [OriginalToken]) -> Result<()> {
        let kept = self.kept(tokens).await?;
        for (token, kept) in tokens.iter_mut().zip(kept) {
            if let Some(kept) = kept {
                kept.add_to(token);
            }
        }
        Ok(())
    }

    /// Imports the tokens that are in Redis alone, if it is asked, and ends those that were.
    pub(super) async fn add_cached_tokens(&mut self) -> Result<()> {
        let mut cached = HashSet::new();
        let mut cursor = Some("0".to_owned());
        while let (Some(cache), Some(from)) = (&mut self.cache, cursor.take()) {
            let (keys, next) = cache.keys(&from).await?;
            cursor = next;
            let found = keys.iter().filter_map(|key| of_key(key));
            let mut tokens: Vec<_> = found.filter(|token| !cached.contains(&token.id)).collect();
            tokens.sort_by_key(|token| (token.user_id, token.id));
            tokens.dedup_by_key(|token| token.id);
            self.with_clients_of_users(&mut tokens).await?;
            let kept = self.kept(&tokens).await?;
            let mut live = Vec::new();
            for (mut token, kept) in tokens.into_iter().zip(kept) {
                // It may be gone since, and a row of the database may say more.
                if let Some(kept) = kept {
                    kept.add_to(&mut token);
                    cached.insert(token.id);
                    live.push(token);
                }
            }
            if !live.is_empty() {
                self.add_to_whole(live.len());
                self.portion(Portion::Tokens(live)).await?;
            }
        }
        match self.cache {
            Some(_) => self.end_gone_tokens(&cached).await,
            None => Ok(()),
        }
    }

    /// Leaves out tokens that have a row, which is read already, and those of users that this source does
    /// not have: Redis may be another one's too.
    async fn with_clients_of_users(&self, tokens: &mut Vec<OriginalToken>) -> Result<()> {
        let pairs = tokens.iter().map(|token| (token.id, token.user_id));
        let pairs: Vec<_> = pairs.filter_map(|(id, user)| Some((id, user?))).collect();
        let clients = self.original.tokens_without_rows(&pairs).await;
        let clients = clients.map_err(of_the_source)?;
        tokens.retain_mut(|token| match clients.get(&token.id) {
            Some(client) => {
                token.user_client_id = *client;
                true
            }
            None => false,
        });
        Ok(())
    }

    /// Ends what was imported, is live here, and has neither row nor key in the source any more.
    async fn end_gone_tokens(&mut self, cached: &HashSet<Uuid>) -> Result<()> {
        let store = &self.inner().store;
        let mut after: Option<TokenId> = None;
        loop {
            let tokens = import_markers::live_tokens(store, self.now, after, PORTION).await?;
            let Some((.., last)) = tokens.last() else {
                return Ok(());
            };
            after = Some(*last);
            let pairs = tokens
                .iter()
                .map(|(_, user, id)| (id.as_uuid(), user.as_uuid()));
            let pairs: Vec<_> = pairs.collect();
            let without = self.original.tokens_without_rows(&pairs).await;
            let without = without.map_err(of_the_source)?;
            let mut found = Vec::new();
            for (client, user, token) in tokens {
                let id = token.as_uuid();
                if without.contains_key(&id) && !cached.contains(&id) {
                    self.end(End::Token(client, user, token)).await?;
                    let what = What::Gone("was revoked in the source since, or is over there");
                    found.push(Found { id, what });
                }
            }
            self.tell(ImportKind::Token, found);
        }
    }

    /// What Redis says of each of these tokens.
    async fn kept(&mut self, tokens: &[OriginalToken]) -> Result<Vec<Option<Kept>>> {
        let Some(cache) = &mut self.cache else {
            return Ok(Vec::new());
        };
        let keys: Vec<_> = tokens.iter().map(key_of).collect();
        let values = cache.values(&keys).await?;
        let read = |value: Option<String>| serde_json::from_str(&value?).ok();
        Ok(values.into_iter().map(read).collect())
    }
}

impl Kept {
    fn add_to(&self, token: &mut OriginalToken) {
        if self.is_revoked {
            token.is_revoked = Some(true);
        }
        token.expires_at = token.expires_at.max(self.expires_at);
    }
}

/// The key of a token; one that belongs to nobody has none.
fn key_of(token: &OriginalToken) -> String {
    let text = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let (client, user) = (text(token.client_id), text(token.user_id));
    format!("token::{client}::{user}::{}", token.id)
}

/// The token that a key belongs to, as its row would be.
fn of_key(key: &str) -> Option<OriginalToken> {
    let mut ids = key.strip_prefix("token::")?.split("::");
    let mut next = || ids.next()?.parse::<Uuid>().ok();
    let token = OriginalToken {
        client_id: Some(next()?),
        user_id: Some(next()?),
        id: next()?,
        user_client_id: None,
        is_revoked: Some(false),
        expires_at: None,
    };
    (key_of(&token) == key).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::{Kept, key_of, of_key};

    #[test]
    fn a_value_of_the_original_is_read() {
        let read = |text: &str| serde_json::from_str::<Kept>(text).ok();
        let kept = read(r#"{"is_revoked": false, "expires_at": 2145916812}"#);
        let kept = kept.map(|kept| (kept.is_revoked, kept.expires_at));
        assert_eq!(kept, Some((false, Some(2_145_916_812))));
        assert!(read("[]").is_none_or(|kept| kept.expires_at.is_none()));
        assert!(read("").is_none());
    }
    #[test]
    fn a_key_names_a_token_of_a_user_of_a_client() {
        let [client, user, id] =
            [1, 2, 3].map(|last| format!("00000000-0000-4000-8000-00000000000{last}"));
        let key = format!("token::{client}::{user}::{id}");
        let token = of_key(&key).unwrap();
        assert_eq!(token.id.to_string(), id);
        assert_eq!(key_of(&token), key);
        let upper = key.to_uppercase().replace("TOKEN", "token");
        for other in [
            format!("{key}::{id}"),
            format!("token::{client}::{user}"),
            key.replace("token::", "session::"),
            key.replace('-', ""),
            format!("{upper}A"),
        ] {
            assert!(of_key(&other).is_none(), "{other}");
        }
    }
}
