"""The twelve secret operations through SecretClient, sync and aio."""

import asyncio
from datetime import datetime, timedelta, timezone

import pytest

from expect import bad_parameter, refused
from independent import flip
from report import covers
from settings import SETTINGS, fresh_vault, unique

NOW = datetime.now(timezone.utc).replace(microsecond=0)


@covers("S1", "S4")
async def test_set_then_get_returns_what_was_set(api):
    client, name = api.secrets(), unique("set")
    start = datetime.now(timezone.utc) - timedelta(minutes=5)
    made = await client.set_secret(
        name,
        "YourStrongPassword123!",
        content_type="application/password",
        tags={"environment": "production", "application": "flask-fugue", "rotation-policy": "90-days"},
        not_before=NOW - timedelta(days=1),
        expires_on=NOW + timedelta(days=90),
        enabled=True,
    )
    assert made.value == "YourStrongPassword123!"
    assert made.id == f"{SETTINGS.vault_url}/secrets/{name}/{made.properties.version}"
    assert len(made.properties.version) == 32 and int(made.properties.version, 16)
    got = await client.get_secret(name)
    assert (got.id, got.value, got.name) == (made.id, made.value, name)
    properties = got.properties
    assert properties.vault_url == SETTINGS.vault_url
    assert properties.content_type == "application/password"
    assert properties.tags["rotation-policy"] == "90-days" and len(properties.tags) == 3
    assert properties.enabled is True and not properties.managed
    assert properties.not_before == NOW - timedelta(days=1)
    assert properties.expires_on == NOW + timedelta(days=90)
    assert start < properties.created_on <= properties.updated_on
    assert properties.recovery_level == "Recoverable+Purgeable" and properties.recoverable_days == 90


@covers("S1", "S4", "S6")
async def test_every_set_is_a_version_and_inherits_nothing(api):
    client, name = api.secrets(), unique("versions")
    first = await client.set_secret(name, "1", content_type="text/plain", tags={"a": "b"})
    second = await client.set_secret(name, "2")
    assert first.properties.version != second.properties.version
    assert second.properties.content_type is None and not second.properties.tags
    assert (await client.get_secret(name)).value == "2"
    old = await client.get_secret(name, first.properties.version)
    assert (old.value, old.id) == ("1", first.id)
    versions = await client.every("list_properties_of_secret_versions", name)
    assert {v.version for v in versions} == {first.properties.version, second.properties.version}
    assert all(v.created_on and v.name == name and v.enabled for v in versions)


@covers("S6")
async def test_versions_page(api):
    client, name = api.secrets(), unique("version-pages")
    made = [(await client.set_secret(name, str(i))).properties.version for i in range(7)]
    pages = await client.pages("list_properties_of_secret_versions", name, max_page_size=3)
    assert len(pages) >= 3 and all(len(page) <= 3 for page in pages)
    assert sorted(item.version for page in pages for item in page) == sorted(made)


@covers("S3")
async def test_update_changes_only_what_is_named(api):
    client, name = api.secrets(), unique("update")
    made = await client.set_secret(name, "v", content_type="text/plain", tags={"a": "1", "b": "2"})
    version = made.properties.version
    until = NOW + timedelta(days=30)
    first = await client.update_secret_properties(name, version, expires_on=until)
    assert first.tags == {"a": "1", "b": "2"} and first.content_type == "text/plain" and first.expires_on == until
    second = await client.update_secret_properties(name, version, tags={"c": "3"}, not_before=NOW)
    assert second.tags == {"c": "3"} and second.expires_on == until and second.not_before == NOW
    third = await client.update_secret_properties(name, version, tags={}, content_type="text/html")
    assert third.tags == {} and third.content_type == "text/html"
    stamps = [made.properties.updated_on, first.updated_on, second.updated_on, third.updated_on]
    assert stamps == sorted(set(stamps)), "updated moves on every PATCH"
    assert third.created_on == made.properties.created_on and third.version == version
    assert (await client.get_secret(name)).value == "v"


@covers("S3")
async def test_update_without_a_version_means_the_latest(api):
    client, name = api.secrets(), unique("update-latest")
    old = await client.set_secret(name, "1")
    new = await client.set_secret(name, "2")
    changed = await client.update_secret_properties(name, tags={"latest": "yes"})
    assert changed.version == new.properties.version
    assert not (await client.get_secret(name, old.properties.version)).properties.tags


@covers("S3", "S4")
async def test_a_disabled_old_version_is_refused_and_the_latest_stays_readable(api):
    client, name = api.secrets(), unique("disable")
    old = await client.set_secret(name, "old")
    await client.set_secret(name, "new")
    await client.update_secret_properties(name, old.properties.version, enabled=False)
    with refused(403, "Forbidden", "SecretDisabled", text="disabled"):
        await client.get_secret(name, old.properties.version)
    assert (await client.get_secret(name)).value == "new"
    await client.update_secret_properties(name, old.properties.version, enabled=True)
    assert (await client.get_secret(name, old.properties.version)).value == "old"


