//! The process-wide instance that the API reference's functions work on.
//!
//! This is the only place with state of the whole process.

use std::cell::RefCell;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use tokio::sync::Mutex;

use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::fork;
use crate::settings::AuthenticationDbSettings;

static INSTALLED: RwLock<Option<Installed>> = RwLock::new(None);
/// Held while one caller initialises, so that two of them do not both open the database.
static INITIALISING: Mutex<()> = Mutex::const_new(());

thread_local! {
    /// See [`fork::Held`].
    static HELD: RefCell<Option<RwLockWriteGuard<'static, Option<Installed>>>> =
        const { RefCell::new(None) };
}

struct Installed {
    auth: Auth,
    fingerprint: [u8; 32],
}

/// Opens the database of the settings, creates or migrates its schema, and installs the result for
/// the functions of [`service`](crate::service).
///
/// Safe when many processes start at once, and when it is called again with the same settings.
///
/// # Errors
/// - `Configuration`: a setting cannot be used, a key is missing or wrong, or other settings are
///   installed already (call [`shutdown`] first).
/// - `DatabaseUnavailable`: the database cannot be reached.
///
/// Source: the API reference, "Configuration".
pub async fn initialize_authentication_db(settings: AuthenticationDbSettings) -> Result<Auth> {
    let configuration = settings.gather()?;
    let fingerprint = configuration.fingerprint();
    let _one_at_a_time = INITIALISING.lock().await;
    if let Some(installed) = INSTALLED
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .as_ref()
    {
        return if installed.fingerprint == fingerprint {
            Ok(installed.auth.clone())
        } else {
            Err(Error::configuration(
                "the authentication system runs with other settings; call shutdown() before initialising it again",
            ))
        };
    }
    let auth = Auth::open_configured(&configuration, crate::OpenMode::Create).await?;
    auth.start_maintenance();
    *INSTALLED.write().unwrap_or_else(PoisonError::into_inner) = Some(Installed {
        auth: auth.clone(),
        fingerprint,
    });
    Ok(auth)
}

/// Closes the process-wide instance; afterwards it can be initialised again.
///
/// # Errors
/// `DatabaseUnavailable` when what was still to be written could not be.
pub async fn shutdown() -> Result<()> {
    let _one_at_a_time = INITIALISING.lock().await;
    let installed = INSTALLED
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    match installed {
        Some(installed) => installed.auth.close().await,
        None => Ok(()),
    }
}

pub(crate) fn installed() -> Result<Auth> {
    INSTALLED
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .as_ref()
        .map(|installed| installed.auth.clone())
        .ok_or(Error::Uninitialized)
}

/// Keeps every other thread from the instance until the fork is over.
pub(crate) fn hold() {
    fork::hold(&HELD, || {
        INSTALLED.write().unwrap_or_else(PoisonError::into_inner)
    });
}

pub(crate) fn release() {
    HELD.take();
}

/// In a child: the instance is the parent's, and is not to be dropped here.
pub(crate) fn forget() {
    fork::forget(&HELD);
}
