"""Key-values of App Configuration through AzureAppConfigurationClient, sync and aio, by key and by token."""

import re
from datetime import datetime, timedelta, timezone

import pytest
from azure.appconfiguration import ConfigurationSetting, ResourceReadOnlyError
from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from expect import config_refused
from report import covers
from settings import unique

IF_SAME = MatchConditions.IfNotModified
IF_OTHER = MatchConditions.IfModified
IF_THERE = MatchConditions.IfPresent
IF_ABSENT = MatchConditions.IfMissing


def setting(key: str, value: str | None = "v", **members) -> ConfigurationSetting:
    return ConfigurationSetting(key=key, value=value, **members)


@covers("A5", "A6", "A7")
async def test_set_get_and_delete(config):
    key = unique("set")
    start = datetime.now(timezone.utc) - timedelta(minutes=5)
    made = await config.set_configuration_setting(
        setting(
            key,
            "postgres://db:5432/app",
            content_type="text/plain",
            tags={"team": "data", "tier": "1"},
            description="where the rows are",
        )
    )
    assert (made.key, made.value, made.label) == (key, "postgres://db:5432/app", None)
    assert made.content_type == "text/plain" and made.tags == {"team": "data", "tier": "1"}
    assert made.description == "where the rows are" and made.read_only is False and made.etag
    assert start < made.last_modified < start + timedelta(minutes=10)
    got = await config.get_configuration_setting(key=key)
    assert type(got) is ConfigurationSetting and got.as_dict() == made.as_dict()
    gone = await config.delete_configuration_setting(key)
    assert gone.as_dict() == made.as_dict()
    with config_refused(404, ResourceNotFoundError):
        await config.get_configuration_setting(key=key)


@covers("A5", "A6")
async def test_a_set_replaces_the_whole_setting(config):
    key = unique("replace")
    first = await config.set_configuration_setting(setting(key, content_type="text/plain", tags={"a": "b"}))
    second = await config.set_configuration_setting(setting(key, "w"))
    assert second.etag != first.etag and second.content_type is None and second.tags == {}
    assert (await config.get_configuration_setting(key=key)).value == "w"


@covers("A5", "A6", "A7")
async def test_labels_are_settings_of_their_own(config):
    key = unique("label")
    for label in (None, "prod", "Prod", "a b/c,d*\u00e9"):
        await config.set_configuration_setting(setting(key, f"for {label}", label=label))
    for label in (None, "prod", "Prod", "a b/c,d*\u00e9"):
        got = await config.get_configuration_setting(key=key, label=label)
        assert (got.label, got.value) == (label, f"for {label}")
    assert (await config.get_configuration_setting(key=key, label="")).label is None
    assert (await config.delete_configuration_setting(key, label="prod")).value == "for prod"
    with config_refused(404, ResourceNotFoundError):
        await config.get_configuration_setting(key=key, label="prod")
    assert (await config.get_configuration_setting(key=key)).value == "for None"


KEYS = {
    "slashes": "app/db/host",
    "leading-slash": "/app//x",
    "spaces": "two  words",
    "unicode": "gr\u00fc\u00dfe/\u6771\u4eac/\U0001f510",
    "colons": "Logging:Level:Default",
    "query": "a?b=c&d#e",
    "plus": "a+b",
    "reserved": "a*b,c\\d",
    "punctuation": ".app;x=y@z!$'()~[]{}|^`<>\"",
}


@covers("A5", "A6", "A7", "A18", "A19")
@pytest.mark.parametrize("tail", KEYS.values(), ids=KEYS.keys())
async def test_keys_come_back_as_they_were_sent(config, tail):
    key = tail + unique("!")
    made = await config.set_configuration_setting(setting(key))
    assert made.key == key
    assert (await config.get_configuration_setting(key=key)).key == key
    locked = await config.set_read_only(made)
    assert (locked.key, locked.read_only) == (key, True)
    assert (await config.set_read_only(locked, False)).key == key
    assert (await config.delete_configuration_setting(key)).key == key


@covers("A5", "A6", "A7")
async def test_a_percent_sign_in_a_key_is_refused(config):
    with config_refused(400, kind="invalid-argument"):
        await config.set_configuration_setting(setting("100%"))
    with config_refused(400, kind="invalid-argument"):
        await config.get_configuration_setting(key="100%25")
    with config_refused(400, kind="invalid-argument"):
        await config.delete_configuration_setting("%")


