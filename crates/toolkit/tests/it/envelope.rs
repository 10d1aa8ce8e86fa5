//! Envelope encryption.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use strongroom::envelope::{CHUNK, EnvelopeError, decrypt, decrypt_file, encrypt, encrypt_file, read_header};
use strongroom::keys::VaultKey;
use tokio::io::{AsyncRead, ReadBuf};

use crate::programs::{P256, RSA, key};

async fn sealed(key: &VaultKey, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encrypt(key, data, &mut out, |_| {}).await.unwrap();
    out
}

/// What was written, and how it ended.
async fn opened(key: &VaultKey, data: &[u8]) -> (Vec<u8>, Result<u64, EnvelopeError>) {
    let mut out = Vec::new();
    let answer = decrypt(key, data, &mut out, |_| {}).await;
    (out, answer)
}

/// Where the first chunk begins.
fn head_len(sealed: &[u8]) -> usize {
    12 + u32::from_be_bytes(sealed[8..12].try_into().unwrap()) as usize
}

#[tokio::test]
async fn every_length_around_a_chunk_comes_back() {
    let key = key("data", RSA).await;
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17] {
        let data: Vec<u8> = (0..length).map(|number| (number % 251) as u8).collect();
        let sealed = sealed(&key, &data).await;
        assert!(
            length == 0
                || !sealed.windows(64.min(length)).any(|window| window == &data[..64.min(length)])
                || length < 8
        );
        let (out, answer) = opened(&key, &sealed).await;
        assert_eq!((answer.unwrap(), out == data), (length as u64, true), "{length}");
    }
}

#[tokio::test]
async fn what_was_altered_cut_off_moved_or_added_is_refused() {
    let key = key("data", RSA).await;
    let data: Vec<u8> = (0..3 * CHUNK + 100).map(|number| (number % 251) as u8).collect();
    let whole = sealed(&key, &data).await;
    let (head, chunk) = (head_len(&whole), CHUNK + 16);
    let refused = async |what: &str, sealed: Vec<u8>| {
        let (out, answer) = opened(&key, &sealed).await;
        assert!(matches!(answer, Err(EnvelopeError::Altered)), "{what}: {answer:?}");
        assert!(data.starts_with(&out), "{what}: something else than the truth was written");
    };
    for end in [head, head + 1, head + chunk, head + 2 * chunk, head + 3 * chunk, whole.len() - 1, whole.len() - 116] {
        refused(&format!("cut off at {end}"), whole[..end].to_vec()).await;
    }
    for place in [head, head + 15, head + chunk - 1, head + chunk, whole.len() - 1] {
        let mut altered = whole.clone();
        altered[place] ^= 1;
        refused(&format!("a bit at {place}"), altered).await;
    }
    let mut swapped = whole[..head].to_vec();
    swapped.extend_from_slice(&whole[head + chunk..head + 2 * chunk]);
    swapped.extend_from_slice(&whole[head..head + chunk]);
    swapped.extend_from_slice(&whole[head + 2 * chunk..]);
    refused("swapped chunks", swapped).await;
    refused("a byte more", [&whole[..], &[0]].concat()).await;
    refused("itself twice", [&whole[..], &whole[head..]].concat()).await;
    let mut without_second = whole.clone();
    without_second.drain(head + chunk..head + 2 * chunk);
    refused("a chunk less", without_second).await;

    let other = sealed(&key, &data).await;
    refused("another's chunks", [&whole[..head], &other[head_len(&other)..]].concat()).await;
}

#[tokio::test]
async fn every_altered_byte_of_the_header_is_refused() {
    let key = key("data", RSA).await;
    let whole = sealed(&key, b"data").await;
    for place in 0..head_len(&whole) {
        let mut altered = whole.clone();
        altered[place] ^= 1;
        let (out, answer) = opened(&key, &altered).await;
        assert!(answer.is_err() && out.is_empty(), "byte {place}: {answer:?}");
    }
    let json = String::from_utf8_lossy(&whole[12..head_len(&whole)]).replace("RSA-OAEP-256", "RSA1_5");
    let other = [b"SRENVEL\x01", &(json.len() as u32).to_be_bytes()[..], json.as_bytes(), &whole[head_len(&whole)..]];
    assert!(opened(&key, &other.concat()).await.1.unwrap_err().to_string().contains("RSA-OAEP-256"));
    for end in 0..head_len(&whole) {
        let (out, answer) = opened(&key, &whole[..end]).await;
        assert!(matches!(answer, Err(EnvelopeError::Malformed(_))) && out.is_empty(), "{end}: {answer:?}");
    }
}

