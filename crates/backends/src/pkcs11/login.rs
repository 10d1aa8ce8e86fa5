//! Finding a token and logging in to it.

use std::path::Path;
use std::sync::RwLockReadGuard;

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use strongroom_wire::Sensitive;

use super::fault::Fault;
use super::module::Module;
use super::uri::TokenUri;

/// What logging in takes.
pub(super) struct Opening<'a> {
    pub(super) module: &'a Module,
    pub(super) label: &'a str,
    pub(super) pin: Option<&'a Sensitive<String>>,
}

impl Opening<'_> {
    /// Opens a session and logs in by it. It is not closed by being dropped.
    pub(super) fn login(&self, slot: Slot) -> Result<Session, Fault> {
        let session = self.module.context.open_rw_session_no_drop(slot)?;
        match self.login_in(&session) {
            Ok(()) => Ok(session),
            Err(fault) => {
                close(session);
                Err(fault)
            }
        }
    }

    /// Logs in by a session.
    pub(super) fn login_in(&self, session: &Session) -> Result<(), Fault> {
        // Its copy is wiped when it is dropped, too.
        let pin = self.pin.map(|pin| AuthPin::new(pin.expose().as_str().into()));
        match session.login(UserType::User, pin.as_ref()) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
            Err(Error::Pkcs11(answer, function)) => Err(match refusal(self.label, &self.module.path, answer) {
                Some(refusal) => Fault::Pin(refusal),
                None => Fault::Answer(answer, function),
            }),
            Err(other) => Err(other.into()),
        }
    }
}

/// What to do about a PIN that was not accepted; `None` when it is not the PIN's fault.
fn refusal(label: &str, module: &Path, answer: RvError) -> Option<String> {
    let anew = format!("pkcs11-tool --module {} --login --login-type so --init-pin", module.display());
    Some(match answer {
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => format!(
            "the PIN of the token {label:?} is not right. It is not tried again: tokens lock after a few wrong PINs. \
             Set it right and open the vault again"
        ),
        RvError::PinLocked => format!(
            "the PIN of the token {label:?} is locked after too many wrong ones: the security officer has to set it \
             anew ({anew})"
        ),
        RvError::PinExpired => format!("the PIN of the token {label:?} has expired: change it"),
        RvError::UserPinNotInitialized => {
            format!("the token {label:?} has no user PIN yet: the security officer has to set one ({anew})")
        }
        RvError::UserAnotherAlreadyLoggedIn => {
            format!("somebody else is logged in at the token {label:?} in this process")
        }
        _ => return None,
    })
}

/// Finds a token; one that was put in or made lately, after a restart of the module.
pub(super) fn enter_and_find<'a>(module: &'a Module, wanted: &TokenUri) -> Result<Found<'a>, Fault> {
    let look = || {
        let (entered, restarts) = module.enter();
        find(module, wanted).map(|found| (entered, restarts, found))
    };
    match look() {
        Err(Fault::Absent(_)) if module.restart() => look(),
        outcome => outcome,
    }
}

/// What holds the module, how often it was restarted, and the token.
pub(super) type Found<'a> = (RwLockReadGuard<'a, ()>, u64, (Slot, TokenInfo));

/// The one token that is wanted.
pub(super) fn find(module: &Module, wanted: &TokenUri) -> Result<(Slot, TokenInfo), Fault> {
    let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    let mut found = Vec::new();
    let mut others = Vec::new();
    for slot in module.context.get_slots_with_token()? {
        // One that is being removed is not there.
        let Ok(info) = module.context.get_token_info(slot) else { continue };
        if !info.token_initialized() {
            continue;
        }
        if wanted.slot.is_none_or(|wanted| wanted == slot.id())
            && is(&wanted.label, info.label())
            && is(&wanted.serial, info.serial_number())
            && is(&wanted.manufacturer, info.manufacturer_id())
            && is(&wanted.model, info.model())
        {
            found.push((slot, info));
        } else {
            others.push(format!("{:?}", info.label()));
        }
    }
    if found.len() > 1 {
        return Err(Fault::Absent(format!(
            "{} tokens answer to {wanted}: name one by its number (pkcs11:serial=…)",
            found.len()
        )));
    }
    found.pop().ok_or_else(|| {
        let others =
            if others.is_empty() { "it knows none".to_owned() } else { format!("it knows {}", others.join(", ")) };
        Fault::Absent(format!("the module {} knows no token of {wanted}; {others}", module.path.display()))
    })
}

pub(super) fn close(session: Session) {
    if let Err(fault) = session.close() {
        tracing::debug!(%fault, "a session of a token could not be closed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No software token locks; a smart card does after three wrong PINs.
    #[test]
    fn a_locked_pin_says_what_to_do() {
        let said = refusal("card", Path::new("/m.so"), RvError::PinLocked).unwrap();
        assert!(
            said.contains("\"card\" is locked") && said.contains("--module /m.so --login --login-type so --init-pin")
        );
        assert_eq!(refusal("card", Path::new("/m.so"), RvError::DeviceRemoved), None);
    }
}
