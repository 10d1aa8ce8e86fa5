//! The commands that are needed (TPM 2.0 Library, part 3), on a [`Tpm`].

use strongroom_crypto::{KeySpec, random_bytes};
use strongroom_wire::Sensitive;
use zeroize::Zeroizing;

use super::fault::{Code, Fault};
use super::public::{self, Storage, alg};
use super::seed::{self, Wrapped};
use super::session::{Session, Veil};
use super::tpm::{Auth, Command, Loaded, Parent, Tpm};
use super::wire::{Reader, Writer};

const OWNER: u32 = 0x4000_0001;
const NULL: u32 = 0x4000_0007;

const EVICT_CONTROL: u32 = 0x120;
const CREATE_PRIMARY: u32 = 0x131;
const CREATE: u32 = 0x153;
const IMPORT: u32 = 0x156;
const LOAD: u32 = 0x157;
const RSA_DECRYPT: u32 = 0x159;
const SIGN: u32 = 0x15d;
const UNSEAL: u32 = 0x15e;
const READ_PUBLIC: u32 = 0x173;
const START_AUTH_SESSION: u32 = 0x176;
const TEST_PARMS: u32 = 0x18a;

/// An object outside of the TPM: its public area, and its private half that only the TPM can open.
pub(super) struct Object {
    pub(super) public: Vec<u8>,
    pub(super) private: Vec<u8>,
}

impl Object {
    /// `TPM2B_PUBLIC` and `TPM2B_PRIVATE`, one after the other.
    pub(super) fn to_blob(&self) -> Result<Vec<u8>, Fault> {
        Writer::new().sized(&self.public).sized(&self.private).finish().map(|blob| blob.to_vec())
    }

    pub(super) fn from_blob(blob: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(blob);
        let object = Self { public: reader.sized()?.to_vec(), private: reader.sized()?.to_vec() };
        reader.end()?;
        Ok(object)
    }
}

