"""Every algorithm, by the server on one side and by an independent library on the other, sync and aio."""

import os
from datetime import datetime, timedelta, timezone

import pytest

import independent
from expect import bad_parameter, refused
from independent import ENCRYPTIONS, EC_SIGNATURES, RSA_SIGNATURES, flip
from report import covers
from settings import unique

NOW = datetime.now(timezone.utc).replace(microsecond=0)
SIZES = (2048, 3072, 4096)
RSA_CASES = [(algorithm, 2048) for algorithm in RSA_SIGNATURES] + [
    (algorithm, size) for size in (3072, 4096) for algorithm in ("RS256", "PS256", "PS512")
]


async def signs(api, key, algorithm: str) -> None:
    """The server's signature is good by the independent library, and by the server itself; changed ones are not."""
    remote, digest = api.remote(key), independent.digest(algorithm, os.urandom(100))
    result = await remote.sign(algorithm, digest)
    assert (result.key_id, result.algorithm) == (key.id, algorithm)
    assert independent.verify(independent.public_key(key), algorithm, digest, result.signature)
    assert (await remote.verify(algorithm, digest, result.signature)).is_valid is True
    assert (await remote.verify(algorithm, digest, flip(result.signature))).is_valid is False
    assert (await remote.verify(algorithm, flip(digest), result.signature)).is_valid is False
    assert (await remote.verify(algorithm, digest, result.signature[:-1])).is_valid is False


@covers("K13", "K14")
@pytest.mark.parametrize("algorithm, size", RSA_CASES)
async def test_rsa_signatures(api, shelf, algorithm, size):
    key = await shelf.rsa(api, size)
    await signs(api, key, algorithm)


@covers("K13", "K14")
@pytest.mark.parametrize("algorithm", EC_SIGNATURES)
async def test_ec_signatures(api, shelf, algorithm):
    await signs(api, await shelf.ec(api, EC_SIGNATURES[algorithm]), algorithm)


@pytest.fixture(scope="module")
async def imported(apis):
    """Keys of which this side holds the private half too."""
    made = {}
    for kind in (2048, *independent.CURVES):
        local = independent.generate(kind)
        key = await apis["aio"].keys().import_key(unique("mine"), independent.private_jwk(local))
        made[kind] = (local, key)
    return made


@covers("K14")
@pytest.mark.parametrize("algorithm", [*RSA_SIGNATURES, *EC_SIGNATURES])
async def test_the_server_verifies_signatures_made_elsewhere(api, imported, algorithm):
    local, key = imported[EC_SIGNATURES.get(algorithm, 2048)]
    digest = independent.digest(algorithm, b"made elsewhere")
    signature = independent.sign(local, algorithm, digest)
    remote = api.remote(key)
    assert (await remote.verify(algorithm, digest, signature)).is_valid is True
    assert (await remote.verify(algorithm, digest, flip(signature, 5))).is_valid is False
    assert (await remote.verify(algorithm, digest, bytes(len(signature)))).is_valid is False


@covers("K11", "K12")
@pytest.mark.parametrize("algorithm", ENCRYPTIONS)
async def test_encrypt_and_decrypt(api, imported, algorithm):
    local, key = imported[2048]
    remote, padding = api.remote(key), independent.encryption_padding(algorithm)
    for plain in (b"x", b"\0lead", os.urandom(64)):
        there = await remote.encrypt(algorithm, plain)
        assert there.key_id == key.id and len(there.ciphertext) == 256
        assert local.decrypt(there.ciphertext, padding) == plain
        here = local.public_key().encrypt(plain, padding)
        assert (await remote.decrypt(algorithm, here)).plaintext == plain
        assert (await remote.decrypt(algorithm, there.ciphertext)).plaintext == plain


@covers("K15", "K16")
@pytest.mark.parametrize("algorithm", ENCRYPTIONS)
async def test_wrap_and_unwrap(api, imported, algorithm):
    local, key = imported[2048]
    remote, padding = api.remote(key), independent.encryption_padding(algorithm)
    secret = os.urandom(32)
    wrapped = await remote.wrap_key(algorithm, secret)
    assert wrapped.key_id == key.id and local.decrypt(wrapped.encrypted_key, padding) == secret
    assert (await remote.unwrap_key(algorithm, wrapped.encrypted_key)).key == secret
    here = local.public_key().encrypt(secret, padding)
    assert (await remote.unwrap_key(algorithm, here)).key == secret


