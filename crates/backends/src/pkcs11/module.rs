//! PKCS#11 modules: each is loaded and initialised once a process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::fault::Fault;
use super::token::Token;

/// A module is not started again sooner than this after the last time.
const BETWEEN_RESTARTS: Duration = Duration::from_secs(3);

/// They stay until the process ends: others in it may use the same module, and to finalise it would
/// end their sessions.
static LOADED: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

/// A module that is ready for use.
pub(super) struct Module {
    pub(super) path: PathBuf,
    pub(super) context: Pkcs11,
    /// The tokens in use, by label and serial number: who is logged in is the process's, so a
    /// token is opened once.
    pub(super) tokens: Mutex<BTreeMap<(String, String), Weak<Token>>>,
    /// Held by whoever uses the module; a restart waits until nobody does.
    in_use: RwLock<()>,
    /// Did we initialise it? Then nobody else's sessions end with a restart.
    ours: AtomicBool,
    restarts: AtomicU64,
    last_restart: Mutex<Option<Instant>>,
}

impl Module {
    /// The module at `path`, loaded at its first use.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, Fault> {
        let shown = path.display();
        let fault = |why: String| Fault::Module(format!("the PKCS#11 module {shown} cannot be used: {why}"));
        let path = path.canonicalize().map_err(|why| fault(why.to_string()))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.get(&path) {
            module.initialise().map_err(|why| fault(why.to_string()))?;
            return Ok(Arc::clone(module));
        }
        let context = Pkcs11::new(&path).map_err(|why| fault(why.to_string()))?;
        let module = Arc::new(Self {
            path: path.clone(),
            context,
            tokens: Mutex::default(),
            in_use: RwLock::default(),
            ours: AtomicBool::new(false),
            restarts: AtomicU64::new(0),
            last_restart: Mutex::default(),
        });
        module.initialise().map_err(|why| fault(why.to_string()))?;
        loaded.insert(path, Arc::clone(&module));
        Ok(module)
    }

    /// To be held while the module is used. With it, how often it was restarted: what came from it
    /// before the last time must not be given to it.
    pub(super) fn enter(&self) -> (RwLockReadGuard<'_, ()>, u64) {
        let entered = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
        (entered, self.restarts.load(Ordering::Acquire))
    }

    /// Starts the module again, unless it is others' or was started again just now; says whether it
    /// did. Some modules see a token that was put back only then.
    pub(super) fn restart(&self) -> bool {
        let mut last = self.last_restart.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.ours.load(Ordering::Acquire) || last.is_some_and(|last| last.elapsed() < BETWEEN_RESTARTS) {
            return false;
        }
        let alone = self.in_use.write().unwrap_or_else(PoisonError::into_inner);
        tracing::warn!(module = %self.path.display(), "a token is gone; starting its module again");
        self.restarts.fetch_add(1, Ordering::AcqRel);
        if let Err(fault) = self.context.clone().finalize() {
            tracing::warn!(%fault, "the PKCS#11 module could not be stopped");
        }
        let started = self.initialise();
        drop(alone);
        *last = Some(Instant::now());
        if let Err(fault) = &started {
            tracing::error!(%fault, "the PKCS#11 module could not be started again");
        }
        started.is_ok()
    }

    /// Also after somebody else in the process finalised it.
    pub(super) fn initialise(&self) -> Result<(), Fault> {
        match self.context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) => {
                self.ours.store(true, Ordering::Release);
                Ok(())
            }
            Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }
}
