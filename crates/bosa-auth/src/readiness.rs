//! Whether this process can do its work.

use bosa_auth_store::migrate;

use crate::auth::Auth;
use crate::instance::check_canaries;

/// What a readiness probe wants to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Whether the database answers.
    pub database: bool,
    /// Whether the schema is this version's.
    pub migrations: bool,
    /// Whether every root key of the database opens its canary, and the instance was not moved.
    pub keys: bool,
    /// Whether changes of other processes may have been missed for longer than the staleness bound.
    /// Such a process reads the database for every decision, so that its answers are right.
    pub stale: bool,
    /// The root key that the database refers to and this process lacks.
    pub missing_root_key: Option<String>,
    /// What is wrong, for the log; without a secret.
    pub problem: Option<String>,
}

impl Readiness {
    /// Whether everything is well.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.database && self.migrations && self.keys
    }
}

impl Auth {
    /// Asks the database, its schema version and the canaries of the root keys.
    pub async fn readiness(&self) -> Readiness {
        let inner = &self.inner;
        let mut readiness = Readiness {
            stale: inner.memory.is_stale(),
            ..Readiness::default()
        };
        let status = match migrate::status(inner.store.db()).await {
            Ok(status) => status,
            Err(error) => {
                readiness.problem = Some(error.to_string());
                return readiness;
            }
        };
        readiness.database = true;
        readiness.migrations = status.pending.is_empty();
        if !readiness.migrations {
            readiness.problem = Some("the schema is older than this version".to_owned());
            return readiness;
        }
        match self.check_instance().await {
            Ok(()) => readiness.keys = true,
            Err(error) => {
                readiness.problem = Some(error.to_string());
                // Only to name it: what is wrong was found out before.
                readiness.missing_root_key = inner.missing_root_key().await.ok().flatten();
            }
        }
        readiness
    }

    async fn check_instance(&self) -> crate::Result<()> {
        let inner = &self.inner;
        let instance = bosa_auth_store::instance::load(&inner.store).await?;
        let instance =
            instance.ok_or_else(|| crate::Error::internal("the instance has disappeared"))?;
        if instance.id != inner.instance.id {
            return Err(crate::Error::configuration(
                "the database holds another instance; start again",
            ));
        }
        if instance.state != bosa_auth_store::InstanceState::Open {
            return Err(bosa_auth_store::StoreError::Moved.into());
        }
        if inner.missing_root_key().await?.is_some() {
            // It may have been added to the file meanwhile.
            inner.learn_root_keys()?;
        }
        check_canaries(&inner.store, &inner.root_keys, &instance).await
    }
}
