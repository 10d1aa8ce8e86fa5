//! Whatever comes from outside, altered at random: it is refused or read, and nothing panics.

use std::sync::Arc;

use strongroom::ca::{CertificateAuthority, Request};
use strongroom::clock::SystemClock;
use strongroom::documents::DocumentSignature;
use strongroom::envelope;
use strongroom::http_signatures::{Message, Signer, Verifier};
use strongroom::jws;
use strongroom::keys::{Signature, SignatureAlgorithm, from_pem};
use strongroom::ssh_agent::Agent;
use strongroom_crypto::PublicKey;

use crate::programs::{P256, RSA, key, succeed};

/// A generator that does the same each time (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    /// With some bytes changed, cut out or put in.
    fn altered(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        for _ in 0..=self.roll(3) {
            let place = self.roll(out.len() + 1);
            match self.roll(4) {
                0 if place < out.len() => out[place] ^= 1 << self.roll(8),
                1 if place < out.len() => out[place] = self.roll(256) as u8,
                2 => out.truncate(place),
                _ => out.insert(place, self.roll(256) as u8),
            }
        }
        out
    }
}

const ROUNDS: usize = 3_000;

#[tokio::test]
async fn altered_tokens_signatures_and_keys_are_refused_without_a_panic() {
    let (elliptic, mut dice) = (key("k", P256).await, Dice(0x5eed));
    let (version, public) = elliptic.public().await.unwrap();
    let token = jws::sign(&elliptic, None, None, b"payload").await.unwrap();
    let (spki, pem) = (public.to_spki(), elliptic.public_pem().await.unwrap());
    let signature = elliptic.sign(SignatureAlgorithm::ES256, b"m").await.unwrap();
    let der = signature.to_der().unwrap();
    for _ in 0..ROUNDS {
        let altered = dice.altered(token.as_bytes());
        if altered != token.as_bytes() {
            assert!(jws::verify(&String::from_utf8_lossy(&altered), &public).is_err());
        }
        let altered = dice.altered(&der);
        if let Ok(read) = Signature::from_der(version, SignatureAlgorithm::ES256, &altered) {
            assert_eq!(read.to_der().unwrap(), altered, "one form only");
            assert_eq!(elliptic.verify(b"m", &read).await.unwrap(), altered == der);
        }
        if let Ok(read) = PublicKey::from_spki(&dice.altered(&spki)) {
            assert_eq!(read.spec(), public.spec());
        }
        drop(from_pem(&String::from_utf8_lossy(&dice.altered(pem.as_bytes()))));
        drop(DocumentSignature::from_json(&String::from_utf8_lossy(&dice.altered(b"{\"algorithm\":\"ES256\"}"))));
    }
}

#[tokio::test]
async fn altered_envelopes_give_nothing_but_the_truth() {
    let (rsa, mut dice) = (key("k", RSA).await, Dice(0xe57e));
    let mut sealed = Vec::new();
    envelope::encrypt(&rsa, &b"the truth"[..], &mut sealed, |_| {}).await.unwrap();
    for _ in 0..300 {
        let altered = dice.altered(&sealed);
        let mut out = Vec::new();
        let answer = envelope::decrypt(&rsa, &altered[..], &mut out, |_| {}).await;
        assert_eq!((answer.is_ok(), out.is_empty()), (altered == sealed, altered != sealed));
    }
}

#[tokio::test]
async fn altered_http_fields_are_refused_without_a_panic() {
    let (elliptic, mut dice) = (key("k", P256).await, Dice(0x4771));
    let public = elliptic.public().await.unwrap().1;
    let request = Message::request("POST", "https://example.com/a?b=c&d=%20e").unwrap().with_body(b"{}");
    let signer = Signer::new(elliptic).covering(&["@method", "@target-uri", "@query-param;name=\"d\""]);
    let signed = signer.sign(&request).await.unwrap();
    let verifier = Verifier::new(Arc::new(SystemClock)).with_key("k", public).unwrap();
    let fields = signed.headers();
    for _ in 0..ROUNDS {
        let chosen = dice.roll(fields.len());
        let mut message = request.clone();
        let mut same = true;
        for (place, (name, value)) in fields.iter().enumerate() {
            let altered = if place == chosen { dice.altered(value.as_bytes()) } else { value.as_bytes().to_vec() };
            same &= altered == value.as_bytes();
            message = message.with_field(name, &String::from_utf8_lossy(&altered));
        }
        match verifier.verify(&message) {
            Ok(_) => {}
            Err(_) => assert!(!same),
        }
        drop(Message::request("GET", &String::from_utf8_lossy(&dice.altered(b"https://example.com:443/a?b#c"))));
    }
}

#[tokio::test]
async fn altered_requests_for_certificates_and_roots_are_refused_without_a_panic() {
    let (root, mut dice) = (key("root", P256).await, Dice(0xca11));
    let ca = CertificateAuthority::create_root(&root, "Root", 30).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let private = folder.path().join("key.pem");
    let curve = ["req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=a"];
    let csr = succeed("openssl", &[&curve[..], &["-keyout", private.to_str().unwrap()]].concat(), b"");
    let contents = pem::parse(&csr).unwrap().into_contents();
    for _ in 0..ROUNDS {
        let altered = dice.altered(&contents);
        // What lies outside of what was signed may have another form; it changes nothing.
        if let Ok(accepted) = Request::from_csr(&pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", altered.clone()))) {
            let (accepted, sent) = (format!("{accepted:?}"), format!("{:?}", Request::from_csr(&csr).unwrap()));
            assert_eq!(accepted, sent, "{}", hex::encode(&altered));
        }
        let altered = dice.altered(ca.certificate_der());
        let altered = pem::encode(&pem::Pem::new("CERTIFICATE", altered));
        drop(CertificateAuthority::open(&root, &altered).await);
    }
}

#[tokio::test]
async fn altered_messages_to_the_ssh_agent_are_answered_or_hung_up_on() {
    use tokio::io::AsyncWriteExt as _;
    let (elliptic, mut dice) = (key("k", P256).await, Dice(0x55a9));
    let agent = Agent::new(vec![elliptic]);
    let sign = [&[0, 0, 0, 18, 13][..], &[0, 0, 0, 4, 1, 2, 3, 4], &[0, 0, 0, 1, 9], &[0, 0, 0, 0]].concat();
    for _ in 0..ROUNDS {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        theirs.write_all(&[&[0, 0, 0, 1, 11], &dice.altered(&sign)[..]].concat()).await.unwrap();
        theirs.shutdown().await.unwrap();
        drop(agent.converse(ours).await);
    }
}
