//! Who did what: the record of an effect.

use uuid::Uuid;

use crate::clock::Timestamp;
use crate::id::{ApiKeyId, ClientId, OperationId, UserId};
use crate::text_enum::text_enum;

/// Who caused an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The person at the command line.
    Operator,
    /// The holder of a master key.
    MasterKey,
    /// The holder of this API key.
    ApiKey(ApiKeyId),
    /// This user, by a token.
    User(UserId),
    /// The program that embeds the library.
    Library,
}

impl Actor {
    /// Returns the fixed text of the kind of actor.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::MasterKey => "master_key",
            Self::ApiKey(_) => "api_key",
            Self::User(_) => "user",
            Self::Library => "library",
        }
    }

    /// Returns the id of the API key or the user; the other kinds have none.
    pub fn id(&self) -> Option<Uuid> {
        match self {
            Self::ApiKey(id) => Some(id.as_uuid()),
            Self::User(id) => Some(id.as_uuid()),
            Self::Operator | Self::MasterKey | Self::Library => None,
        }
    }
}

text_enum! {
    /// What was done.
    pub enum AuditAction as "audit action" {
        /// A client was created.
        ClientCreate = "client.create",
        /// A client was renamed, suspended, resumed or changed otherwise.
        ClientUpdate = "client.update",
        /// A client was deleted.
        ClientDelete = "client.delete",
        /// An API key was created.
        ApiKeyCreate = "api_key.create",
        /// An API key was replaced by a new one.
        ApiKeyRotate = "api_key.rotate",
        /// An API key was revoked.
        ApiKeyRevoke = "api_key.revoke",
        /// A user was created.
        UserCreate = "user.create",
        /// A user was changed, suspended or resumed.
        UserUpdate = "user.update",
        /// A user was deleted.
        UserDelete = "user.delete",
        /// A user's secret was replaced by a generated one.
        UserResetSecret = "user.reset_secret",
        /// A user replaced its own secret.
        UserChangeSecret = "user.change_secret",
        /// Every token of a user was ended.
        UserSignOut = "user.sign_out",
        /// A user logged in.
        LoginAccept = "login.accept",
        /// A login was refused.
        LoginRefuse = "login.refuse",
        /// A token was issued without a login.
        TokenIssue = "token.issue",
        /// A token was revoked.
        TokenRevoke = "token.revoke",
        /// An integration was created.
        IntegrationCreate = "integration.create",
        /// An integration's stored authorization was replaced.
        IntegrationUpdate = "integration.update",
        /// An integration was made the default account of its connector.
        IntegrationSelect = "integration.select",
        /// An integration was deleted.
        IntegrationDelete = "integration.delete",
        /// A user was sent a page from which an account can be connected.
        IntegrationConnectBegin = "integration.connect_begin",
        /// An account was connected through its provider.
        IntegrationConnect = "integration.connect",
        /// The client took over an account that waited for its code.
        IntegrationComplete = "integration.complete",
        /// The provider refused to refresh an integration's authorization for good.
        IntegrationRefreshRefuse = "integration.refresh_refuse",
        /// The settings of a connector were stored.
        ConnectorSet = "connector.set",
        /// The settings of a connector were removed.
        ConnectorUnset = "connector.unset",
        /// A new signing key became the active one.
        SigningKeyRotate = "signing_key.rotate",
        /// A signing key stopped being accepted.
        SigningKeyRetire = "signing_key.retire",
        /// Another root key became the active one.
        RootKeyActivate = "root_key.activate",
        /// A root key stopped being known.
        RootKeyRetire = "root_key.retire",
        /// A new digest key became the active one.
        DigestKeyRotate = "digest_key.rotate",
        /// A digest key was removed.
        DigestKeyRetire = "digest_key.retire",
        /// The replacement of every key that seals values was begun.
        VaultRekey = "vault.rekey",
        /// Everything was read for a backup.
        InstanceBackup = "instance.backup",
        /// The instance was closed by a backup that moves it.
        InstanceBackupMove = "instance.backup_move",
        /// The instance was read from a backup.
        InstanceRestore = "instance.restore",
        /// Rows of the original's database were taken over.
        InstanceImport = "instance.import",
    }
}

/// The record of one effect, written in the effect's transaction.
///
/// # Security
/// `detail` is shown and exported: it never holds a credential, a digest or an `auth_string`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// The operation's id.
    pub id: OperationId,
    /// When it happened.
    pub at: Timestamp,
    /// Who caused it.
    pub actor: Actor,
    /// What was done.
    pub action: AuditAction,
    /// The client it happened in, if any.
    pub client_id: Option<ClientId>,
    /// The id of what it was done to, if that has one.
    pub subject: Option<Uuid>,
    /// What else is worth keeping, as JSON text.
    pub detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_key_holders_and_users_have_an_id() {
        let id = Uuid::from_u128(7);
        assert_eq!(Actor::ApiKey(ApiKeyId::from(id)).id(), Some(id));
        assert_eq!(Actor::User(UserId::from(id)).id(), Some(id));
        for actor in [Actor::Operator, Actor::MasterKey, Actor::Library] {
            assert_eq!(actor.id(), None);
        }
        assert_eq!(Actor::MasterKey.kind(), "master_key");
    }
}
