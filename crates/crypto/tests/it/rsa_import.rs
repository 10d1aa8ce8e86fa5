//! RSA keys from JSON Web Keys: what is accepted, and every reason to refuse.

use strongroom_crypto::{CryptoError, PrivateKey, PublicKey};
use strongroom_wire::algorithms::{EncryptionAlgorithm, SignatureAlgorithm};
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::jwk::{ImportJwk, PublicJwk};

use crate::support::{digest_of, private, public, rsa, rsa_jwk, rsa_members};

const N: usize = 0;
const E: usize = 1;
const D: usize = 2;
const P: usize = 3;
const Q: usize = 4;
const DP: usize = 5;
const DQ: usize = 6;
const QI: usize = 7;

fn imported(members: &[Vec<u8>]) -> Result<PrivateKey, CryptoError> {
    PrivateKey::from_jwk(&rsa_jwk(members))
}

fn assert_works(key: &PrivateKey) {
    let digest = digest_of(SignatureAlgorithm::PS256);
    let signature = key.sign(SignatureAlgorithm::PS256, &digest).unwrap();
    assert_eq!(rsa().public().verify(SignatureAlgorithm::PS256, &digest, &signature), Ok(true));
    let ciphertext = rsa().public().encrypt(EncryptionAlgorithm::RsaOaep, b"what").unwrap();
    assert_eq!(key.decrypt(EncryptionAlgorithm::RsaOaep, &ciphertext).unwrap().expose(), b"what");
}

fn assert_refused(result: Result<PrivateKey, CryptoError>, because: &str) {
    match result {
        Err(CryptoError::InvalidKey(message)) => assert!(message.contains(because), "{message:?} without {because:?}"),
        other => panic!("not refused because {because:?}: {other:?}"),
    }
}

/// Takes one member out.
type Remove = fn(&mut ImportJwk);

#[test]
fn accepts_all_members_or_just_the_necessary() {
    let members = rsa_members(rsa());
    assert_works(&imported(&members).unwrap());

    let mut jwk = rsa_jwk(&members);
    (jwk.dp, jwk.dq, jwk.qi) = (None, None, None);
    let key = PrivateKey::from_jwk(&jwk).unwrap();
    assert_works(&key);
    assert_eq!(rsa_members(&key), members, "the computed members are those that were left out");

    jwk.kty = "RSA-HSM".to_owned();
    assert_works(&PrivateKey::from_jwk(&jwk).unwrap());
}

#[test]
fn accepts_the_primes_the_other_way_round() {
    let members = rsa_members(rsa());
    let mut jwk = rsa_jwk(&members);
    (jwk.p, jwk.q) = (private(&members[Q]), private(&members[P]));
    (jwk.dp, jwk.dq, jwk.qi) = (private(&members[DQ]), private(&members[DP]), None);
    assert_works(&PrivateKey::from_jwk(&jwk).unwrap());
}

#[test]
fn tolerates_leading_zeros() {
    let members: Vec<Vec<u8>> = rsa_members(rsa()).iter().map(|member| [&[0, 0], &member[..]].concat()).collect();
    let key = imported(&members).unwrap();
    assert_works(&key);
    let PublicJwk::Rsa { n, e } = key.public().to_jwk() else { panic!() };
    assert_eq!((n.0.len(), n.0[0] >= 0x80, e.0.as_slice()), (256, true, &[1, 0, 1][..]));
}

#[test]
fn names_the_missing_member() {
    let members = rsa_members(rsa());
    let missing: [(&str, Remove); 5] = [
        ("lacks n", |jwk| jwk.n = None),
        ("lacks e", |jwk| jwk.e = None),
        ("lacks d", |jwk| jwk.d = None),
        ("lacks p", |jwk| jwk.p = None),
        ("lacks q", |jwk| jwk.q = None),
    ];
    for (message, remove) in missing {
        let mut jwk = rsa_jwk(&members);
        remove(&mut jwk);
        assert_refused(PrivateKey::from_jwk(&jwk), message);
    }
}

