//! The `pkcs11:` vault when something is wrong: lost tokens and logins, wrong PINs, other processes.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_backends::open::{OpenError, OpenOptions, VaultUri, open_with};
use strongroom_crypto::sha256;
use strongroom_store::conformance::skipped;
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::{ErrorKind, Sensitive};

use crate::pkcs11_bench::*;

#[test]
fn a_token_that_was_taken_out_and_put_back_goes_on() {
    in_own_process("pkcs11_faults::a_token_that_was_taken_out_and_put_back_goes_on", async |bench| {
        let place = bench.open().await;
        let (rsa, ec) = (place.make("rsa", RSA).await, place.make("ec", EC).await);
        let digest = sha256(b"removed");
        place.sign("rsa", SignatureAlgorithm::RS256, &digest).await.unwrap();
        let away = bench.folder.join("away");
        std::fs::rename(bench.tokens(), &away).unwrap();
        std::fs::create_dir(bench.tokens()).unwrap();
        for called in ["rsa", "ec"] {
            let algorithm = if called == "rsa" { SignatureAlgorithm::RS256 } else { ES256 };
            let fault = place.sign(called, algorithm, &digest).await.unwrap_err();
            assert_eq!(fault.kind, ErrorKind::Unavailable, "{fault}");
            assert!(message(&fault).contains("is not there any more: put it back"), "{fault}");
        }
        std::fs::remove_dir(bench.tokens()).unwrap();
        std::fs::rename(&away, bench.tokens()).unwrap();
        // SoftHSM sees a folder that is back when its module is started again: not at every call.
        let mut waited = tokio::time::interval(Duration::from_millis(100));
        let since = Instant::now();
        while let Err(fault) = place.sign("rsa", SignatureAlgorithm::RS256, &digest).await {
            assert!(message(&fault).contains("is not there any more: put it back"), "{fault}");
            assert!(since.elapsed() < Duration::from_secs(10));
            waited.tick().await;
        }
        for (called, made, algorithm) in [("rsa", rsa, SignatureAlgorithm::RS256), ("ec", ec, ES256)] {
            let signature = place.sign(called, algorithm, &digest).await.unwrap();
            assert!(public(&made).verify(algorithm, &digest, &signature).unwrap());
        }
    });
}

#[test]
fn a_token_initialised_again_is_told_from_the_old_one() {
    in_own_process("pkcs11_faults::a_token_initialised_again_is_told_from_the_old_one", async |bench| {
        let place = bench.open().await;
        place.make("ec", EC).await;
        place.sign("ec", ES256, &[1; 32]).await.unwrap();
        std::fs::remove_dir_all(bench.tokens()).unwrap();
        std::fs::create_dir(bench.tokens()).unwrap();
        bench.make_token("main");
        let fault = place.sign("ec", ES256, &[1; 32]).await.unwrap_err();
        assert_eq!(fault.kind, ErrorKind::Unavailable, "{fault}");
        assert!(message(&fault).contains("initialised again"), "{fault}");
        // Whoever starts anew is told, too, and nothing is made that would hide the loss.
        drop(place);
        let fault = open(&bench.uri()).await.err().unwrap();
        assert!(message(&fault).contains("belong to another token"), "{fault}");
    });
}

