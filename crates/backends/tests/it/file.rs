//! A vault in a folder: OpenSSL opens its keys, what was tampered with is refused, one process.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use strongroom_backends::file::{Kdf, PemProvider};
use strongroom_backends::open::{OpenError, open};
use strongroom_crypto::{KeySpec, PublicKey};
use strongroom_store::conformance::skipped;
use strongroom_store::provider::{KeyProvider, Operation, Output};
use strongroom_store::vault::NewVersion;
use strongroom_store::{Cx, Time};
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::{Curve, SignatureAlgorithm};
use strongroom_wire::ids::{Kind, ObjectName};
use tempfile::TempDir;

use crate::embedded::{NOW, file_uri, name, place};
use crate::redis_server::{PASSPHRASE, all_bytes};

fn provider(folder: &Path, passphrase: &str, kdf: Kdf) -> PemProvider {
    PemProvider::open(&folder.join("keys"), passphrase.to_owned().into(), kdf).unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder.join("keys")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn openssl(arguments: &[&str]) -> Option<(bool, String)> {
    let output = Command::new("openssl").args(arguments).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

async fn refusal(provider: &PemProvider, handle: &Sensitive<Vec<u8>>) -> String {
    provider.load(handle).await.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_opens_every_kind_of_key_with_the_passphrase_and_without_it_nothing() {
    if openssl(&["version"]).is_none() {
        return skipped("file", "there is no openssl");
    }
    let pass = format!("pass:{PASSPHRASE}");
    for kdf in [Kdf::Scrypt, Kdf::Pbkdf2] {
        for spec in [
            (KeySpec::Rsa { bits: 2048 }, "2048 bit"),
            (KeySpec::Rsa { bits: 3072 }, "3072 bit"),
            (KeySpec::Rsa { bits: 4096 }, "4096 bit"),
            (KeySpec::Ec(Curve::P256), "prime256v1"),
            (KeySpec::Ec(Curve::P384), "secp384r1"),
            (KeySpec::Ec(Curve::P521), "secp521r1"),
            (KeySpec::Ec(Curve::P256K), "secp256k1"),
        ] {
            let ((spec, shown), folder) = (spec, TempDir::new().unwrap());
            provider(folder.path(), PASSPHRASE, kdf).generate(spec).await.unwrap();
            let [file] = files(folder.path()).try_into().unwrap();
            assert_eq!((mode(&file), mode(&folder.path().join("keys"))), (0o600, 0o700));
            let file = file.to_str().unwrap();
            let (opened, text) = openssl(&["pkey", "-in", file, "-passin", &pass, "-text", "-noout"]).unwrap();
            assert!(opened && text.contains(shown), "{spec} {kdf:?}: {text}");
            let (opened, _) = openssl(&["pkey", "-in", file, "-passin", "pass:wrong", "-noout"]).unwrap();
            assert!(!opened);
            let (_, text) = openssl(&["asn1parse", "-in", file]).unwrap();
            let derived = if kdf == Kdf::Scrypt { "scrypt" } else { "PBKDF2" };
            assert!(text.contains("PBES2") && text.contains(derived) && text.contains("aes-256-cbc"), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_openssl_encrypted_anew_is_used_and_another_one_is_not() {
    let folder = TempDir::new().unwrap();
    let keys = provider(folder.path(), PASSPHRASE, Kdf::Scrypt);
    let made = keys.generate(KeySpec::Ec(Curve::P256)).await.unwrap();
    let [file] = files(folder.path()).try_into().unwrap();
    let (pass, anew) = (format!("pass:{PASSPHRASE}"), folder.path().join("anew"));
    let [from, to] = [&file, &anew].map(|file| file.to_str().unwrap());
    let arguments = ["pkcs8", "-topk8", "-v2", "aes256", "-in", from, "-passin", &pass, "-passout", &pass, "-out", to];
    let Some((done, text)) = openssl(&arguments) else { return skipped("file", "there is no openssl") };
    assert!(done, "{text}");
    std::fs::set_permissions(&anew, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::rename(&anew, &file).unwrap();
    let Output::Bytes(signature) = keys
        .load(&made.handle)
        .await
        .unwrap()
        .perform(Operation::Sign(SignatureAlgorithm::ES256, vec![7; 32]))
        .await
        .unwrap()
    else {
        panic!("no signature")
    };
    let public = PublicKey::from_jwk(&made.public).unwrap();
    assert!(public.verify(SignatureAlgorithm::ES256, &[7; 32], signature.expose()).unwrap());
    // Another key under the same passphrase, put in its place.
    keys.generate(KeySpec::Ec(Curve::P256)).await.unwrap();
    let other = files(folder.path()).into_iter().find(|other| *other != file).unwrap();
    std::fs::copy(other, &file).unwrap();
    assert!(refusal(&keys, &made.handle).await.contains("another key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_can_read_or_was_altered_or_is_gone_is_refused_with_what_to_do() {
    let folder = TempDir::new().unwrap();
    let keys = provider(folder.path(), PASSPHRASE, Kdf::Scrypt);
    let made = keys.generate(KeySpec::Ec(Curve::P256)).await.unwrap();
    let [file] = files(folder.path()).try_into().unwrap();
    for open in [0o640, 0o604, 0o666] {
        std::fs::set_permissions(&file, PermissionsExt::from_mode(open)).unwrap();
        assert!(refusal(&keys, &made.handle).await.contains(&format!("chmod 600 {}", file.display())));
    }
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    keys.load(&made.handle).await.unwrap();
    let whole = std::fs::read(&file).unwrap();
    let text = String::from_utf8(whole.clone()).unwrap();
    assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    // A character of the base64, everywhere in it: refused, or it was of no meaning and nothing changed.
    for place in (38..text.len() - 36).step_by(13) {
        let mut altered = whole.clone();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        std::fs::write(&file, &altered).unwrap();
        let why = refusal(&keys, &made.handle).await;
        assert!(why.contains("cannot be used") && why.contains("backup"), "{place}: {why}");
    }
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert!(refusal(&keys, &made.handle).await.contains("cannot be used"));
    std::fs::write(&file, &whole).unwrap();
    assert!(refusal(&provider(folder.path(), "wrong", Kdf::Scrypt), &made.handle).await.contains("passphrase"));
    keys.destroy(&made.handle).await.unwrap();
    assert!(!file.exists());
    keys.destroy(&made.handle).await.unwrap();
    assert!(refusal(&keys, &made.handle).await.contains("is gone"));
    // What a crash left unfinished goes at the next start.
    std::fs::write(folder.path().join("keys/0000.new"), "half").unwrap();
    provider(folder.path(), PASSPHRASE, Kdf::Scrypt);
    assert!(files(folder.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_leads_nowhere_but_to_key_files() {
    let folder = TempDir::new().unwrap();
    let keys = provider(folder.path(), PASSPHRASE, Kdf::Scrypt);
    for wrong in ["", "../../etc/passwd x", "0000 x", "/000000000000000000000000000000f x", "\u{fffd}"] {
        let handle = Sensitive::new(wrong.as_bytes().to_vec());
        assert!(keys.load(&handle).await.is_err() && keys.destroy(&handle).await.is_err(), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_keeps_its_vaults_and_holds_nothing_in_clear() {
    let folder = TempDir::new().unwrap();
    let (uri, canary) = (file_uri(&folder, ""), "canary-in-a-folder");
    let cx = Cx::system(Time::from_seconds(NOW));
    let (key, secret) = (ObjectName::parse("key").unwrap(), ObjectName::parse("secret").unwrap());
    let rsa = KeySpec::Rsa { bits: 2048 };
    {
        let vault = place(&uri).await.vault(name("default"));
        let new = NewVersion::Key { spec: rsa, hardware: false, key_ops: None, with: Default::default() };
        vault.put(&cx, &key, new).await.unwrap();
        let new = NewVersion::Secret { value: canary.to_owned().into(), content_type: None, with: Default::default() };
        vault.put(&cx, &secret, new).await.unwrap();
    }
    let root = folder.path().join("vault");
    assert_eq!((mode(&root), mode(&root.join("strongroom.db")), files(&root).len()), (0o700, 0o600, 1));
    assert!(!all_bytes(&root).windows(canary.len()).any(|part| part == canary.as_bytes()));
    {
        let vault = open(&uri).await.unwrap();
        let target = strongroom_store::vault::Target::latest(Kind::Key, key.clone());
        let sign = Operation::Sign(SignatureAlgorithm::PS256, vec![1; 32]);
        vault.perform(&cx, &target, sign).await.unwrap();
        // A restored key has a file of its own: purging the first leaves it whole.
        let blob = vault.backup(&cx, Kind::Key, &key).await.unwrap();
        vault.delete(&cx, Kind::Key, &key).await.unwrap();
        vault.purge(&cx, Kind::Key, &key).await.unwrap();
        assert!(files(&root).is_empty());
        vault.restore(&cx, Kind::Key, &blob).await.unwrap();
        let sign = Operation::Sign(SignatureAlgorithm::PS256, vec![1; 32]);
        vault.perform(&cx, &target, sign).await.unwrap();
        assert!(vault.restore(&cx, Kind::Key, &blob).await.is_err());
        assert_eq!(files(&root).len(), 1);
    }
    std::fs::write(folder.path().join("passphrase"), "wrong").unwrap();
    assert!(matches!(open(&uri).await.err().unwrap(), OpenError::Refused(_)));
    std::fs::set_permissions(&root, PermissionsExt::from_mode(0o755)).unwrap();
    assert!(open(&uri).await.err().unwrap().to_string().contains("chmod 700"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_waits_and_then_says_who_has_the_folder() {
    let folder = TempDir::new().unwrap();
    let uri = file_uri(&folder, "");
    let first = place(&uri).await;
    let start = Instant::now();
    let refusal = open(&uri).await.err().unwrap().to_string();
    assert!((5..20).contains(&start.elapsed().as_secs()));
    assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
    let second = tokio::spawn(async move { place(&uri).await });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    drop(first);
    second.await.unwrap();
}