#[tokio::test]
async fn after_a_rotation_old_envelopes_open_and_new_ones_name_the_new_version() {
    let key = key("data", RSA).await;
    let old = sealed(&key, b"old").await;
    let second = key.create(RSA).await.unwrap();
    let new = sealed(&key, b"new").await;
    assert_eq!(opened(&key, &old).await.0, b"old");
    assert_eq!(opened(&key, &new).await.0, b"new");
    let header = read_header(&new[..]).await.unwrap();
    assert_eq!(header.key_version().unwrap().1, second);
    assert!(matches!(opened(&key.at(second), &old).await.1, Err(EnvelopeError::OtherKey(_))));
}

#[tokio::test]
async fn the_wrong_key_is_named_and_an_elliptic_one_is_told_what_to_use() {
    let (ours, others, elliptic) = (key("data", RSA).await, key("other", RSA).await, key("curve", P256).await);
    let whole = sealed(&ours.clone().in_vault("https://a.vault.azure.net"), b"data").await;
    let refusal = opened(&others, &whole).await.1.unwrap_err().to_string();
    assert!(refusal.contains("https://a.vault.azure.net/keys/data/"), "{refusal}");
    let namesake = key("data", RSA).await;
    assert!(opened(&namesake, &whole).await.1.unwrap_err().to_string().contains("key not found: data/"));
    let refusal = encrypt(&elliptic, &b"x"[..], Vec::new(), |_| {}).await.unwrap_err().to_string();
    assert!(refusal.contains("EC P-256") && refusal.contains("file:"), "{refusal}");
    for wrong in
        [&b""[..], b"-----BEGIN", b"SRENVEL\x02\0\0\0\0", b"SRENVEL\x01\xff\xff\xff\xff", b"SRENVEL\x01\0\0\0\x02{}"]
    {
        assert!(matches!(opened(&ours, wrong).await.1, Err(EnvelopeError::Malformed(_))));
    }
}

/// So many zero bytes, some at a time.
struct Zeros(u64);

impl AsyncRead for Zeros {
    fn poll_read(mut self: Pin<&mut Self>, _cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let length = self.0.min(buffer.remaining() as u64).min(10_007);
        buffer.put_slice(&vec![0; length as usize]);
        self.0 -= length;
        Poll::Ready(Ok(()))
    }
}

fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn memory_is_bounded_whatever_the_size() {
    let key = key("data", RSA).await;
    let (reader, writer) = tokio::io::duplex(1 << 20);
    let size = 64 << 20;
    let before = peak_kib();
    let mut told = 0;
    let sealing = {
        let key = key.clone();
        tokio::spawn(async move { encrypt(&key, Zeros(size), writer, |_| {}).await })
    };
    let total = decrypt(&key, reader, tokio::io::sink(), |bytes| told = bytes).await.unwrap();
    assert_eq!((total, told, sealing.await.unwrap().unwrap()), (size, size, size));
    // Other tests of this process may take some meanwhile; 64 MiB would show.
    assert!(peak_kib() - before < 48 << 10, "{} KiB more", peak_kib() - before);
}

#[tokio::test]
async fn files_appear_whole_and_private_or_not_at_all() {
    let (folder, key) = (tempfile::tempdir().unwrap(), key("data", RSA).await);
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("plain"), vec![5; 200_000]).unwrap();
    encrypt_file(&key, &path("plain"), &path("sealed"), |_| {}).await.unwrap();
    decrypt_file(&key, &path("sealed"), &path("again"), |_| {}).await.unwrap();
    assert_eq!(std::fs::read(path("again")).unwrap(), vec![5; 200_000]);
    for name in ["sealed", "again"] {
        assert_eq!(std::fs::metadata(path(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut altered = std::fs::read(path("sealed")).unwrap();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    std::fs::write(path("altered"), altered).unwrap();
    for target in ["again", "new"] {
        decrypt_file(&key, &path("altered"), &path(target), |_| {}).await.unwrap_err();
    }
    assert_eq!(std::fs::read(path("again")).unwrap().len(), 200_000, "what was there is there");
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["again", "altered", "plain", "sealed"], "nothing half-made is left");
}
