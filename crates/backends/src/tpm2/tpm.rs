//! [`Tpm`]: one connection to a TPM, and the few slots in it that we hold.
//!
//! A TPM has room for three objects or so. Ours are the storage root key (unless it is persistent),
//! two keys at most that were used last, and a session. All of it is given back when nobody has
//! asked for anything for a moment, and after anything that went wrong.

use std::time::{Duration, Instant};

use strongroom_wire::Sensitive;
use zeroize::Zeroizing;

use super::fault::{Code, Fault};
use super::link::{Address, Link};
use super::public::Storage;
use super::session::{Session, Veil};
use super::wire::{Reader, Writer};

/// Keys that stay loaded: with the storage root key they fill the three slots that every TPM has.
const KEPT_KEYS: usize = 2;
/// How often an operation starts over when the TPM was started again or has no room.
const ATTEMPTS: usize = 4;
/// How long a TPM that is busy is asked again.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
const PASSWORD: u32 = 0x4000_0009;
const STARTUP: u32 = 0x144;

/// What a TPM is opened with.
pub(super) struct Settings {
    pub(super) address: Address,
    /// The authorisation of the storage hierarchy.
    pub(super) owner: Sensitive<Vec<u8>>,
    /// Where the storage root key stays, if it is to stay.
    pub(super) persistent: Option<u32>,
}

/// One connection to a TPM.
pub(super) struct Tpm {
    pub(super) settings: Settings,
    link: Option<Link>,
    pub(super) parent: Option<Parent>,
    /// The name that the storage root key has to have, once it is known.
    pub(super) expected: Option<Vec<u8>>,
    session: Option<Session>,
    /// The one used last comes last.
    loaded: Vec<Loaded>,
    /// RSA signatures for which the TPM does the raw operation only.
    pub(super) raw_only: Vec<strongroom_wire::algorithms::SignatureAlgorithm>,
}

/// The storage root key.
#[derive(Clone)]
pub(super) struct Parent {
    pub(super) handle: u32,
    pub(super) storage: Storage,
    pub(super) persistent: bool,
}

/// An object in a slot.
#[derive(Clone)]
pub(super) struct Loaded {
    pub(super) blob: Vec<u8>,
    pub(super) handle: u32,
    pub(super) name: Vec<u8>,
}

/// How a command is authorised: for its first handle.
#[derive(Clone, Copy)]
pub(super) enum Auth<'a> {
    None,
    /// An authorisation that is empty, as those of all our objects.
    Empty,
    /// By a session that is salted to the storage root key; what is secret is encrypted.
    Veiled(Veil),
    /// By a session without salt, so that the value itself is not sent.
    Value(&'a [u8]),
}

/// A command.
pub(super) struct Command<'a> {
    pub(super) code: u32,
    /// With the names of what they stand for; a hierarchy's is its handle.
    pub(super) handles: &'a [(u32, &'a [u8])],
    pub(super) auth: Auth<'a>,
    pub(super) parameters: Writer,
    /// Does the answer begin with a handle?
    pub(super) gives_handle: bool,
}

/// An answer.
pub(super) struct Answer {
    pub(super) handle: u32,
    pub(super) parameters: Zeroizing<Vec<u8>>,
}

impl Tpm {
    pub(super) const fn new(settings: Settings) -> Self {
        Self {
            settings,
            link: None,
            parent: None,
            expected: None,
            session: None,
            loaded: Vec::new(),
            raw_only: Vec::new(),
        }
    }

