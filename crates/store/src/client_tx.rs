//! The view of one client's data, inside a transaction or outside one.

use bosa_auth_core::ClientId;

use crate::db::Tx;
use crate::store::{Source, Store};

/// Everything that may be done with the data of one client.
///
/// Every statement of its methods binds the client's id itself, so that a caller cannot reach the
/// rows of another client, whatever ids it passes. The methods stand beside their tables:
/// users in `users`, tokens in `tokens`, and so on.
///
/// Statements on tenant data that cannot know the client beforehand are a closed list:
/// [`api_keys::find`](crate::api_keys::find), [`users::find`](crate::users::find),
/// [`tokens::find`](crate::tokens::find), [`api_keys::touch`](crate::api_keys::touch) and
/// [`tokens::prune`](crate::tokens::prune). The rows of `clients` themselves, keys of the instance,
/// the change feed, the audit and the idempotency records belong to the instance.
#[derive(Debug)]
pub struct ClientScope<S> {
    pub(crate) source: S,
    pub(crate) client_id: ClientId,
}

/// One client's data, read outside a transaction.
pub type ClientReader<'a> = ClientScope<&'a Store>;

/// One client's data inside a transaction.
pub type ClientTx<'t> = ClientScope<&'t mut Tx>;

impl<S: Source> ClientScope<S> {
    /// Binds a client to where its statements run.
    pub fn new(source: S, client_id: ClientId) -> Self {
        Self { source, client_id }
    }

    /// Returns the client that everything here is about.
    pub fn client_id(&self) -> ClientId {
        self.client_id
    }
}

impl ClientScope<&mut Tx> {
    /// Returns the transaction, for what belongs to the instance: audit, feed, idempotency.
    pub fn tx(&mut self) -> &mut Tx {
        self.source
    }
}
