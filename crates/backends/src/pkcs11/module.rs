//! PKCS#11 modules: each is loaded and initialised once a process.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::fault::Fault;
use super::token::Token;

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
}

impl Module {
    /// The module at `path`, loaded at its first use.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, Fault> {
        let shown = path.display();
        let fault = |why: String| Fault::Module(format!("the PKCS#11 module {shown} cannot be used: {why}"));
        let path = path.canonicalize().map_err(|why| fault(why.to_string()))?;
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = loaded.get(&path) {
            return Ok(Arc::clone(module));
        }
        let context = Pkcs11::new(&path).map_err(|why| fault(why.to_string()))?;
        let module = Arc::new(Self { path: path.clone(), context, tokens: Mutex::default() });
        module.initialise().map_err(|why| fault(why.to_string()))?;
        loaded.insert(path, Arc::clone(&module));
        Ok(module)
    }

    /// Also after somebody else in the process finalised it.
    pub(super) fn initialise(&self) -> Result<(), Fault> {
        match self.context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
            Err(fault) => Err(fault.into()),
        }
    }
}
