//! A token that this process is logged in to: sessions, and what to do when they are lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cryptoki::session::Session;
use cryptoki::slot::{Limit, TokenInfo};
use strongroom_crypto::{KeySpec, constant_time_eq};
use strongroom_store::pool::Pool;
use strongroom_wire::Sensitive;

use super::fault::{Aftermath, Fault};
use super::login::{Opening, close, enter_and_find, find};
use super::module::Module;
use super::offers;
use super::uri::TokenUri;

/// Operations that may wait for a session before callers are turned away.
const WAITING_OPERATIONS: usize = 1024;

/// Keys that may wait to be made.
const WAITING_GENERATIONS: usize = 256;

/// Sessions for all but using keys: one to stay logged in by, one to make keys, one to spare.
const OTHER_SESSIONS: u64 = 3;

/// A token. Everything that blocks is to be called on one of its threads.
pub(super) struct Token {
    module: Arc<Module>,
    label: String,
    serial: String,
    pin: Option<Sensitive<String>>,
    state: Mutex<State>,
    offers: Vec<KeySpec>,
    /// Threads to use keys on, as many as there may be sessions for it.
    pub(super) uses: Pool,
    /// Making an RSA key takes seconds; it must not hold up signatures.
    pub(super) makes: Pool,
    /// It turned down OAEP with SHA-256.
    no_oaep256: AtomicBool,
}

/// Sessions are not closed by being dropped: once lost, their numbers may be others' sessions.
struct State {
    /// Keeps the login, which ends with the last session.
    anchor: Option<Session>,
    idle: Vec<Session>,
    /// Counts how often all sessions were lost.
    epoch: u64,
    /// Counts logins: an object's handle is good for one.
    login: u64,
    /// How often the module had been restarted when the sessions were opened.
    restarts: u64,
    /// Why the PIN is not tried again: tokens lock after a few wrong ones.
    refused: Option<Fault>,
}

/// A session lent to one operation.
struct Lent {
    session: Session,
    epoch: u64,
    login: u64,
}

