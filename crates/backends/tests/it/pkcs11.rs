//! The `pkcs11:` vault on SoftHSM.

use std::sync::Arc;
use std::time::Instant;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass};
use strongroom_crypto::{KeySpec, sha256};
use strongroom_store::conformance::{skipped, vault};
use strongroom_store::provider::{Operation, Output};
use strongroom_store::vault::Body;
use strongroom_wire::algorithms::{Curve, EncryptionAlgorithm, SignatureAlgorithm};
use strongroom_wire::ids::{Kind, VaultName};
use strongroom_wire::{ErrorKind, Sensitive};

use crate::pkcs11_bench::*;

#[test]
fn the_vault_suite() {
    in_own_process("pkcs11::the_vault_suite", async |bench| {
        let place = bench.open().await;
        let other = place.embedded.vault(VaultName::parse("other").unwrap());
        vault::all(&vault::Harness::new(place.vault, other, 1_800_000_000)).await;
    });
}

#[test]
fn offers_are_all_that_softhsm_can() {
    in_own_process("pkcs11::offers_are_all_that_softhsm_can", async |bench| {
        let offers = bench.open().await.vault.offers();
        let rsa = [2048, 3072, 4096].map(|bits| KeySpec::Rsa { bits });
        let all: Vec<KeySpec> = rsa.into_iter().chain(Curve::ALL.iter().map(|curve| KeySpec::Ec(*curve))).collect();
        assert_eq!((offers.keys, offers.hardware_keys), (all, true));
    });
}

#[test]
fn private_halves_cannot_be_read() {
    in_own_process("pkcs11::private_halves_cannot_be_read", async |bench| {
        use AttributeType as Type;
        let place = bench.open().await;
        place.make("rsa", RSA).await;
        place.make("ec", EC).await;
        let module = raw_module();
        let session = raw_session(&module);
        let keys = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap();
        assert_eq!(keys.len(), 2);
        let seal = session.find_objects(&[Attribute::Class(ObjectClass::SECRET_KEY)]).unwrap();
        assert_eq!(seal.len(), 1, "the key that opens the metadata");
        for key in keys.iter().chain(&seal) {
            let wanted = [
                Type::PrivateExponent,
                Type::Prime1,
                Type::Value,
                Type::Sensitive,
                Type::Extractable,
                Type::AlwaysSensitive,
                Type::NeverExtractable,
                Type::Private,
            ];
            for found in session.get_attributes(*key, &wanted).unwrap() {
                match found {
                    Attribute::Extractable(extractable) => assert!(!extractable),
                    Attribute::Sensitive(held)
                    | Attribute::AlwaysSensitive(held)
                    | Attribute::NeverExtractable(held)
                    | Attribute::Private(held) => assert!(held),
                    // SoftHSM shows an attribute that it keeps for itself as an empty one.
                    Attribute::PrivateExponent(bytes) | Attribute::Prime1(bytes) | Attribute::Value(bytes) => {
                        assert!(bytes.is_empty());
                    }
                    other => panic!("{other:?}"),
                }
            }
            let taken_back = [Attribute::Sensitive(false), Attribute::Extractable(true)];
            assert!(taken_back.into_iter().all(|change| session.update_attributes(*key, &[change]).is_err()));
            assert!(session.wrap_key(&Mechanism::AesKeyWrapPad, seal[0], *key).is_err());
        }
        let listed = bench.run("pkcs11-tool", &["--module", MODULE, "--login", "--pin", PIN, "-O", "-l"]);
        assert_eq!(listed.matches("Private Key Object").count(), 2, "{listed}");
        assert_eq!(listed.matches("sensitive, always sensitive, never extractable, local").count(), 3, "{listed}");
        assert_eq!(listed.matches("label:      strongroom\n").count(), 4, "{listed}");
    });
}