    /// Runs an operation, again from its start when the connection broke, the TPM was started again
    /// or has no room. Operations can be repeated: what they make is only kept by who asked.
    pub(super) fn attempt<T>(&mut self, work: impl Fn(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut left = ATTEMPTS;
        loop {
            left = left.saturating_sub(1);
            let fault = match work(self) {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            let again = match (&fault, fault.code()) {
                (Fault::Gone(..), _) => {
                    self.forget();
                    true
                }
                // Not again: a TPM that hangs would hold up everybody as long once more.
                (Fault::Away(..) | Fault::Slow(_), _) => {
                    self.forget();
                    false
                }
                (_, Some(code)) if code.full() => {
                    self.release();
                    pause();
                    true
                }
                (_, Some(code)) if code.stale() => {
                    self.release();
                    self.forget();
                    true
                }
                (Fault::Malformed(_), _) => {
                    self.release();
                    self.forget();
                    false
                }
                _ => false,
            };
            if !again || left == 0 {
                return Err(fault);
            }
            tracing::debug!(%fault, "once more with the TPM");
        }
    }

    /// Runs a command.
    pub(super) fn run(&mut self, command: Command<'_>) -> Result<Answer, Fault> {
        let Command { code, handles, auth, parameters, gives_handle } = command;
        let mut parameters = parameters.finish()?;
        let names: Vec<&[u8]> = handles.iter().map(|(_, name)| *name).collect();
        let mut session = match auth {
            Auth::None | Auth::Empty => None,
            Auth::Veiled(_) => Some(match self.session.take() {
                Some(session) => session,
                None => self.start_session(true)?,
            }),
            Auth::Value(_) => Some(self.start_session(false)?),
        };
        let (value, veil) = match auth {
            Auth::Value(value) => (value, Veil::Nothing),
            Auth::Veiled(veil) => (&[][..], veil),
            Auth::None | Auth::Empty => (&[][..], Veil::Nothing),
        };
        let authorisation = match (&mut session, auth) {
            (Some(session), _) => Some(session.authorise(code, &names, value, veil, &mut parameters)?),
            (None, Auth::None) => None,
            (None, _) => Some(Writer::new().u32(PASSWORD).sized(&[]).u8(0).sized(&[]).finish()?),
        };
        let mut body = Writer::new();
        for (handle, _) in handles {
            body = body.u32(*handle);
        }
        if let Some(authorisation) = &authorisation {
            let length = u32::try_from(authorisation.len()).unwrap_or(u32::MAX);
            body = body.u32(length).raw(authorisation);
        }
        let body = body.raw(&parameters).finish()?;
        let tag = if authorisation.is_some() { SESSIONS } else { NO_SESSIONS };
        let checked = self.transact(tag, code, &body).and_then(|answer| {
            let mut reader = Reader::new(&answer);
            let handle = if gives_handle { reader.u32()? } else { 0 };
            if tag == NO_SESSIONS {
                return Ok(Answer { handle, parameters: Zeroizing::new(reader.rest().to_vec()) });
            }
            let length = usize::try_from(reader.u32()?).unwrap_or(usize::MAX);
            let mut parameters = Zeroizing::new(reader.raw(length)?.to_vec());
            if let Some(session) = &mut session {
                session.accept(code, &mut parameters, reader.rest())?;
            }
            Ok(Answer { handle, parameters })
        });
        match (session, &checked, auth) {
            // Salting costs both sides a key agreement: kept for the next.
            (Some(session), Ok(_), Auth::Veiled(_)) => self.session = Some(session),
            (Some(session), ..) => self.flush(session.handle),
            _ => {}
        }
        checked
    }

    /// Sends a command, returns what follows the header of the answer.
    fn transact(&mut self, tag: u16, code: u32, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let length = u32::try_from(body.len().saturating_add(10)).unwrap_or(u32::MAX);
        let command = Writer::new().u16(tag).u32(length).u32(code).raw(body).finish()?;
        let begun = Instant::now();
        let mut started = false;
        loop {
            let answer = self.exchange(&command)?;
            let mut reader = Reader::new(&answer);
            let (_tag, _length, code) = (reader.u16()?, reader.u32()?, Code::new(reader.u32()?));
            match code {
                Code::SUCCESS => return Ok(Zeroizing::new(reader.rest().to_vec())),
                // Nobody has started it since it got power.
                Code::INITIALIZE if !started => {
                    started = true;
                    let startup = Writer::new().u16(NO_SESSIONS).u32(12).u32(STARTUP).u16(0).finish()?;
                    self.exchange(&startup)?;
                }
                code if code.again() && begun.elapsed() < PATIENCE => pause(),
                code => return Err(Fault::Answer(code)),
            }
        }
    }

    /// Over the connection, opened if it is not. One that broke is not used again.
    fn exchange(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let mut link = match self.link.take() {
            Some(link) => link,
            None => self.settings.address.connect()?,
        };
        let answer = link.exchange(command)?;
        self.link = Some(link);
        Ok(answer)
    }

    /// Gives a slot back. What fails is none of ours any more.
    pub(super) fn flush(&mut self, handle: u32) {
        if self.link.is_none() {
            return;
        }
        let command = Writer::new().u32(handle).finish();
        if let Err(fault) = command.and_then(|body| self.transact(NO_SESSIONS, 0x165, &body)) {
            tracing::debug!(%fault, "a slot of the TPM was not given back");
        }
    }

    /// Gives back all slots.
    pub(super) fn release(&mut self) {
        for key in std::mem::take(&mut self.loaded) {
            self.flush(key.handle);
        }
        if let Some(session) = self.session.take() {
            self.flush(session.handle);
        }
        if let Some(parent) = self.parent.take()
            && !parent.persistent
        {
            self.flush(parent.handle);
        }
    }

    /// Gives back all slots and the connection.
    pub(super) fn close(&mut self) {
        self.release();
        self.link = None;
    }

    /// Lets go of what a connection that broke had.
    pub(super) fn forget(&mut self) {
        (self.link, self.parent, self.session) = (None, None, None);
        self.loaded.clear();
    }

    /// Is there anything to give back?
    pub(super) const fn holds(&self) -> bool {
        self.link.is_some()
    }

    /// A key that is loaded.
    pub(super) fn kept(&mut self, blob: &[u8]) -> Option<Loaded> {
        let index = self.loaded.iter().position(|key| key.blob == blob)?;
        let key = self.loaded.remove(index);
        self.loaded.push(key.clone());
        Some(key)
    }

    /// Makes room for one more key.
    pub(super) fn make_room(&mut self) {
        while self.loaded.len() >= KEPT_KEYS {
            let key = self.loaded.remove(0);
            self.flush(key.handle);
        }
    }

    pub(super) fn keep(&mut self, key: Loaded) {
        self.loaded.push(key);
    }

    /// Making the storage root key anew takes a slot that loaded keys may have.
    pub(super) fn clear_keys(&mut self) {
        for key in std::mem::take(&mut self.loaded) {
            self.flush(key.handle);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the TPM says that it is busy, and not when it will be done")]
fn pause() {
    std::thread::sleep(PAUSE);
}
