"""Key management through KeyClient, sync and aio: create, import, update, lists, soft delete, backup."""

import asyncio
from datetime import datetime, timedelta, timezone

import pytest

import independent
from expect import bad_parameter, refused
from independent import flip
from report import covers
from settings import SETTINGS, fresh_vault, unique

NOW = datetime.now(timezone.utc).replace(microsecond=0)
RSA_OPERATIONS = {"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"}


@covers("K1", "K6")
@pytest.mark.parametrize("size", [None, 2048, 3072])
async def test_create_rsa(api, size):
    client, name = api.keys(), unique("rsa")
    made = await client.create_rsa_key(name, size=size)
    public = independent.public_key(made)
    assert public.key_size == (size or 2048) and made.key.e == b"\x01\x00\x01"
    assert made.key_type == "RSA" and set(made.key_operations) == RSA_OPERATIONS
    assert made.id == made.key.kid == f"{SETTINGS.vault_url}/keys/{name}/{made.properties.version}"
    assert len(made.properties.version) == 32 and int(made.properties.version, 16)
    properties = made.properties
    assert properties.enabled is True and not properties.managed and not properties.exportable
    assert properties.recovery_level == "Recoverable+Purgeable" and properties.recoverable_days == 90
    assert properties.hsm_platform == "0"
    got = await client.get_key(name)
    assert (got.id, got.key.n) == (made.id, made.key.n)
    assert (await client.get_key(name, made.properties.version)).id == made.id


@covers("K1")
async def test_create_rsa_4096(api, shelf):
    assert independent.public_key(await shelf.rsa(api, 4096)).key_size == 4096


@covers("K1", "K6")
@pytest.mark.parametrize("curve", independent.CURVES)
async def test_create_ec(api, curve):
    client, name = api.keys(), unique("ec")
    made = await client.create_ec_key(name, curve=curve)
    assert (made.key_type, made.key.crv) == ("EC", curve) and set(made.key_operations) == {"sign", "verify"}
    assert independent.public_key(made).curve.name == independent.CURVES[curve]().name
    assert (await client.get_key(name)).key.x == made.key.x


@covers("K1")
async def test_create_ec_without_a_curve_is_p256(api):
    assert (await api.keys().create_key(unique("ec"), "EC")).key.crv == "P-256"


@covers("K1")
async def test_create_with_everything(api):
    client, name = api.keys(), unique("full")
    made = await client.create_rsa_key(
        name,
        size=2048,
        key_operations=["sign", "verify"],
        enabled=False,
        tags={"team": "payments"},
        not_before=NOW - timedelta(days=1),
        expires_on=NOW + timedelta(days=1),
    )
    assert set(made.key_operations) == {"sign", "verify"}
    properties = (await client.get_key(name)).properties
    assert properties.enabled is False and properties.tags == {"team": "payments"}
    assert (properties.not_before, properties.expires_on) == (NOW - timedelta(days=1), NOW + timedelta(days=1))
    assert properties.created_on <= properties.updated_on


@covers("K1", "K6", "K7")
async def test_create_again_is_a_new_version_that_may_change_type(api):
    client, name = api.keys(), unique("again")
    first = await client.create_rsa_key(name, tags={"a": "b"})
    second = await client.create_ec_key(name)
    assert not second.properties.tags
    assert (await client.get_key(name)).id == second.id
    assert (await client.get_key(name, first.properties.version)).key.n == first.key.n
    versions = await client.every("list_properties_of_key_versions", name)
    assert {v.version for v in versions} == {first.properties.version, second.properties.version}
    assert all(v.name == name and v.created_on for v in versions)


@covers("K5")
async def test_update_changes_only_what_is_named(api):
    client, name = api.keys(), unique("update")
    made = await client.create_rsa_key(name, tags={"a": "1"})
    first = await client.update_key_properties(name, made.properties.version, expires_on=NOW + timedelta(days=9))
    assert first.properties.tags == {"a": "1"} and set(first.key_operations) == RSA_OPERATIONS
    second = await client.update_key_properties(name, made.properties.version, key_operations=["verify"], tags={})
    assert second.key_operations == ["verify"] and second.properties.tags == {}
    assert second.properties.expires_on == NOW + timedelta(days=9) and second.key.n == made.key.n
    third = await client.update_key_properties(name, enabled=False)
    assert third.properties.enabled is False and third.id == made.id
    stamps = [key.properties.updated_on for key in (made, first, second, third)]
    assert stamps == sorted(set(stamps)), "updated moves on every PATCH"


