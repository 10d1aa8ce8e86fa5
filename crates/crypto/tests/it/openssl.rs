//! OpenSSL reads our keys, verifies our signatures and decrypts our ciphertexts, and the reverse.

use std::fs;
use std::path::Path;
use std::process::Command;

use strongroom_crypto::{CryptoError, KeySpec, PrivateKey};
use strongroom_wire::algorithms::{Curve, EncryptionAlgorithm, SignatureAlgorithm};
use tempfile::TempDir;

use crate::support::{algorithm_of, digest_of, ec, element, rsa};

/// Runs `openssl` in `folder`; these tests need the program, and fail without it.
fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output().expect("the openssl program");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A folder with `key.der` (PKCS#8) and `public.pem`.
fn folder_of(key: &PrivateKey) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key.der"), key.to_pkcs8().unwrap().expose()).unwrap();
    openssl(folder.path(), &["pkey", "-inform", "DER", "-in", "key.der", "-check", "-noout"]);
    openssl(folder.path(), &["pkey", "-inform", "DER", "-in", "key.der", "-pubout", "-out", "public.pem"]);
    folder
}

const SIGN: [&str; 9] = ["pkeyutl", "-sign", "-keyform", "DER", "-inkey", "key.der", "-in", "digest", "-out"];
const VERIFY: [&str; 8] = ["pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-in", "digest", "-sigfile"];

#[test]
fn rsa_signatures() {
    let key = rsa();
    let folder = folder_of(key);
    let file = |name: &str| folder.path().join(name);
    for &algorithm in SignatureAlgorithm::ALL.iter().filter(|algorithm| algorithm.curve().is_none()) {
        let name = algorithm.as_str();
        let (digest, mgf1) = (format!("digest:sha{}", &name[2..]), format!("rsa_mgf1_md:sha{}", &name[2..]));
        let mut options = vec!["-pkeyopt", digest.as_str()];
        if name.starts_with("PS") {
            let pss = ["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest", "-pkeyopt", &mgf1];
            options.extend(pss);
        }
        let digest = digest_of(algorithm);
        fs::write(file("digest"), &digest).unwrap();
        fs::write(file("ours"), key.sign(algorithm, &digest).unwrap()).unwrap();
        openssl(folder.path(), &[&VERIFY[..], &["ours"], &options].concat());
        openssl(folder.path(), &[&SIGN[..], &["theirs"], &options].concat());
        assert_eq!(key.public().verify(algorithm, &digest, &fs::read(file("theirs")).unwrap()), Ok(true), "{name}");
    }
}

#[test]
fn ec_signatures() {
    for &curve in Curve::ALL {
        let key = ec(curve);
        let folder = folder_of(&key);
        let file = |name: &str| folder.path().join(name);
        let digest = digest_of(algorithm_of(curve));
        fs::write(file("digest"), &digest).unwrap();
        for _ in 0..8 {
            fs::write(file("ours"), to_der(&key.sign(algorithm_of(curve), &digest).unwrap())).unwrap();
            openssl(folder.path(), &[&VERIFY[..], &["ours"]].concat());
            openssl(folder.path(), &[&SIGN[..], &["theirs"]].concat());
            let theirs = from_der(&fs::read(file("theirs")).unwrap(), curve.coordinate_len());
            assert_eq!(key.public().verify(algorithm_of(curve), &digest, &theirs), Ok(true), "{curve}");
        }
    }
}