#[test]
fn keys_and_secrets_survive_closing_and_opening() {
    in_own_process("pkcs11::keys_and_secrets_survive_closing_and_opening", async |bench| {
        let place = bench.open().await;
        let (rsa, ec) = (place.make("rsa", RSA).await, place.make("ec", EC).await);
        place.vault.put(&cx(), &name("secret"), secret("kept")).await.unwrap();
        drop(place);
        let place = bench.open().await;
        let digest = sha256(b"again");
        for (called, made, algorithm) in [("rsa", rsa, SignatureAlgorithm::PS256), ("ec", ec, ES256)] {
            let signature = place.sign(called, algorithm, &digest).await.unwrap();
            assert!(public(&made).verify(algorithm, &digest, &signature).unwrap());
        }
        let read = place.vault.get(&cx(), &target(Kind::Secret, "secret", None)).await.unwrap();
        assert!(matches!(read.body, Body::Secret { value: Some(value), .. } if value.expose() == "kept"));
    });
}

/// The public half of the only key, as the token gives it, for OpenSSL.
fn public_pem(bench: &Bench) -> String {
    let module = raw_module();
    let session = raw_session(&module);
    let key = session.find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY)]).unwrap()[0];
    let wanted =
        [AttributeType::Modulus, AttributeType::PublicExponent, AttributeType::EcParams, AttributeType::EcPoint];
    // SubjectPublicKeyInfo (RFC 5280), written as a configuration of `openssl asn1parse -genconf`.
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let description = match &session.get_attributes(key, &wanted).unwrap()[..] {
        [Attribute::Modulus(n), Attribute::PublicExponent(e)] => format!(
            "asn1=SEQUENCE:info\n[info]\na=SEQUENCE:algorithm\nk=BITWRAP,SEQUENCE:key\n[algorithm]\n\
             o=OID:rsaEncryption\np=NULL\n[key]\nn=INTEGER:0x{}\ne=INTEGER:0x{}\n",
            hex(n),
            hex(e)
        ),
        [Attribute::EcParams(params), Attribute::EcPoint(point)] => {
            let names: [(&[u8], _); 4] =
                [(&[7], "prime256v1"), (&[0x22], "secp384r1"), (&[0x23], "secp521r1"), (&[0x0a], "secp256k1")];
            let (_, curve) = names.iter().find(|(end, _)| params.ends_with(end)).unwrap();
            let bare = &point[if point[1] == 0x81 { 3 } else { 2 }..];
            format!(
                "asn1=SEQUENCE:info\n[info]\na=SEQUENCE:algorithm\nk=FORMAT:HEX,BITSTRING:{}\n[algorithm]\n\
                 o=OID:id-ecPublicKey\np=OID:{curve}\n",
                hex(bare)
            )
        }
        other => panic!("{other:?}"),
    };
    std::fs::write(bench.folder.join("public.conf"), description).unwrap();
    bench.run("openssl", &["asn1parse", "-genconf", "public.conf", "-noout", "-out", "public.der"]);
    bench.run("openssl", &["pkey", "-pubin", "-inform", "DER", "-in", "public.der", "-out", "public.pem"]);
    "public.pem".to_owned()
}

/// `Ecdsa-Sig-Value` (RFC 3279) of r‖s.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let start = bytes.iter().position(|byte| *byte != 0).unwrap();
        let sign = if bytes[start] >= 0x80 { vec![0] } else { Vec::new() };
        let number = [&sign, &bytes[start..]].concat();
        [&[2, u8::try_from(number.len()).unwrap()][..], &number].concat()
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    let both = [integer(r), integer(s)].concat();
    let length = u8::try_from(both.len()).unwrap();
    let head = if length < 128 { vec![0x30, length] } else { vec![0x30, 0x81, length] };
    [head, both].concat()
}