@covers("S4")
async def test_a_disabled_latest_version_does_not_fall_back(api):
    client, name = api.secrets(), unique("disabled-latest")
    await client.set_secret(name, "old")
    await client.set_secret(name, "new", enabled=False)
    with refused(403, "Forbidden", "SecretDisabled"):
        await client.get_secret(name)


@covers("S4")
@pytest.mark.parametrize("days", [(-2, -1), (1, 2)], ids=["expired", "not-yet-valid"])
async def test_get_outside_the_validity_window_is_allowed(api, days):
    client, name = api.secrets(), unique("window")
    bounds = [NOW + timedelta(days=day) for day in days]
    await client.set_secret(name, "still here", not_before=bounds[0], expires_on=bounds[1])
    assert (await client.get_secret(name)).value == "still here"


VALUES = {
    "empty": "",
    "punctuation": "!@#$%^&*()\"'\\/<>{}[]|`~",
    "lines": "first\nsecond\r\n\tthird\0end",
    "unicode": "Grüße, 東京, 🔐, e\u0301 \u2028 \ufeff",
    "json": '{"value":"x","n":null}',
    "largest": "k" * 25_600,
    "largest-unicode": "🔐é東" * 2_844 + "four",
}


@covers("S1", "S4")
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
async def test_values_come_back_byte_for_byte(api, value):
    assert len(value.encode()) <= 25_600
    client, name = api.secrets(), unique("value")
    await client.set_secret(name, value)
    assert (await client.get_secret(name)).value == value


def test_the_largest_values_are_exactly_at_the_limit():
    assert len(VALUES["largest"].encode()) == len(VALUES["largest-unicode"].encode()) == 25_600


@covers("S1")
async def test_values_above_the_limit_are_refused(api):
    with bad_parameter():
        await api.secrets().set_secret(unique("large"), "k" * 25_601)
    with bad_parameter():
        await api.secrets().set_secret(unique("large"), VALUES["largest-unicode"] + "!")


@covers("S5")
async def test_sixty_secrets_are_three_pages(api, sixty):
    vault, names = sixty
    pages = await api.secrets(vault).pages("list_properties_of_secrets", max_page_size=25)
    assert [len(page) for page in pages] == [25, 25, 10]
    listed = [item for page in pages for item in page]
    assert sorted(item.name for item in listed) == sorted(names)
    assert all(item.version is None and item.vault_url == vault for item in listed), "lists hold base ids"
    assert {item.tags["n"] for item in listed} == {str(n) for n in range(60)}
    assert len(await api.secrets(vault).every("list_properties_of_secrets")) == 60


@pytest.fixture(scope="module")
async def sixty(apis):
    """A vault that holds sixty secrets and nothing else."""
    vault = fresh_vault("conf3")
    client, names = apis["aio"].secrets(vault), [f"page-{n:02}" for n in range(60)]
    await asyncio.gather(*(client.set_secret(name, "v", tags={"n": str(n)}) for n, name in enumerate(names)))
    return vault, names


@covers("S5")
async def test_the_list_shows_the_latest_version_and_disabled_secrets(api):
    client, name = api.secrets(), unique("listed")
    await client.set_secret(name, "1", tags={"v": "1"})
    await client.set_secret(name, "2", tags={"v": "2"}, enabled=False, content_type="text/plain")
    item = next(item for item in await client.every("list_properties_of_secrets") if item.name == name)
    assert item.tags == {"v": "2"} and item.enabled is False and item.content_type == "text/plain"
    assert item.id == f"{SETTINGS.vault_url}/secrets/{name}"


@covers("S2", "S7", "S8", "S10")
async def test_delete_and_recover_bring_every_version_back(api):
    client, name = api.secrets(), unique("recover")
    first = await client.set_secret(name, "1", tags={"a": "b"})
    second = await client.set_secret(name, "2", content_type="text/plain")
    deleted = await client.delete(name)
    assert deleted.name == name and deleted.id == second.id
    assert deleted.recovery_id == f"{SETTINGS.vault_url}/deletedsecrets/{name}"
    assert deleted.scheduled_purge_date - deleted.deleted_date == timedelta(days=90)
    with refused(404, "SecretNotFound", text="not found"):
        await client.get_secret(name)
    with refused(404, "SecretNotFound"):
        await client.get_secret(name, first.properties.version)
    assert name not in [item.name for item in await client.every("list_properties_of_secrets")]
    shown = await client.get_deleted_secret(name)
    assert (shown.id, shown.recovery_id, shown.deleted_date, shown.scheduled_purge_date) == (
        deleted.id,
        deleted.recovery_id,
        deleted.deleted_date,
        deleted.scheduled_purge_date,
    )
    listed = [item for item in await client.every("list_deleted_secrets") if item.name == name]
    assert len(listed) == 1 and listed[0].recovery_id == deleted.recovery_id
    assert listed[0].id == f"{SETTINGS.vault_url}/secrets/{name}" and listed[0].properties.content_type == "text/plain"
    recovered = await client.recover(name)
    assert recovered.id == second.id and recovered.content_type == "text/plain"
    assert (await client.get_secret(name)).value == "2"
    old = await client.get_secret(name, first.properties.version)
    assert old.value == "1" and old.properties.tags == {"a": "b"}
    assert old.properties.created_on == first.properties.created_on
    with refused(404, "SecretNotFound"):
        await client.get_deleted_secret(name)


