//! The services of the API reference.
//!
//! Each is a cheap handle. Those from [`Auth`](crate::Auth) work on that instance; those from the
//! functions of this module work on the process-wide one, and return `Uninitialized` before
//! [`initialize_authentication_db`](crate::initialize_authentication_db).

use std::borrow::Cow;

mod client;
mod integration;
mod token;
mod user;

pub use client::{ClientAwareService, CreateClientService, VerifyClientService};
pub use integration::ThirdPartyIntegrationService;
pub use token::{CreateTokenService, RevokeTokenService, VerifyTokenService};
pub use user::{AuthenticateUserService, CreateUserService, GetUserService};

use crate::auth::Auth;
use crate::error::Result;
use crate::global;
use crate::principal::{Operator, Tenant};

/// The instance that a service works on.
#[derive(Debug, Clone)]
pub(crate) enum Handle {
    Own(Auth),
    ProcessWide,
}

impl Handle {
    pub(crate) fn auth(&self) -> Result<Cow<'_, Auth>> {
        match self {
            Handle::Own(auth) => Ok(Cow::Borrowed(auth)),
            Handle::ProcessWide => global::installed().map(Cow::Owned),
        }
    }

    pub(crate) fn operator(&self) -> Result<Operator> {
        Ok(self.auth()?.operator())
    }

    /// The client whose key this is.
    pub(crate) async fn tenant(&self, client_api_key: &str) -> Result<Tenant> {
        self.auth()?.authenticate_client(client_api_key).await
    }

    /// The same from memory; `None` when it has to be read.
    pub(crate) fn try_tenant(&self, client_api_key: &str) -> Result<Option<Tenant>> {
        self.auth()?.try_authenticate_client(client_api_key)
    }
}

macro_rules! services {
    ($($function:ident -> $service:ident: $summary:literal;)*) => {
        $(
            #[doc = $summary]
            #[must_use]
            pub fn $function() -> $service {
                $service(Handle::ProcessWide)
            }
        )*

        impl Auth {
            $(
                #[doc = $summary]
                #[must_use]
                pub fn $function(&self) -> $service {
                    $service(Handle::Own(self.clone()))
                }
            )*
        }
    };
}

services! {
    create_client_service -> CreateClientService: "Makes and changes clients and their API keys.";
    verify_client_service -> VerifyClientService: "Verifies client keys.";
    client_aware_service -> ClientAwareService: "Finds clients.";
    create_user_service -> CreateUserService: "Makes and changes users.";
    get_user_service -> GetUserService: "Finds users.";
    authenticate_user_service -> AuthenticateUserService: "Logs users in.";
    create_token_service -> CreateTokenService: "Issues tokens.";
    verify_token_service -> VerifyTokenService: "Verifies tokens.";
    revoke_token_service -> RevokeTokenService: "Ends tokens.";
    third_party_integration_service -> ThirdPartyIntegrationService: "Keeps users' accounts at third parties.";
}
