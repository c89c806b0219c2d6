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
/// Statements on tenant data outside it are a closed list, which a test holds to. Before the client
/// is known: [`api_keys::find`](crate::api_keys::find), [`users::find`](crate::users::find),
/// [`tokens::find`](crate::tokens::find), [`connect_states::find_page`](crate::connect_states::find_page)
/// and [`connect_states::consume`](crate::connect_states::consume). Over all clients:
/// [`api_keys::touch`](crate::api_keys::touch), [`api_keys::revoke_all`](crate::api_keys::revoke_all),
/// [`tokens::prune`](crate::tokens::prune),
/// [`connect_states::prune`](crate::connect_states::prune),
/// [`grants::due`](crate::grants::due), [`grants::uncompleted`](crate::grants::uncompleted),
/// [`grants::mark_unverified`](crate::grants::mark_unverified),
/// [`leases::doubt_sent`](crate::leases::doubt_sent),
/// [`data_keys::clients_under`](crate::data_keys::clients_under),
/// [`data_keys::clients_with_keys_before`](crate::data_keys::clients_with_keys_before),
/// [`rekey::remaining`](crate::rekey::remaining), [`rekey::finish`](crate::rekey::finish), the `usage`
/// of digest keys and root keys, [`counts`](crate::counts()),
/// [`imported_counts`](crate::imported_counts) and [`archive`](crate::archive). The rows
/// of `clients` themselves, the keys and connector settings of the instance, the change feed, the audit
/// and the idempotency records belong to the instance.
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
