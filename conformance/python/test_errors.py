"""The errors that users catch, by exception class, status and code, sync and aio."""

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

import independent
from expect import bad_parameter, refused
from report import covers
from settings import unique

BAD_NAMES = ["bad_name", "bad.name", "bad name", "n\u00e4me", "a" * 128]


@covers("S2", "S3", "S4", "S6", "S8", "S9", "S10", "S11")
async def test_a_secret_that_is_not_there(api):
    client, name = api.secrets(), unique("none")
    for call in (
        lambda: client.get_secret(name),
        lambda: client.get_secret(name, "0" * 32),
        lambda: client.update_secret_properties(name, enabled=True),
        lambda: client.every("list_properties_of_secret_versions", name),
        lambda: client.delete(name),
        lambda: client.backup_secret(name),
        lambda: client.get_deleted_secret(name),
        lambda: client.purge_deleted_secret(name),
        lambda: client.recover(name),
    ):
        with refused(404, "SecretNotFound", text="not found"):
            await call()


@covers("S4")
async def test_the_message_of_a_missing_secret(api):
    name = unique("none")
    with refused(404, "SecretNotFound", text=f"A secret with (name/id) {name} was not found in this key vault") as caught:
        await api.secrets().get_secret(name)
    assert "you may be able to recover it" in caught.value.message
    await api.secrets().set_secret(name, "v")
    with refused(404, "SecretNotFound", text=f"{name}/{'0' * 32}"):
        await api.secrets().get_secret(name, "0" * 32)


@covers("K4", "K5", "K6", "K7", "K9", "K13", "K19", "K20", "K21")
async def test_a_key_that_is_not_there(api, shelf):
    client, name = api.keys(), unique("none")
    for call in (
        lambda: client.get_key(name),
        lambda: client.get_key(name, "0" * 32),
        lambda: client.update_key_properties(name, enabled=True),
        lambda: client.every("list_properties_of_key_versions", name),
        lambda: client.delete(name),
        lambda: client.backup_key(name),
        lambda: client.get_deleted_key(name),
        lambda: client.purge_deleted_key(name),
        lambda: client.recover(name),
    ):
        with refused(404, "KeyNotFound", text="not found"):
            await call()
    with refused(404, "KeyNotFound", text=f"A key with (name/id) {name} was not found in this key vault"):
        await client.get_key(name)
    present = await shelf.ec(api)
    with refused(404, "KeyNotFound", text=f"{present.name}/{'0' * 32}"):
        await client.get_key(present.name, "0" * 32)


@covers("S1", "S2", "S10")
async def test_set_over_a_deleted_secret(api):
    client, name = api.secrets(), unique("conflict")
    await client.set_secret(name, "v")
    await client.delete(name)
    with refused(409, "Conflict", "ObjectIsDeletedButRecoverable", text="deleted but recoverable") as caught:
        await client.set_secret(name, "v")
    assert isinstance(caught.value, ResourceExistsError) and name in caught.value.message
    with pytest.raises(ResourceNotFoundError):
        await client.delete(name)
    await client.recover(name)
    await client.set_secret(name, "v2")


@covers("K3", "K4")
async def test_import_over_a_deleted_key(api):
    client, name = api.keys(), unique("conflict")
    await client.create_ec_key(name)
    await client.delete(name)
    with refused(409, "Conflict", "ObjectIsDeletedButRecoverable"):
        await client.import_key(name, independent.private_jwk(independent.generate("P-256")))
    with refused(404, "KeyNotFound"):
        await client.delete(name)


@covers("S1", "S4")
@pytest.mark.parametrize("name", BAD_NAMES)
async def test_bad_secret_names(api, name):
    with bad_parameter():
        await api.secrets().set_secret(name, "v")
    with bad_parameter():
        await api.secrets().get_secret(name)


@covers("K1", "K6")
@pytest.mark.parametrize("name", BAD_NAMES)
async def test_bad_key_names(api, name):
    with bad_parameter():
        await api.keys().create_ec_key(name)
    with bad_parameter():
        await api.keys().get_key(name)


@covers("S1", "S4")
async def test_the_longest_name_and_a_tenant_prefixed_one(api):
    for name in (unique("n" * 100).ljust(127, "x"), unique("org-abc123--msgraph-client-secret"), "7" + unique("")):
        await api.secrets().set_secret(name, "v")
        assert (await api.secrets().get_secret(name)).name == name


@covers("S1", "S3")
async def test_tags_are_bounded(api):
    client, name = api.secrets(), unique("tags")
    fifteen = {f"tag-{n}": "v" for n in range(15)}
    assert (await client.set_secret(name, "v", tags=fifteen)).properties.tags == fifteen
    for tags in (fifteen | {"one": "more"}, {"k" * 513: "v"}, {"k": "v" * 513}):
        with bad_parameter():
            await client.set_secret(name, "v", tags=tags)
        with bad_parameter():
            await client.update_secret_properties(name, tags=tags)
    assert len(await client.every("list_properties_of_secret_versions", name)) == 1