#[test]
fn rsa_encryption() {
    let key = rsa();
    let folder = folder_of(key);
    let file = |name: &str| folder.path().join(name);
    fs::write(file("text"), "what").unwrap();
    for (algorithm, options) in [
        (EncryptionAlgorithm::RsaOaep, &["-pkeyopt", "rsa_padding_mode:oaep"][..]),
        (
            EncryptionAlgorithm::RsaOaep256,
            &["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"],
        ),
        (EncryptionAlgorithm::Rsa15, &["-pkeyopt", "rsa_padding_mode:pkcs1"]),
    ] {
        let encrypt = ["pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "text", "-out", "theirs"];
        openssl(folder.path(), &[&encrypt[..], options].concat());
        let theirs = fs::read(file("theirs")).unwrap();
        assert_eq!(key.decrypt(algorithm, &theirs).unwrap().expose(), b"what", "{algorithm}");

        fs::write(file("ours"), key.public().encrypt(algorithm, b"what").unwrap()).unwrap();
        let decrypt =
            ["pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", "key.der", "-in", "ours", "-out", "decrypted"];
        openssl(folder.path(), &[&decrypt[..], options].concat());
        assert_eq!(fs::read(file("decrypted")).unwrap(), b"what", "{algorithm}");
    }
}

#[test]
fn reads_keys_that_openssl_made() {
    let folder = tempfile::tempdir().unwrap();
    let made = |algorithm: &str, option: &str| {
        let arguments = ["genpkey", "-algorithm", algorithm, "-out", "made.pem"];
        let options: &[&str] = if option.is_empty() { &[] } else { &["-pkeyopt", option] };
        openssl(folder.path(), &[&arguments[..], options].concat());
        let convert = ["pkcs8", "-topk8", "-nocrypt", "-in", "made.pem", "-outform", "DER", "-out", "made.der"];
        openssl(folder.path(), &convert);
        PrivateKey::from_pkcs8(&fs::read(folder.path().join("made.der")).unwrap())
    };
    for (name, curve) in
        [("P-256", Curve::P256), ("P-384", Curve::P384), ("P-521", Curve::P521), ("secp256k1", Curve::P256K)]
    {
        let key = made("EC", &format!("ec_paramgen_curve:{name}")).unwrap();
        assert_eq!(key.spec(), KeySpec::Ec(curve));
    }
    for bits in [2048, 3072] {
        assert_eq!(made("RSA", &format!("rsa_keygen_bits:{bits}")).unwrap().spec(), KeySpec::Rsa { bits });
    }
    assert_eq!(made("RSA", "rsa_keygen_pubexp:3").unwrap().spec(), KeySpec::Rsa { bits: 2048 });
    assert!(made("RSA", "rsa_keygen_pubexp:4294967295").is_ok());
    assert!(matches!(made("RSA", "rsa_keygen_pubexp:4294967297"), Err(CryptoError::InvalidKey(_))));
    assert!(matches!(made("RSA", "rsa_keygen_bits:1024"), Err(CryptoError::InvalidKey(_))));
    assert!(matches!(made("RSA", "rsa_keygen_bits:2056"), Err(CryptoError::InvalidKey(_))));
    assert!(matches!(made("RSA-PSS", "rsa_keygen_bits:2048"), Err(CryptoError::Unsupported(_))));
    assert!(matches!(made("EC", "ec_paramgen_curve:P-224"), Err(CryptoError::Unsupported(_))));
    assert!(matches!(made("ED25519", ""), Err(CryptoError::Unsupported(message)) if message.contains("ES256")));
    assert!(matches!(made("X25519", ""), Err(CryptoError::Unsupported(_))));

    let encrypt = ["pkcs8", "-topk8", "-passout", "pass:x", "-in", "made.pem", "-outform", "DER", "-out", "made.der"];
    openssl(folder.path(), &encrypt);
    let document = fs::read(folder.path().join("made.der")).unwrap();
    assert!(matches!(PrivateKey::from_pkcs8(&document), Err(CryptoError::InvalidKey(_))));
}

/// r‖s as a DER `ECDSA-Sig-Value`.
fn to_der(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let body: Vec<u8> = [r, s].into_iter().flat_map(integer).collect();
    let length = u8::try_from(body.len()).unwrap();
    let head: &[u8] = if length < 0x80 { &[0x30, length] } else { &[0x30, 0x81, length] };
    [head, &body].concat()
}

fn integer(number: &[u8]) -> Vec<u8> {
    let first = number.iter().position(|&byte| byte != 0).unwrap();
    let mut bytes = number[first..].to_vec();
    if bytes[0] >= 0x80 {
        bytes.insert(0, 0);
    }
    [&[2, u8::try_from(bytes.len()).unwrap()], &bytes[..]].concat()
}

/// The reverse.
fn from_der(der: &[u8], length: usize) -> Vec<u8> {
    let (body, _) = element(der);
    let (r, rest) = element(body);
    let (s, _) = element(rest);
    [r, s]
        .into_iter()
        .flat_map(|number| {
            let start = number.iter().position(|&byte| byte != 0).unwrap();
            let mut out = vec![0; length - (number.len() - start)];
            out.extend_from_slice(&number[start..]);
            out
        })
        .collect()
}
