//! Users of a client: create, find, list, change, delete.

use std::sync::Arc;

use bosa_auth_core::{
    AuditAction, ChosenSecret, CredentialKind, Identifier, Scope, Secret, SecretKind, Timestamp,
    UserId, UserState, issue_user_secret,
};
use bosa_auth_store::clients::Updated;
use bosa_auth_store::users::{NewSecret, StoredSecret, UserChange, UserRow};
use bosa_auth_store::{ClientTx, StoreError};

use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::memory::{Change, Outcome};
use crate::model::{Created, NewUser, Page, PageRequest, UserComplete, UserModel, UserUpdate};
use crate::operation::{Operation, Settled, Written};
use crate::principal::Tenant;
use crate::tenant::integrations::without_credentials;

/// What is shown in place of a preview of a chosen secret.
const CHOSEN: &str = "chosen";

impl Tenant {
    /// Makes a user with a generated secret, or with one that the user chose.
    ///
    /// A generated secret is in this result only.
    ///
    /// # Errors
    /// `InvalidInput`: the identifier or the chosen secret is malformed. `UserAlreadyExists`: the
    /// identifier is taken. `PermissionDenied`: the key lacks `users:write`.
    pub async fn create_user(&self, new: NewUser) -> Result<Created<UserModel>> {
        self.require(Scope::UsersWrite)?;
        let made = self.create_user_once(&new).await;
        match self.auth.inner.unless_keys_were_replaced(made).await? {
            Some(made) => Ok(made),
            None => self.create_user_once(&new).await,
        }
    }

    async fn create_user_once(&self, new: &NewUser) -> Result<Created<UserModel>> {
        let inner = self.auth.inner.clone();
        let identifier = Identifier::parse(&new.identifier)?;
        if let Some(imported) = as_imported(&new.identifier, identifier.as_str()) {
            let mut client = inner.store.client(self.id());
            if client.user_by_identifier(imported).await?.is_some() {
                return Err(Error::UserAlreadyExists);
            }
        }
        let now = inner.clock.now();
        let id = UserId::generate(now, inner.entropy.as_ref())?;
        let (text, secret) = match &new.secret {
            None => self.generated_secret(id, identifier.as_str())?,
            Some(chosen) => {
                let chosen = ChosenSecret::parse(chosen.expose())?;
                (Secret::default(), hashed(&inner, &chosen).await?)
            }
        };
        let row = UserRow {
            client_id: self.id(),
            id,
            identifier: identifier.as_str().to_owned(),
            state: UserState::Active,
            generation: 0,
            version: 0,
            secret_kind: secret.kind,
            secret_version: 0,
            secret: secret.secret,
            secret_preview: secret.preview,
            created_at: now,
            updated_at: now,
        };
        let event = inner.event(
            &self.actor,
            AuditAction::UserCreate,
            Some(self.id()),
            Some(id.as_uuid()),
            None,
        )?;
        let operation = self
            .idempotency
            .operation(&inner, &self.actor, event, id.as_uuid());
        let new = Arc::new((row, operation));
        let user = new.clone();
        let client_id = self.id();
        let written = inner
            .store
            .write(move |tx| {
                let new = user.clone();
                Box::pin(async move {
                    let (row, operation) = new.as_ref();
                    let opening = operation.open(tx);
                    let inserted = ClientTx::new(&mut *tx, client_id).insert_user(row).await;
                    if let Some(earlier) = opening.earlier(tx)? {
                        return Ok(Written::Earlier(earlier));
                    }
                    if !inserted? {
                        // Either the name is taken or the client is being deleted.
                        let mut scope = ClientTx::new(tx, client_id);
                        return match scope.user_by_identifier(&row.identifier).await? {
                            Some(_) => Err(Error::UserAlreadyExists),
                            None => Err(Error::InvalidClient),
                        };
                    }
                    Ok(Written::Now(()))
                })
            })
            .await;
        match new.1.settle(&inner, written).await? {
            Settled::Replay(id) => Ok(Created {
                resource: self.user_or_not_found(UserId::from(id)).await?,
                replayed: true,
            }),
            Settled::Now(()) | Settled::Before => {
                let mut resource = model(&new.0);
                resource.secret = text;
                Ok(Created {
                    resource,
                    replayed: false,
                })
            }
        }
    }

