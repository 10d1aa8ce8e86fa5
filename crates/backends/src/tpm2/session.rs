//! Sessions that prove authorisations by HMAC and encrypt what is secret on its way (TPM 2.0
//! Library, part 1, sections 19 and 21).

use strongroom_crypto::{constant_time_eq, hmac_sha256, random_bytes, sha256};
use zeroize::{Zeroize as _, Zeroizing};

use super::fault::Fault;
use super::seed;
use super::wire::{Reader, Writer};

const CONTINUE: u8 = 0x01;
const DECRYPT: u8 = 0x20;
const ENCRYPT: u8 = 0x40;

/// What of a command's first parameters is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Veil {
    Nothing,
    Command,
    Answer,
}

/// An open session.
pub(super) struct Session {
    pub(super) handle: u32,
    key: Zeroizing<Vec<u8>>,
    theirs: Vec<u8>,
    ours: [u8; 32],
    veil: Veil,
    secret: Zeroizing<Vec<u8>>,
}

impl Session {
    /// `salt` is what both sides know; without it only the authorisation's value proves anything,
    /// and nothing is encrypted.
    pub(super) fn new(handle: u32, salt: Option<&seed::Secret>, ours: [u8; 32], theirs: &[u8]) -> Self {
        let key = salt.map_or_else(Vec::new, |salt| seed::kdfa(salt.as_slice(), b"ATH", [theirs, &ours], 256).to_vec());
        let (theirs, secret) = (theirs.to_vec(), Zeroizing::new(Vec::new()));
        Self { handle, key: Zeroizing::new(key), theirs, ours, veil: Veil::Nothing, secret }
    }

    /// Encrypts the parameters if that is asked for, and gives the authorisation to send with them.
    pub(super) fn authorise(
        &mut self,
        code: u32,
        names: &[&[u8]],
        value: &[u8],
        veil: Veil,
        parameters: &mut [u8],
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        self.ours = random_bytes()?;
        self.veil = veil;
        self.secret.zeroize();
        self.secret = Zeroizing::new([self.key.as_slice(), value].concat());
        let attributes = CONTINUE
            | match veil {
                Veil::Nothing => 0,
                Veil::Command => DECRYPT,
                Veil::Answer => ENCRYPT,
            };
        if veil == Veil::Command {
            let (key, iv) = self.cfb([&self.ours, &self.theirs])?;
            seed::encrypt(key.as_slice(), iv, first(parameters)?)?;
        }
        let digest = sha256(&[&code.to_be_bytes(), names.concat().as_slice(), parameters].concat());
        let proof = self.proof(&digest, [&self.ours, &self.theirs], attributes);
        Writer::new().u32(self.handle).sized(&self.ours).u8(attributes).sized(&proof).finish()
    }

    /// Checks an answer that went well, and decrypts its parameters.
    pub(super) fn accept(&mut self, code: u32, parameters: &mut [u8], authorisation: &[u8]) -> Result<(), Fault> {
        let mut reader = Reader::new(authorisation);
        let (theirs, attributes, given) = (reader.sized()?, reader.u8()?, reader.sized()?);
        reader.end()?;
        self.theirs = theirs.to_vec();
        let digest = sha256(&[&0u32.to_be_bytes(), &code.to_be_bytes(), &*parameters].concat());
        let proof = self.proof(&digest, [&self.theirs, &self.ours], attributes);
        if !constant_time_eq(&proof, given) {
            return Err(Fault::Malformed("the answer was altered on its way"));
        }
        if self.veil == Veil::Answer {
            let (key, iv) = self.cfb([&self.theirs, &self.ours])?;
            seed::decrypt(key.as_slice(), iv, first(parameters)?)?;
        }
        Ok(())
    }

    fn proof(&self, digest: &[u8], nonces: [&[u8]; 2], attributes: u8) -> [u8; 32] {
        let [newer, older] = nonces;
        hmac_sha256(&self.secret, &[digest, newer, older, &[attributes]].concat())
    }

    /// AES-128 key and initialisation vector.
    fn cfb(&self, nonces: [&[u8]; 2]) -> Result<(Zeroizing<[u8; 16]>, [u8; 16]), Fault> {
        let bytes = seed::kdfa(&self.secret, b"CFB", nonces, 256);
        let (key, rest) = bytes.split_first_chunk::<16>().ok_or(Fault::Malformed("a key is too short"))?;
        let iv = rest.first_chunk::<16>().ok_or(Fault::Malformed("a key is too short"))?;
        Ok((Zeroizing::new(*key), *iv))
    }
}

/// The content of the buffer that the parameters begin with.
fn first(parameters: &mut [u8]) -> Result<&mut [u8], Fault> {
    let length = usize::from(Reader::new(parameters).u16()?);
    let content = parameters.get_mut(2..).and_then(|rest| rest.get_mut(..length));
    content.ok_or(Fault::Malformed("a buffer is shorter than it says"))
}
