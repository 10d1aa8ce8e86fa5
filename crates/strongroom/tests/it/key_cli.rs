//! `strongroom key` and `strongroom doctor`, as they are used; OpenSSL is the other side.

use serde_json::Value;

use crate::process::{mode, stderr, strongroom, succeed, text};
use crate::vaults::{Shell, openssl, refusal};

#[test]
fn keys_of_all_kinds_are_made_listed_and_shown() {
    let shell = Shell::start();
    for (name, arguments, shown) in [
        ("rsa", &["--type", "RSA"][..], "RSA 2048"),
        ("rsa3", &["--type", "rsa", "--size", "3072", "--ops", "sign,verify"], "RSA 3072"),
        ("ec", &["--type", "EC"], "EC P-256"),
        ("ec5", &["--type", "EC", "--curve", "P-521", "--expires", "+30d", "--tag", "a=b"], "EC P-521"),
        ("eck", &["--type", "EC", "--curve", "p-256k"], "EC P-256K"),
    ] {
        shell.ok(&[&["key", "create", name], arguments].concat());
        let key = shell.json(&["key", "show", name]);
        assert_eq!(key["type"], shown);
        assert!(key["key"]["kty"].is_string() && key["key"].get("d").is_none());
    }
    assert_eq!(shell.json(&["key", "show", "rsa3"])["operations"], "sign,verify");
    assert_eq!(shell.ok(&["key", "list", "-o", "tsv"]).lines().count(), 5);
    shell.ok(&["key", "update", "ec", "--ops", "verify", "--tag", "x=y"]);
    let changed = shell.json(&["key", "show", "ec"]);
    assert_eq!((changed["operations"].as_str(), changed["tags"]["x"].as_str()), (Some("verify"), Some("y")));
    let digest = "00".repeat(32);
    shell.refused(5, &["key", "sign", "ec", "--alg", "ES256", "--digest", &digest], "");
    shell.refused(2, &["key", "create", "x", "--type", "EC", "--size", "2048"], "--curve");
    shell.refused(2, &["key", "create", "x", "--type", "RSA", "--curve", "P-256"], "--size");
    shell.refused(2, &["key", "create", "x", "--type", "RSA", "--ops", "fly"], "wrapKey");
    shell.refused(2, &["key", "create", "x", "--type", "RSA", "--size", "1000"], "2048");
    shell.refused(3, &["key", "show", "rsa33"], "Did you mean rsa3");
}

#[test]
fn rotation_makes_versions_and_follows_a_policy() {
    let shell = Shell::start();
    shell.ok(&["key", "create", "k", "--type", "EC"]);
    let first = shell.json(&["key", "show", "k"])["key"]["x"].clone();
    shell.ok(&["key", "rotate", "k"]);
    assert_ne!(shell.json(&["key", "show", "k"])["key"]["x"], first);
    let versions = shell.json(&["key", "versions", "k"]);
    assert_eq!(versions.as_array().unwrap().len(), 2);
    let oldest = versions[0]["version"].as_str().unwrap();
    assert_eq!(shell.json(&["key", "show", "k", "--version", oldest])["key"]["x"], first);
    let set = [
        "key",
        "policy",
        "set",
        "k",
        "--rotate-after",
        "P30D",
        "--expires-in",
        "P90D",
        "--notify-before-expiry",
        "P7D",
    ];
    shell.ok(&set);
    let policy = shell.ok(&["key", "policy", "get", "k"]);
    let read: Value = serde_json::from_str(&policy).unwrap();
    assert_eq!(read["attributes"]["expiryTime"], "P90D");
    assert_eq!(read["lifetimeActions"][0]["trigger"]["timeAfterCreate"], "P30D");
    // What is printed can be given to another key.
    shell.ok(&["key", "create", "other", "--type", "EC"]);
    shell.ok(&["key", "policy", "set", "other", "--file", &shell.file("policy.json", policy.as_bytes())]);
    assert!(shell.ok(&["key", "policy", "get", "other"]).contains("P30D"));
    shell.refused(2, &["key", "policy", "set", "k"], "--rotate-after");
    shell.refused(2, &["key", "policy", "set", "k", "--rotate-after", "30d"], "P90D");
    shell.refused(3, &["key", "policy", "get", "none"], "not found");
}

