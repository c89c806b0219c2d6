//! "User Management" of the API reference.

use std::sync::Arc;

use bosa_auth::UserUpdate;
use pyo3::prelude::*;

use crate::argument::{
    ApiKey, ClientApiKey, CurrentSecret, Cursor, Id, Identifier, Limit, NewSecret, Number, Secret,
    Text, UserId, page,
};
use crate::call::Call;
use crate::instance::{Instance, Place};

/// The operations on users.
#[pyclass(frozen, module = "bosa_auth._native")]
pub(crate) struct Users(Arc<Place>);

#[pymethods]
impl Users {
    #[new]
    fn new(instance: &Instance) -> Self {
        Self(instance.place())
    }

    #[pyo3(signature = (client_api_key, identifier, secret))]
    fn create_user(
        &self,
        client_api_key: Text<ClientApiKey>,
        identifier: Text<Identifier>,
        secret: Option<Text<Secret>>,
    ) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            let service = auth.create_user_service();
            match secret {
                None => service.create_user(&client_api_key, &identifier).await,
                Some(secret) => {
                    service
                        .create_user_with_secret(&client_api_key, &identifier, secret.into())
                        .await
                }
            }
        })
    }

    #[pyo3(signature = (client_api_key, user_id, identifier, is_active))]
    fn update_user(
        &self,
        client_api_key: Text<ClientApiKey>,
        user_id: Id<UserId>,
        identifier: Option<Text<Identifier>>,
        is_active: Option<bool>,
    ) -> Call {
        let update = UserUpdate {
            identifier: identifier.map(String::from),
            is_active,
        };
        Call::new(self.0.clone(), move |auth| async move {
            auth.create_user_service()
                .update_user(&client_api_key, user_id.uuid(), update)
                .await
        })
    }

    fn delete_user(&self, client_api_key: Text<ClientApiKey>, user_id: Id<UserId>) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.create_user_service()
                .delete_user(&client_api_key, user_id.uuid())
                .await
        })
    }

    fn reset_user_secret(&self, client_api_key: Text<ClientApiKey>, user_id: Id<UserId>) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.create_user_service()
                .reset_user_secret(&client_api_key, user_id.uuid())
                .await
        })
    }

    fn change_user_secret(
        &self,
        client_api_key: Text<ClientApiKey>,
        identifier: Text<Identifier>,
        current_secret: Text<CurrentSecret>,
        new_secret: Text<NewSecret>,
    ) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            auth.create_user_service()
                .change_user_secret(
                    &client_api_key,
                    &identifier,
                    current_secret.into(),
                    new_secret.into(),
                )
                .await
        })
    }

    fn get_user(&self, client_api_key: Text<ClientApiKey>, user_id: Id<UserId>) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.get_user_service()
                .get_user(&client_api_key, user_id.uuid())
                .await
        })
    }

    fn get_user_by_identifier(
        &self,
        client_api_key: Text<ClientApiKey>,
        identifier: Text<Identifier>,
    ) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            auth.get_user_service()
                .get_user_by_identifier(&client_api_key, &identifier)
                .await
        })
    }

    fn get_user_complete(&self, api_key: Text<ApiKey>, user_id: Id<UserId>) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.get_user_service()
                .get_user_complete(&api_key, user_id.uuid())
                .await
        })
    }

    #[pyo3(signature = (client_api_key, limit, cursor))]
    fn list_users(
        &self,
        client_api_key: Text<ClientApiKey>,
        limit: Option<Number<Limit>>,
        cursor: Option<Text<Cursor>>,
    ) -> Call {
        let page = page(limit, cursor);
        Call::new(self.0.clone(), |auth| async move {
            auth.get_user_service()
                .list_users(&client_api_key, page)
                .await
        })
    }

    fn find_user(&self, client_api_key: Text<ClientApiKey>, user_id: Id<UserId>) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.get_user_service()
                .find_user(&client_api_key, user_id.uuid())
                .await
        })
    }

    fn find_user_by_identifier(
        &self,
        client_api_key: Text<ClientApiKey>,
        identifier: Text<Identifier>,
    ) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            auth.get_user_service()
                .find_user_by_identifier(&client_api_key, &identifier)
                .await
        })
    }

    fn authenticate_user(
        &self,
        client_api_key: Text<ClientApiKey>,
        identifier: Text<Identifier>,
        secret: Text<Secret>,
    ) -> Call {
        Call::new(self.0.clone(), |auth| async move {
            auth.authenticate_user_service()
                .authenticate_user(&client_api_key, &identifier, &secret)
                .await
        })
    }
}