@covers("A5", "A6")
async def test_keys_and_labels_are_case_sensitive(config):
    key = unique("Case")
    await config.set_configuration_setting(setting(key, "mixed"))
    await config.set_configuration_setting(setting(key.lower(), "lower"))
    assert (await config.get_configuration_setting(key=key)).value == "mixed"
    with config_refused(404, ResourceNotFoundError):
        await config.get_configuration_setting(key=key.upper())


VALUES = {
    "empty": "",
    "null": None,
    "lines": "first\nsecond\r\n\tthird",
    "unicode": "Gr\u00fc\u00dfe, \u6771\u4eac, \U0001f510, e\u0301 \u2028 \ufeff",
    "json": '{"value":"x","n":null}',
    "quotes": "\"'\\/<>&%41+",
}


@covers("A5", "A6")
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
async def test_values_come_back_byte_for_byte(config, value):
    key = unique("value")
    tags = {"t": re.sub(r"[\r\n\t]", "", value or "")}
    await config.set_configuration_setting(setting(key, value, tags=tags))
    got = await config.get_configuration_setting(key=key)
    assert got.value == value and got.tags == tags


@covers("A6")
async def test_the_same_put_again_changes_nothing(config):
    key = unique("same")
    first = await config.set_configuration_setting(setting(key, content_type="text/plain", tags={"a": "b", "c": "d"}))
    again = await config.set_configuration_setting(setting(key, content_type="text/plain", tags={"c": "d", "a": "b"}))
    assert (again.etag, again.last_modified) == (first.etag, first.last_modified)
    assert len(await config.every("list_revisions", key_filter=key)) == 1
    for change in ({"value": "w"}, {"content_type": "text/html"}, {"tags": {"a": "b"}}):
        before = again.etag
        again = await config.set_configuration_setting(
            setting(key, **({"content_type": "text/plain", "tags": {"a": "b", "c": "d"}} | change))
        )
        assert again.etag != before, change
    assert len(await config.every("list_revisions", key_filter=key)) == 4


@covers("A6")
async def test_add_makes_only_what_is_not_there(config):
    key = unique("add")
    made = await config.add_configuration_setting(setting(key, "first"))
    with config_refused(412, ResourceExistsError):
        await config.add_configuration_setting(setting(key, "second"))
    assert (await config.get_configuration_setting(key=key)).etag == made.etag
    await config.add_configuration_setting(setting(key, "second", label="other"))
    await config.delete_configuration_setting(key)
    assert (await config.add_configuration_setting(setting(key, "third"))).value == "third"


@covers("A6")
async def test_set_if_unchanged(config):
    key = unique("set-if")
    first = await config.set_configuration_setting(setting(key, "1"))
    first.value = "2"
    second = await config.set_configuration_setting(first, match_condition=IF_SAME)
    assert second.value == "2"
    first.value = "lost"
    with config_refused(412, ResourceModifiedError):
        await config.set_configuration_setting(first, match_condition=IF_SAME)
    third = await config.set_configuration_setting(setting(key, "3"), match_condition=IF_SAME, etag=second.etag)
    assert (await config.set_configuration_setting(setting(key, "4"), match_condition=IF_THERE)).value == "4"
    with config_refused(412, ResourceNotFoundError):
        await config.set_configuration_setting(setting(unique("none")), match_condition=IF_THERE)
    with config_refused(412, ResourceModifiedError):
        await config.set_configuration_setting(setting(unique("none"), etag="x"), match_condition=IF_SAME)
    with config_refused(412, ResourceExistsError):
        await config.set_configuration_setting(setting(key, "5"), match_condition=IF_ABSENT)
    current = await config.get_configuration_setting(key=key)
    assert current.value == "4" and current.etag != third.etag
    with config_refused(412):
        await config.set_configuration_setting(setting(key, "6", etag=current.etag), match_condition=IF_OTHER)


@covers("A7")
async def test_delete_if_unchanged(config):
    key = unique("delete-if")
    first = await config.set_configuration_setting(setting(key, "1"))
    second = await config.set_configuration_setting(setting(key, "2"))
    with config_refused(412, ResourceModifiedError):
        await config.delete_configuration_setting(key, etag=first.etag, match_condition=IF_SAME)
    gone = await config.delete_configuration_setting(key, etag=second.etag, match_condition=IF_SAME)
    assert gone.value == "2"
    assert await config.delete_configuration_setting(key) is None, "a missing setting is no error"
    with config_refused(412, ResourceNotFoundError):
        await config.delete_configuration_setting(key, match_condition=IF_THERE)
    with config_refused(412, ResourceModifiedError):
        await config.delete_configuration_setting(key, etag=second.etag, match_condition=IF_SAME)


