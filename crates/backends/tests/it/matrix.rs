//! The table of `docs/backends.md`, from what each backend does when it is tried.
//! `STRONGROOM_BLESS=1` writes it anew.

use std::any::Any;
use std::fmt::Write as _;
use std::future::Future;
use std::io::Write as _;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::Arc;

use azure_core::http::{ClientOptions, Transport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use strongroom_backends::azure::{AzureVault, AzureVaultOptions};
use strongroom_backends::open::{Embedded, OpenOptions, VaultUri, open_embedded};
use strongroom_crypto::{KeySpec, PublicKey};
use strongroom_store::conformance::skipped;
use strongroom_store::provider::{Operation, Output};
use strongroom_store::vault::{Body, NewVersion, Object, Target};
use strongroom_store::{Cx, Vault};
use strongroom_wire::algorithms::{Curve, EncryptionAlgorithm, SignatureAlgorithm};
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::ids::{Kind, ObjectName, VaultName};
use strongroom_wire::jwk::ImportJwk;
use strongroom_wire::{Error, ErrorKind};
use tempfile::TempDir;

use crate::embedded::file_uri;
use crate::redis_server::RedisServer;
use crate::server::{TestServer, client, machine_time};
use crate::{pkcs11_bench, tpm2_bench};

type Opening<T> = Pin<Box<dyn Future<Output = T>>>;
type Again = Box<dyn Fn() -> Opening<Result<Arc<dyn Vault>, String>>>;
type Stop = Box<dyn FnOnce() -> Opening<()>>;
type Open = fn() -> Opening<Option<Place>>;

/// The columns. A further backend is a line here.
const BACKENDS: &[(&str, Open)] = &[
    ("`memory:`", || Box::pin(memory())),
    ("`file:`", || Box::pin(file())),
    ("`redis:`", || Box::pin(redis())),
    ("`pkcs11:`", || Box::pin(pkcs11())),
    ("`tpm2:`", || Box::pin(tpm2())),
    ("`azure:`", || Box::pin(azure())),
];

/// A backend, opened.
pub(crate) struct Place {
    pub(crate) vault: Arc<dyn Vault>,
    /// Another vault of the same place.
    pub(crate) other: Arc<dyn Vault>,
    /// The first vault as another process opens it, or why it cannot.
    pub(crate) again: Again,
    /// Stops what it talks to over a network, to see what then goes on.
    pub(crate) stop: Option<Stop>,
    /// What has to stay.
    pub(crate) keep: Box<dyn Any>,
}

impl Place {
    /// Of what has a URI.
    pub(crate) async fn of(uri: String, stop: Option<Stop>, keep: Box<dyn Any>) -> Self {
        let place = embedded(&uri).await.unwrap();
        let again: Again = Box::new(move || {
            let uri = uri.clone();
            Box::pin(async move { Ok(embedded(&uri).await?.vault(name("one"))) })
        });
        Self { vault: place.vault(name("one")), other: place.vault(name("two")), again, stop, keep }
    }
}

async fn embedded(uri: &str) -> Result<Embedded, String> {
    let uri = VaultUri::parse(uri).map_err(|fault| fault.to_string())?;
    open_embedded(&uri, &OpenOptions::default()).await.map_err(|fault| fault.to_string())
}

async fn memory() -> Option<Place> {
    Some(Place::of("memory:".to_owned(), None, Box::new(())).await)
}

async fn file() -> Option<Place> {
    let folder = TempDir::new().unwrap();
    Some(Place::of(file_uri(&folder, ""), None, Box::new(folder)).await)
}

async fn redis() -> Option<Place> {
    let server = RedisServer::start()?;
    Some(Place::of(server.uri(""), Some(Box::new(|| Box::pin(async { drop(server) }))), Box::new(())).await)
}

/// The token of the process that the test runs in.
async fn pkcs11() -> Option<Place> {
    Some(Place::of(pkcs11_bench::Bench::of_process()?.uri(), None, Box::new(())).await)
}

async fn tpm2() -> Option<Place> {
    if !tpm2_bench::installed("the matrix of backends: tpm2") {
        return None;
    }
    let bench = tpm2_bench::Bench::new();
    Some(Place::of(bench.uri(&bench.path("records"), ""), None, Box::new(bench)).await)
}

async fn azure() -> Option<Place> {
    let server = TestServer::start().await;
    let suite = server.administrator().await;
    let http = client(&server.ca_pem).build().unwrap();
    let mut cloud = azure_core::cloud::CustomConfiguration::default();
    cloud.authority_host = server.login_url();
    let client_options = ClientOptions {
        transport: Some(Transport::new(Arc::new(http.clone()))),
        cloud: Some(Arc::new(azure_core::cloud::CloudConfiguration::Custom(cloud))),
        ..ClientOptions::default()
    };
    let options = Some(ClientSecretCredentialOptions { client_options });
    let tenant = server.app.directory.tenant();
    let credential = ClientSecretCredential::new(tenant, suite.client_id, suite.client_secret.into(), options).unwrap();
    let urls = ["one", "two"].map(|name| server.vault_url(name));
    let vault = move |url: &String| -> Arc<dyn Vault> {
        let options = AzureVaultOptions { url: url.clone(), credential: credential.clone(), http: http.clone() };
        Arc::new(AzureVault::new(options).unwrap())
    };
    let (one, other) = (vault(&urls[0]), vault(&urls[1]));
    let again: Again = Box::new(move || {
        let vault = vault(&urls[0]);
        Box::pin(async move { Ok(vault) })
    });
    let stop: Stop = Box::new(|| Box::pin(server.stop()));
    Some(Place { vault: one, other, again, stop: Some(stop), keep: Box::new(()) })
}

#[test]
fn the_documented_matrix_is_what_backends_do() {
    pkcs11_bench::in_own_process("matrix::the_documented_matrix_is_what_backends_do", async |_bench| matrix().await);
}

async fn matrix() {
    let (mut columns, mut whole) = (Vec::new(), true);
    for (backend, open) in BACKENDS {
        match open().await {
            Some(place) => columns.push((*backend, try_all(place).await)),
            None => whole = false,
        }
    }
    if !whole {
        return skipped("the matrix of backends", "not all of them can be opened here");
    }
    let table = table(&columns);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/backends.md");
    let (begin, end) = ("<!-- matrix: generated by a test -->\n", "<!-- end -->");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(begin).unwrap();
    let (stands, after) = rest.split_once(end).unwrap();
    if std::env::var_os("STRONGROOM_BLESS").is_some() {
        std::fs::write(path, format!("{before}{begin}{table}{end}{after}")).unwrap();
        return;
    }
    let differing = stands
        .lines()
        .chain(table.lines())
        .filter(|line| stands.lines().any(|other| other == *line) != table.lines().any(|other| other == *line));
    let differing: Vec<_> = differing.collect();
    assert!(
        stands == table,
        "docs/backends.md is not what backends do: run with STRONGROOM_BLESS=1 and look at what changed\n{}",
        differing.join("\n")
    );
}

fn table(columns: &[(&str, Vec<(String, bool)>)]) -> String {
    let mut table = String::from("| |");
    columns.iter().for_each(|(backend, _)| write!(table, " {backend} |").unwrap());
    table.push_str("\n|---|");
    columns.iter().for_each(|_| table.push_str("---|"));
    for (row, (what, _)) in columns[0].1.iter().enumerate() {
        write!(table, "\n| {what} |").unwrap();
        for (_, cells) in columns {
            assert_eq!(cells[row].0, *what);
            table.push_str(if cells[row].1 { " yes |" } else { " no |" });
        }
    }
    table.push('\n');
    table
}

/// What can be done, row by row.
async fn try_all(place: Place) -> Vec<(String, bool)> {
    let (vault, now) = (Arc::clone(&place.vault), machine_time());
    let cx = Cx::system(now);
    let hardware = vault.offers().hardware_keys;
    let mut rows = Vec::new();
    let mut row = |what: &str, can: bool| rows.push((what.to_owned(), can));
    let secret = NewVersion::Secret { value: "v".to_owned().into(), content_type: None, with: Default::default() };
    row("secrets", can(vault.put(&cx, &object("secret"), secret).await).is_some());
    let rsa = [2048, 3072, 4096].map(|bits| KeySpec::Rsa { bits });
    let mut usable: Option<KeySpec> = None;
    for spec in rsa.into_iter().chain(Curve::ALL.iter().map(|curve| KeySpec::Ec(*curve))) {
        let name = object(&spec.to_string().replace(' ', "-"));
        let made = can(vault.put(&cx, &name, key(spec, hardware)).await);
        if let Some(made) = &made {
            signs(&*vault, &cx, made).await;
            usable = usable.or(Some(spec));
        }
        row(&format!("{spec}: make, sign, verify"), made.is_some());
    }
    for (what, jwk) in [("RSA 2048", rsa_jwk()), ("EC P-256", ec_jwk())] {
        let new = NewVersion::ImportedKey { jwk, hardware, key_ops: None, with: Default::default() };
        let made = can(vault.put(&cx, &object(&format!("imported-{}", &what[..2])), new).await);
        if let Some(made) = &made {
            signs(&*vault, &cx, made).await;
        }
        row(&format!("{what}: import, sign"), made.is_some());
    }
    let rsa = object("RSA-2048");
    row("encrypt and decrypt (RSA-OAEP-256)", opens(&*vault, &cx, &rsa, false).await);
    row("wrap and unwrap (RSA-OAEP-256)", opens(&*vault, &cx, &rsa, true).await);
    let some = object(&usable.unwrap().to_string().replace(' ', "-"));
    row("rotate keys", can(vault.put(&cx, &some, NewVersion::RotatedKey).await).is_some());
    for (what, kind, name) in [("secret", Kind::Secret, object("secret")), ("key", Kind::Key, some.clone())] {
        let restored = match can(vault.backup(&cx, kind, &name).await) {
            Some(blob) => can(place.other.restore(&cx, kind, &blob).await),
            None => None,
        };
        if let (Kind::Key, Some(restored)) = (kind, &restored) {
            signs(&*place.other, &cx, restored).await;
        }
        row(&format!("back up a {what}, restore it in another vault"), restored.is_some());
    }
    row("private keys stay in hardware", hardware);
    let several = match (place.again)().await {
        Ok(again) => {
            let found = again.get(&cx, &Target::latest(Kind::Secret, object("secret"))).await;
            found.is_ok()
        }
        Err(_refused) => false,
    };
    row("several processes at once", several);
    if let Some(stop) = place.stop {
        stop().await;
    }
    let goes_on = vault.get(&cx, &Target::latest(Kind::Secret, object("secret"))).await.is_ok();
    row("works without a network", goes_on);
    drop(place.keep);
    rows
}

/// Done, or refused as something that this backend cannot do; anything else is a fault.
fn can<T>(outcome: Result<T, Error>) -> Option<T> {
    match outcome {
        Ok(done) => Some(done),
        Err(error) if error.kind == ErrorKind::BadParameter => None,
        Err(error) => panic!("{error}"),
    }
}

/// Signs in the vault; verifies with the public key, here and in the vault.
async fn signs(vault: &dyn Vault, cx: &Cx, made: &Object) {
    let Body::Key { public: Some(public), .. } = &made.body else { panic!("no public key") };
    let public = PublicKey::from_jwk(public).unwrap();
    let algorithms: Vec<_> = SignatureAlgorithm::ALL
        .iter()
        .copied()
        .filter(|algorithm| match public.spec() {
            KeySpec::Rsa { .. } => algorithm.curve().is_none(),
            KeySpec::Ec(curve) => algorithm.curve() == Some(curve),
        })
        .collect();
    for algorithm in algorithms {
        let digest = vec![7; algorithm.digest_len()];
        let target = Target { kind: Kind::Key, name: made.name.clone(), version: made.version };
        let sign = Operation::Sign(algorithm, digest.clone());
        let Output::Bytes(signature) = vault.perform(cx, &target, sign).await.unwrap().output else { panic!() };
        assert!(public.verify(algorithm, &digest, signature.expose()).unwrap(), "{algorithm}");
        let signature = signature.expose().clone();
        let verify = Operation::Verify { algorithm, digest, signature };
        let verdict = vault.perform(cx, &target, verify).await.unwrap().output;
        assert!(matches!(verdict, Output::Verified(true)), "{algorithm}");
    }
}

async fn opens(vault: &dyn Vault, cx: &Cx, name: &ObjectName, wrap: bool) -> bool {
    let target = Target::latest(Kind::Key, name.clone());
    let (algorithm, plain) = (EncryptionAlgorithm::RsaOaep256, vec![3_u8; 32]);
    let close = if wrap { Operation::WrapKey } else { Operation::Encrypt };
    let closed = vault.perform(cx, &target, close(algorithm, plain.clone().into())).await;
    let Some(closed) = can(closed) else { return false };
    let Output::Bytes(closed) = closed.output else { panic!() };
    let open = if wrap { Operation::UnwrapKey } else { Operation::Decrypt };
    let opened = vault.perform(cx, &target, open(algorithm, closed.expose().clone())).await;
    let Some(opened) = can(opened) else { return false };
    let Output::Bytes(opened) = opened.output else { panic!() };
    assert_eq!(opened.expose(), &plain);
    true
}

fn key(spec: KeySpec, hardware: bool) -> NewVersion {
    NewVersion::Key { spec, hardware, key_ops: None, with: Default::default() }
}

/// A key made by OpenSSL.
fn rsa_jwk() -> ImportJwk {
    let openssl = |line: &str, input: &[u8]| {
        let mut command = Command::new("openssl");
        command.args(line.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    let text = openssl("rsa -text -noout", openssl("genrsa 2048", b"").as_bytes());
    // A name alone in its line, then its digits in lines that are indented.
    let number = |name: &str| {
        let lines = text.lines().skip_while(|line| !line.starts_with(name)).skip(1);
        let digits: String = lines.take_while(|line| line.starts_with(' ')).collect();
        let digits: String = digits.chars().filter(char::is_ascii_hexdigit).collect();
        let bytes: Vec<u8> = (0..digits.len())
            .step_by(2)
            .map(|at| digits[at..at + 2].to_owned())
            .map(|pair| u8::from_str_radix(&pair, 16).unwrap())
            .collect();
        Base64Url(bytes.strip_prefix(&[0]).unwrap_or(&bytes).to_vec())
    };
    serde_json::from_value(serde_json::json!({
        "kty": "RSA", "n": number("modulus"), "e": "AQAB", "d": number("privateExponent"),
        "p": number("prime1"), "q": number("prime2"),
    }))
    .unwrap()
}

/// The key of RFC 7517 appendix A.2.
fn ec_jwk() -> ImportJwk {
    serde_json::from_value(serde_json::json!({
        "kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    }))
    .unwrap()
}

fn object(name: &str) -> ObjectName {
    ObjectName::parse(name).unwrap()
}

fn name(name: &str) -> VaultName {
    VaultName::parse(name).unwrap()
}
