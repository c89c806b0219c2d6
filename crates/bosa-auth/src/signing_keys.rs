//! The keys that sign and verify tokens: configured ones and those made by rotation.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bosa_auth_core::token::{Algorithm, SigningKey};
use bosa_auth_core::vault::{KeyPurpose, RootKeyring, open_key};
use bosa_auth_core::{AuditAction, Entropy, Timestamp};
use bosa_auth_store::changes::ChangeKind;
use bosa_auth_store::signing_keys::{self, SigningKeyRow};
use bosa_auth_store::{KeyState, Store, audit};

use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::instance::root_key;
use crate::memory::{Change, Outcome};
use crate::operation::Operation;
use crate::principal::Operator;

/// The signing keys of one process.
///
/// A configured key stays outside the database. A key made by rotation lies sealed in the database;
/// the active one among those signs, the configured one when there is none.
#[derive(Debug)]
pub(crate) struct SigningKeys {
    configured: Option<Arc<SigningKey>>,
    /// The configured keys that verify, by `kid`.
    verifying: HashMap<String, Arc<SigningKey>>,
    /// Keys that may verify a token without `kid`.
    imported: Vec<Arc<SigningKey>>,
    /// Opened keys of the database, by `kid`. Whether one is still valid is the database's word.
    generated: ArcSwap<HashMap<String, Arc<SigningKey>>>,
}

/// A key that may verify a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verifier<K> {
    pub(crate) key: K,
    /// Whether it lies in the database, and so must still be there.
    pub(crate) is_generated: bool,
}

impl Verifier<Arc<SigningKey>> {
    pub(crate) fn borrowed(&self) -> Verifier<&SigningKey> {
        Verifier {
            key: &self.key,
            is_generated: self.is_generated,
        }
    }
}

/// A signing key as it is listed.
#[derive(Debug, Clone)]
pub struct SigningKeyInfo {
    /// The key's id, the `kid` of its tokens.
    pub kid: String,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Whether new tokens are signed with it.
    pub signs: bool,
    /// `configured`, `previous` or `generated`.
    pub origin: &'static str,
    /// When it was made; unknown for configured ones.
    pub created_at: Option<Timestamp>,
}

impl SigningKeys {
    pub(crate) fn new(
        configured: Option<SigningKey>,
        previous: Vec<SigningKey>,
        imported: Vec<SigningKey>,
    ) -> Self {
        let configured = configured.map(Arc::new);
        let mut verifying: HashMap<String, Arc<SigningKey>> = previous
            .into_iter()
            .map(|key| (key.kid().to_owned(), Arc::new(key)))
            .collect();
        if let Some(key) = &configured {
            verifying.insert(key.kid().to_owned(), key.clone());
        }
        let mut for_imported: Vec<Arc<SigningKey>> = verifying
            .values()
            .filter(|key| key.algorithm() == Algorithm::HS256)
            .cloned()
            .collect();
        for_imported.extend(imported.into_iter().map(Arc::new));
        Self {
            configured,
            verifying,
            imported: for_imported,
            generated: ArcSwap::default(),
        }
    }

    /// The key that signs now.
    ///
    /// # Errors
    /// `Configuration` when there is neither a configured key nor an active one in the database.
    pub(crate) async fn signer(
        &self,
        store: &Store,
        root_keys: &RootKeyring,
    ) -> Result<Arc<SigningKey>> {
        let active = signing_keys::active(store).await?;
        self.signer_beside(active.as_ref(), root_keys)
    }

    /// As [`signer`](Self::signer), given the active key in the database, as it was just read.
    ///
    /// # Errors
    /// As [`signer`](Self::signer).
    pub(crate) fn signer_beside(
        &self,
        active: Option<&SigningKeyRow>,
        root_keys: &RootKeyring,
    ) -> Result<Arc<SigningKey>> {
        match active {
            Some(row) => self.opened(row, root_keys),
            None => self.configured.clone().ok_or_else(|| {
                Error::configuration(
                    "there is no signing key; set AUTH_SECRET_KEY, restore auth_secret.key or run bosa-auth signing-key rotate",
                )
            }),
        }
    }