#[test]
fn a_lost_token_does_not_disturb_the_other() {
    in_own_process("pkcs11_faults::a_lost_token_does_not_disturb_the_other", async |bench| {
        let place = bench.open().await;
        place.make("ec", EC).await;
        // SoftHSM has a folder for each token; this is that of the only one so far.
        let lost = std::fs::read_dir(bench.tokens()).unwrap().next().unwrap().unwrap().path();
        bench.make_token("other");
        let other = Arc::new(open(&bench.uri_of("token=other", "other")).await.unwrap());
        let made = public(&other.make("ec", EC).await);
        let working: Vec<_> = (0..4)
            .map(|_| {
                let (other, made) = (Arc::clone(&other), made.clone());
                tokio::spawn(async move {
                    for _ in 0..300 {
                        let signature = other.sign("ec", ES256, &[1; 32]).await.unwrap();
                        assert!(made.verify(ES256, &[1; 32], &signature).unwrap());
                    }
                })
            })
            .collect();
        std::fs::remove_dir_all(lost).unwrap();
        for _ in 0..50 {
            let fault = place.sign("ec", ES256, &[1; 32]).await.unwrap_err();
            assert!(message(&fault).contains("is not there any more"), "{fault}");
        }
        for task in working {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_logout_by_others_is_mended() {
    in_own_process("pkcs11_faults::a_logout_by_others_is_mended", async |bench| {
        let place = bench.open().await;
        let made = place.make("ec", EC).await;
        let module = raw_module();
        for _ in 0..3 {
            raw_session(&module).logout().unwrap();
            let signature = place.sign("ec", ES256, &[1; 32]).await.unwrap();
            assert!(public(&made).verify(ES256, &[1; 32], &signature).unwrap());
            raw_session(&module).logout().unwrap();
            place.make("another", EC).await;
        }
    });
}

#[test]
fn sessions_lost_under_load_are_mended() {
    in_own_process("pkcs11_faults::sessions_lost_under_load_are_mended", async |bench| {
        let place = Arc::new(bench.open().await);
        let made = public(&place.make("ec", EC).await);
        // Finalised by others: all sessions, and the module itself, are lost.
        raw_module().finalize().unwrap();
        let signing = (0..8).map(|_| {
            let (place, made) = (Arc::clone(&place), made.clone());
            tokio::spawn(async move {
                for _ in 0..20 {
                    let signature = place.sign("ec", ES256, &[1; 32]).await.unwrap();
                    assert!(made.verify(ES256, &[1; 32], &signature).unwrap());
                }
            })
        });
        for task in signing.collect::<Vec<_>>() {
            task.await.unwrap();
        }
        let module = raw_module();
        for _ in 0..10 {
            raw_session(&module).logout().unwrap();
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    let place = Arc::clone(&place);
                    tokio::spawn(async move { place.sign("ec", ES256, &[1; 32]).await })
                })
                .collect();
            for task in tasks {
                assert!(made.verify(ES256, &[1; 32], &task.await.unwrap().unwrap()).unwrap());
            }
        }
    });
}

#[test]
fn a_wrong_pin_is_told_and_tried_once() {
    in_own_process("pkcs11_faults::a_wrong_pin_is_told_and_tried_once", async |bench| {
        let spy = "/usr/lib/x86_64-linux-gnu/pkcs11/pkcs11-spy.so";
        if !std::path::Path::new(spy).exists() {
            return skipped("a_wrong_pin_is_told_and_tried_once", "pkcs11-spy is not installed");
        }
        let uri = bench.uri().replace(MODULE, spy);
        let logins = || std::fs::read_to_string(bench.folder.join("spy.log")).unwrap().matches(": C_Login").count();
        let wrong = OpenOptions { passphrase: Some(Sensitive::new("hush-9999".to_owned())), ..OpenOptions::default() };
        let Err(fault) = open_with(&uri, wrong).await else { panic!("opened with a wrong PIN") };
        assert!(matches!(fault, OpenError::Refused(_)) && message(&fault).contains("is not right"), "{fault}");
        assert_eq!(logins(), 1);
        // Right at first, then changed behind our back: one try, however many want to sign.
        let place = open(&uri).await.unwrap();
        place.make("ec", EC).await;
        assert_eq!(logins(), 2);
        let change = ["--module", MODULE, "--token-label", "main", "--login", "--pin", PIN, "--change-pin"];
        bench.run("pkcs11-tool", &[&change[..], &["--new-pin", "hush-0000"]].concat());
        raw_module().finalize().unwrap();
        for _ in 0..10 {
            let fault = place.sign("ec", ES256, &[1; 32]).await.unwrap_err();
            assert!(message(&fault).contains("is not right"), "{fault}");
        }
        assert_eq!(logins(), 3);
    });
}

#[test]
fn a_token_in_use_takes_no_other_pin() {
    in_own_process("pkcs11_faults::a_token_in_use_takes_no_other_pin", async |bench| {
        let _place = bench.open().await;
        let wrong = OpenOptions { passphrase: Some(Sensitive::new("hush-9999".to_owned())), ..OpenOptions::default() };
        let Err(fault) = open_with(&bench.uri_of("token=main", "more"), wrong).await else { panic!("opened") };
        assert!(matches!(fault, OpenError::Refused(_)), "{}", message(&fault));
        open(&bench.uri_of("token=main", "more")).await.unwrap();
    });
}

#[test]
fn a_token_is_found_by_what_names_it() {
    in_own_process("pkcs11_faults::a_token_is_found_by_what_names_it", async |bench| {
        bench.make_token("main");
        bench.make_token("side; door");
        let fault = open(&bench.uri()).await.err().unwrap();
        assert!(message(&fault).contains("2 tokens answer to token \"main\""), "{fault}");
        let fault = open(&bench.uri_of("token=none", "records")).await.err().unwrap();
        assert!(message(&fault).contains("knows no token of token \"none\"; it knows"), "{fault}");
        open(&bench.uri_of("token=side%3B%20door", "side")).await.unwrap();
        let module = raw_module();
        for (number, slot) in module.get_slots_with_initialized_token().unwrap().into_iter().enumerate() {
            let serial = module.get_token_info(slot).unwrap().serial_number().to_owned();
            open(&bench.uri_of(&format!("serial={serial}"), &format!("by-serial-{number}"))).await.unwrap();
            open(&bench.uri_of(&format!("slot-id={}", slot.id()), &format!("by-slot-{number}"))).await.unwrap();
        }
        let fault = open("pkcs11:?module-path=/no/such/module.so&pin-value=hush").await.err().unwrap();
        assert!(message(&fault).contains("/no/such/module.so"), "{fault}");
        let fault = open("pkcs11:?module-path=/usr/bin/openssl&pin-value=hush").await.err().unwrap();
        assert!(message(&fault).contains("cannot be used"), "{fault}");
    });
}

#[test]
fn the_pin_is_missing_or_given_in_four_ways() {
    in_own_process("pkcs11_faults::the_pin_is_missing_or_given_in_four_ways", async |bench| {
        let records = bench.folder.join("records");
        let bare = format!("pkcs11:token=main?module-path={MODULE}&x-records={}", records.display());
        let fault = open(&bare).await.err().unwrap();
        assert!(matches!(&fault, OpenError::Passphrase(text) if text.contains("pin-source")), "{fault}");
        open(&format!("{bare}&pin-value={PIN}")).await.unwrap();
        open(&format!("{bare}&pin-source={}/pin", bench.folder.display())).await.unwrap();
        open(&format!("{bare}&pin-source=file://{}/pin", bench.folder.display())).await.unwrap();
        let given = OpenOptions { passphrase: Some(Sensitive::new(PIN.to_owned())), ..OpenOptions::default() };
        let uri = VaultUri::parse(&format!("{bare}&pin-value=hush-wrong")).unwrap();
        let provider = strongroom_backends::pkcs11::provider(&uri, &given).await.unwrap();
        let shown = format!("{provider:?} {uri:?}");
        assert!(shown.contains("main") && !shown.contains("hush"), "{shown}");
    });
}

#[test]
fn two_processes_use_one_token() {
    in_own_process("pkcs11_faults::two_processes_use_one_token", async |bench| {
        const ROLE: &str = "STRONGROOM_TEST_ROLE";
        if std::env::var_os(ROLE).is_some() {
            let busy = open(&bench.uri()).await.err().unwrap();
            assert!(message(&busy).contains("in use"), "{busy}");
            let place = open(&bench.uri_of("token=main", "second")).await.unwrap();
            let made = public(&place.make("ec", EC).await);
            for _ in 0..200 {
                let signature = place.sign("ec", ES256, &[1; 32]).await.unwrap();
                assert!(made.verify(ES256, &[1; 32], &signature).unwrap());
            }
            return;
        }
        let place = bench.open().await;
        let made = public(&place.make("ec", EC).await);
        let mut second = bench.again(&[], "pkcs11_faults::two_processes_use_one_token").env(ROLE, "2").spawn().unwrap();
        loop {
            for _ in 0..50 {
                let signature = place.sign("ec", ES256, &[1; 32]).await.unwrap();
                assert!(made.verify(ES256, &[1; 32], &signature).unwrap());
            }
            place.make("more", EC).await;
            if let Some(status) = second.try_wait().unwrap() {
                assert!(status.success());
                break;
            }
        }
    });
}

#[test]
fn a_copied_folder_does_not_open_without_its_token() {
    in_own_process("pkcs11_faults::a_copied_folder_does_not_open_without_its_token", async |bench| {
        bench.make_token("other");
        let place = bench.open().await;
        place.vault.put(&cx(), &name("secret"), secret("for-the-token-only")).await.unwrap();
        drop(place);
        let records = bench.folder.join("records");
        let mode = std::fs::metadata(records.join("seal.p11")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        bench.run("cp", &["-r", "records", "copy"]);
        let fault = open(&bench.uri_of("token=other", "copy")).await.err().unwrap();
        assert!(message(&fault).contains("belong to another token"), "{fault}");
        // Nor with a key of one's own, nor with what the folder held before.
        for damage in [&b""[..], b"STRP\x01", &[0; 200]] {
            std::fs::write(bench.folder.join("copy/seal.p11"), damage).unwrap();
            let fault = open(&bench.uri_of("token=main", "copy")).await.err().unwrap();
            assert!(message(&fault).contains("is damaged"), "{fault}");
        }
        std::fs::remove_file(bench.folder.join("copy/seal.p11")).unwrap();
        let fault = open(&bench.uri_of("token=main", "copy")).await.err().unwrap();
        assert!(message(&fault).contains("seal.p11 is gone"), "{fault}");
        for file in std::fs::read_dir(&records).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(18).any(|part| part == b"for-the-token-only"));
        }
        bench.open().await;
    });
}
