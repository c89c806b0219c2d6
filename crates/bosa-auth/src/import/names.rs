//! Names for what has one already.

use bosa_auth_core::{ClientId, IntegrationId, UserId, cut};
use bosa_auth_store::clients;

use super::run::Run;
use crate::error::Result;

/// Among which others a name must be the only one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Among<'a> {
    Clients,
    Users(ClientId),
    /// The accounts of a user at a connector.
    Accounts(ClientId, UserId, &'a str),
}

/// How many bytes of a name another one is made of: an index of PostgreSQL takes some 2700 of all that it
/// holds, and the original filled that.
const MOST_KEPT: usize = 1024;

/// Whose names they are: the client, and the user and connector of an account.
pub(super) type Owner = Option<(ClientId, Option<(UserId, String)>)>;

impl Run<'_> {
    /// The name that something gets: its own, unless that is taken here already, or the first free one
    /// made of it.
    pub(super) async fn free_name(
        &mut self,
        among: Among<'_>,
        name: &str,
        is_taken: bool,
    ) -> Result<String> {
        let mut candidate = name.to_owned();
        let mut number = 1_u32;
        let mut is_taken = is_taken || self.is_planned(among, name);
        while is_taken {
            let beginning = cut(name, MOST_KEPT);
            candidate = match number {
                1 => format!("{beginning} (imported)"),
                number => format!("{beginning} (imported {number})"),
            };
            number += 1;
            is_taken = self.is_taken(among, &candidate).await?;
        }
        self.planned.insert((among.owner(), candidate.clone()));
        Ok(candidate)
    }

    async fn is_taken(&self, among: Among<'_>, name: &str) -> Result<bool> {
        let store = &self.inner().store;
        let is_there = match among {
            Among::Clients => clients::find_by_name(store, name).await?.is_some(),
            Among::Users(client) => {
                let mut client = store.client(client);
                client.user_by_identifier(name).await?.is_some()
            }
            Among::Accounts(client, user, connector) => {
                let reading = store.client(client).named_id_reading(user, connector, name);
                let found = store.together(reading).await?;
                found.is_some_and(|found| self.is_left(found))
            }
        };
        Ok(is_there || self.is_planned(among, name))
    }

    /// Whether an account is still there; a dry run only pretends to have removed one.
    pub(super) fn is_left(&self, account: IntegrationId) -> bool {
        !self.gone.contains(&account.as_uuid())
    }

    fn is_planned(&self, among: Among<'_>, name: &str) -> bool {
        let key = (among.owner(), name.to_owned());
        self.planned.contains(&key)
    }
}

impl Among<'_> {
    fn owner(self) -> Owner {
        match self {
            Self::Clients => None,
            Self::Users(client) => Some((client, None)),
            Self::Accounts(client, user, connector) => {
                Some((client, Some((user, connector.to_owned()))))
            }
        }
    }
}
