//! Which credentials would end with a digest key.

use bosa_auth_core::ClientId;
use bosa_auth_store::digest_key_end;

use super::parse;
use crate::error::Result;
use crate::principal::Operator;

const PAGE: u32 = 500;

/// A credential that depends on a digest key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DependentCredential {
    /// Its client.
    pub client_id: ClientId,
    /// The client's name.
    pub client_name: String,
    /// `api_key` or `user`.
    pub kind: &'static str,
    /// The API key's or the user's id.
    pub id: uuid::Uuid,
    /// The API key's preview, or the user's identifier.
    pub name: String,
}

impl Operator {
    /// Calls `each` with every API key that works and every user's secret that depends on a digest key;
    /// returns how many there are.
    ///
    /// # Errors
    /// `NotFound`: the id is malformed.
    pub async fn digest_key_dependents(
        &self,
        id: &str,
        mut each: impl FnMut(DependentCredential) + Send,
    ) -> Result<u64> {
        let inner = &self.auth.inner;
        let (id, now) = (parse(id)?, inner.clock.now());
        let mut found = 0;
        let mut after = None;
        loop {
            let page = digest_key_end::api_keys(&inner.store, id, now, after, PAGE).await?;
            after = page.last().map(|last| (last.client_id, last.id));
            for one in page {
                found += 1;
                each(DependentCredential {
                    client_id: one.client_id,
                    client_name: one.client_name,
                    kind: "api_key",
                    id: one.id.as_uuid(),
                    name: one.preview,
                });
            }
            if after.is_none() {
                break;
            }
        }
        let mut after = None;
        loop {
            let page = digest_key_end::users(&inner.store, id, after, PAGE).await?;
            after = page.last().map(|last| (last.client_id, last.id));
            for one in page {
                found += 1;
                each(DependentCredential {
                    client_id: one.client_id,
                    client_name: one.client_name,
                    kind: "user",
                    id: one.id.as_uuid(),
                    name: one.identifier,
                });
            }
            if after.is_none() {
                return Ok(found);
            }
        }
    }
}
