//! SoftHSM tokens for tests. SoftHSM takes its configuration from the environment of the process,
//! so each test runs in a process of its own, with token folders of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use strongroom_backends::open::{Embedded, OpenOptions, VaultUri, open_embedded};
use strongroom_crypto::{KeySpec, PublicKey};
use strongroom_store::conformance::skipped;
use strongroom_store::provider::{Operation, Output};
use strongroom_store::vault::{Body, NewAttributes, NewVersion};
use strongroom_store::{Cx, Time, Vault};
use strongroom_wire::algorithms::{Curve, SignatureAlgorithm};
use strongroom_wire::ids::{Kind, ObjectName, VaultName, Version};
use strongroom_wire::{Error, Sensitive};

pub(crate) const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
pub(crate) const PIN: &str = "hush-1234";
pub(crate) const RSA: KeySpec = KeySpec::Rsa { bits: 2048 };
pub(crate) const EC: KeySpec = KeySpec::Ec(Curve::P256);
pub(crate) const ES256: SignatureAlgorithm = SignatureAlgorithm::ES256;
const SO_PIN: &str = "hush-5678";
const FOLDER: &str = "STRONGROOM_TEST_TOKENS";

/// Where a test's tokens, records and files lie.
pub(crate) struct Bench {
    pub(crate) folder: PathBuf,
}

/// Runs `body` in a process of its own: this test, started again. With a token `main`.
pub(crate) fn in_own_process(test: &str, body: impl AsyncFnOnce(Bench)) {
    in_own_process_under(&[], test, body);
}

/// The same, the process started by `wrapper`.
pub(crate) fn in_own_process_under(wrapper: &[&str], test: &str, body: impl AsyncFnOnce(Bench)) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
        runtime.block_on(body(Bench { folder: PathBuf::from(folder) }));
        return;
    }
    for needed in [MODULE, "/usr/bin/softhsm2-util", "/usr/bin/pkcs11-tool", "/usr/bin/openssl"] {
        if !Path::new(needed).exists() {
            return skipped(test, &format!("{needed} is not installed"));
        }
    }
    let temporary = tempfile::tempdir().unwrap();
    let bench = Bench { folder: temporary.path().to_owned() };
    std::fs::create_dir(bench.tokens()).unwrap();
    let tokens = bench.tokens();
    let conf = format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display());
    std::fs::write(bench.conf(), conf).unwrap();
    std::fs::write(bench.folder.join("pin"), PIN).unwrap();
    bench.make_token("main");
    let output = bench.again(wrapper, test).output().unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{test} in a process of its own: {}\n{complaints}", output.status);
}

impl Bench {
    /// That of the process that the test runs in.
    pub(crate) fn of_process() -> Option<Self> {
        std::env::var_os(FOLDER).map(|folder| Self { folder: PathBuf::from(folder) })
    }