#[test]
fn names_the_inconsistent_member() {
    let members = rsa_members(rsa());
    let with = |index: usize, value: Vec<u8>| {
        let mut changed = members.clone();
        changed[index] = value;
        imported(&changed)
    };
    // Two more: odd stays odd.
    let plus_two = |index: usize| {
        let mut value = members[index].clone();
        let last = value.len() - 1;
        value[last] ^= 2;
        value
    };
    let mut larger_modulus = members[N].clone();
    larger_modulus[200] ^= 1;

    assert_refused(with(N, larger_modulus), "not the product");
    assert_refused(with(P, plus_two(P)), "not the product");
    assert_refused(with(Q, plus_two(Q)), "not the product");
    assert_refused(with(P, vec![]), "greater than 1");
    assert_refused(with(Q, vec![1]), "greater than 1");
    assert_refused(with(P, vec![1; 257]), "p is longer than the modulus");
    assert_refused(with(D, plus_two(D)), "(d) does not belong");
    assert_refused(with(D, vec![]), "(d) does not belong");
    assert_refused(with(D, vec![0xff; 256]), "not less than the modulus");
    assert_refused(with(D, vec![1; 4000]), "d is longer than the modulus");
    assert_refused(with(E, vec![3]), "(d) does not belong");
    assert_refused(with(DP, plus_two(DP)), "dp is not d mod (p - 1)");
    assert_refused(with(DQ, plus_two(DQ)), "dq is not d mod (q - 1)");
    assert_refused(with(QI, plus_two(QI)), "qi is not the inverse of q mod p");
    assert_refused(with(QI, vec![1; 300]), "qi is longer than the modulus");

    let mut jwk = rsa_jwk(&members);
    (jwk.p, jwk.q) = (private(&members[N]), private(&[1]));
    assert_refused(PrivateKey::from_jwk(&jwk), "greater than 1");
}

/// n = p·q and e·d ≡ 1 hold, yet p is a product of two primes.
#[test]
fn composite_factors_are_noticed() {
    let bytes = |text: &str| hex::decode(text).unwrap();
    let jwk = ImportJwk {
        kty: "RSA".to_owned(),
        n: public(&bytes(COMPOSITE_N)),
        e: public(&[1, 0, 1]),
        d: private(&bytes(COMPOSITE_D)),
        p: private(&bytes(COMPOSITE_P)),
        q: private(&bytes(COMPOSITE_Q)),
        ..Default::default()
    };
    assert_refused(PrivateKey::from_jwk(&jwk), "prime");
}

#[test]
fn public_members_have_to_be_sound() {
    let members = rsa_members(rsa());
    let n = |n: Vec<u8>| {
        let mut jwk = rsa_jwk(&members);
        jwk.n = public(&n);
        (PrivateKey::from_jwk(&jwk), PublicKey::from_jwk(&PublicJwk::Rsa { n: Base64Url(n), e: Base64Url(vec![3]) }))
    };
    let e = |e: &[u8]| {
        let mut jwk = rsa_jwk(&members);
        jwk.e = public(e);
        let n = Base64Url(members[N].clone());
        (PrivateKey::from_jwk(&jwk), PublicKey::from_jwk(&PublicJwk::Rsa { n, e: Base64Url(e.to_vec()) }))
    };
    let check = |(private, public): (Result<PrivateKey, _>, Result<PublicKey, CryptoError>), because: &str| {
        assert_refused(private, because);
        assert!(public.unwrap_err().to_string().contains(because), "{because}");
    };
    check(n(vec![]), "has 0 bits");
    check(n(vec![0; 256]), "has 0 bits");
    check(n(vec![0xff; 128]), "has 1024 bits");
    check(n([&[0x7f][..], &[0xff; 255]].concat()), "has 2047 bits");
    check(n([&[1][..], &[0xff; 256]].concat()), "has 2049 bits");
    check(n(vec![0xff; 1024]), "has 8192 bits");
    check(n(vec![0xfe; 256]), "is even");
    check(e(&[]), "missing or zero");
    check(e(&[0, 0]), "missing or zero");
    check(e(&[1]), "less than 3");
    check(e(&[0, 2]), "less than 3");
    check(e(&[1, 0, 0]), "is even");
    check(e(&[1, 0, 0, 0, 1]), "longer than 32 bits");
}