#[test]
fn openssl_verifies_our_der_signatures_and_we_its() {
    let shell = Shell::start();
    let message = shell.file("message", &b"a message of some length\n".repeat(10_000));
    for (curve, alg, digest) in [
        ("P-256", "ES256", "-sha256"),
        ("P-384", "ES384", "-sha384"),
        ("P-521", "ES512", "-sha512"),
        ("P-256K", "ES256K", "-sha256"),
    ] {
        let (pem, der) = (shell.path("public.pem"), shell.path("signature.der"));
        shell.ok(&["key", "create", alg, "--type", "EC", "--curve", curve]);
        shell.ok(&["key", "download", alg, "--out", text(&pem)]);
        let sign =
            ["key", "sign", alg, "--alg", alg, "--file", &message, "--signature-format", "der", "--out", text(&der)];
        shell.ok(&sign);
        let verified = openssl(&["dgst", digest, "-verify", text(&pem), "-signature", text(&der), &message]);
        assert!(verified.contains("Verified OK"), "{alg}: {verified}");
        let verify = ["key", "verify", alg, "--alg", alg, "--file", &message, "--signature", text(&der)];
        assert_eq!(shell.ok(&[&verify[..], &["--signature-format", "der"]].concat()), "the signature is genuine\n");
        shell.refused(9, &verify, "not genuine");

        // A key that OpenSSL has, too: what it signs, we verify.
        let name = match curve {
            "P-256K" => "secp256k1",
            other => other,
        };
        let theirs = shell.file("theirs.pem", b"");
        openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", &format!("ec_paramgen_curve:{name}"), "-out", &theirs]);
        shell.ok(&["key", "import", &format!("{alg}-theirs"), "--file", &theirs]);
        openssl(&["dgst", digest, "-sign", &theirs, "-out", text(&der), &message]);
        let name = format!("{alg}-theirs");
        let verify = ["key", "verify", &name, "--alg", alg, "--file", &message, "--signature", text(&der)];
        shell.ok(&[&verify[..], &["--signature-format", "der"]].concat());
    }
}

#[test]
fn digests_and_signatures_are_read_in_each_encoding() {
    let shell = Shell::start();
    shell.ok(&["key", "create", "k", "--type", "EC"]);
    let message = shell.file("message", b"abc");
    // FIPS 180-4: SHA-256 of "abc".
    let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let base64url = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
    for (encoding, digest) in [("binary", hex), ("hex", base64url), ("base64url", hex)] {
        let signature = shell.path("signature");
        let sign = ["key", "sign", "k", "--alg", "ES256", "--digest", digest, "--encoding", encoding];
        std::fs::write(&signature, shell.bytes(&sign)).unwrap();
        if encoding == "binary" {
            assert_eq!(std::fs::read(&signature).unwrap().len(), 64);
        }
        let verify = ["key", "verify", "k", "--alg", "ES256", "--signature", text(&signature), "--encoding", encoding];
        shell.ok(&[&verify[..], &["--file", &message]].concat());
        shell.ok(&[&verify[..], &["--digest", hex]].concat());
        let other = format!("00{}", &hex[2..]);
        shell.refused(9, &[&verify[..], &["--digest", &other]].concat(), "not genuine");
    }
    let piped = shell.fed(b"abc", &["key", "sign", "k", "--alg", "ES256", "--file", "-"]);
    assert_eq!(piped.stdout.len(), 64, "{}", stderr(&piped));
    shell.refused(2, &["key", "sign", "k", "--alg", "ES256", "--digest", "abcd"], "32 bytes");
    shell.refused(2, &["key", "sign", "k", "--alg", "none", "--digest", hex], "ES256");
    shell.refused(2, &["key", "sign", "k", "--alg", "RS256", "--digest", hex], "RSA key");
    let garbage = shell.file("garbage", b"not a signature");
    let verify = ["key", "verify", "k", "--alg", "ES256", "--digest", hex, "--signature", &garbage];
    shell.refused(9, &[&verify[..], &["--signature-format", "der"]].concat(), "not genuine");
    shell.refused(2, &[&verify[..], &["--encoding", "hex"]].concat(), "--encoding");
}