@covers("A5")
async def test_get_if_changed(config):
    key = unique("get-if")
    first = await config.set_configuration_setting(setting(key, "1"))
    assert await config.get_configuration_setting(key=key, etag=first.etag, match_condition=IF_OTHER) is None
    assert (await config.get_configuration_setting(key=key, etag=first.etag, match_condition=IF_SAME)).value == "1"
    second = await config.set_configuration_setting(setting(key, "2"))
    changed = await config.get_configuration_setting(key=key, etag=first.etag, match_condition=IF_OTHER)
    assert changed.etag == second.etag and changed.value == "2"
    with config_refused(412, ResourceModifiedError):
        await config.get_configuration_setting(key=key, etag=first.etag, match_condition=IF_SAME)
    with config_refused(404, ResourceNotFoundError):
        await config.get_configuration_setting(key=unique("none"), etag=first.etag, match_condition=IF_OTHER)


@covers("A6", "A7", "A18", "A19")
async def test_a_locked_setting_is_refused_until_it_is_unlocked(config):
    key = unique("lock")
    made = await config.set_configuration_setting(setting(key, label="l"))
    locked = await config.set_read_only(made)
    assert locked.read_only is True and locked.etag != made.etag and locked.value == "v"
    with config_refused(409, ResourceReadOnlyError, "key-locked") as caught:
        await config.set_configuration_setting(setting(key, "w", label="l"))
    body = caught.value.response.json()
    assert body["name"] == key and "read-only" in body["detail"]
    with config_refused(409, ResourceReadOnlyError, "key-locked"):
        await config.delete_configuration_setting(key, label="l")
    assert (await config.set_configuration_setting(setting(key, "w"))).label is None, "the lock is one label's"
    got = await config.get_configuration_setting(key=key, label="l")
    assert (got.value, got.read_only, got.etag) == ("v", True, locked.etag)
    free = await config.set_read_only(got, False)
    assert free.read_only is False and free.etag not in (made.etag, locked.etag)
    assert (await config.set_configuration_setting(setting(key, "w", label="l"))).value == "w"
    assert (await config.delete_configuration_setting(key, label="l")).value == "w"


@covers("A6", "A18")
async def test_the_precondition_comes_before_the_lock(config):
    key = unique("lock-order")
    made = await config.set_configuration_setting(setting(key))
    locked = await config.set_read_only(made)
    with config_refused(412, ResourceExistsError):
        await config.add_configuration_setting(setting(key, "w"))
    with config_refused(412, ResourceModifiedError):
        await config.set_configuration_setting(setting(key, "w", etag=made.etag), match_condition=IF_SAME)
    with config_refused(409, ResourceReadOnlyError, "key-locked"):
        await config.set_configuration_setting(setting(key, "w", etag=locked.etag), match_condition=IF_SAME)


@covers("A18", "A19")
async def test_locks_have_preconditions_too(config):
    key = unique("lock-if")
    made = await config.set_configuration_setting(setting(key, "1"))
    now = await config.set_configuration_setting(setting(key, "2"))
    with config_refused(412, ResourceModifiedError):
        await config.set_read_only(made, match_condition=IF_SAME)
    locked = await config.set_read_only(now, match_condition=IF_SAME)
    with config_refused(412, ResourceModifiedError):
        await config.set_read_only(now, False, match_condition=IF_SAME)
    assert (await config.set_read_only(locked, False, match_condition=IF_SAME)).read_only is False
    for read_only in (True, False):
        with config_refused(404, ResourceNotFoundError):
            await config.set_read_only(setting(unique("none")), read_only)


@covers("A8")
async def test_check_a_setting(config):
    key = unique("check")
    made = await config.set_configuration_setting(setting(key, label="l"))
    response = await config.send("HEAD", f"/kv/{key}", params={"label": "l"})
    assert response.status_code == 200 and response.text() == ""
    assert response.headers["ETag"] == f'"{made.etag}"' and response.headers["Last-Modified"]
    same = {"If-None-Match": f'"{made.etag}"'}
    assert (await config.send("HEAD", f"/kv/{key}", params={"label": "l"}, headers=same)).status_code == 304
    other = {"If-Match": '"other"'}
    assert (await config.send("HEAD", f"/kv/{key}", params={"label": "l"}, headers=other)).status_code == 412
    assert (await config.send("HEAD", f"/kv/{key}")).status_code == 404
