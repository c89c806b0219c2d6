//! "Client Management" of the API reference.

use std::sync::Arc;

use bosa_auth::{ClientUpdate, NewApiKey};
use pyo3::prelude::*;

use crate::argument::{
    ApiKey, ClientId, ClientName, Cursor, Id, KeyId, Limit, Number, OverlapSeconds, Scopes, Text,
    expiry, page, scopes,
};
use crate::call::{Call, known};
use crate::instance::{Instance, Place};

/// The operations on clients and their API keys.
#[pyclass(frozen, module = "bosa_auth._native")]
pub(crate) struct Clients(Arc<Place>);

#[pymethods]
impl Clients {
    #[new]
    fn new(instance: &Instance) -> Self {
        Self(instance.place())
    }

    fn create_client(&self, name: Text<ClientName>) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            auth.create_client_service().create_client(&name).await
        })
    }

    #[pyo3(signature = (client_id, name, is_active, can_get_integrations, sign_out))]
    fn update_client(
        &self,
        client_id: Id<ClientId>,
        name: Option<Text<ClientName>>,
        is_active: Option<bool>,
        can_get_integrations: Option<bool>,
        sign_out: bool,
    ) -> Call {
        let update = ClientUpdate {
            name: name.map(String::from),
            is_active,
            can_get_integrations,
            sign_out,
        };
        Call::new(self.0.clone(), move |auth| async move {
            let service = auth.create_client_service();
            service.update_client(client_id.uuid(), update).await
        })
    }

    fn delete_client(&self, client_id: Id<ClientId>) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.create_client_service()
                .delete_client(client_id.uuid())
                .await
        })
    }

    #[pyo3(signature = (client_id, requested_scopes, expires_at))]
    fn create_api_key(
        &self,
        py: Python<'_>,
        client_id: Id<ClientId>,
        requested_scopes: Option<Vec<Text<Scopes>>>,
        expires_at: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Call> {
        let key = NewApiKey {
            scopes: requested_scopes
                .map(|texts| scopes(py, &texts))
                .transpose()?,
            expires_at: expires_at.map(|time| expiry(&time)).transpose()?,
        };
        Ok(Call::new(self.0.clone(), move |auth| async move {
            auth.create_client_service()
                .create_api_key(client_id.uuid(), key)
                .await
        }))
    }

    #[pyo3(signature = (client_id, limit, cursor))]
    fn list_api_keys(
        &self,
        client_id: Id<ClientId>,
        limit: Option<Number<Limit>>,
        cursor: Option<Text<Cursor>>,
    ) -> Call {
        let page = page(limit, cursor);
        Call::new(self.0.clone(), move |auth| async move {
            auth.create_client_service()
                .list_api_keys(client_id.uuid(), page)
                .await
        })
    }

    fn rotate_api_key(
        &self,
        client_id: Id<ClientId>,
        key_id: Id<KeyId>,
        overlap_seconds: Number<OverlapSeconds>,
    ) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            let service = auth.create_client_service();
            service
                .rotate_api_key(client_id.uuid(), key_id.uuid(), overlap_seconds.get())
                .await
        })
    }

    fn revoke_api_key(&self, client_id: Id<ClientId>, key_id: Id<KeyId>) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            let service = auth.create_client_service();
            service
                .revoke_api_key(client_id.uuid(), key_id.uuid())
                .await
        })
    }

    /// The client of a key, from memory; `None` when a call of `verify_client_api_key` must tell.
    fn known_client(&self, py: Python<'_>, api_key: Text<ApiKey>) -> PyResult<Option<Py<PyAny>>> {
        known(py, &self.0, |auth| {
            auth.verify_client_service()
                .try_verify_client_api_key(&api_key)
        })
    }

    /// Whether a key is valid, from memory; `None` when a call of `is_api_key_valid` must tell.
    fn known_validity(&self, py: Python<'_>, api_key: Text<ApiKey>) -> PyResult<Option<Py<PyAny>>> {
        known(py, &self.0, |auth| {
            auth.verify_client_service().try_is_api_key_valid(&api_key)
        })
    }

    fn verify_client_api_key(&self, api_key: Text<ApiKey>) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            auth.verify_client_service()
                .verify_client_api_key(&api_key)
                .await
        })
    }

    fn is_api_key_valid(&self, api_key: Text<ApiKey>) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            auth.verify_client_service()
                .is_api_key_valid(&api_key)
                .await
        })
    }

    fn get_client_by_id(&self, client_id: Id<ClientId>) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.client_aware_service()
                .get_client_by_id(client_id.uuid())
                .await
        })
    }

    #[pyo3(signature = (limit, cursor))]
    fn get_client_list(&self, limit: Option<Number<Limit>>, cursor: Option<Text<Cursor>>) -> Call {
        let page = page(limit, cursor);
        Call::new(self.0.clone(), |auth| async move {
            auth.client_aware_service().get_client_list(page).await
        })
    }

    fn find_client(&self, client_id: Id<ClientId>) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.client_aware_service()
                .find_client(client_id.uuid())
                .await
        })
    }

    fn find_client_by_name(&self, name: Text<ClientName>) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            auth.client_aware_service().find_client_by_name(&name).await
        })
    }
}
