//! Keys: made, signed with, and what foreign tools say to the signatures.

use std::fs;
use std::process::Command;

use serde_json::json;
use strongroom::keys::{Signature, SignatureAlgorithm, Version};

use super::{World, example, openssl_verifies, prints, refuses, stdout};
use crate::process::{stderr, text};

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_wanted_kind_are_made() {
    let world = World::new();
    assert_eq!(
        world.prints("basic", &[]),
        "RSA key generated in Azure Key Vault\nSignature created: 256 bytes\nPublic key retrieved: RSA 2048\n\
         Signature valid: true\n"
    );
    assert_eq!(world.prints("service_principal", &[]), "ECDSA key created with service principal auth\n");
    let client = world.dev.client().await;
    let (_, made) = client.get("/keys/ecdsa-p256-key").await;
    assert_eq!((&made["key"]["kty"], &made["key"]["crv"]), (&json!("EC"), &json!("P-256")), "{made}");
    let missing = refuses("service_principal", &[], &world.without(&["AZURE_CLIENT_SECRET"]));
    assert!(missing.starts_with("client_secret is missing"), "{missing}");

    let printed = prints("four_keys", &[], &world.at("other"));
    assert!(printed.ends_with("Multiple algorithm keys generated\n"), "{printed}");
    let other = client.at("other");
    let (_, list) = other.get("/keys").await;
    assert_eq!(list["value"].as_array().unwrap().len(), 4, "{list}");
    for (name, size) in [("rsa-2048", 2048), ("rsa-4096", 4096)] {
        let (_, key) = other.get(&format!("/keys/{name}")).await;
        let modulus = key["key"]["n"].as_str().unwrap();
        assert_eq!(modulus.len(), (size / 8 * 4_usize).div_ceil(3), "{name}");
    }
    for (name, curve) in [("ecdsa-p256", "P-256"), ("ecdsa-p384", "P-384")] {
        assert_eq!(other.get(&format!("/keys/{name}")).await.1["key"]["crv"], curve, "{name}");
    }

    // A server without an HSM says what to do.
    let refused = refuses("hsm_key", &[], &world.environment);
    assert!(refused.contains("This vault has no HSM"), "{refused}");
}

#[test]
fn what_was_signed_is_verified_by_openssl() {
    let world = World::new();
    let folder = world.folder.path().join("signed");
    fs::create_dir(&folder).unwrap();
    let wanted = "Signed: 256 bytes\nCertificate signed: 512 bytes\nAPI request signed: 64 bytes\n\
                  Another request with that signature: refused\nDocument signed: 256 bytes\n";
    assert_eq!(world.prints("signing_service", &[text(&folder)]), wanted);
    let of = |name: &str, end: &str| folder.join(format!("{name}{end}"));
    let check = || {
        for name in ["message", "certificate", "request", "document"] {
            openssl_verifies(&of(name, ".pem"), &of(name, ".sig"), &of(name, ""));
        }
    };
    check();
    assert_eq!(fs::read(of("request", "")).unwrap(), b"GET /api/v1/resource");
    // Another time it finds its keys.
    let key = fs::read(of("message", ".pem")).unwrap();
    assert_eq!(world.prints("signing_service", &[text(&folder)]), wanted);
    assert_eq!(fs::read(of("message", ".pem")).unwrap(), key);
    check();
    let nobody = world.without(&["AZURE_KEYVAULT_URL"]);
    let output = example("signing_service", &[], &nobody).output().unwrap();
    assert!(!output.status.success() && stderr(&output).contains("vault_url"), "{}", stderr(&output));
}

#[test]
fn a_token_is_read_by_python_and_verified_by_openssl() {
    let world = World::new();
    let printed = world.prints("jwt", &[]);
    assert!(printed.starts_with("JWT signed: 64 bytes\n") && printed.contains("It speaks for alice"), "{printed}");
    let token = printed.lines().find(|line| line.starts_with("ey")).unwrap();
    let script = "import base64, json, sys\n\
                  decode = lambda part: base64.urlsafe_b64decode(part + '=' * (-len(part) % 4))\n\
                  header, claims, signature = sys.argv[1].split('.')\n\
                  header, claims = json.loads(decode(header)), json.loads(decode(claims))\n\
                  assert claims['exp'] - claims['iat'] == 600 and claims['sub'] == 'alice'\n\
                  assert header['alg'] == 'ES256' and header['typ'] == 'JWT' and len(decode(signature)) == 64\n\
                  sys.stdout.write(decode(signature).hex() + ' ' + header['kid'])";
    let output = Command::new("python3").args(["-c", script, token]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let read = stdout(&output);
    let (signature, kid) = read.split_once(' ').unwrap();
    let version = Version::parse(kid.strip_prefix("jwt-signing-key/").unwrap()).unwrap();
    let bytes = hex::decode(signature).unwrap();
    let signature = Signature { version, algorithm: SignatureAlgorithm::ES256, bytes };

    let file = |name: &str, content: &[u8]| {
        let path = world.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let pem = &printed[printed.find("-----BEGIN").unwrap()..];
    let (input, _) = token.rsplit_once('.').unwrap();
    let key = file("key.pem", pem.as_bytes());
    openssl_verifies(&key, &file("token.sig", &signature.to_der().unwrap()), &file("token", input.as_bytes()));
}
