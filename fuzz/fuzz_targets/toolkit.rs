//! What a program that links the toolkit is given by strangers or by files: URIs of vaults, tokens,
//! envelopes, signatures, keys, signed requests, messages to the agent, settings.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use strongroom::clock::ManualClock;
use strongroom::http_signatures::{Verifier, Message};
use strongroom::keyring::Settings;
use strongroom::keys::{Curve, KeySpec, VaultKey};
use strongroom::vault::Time;
use strongroom::{documents, envelope, jws, keys, practice, ssh_agent};
use strongroom_backends::open::VaultUri;
use strongroom_crypto::{PublicKey, ecdsa_from_der, ecdsa_to_der};
use strongroom_fuzz::RUNTIME;

/// A key of a vault, its public half, and an agent that has it.
static KEY: LazyLock<(VaultKey, PublicKey, ssh_agent::Agent)> = LazyLock::new(|| {
    RUNTIME.block_on(async {
        let vault = strongroom::open("memory:").await.unwrap();
        let key = VaultKey::new(vault, "fuzzed").unwrap();
        key.create(KeySpec::Ec(Curve::P256)).await.unwrap();
        let public = key.public().await.unwrap().1;
        let agent = ssh_agent::Agent::new(vec![key.clone()]);
        (key, public, agent)
    })
});

fuzz_target!(|data: &[u8]| {
    let (key, public, agent) = &*KEY;
    for curve in [Curve::P256, Curve::P521] {
        if let Ok(raw) = ecdsa_from_der(curve, data) {
            assert_eq!(ecdsa_to_der(curve, &raw).unwrap(), data, "a signature has one DER form");
        }
    }
    RUNTIME.block_on(async {
        let mut opened = Vec::new();
        assert!(envelope::decrypt(key, data, &mut opened, |_| {}).await.is_err() && opened.is_empty());
        let stream = tokio::io::join(data, tokio::io::sink());
        drop(agent.converse(stream).await);
    });
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(uri) = VaultUri::parse(text) {
        drop((uri.file_path(), uri.only(&["vault"])));
    }
    assert!(jws::verify(text, public).is_err(), "nobody can sign for the key");
    drop(jws::unverified_header(text));
    drop(documents::DocumentSignature::from_json(text));
    drop(keys::from_pem(text));
    drop(Settings::read(text, []));
    drop(practice::settings_findings(text));
    let (input, signature) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(message) = Message::request("POST", "https://api.example/orders") {
        let message = message.with_field("signature-input", input).with_field("signature", signature);
        let clock = ManualClock::new(Time::from_seconds(1_800_000_000));
        let verifier = Verifier::new(clock).with_key("test", public.clone()).unwrap();
        assert!(verifier.verify(&message).is_err(), "nobody can sign for the key");
    }
});