@covers("K5")
async def test_update_without_a_version_means_the_latest(api):
    client, name = api.keys(), unique("update-latest")
    old = await client.create_ec_key(name)
    new = await client.create_ec_key(name)
    assert (await client.update_key_properties(name, tags={"latest": "yes"})).id == new.id
    assert not (await client.get_key(name, old.properties.version)).properties.tags


@pytest.fixture(scope="module")
def local_keys():
    """One local private key of every kind that can be imported."""
    return {kind: independent.generate(kind) for kind in (2048, 3072, 4096, *independent.CURVES)}


@covers("K3", "K13", "K14")
@pytest.mark.parametrize("kind", [2048, 3072, 4096, *independent.CURVES])
async def test_imported_keys_sign_as_the_local_key_does(api, local_keys, kind):
    local, name = local_keys[kind], unique(f"import-{kind}")
    imported = await api.keys().import_key(name, independent.private_jwk(local), tags={"from": "here"})
    assert imported.id.startswith(f"{SETTINGS.vault_url}/keys/{name}/") and imported.properties.tags == {"from": "here"}
    assert independent.public_key(imported).public_numbers() == local.public_key().public_numbers()
    algorithms = ["RS256", "PS512"] if isinstance(kind, int) else [independent.EC_SIGNATURES_BY_CURVE[kind]]
    remote = api.remote(imported)
    for algorithm in algorithms:
        digest = independent.digest(algorithm, b"imported")
        signature = (await remote.sign(algorithm, digest)).signature
        assert independent.verify(local.public_key(), algorithm, digest, signature)
        theirs = independent.sign(local, algorithm, digest)
        assert (await remote.verify(algorithm, digest, theirs)).is_valid


@covers("K3", "K6")
async def test_import_over_an_active_name_is_a_new_version(api, local_keys):
    client, name = api.keys(), unique("import-again")
    first = await client.create_ec_key(name)
    jwk = independent.private_jwk(local_keys["P-256"], ["sign"])
    second = await client.import_key(name, jwk, enabled=False, expires_on=NOW + timedelta(days=3))
    assert second.key_operations == ["sign"] and second.properties.enabled is False
    assert second.properties.expires_on == NOW + timedelta(days=3)
    assert (await client.get_key(name)).id == second.id != first.id


@covers("K8", "K7", "K18", "K20")
async def test_lists_page(api):
    vault = fresh_vault("conf5")
    client, names = api.keys(vault), [f"key-{n:02}" for n in range(30)]
    batch = [client.create_ec_key(name, tags={"n": name}) for name in names]
    await asyncio.gather(*batch)
    pages = await client.pages("list_properties_of_keys")
    assert [len(page) for page in pages] == [25, 5], "25 is the default page"
    listed = [item for page in pages for item in page]
    assert sorted(item.name for item in listed) == names
    assert all(item.version is None and item.tags == {"n": item.name} for item in listed)
    made = [(await client.create_ec_key("key-00")).id for _ in range(6)]
    pages = await client.pages("list_properties_of_key_versions", "key-00", max_page_size=3)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert set(made) < {item.id for page in pages for item in page}
    for name in names[:7]:
        await client.delete(name)
    pages = await client.pages("list_deleted_keys", max_page_size=3)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(item.name for page in pages for item in page) == names[:7]
    assert len(await client.every("list_properties_of_keys")) == 23
    for name in names[:7]:
        await client.purge_deleted_key(name)
    assert await client.every("list_deleted_keys") == []