impl Tpm {
    /// Would it take a key like this?
    pub(super) fn takes(&mut self, spec: KeySpec) -> Result<bool, Fault> {
        let Some(parameters) = public::parameters(spec) else { return Ok(false) };
        let command = Command {
            code: TEST_PARMS,
            handles: &[],
            auth: Auth::None,
            parameters: Writer::new().raw(&parameters),
            gives_handle: false,
        };
        match self.run(command) {
            Ok(_) => Ok(true),
            // Whatever it dislikes about them, except that it is busy or broken.
            Err(Fault::Answer(code))
                if !code.full() && !code.again() && ![Code::COMMAND_CODE, Code::FAILURE].contains(&code) =>
            {
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }

    /// The storage root key, made or found if it is not at hand.
    pub(super) fn parent(&mut self) -> Result<Parent, Fault> {
        if let Some(parent) = &self.parent {
            return Ok(parent.clone());
        }
        let parent = match self.settings.persistent {
            None => self.create_primary()?,
            Some(handle) => match self.read_public(handle) {
                Ok(storage) => Parent { handle, storage, persistent: true },
                Err(fault) if fault.is(Code::HANDLE) => self.persist(handle)?,
                Err(fault) => return Err(fault),
            },
        };
        let another = self.expected.as_ref().is_some_and(|expected| *expected != parent.storage.name);
        if another {
            if !parent.persistent {
                self.flush(parent.handle);
            }
            return Err(Fault::Refused(format!(
                "the TPM at {} has another storage root key than the one that this was made with: it is another TPM, it \
                 was cleared, or persistent= names another handle than before",
                self.settings.address
            )));
        }
        self.expected = Some(parent.storage.name.clone());
        self.parent = Some(parent.clone());
        Ok(parent)
    }

    fn create_primary(&mut self) -> Result<Parent, Fault> {
        self.clear_keys();
        let parameters = Writer::new()
            // No authorisation, no data.
            .sized(&[0; 4])
            .sized(&public::storage_root()?)
            .sized(&[])
            .u32(0);
        let answer = self.as_owner(CREATE_PRIMARY, None, parameters, true)?;
        let mut reader = Reader::new(&answer.parameters);
        match public::storage(reader.sized()?) {
            Ok(storage) => Ok(Parent { handle: answer.handle, storage, persistent: false }),
            Err(fault) => {
                self.flush(answer.handle);
                Err(fault)
            }
        }
    }

    /// Makes the storage root key and keeps it at a persistent handle.
    fn persist(&mut self, handle: u32) -> Result<Parent, Fault> {
        let made = self.create_primary()?;
        let object = (made.handle, made.storage.name.as_slice());
        let kept = self.as_owner(EVICT_CONTROL, Some(object), Writer::new().u32(handle), false);
        self.flush(made.handle);
        match kept {
            // Somebody else was quicker.
            Err(fault) if fault.is(Code::NV_DEFINED) => {
                return Ok(Parent { handle, storage: self.read_public(handle)?, persistent: true });
            }
            Err(fault) => return Err(fault),
            Ok(_) => {}
        }
        Ok(Parent { handle, persistent: true, ..made })
    }

    fn as_owner(
        &mut self,
        code: u32,
        object: Option<(u32, &[u8])>,
        parameters: Writer,
        gives_handle: bool,
    ) -> Result<super::tpm::Answer, Fault> {
        let owner = self.settings.owner.duplicate();
        let name = OWNER.to_be_bytes();
        let handles: Vec<(u32, &[u8])> = std::iter::once((OWNER, &name[..])).chain(object).collect();
        let auth = if owner.expose().is_empty() { Auth::Empty } else { Auth::Value(owner.expose()) };
        self.run(Command { code, handles: &handles, auth, parameters, gives_handle })
    }

    fn read_public(&mut self, handle: u32) -> Result<Storage, Fault> {
        let command = Command {
            code: READ_PUBLIC,
            handles: &[(handle, &[])],
            auth: Auth::None,
            parameters: Writer::new(),
            gives_handle: false,
        };
        let answer = self.run(command)?;
        public::storage(Reader::new(&answer.parameters).sized()?)
    }

    /// A session by HMAC; salted, it also encrypts.
    pub(super) fn start_session(&mut self, salted: bool) -> Result<Session, Fault> {
        let ours = random_bytes::<32>()?;
        let (handle, salt) = if salted {
            let parent = self.parent()?;
            (parent.handle, Some(seed::shared_with(&parent.storage, b"SECRET")?))
        } else {
            (NULL, None)
        };
        let encrypted = salt.as_ref().map_or(&[][..], |(_, encrypted)| encrypted);
        let parameters = Writer::new().sized(&ours).sized(encrypted).u8(0);
        let parameters = if salted {
            parameters.u16(alg::AES).u16(128).u16(alg::CFB).u16(alg::SHA256)
        } else {
            parameters.u16(alg::NULL).u16(alg::SHA256)
        };
        let command = Command {
            code: START_AUTH_SESSION,
            handles: &[(handle, &[]), (NULL, &[])],
            auth: Auth::None,
            parameters,
            gives_handle: true,
        };
        let answer = self.run(command)?;
        let theirs = Reader::new(&answer.parameters).sized()?;
        Ok(Session::new(answer.handle, salt.as_ref().map(|(salt, _)| salt), ours, theirs))
    }

    /// Makes a key under the storage root key.
    pub(super) fn create(&mut self, area: &[u8]) -> Result<Object, Fault> {
        self.create_with(area, &[], Auth::Empty)
    }

    /// Makes an object of data that only this TPM gives out again.
    pub(super) fn seal(&mut self, data: &[u8]) -> Result<Object, Fault> {
        self.create_with(&public::sealed_data()?, data, Auth::Veiled(Veil::Command))
    }

    fn create_with(&mut self, area: &[u8], data: &[u8], auth: Auth<'_>) -> Result<Object, Fault> {
        let parent = self.parent()?;
        // The TPM makes it in a slot, although it gives no handle.
        self.make_room();
        let sensitive = Writer::new().sized(&[]).sized(data).finish()?;
        let command = Command {
            code: CREATE,
            handles: &[(parent.handle, &parent.storage.name)],
            auth,
            parameters: Writer::new().sized(&sensitive).sized(area).sized(&[]).u32(0),
            gives_handle: false,
        };
        let answer = self.run(command)?;
        let mut reader = Reader::new(&answer.parameters);
        let private = reader.sized()?.to_vec();
        Ok(Object { public: reader.sized()?.to_vec(), private })
    }

    /// Brings in a key.
    pub(super) fn import(&mut self, area: &[u8], private: &[u8]) -> Result<Object, Fault> {
        let parent = self.parent()?;
        self.make_room();
        let Wrapped { duplicate, seed } = seed::wrap(&parent.storage, area, private)?;
        let command = Command {
            code: IMPORT,
            handles: &[(parent.handle, &parent.storage.name)],
            auth: Auth::Empty,
            // Without an inner wrapping: the outer one encrypts it.
            parameters: Writer::new().sized(&[]).sized(area).sized(&duplicate).sized(&seed).u16(alg::NULL),
            gives_handle: false,
        };
        let answer = self.run(command)?;
        let object = Object { public: area.to_vec(), private: Reader::new(&answer.parameters).sized()?.to_vec() };
        // Only now does the TPM compute whether the halves belong together.
        self.load(&object.to_blob()?)?;
        Ok(object)
    }

    /// An object in a slot, loaded if it is not.
    pub(super) fn load(&mut self, blob: &[u8]) -> Result<Loaded, Fault> {
        if let Some(kept) = self.kept(blob) {
            return Ok(kept);
        }
        let loaded = self.load_fresh(blob)?;
        self.keep(loaded.clone());
        Ok(loaded)
    }

    fn load_fresh(&mut self, blob: &[u8]) -> Result<Loaded, Fault> {
        let object = Object::from_blob(blob)?;
        let parent = self.parent()?;
        self.make_room();
        let command = Command {
            code: LOAD,
            handles: &[(parent.handle, &parent.storage.name)],
            auth: Auth::Empty,
            parameters: Writer::new().sized(&object.private).sized(&object.public),
            gives_handle: true,
        };
        let answer = self.run(command)?;
        Ok(Loaded { blob: blob.to_vec(), handle: answer.handle, name: public::name(&object.public) })
    }

    /// The data of a sealed object. It is encrypted on its way.
    pub(super) fn unseal(&mut self, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let loaded = self.load_fresh(blob)?;
        let command = Command {
            code: UNSEAL,
            handles: &[(loaded.handle, &loaded.name)],
            auth: Auth::Veiled(Veil::Answer),
            parameters: Writer::new(),
            gives_handle: false,
        };
        let answer = self.run(command);
        self.flush(loaded.handle);
        Ok(Zeroizing::new(Reader::new(&answer?.parameters).sized()?.to_vec()))
    }

    /// Signs a digest: the bytes of an RSA signature, or r and s, unpadded.
    pub(super) fn sign(&mut self, blob: &[u8], scheme: u16, hash: u16, digest: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        let key = self.load(blob)?;
        let command = Command {
            code: SIGN,
            handles: &[(key.handle, &key.name)],
            auth: Auth::Empty,
            // The ticket that says nothing of where the digest comes from.
            parameters: Writer::new().sized(digest).u16(scheme).u16(hash).u16(0x8024).u32(NULL).sized(&[]),
            gives_handle: false,
        };
        let answer = self.run(command)?;
        let mut reader = Reader::new(&answer.parameters);
        if (reader.u16()?, reader.u16()?) != (scheme, hash) {
            return Err(Fault::Malformed("it signed by another scheme than asked for"));
        }
        let mut parts = vec![reader.sized()?.to_vec()];
        if scheme == alg::ECDSA {
            parts.push(reader.sized()?.to_vec());
        }
        Ok(parts)
    }

    /// Applies an RSA private key; `scheme` says which padding is taken off. The plaintext is
    /// encrypted on its way.
    pub(super) fn rsa_decrypt(
        &mut self,
        blob: &[u8],
        scheme: &[u16],
        input: &[u8],
    ) -> Result<Sensitive<Vec<u8>>, Fault> {
        let key = self.load(blob)?;
        let mut parameters = Writer::new().sized(input);
        for part in scheme {
            parameters = parameters.u16(*part);
        }
        let command = Command {
            code: RSA_DECRYPT,
            handles: &[(key.handle, &key.name)],
            auth: Auth::Veiled(Veil::Answer),
            parameters: parameters.sized(&[]),
            gives_handle: false,
        };
        let answer = self.run(command)?;
        Ok(Sensitive::new(Reader::new(&answer.parameters).sized()?.to_vec()))
    }
}