@covers("K11", "K12", "K15", "K16")
@pytest.mark.parametrize("size", SIZES)
async def test_every_size_encrypts_up_to_its_limit(api, shelf, size):
    key = await shelf.rsa(api, size)
    remote = api.remote(key)
    for algorithm, overhead in (("RSA-OAEP", 42), ("RSA-OAEP-256", 66), ("RSA1_5", 11)):
        largest = os.urandom(size // 8 - overhead)
        box = (await remote.encrypt(algorithm, largest)).ciphertext
        assert (await remote.decrypt(algorithm, box)).plaintext == largest
        box = (await remote.wrap_key(algorithm, largest)).encrypted_key
        assert (await remote.unwrap_key(algorithm, box)).key == largest
        with bad_parameter():
            await remote.encrypt(algorithm, largest + b"!")


@covers("K12", "K13", "K16")
async def test_what_the_package_does_locally_the_server_understands(api, shelf):
    """The package's ordinary way: public operations here, private ones there."""
    rsa, ec = await shelf.rsa(api), await shelf.ec(api)
    client = api.crypto(rsa)
    box = (await client.encrypt("RSA-OAEP-256", b"x")).ciphertext
    assert (await client.decrypt("RSA-OAEP-256", box)).plaintext == b"x"
    wrapped = (await client.wrap_key("RSA-OAEP", b"y")).encrypted_key
    assert (await client.unwrap_key("RSA-OAEP", wrapped)).key == b"y"
    for key, algorithm in ((rsa, "PS384"), (ec, "ES256")):
        digest = independent.digest(algorithm, b"z")
        client = api.crypto(key)
        signature = (await client.sign(algorithm, digest)).signature
        assert (await client.verify(algorithm, digest, signature)).is_valid


@covers("K13")
async def test_a_client_of_a_key_without_version_uses_the_latest(api):
    keys, name = api.keys(), unique("latest")
    await keys.create_ec_key(name)
    latest = await keys.create_ec_key(name)
    digest = independent.digest("ES256", b"latest")
    client = keys.client.get_cryptography_client(name)
    result = client.sign("ES256", digest)
    result = await result if api.kind == "aio" else result
    assert result.key_id == latest.id
    assert independent.verify(independent.public_key(latest), "ES256", digest, result.signature)


@covers("K13", "K14")
@pytest.mark.parametrize("algorithm", [*RSA_SIGNATURES, *EC_SIGNATURES])
async def test_digests_of_another_length_are_refused(api, shelf, algorithm):
    curve = EC_SIGNATURES.get(algorithm)
    remote = api.remote(await (shelf.ec(api, curve) if curve else shelf.rsa(api)))
    length = len(independent.digest(algorithm, b""))
    for wrong in (0, length - 1, length + 1, 100):
        with bad_parameter():
            await remote.sign(algorithm, bytes(wrong))
    with bad_parameter():
        await remote.verify(algorithm, bytes(length - 1), bytes(64))


MISFITS = [("P-384", "ES256"), ("P-256", "ES384"), ("P-256", "ES256K"), ("P-256K", "ES256"), ("P-256", "RS256")]


@covers("K13")
@pytest.mark.parametrize("curve, algorithm", MISFITS)
async def test_an_algorithm_of_another_curve_is_refused(api, shelf, curve, algorithm):
    remote = api.remote(await shelf.ec(api, curve))
    with bad_parameter():
        await remote.sign(algorithm, independent.digest(algorithm, b"misfit"))


@covers("K13", "K11", "K15")
async def test_an_algorithm_of_another_key_type_is_refused(api, shelf):
    rsa, ec = api.remote(await shelf.rsa(api)), api.remote(await shelf.ec(api))
    with bad_parameter():
        await rsa.sign("ES256", bytes(32))
    with bad_parameter():
        await rsa.sign("RS1024", bytes(32))
    with bad_parameter():
        await rsa.wrap_key("A128KW", bytes(16))
    with refused(403, "Forbidden", "KeyOperationForbidden"):
        await ec.encrypt("RSA-OAEP", b"an EC key has no encrypt in its key_ops")


@covers("K12", "K16")
@pytest.mark.parametrize("algorithm", ENCRYPTIONS)
async def test_damaged_ciphertexts_get_one_uniform_refusal(api, shelf, algorithm):
    remote = api.remote(await shelf.rsa(api))
    box = (await remote.encrypt(algorithm, b"attack at dawn")).ciphertext
    messages = set()
    for damaged in (flip(box), flip(box, 10), bytes([0]) + os.urandom(255)):
        with bad_parameter() as caught:
            await remote.decrypt(algorithm, damaged)
        messages.add(caught.value.error.message)
        with bad_parameter():
            await remote.unwrap_key(algorithm, damaged)
    assert len(messages) == 1, "the message says nothing about the plaintext"


@covers("K11", "K12", "K13", "K14", "K15", "K16")
@pytest.mark.parametrize("window, inner", [((1, 2), "KeyNotYetValid"), ((-2, -1), "KeyExpired")], ids=["future", "past"])
async def test_outside_the_window_only_reading_operations_work(api, window, inner):
    local, name = independent.generate(2048), unique("window")
    bounds = [NOW + timedelta(days=day) for day in window]
    jwk = independent.private_jwk(local)
    key = await api.keys().import_key(name, jwk, not_before=bounds[0], expires_on=bounds[1])
    remote, digest = api.remote(key), independent.digest("RS256", b"window")
    for call in (
        lambda: remote.sign("RS256", digest),
        lambda: remote.encrypt("RSA-OAEP", b"x"),
        lambda: remote.wrap_key("RSA-OAEP", b"x"),
    ):
        with refused(403, "Forbidden", inner):
            await call()
    box = local.public_key().encrypt(b"old box", independent.encryption_padding("RSA-OAEP"))
    assert (await remote.decrypt("RSA-OAEP", box)).plaintext == b"old box"
    assert (await remote.unwrap_key("RSA-OAEP", box)).key == b"old box"
    assert (await remote.verify("RS256", digest, independent.sign(local, "RS256", digest))).is_valid
    await api.keys().update_key_properties(name, not_before=NOW - timedelta(days=1), expires_on=NOW + timedelta(days=1))
    assert (await remote.sign("RS256", digest)).signature == independent.sign(local, "RS256", digest)


CALLS = {
    "encrypt": ("encrypt", "RSA-OAEP", b"x"),
    "decrypt": ("decrypt", "RSA-OAEP", bytes(256)),
    "sign": ("sign", "RS256", bytes(32)),
    "verify": ("verify", "RS256", bytes(32), bytes(256)),
    "wrapKey": ("wrap_key", "RSA-OAEP", b"x"),
    "unwrapKey": ("unwrap_key", "RSA-OAEP", bytes(256)),
}


@covers("K5", "K11", "K12", "K13", "K14", "K15", "K16")
async def test_a_disabled_key_does_nothing_until_it_is_enabled_again(api):
    keys, name = api.keys(), unique("disabled")
    key = await keys.create_rsa_key(name)
    await keys.update_key_properties(name, key.properties.version, enabled=False)
    remote = api.remote(key)
    for method, *arguments in CALLS.values():
        with refused(403, "Forbidden", "KeyDisabled", text="disabled"):
            await getattr(remote, method)(*arguments)
    assert (await keys.get_key(name)).properties.enabled is False
    await keys.update_key_properties(name, key.properties.version, enabled=True)
    assert (await remote.sign("RS256", bytes(32))).signature


@covers("K11", "K12", "K13", "K14", "K15", "K16")
@pytest.mark.parametrize("operation", CALLS)
async def test_an_operation_outside_key_ops_is_forbidden(api, operation):
    keys, name = api.keys(), unique("ops")
    jwk = independent.private_jwk(FORBIDDING, [op for op in CALLS if op != operation])
    key = await keys.import_key(name, jwk)
    method, *arguments = CALLS[operation]
    with refused(403, "Forbidden", "KeyOperationForbidden", text=f"operation {operation} is not permitted"):
        await getattr(api.remote(key), method)(*arguments)


FORBIDDING = independent.generate(2048)