#[test]
fn openssl_verifies_what_the_token_signed() {
    in_own_process("pkcs11::openssl_verifies_what_the_token_signed", async |bench| {
        let place = bench.open().await;
        let text = b"signed in the token";
        std::fs::write(bench.folder.join("text"), text).unwrap();
        let pss = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"];
        for (algorithm, options) in [
            (SignatureAlgorithm::RS256, &[][..]),
            (SignatureAlgorithm::RS384, &[]),
            (SignatureAlgorithm::RS512, &[]),
            (SignatureAlgorithm::PS256, &pss),
            (SignatureAlgorithm::PS384, &pss),
            (SignatureAlgorithm::PS512, &pss),
            (ES256, &[]),
            (SignatureAlgorithm::ES384, &[]),
            (SignatureAlgorithm::ES512, &[]),
            (SignatureAlgorithm::ES256K, &[]),
        ] {
            let called = algorithm.to_string();
            place.make(&called, algorithm.curve().map_or(RSA, KeySpec::Ec)).await;
            let (digest, hash) = match algorithm.digest_len() {
                32 => (sha256(text).to_vec(), "-sha256"),
                48 => (strongroom_crypto::sha384(text).to_vec(), "-sha384"),
                _ => (strongroom_crypto::sha512(text).to_vec(), "-sha512"),
            };
            let signature = place.sign(&called, algorithm, &digest).await.unwrap();
            let signature = if algorithm.curve().is_some() { der(&signature) } else { signature };
            std::fs::write(bench.folder.join("signature"), signature).unwrap();
            let pem = public_pem(&bench);
            let verify = ["dgst", hash, "-verify", &pem, "-signature", "signature"];
            bench.run("openssl", &[&verify[..], options, &["text"]].concat());
            place.vault.delete(&cx(), Kind::Key, &name(&called)).await.unwrap();
            place.vault.purge(&cx(), Kind::Key, &name(&called)).await.unwrap();
        }
    });
}

#[test]
fn what_openssl_encrypts_opens_in_the_token() {
    in_own_process("pkcs11::what_openssl_encrypts_opens_in_the_token", async |bench| {
        let place = bench.open().await;
        place.make("rsa", RSA).await;
        let pem = public_pem(&bench);
        std::fs::write(bench.folder.join("text"), "the text").unwrap();
        let sha256 = ["-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"];
        for (algorithm, padding, options) in [
            (EncryptionAlgorithm::RsaOaep, "rsa_padding_mode:oaep", &[][..]),
            (EncryptionAlgorithm::RsaOaep256, "rsa_padding_mode:oaep", &sha256),
            (EncryptionAlgorithm::Rsa15, "rsa_padding_mode:pkcs1", &[]),
        ] {
            let encrypt = ["pkeyutl", "-encrypt", "-pubin", "-inkey", &pem, "-in", "text", "-out", "closed"];
            bench.run("openssl", &[&encrypt[..], &["-pkeyopt", padding], options].concat());
            let closed = std::fs::read(bench.folder.join("closed")).unwrap();
            let opened = place.perform("rsa", Operation::Decrypt(algorithm, closed.clone())).await.unwrap();
            assert_eq!(opened, b"the text", "{algorithm}");
            for wrong in [vec![0; 256], vec![0xff; 256], [&closed[1..], &[0]].concat(), closed[1..].to_vec()] {
                let refused = place.perform("rsa", Operation::UnwrapKey(algorithm, wrong)).await.unwrap_err();
                assert_eq!(refused.kind, ErrorKind::BadParameter, "{algorithm}: {refused}");
            }
        }
    });
}

/// An RSA key of OpenSSL's as a JSON Web Key.
fn rsa_jwk(bench: &Bench) -> strongroom_wire::jwk::ImportJwk {
    use strongroom_wire::base64url::Base64Url;
    bench.run("openssl", &["genrsa", "-traditional", "-out", "rsa.pem", "2048"]);
    let shown = bench.run("openssl", &["asn1parse", "-in", "rsa.pem"]);
    let bytes = |hex: &str| {
        let digits = if hex.len() % 2 == 1 { format!("0{hex}") } else { hex.to_owned() };
        let pairs = digits.as_bytes().chunks(2);
        Base64Url(pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect())
    };
    let mut numbers = shown.lines().filter_map(|line| Some(bytes(line.split_once("INTEGER           :")?.1))).skip(1);
    let mut public = || numbers.next();
    let (n, e) = (public(), public());
    let mut private = || numbers.next().map(Sensitive::new);
    let (d, p, q) = (private(), private(), private());
    strongroom_wire::jwk::ImportJwk { kty: "RSA-HSM".to_owned(), n, e, d, p, q, ..Default::default() }
}