    /// The key of this `kid`. A generated one may have been retired since it was opened: the token's
    /// row tells.
    pub(crate) async fn verifier(
        &self,
        kid: &str,
        store: &Store,
        root_keys: &RootKeyring,
    ) -> Result<Option<Verifier<Arc<SigningKey>>>> {
        if let Some(key) = self.verifying.get(kid) {
            return Ok(Some(Verifier {
                key: key.clone(),
                is_generated: false,
            }));
        }
        if let Some(key) = self.generated.load().get(kid) {
            return Ok(Some(Verifier {
                key: key.clone(),
                is_generated: true,
            }));
        }
        let rows = signing_keys::list(store).await?;
        match rows.iter().find(|row| row.kid == kid) {
            Some(row) => {
                let key = self.opened(row, root_keys)?;
                Ok(Some(Verifier {
                    key,
                    is_generated: true,
                }))
            }
            None => Ok(None),
        }
    }

    /// Uses the key of this `kid`, when it is configured or was opened already, without counting one
    /// more holder of it: every verification comes here.
    pub(crate) fn with_known<T>(
        &self,
        kid: &str,
        f: impl FnOnce(Verifier<&SigningKey>) -> T,
    ) -> Option<T> {
        if let Some(key) = self.verifying.get(kid) {
            return Some(f(Verifier {
                key,
                is_generated: false,
            }));
        }
        let opened = self.generated.load();
        let key = opened.get(kid)?;
        Some(f(Verifier {
            key,
            is_generated: true,
        }))
    }

    /// The keys that may verify a token without `kid`.
    pub(crate) fn for_imported_tokens(&self) -> &[Arc<SigningKey>] {
        &self.imported
    }

    fn opened(&self, row: &SigningKeyRow, root_keys: &RootKeyring) -> Result<Arc<SigningKey>> {
        if let Some(key) = self.generated.load().get(&row.kid) {
            return Ok(key.clone());
        }
        let key = Arc::new(open_row(row, root_keys)?);
        self.change_generated(|opened| {
            opened.insert(row.kid.clone(), key.clone());
        });
        Ok(key)
    }

    fn change_generated(&self, change: impl Fn(&mut HashMap<String, Arc<SigningKey>>)) {
        self.generated.rcu(|opened| {
            let mut opened = HashMap::clone(opened);
            change(&mut opened);
            opened
        });
    }
}

