//! A private TPM in software for a test, and vaults in it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output as Ran, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use strongroom_backends::open::{Embedded, OpenError, OpenOptions, VaultUri, open_embedded};
use strongroom_crypto::{KeySpec, PublicKey};
use strongroom_store::conformance::skipped;
use strongroom_store::provider::{Operation, Output};
use strongroom_store::vault::{Body, NewAttributes, NewVersion, Object, Target, Vault};
use strongroom_store::{Cx, Time};
use strongroom_wire::algorithms::{Curve, EncryptionAlgorithm, SignatureAlgorithm};
use strongroom_wire::ids::{Kind, ObjectName, VaultName};
use strongroom_wire::jwk::ImportJwk;
use strongroom_wire::{Error, Sensitive};
use tempfile::TempDir;

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const RSA: KeySpec = KeySpec::Rsa { bits: 2048 };
pub(crate) const EC: KeySpec = KeySpec::Ec(Curve::P256);
pub(crate) const ES256: SignatureAlgorithm = SignatureAlgorithm::ES256;

pub(crate) fn cx() -> Cx {
    Cx::system(Time::from_seconds(NOW))
}

pub(crate) fn name(text: &str) -> ObjectName {
    ObjectName::parse(text).unwrap()
}

pub(crate) fn latest(kind: Kind, text: &str) -> Target {
    Target::latest(kind, name(text))
}

pub(crate) fn installed(what: &str) -> bool {
    for program in ["swtpm", "tpm2_getcap", "openssl"] {
        if Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            skipped(what, &format!("{program} is not installed"));
            return false;
        }
    }
    true
}

/// A running swtpm, with its state in a folder of its own.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) port: u16,
    swtpm: Option<Child>,
}

impl Bench {
    /// Started, and ready.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("state")).unwrap();
        let mut bench = Self { folder, port: free_ports(), swtpm: None };
        bench.start();
        bench
    }

    pub(crate) fn start(&mut self) {
        self.start_with("startup-clear,not-need-init");
    }

    pub(crate) fn start_with(&mut self, flags: &str) {
        let control = self.port + 1;
        let mut command = Command::new("swtpm");
        command.args(["socket", "--tpm2", "--flags", flags]);
        command.args(["--server", &format!("type=tcp,bindaddr=127.0.0.1,port={}", self.port)]);
        command.args(["--ctrl", &format!("type=tcp,bindaddr=127.0.0.1,port={control}")]);
        command.arg("--tpmstate").arg(format!("dir={}", self.path("state").display()));
        self.swtpm = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        // The port of control: a connection to the other would be taken for a client.
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", control)).is_err() {
            assert!(Instant::now() < until, "swtpm did not start");
            let ended = self.swtpm.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "swtpm ended: {ended:?}");
            std::thread::yield_now();
        }
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut swtpm) = self.swtpm.take() {
            swtpm.kill().unwrap();
            swtpm.wait().unwrap();
        }
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    pub(crate) fn uri(&self, records: &Path, more: &str) -> String {
        format!("tpm2://127.0.0.1:{}?x-records={}{more}", self.port, records.display())
    }

    pub(crate) async fn open_at(&self, records: &Path, more: &str) -> Result<Embedded, OpenError> {
        let uri = VaultUri::parse(&self.uri(records, more)).unwrap();
        open_embedded(&uri, &OpenOptions::default()).await
    }

    pub(crate) async fn open(&self) -> Place {
        Place::new(&self.open_at(&self.path("records"), "").await.unwrap())
    }

    /// A program of tpm2-tools on this TPM, or another in its folder.
    pub(crate) fn try_run(&self, program: &str, arguments: &[&str]) -> Ran {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path());
        command.env("TPM2TOOLS_TCTI", format!("swtpm:host=127.0.0.1,port={}", self.port));
        command.output().unwrap()
    }

    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let ran = self.try_run(program, arguments);
        assert!(ran.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Two that follow each other, since tpm2-tools look for the port of control there; and below those
/// that the system gives to others, so that they stay free while swtpm is stopped.
fn free_ports() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    loop {
        let tried = std::process::id().wrapping_mul(64) + TRIED.fetch_add(2, Ordering::Relaxed);
        let port = 20_000 + u16::try_from(tried % 12_000).unwrap();
        let free = [port, port + 1].map(|port| TcpListener::bind(("127.0.0.1", port)));
        if free.iter().all(Result::is_ok) {
            return port;
        }
    }
}

/// A vault, and what tests do with it.
pub(crate) struct Place {
    pub(crate) vault: Arc<dyn Vault>,
}

impl Place {
    pub(crate) fn new(embedded: &Embedded) -> Self {
        Self { vault: embedded.vault(VaultName::parse("one").unwrap()) }
    }

    pub(crate) async fn try_make(&self, called: &str, spec: KeySpec) -> Result<Object, Error> {
        let new = NewVersion::Key { spec, hardware: true, key_ops: None, with: NewAttributes::default() };
        self.vault.put(&cx(), &name(called), new).await
    }

    pub(crate) async fn make(&self, called: &str, spec: KeySpec) -> PublicKey {
        public(&self.try_make(called, spec).await.unwrap())
    }

    pub(crate) async fn import(&self, called: &str, jwk: ImportJwk) -> Result<Object, Error> {
        let new = NewVersion::ImportedKey { jwk, hardware: true, key_ops: None, with: NewAttributes::default() };
        self.vault.put(&cx(), &name(called), new).await
    }

    async fn perform(&self, called: &str, operation: Operation) -> Result<Vec<u8>, Error> {
        match self.vault.perform(&cx(), &latest(Kind::Key, called), operation).await?.output {
            Output::Bytes(bytes) => Ok(bytes.expose().clone()),
            Output::Verified(_) => panic!("a verdict"),
        }
    }

    pub(crate) async fn sign(&self, called: &str, by: SignatureAlgorithm, digest: &[u8]) -> Result<Vec<u8>, Error> {
        self.perform(called, Operation::Sign(by, digest.to_vec())).await
    }

    pub(crate) async fn decrypt(&self, called: &str, by: EncryptionAlgorithm, input: &[u8]) -> Result<Vec<u8>, Error> {
        self.perform(called, Operation::Decrypt(by, input.to_vec())).await
    }

    pub(crate) async fn set(&self, called: &str, value: &str) {
        let value = Sensitive::new(value.to_owned());
        let new = NewVersion::Secret { value, content_type: None, with: NewAttributes::default() };
        self.vault.put(&cx(), &name(called), new).await.unwrap();
    }

    pub(crate) async fn get(&self, called: &str) -> String {
        match self.vault.get(&cx(), &latest(Kind::Secret, called)).await.unwrap().body {
            Body::Secret { value: Some(value), .. } => value.expose().clone(),
            other => panic!("no value in {other:?}"),
        }
    }
}

pub(crate) fn public(object: &Object) -> PublicKey {
    match &object.body {
        Body::Key { public: Some(public), hardware: true, .. } => PublicKey::from_jwk(public).unwrap(),
        other => panic!("no public half of a key in hardware: {other:?}"),
    }
}
