//! What tasks do with accounts, and what they see of it.

use bosa_auth::{
    Auth, AuthStatus, ClientId, Error, IntegrationId, IntegrationUpdate, NewIntegration, Tenant,
    ThirdPartyIntegrationAuth, Timestamp, UserId,
};
use bosa_auth_store::{ClientTx, NeedsReauth, Store, StoreError};

/// An operation on the accounts of a user at a connector.
#[derive(Debug, Clone)]
pub(super) struct Operation {
    pub(super) user: usize,
    pub(super) connector: &'static str,
    pub(super) act: Act,
    /// Another client tries it.
    pub(super) is_foreign: bool,
    /// Through which of the two handles.
    pub(super) handle: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Act {
    Create {
        name: String,
        credential: String,
        scopes: Vec<String>,
        replace: bool,
    },
    Select {
        name: String,
    },
    Update {
        name: String,
        credential: Option<String>,
        scopes: Option<Vec<String>>,
    },
    Delete {
        name: Option<String>,
    },
    Read {
        name: Option<String>,
    },
    /// The provider refuses the credential.
    Expire {
        name: String,
    },
}

/// What is seen of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) id: IntegrationId,
    pub(super) name: String,
    pub(super) created_at: Timestamp,
    pub(super) credential: String,
    pub(super) scopes: Vec<String>,
    pub(super) status: AuthStatus,
    pub(super) selected: bool,
}

/// What an operation answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The account after it, without its credential.
    Done(View),
    Read(View),
    Nothing,
    Deleted(bool),
    Expired(IntegrationId),
    NotExpired,
    Ambiguous(Vec<String>),
    NeedsReauthorization(String),
    Refused(&'static str),
}

impl View {
    pub(super) fn of(account: ThirdPartyIntegrationAuth) -> Self {
        Self {
            id: account.id.unwrap(),
            name: account.user_identifier,
            created_at: account.created_at.unwrap(),
            credential: account.auth_string.expose().to_owned(),
            scopes: account.auth_scopes,
            status: account.auth_status,
            selected: account.selected,
        }
    }

    pub(super) fn without_credential(&self) -> Self {
        let credential = String::new();
        Self {
            credential,
            ..self.clone()
        }
    }

    /// What a caller has stored can be used.
    pub(super) fn give(&mut self, credential: &str, scopes: &[String]) {
        credential.clone_into(&mut self.credential);
        self.scopes = scopes.to_vec();
        self.status = AuthStatus::Active;
    }

    pub(super) fn read(&self) -> Outcome {
        match self.status {
            AuthStatus::NeedsReauth => Outcome::NeedsReauthorization(self.name.clone()),
            _ => Outcome::Read(self.clone()),
        }
    }
}

impl Operation {
    pub(super) async fn run(
        &self,
        auth: &Auth,
        store: &Store,
        client: ClientId,
        user: UserId,
    ) -> Outcome {
        let tenant = auth.operator().tenant(client).await.unwrap();
        match self.try_run(&tenant, store, user).await {
            Ok(outcome) => outcome,
            Err(Error::AmbiguousAccount {
                connector,
                accounts,
            }) => {
                assert_eq!(connector, self.connector);
                Outcome::Ambiguous(accounts)
            }
            Err(Error::NeedsReauthorization {
                connector, account, ..
            }) => {
                assert_eq!(connector, self.connector);
                Outcome::NeedsReauthorization(account)
            }
            Err(error) => Outcome::Refused(error.code()),
        }
    }

    async fn try_run(
        &self,
        tenant: &Tenant,
        store: &Store,
        user: UserId,
    ) -> Result<Outcome, Error> {
        let connector = self.connector;
        let done = |account: ThirdPartyIntegrationAuth| {
            Outcome::Done(View::of(account).without_credential())
        };
        Ok(match self.act.clone() {
            Act::Create {
                name,
                credential,
                scopes,
                replace,
            } => {
                let new = NewIntegration {
                    connector: connector.into(),
                    user_identifier: name,
                    auth_string: credential.into(),
                    auth_scopes: scopes,
                    replace_duplicate: replace,
                };
                done(tenant.add_integration(user, new).await?.resource)
            }
            Act::Select { name } => done(
                tenant
                    .set_selected_integration(user, connector, &name)
                    .await?,
            ),
            Act::Update {
                name,
                credential,
                scopes,
            } => {
                let update = IntegrationUpdate {
                    auth_string: credential.map(Into::into),
                    auth_scopes: scopes,
                };
                done(
                    tenant
                        .update_integration_auth(user, connector, &name, update)
                        .await?,
                )
            }
            Act::Delete { name } => Outcome::Deleted(
                tenant
                    .delete_integration(user, connector, name.as_deref())
                    .await?,
            ),
            Act::Read { name } => {
                let found =
                    tenant.get_specific_or_default_integration(user, connector, name.as_deref());
                found
                    .await?
                    .map_or(Outcome::Nothing, |account| Outcome::Read(View::of(account)))
            }
            Act::Expire { name } => {
                expire(store, tenant.client().id, user, connector, &name).await?
            }
        })
    }
}

async fn expire(
    store: &Store,
    client: ClientId,
    user: UserId,
    connector: &str,
    name: &str,
) -> Result<Outcome, StoreError> {
    let found = store
        .client(client)
        .named_integration(user, connector, name)
        .await?;
    let Some(found) = found else {
        return Ok(Outcome::NotExpired);
    };
    let (id, version) = (found.integration.id, found.integration.version);
    let need = NeedsReauth {
        reason: "refused".to_owned(),
        at: found.integration.updated_at,
    };
    let set = store.write(move |tx| {
        let need = need.clone();
        Box::pin(async move {
            let mut scope = ClientTx::new(tx, client);
            scope.set_needs_reauth(id, version, &need, None).await
        })
    });
    Ok(match set.await? {
        true => Outcome::Expired(id),
        false => Outcome::NotExpired,
    })
}
