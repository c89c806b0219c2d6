//! An instance of the system as Python holds it: opened on its first use, and once more in each child
//! that is forked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bosa_auth::{Auth, Configuration, Error, OpenMode};
use futures_util::future::join_all;
use pyo3::prelude::*;
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use crate::call::Call;
use crate::settings::Settings;
use crate::{failure, runtime};

/// How long the end of the interpreter waits for what is still to be written.
const AT_THE_END: Duration = Duration::from_secs(3);

/// An instance; several objects may stand for the same one.
#[pyclass(frozen, weakref, module = "bosa_auth._native")]
pub(crate) struct Instance(Arc<Place>);

/// Where an instance is, if there is one. Locked only by threads that are attached to the interpreter
/// and run nothing of Python meanwhile, which could let another thread in: so nobody waits for this
/// lock, and none holds it while another thread forks.
#[derive(Default)]
pub(crate) struct Place(Mutex<Option<Arc<Slot>>>);

/// One instance with its settings.
struct Slot {
    configuration: Arc<Configuration>,
    /// `None` once it is closed. Locked as a [`Place`] is.
    opened: Mutex<Option<Arc<Opened>>>,
}

/// An instance in this process, from its first use on.
pub(crate) struct Opened {
    pub(crate) generation: u32,
    pub(crate) runtime: &'static Runtime,
    configuration: Arc<Configuration>,
    auth: OnceCell<Auth>,
}

#[pymethods]
impl Instance {
    /// An instance with the given settings; without, one that `install` gives some later.
    #[new]
    #[pyo3(signature = (settings=None))]
    fn new(py: Python<'_>, settings: Option<&Settings>) -> PyResult<Self> {
        let slot = settings
            .map(|settings| Slot::new(py, settings).map(Arc::new))
            .transpose()?;
        Ok(Self(Arc::new(Place(Mutex::new(slot)))))
    }

    /// Gives this object its settings, or checks that it has them already; gives an object that stays
    /// with the instance.
    fn install(&self, py: Python<'_>, settings: &Settings) -> PyResult<Self> {
        let installed = {
            let mut place = self.0.lock();
            let here = place.as_ref().filter(|slot| slot.is_usable()).cloned();
            let installed = match here {
                Some(slot) => slot,
                None => Arc::new(Slot::new(py, settings)?),
            };
            *place = Some(installed.clone());
            installed
        };
        if !installed.configuration.is_same_as(&settings.configuration) {
            return Err(failure::configuration(
                py,
                "the authentication system runs with other settings; call shutdown() before initialising it again",
            ));
        }
        Ok(Self::of(installed))
    }

    /// Whether the instance of the other object is the one that is installed here.
    fn has(&self, installed: &Self) -> bool {
        let installed = installed.0.lock().clone();
        match (&*self.0.lock(), &installed) {
            (Some(slot), Some(installed)) => Arc::ptr_eq(slot, installed),
            _ => false,
        }
    }

    /// Takes the settings away, so that others can be installed; gives an object for the instance
    /// that was there.
    fn uninstall(&self) -> Option<Self> {
        self.0.lock().take().map(Self::of)
    }

    /// Takes away what `install` gave, if its database could not be opened.
    fn uninstall_unopened(&self, installed: &Self) {
        let installed = installed.0.lock().clone();
        let mut place = self.0.lock();
        if let (Some(slot), Some(installed)) = (&*place, &installed)
            && Arc::ptr_eq(slot, installed)
            && !slot.is_open()
        {
            *place = None;
        }
    }

    /// Opens the database.
    fn open(&self) -> Call {
        Call::new(self.0.clone(), |_| async { Ok(()) })
    }

    /// Closes the database; every later use is refused.
    fn close(&self) -> Option<Call> {
        let opened = self.take()?;
        Some(Call::on(
            opened,
            |opened| async move { opened.close().await },
        ))
    }
}

impl Instance {
    fn of(slot: Arc<Slot>) -> Self {
        Self(Arc::new(Place(Mutex::new(Some(slot)))))
    }

    pub(crate) fn place(&self) -> Arc<Place> {
        self.0.clone()
    }