@covers("S1")
async def test_content_type_is_bounded(api):
    client, name = api.secrets(), unique("type")
    assert (await client.set_secret(name, "v", content_type="t" * 255)).properties.content_type == "t" * 255
    with bad_parameter():
        await client.set_secret(name, "v", content_type="t" * 256)


@covers("K1", "K5")
async def test_key_tags_are_bounded(api):
    client, name = api.keys(), unique("tags")
    tags = {f"tag-{n}": "v" for n in range(16)}
    with bad_parameter():
        await client.create_ec_key(name, tags=tags)
    await client.create_ec_key(name)
    with bad_parameter():
        await client.update_key_properties(name, tags=tags)


@covers("K1")
async def test_symmetric_keys_are_refused_with_advice(api):
    with bad_parameter("HSM"):
        await api.keys().create_oct_key(unique("oct"), size=256)
    with bad_parameter("HSM"):
        await api.keys().create_oct_key(unique("oct"), size=256, hardware_protected=True)


@covers("K1")
async def test_ed25519_is_refused_with_advice(api):
    with bad_parameter("ES256"):
        await api.keys().create_key(unique("okp"), "OKP", curve="Ed25519")


@covers("K1", "K3")
async def test_hsm_keys_are_refused_with_a_way_to_configure_one(api):
    for kind, kwargs in (("create_rsa_key", {"size": 2048}), ("create_ec_key", {"curve": "P-256"})):
        with bad_parameter("configur") as caught:
            await getattr(api.keys(), kind)(unique("hsm"), hardware_protected=True, **kwargs)
        assert "HSM" in caught.value.message
    jwk = independent.private_jwk(independent.generate("P-256"))
    with bad_parameter("HSM"):
        await api.keys().import_key(unique("hsm"), jwk, hardware_protected=True)


BAD_CREATES = {
    "no-such-type": {"key_type": "DSA"},
    "rsa-1024": {"key_type": "RSA", "size": 1024},
    "rsa-2049": {"key_type": "RSA", "size": 2049},
    "rsa-8192": {"key_type": "RSA", "size": 8192},
    "no-such-curve": {"key_type": "EC", "curve": "P-224"},
    "curve-of-rsa": {"key_type": "RSA", "curve": "P-256"},
    "unknown-operation": {"key_type": "RSA", "key_operations": ["sign", "shred"]},
}


@covers("K1")
@pytest.mark.parametrize("arguments", BAD_CREATES.values(), ids=BAD_CREATES.keys())
async def test_bad_creates(api, arguments):
    name = unique("bad")
    with bad_parameter():
        await api.keys().create_key(name, **arguments)
    with refused(404, "KeyNotFound"):
        await api.keys().get_key(name)


@covers("K1", "K5", "K13")
async def test_no_operations_at_all_is_a_key_that_does_nothing(api):
    key = await api.keys().create_ec_key(unique("idle"), key_operations=[])
    assert key.key_operations == []
    with refused(403, "Forbidden", "KeyOperationForbidden"):
        await api.remote(key).sign("ES256", bytes(32))
    with bad_parameter():
        await api.keys().update_key_properties(key.name, key_operations=["shred"])


def _changed(kind, **members):
    jwk = independent.private_jwk(independent.generate(kind))
    for name, value in members.items():
        setattr(jwk, name, value)
    return jwk


BAD_IMPORTS = {
    "public-only": lambda: _changed("P-256", d=None),
    "point-off-the-curve": lambda: _changed("P-256", y=bytes(32)),
    "another-private-key": lambda: _changed("P-384", d=(5).to_bytes(48)),
    "wrong-curve": lambda: _changed("P-256", crv="P-384"),
    "no-curve": lambda: _changed("P-256", crv=None),
    "rsa-public-only": lambda: _changed(2048, d=None, p=None, q=None, dp=None, dq=None, qi=None),
    "rsa-inconsistent": lambda: _changed(2048, p=independent.private_jwk(independent.generate(2048)).p),
    "rsa-1024": lambda: _changed(1024),
    "octets": lambda: _changed("P-256", kty="oct", crv=None, x=None, y=None, d=None, k=bytes(32)),
}


@covers("K3")
@pytest.mark.parametrize("jwk", BAD_IMPORTS.values(), ids=BAD_IMPORTS.keys())
async def test_bad_imports(api, jwk):
    name = unique("bad")
    with bad_parameter():
        await api.keys().import_key(name, jwk())
    with refused(404, "KeyNotFound"):
        await api.keys().get_key(name)


@covers("K3")
async def test_an_ed25519_import_is_refused_with_advice(api):
    jwk = _changed("P-256", kty="OKP", crv="Ed25519", y=None)
    with bad_parameter("ES256"):
        await api.keys().import_key(unique("okp"), jwk)