impl Token {
    /// Finds the token and logs in. A token that the process uses already is shared, if the PIN is
    /// the same.
    pub(super) fn open(
        module: &Arc<Module>,
        wanted: &TokenUri,
        pin: impl FnOnce(&TokenInfo) -> Result<Option<Sensitive<String>>, Fault>,
    ) -> Result<Arc<Self>, Fault> {
        let (entered, restarts, (slot, info)) = enter_and_find(module, wanted)?;
        let pin = pin(&info)?;
        let name = (info.label().to_owned(), info.serial_number().to_owned());
        let mut tokens = module.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = tokens.get(&name).and_then(std::sync::Weak::upgrade) {
            // Dropped first: if `open` is the last to hold the token, closing it enters the module.
            drop((tokens, entered));
            // A token does not check a PIN while somebody is logged in.
            let (given, known) = (pin.as_ref().map(bytes), open.pin.as_ref().map(bytes));
            if !constant_time_eq(given.unwrap_or_default(), known.unwrap_or_default()) {
                return Err(Fault::Pin(format!(
                    "the PIN is not the one that this process opened the token {:?} with",
                    open.label
                )));
            }
            return Ok(open);
        }
        let opening = Opening { module, label: &name.0, pin: pin.as_ref() };
        let anchor = opening.login(slot)?;
        let offers = offers::of(&module.context, slot, &anchor)?;
        let threads = threads(&info);
        let started = |pool: std::io::Result<Pool>| pool.map_err(|fault| Fault::Other(fault.to_string()));
        let token = Arc::new(Self {
            label: name.0.clone(),
            serial: name.1.clone(),
            pin,
            state: Mutex::new(State {
                anchor: Some(anchor),
                idle: Vec::new(),
                epoch: 0,
                login: 0,
                restarts,
                refused: None,
            }),
            offers,
            uses: started(Pool::start("token-use", threads, WAITING_OPERATIONS))?,
            makes: started(Pool::start("token-make", 1, WAITING_GENERATIONS))?,
            no_oaep256: AtomicBool::new(false),
            module: Arc::clone(module),
        });
        tokens.insert(name, Arc::downgrade(&token));
        drop((tokens, entered));
        Ok(token)
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn serial(&self) -> &str {
        &self.serial
    }

    pub(super) fn offers(&self) -> &[KeySpec] {
        &self.offers
    }

    /// Does the token do OAEP with SHA-256, as far as is known?
    pub(super) fn tries_oaep256(&self) -> bool {
        !self.no_oaep256.load(Ordering::Relaxed)
    }

    pub(super) fn refused_oaep256(&self) {
        self.no_oaep256.store(true, Ordering::Relaxed);
    }

    /// Runs `work` in a session that is logged in, and with the number of the login: object handles
    /// are good for one login. If sessions or login turn out to be lost, once more after a new login;
    /// if the token does, once more after a restart of its module.
    pub(super) fn with<T>(&self, work: impl Fn(&Session, u64) -> Result<T, Fault>) -> Result<T, Fault> {
        match self.attempt(&work) {
            Err(fault) if fault.of_absence() && self.module.restart() => self.attempt(&work),
            outcome => outcome,
        }
    }

    fn attempt<T>(&self, work: &impl Fn(&Session, u64) -> Result<T, Fault>) -> Result<T, Fault> {
        let (_entered, restarts) = self.module.enter();
        let mut lent = self.lend(restarts)?;
        let mut outcome = work(&lent.session, lent.login);
        let lost = outcome.as_ref().err().map(Fault::aftermath);
        if matches!(lost, Some(Aftermath::LoggedOut | Aftermath::Lost)) {
            tracing::warn!(token = %self.label, "the login at the token was lost; logging in again");
            lent = self.mend(lent, lost == Some(Aftermath::Lost), restarts)?;
            outcome = work(&lent.session, lent.login);
        }
        self.give_back(lent, outcome.as_ref().err().map_or(Aftermath::Fine, Fault::aftermath));
        outcome
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lend(&self, restarts: u64) -> Result<Lent, Fault> {
        let mut state = self.state();
        if state.restarts != restarts {
            forget(&mut state);
            state.restarts = restarts;
        }
        if state.anchor.is_none() {
            self.connect(&mut state)?;
        }
        if let Some(session) = state.idle.pop() {
            return Ok(Lent { session, epoch: state.epoch, login: state.login });
        }
        match self.fresh(&state) {
            Err(fault) if fault.aftermath() == Aftermath::Lost => {
                forget(&mut state);
                self.connect(&mut state)?;
                self.fresh(&state)
            }
            outcome => outcome,
        }
    }

    /// A session of the login that there is.
    fn fresh(&self, state: &State) -> Result<Lent, Fault> {
        let anchor = state.anchor.as_ref().ok_or_else(|| self.absent())?;
        let slot = anchor.get_session_info()?.slot_id();
        let session = self.module.context.open_rw_session_no_drop(slot)?;
        Ok(Lent { session, epoch: state.epoch, login: state.login })
    }

    /// Logs in again, unless another thread did since.
    fn mend(&self, lent: Lent, sessions_lost: bool, restarts: u64) -> Result<Lent, Fault> {
        let mut state = self.state();
        if sessions_lost {
            if state.epoch == lent.epoch {
                forget(&mut state);
            }
            drop(state);
            return self.lend(restarts);
        }
        if state.login == lent.login && state.epoch == lent.epoch {
            let opening = self.opening(&state)?;
            if let Err(fault) = opening.login_in(&lent.session) {
                if matches!(fault, Fault::Pin(_)) {
                    state.refused = Some(fault.clone());
                }
                if state.idle.len() < MOST_IDLE {
                    state.idle.push(lent.session);
                }
                return Err(fault);
            }
            state.login = state.login.wrapping_add(1);
        }
        Ok(Lent { login: state.login, ..lent })
    }

    fn give_back(&self, lent: Lent, after: Aftermath) {
        let mut state = self.state();
        let lost = lent.epoch != state.epoch || after == Aftermath::Lost;
        if lost {
            return;
        }
        if after == Aftermath::Fine && state.idle.len() < MOST_IDLE {
            state.idle.push(lent.session);
        } else {
            close(lent.session);
        }
    }

    /// Finds the token again, by the name and number it had, and logs in.
    fn connect(&self, state: &mut State) -> Result<(), Fault> {
        let opening = self.opening(state)?;
        self.module.initialise()?;
        let same =
            TokenUri { label: Some(self.label.clone()), serial: Some(self.serial.clone()), ..TokenUri::default() };
        let (slot, _) = find(&self.module, &same).map_err(|fault| match fault {
            Fault::Absent(_) => self.absent(),
            other => other,
        })?;
        match opening.login(slot) {
            Ok(anchor) => {
                state.anchor = Some(anchor);
                state.login = state.login.wrapping_add(1);
                Ok(())
            }
            Err(fault) => {
                if matches!(fault, Fault::Pin(_)) {
                    state.refused = Some(fault.clone());
                }
                Err(fault)
            }
        }
    }

    fn opening(&self, state: &State) -> Result<Opening<'_>, Fault> {
        match &state.refused {
            Some(refused) => Err(refused.clone()),
            None => Ok(Opening { module: &self.module, label: &self.label, pin: self.pin.as_ref() }),
        }
    }

    fn absent(&self) -> Fault {
        Fault::Absent(format!(
            "the token {:?} with the serial number {:?} is not there any more: put it back. A token that was \
             initialised again has another number and none of the keys",
            self.label, self.serial
        ))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let (_entered, restarts) = self.module.enter();
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.restarts != restarts {
            return;
        }
        // The anchor goes last: it holds the login.
        state.idle.drain(..).chain(state.anchor.take()).for_each(close);
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({:?}, {:?}, {})", self.label, self.serial, self.module.path.display())
    }
}

/// More than there are threads that could give one back.
const MOST_IDLE: usize = 256;

/// Drops what is lost, without closing it.
fn forget(state: &mut State) {
    state.epoch = state.epoch.wrapping_add(1);
    state.login = state.login.wrapping_add(1);
    state.anchor = None;
    state.idle.clear();
}

fn bytes(pin: &Sensitive<String>) -> &[u8] {
    pin.expose().as_bytes()
}

/// Two for each core, if the token takes that many sessions.
fn threads(info: &TokenInfo) -> usize {
    let wanted = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).saturating_mul(2);
    let bound = |limit: Limit| match limit {
        Limit::Max(most) => usize::try_from(most.saturating_sub(OTHER_SESSIONS)).unwrap_or(usize::MAX),
        Limit::Unavailable | Limit::Infinite => usize::MAX,
    };
    wanted.min(bound(info.max_session_count())).min(bound(info.max_rw_session_count())).max(1)
}