@covers("K4", "K18", "K19", "K21")
async def test_delete_and_recover_bring_every_version_back(api):
    client, name = api.keys(), unique("recover")
    first = await client.create_ec_key(name, tags={"a": "b"})
    second = await client.create_ec_key(name)
    deleted = await client.delete(name)
    assert deleted.id == second.id and deleted.key.x == second.key.x
    assert deleted.recovery_id == f"{SETTINGS.vault_url}/deletedkeys/{name}"
    assert deleted.scheduled_purge_date - deleted.deleted_date == timedelta(days=90)
    with refused(404, "KeyNotFound", text="not found"):
        await client.get_key(name)
    with refused(404, "KeyNotFound"):
        await api.remote(first).sign("ES256", bytes(32))
    with refused(409, "Conflict", "ObjectIsDeletedButRecoverable", text="deleted but recoverable"):
        await client.create_ec_key(name)
    shown = await client.get_deleted_key(name)
    assert (shown.id, shown.deleted_date) == (deleted.id, deleted.deleted_date)
    listed = [item for item in await client.every("list_deleted_keys") if item.name == name]
    assert [item.id for item in listed] == [f"{SETTINGS.vault_url}/keys/{name}"]
    recovered = await client.recover(name)
    assert recovered.id == second.id
    old = await client.get_key(name, first.properties.version)
    assert old.properties.tags == {"a": "b"} and old.properties.created_on == first.properties.created_on
    digest = independent.digest("ES256", b"recovered")
    signature = (await api.remote(first).sign("ES256", digest)).signature
    assert independent.verify(independent.public_key(first), "ES256", digest, signature)
    with refused(404, "KeyNotFound"):
        await client.get_deleted_key(name)


@covers("K20")
async def test_purge_is_the_end_and_the_name_is_free_again(api):
    client, name = api.keys(), unique("purge")
    made = await client.create_ec_key(name)
    await client.delete(name)
    assert await client.purge_deleted_key(name) is None
    for call in (client.get_deleted_key, client.purge_deleted_key, client.get_key):
        with refused(404, "KeyNotFound"):
            await call(name)
    again = await client.create_ec_key(name)
    assert again.id != made.id and len(await client.every("list_properties_of_key_versions", name)) == 1


@covers("K9", "K10", "K13", "K14")
async def test_backup_restores_all_versions_in_another_vault(api, other_vault):
    client, other, name = api.keys(), api.keys(other_vault), unique("backup")
    first = await client.create_ec_key(name, tags={"a": "b"})
    second = await client.create_rsa_key(name, key_operations=["sign", "verify"])
    digest = independent.digest("ES256", b"signed before")
    signature = (await api.remote(first).sign("ES256", digest)).signature
    blob = await client.backup_key(name)
    restored = await other.restore_key_backup(blob)
    assert restored.id == f"{other_vault}/keys/{name}/{second.properties.version}"
    assert restored.key.n == second.key.n and set(restored.key_operations) == {"sign", "verify"}
    versions = await other.every("list_properties_of_key_versions", name)
    assert {v.version for v in versions} == {first.properties.version, second.properties.version}
    moved = await other.get_key(name, first.properties.version)
    assert moved.properties.tags == {"a": "b"} and moved.properties.created_on == first.properties.created_on
    assert moved.properties.updated_on == first.properties.updated_on
    assert (await api.remote(moved).verify("ES256", digest, signature)).is_valid
    there = (await api.remote(moved).sign("ES256", digest)).signature
    assert independent.verify(independent.public_key(first), "ES256", digest, there)
    with refused(409, "Conflict"):
        await other.restore_key_backup(blob)


@covers("K10")
async def test_a_changed_backup_is_refused(api, other_vault):
    client, name = api.keys(), unique("tamper")
    await client.create_ec_key(name)
    blob = await client.backup_key(name)
    for changed in (flip(blob, 0), flip(blob, len(blob) // 2), flip(blob), blob[:-1], b"nothing"):
        with bad_parameter():
            await api.keys(other_vault).restore_key_backup(changed)
    await api.secrets().set_secret(name, "a secret's blob restores no key")
    with bad_parameter():
        await api.keys(other_vault).restore_key_backup(await api.secrets().backup_secret(name))


@covers("K10")
async def test_restore_over_a_deleted_name_waits_for_the_purge(api):
    client, name = api.keys(), unique("restore")
    made = await client.create_ec_key(name)
    blob = await client.backup_key(name)
    await client.delete(name)
    with refused(409, "Conflict", "ObjectIsDeletedButRecoverable"):
        await client.restore_key_backup(blob)
    await client.purge_deleted_key(name)
    assert (await client.restore_key_backup(blob)).id == made.id


@covers("K1", "K6")
async def test_names_ignore_case_and_keep_the_first_spelling(api):
    client, name = api.keys(), unique("Signing-KEY")
    made = await client.create_ec_key(name)
    assert (await client.get_key(name.lower(), made.properties.version.upper())).id == made.id
    again = await client.create_ec_key(name.swapcase())
    assert again.name == name and (await client.get_key(name)).id == again.id