impl Operator {
    /// Lists the keys that verify tokens, the signing one included.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn signing_keys(&self) -> Result<Vec<SigningKeyInfo>> {
        let inner = &self.auth.inner;
        let mut keys = Vec::new();
        let rows = signing_keys::list(&inner.store).await?;
        let generated_signs = rows.iter().any(|row| row.state == KeyState::Active);
        let configured = inner.signing_keys.configured.as_ref().map(|key| key.kid());
        for key in inner.signing_keys.verifying.values() {
            let is_configured = configured == Some(key.kid());
            keys.push(SigningKeyInfo {
                kid: key.kid().to_owned(),
                algorithm: key.algorithm(),
                signs: is_configured && !generated_signs,
                origin: if is_configured {
                    "configured"
                } else {
                    "previous"
                },
                created_at: None,
            });
        }
        for row in rows {
            keys.push(SigningKeyInfo {
                algorithm: row.algorithm.parse().map_err(|_| Error::Unreadable {
                    what: "a signing key".to_owned(),
                })?,
                signs: row.state == KeyState::Active,
                origin: "generated",
                created_at: Some(row.created_at),
                kid: row.kid,
            });
        }
        keys.sort_by(|left, right| (!left.signs, &left.kid).cmp(&(!right.signs, &right.kid)));
        Ok(keys)
    }

    /// Makes a new signing key, sealed in the database, and signs with it from now on; the former
    /// ones go on verifying. Returns its `kid`.
    ///
    /// # Errors
    /// `DatabaseUnavailable`.
    pub async fn rotate_signing_key(&self, algorithm: Option<Algorithm>) -> Result<SigningKeyInfo> {
        let made = self.rotate_signing_key_once(algorithm).await;
        match self.auth.inner.unless_keys_were_replaced(made).await? {
            Some(made) => Ok(made),
            None => self.rotate_signing_key_once(algorithm).await,
        }
    }

    async fn rotate_signing_key_once(
        &self,
        algorithm: Option<Algorithm>,
    ) -> Result<SigningKeyInfo> {
        let inner = self.auth.inner.clone();
        let algorithm = algorithm.unwrap_or(inner.settings.algorithm);
        let now = inner.clock.now();
        let key =
            SigningKey::generate(algorithm, inner.entropy.as_ref()).map_err(Error::internal)?;
        let material = key.material();
        let sealed = inner.seal_new_key(KeyPurpose::SigningKey, key.kid(), material.expose())?;
        let row = Arc::new(SigningKeyRow {
            kid: key.kid().to_owned(),
            algorithm: algorithm.to_string(),
            root_key_id: sealed.root_key_id,
            sealed: sealed.sealed,
            state: KeyState::Active,
            created_at: now,
        });
        let event = Arc::new(inner.event(
            &self.actor,
            AuditAction::SigningKeyRotate,
            None,
            None,
            Some(format!(r#"{{"kid":"{}"}}"#, row.kid)),
        )?);
        let written = row.clone();
        inner
            .store
            .write(move |tx| {
                let (row, event) = (written.clone(), event.clone());
                Box::pin(async move {
                    if audit::record(tx, &event).await? {
                        signing_keys::insert_active(tx, &row).await?;
                    }
                    Ok::<_, Error>(())
                })
            })
            .await?;
        Ok(SigningKeyInfo {
            kid: row.kid.clone(),
            algorithm,
            signs: true,
            origin: "generated",
            created_at: Some(now),
        })
    }

    /// Stops accepting tokens that were signed with a generated key, for good.
    ///
    /// # Errors
    /// `NotFound`: there is no generated key of this `kid`. `InvalidInput`: it is the one that signs.
    pub async fn retire_signing_key(&self, kid: &str) -> Result<()> {
        let inner: Arc<Inner> = self.auth.inner.clone();
        let rows = signing_keys::list(&inner.store).await?;
        match rows.iter().find(|row| row.kid == kid) {
            None => {
                return Err(Error::NotFound {
                    what: "generated signing key",
                });
            }
            Some(row) if row.state == KeyState::Active => {
                return Err(Error::invalid("kid", "is the key that signs; rotate first"));
            }
            Some(_) => {}
        }
        let event = inner.event(
            &self.actor,
            AuditAction::SigningKeyRetire,
            None,
            None,
            Some(serde_json::json!({ "kid": kid }).to_string()),
        )?;
        let operation = Arc::new(Operation::new(event, None));
        let change = Change::of_instance(ChangeKind::SigningKey);
        let kid: Arc<str> = Arc::from(kid);
        let retired = kid.clone();
        inner
            .narrow(change, move |tx| {
                let (kid, operation) = (retired.clone(), operation.clone());
                Box::pin(async move {
                    let opening = operation.open(tx);
                    let retired = signing_keys::retire(tx, &kid).await;
                    if opening.earlier(tx)?.is_some() {
                        return Ok(Outcome::Unchanged(()));
                    }
                    if !retired? {
                        // Another call was faster.
                        return Err(Error::NotFound {
                            what: "generated signing key",
                        });
                    }
                    Ok(Outcome::Changed(()))
                })
            })
            .await?;
        inner.signing_keys.change_generated(|opened| {
            opened.remove(kid.as_ref());
        });
        Ok(())
    }
}

/// Opens a key that was made by rotation.
///
/// # Errors
/// `Unreadable` when it does not open, `Configuration` when its root key is missing.
pub(crate) fn open_row(row: &SigningKeyRow, root_keys: &RootKeyring) -> Result<SigningKey> {
    let unreadable = || Error::Unreadable {
        what: "a signing key".to_owned(),
    };
    let root = root_key(root_keys, &row.root_key_id)?;
    let material =
        open_key(root, KeyPurpose::SigningKey, &row.kid, &row.sealed).map_err(|_| unreadable())?;
    let algorithm = row.algorithm.parse().map_err(|_| unreadable())?;
    let key = SigningKey::from_material(algorithm, &material).map_err(|_| unreadable())?;
    match key.kid() == row.kid {
        true => Ok(key),
        false => Err(unreadable()),
    }
}

/// Makes the text of a new configured key of this algorithm.
pub(crate) fn generate_configured(
    algorithm: Algorithm,
    entropy: &dyn Entropy,
) -> Result<bosa_auth_core::Secret> {
    SigningKey::generate(algorithm, entropy)
        .map_err(Error::internal)?
        .to_configured()
        .map_err(Error::internal)
}