@covers("S9")
async def test_purge_is_the_end_and_the_name_is_free_again(api):
    client, name = api.secrets(), unique("purge")
    await client.set_secret(name, "gone")
    await client.delete(name)
    assert await client.purge_deleted_secret(name) is None
    for call in (client.get_deleted_secret, client.purge_deleted_secret, client.get_secret):
        with refused(404, "SecretNotFound"):
            await call(name)
    await client.set_secret(name, "again")
    assert len(await client.every("list_properties_of_secret_versions", name)) == 1


@covers("S7", "S9")
async def test_deleted_secrets_page(api):
    vault = fresh_vault("conf4")
    client, names = api.secrets(vault), [f"deleted-{n}" for n in range(7)]
    for name in names:
        await client.set_secret(name, "v")
        await client.delete(name)
    pages = await client.pages("list_deleted_secrets", max_page_size=3)
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(item.name for page in pages for item in page) == names
    for name in names:
        await client.purge_deleted_secret(name)
    assert await client.every("list_deleted_secrets") == []


@covers("S11", "S12")
async def test_backup_restores_all_versions_in_another_vault(api, other_vault):
    client, other, name = api.secrets(), api.secrets(other_vault), unique("backup")
    first = await client.set_secret(name, "1", tags={"a": "b"})
    second = await client.set_secret(name, "2", content_type="text/plain", expires_on=NOW + timedelta(days=5))
    blob = await client.backup_secret(name)
    assert isinstance(blob, bytes) and len(blob) > 64
    restored = await other.restore_secret_backup(blob)
    assert (restored.name, restored.version) == (name, second.properties.version)
    assert restored.id == f"{other_vault}/secrets/{name}/{second.properties.version}"
    assert restored.content_type == "text/plain" and restored.expires_on == second.properties.expires_on
    old = await other.get_secret(name, first.properties.version)
    assert old.value == "1" and old.properties.tags == {"a": "b"}
    assert old.properties.created_on == first.properties.created_on
    assert old.properties.updated_on == first.properties.updated_on
    assert (await other.get_secret(name)).value == "2"
    with refused(409, "Conflict"):
        await client.restore_secret_backup(blob)


@covers("S11", "S12")
async def test_restore_after_purge_and_over_a_deleted_name(api):
    client, name = api.secrets(), unique("restore")
    made = await client.set_secret(name, "kept")
    blob = await client.backup_secret(name)
    await client.delete(name)
    with refused(409, "Conflict", "ObjectIsDeletedButRecoverable"):
        await client.restore_secret_backup(blob)
    await client.purge_deleted_secret(name)
    assert (await client.restore_secret_backup(blob)).version == made.properties.version
    assert (await client.get_secret(name)).value == "kept"


@covers("S12")
async def test_a_changed_backup_is_refused(api, other_vault):
    client, name = api.secrets(), unique("tamper")
    await client.set_secret(name, "secret in the blob")
    blob = await client.backup_secret(name)
    assert b"secret in the blob" not in blob
    for changed in (flip(blob, 0), flip(blob, len(blob) // 2), flip(blob), blob[:-1], blob[:40], b"nothing"):
        with bad_parameter():
            await api.secrets(other_vault).restore_secret_backup(changed)


@covers("S1", "S4")
async def test_names_ignore_case_and_keep_the_first_spelling(api):
    client, name = api.secrets(), unique("FLASK-SECRET-KEY")
    await client.set_secret(name, "1")
    assert (await client.get_secret(name.lower())).id.split("/")[-2] == name
    again = await client.set_secret(name.swapcase(), "2")
    assert again.name == name
    assert (await client.get_secret(name)).value == "2"
    assert len(await client.every("list_properties_of_secret_versions", name.upper())) == 2


@covers("S1")
async def test_the_same_name_in_two_vaults_is_two_secrets(api, other_vault):
    name = unique("same")
    await api.secrets().set_secret(name, "here")
    await api.secrets(other_vault).set_secret(name, "there")
    assert (await api.secrets().get_secret(name)).value == "here"
    assert (await api.secrets(other_vault).get_secret(name)).value == "there"