    pub(crate) fn tokens(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    fn conf(&self) -> PathBuf {
        self.folder.join("softhsm2.conf")
    }

    /// This program, to run `test` on this bench.
    pub(crate) fn again(&self, wrapper: &[&str], test: &str) -> Command {
        let own = std::env::current_exe().unwrap();
        let mut command = match wrapper.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(own);
                command
            }
            None => Command::new(own),
        };
        command.args(["--exact", test, "--nocapture", "--include-ignored"]);
        command.env("SOFTHSM2_CONF", self.conf()).env(FOLDER, &self.folder).env("PKCS11SPY", MODULE);
        command.env("PKCS11SPY_OUTPUT", self.folder.join("spy.log")).env_remove("STRONGROOM_PASSPHRASE");
        command
    }

    pub(crate) fn make_token(&self, label: &str) {
        self.run("softhsm2-util", &["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN]);
    }

    /// Runs a program that has to succeed; what it prints.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program)
            .args(arguments)
            .env("SOFTHSM2_CONF", self.conf())
            .current_dir(&self.folder)
            .output()
            .unwrap();
        let (out, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{program} {arguments:?}: {out}{complaints}");
        out.into_owned()
    }

    pub(crate) fn uri(&self) -> String {
        self.uri_of("token=main", "records")
    }

    pub(crate) fn uri_of(&self, token: &str, records: &str) -> String {
        let folder = self.folder.display();
        format!("pkcs11:{token}?module-path={MODULE}&pin-source=file:{folder}/pin&x-records={folder}/{records}")
    }

    pub(crate) async fn open(&self) -> Place {
        open(&self.uri()).await.unwrap()
    }
}

pub(crate) async fn open(uri: &str) -> Result<Place, strongroom_backends::open::OpenError> {
    let embedded = open_embedded(&VaultUri::parse(uri).unwrap(), &OpenOptions::default()).await?;
    Ok(Place { vault: embedded.vault(VaultName::parse("default").unwrap()), embedded })
}

/// A vault and the place where it lies.
pub(crate) struct Place {
    pub(crate) embedded: Embedded,
    pub(crate) vault: Arc<dyn Vault>,
}

pub(crate) fn cx() -> Cx {
    Cx::system(Time::from_seconds(1_800_000_000))
}

pub(crate) fn name(name: &str) -> ObjectName {
    ObjectName::parse(name).unwrap()
}

pub(crate) fn key(spec: KeySpec) -> NewVersion {
    NewVersion::Key { spec, hardware: true, key_ops: None, with: NewAttributes::default() }
}

pub(crate) fn secret(value: &str) -> NewVersion {
    let value = Sensitive::new(value.to_owned());
    NewVersion::Secret { value, content_type: None, with: NewAttributes::default() }
}

pub(crate) fn target(kind: Kind, called: &str, version: Option<Version>) -> strongroom_store::vault::Target {
    strongroom_store::vault::Target { kind, name: name(called), version }
}

impl Place {
    pub(crate) async fn make(&self, called: &str, spec: KeySpec) -> strongroom_store::vault::Object {
        self.vault.put(&cx(), &name(called), key(spec)).await.unwrap()
    }

    pub(crate) async fn perform(&self, called: &str, operation: Operation) -> Result<Vec<u8>, Error> {
        let done = self.vault.perform(&cx(), &target(Kind::Key, called, None), operation).await?;
        match done.output {
            Output::Bytes(bytes) => Ok(bytes.expose().clone()),
            Output::Verified(verdict) => Ok(vec![u8::from(verdict)]),
        }
    }

    pub(crate) async fn sign(
        &self,
        called: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, Error> {
        self.perform(called, Operation::Sign(algorithm, digest.to_vec())).await
    }
}

/// The public half of a key that is in hardware.
pub(crate) fn public(object: &strongroom_store::vault::Object) -> PublicKey {
    match &object.body {
        Body::Key { public: Some(public), hardware: true, .. } => PublicKey::from_jwk(public).unwrap(),
        other => panic!("no public half of a key in hardware: {other:?}"),
    }
}

/// What an error says: never the PIN.
pub(crate) fn message(fault: &dyn std::fmt::Display) -> String {
    let text = fault.to_string();
    assert!(!text.contains("hush"), "the PIN is in {text}");
    text
}

/// The module, beside the vault's own use of it.
pub(crate) fn raw_module() -> Pkcs11 {
    let module = Pkcs11::new(MODULE).unwrap();
    // The vault may have been first.
    drop(module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)));
    module
}

pub(crate) fn slot(module: &Pkcs11, label: &str) -> Slot {
    let slots = module.get_slots_with_initialized_token().unwrap();
    slots.into_iter().find(|slot| module.get_token_info(*slot).unwrap().label() == label).unwrap()
}

/// A session in the token `main`, logged in.
pub(crate) fn raw_session(module: &Pkcs11) -> Session {
    let session = module.open_rw_session(slot(module, "main")).unwrap();
    match session.login(UserType::User, Some(&PIN.to_owned().into())) {
        Ok(()) | Err(cryptoki::error::Error::Pkcs11(cryptoki::error::RvError::UserAlreadyLoggedIn, _)) => session,
        Err(fault) => panic!("{fault}"),
    }
}