#[test]
fn every_form_of_private_key_that_openssl_writes_is_imported() {
    let shell = Shell::start();
    let made = |name: &str| (shell.file(name, b""), format!("key-{}", name.replace('.', "-")));
    let passphrase = shell.file("passphrase", b"correct horse battery\n");
    let from = format!("file:{passphrase}");
    let ((rsa, rsa_name), (pkcs1, pkcs1_name)) = (made("rsa.pem"), made("pkcs1.pem"));
    let ((encrypted, encrypted_name), (scrypt, scrypt_name)) = (made("encrypted.pem"), made("scrypt.pem"));
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &rsa]);
    openssl(&["rsa", "-in", &rsa, "-traditional", "-out", &pkcs1]);
    openssl(&["pkcs8", "-topk8", "-in", &rsa, "-v2", "aes-256-cbc", "-passout", &from, "-out", &encrypted]);
    openssl(&["pkcs8", "-topk8", "-in", &rsa, "-scrypt", "-passout", &from, "-out", &scrypt]);
    let public = openssl(&["pkey", "-in", &rsa, "-pubout"]);
    for (file, name) in [(&rsa, rsa_name), (&pkcs1, pkcs1_name), (&encrypted, encrypted_name), (&scrypt, scrypt_name)] {
        shell.ok(&["key", "import", &name, "--file", file, "--passphrase-file", &passphrase]);
        assert_eq!(shell.ok(&["key", "download", &name]), public, "{name}");
    }
    for curve in ["prime256v1", "secp384r1", "secp521r1", "secp256k1"] {
        let ((sec1, sec1_name), (pkcs8, pkcs8_name)) =
            (made(&format!("{curve}.sec1")), made(&format!("{curve}.pkcs8")));
        // With the block of parameters before the key, as OpenSSL writes it.
        openssl(&["ecparam", "-name", curve, "-genkey", "-out", &sec1]);
        openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", &sec1, "-out", &pkcs8]);
        let public = openssl(&["pkey", "-in", &sec1, "-pubout"]);
        for (file, name) in [(&sec1, sec1_name), (&pkcs8, pkcs8_name)] {
            shell.ok(&["key", "import", &name, "--file", file]);
            assert_eq!(shell.ok(&["key", "download", &name]), public, "{name}");
        }
    }
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#;
    shell.ok(&["key", "import", "jwk", "--file", &shell.file("key.jwk", jwk.as_bytes())]);
    let back: Value = serde_json::from_str(&shell.ok(&["key", "download", "jwk", "--format", "jwk"])).unwrap();
    assert_eq!(back["x"], "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4");
    assert!(back.get("d").is_none() && back["kid"].as_str().unwrap().starts_with("jwk/"));
}

#[test]
fn an_import_that_cannot_be_says_why_and_quotes_nothing() {
    let shell = Shell::start();
    let passphrase = shell.file("passphrase", b"correct horse battery\n");
    let (key, encrypted, old) =
        (shell.file("key.pem", b""), shell.file("encrypted.pem", b""), shell.file("old.pem", b""));
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &key]);
    let from = format!("file:{passphrase}");
    openssl(&["pkcs8", "-topk8", "-in", &key, "-passout", &from, "-out", &encrypted]);
    openssl(&["rsa", "-in", &key, "-traditional", "-aes128", "-passout", &from, "-out", &old]);
    let import = |file: &str, word: &str| shell.refused(2, &["key", "import", "x", "--file", file], word);
    import(&encrypted, "--passphrase-file");
    let wrong = shell.file("wrong", b"canary passphrase\n");
    let refused = shell.run(&["key", "import", "x", "--file", &encrypted, "--passphrase-file", &wrong]);
    refusal(&refused, 2, "passphrase is wrong");
    assert!(!stderr(&refused).contains("canary"));
    import(&old, "openssl pkcs8 -topk8");
    let public = openssl(&["pkey", "-in", &key, "-pubout"]);
    import(&shell.file("public.pem", public.as_bytes()), "no private key");
    import(&shell.file("text", b"canary"), "no private key");
    import(&shell.file("bad.jwk", b"{\"kty\": \"canary"), "JWK");
    import(&shell.file("public.jwk", br#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#), "");
    let damaged = std::fs::read_to_string(&key).unwrap().replacen("MII", "AAA", 1);
    import(&shell.file("damaged.pem", damaged.as_bytes()), "");
    let ed = shell.file("ed.pem", b"");
    openssl(&["genpkey", "-algorithm", "ED25519", "-out", &ed]);
    import(&ed, "ES256");
    let open = shell.path("open.pem");
    std::fs::copy(&key, &open).unwrap();
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    shell.refused(1, &["key", "import", "x", "--file", text(&open)], "chmod 600");
}

#[test]
fn messages_and_keys_are_encrypted_here_and_by_openssl() {
    let shell = Shell::start();
    shell.ok(&["key", "create", "k", "--type", "RSA"]);
    let (pem, closed) = (shell.path("public.pem"), shell.path("closed"));
    shell.ok(&["key", "download", "k", "--out", text(&pem)]);
    let secret = b"32 bytes that are another key...";
    let plain = shell.file("plain", secret);
    for (close, open) in [("encrypt", "decrypt"), ("wrap", "unwrap")] {
        for alg in ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5"] {
            shell.ok(&["key", close, "k", "--alg", alg, "--file", &plain, "--out", text(&closed)]);
            assert_eq!(shell.bytes(&["key", open, "k", "--alg", alg, "--file", text(&closed)]), secret, "{alg}");
        }
    }
    let piped = shell.fed(secret, &["key", "wrap", "k", "--encoding", "base64url"]);
    assert!(piped.stdout.ends_with(b"\n") && piped.stdout.len() == 343, "{}", stderr(&piped));
    let out = shell.path("out");
    let back = shell.fed(&piped.stdout, &["key", "unwrap", "k", "--encoding", "base64url", "--out", text(&out)]);
    assert!(back.status.success(), "{}", stderr(&back));
    assert_eq!((std::fs::read(&out).unwrap(), mode(&out)), (secret.to_vec(), 0o600));
    let oaep =
        ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"];
    let arguments = ["pkeyutl", "-encrypt", "-pubin", "-inkey", text(&pem), "-in", &plain, "-out", text(&closed)];
    openssl(&[&arguments[..], &oaep].concat());
    assert_eq!(shell.bytes(&["key", "decrypt", "k", "--file", text(&closed)]), secret);
    std::fs::write(&closed, [0; 256]).unwrap();
    shell.refused(2, &["key", "decrypt", "k", "--file", text(&closed)], "");
    shell.refused(2, &["key", "encrypt", "k", "--alg", "A256GCM", "--file", &plain], "RSA-OAEP-256");
}

