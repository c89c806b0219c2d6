//! "Token Management" of the API reference.

use std::sync::Arc;

use pyo3::prelude::*;

use crate::argument::{
    ClientApiKey, ClientId, Cursor, Id, Limit, Number, Text, Token, UserId, page,
};
use crate::call::{Call, known};
use crate::instance::{Instance, Place};

/// The operations on tokens.
#[pyclass(frozen, module = "bosa_auth._native")]
pub(crate) struct Tokens(Arc<Place>);

#[pymethods]
impl Tokens {
    #[new]
    fn new(instance: &Instance) -> Self {
        Self(instance.place())
    }

    fn create_token(&self, user_id: Id<UserId>, client_id: Id<ClientId>) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.create_token_service()
                .create_token(user_id.uuid(), client_id.uuid())
                .await
        })
    }

    #[pyo3(signature = (client_api_key, user_id, limit, cursor))]
    fn list_tokens(
        &self,
        client_api_key: Text<ClientApiKey>,
        user_id: Id<UserId>,
        limit: Option<Number<Limit>>,
        cursor: Option<Text<Cursor>>,
    ) -> Call {
        let page = page(limit, cursor);
        Call::new(self.0.clone(), move |auth| async move {
            auth.create_token_service()
                .list_tokens(&client_api_key, user_id.uuid(), page)
                .await
        })
    }

    /// The user of a token, from memory; `None` when a call of `verify_token_and_get_user_id` must
    /// tell.
    fn known_user_id(
        &self,
        py: Python<'_>,
        client_api_key: Text<ClientApiKey>,
        token: Text<Token>,
    ) -> PyResult<Option<Py<PyAny>>> {
        known(py, &self.0, |auth| {
            auth.verify_token_service()
                .try_verify_token_and_get_user_id(&client_api_key, &token)
        })
    }

    /// What a valid token says, from memory; `None` when a call of `verify_token` must tell.
    fn known_token(
        &self,
        py: Python<'_>,
        client_api_key: Text<ClientApiKey>,
        token: Text<Token>,
    ) -> PyResult<Option<Py<PyAny>>> {
        known(py, &self.0, |auth| {
            auth.verify_token_service()
                .try_verify_token(&client_api_key, &token)
        })
    }

    fn verify_token_and_get_user_id(
        &self,
        client_api_key: Text<ClientApiKey>,
        token: Text<Token>,
    ) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            auth.verify_token_service()
                .verify_token_and_get_user_id(&client_api_key, &token)
                .await
        })
    }

    fn verify_token(&self, client_api_key: Text<ClientApiKey>, token: Text<Token>) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            auth.verify_token_service()
                .verify_token(&client_api_key, &token)
                .await
        })
    }

    /// The user that a token speaks for, from memory; `None` when a call of `current_user` must tell.
    #[pyo3(signature = (token, client_api_key))]
    fn known_user(
        &self,
        py: Python<'_>,
        token: Text<Token>,
        client_api_key: Option<Text<ClientApiKey>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        known(py, &self.0, |auth| {
            auth.try_current_user(client_api_key.as_deref(), &token)
        })
    }

    #[pyo3(signature = (token, client_api_key))]
    fn current_user(&self, token: Text<Token>, client_api_key: Option<Text<ClientApiKey>>) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            auth.current_user(client_api_key.as_deref(), &token).await
        })
    }

    fn revoke_token(&self, client_api_key: Text<ClientApiKey>, token: Text<Token>) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            auth.revoke_token_service()
                .revoke_token(&client_api_key, &token)
                .await
        })
    }

    fn revoke_all_tokens(&self, client_api_key: Text<ClientApiKey>, user_id: Id<UserId>) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.revoke_token_service()
                .revoke_all_tokens(&client_api_key, user_id.uuid())
                .await
        })
    }
}