#[test]
fn an_imported_rsa_key_is_the_tokens_from_then_on() {
    in_own_process("pkcs11::an_imported_rsa_key_is_the_tokens_from_then_on", async |bench| {
        let place = bench.open().await;
        let jwk = rsa_jwk(&bench);
        let with = strongroom_store::vault::NewAttributes::default();
        let new = strongroom_store::vault::NewVersion::ImportedKey { jwk, hardware: true, key_ops: None, with };
        let made = place.vault.put(&cx(), &name("imported"), new).await.unwrap();
        let digest = sha256(b"imported");
        let signature = place.sign("imported", SignatureAlgorithm::PS256, &digest).await.unwrap();
        assert!(public(&made).verify(SignatureAlgorithm::PS256, &digest, &signature).unwrap());
        let module = raw_module();
        let session = raw_session(&module);
        let keys = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]).unwrap();
        let wanted = [AttributeType::Extractable, AttributeType::Sensitive, AttributeType::PrivateExponent];
        let found = session.get_attributes(keys[0], &wanted).unwrap();
        assert!(found.contains(&Attribute::Extractable(false)) && found.contains(&Attribute::Sensitive(true)));
        let hidden = |found: &Attribute| !matches!(found, Attribute::PrivateExponent(bytes) if !bytes.is_empty());
        assert!(found.iter().all(hidden), "{found:?}");
    });
}

#[test]
fn a_purged_key_is_gone_from_the_token() {
    in_own_process("pkcs11::a_purged_key_is_gone_from_the_token", async |bench| {
        let place = bench.open().await;
        place.make("gone", EC).await;
        place.make("stays", EC).await;
        place.vault.delete(&cx(), Kind::Key, &name("gone")).await.unwrap();
        place.vault.purge(&cx(), Kind::Key, &name("gone")).await.unwrap();
        let module = raw_module();
        let session = raw_session(&module);
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            assert_eq!(session.find_objects(&[Attribute::Class(class)]).unwrap().len(), 1);
        }
        place.sign("stays", ES256, &[1; 32]).await.unwrap();
    });
}

#[test]
fn a_key_that_was_backed_up_is_restored_after_it_was_purged_and_beside_itself() {
    const TEST: &str = "pkcs11::a_key_that_was_backed_up_is_restored_after_it_was_purged_and_beside_itself";
    in_own_process(TEST, async |bench| {
        let place = bench.open().await;
        let other = place.embedded.vault(VaultName::parse("other").unwrap());
        place.make("kept", EC).await;
        let before = place.sign("kept", ES256, &[1; 32]).await.unwrap();
        let blob = place.vault.backup(&cx(), Kind::Key, &name("kept")).await.unwrap();
        // A copy in another vault can go without taking the key along.
        other.restore(&cx(), Kind::Key, &blob).await.unwrap();
        other.delete(&cx(), Kind::Key, &name("kept")).await.unwrap();
        other.purge(&cx(), Kind::Key, &name("kept")).await.unwrap();
        place.sign("kept", ES256, &[1; 32]).await.unwrap();
        // And so can the key itself, as long as somebody has the backup.
        place.vault.delete(&cx(), Kind::Key, &name("kept")).await.unwrap();
        place.vault.purge(&cx(), Kind::Key, &name("kept")).await.unwrap();
        place.vault.restore(&cx(), Kind::Key, &blob).await.unwrap();
        place.sign("kept", ES256, &[1; 32]).await.unwrap();
        let verify = Operation::Verify { algorithm: ES256, digest: vec![1; 32], signature: before };
        let target = target(Kind::Key, "kept", None);
        let verified = place.vault.perform(&cx(), &target, verify).await.unwrap().output;
        assert!(matches!(verified, Output::Verified(true)));
    });
}

