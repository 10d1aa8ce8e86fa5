//! The `tpm2:` vault on swtpm: what lasts, what does not open, and what happens when the TPM is away.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use strongroom_backends::open::{OpenError, open};
use strongroom_crypto::sha256;
use strongroom_wire::ErrorKind;
use strongroom_wire::algorithms::{EncryptionAlgorithm, SignatureAlgorithm};

use crate::tpm2_bench::{Bench, EC, ES256, Place, RSA, installed};

const OAEP: EncryptionAlgorithm = EncryptionAlgorithm::RsaOaep256;

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_secrets_survive_a_restart_of_tpm_and_vault() {
    if !installed("tpm2: restart") {
        return;
    }
    let mut bench = Bench::new();
    let place = bench.open().await;
    let (rsa, ec) = (place.make("rsa", RSA).await, place.make("ec", EC).await);
    place.set("secret", "kept").await;
    drop(place);
    bench.stop();
    // And nobody tells the TPM to start up: the vault does.
    bench.start_with("not-need-init");
    let place = bench.open().await;
    let digest = sha256(b"again");
    for (called, key, algorithm) in [("rsa", rsa, SignatureAlgorithm::PS256), ("ec", ec, ES256)] {
        let signature = place.sign(called, algorithm, &digest).await.unwrap();
        assert!(key.verify(algorithm, &digest, &signature).unwrap());
    }
    assert_eq!(place.get("secret").await, "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tpm_that_is_away_is_told_and_one_that_comes_back_is_used() {
    if !installed("tpm2: reconnect") {
        return;
    }
    let mut bench = Bench::new();
    let place = bench.open().await;
    let key = place.make("ec", EC).await;
    place.sign("ec", ES256, &[1; 32]).await.unwrap();
    bench.stop();
    let error = place.sign("ec", ES256, &[1; 32]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let verdict = key.verify(ES256, &[1; 32], &[0; 64]);
    assert!(!verdict.unwrap(), "the public half needs no TPM");
    let Err(OpenError::Unavailable(message)) = bench.open_at(&bench.path("other"), "").await else {
        panic!("opened without a TPM")
    };
    assert!(message.contains(&format!("127.0.0.1:{} does not answer", bench.port)), "{message}");
    bench.start();
    for round in 0..2 {
        let signature = place.sign("ec", ES256, &[2; 32]).await.unwrap();
        assert!(key.verify(ES256, &[2; 32], &signature).unwrap());
        if round == 0 {
            // Between two commands, with everything loaded.
            bench.stop();
            bench.start();
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_folder_does_not_open_with_another_tpm() {
    if !installed("tpm2: another TPM") {
        return;
    }
    let (bench, other) = (Bench::new(), Bench::new());
    let place = bench.open().await;
    place.make("ec", EC).await;
    place.set("secret", "hush-hush").await;
    drop(place);
    copy(&bench.path("records"), &other.path("records"));
    let Err(OpenError::Refused(message)) = other.open_at(&other.path("records"), "").await else {
        panic!("another TPM opened it")
    };
    assert!(message.contains("belong to another TPM"), "{message}");
    for entry in fs::read_dir(bench.path("records")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(9).any(|part| part == b"hush-hush"));
    }
    // Where it was made it still opens, also from the copy.
    let place = Place::new(&bench.open_at(&other.path("records"), "").await.unwrap());
    assert_eq!(place.get("secret").await, "hush-hush");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_tpm_was_cleared_nothing_opens_and_it_says_so() {
    if !installed("tpm2: clear") {
        return;
    }
    let bench = Bench::new();
    let place = bench.open().await;
    place.make("ec", EC).await;
    bench.run("tpm2_clear", &["-c", "p"]);
    let error = place.sign("ec", ES256, &[1; 32]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    drop(place);
    let Err(OpenError::Refused(message)) = bench.open_at(&bench.path("records"), "").await else {
        panic!("opened after the TPM was cleared")
    };
    assert!(message.contains("before it was cleared"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_seal_is_private_and_its_loss_is_told() {
    if !installed("tpm2: the seal") {
        return;
    }
    let bench = Bench::new();
    drop(bench.open().await);
    let seal = bench.path("records/seal.tpm2");
    assert_eq!(fs::metadata(&seal).unwrap().permissions().mode() & 0o777, 0o600);
    let blob = fs::read(&seal).unwrap();
    for (blob, told) in [(&blob[..blob.len() - 1], "is damaged"), (&blob[..3], "is damaged"), (&[][..], "is damaged")] {
        fs::write(&seal, blob).unwrap();
        let error = bench.open_at(&bench.path("records"), "").await.unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
    }
    let mut altered = blob.clone();
    *altered.last_mut().unwrap() ^= 1;
    fs::write(&seal, &altered).unwrap();
    assert!(bench.open_at(&bench.path("records"), "").await.unwrap_err().to_string().contains("is damaged"));
    fs::remove_file(&seal).unwrap();
    let error = bench.open_at(&bench.path("records"), "").await.unwrap_err();
    assert!(error.to_string().contains("restore it from a backup"), "{error}");
    fs::write(&seal, &blob).unwrap();
    bench.open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storage_root_key_stays_where_asked() {
    if !installed("tpm2: persistent") {
        return;
    }
    let bench = Bench::new();
    let (records, persistent) = (bench.path("records"), "&persistent=0x81000001");
    assert_eq!(bench.run("tpm2_getcap", &["handles-persistent"]).trim(), "");
    let place = Place::new(&bench.open_at(&records, persistent).await.unwrap());
    place.make("ec", EC).await;
    drop(place);
    assert!(bench.run("tpm2_getcap", &["handles-persistent"]).contains("0x81000001"));
    assert_eq!(bench.run("tpm2_getcap", &["handles-transient"]).trim(), "");
    let place = Place::new(&bench.open_at(&records, persistent).await.unwrap());
    place.sign("ec", ES256, &[1; 32]).await.unwrap();
    drop(place);
    // The template makes the same key every time.
    let place = bench.open().await;
    place.sign("ec", ES256, &[1; 32]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_root_key_of_tpm2_tools_is_used() {
    if !installed("tpm2: an RSA storage root key") {
        return;
    }
    let bench = Bench::new();
    bench.run("tpm2_createprimary", &["-C", "o", "-G", "rsa2048:aes256cfb", "-c", "primary"]);
    bench.run("tpm2_evictcontrol", &["-C", "o", "-c", "primary", "0x81000007"]);
    bench.run("tpm2_flushcontext", &["-t"]);
    let records = bench.path("records");
    let place = Place::new(&bench.open_at(&records, "&persistent=0x81000007").await.unwrap());
    let (key, _) = (place.make("rsa", RSA).await, place.make("ec", EC).await);
    let cipher = key.encrypt(OAEP, b"secret").unwrap();
    assert_eq!(place.decrypt("rsa", OAEP, &cipher).await.unwrap(), b"secret");
    let jwk = serde_json::json!({
        "kty": "EC-HSM", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    });
    place.import("imported", serde_json::from_value(jwk).unwrap()).await.unwrap();
    place.sign("imported", ES256, &[1; 32]).await.unwrap();
    drop(place);
    let error = bench.open_at(&records, "").await.unwrap_err();
    assert!(error.to_string().contains("persistent="), "{error}");
    // A key that signs is no storage key.
    bench.run(
        "tpm2_createprimary",
        &[
            "-C",
            "o",
            "-G",
            "ecc256:ecdsa",
            "-a",
            "sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth",
            "-c",
            "signs",
        ],
    );
    bench.run("tpm2_evictcontrol", &["-C", "o", "-c", "signs", "0x81000008"]);
    bench.run("tpm2_flushcontext", &["-t"]);
    let error = bench.open_at(&bench.path("other"), "&persistent=0x81000008").await.unwrap_err();
    assert!(error.to_string().contains("no storage key"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hierarchys_authorisation_is_asked_for() {
    if !installed("tpm2: owner authorisation") {
        return;
    }
    let bench = Bench::new();
    bench.run("tpm2_changeauth", &["-c", "o", "hush"]);
    let Err(OpenError::Refused(message)) = bench.open_at(&bench.path("records"), "").await else {
        panic!("opened without the authorisation")
    };
    assert!(message.contains("owner-auth-file="), "{message}");
    fs::write(bench.path("auth"), "hush\n").unwrap();
    fs::write(bench.path("wrong"), "hash\n").unwrap();
    let with = |file: &str| format!("&owner-auth-file={}", bench.path(file).display());
    assert!(matches!(bench.open_at(&bench.path("records"), &with("wrong")).await, Err(OpenError::Refused(_))));
    let persistent = format!("{}&persistent=0x81000001", with("auth"));
    let place = Place::new(&bench.open_at(&bench.path("records"), &persistent).await.unwrap());
    place.make("ec", EC).await;
    drop(place);
    // With the root key in its place nobody needs it any more.
    let place = Place::new(&bench.open_at(&bench.path("records"), "&persistent=0x81000001").await.unwrap());
    place.sign("ec", ES256, &[1; 32]).await.unwrap();
    assert_eq!(bench.run("tpm2_getcap", &["handles-transient"]).trim(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tpm_in_lockout_still_serves_the_vault() {
    if !installed("tpm2: lockout") {
        return;
    }
    let bench = Bench::new();
    let place = bench.open().await;
    let key = place.make("ec", EC).await;
    bench.run("tpm2_dictionarylockout", &["-s", "-n", "1", "-t", "1000", "-l", "1000"]);
    bench.run("tpm2_createprimary", &["-C", "o", "-p", "right", "-G", "ecc256", "-c", "guarded"]);
    let guess = ["-C", "guarded", "-P", "wrong", "-u", "child.pub", "-r", "child.priv"];
    for _ in 0..2 {
        assert!(!bench.try_run("tpm2_create", &guess).status.success());
        bench.run("tpm2_flushcontext", &["-t"]);
    }
    let locked = bench.try_run("tpm2_create", &["-C", "guarded", "-P", "right", "-u", "child.pub", "-r", "child.priv"]);
    assert!(String::from_utf8_lossy(&locked.stderr).contains("0x921"), "it is in lockout");
    bench.run("tpm2_flushcontext", &["-t"]);
    let signature = place.sign("ec", ES256, &[1; 32]).await.unwrap();
    assert!(key.verify(ES256, &[1; 32], &signature).unwrap());
    drop(place);
    bench.open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_that_others_hold_are_told_and_used_when_they_are_free() {
    if !installed("tpm2: slots of others") {
        return;
    }
    let bench = Bench::new();
    let place = bench.open().await;
    place.make("ec", EC).await;
    for number in 0..3 {
        bench.run("tpm2_createprimary", &["-C", "o", "-G", "ecc256", "-c", &format!("left-behind-{number}")]);
    }
    let error = place.sign("ec", ES256, &[1; 32]).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let Err(OpenError::Unavailable(message)) = bench.open_at(&bench.path("other"), "").await else {
        panic!("opened without a slot")
    };
    assert!(message.contains("tpm2_flushcontext -t"), "{message}");
    // One is for the storage root key, one for a key: two are enough.
    for left in [2, 1] {
        let handles = bench.run("tpm2_getcap", &["handles-transient"]);
        let first = handles.lines().next().unwrap().trim_start_matches("- ");
        bench.run("tpm2_flushcontext", &[first]);
        assert_eq!(place.sign("ec", ES256, &[1; 32]).await.is_ok(), left == 1);
    }
}

/// Passes everything on between a client and the TPM, and notes it. While `altering`, one bit of
/// the answers to decryptions and signatures is turned.
#[derive(Default)]
struct Eavesdropper {
    heard: Mutex<Vec<u8>>,
    altering: std::sync::atomic::AtomicBool,
}

impl Eavesdropper {
    fn start(self: &Arc<Self>, to: u16) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = Arc::clone(self);
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let tpm = TcpStream::connect(("127.0.0.1", to)).unwrap();
                let ways = [(client.try_clone().unwrap(), tpm.try_clone().unwrap(), false), (tpm, client, true)];
                for thread in ways.map(|(from, to, answers)| {
                    let own = Arc::clone(&own);
                    std::thread::spawn(move || own.pass(from, to, answers))
                }) {
                    thread.join().unwrap();
                }
            }
        });
        port
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream, answers: bool) {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            self.heard.lock().unwrap().extend_from_slice(&buffer[..length]);
            if answers && (100..290).contains(&length) && self.altering.load(std::sync::atomic::Ordering::Relaxed) {
                buffer[30] ^= 1;
            }
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        drop(to.shutdown(std::net::Shutdown::Write));
    }

    fn heard(&self, what: &[u8]) -> bool {
        self.heard.lock().unwrap().windows(what.len()).any(|part| part == what)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_listens_on_the_way_learns_no_secret_and_alters_nothing() {
    if !installed("tpm2: an eavesdropper") {
        return;
    }
    let bench = Bench::new();
    let ear = Arc::new(Eavesdropper::default());
    let port = ear.start(bench.port);
    let uri = |more: &str| {
        format!("tpm2:swtpm:host=127.0.0.1,port={port}?x-records={}{more}", bench.path("records").display())
    };
    fs::write(bench.path("auth"), "the-owners-authorisation").unwrap();
    bench.run("tpm2_changeauth", &["-c", "o", "the-owners-authorisation"]);
    let place =
        Place { vault: open(&uri(&format!("&owner-auth-file={}", bench.path("auth").display()))).await.unwrap() };
    let key = place.make("rsa", RSA).await;
    let secret = b"what only the vault and its callers may know";
    let cipher = key.encrypt(OAEP, secret).unwrap();
    assert_eq!(place.decrypt("rsa", OAEP, &cipher).await.unwrap(), secret);
    assert!(ear.heard(&cipher), "it does listen");
    assert!(!ear.heard(secret) && !ear.heard(b"the-owners-authorisation"));
    let imported = b"\xf3\xbd\x0c\x07\xa8\x1f\xb9\x32\x78\x1e\xd5\x27\x52\xf6\x0c\xc8\x9a\x6b\xe5\xe5\x19\x34\xfe\x01\x93\x8d\xdb\x55\xd8\xf7\x78\x01";
    let jwk = serde_json::json!({
        "kty": "EC-HSM", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    });
    place.import("imported", serde_json::from_value(jwk).unwrap()).await.unwrap();
    place.sign("imported", ES256, &[1; 32]).await.unwrap();
    assert!(!ear.heard(imported));
    ear.altering.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(place.decrypt("rsa", OAEP, &cipher).await.is_err());
    assert!(place.sign("rsa", SignatureAlgorithm::RS256, &[1; 32]).await.is_err());
    ear.altering.store(false, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(place.decrypt("rsa", OAEP, &cipher).await.unwrap(), secret);
}

#[tokio::test]
async fn uris_that_name_no_tpm_are_refused() {
    for (uri, told) in [
        ("tpm2://nohost", "tpm2: names a TPM as"),
        ("tpm2:what", "tpm2: names a TPM as"),
        ("tpm2://h:1?persistent=7", "persistent=0x81000001"),
        ("tpm2://h:1?persistent=0x81800000", "persistent=0x81000001"),
        ("tpm2://h:1?pin=1", "it knows vault, x-records, owner-auth-file, persistent"),
        ("tpm2://h:1?owner-auth-file=/dev/null", "1 to 32 bytes"),
        ("tpm2:/dev/strongroom-has-no-such-tpm?x-records=none", "is there a TPM"),
    ] {
        let error = open(uri).await.map(drop).unwrap_err();
        assert!(error.to_string().contains(told), "{uri}: {error}");
    }
}
