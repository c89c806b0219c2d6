//! What the original's Redis adds to its tokens.
//!
//! The original asks Redis before its database. A key there says no more than the row, unless the row
//! has no end, or one that was not written. That a key is missing says nothing.

use bosa_auth_store::OriginalToken;
use serde::Deserialize;

use super::run::Run;
use crate::error::Result;

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
        let Some(cache) = &mut self.cache else {
            return Ok(());
        };
        let mut named = Vec::new();
        let mut keys = Vec::new();
        for token in tokens {
            if let (Some(client), Some(user)) = (token.client_id, token.user_id) {
                keys.push(format!("token::{client}::{user}::{}", token.id));
                named.push(token);
            }
        }
        let values = cache.values(&keys).await?;
        for (token, value) in named.into_iter().zip(values) {
            let kept = value.and_then(|value| serde_json::from_str::<Kept>(&value).ok());
            let Some(kept) = kept else {
                continue;
            };
            if kept.is_revoked {
                token.is_revoked = Some(true);
            }
            token.expires_at = token.expires_at.max(kept.expires_at);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Kept;

    #[test]
    fn a_value_of_the_original_is_read() {
        let read = |text: &str| serde_json::from_str::<Kept>(text).ok();
        let kept = read(r#"{"is_revoked": false, "expires_at": 2145916812}"#);
        let kept = kept.map(|kept| (kept.is_revoked, kept.expires_at));
        assert_eq!(kept, Some((false, Some(2_145_916_812))));
        assert!(read("[]").is_none_or(|kept| kept.expires_at.is_none()));
        assert!(read("").is_none());
    }
}