#[test]
fn a_thousand_signatures_by_eight_tasks() {
    in_own_process("pkcs11::a_thousand_signatures_by_eight_tasks", async |bench| {
        let place = Arc::new(bench.open().await);
        let keys = [("rsa", RSA, SignatureAlgorithm::RS256), ("ec", EC, ES256)];
        let mut made = Vec::new();
        for (called, spec, algorithm) in keys {
            made.push((called, algorithm, public(&place.make(called, spec).await)));
        }
        let tasks: Vec<_> = (0..8u8)
            .map(|task| {
                let (place, made) = (Arc::clone(&place), made.clone());
                tokio::spawn(async move {
                    for number in 0..125u8 {
                        let (called, algorithm, public) = &made[usize::from(number) % 2];
                        let digest = sha256(&[task, number]);
                        let signature = place.sign(called, *algorithm, &digest).await.unwrap();
                        assert!(public.verify(*algorithm, &digest, &signature).unwrap());
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        // A session for each thread, and one that keeps the login.
        let module = raw_module();
        let slot = slot(&module, "main");
        let sessions = module.get_token_info(slot).unwrap().session_count();
        let cores = u64::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
        assert!(sessions.is_none_or(|count| count <= 2 * cores + 2), "{sessions:?}");
    });
}

#[test]
fn it_works_without_a_network() {
    let alone = ["unshare", "--map-root-user", "--net"];
    let possible = std::process::Command::new(alone[0]).args(&alone[1..]).arg("true").output();
    if !possible.is_ok_and(|output| output.status.success()) {
        return skipped("it_works_without_a_network", "unshare may not make a network namespace here");
    }
    in_own_process_under(&alone, "pkcs11::it_works_without_a_network", async |bench| {
        let place = bench.open().await;
        place.make("ec", EC).await;
        place.sign("ec", ES256, &[1; 32]).await.unwrap();
    });
}

/// `cargo test --release -p strongroom-backends --test it -- --ignored --nocapture pkcs11::rates`
#[test]
#[ignore = "a measurement"]
fn rates() {
    in_own_process("pkcs11::rates", async |bench| {
        const SIGNATURES: u32 = 400;
        const ROUNDS: u32 = 10;
        let place = Arc::new(bench.open().await);
        let module = raw_module();
        let session = raw_session(&module);
        for (called, spec, algorithm) in [("rsa", RSA, SignatureAlgorithm::RS256), ("ec", EC, ES256)] {
            place.make(called, spec).await;
            let (mechanism, kind, input) = match spec {
                KeySpec::Rsa { .. } => (Mechanism::RsaPkcs, cryptoki::object::KeyType::RSA, vec![1; 51]),
                KeySpec::Ec(_) => (Mechanism::Ecdsa, cryptoki::object::KeyType::EC, vec![1; 32]),
            };
            let template = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::KeyType(kind)];
            let key = session.find_objects(&template).unwrap()[0];
            let per_second = |since: Instant| f64::from(SIGNATURES) / since.elapsed().as_secs_f64();
            // By turns, and the best of each: other work on the machine slows all of them.
            let (mut raw, mut one, mut eight) = (0f64, 0f64, 0f64);
            for _ in 0..ROUNDS {
                let since = Instant::now();
                for _ in 0..SIGNATURES {
                    session.sign(&mechanism, key, &input).unwrap();
                }
                raw = raw.max(per_second(since));
                let since = Instant::now();
                for _ in 0..SIGNATURES {
                    place.sign(called, algorithm, &[1; 32]).await.unwrap();
                }
                one = one.max(per_second(since));
                let since = Instant::now();
                let tasks: Vec<_> = (0..8)
                    .map(|_| {
                        let place = Arc::clone(&place);
                        tokio::spawn(async move {
                            for _ in 0..SIGNATURES / 8 {
                                place.sign(called, algorithm, &[1; 32]).await.unwrap();
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
                eight = eight.max(per_second(since));
            }
            println!(
                "{algorithm}: raw session {raw:.0}/s; through the vault, one task {one:.0}/s ({:.2}), eight tasks \
                 {eight:.0}/s ({:.2})",
                one / raw,
                eight / raw
            );
        }
    });
}
