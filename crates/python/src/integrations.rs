//! "Third-Party Integration Management" of the API reference.

use std::sync::Arc;

use bosa_auth::{IntegrationUpdate, ThirdPartyIntegrationAuth};
use pyo3::prelude::*;

use crate::argument::{
    AuthScopes, AuthString, ClientId, Connector, Id, Text, UserId, UserIdentifier,
};
use crate::call::Call;
use crate::instance::{Instance, Place};

/// The operations on users' accounts at third parties.
#[pyclass(frozen, module = "bosa_auth._native")]
pub(crate) struct Integrations(Arc<Place>);

#[pymethods]
impl Integrations {
    #[new]
    fn new(instance: &Instance) -> Self {
        Self(instance.place())
    }

    fn create_integration(
        &self,
        client_id: Id<ClientId>,
        user_id: Id<UserId>,
        connector: Text<Connector>,
        auth_string: Text<AuthString>,
        user_identifier: Text<UserIdentifier>,
        auth_scopes: Vec<Text<AuthScopes>>,
    ) -> Call {
        let integration = ThirdPartyIntegrationAuth::new(
            client_id.uuid(),
            user_id.uuid(),
            connector,
            user_identifier,
            auth_string.into(),
            auth_scopes.into_iter().map(String::from).collect(),
        );
        Call::new(self.0.clone(), |auth| async move {
            auth.third_party_integration_service()
                .create_integration(integration)
                .await
        })
    }

    #[pyo3(signature = (client_id, user_id, connector, user_identifier))]
    fn get_integration(
        &self,
        client_id: Id<ClientId>,
        user_id: Id<UserId>,
        connector: Text<Connector>,
        user_identifier: Option<Text<UserIdentifier>>,
    ) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.third_party_integration_service()
                .get_specific_or_default_integration(
                    client_id.uuid(),
                    user_id.uuid(),
                    &connector,
                    user_identifier.as_deref(),
                )
                .await
        })
    }

    #[pyo3(signature = (client_id, user_id, connector))]
    fn get_integrations(
        &self,
        client_id: Id<ClientId>,
        user_id: Id<UserId>,
        connector: Option<Text<Connector>>,
    ) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            let service = auth.third_party_integration_service();
            let (client_id, user_id) = (client_id.uuid(), user_id.uuid());
            match connector {
                None => service.get_integrations(client_id, user_id).await,
                Some(connector) => {
                    service
                        .get_integrations_for(client_id, user_id, &connector)
                        .await
                }
            }
        })
    }

    fn has_integration(
        &self,
        client_id: Id<ClientId>,
        user_id: Id<UserId>,
        connector: Text<Connector>,
    ) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.third_party_integration_service()
                .has_integration(client_id.uuid(), user_id.uuid(), &connector)
                .await
        })
    }

    #[pyo3(signature = (client_id, user_id, connector, user_identifier))]
    fn delete_integration(
        &self,
        client_id: Id<ClientId>,
        user_id: Id<UserId>,
        connector: Text<Connector>,
        user_identifier: Option<Text<UserIdentifier>>,
    ) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            let service = auth.third_party_integration_service();
            let (client_id, user_id) = (client_id.uuid(), user_id.uuid());
            match user_identifier {
                None => {
                    service
                        .delete_integration(client_id, user_id, &connector)
                        .await
                }
                Some(account) => {
                    service
                        .delete_integration_for(client_id, user_id, &connector, &account)
                        .await
                }
            }
        })
    }

    fn set_selected_integration(
        &self,
        client_id: Id<ClientId>,
        user_id: Id<UserId>,
        connector: Text<Connector>,
        user_identifier: Text<UserIdentifier>,
    ) -> Call {
        Call::new(self.0.clone(), move |auth| async move {
            auth.third_party_integration_service()
                .set_selected_integration(
                    client_id.uuid(),
                    user_id.uuid(),
                    &connector,
                    &user_identifier,
                )
                .await
        })
    }

    #[pyo3(signature = (client_id, user_id, connector, user_identifier, auth_string, auth_scopes))]
    fn update_integration_auth(
        &self,
        client_id: Id<ClientId>,
        user_id: Id<UserId>,
        connector: Text<Connector>,
        user_identifier: Text<UserIdentifier>,
        auth_string: Option<Text<AuthString>>,
        auth_scopes: Option<Vec<Text<AuthScopes>>>,
    ) -> Call {
        let update = IntegrationUpdate {
            auth_string: auth_string.map(Into::into),
            auth_scopes: auth_scopes.map(|scopes| scopes.into_iter().map(String::from).collect()),
        };
        Call::new(self.0.clone(), move |auth| async move {
            auth.third_party_integration_service()
                .update_integration_auth(
                    client_id.uuid(),
                    user_id.uuid(),
                    &connector,
                    &user_identifier,
                    update,
                )
                .await
        })
    }
}