    /// Takes what is open in this process.
    fn take(&self) -> Option<Arc<Opened>> {
        let slot = self.0.lock().clone()?;
        let opened = slot.lock().take()?;
        (opened.generation == runtime::generation()).then_some(opened)
    }
}

/// Closes instances because the interpreter ends, which waits for them only so long.
pub(crate) fn end(py: Python<'_>, instances: &[PyRef<'_, Instance>]) {
    let opened: Vec<_> = instances.iter().filter_map(|one| one.take()).collect();
    let Some(runtime) = opened.first().map(|first| first.runtime) else {
        return;
    };
    py.detach(|| {
        let closing = join_all(opened.iter().map(|opened| opened.close()));
        // Whoever wants to know what could not be written calls `close`.
        let _closed = runtime.block_on(async { tokio::time::timeout(AT_THE_END, closing).await });
    });
}

impl Place {
    /// The instance in this process.
    ///
    /// # Errors
    /// `UninitializedException`: there is none, or it is closed. `ConfigurationException`: it is in
    /// the memory of the parent process.
    pub(crate) fn opened(&self, py: Python<'_>) -> PyResult<Arc<Opened>> {
        let slot = self.lock().clone();
        slot.ok_or_else(|| failure::uninitialized(py))?.opened(py)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Slot>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn new(py: Python<'_>, settings: &Settings) -> PyResult<Self> {
        let configuration = settings.configuration.clone();
        let opened = Opened::new(py, configuration.clone())?;
        Ok(Self {
            configuration,
            opened: Mutex::new(Some(Arc::new(opened))),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Opened>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is neither closed nor in the memory of the parent process.
    fn is_usable(&self) -> bool {
        self.lock().as_ref().is_some_and(|opened| {
            opened.generation == runtime::generation() || !self.configuration.is_in_memory()
        })
    }

    fn is_open(&self) -> bool {
        self.lock()
            .as_ref()
            .is_some_and(|opened| opened.auth.initialized())
    }

    fn opened(&self, py: Python<'_>) -> PyResult<Arc<Opened>> {
        let found = self.lock().clone();
        let found = found.ok_or_else(|| failure::closed(py))?;
        if found.generation == runtime::generation() {
            return Ok(found);
        }
        if self.configuration.is_in_memory() {
            return Err(failure::configuration(
                py,
                "a database in memory stays with the process that made it; initialise in each child, or use a file or PostgreSQL",
            ));
        }
        let own = Arc::new(Opened::new(py, self.configuration.clone())?);
        let now = match &mut *self.lock() {
            // Another thread was here first.
            Some(opened) if opened.generation == own.generation => Some(opened.clone()),
            Some(opened) => {
                *opened = own.clone();
                Some(own)
            }
            None => None,
        };
        now.ok_or_else(|| failure::closed(py))
    }
}

impl Opened {
    fn new(py: Python<'_>, configuration: Arc<Configuration>) -> PyResult<Self> {
        Ok(Self {
            generation: runtime::generation(),
            runtime: runtime::runtime(py)?,
            configuration,
            auth: OnceCell::new(),
        })
    }

    /// The instance, which the first caller opens.
    pub(crate) async fn auth(&self) -> Result<&Auth, Error> {
        self.auth
            .get_or_try_init(|| async {
                let auth = Auth::open_configured(&self.configuration, OpenMode::Create).await?;
                auth.start_maintenance();
                Ok(auth)
            })
            .await
    }

    /// The instance, if it has been opened.
    pub(crate) fn if_open(&self) -> Option<&Auth> {
        self.auth.get()
    }

    async fn close(&self) -> Result<(), Error> {
        match self.auth.get() {
            Some(auth) => auth.close().await,
            None => Ok(()),
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Some(auth) = self.auth.take() else {
            return;
        };
        if self.generation == runtime::generation() {
            // Whoever drops it may be attached to the interpreter, which a thread that is about to
            // fork waits for, while letting go of a database may wait for that fork.
            drop(self.runtime.spawn_blocking(move || drop(auth)));
        } else {
            // The parent's: its threads are not here, so that dropping it could wait for ever.
            std::mem::forget(auth);
        }
    }
}