    /// Returns a user by its id; a suspended one too.
    ///
    /// # Errors
    /// `Unauthorized`: the client has no such user.
    pub async fn get_user(&self, user_id: UserId) -> Result<UserModel> {
        unauthorized(self.find_user(user_id).await)
    }

    /// Returns a user by its exact identifier; a suspended one too.
    ///
    /// # Errors
    /// `Unauthorized`: the client has no such user.
    pub async fn get_user_by_identifier(&self, identifier: &str) -> Result<UserModel> {
        unauthorized(self.find_user_by_identifier(identifier).await)
    }

    /// Finds a user by its id.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user. `PermissionDenied`: the key lacks `users:read`.
    pub async fn find_user(&self, user_id: UserId) -> Result<UserModel> {
        self.require(Scope::UsersRead)?;
        self.user_or_not_found(user_id).await
    }

    /// Finds a user by its exact identifier.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user. `PermissionDenied`: the key lacks `users:read`.
    pub async fn find_user_by_identifier(&self, identifier: &str) -> Result<UserModel> {
        self.require(Scope::UsersRead)?;
        let lookup = lookup_form(identifier).ok_or(NOT_FOUND)?;
        let client = self.auth.inner.store.client(self.id());
        let readings = (
            as_imported(identifier, &lookup)
                .map(|identifier| client.user_by_identifier_reading(identifier)),
            client.user_by_identifier_reading(&lookup),
        );
        let (imported, found) = self.auth.inner.store.together(readings).await?;
        let found = imported.flatten().or(found);
        found.map(|found| model(&found.user)).ok_or(NOT_FOUND)
    }

    /// Returns a user with its integrations, their credentials left out.
    ///
    /// # Errors
    /// `Unauthorized`: the client has no such user. `PermissionDenied`: the key lacks `users:read`.
    pub async fn get_user_complete(&self, user_id: UserId) -> Result<UserComplete> {
        unauthorized(self.find_user_complete(user_id).await)
    }

    /// Finds a user with its integrations, their credentials left out.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user. `PermissionDenied`: the key lacks `users:read`.
    pub async fn find_user_complete(&self, user_id: UserId) -> Result<UserComplete> {
        self.require(Scope::UsersRead)?;
        let store = &self.auth.inner.store;
        let client = store.client(self.id());
        let accounts = client.integrations_reading(user_id, None);
        let readings = (client.user_reading(user_id), accounts);
        let (found, accounts) = store.together(readings).await?;
        Ok(UserComplete {
            user: model(&found.ok_or(NOT_FOUND)?.user),
            integrations: without_credentials(&accounts)?,
        })
    }

    /// Lists the client's users.
    ///
    /// # Errors
    /// `InvalidInput`: the page's limit or cursor is not one of ours. `PermissionDenied`: the key
    /// lacks `users:read`.
    pub async fn list_users(&self, request: PageRequest) -> Result<Page<UserModel>> {
        self.require(Scope::UsersRead)?;
        let query = request.query()?;
        let page = self.auth.inner.store.client(self.id()).users(query).await?;
        let items = page.items.iter().map(model).collect();
        Ok(Page::new(items, page.next))
    }

