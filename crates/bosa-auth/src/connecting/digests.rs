//! Digests of what only a browser has: the secret of a page, a state, cookies, a code.

use std::collections::BTreeSet;
use std::sync::Arc;

use bosa_auth_core::{Digest, DigestKey, DigestKeyId, keyed_digest};
use bosa_auth_store::Opaque;

use crate::auth::Inner;
use crate::error::Result;

/// What a digest is of; one of one kind is never one of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The secret in the address of a page.
    Page,
    /// What the form of a page carries, bound to the page and to the browser's cookie.
    Form,
    /// The state that a provider brings back.
    State,
    /// The cookie that belongs to a state.
    Cookie,
    /// The code with which a client takes over an account.
    Completion,
}

impl Kind {
    const fn label(self) -> &'static str {
        match self {
            Self::Page => "connect page",
            Self::Form => "connect form",
            Self::State => "connect state",
            Self::Cookie => "connect cookie",
            Self::Completion => "connect completion",
        }
    }

    pub(super) fn digest(self, key: &DigestKey, parts: &[&str]) -> Digest {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        keyed_digest(key, self.label(), &parts)
    }
}

pub(super) fn stored(digest: &Digest) -> Opaque {
    (*digest.as_bytes()).into()
}

/// The digests of a text under every key that is known here, the active one first.
pub(super) fn under_every_key(
    inner: &Inner,
    kind: Kind,
    text: &str,
) -> Vec<(DigestKeyId, Arc<DigestKey>, Opaque)> {
    let keys = inner.digest_keys.all().into_iter();
    keys.map(|(id, key)| {
        let digest = stored(&kind.digest(&key, &[text]));
        (id, key, digest)
    })
    .collect()
}

/// Opens the digest keys again; false when there are no others than before.
pub(super) async fn learn_keys(inner: &Inner) -> Result<bool> {
    let known = |inner: &Inner| -> BTreeSet<DigestKeyId> {
        let keys = inner.digest_keys.all().into_iter();
        keys.map(|(id, _)| id).collect()
    };
    let before = known(inner);
    let keys = &inner.digest_keys;
    keys.reload(&inner.store, &inner.root_keys).await?;
    Ok(!known(inner).is_subset(&before))
}
