//! Detached signatures of documents.

use strongroom::documents::{DocumentSignature, DocumentSigner};
use strongroom::keys::SignatureAlgorithm;

use crate::programs::{P256, P384, RSA, file, key, run};

#[tokio::test]
async fn openssl_verifies_a_signed_document_of_any_size() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (P256, None, "-sha256"),
        (P384, None, "-sha384"),
        (RSA, None, "-sha256"),
        (RSA, Some(SignatureAlgorithm::RS512), "-sha512"),
    ];
    for (spec, algorithm, digest) in cases {
        let key = key("document-signing-key", spec).await;
        let mut signer = DocumentSigner::new(key.clone());
        if let Some(algorithm) = algorithm {
            signer = signer.with_algorithm(algorithm);
        }
        for size in [0, 1, 65_536, 1_000_000] {
            let document = vec![0x25; size];
            let mut told = 0;
            let signature = signer.sign(&document[..], |bytes| told = bytes).await.unwrap();
            assert_eq!(told, size as u64);
            let pem = file(folder.path(), "key.pem", key.public_pem().await.unwrap());
            let document_file = file(folder.path(), "document.pdf", &document);
            let der = file(folder.path(), "document.sig", signature.signature.to_der().unwrap());
            let arguments = ["dgst", digest, "-verify", &pem, "-signature", &der, &document_file];
            assert!(run("openssl", &arguments, b"").status.success(), "{spec} {size}");
        }
    }
}

#[tokio::test]
async fn a_sidecar_round_trips_and_another_document_or_key_is_refused() {
    let signer = DocumentSigner::new(key("document-signing-key", P256).await);
    let signature = signer.sign(&b"contract"[..], |_| {}).await.unwrap();
    let sidecar = signature.to_json().unwrap();
    let read = DocumentSignature::from_json(&sidecar).unwrap();
    assert_eq!(read, signature);
    assert!(signer.verify(&b"contract"[..], &read).await.unwrap());
    assert!(!signer.verify(&b"contracT"[..], &read).await.unwrap());
    let other = DocumentSigner::new(key("other", P256).await);
    assert!(!other.verify(&b"contract"[..], &read).await.unwrap());
    for wrong in ["", "{}", &sidecar.replace("ES256", "none")] {
        assert!(DocumentSignature::from_json(wrong).is_err(), "{wrong}");
    }
}