    /// Changes a user's identifier or suspends or resumes it. A changed identifier and a suspension
    /// end all its tokens for good; its secret stays valid.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user. `UserAlreadyExists`: the identifier is taken.
    /// `InvalidInput`: the identifier is malformed. `PermissionDenied`: the key lacks `users:write`.
    pub async fn update_user(&self, user_id: UserId, update: UserUpdate) -> Result<UserModel> {
        self.require(Scope::UsersWrite)?;
        let inner = self.auth.inner.clone();
        let identifier = update
            .identifier
            .as_deref()
            .map(Identifier::parse)
            .transpose()?;
        let detail = serde_json::json!({
            "identifier_changed": identifier.is_some(),
            "is_active": update.is_active,
        });
        let event = inner.event(
            &self.actor,
            AuditAction::UserUpdate,
            Some(self.id()),
            Some(user_id.as_uuid()),
            Some(detail.to_string()),
        )?;
        let client_id = self.id();
        let change = Arc::new((identifier, update.is_active, Operation::new(event, None)));
        inner
            .narrow(Change::of_user(client_id, user_id), move |tx| {
                let change = change.clone();
                Box::pin(async move {
                    let (identifier, is_active, operation) = change.as_ref();
                    let opening = operation.open(tx);
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    let mut row = scope.user(user_id).await?.ok_or(NOT_FOUND)?.user;
                    if opening.earlier(tx)?.is_some() {
                        return Ok(Outcome::Unchanged(model(&row)));
                    }
                    let renamed = identifier
                        .as_ref()
                        .filter(|new| new.as_str() != row.identifier);
                    let state = match is_active {
                        Some(true) => UserState::Active,
                        Some(false) => UserState::Suspended,
                        None => row.state,
                    };
                    let end_tokens = renamed.is_some()
                        || (state == UserState::Suspended && row.state != UserState::Suspended);
                    let next = UserChange {
                        version: row.version,
                        identifier: renamed
                            .map_or_else(|| row.identifier.clone(), |new| new.as_str().to_owned()),
                        state,
                        end_tokens,
                        at: operation.event.at,
                    };
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    match scope.update_user(user_id, &next).await? {
                        Updated::Done => {}
                        Updated::Stale => return Err(tx.run_again().into()),
                        Updated::Taken => return Err(Error::UserAlreadyExists),
                    }
                    (row.identifier, row.state) = (next.identifier, next.state);
                    Ok(match end_tokens {
                        true => Outcome::Changed(model(&row)),
                        false => Outcome::Unchanged(model(&row)),
                    })
                })
            })
            .await
    }

    /// Deletes a user with its tokens and integrations.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user. `PermissionDenied`: the key lacks `users:write`.
    pub async fn delete_user(&self, user_id: UserId) -> Result<()> {
        self.require(Scope::UsersWrite)?;
        self.narrow_user(user_id, AuditAction::UserDelete, Narrowing::Delete)
            .await
    }

    /// Gives a user a new generated secret, in this result only, and ends all its tokens.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user. `PermissionDenied`: the key lacks
    /// `users:credentials`.
    pub async fn reset_user_secret(&self, user_id: UserId) -> Result<UserModel> {
        self.require(Scope::UsersCredentials)?;
        let reset = self.reset_user_secret_once(user_id).await;
        match self.auth.inner.unless_keys_were_replaced(reset).await? {
            Some(reset) => Ok(reset),
            None => self.reset_user_secret_once(user_id).await,
        }
    }

    async fn reset_user_secret_once(&self, user_id: UserId) -> Result<UserModel> {
        let mut user = self.user_or_not_found(user_id).await?;
        let (text, secret) = self.generated_secret(user_id, &user.identifier)?;
        user.secret_preview = secret.preview.clone().unwrap_or_default();
        user.secret = text;
        self.narrow_user(
            user_id,
            AuditAction::UserResetSecret,
            Narrowing::Replace(Arc::new(secret), None),
        )
        .await?;
        Ok(user)
    }

    /// Ends all tokens of a user for good.
    ///
    /// # Errors
    /// `NotFound`: the client has no such user. `PermissionDenied`: the key lacks `tokens:revoke`.
    pub async fn revoke_all_tokens(&self, user_id: UserId) -> Result<()> {
        self.require(Scope::TokensRevoke)?;
        self.narrow_user(user_id, AuditAction::UserSignOut, Narrowing::SignOut)
            .await
    }

    /// Replaces a secret that was just verified, given its version then.
    pub(super) async fn replace_verified_secret(
        &self,
        user_id: UserId,
        secret_version: i64,
        chosen: &ChosenSecret,
    ) -> Result<()> {
        let secret = hashed(&self.auth.inner, chosen).await?;
        let replace = Narrowing::Replace(Arc::new(secret), Some(secret_version));
        self.narrow_user(user_id, AuditAction::UserChangeSecret, replace)
            .await
    }

    pub(super) async fn user_or_not_found(&self, user_id: UserId) -> Result<UserModel> {
        let found = self
            .auth
            .inner
            .store
            .client(self.id())
            .user(user_id)
            .await?;
        found.map(|found| model(&found.user)).ok_or(NOT_FOUND)
    }