#[test]
fn other_key_types_are_explained() {
    let of_type = |kty: &str| match PrivateKey::from_jwk(&ImportJwk { kty: kty.to_owned(), ..Default::default() }) {
        Err(CryptoError::Unsupported(message)) => message,
        other => panic!("{kty}: {other:?}"),
    };
    assert!(of_type("OKP").contains("ES256 / P-256"));
    assert!(of_type("oct").contains("symmetric keys live in a Managed HSM"));
    assert!(of_type("oct-HSM").contains("Managed HSM"));
    assert!(of_type("rsa").contains("not supported"));
    assert_refused(PrivateKey::from_jwk(&ImportJwk::default()), "lacks kty");
    let blob = ImportJwk { kty: "RSA-HSM".to_owned(), key_hsm: private(b"blob"), ..Default::default() };
    assert!(matches!(PrivateKey::from_jwk(&blob), Err(CryptoError::Unsupported(_))));
}

/// Messages hold nothing of the key.
#[test]
fn messages_hold_no_key_bits() {
    let members = rsa_members(rsa());
    for index in 0..members.len() {
        let mut changed = members.clone();
        changed[index].reverse();
        let Err(error) = imported(&changed) else { continue };
        let message = error.to_string();
        assert!(message.len() < 120 && !message.contains(&hex::encode(&members[index][..4])), "{message}");
    }
}

const COMPOSITE_N: &str = concat!(
    "afb9dae238e0e1bc404be498dc7fb36b0ddaebb2408b54ae195d355873d48b1401147359e58a21c6ff27802831c94136b320",
    "14e20bb56f46be121e5c7d9e1304b47e64a0e0b0cbb5bd557b978647140838835bfdbcc7a17db4bf1cc59c50cc1902d62bbb",
    "c01f7fea079009ae92385c24d4fe28af855aeabaa72252f7102f63b86bbe82b3196a6ef416316b4d30892afc6b30dd4d13cf",
    "0efe8480dccab1577a5635973a7bfc252ae4e6fe69d4f58079f141bb0707e879079a2313df93038498ce21ce1df81decd106",
    "a8d29675fe5c15256edf6e0e1ba4405828ade530698402fc56eb4420383e1fc37f2261b04a880348a8f8412d98d6ca4563bc",
    "8def9728fa97",
);
const COMPOSITE_D: &str = concat!(
    "0eed68fb18f2d2d4da2f62e805ff1bbf7c7f517b4f16a6e707da38f5b3c28fdd44a98c924be34688457f8102fe6bb161a8a8",
    "bbd811ea3932d762e9a258bcc207d474a784050cefae6cbace136a96da219d4f5ca950228884df02f1ba40539ac0307dff5c",
    "0fc4d29464f7bc3825f7ff57d4f766d460d87ecd194a85fab2821c0f2d2128a398d9e60e0316aadf42a5a0b9c87e3929e837",
    "02e428deef350cdafd9046c0dc9cedc7319fab4e48fa9a8ce57b305168047c36efb54fb7d7d18b999a8ee8370b897aa7ca39",
    "f9de5a29e981a5c7e9a7fb3250b7f40c743cc0b964ab6083092da71c20921fbf949a2dc6b1fae2940428ada9b535da99a72a",
    "8916c52240e5",
);
const COMPOSITE_P: &str = concat!(
    "c0d66482e2ffbc0430d0bde689e8b746b950893711e4e7a1530b2b2d5028469d1b136c464cedf4179af88e0d1770b859d8a2",
    "6993c165e9a1705df751c46ac2d1406a702bf91c26eaab02864464c0bd5636ee0d9a11445a5a6c534a441d3e62a2950bb554",
    "cc47cf69f01d736785bf8f312bc950a8c91d6a4e7d3f30b1a18caa7b",
);
const COMPOSITE_Q: &str = concat!(
    "e948a614fb9e715e4031fb85f5168d59904ec8402844dc1a81273606ae0b6a3b7be703a51bc1490492a609b94811dacd520f",
    "bf6af5e40e5d273df2ebac98d802b729bc3a4431c3d14364ef43c957cf634633e82b34b898c1ff4819321d31ede42122b43a",
    "5b7336e5612b477fb13c75e3c0fe346d49f055964c86e6dd8d35f395",
);
