"""The same algorithms by an independent library: the server never checks its own work."""

from azure.keyvault.keys import JsonWebKey, KeyVaultKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512, "256K": hashes.SHA256}
CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1, "P-256K": ec.SECP256K1}
COORDINATE = {"P-256": 32, "P-384": 48, "P-521": 66, "P-256K": 32}
RSA_SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
EC_SIGNATURES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"}
EC_SIGNATURES_BY_CURVE = {curve: algorithm for algorithm, curve in EC_SIGNATURES.items()}
ENCRYPTIONS = ("RSA-OAEP", "RSA-OAEP-256", "RSA1_5")


def digest(algorithm: str, data: bytes) -> bytes:
    """The digest that a signature algorithm signs."""
    state = hashes.Hash(HASHES[algorithm[2:]]())
    state.update(data)
    return state.finalize()


def public_key(key: KeyVaultKey) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey:
    """The public half that the server shows, after checking how it is written."""
    jwk = key.key
    if jwk.kty == "RSA":
        assert jwk.n[0] and jwk.e[0], "n and e have no leading zero"
        return rsa.RSAPublicNumbers(int.from_bytes(jwk.e), int.from_bytes(jwk.n)).public_key()
    assert jwk.kty == "EC"
    assert len(jwk.x) == len(jwk.y) == COORDINATE[jwk.crv], "coordinates are padded to the curve's length"
    return ec.EllipticCurvePublicNumbers(int.from_bytes(jwk.x), int.from_bytes(jwk.y), CURVES[jwk.crv]()).public_key()


def _rsa_padding(algorithm: str):
    hash_ = HASHES[algorithm[2:]]()
    if algorithm.startswith("RS"):
        return padding.PKCS1v15()
    return padding.PSS(padding.MGF1(hash_), salt_length=hash_.digest_size)


def verify(key, algorithm: str, digested: bytes, signature: bytes) -> bool:
    """Whether `signature`, as the wire carries it, is the public key's on the digest."""
    hash_ = utils.Prehashed(HASHES[algorithm[2:]]())
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, digested, _rsa_padding(algorithm), hash_)
        else:
            half = COORDINATE[EC_SIGNATURES[algorithm]]
            assert len(signature) == 2 * half, "an EC signature is r||s of fixed length"
            r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
            key.verify(utils.encode_dss_signature(r, s), digested, ec.ECDSA(hash_))
    except InvalidSignature:
        return False
    return True


def sign(key, algorithm: str, digested: bytes) -> bytes:
    """A signature of a local private key, in the wire's form."""
    hash_ = utils.Prehashed(HASHES[algorithm[2:]]())
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(digested, _rsa_padding(algorithm), hash_)
    half = COORDINATE[EC_SIGNATURES[algorithm]]
    r, s = utils.decode_dss_signature(key.sign(digested, ec.ECDSA(hash_)))
    return r.to_bytes(half) + s.to_bytes(half)


def encryption_padding(algorithm: str):
    """The RSA padding of an encryption or wrapping algorithm."""
    if algorithm == "RSA1_5":
        return padding.PKCS1v15()
    hash_ = hashes.SHA1() if algorithm == "RSA-OAEP" else hashes.SHA256()
    return padding.OAEP(padding.MGF1(hash_), hash_, None)


def generate(kind: int | str):
    """A local private key: an RSA size or a curve name."""
    if isinstance(kind, int):
        return rsa.generate_private_key(65537, kind)
    return ec.generate_private_key(CURVES[kind]())


def _bytes(number: int, length: int = 0) -> bytes:
    return number.to_bytes(length or (number.bit_length() + 7) // 8)


def private_jwk(key, operations: list[str] | None = None) -> JsonWebKey:
    """A local private key as the import operation takes it."""
    numbers = key.private_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        public = numbers.public_numbers
        members = {"n": public.n, "e": public.e, "d": numbers.d, "p": numbers.p, "q": numbers.q}
        members |= {"dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
        operations = operations or ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]
        return JsonWebKey(kty="RSA", key_ops=operations, **{name: _bytes(value) for name, value in members.items()})
    curve = next(name for name, cls in CURVES.items() if isinstance(key.curve, cls))
    length, public = COORDINATE[curve], numbers.public_numbers
    members = {"x": public.x, "y": public.y, "d": numbers.private_value}
    values = {name: _bytes(value, length) for name, value in members.items()}
    return JsonWebKey(kty="EC", crv=curve, key_ops=operations or ["sign", "verify"], **values)


def flip(data: bytes, at: int = -1) -> bytes:
    """The same bytes with one bit changed."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)