    fn generated_secret(&self, id: UserId, identifier: &str) -> Result<(Secret, NewSecret)> {
        let inner = &self.auth.inner;
        let issued = issue_user_secret(id, identifier, inner.entropy.as_ref())?;
        let (key, digest_key) = inner.digest_keys.active();
        let digest = issued.digest(
            &digest_key,
            CredentialKind::UserSecret,
            self.id(),
            id.as_uuid(),
        );
        let secret = StoredSecret::Digest {
            digest: (*digest.as_bytes()).into(),
            key,
        };
        Ok((
            issued.text,
            NewSecret {
                kind: SecretKind::Generated,
                secret,
                preview: Some(issued.preview),
            },
        ))
    }

    /// An act that ends all tokens of a user: one transaction with its audit and feed rows.
    async fn narrow_user(
        &self,
        user_id: UserId,
        action: AuditAction,
        narrowing: Narrowing,
    ) -> Result<()> {
        let inner = self.auth.inner.clone();
        let client_id = self.id();
        let event = inner.event(
            &self.actor,
            action,
            Some(client_id),
            Some(user_id.as_uuid()),
            None,
        )?;
        let act = Arc::new((narrowing, Operation::new(event, None)));
        inner
            .narrow(Change::of_user(client_id, user_id), move |tx| {
                let act = act.clone();
                Box::pin(async move {
                    let (narrowing, operation) = act.as_ref();
                    let opening = operation.open(tx);
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    let done = narrowing.apply(&mut scope, user_id, operation.event.at);
                    let done = done.await;
                    if opening.earlier(tx)?.is_some() {
                        return Ok(Outcome::Unchanged(()));
                    }
                    match done? {
                        true => Ok(Outcome::Changed(())),
                        false => Err(narrowing.refusal()),
                    }
                })
            })
            .await
    }
}

/// How a user's tokens come to an end.
#[derive(Debug, Clone)]
enum Narrowing {
    Delete,
    SignOut,
    /// With a version: only while the secret is still the one that was verified.
    Replace(Arc<NewSecret>, Option<i64>),
}

impl Narrowing {
    /// False when there is no such user, or its secret is another one by now.
    async fn apply(
        &self,
        scope: &mut ClientTx<'_>,
        user_id: UserId,
        at: Timestamp,
    ) -> std::result::Result<bool, StoreError> {
        match self {
            Self::Delete => scope.delete_user(user_id).await,
            Self::SignOut => scope.end_user_tokens(user_id, at).await,
            Self::Replace(secret, version) => {
                scope.replace_secret(user_id, *version, secret, at).await
            }
        }
    }

    fn refusal(&self) -> Error {
        match self {
            Self::Replace(_, Some(_)) => Error::Unauthorized,
            _ => NOT_FOUND,
        }
    }
}

const NOT_FOUND: Error = Error::NotFound { what: "user" };

/// The form in which an identifier is looked up: as it would have been stored, or as it is; `None`
/// for a text that no database stores.
pub(super) fn lookup_form(identifier: &str) -> Option<String> {
    let form = match Identifier::parse(identifier) {
        Ok(identifier) => identifier.into(),
        Err(_) => identifier.to_owned(),
    };
    is_storable(&form).then_some(form)
}

/// The identifier as it was given, where that is another text than its lookup form: so an imported
/// user may be called, since imported identifiers are stored as they were.
pub(super) fn as_imported<'t>(identifier: &'t str, lookup: &str) -> Option<&'t str> {
    (identifier != lookup).then_some(identifier)
}

/// Whether a text can be in the database at all: PostgreSQL refuses the character NUL.
pub(crate) fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

async fn hashed(inner: &Inner, chosen: &ChosenSecret) -> Result<NewSecret> {
    let hash = inner.hasher.hash(Secret::from(chosen.as_str())).await?;
    Ok(NewSecret {
        kind: SecretKind::Chosen,
        secret: StoredSecret::Hash(hash),
        preview: None,
    })
}

fn unauthorized<T>(result: Result<T>) -> Result<T> {
    result.map_err(|error| match error {
        Error::NotFound { .. } => Error::Unauthorized,
        error => error,
    })
}

pub(super) fn model(row: &UserRow) -> UserModel {
    UserModel {
        id: row.id,
        client_id: row.client_id,
        identifier: row.identifier.clone(),
        secret: Secret::default(),
        secret_preview: row
            .secret_preview
            .clone()
            .unwrap_or_else(|| CHOSEN.to_owned()),
        is_active: row.state == UserState::Active,
        created_at: row.created_at,
    }
}