#[test]
fn keys_are_deleted_recovered_backed_up_and_purged() {
    let shell = Shell::start();
    shell.ok(&["key", "create", "k", "--type", "EC"]);
    shell.ok(&["key", "rotate", "k"]);
    let public = shell.ok(&["key", "download", "k"]);
    let file = shell.path("backup");
    shell.ok(&["key", "backup", "k", "--out", text(&file)]);
    shell.ok(&["key", "delete", "k"]);
    assert!(shell.ok(&["key", "list-deleted", "-o", "tsv"]).starts_with("k\t"));
    assert!(shell.json(&["key", "show", "k", "--deleted"])["deleted"].is_string());
    shell.ok(&["key", "recover", "k"]);
    shell.ok(&["key", "delete", "k"]);
    shell.ok(&["key", "purge", "k"]);
    shell.ok(&["key", "restore", "--file", text(&file)]);
    assert_eq!(shell.ok(&["key", "download", "k"]), public);
    assert_eq!(shell.json(&["key", "versions", "k"]).as_array().unwrap().len(), 2);
}

#[test]
fn the_doctor_names_the_step_that_fails() {
    let shell = Shell::start();
    let well = shell.ok(&["doctor"]);
    for step in ["name", "connection", "tls", "challenge", "token", "secrets", "keys"] {
        assert!(well.lines().any(|line| line.starts_with("ok ") && line.contains(step)), "{step}: {well}");
    }
    let id = |name: &str| shell.variables[name].clone();
    assert!(well.contains(&id("AZURE_TENANT_ID")) && well.contains(&id("AZURE_CLIENT_ID")), "{well}");
    assert!(well.contains(&id("STRONGROOM_OBJECT_ID")) && !well.contains("eyJ"), "{well}");
    let failed = |code: i32, command: &mut std::process::Command| {
        let output = command.output().unwrap();
        let steps: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{steps}");
        let step = steps.as_array().unwrap().iter().find(|step| step["status"] == "failed").unwrap().clone();
        assert!(step["advice"].as_str().is_some_and(|advice| !advice.is_empty()), "{step}");
        step["step"].as_str().unwrap().to_owned()
    };
    let doctor = || shell.command(&["doctor", "-o", "json"]);
    assert_eq!(failed(8, doctor().env("HTTPS_PROXY", "http://127.0.0.1:9")), "connection");
    assert_eq!(failed(8, doctor().env("HTTPS_PROXY", "http://no-such-host.invalid:80")), "name");
    assert_eq!(failed(8, doctor().env_remove("SSL_CERT_FILE")), "tls");
    assert_eq!(failed(4, doctor().env("AZURE_CLIENT_SECRET", "wrong")), "token");
    assert_eq!(failed(2, doctor().env("STRONGROOM_VAULT", "https:")), "url");
    let data = text(&shell.dev.folder).to_owned();
    let made = succeed(&["application", "create", "nobody", "--data", &data]);
    let of = |name: &str| made.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap().to_owned();
    let mut nobody = doctor();
    nobody.env("AZURE_CLIENT_ID", of("client_id")).env("AZURE_CLIENT_SECRET", of("client_secret"));
    assert_eq!(failed(5, &mut nobody), "secrets");
    assert!(strongroom().args(["doctor", "--vault", "memory:"]).output().unwrap().status.success());
}
