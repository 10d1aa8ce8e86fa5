"""Revisions and time travel in App Configuration, sync and aio."""

import asyncio
from datetime import datetime, timedelta, timezone

import pytest
from azure.appconfiguration import ConfigurationSetting
from azure.core.exceptions import ResourceNotFoundError

from config_wire import http_date
from expect import config_refused
from report import covers
from settings import fresh_store, unique


@covers("A20", "A21")
async def test_every_change_is_a_revision_the_newest_first(config):
    key = unique("revisions")
    for value in ("1", "2", "3"):
        made = await config.set_configuration_setting(ConfigurationSetting(key=key, value=value, label="l"))
    revisions = await config.every("list_revisions", key_filter=key)
    assert [item.value for item in revisions] == ["3", "2", "1"]
    assert revisions[0].as_dict() == made.as_dict() and len({item.etag for item in revisions}) == 3
    stamps = [item.last_modified for item in revisions]
    assert stamps == sorted(stamps, reverse=True)
    locked = await config.set_read_only(made)
    await config.set_read_only(locked, False)
    shown = [(item.value, item.read_only) for item in await config.every("list_revisions", key_filter=key)]
    assert shown == [("3", False), ("3", True), ("3", False), ("2", False), ("1", False)]
    head = await config.send("HEAD", "/revisions", params={"key": key})
    assert head.status_code == 200 and head.text() == "" and "Link" not in head.headers


@covers("A7", "A20")
async def test_revisions_outlive_their_setting(config):
    key = unique("outlive")
    await config.set_configuration_setting(ConfigurationSetting(key=key, value="1"))
    await config.delete_configuration_setting(key)
    assert await config.every("list_configuration_settings", key_filter=key) == []
    assert [item.value for item in await config.every("list_revisions", key_filter=key)] == ["1"]
    await config.set_configuration_setting(ConfigurationSetting(key=key, value="1"))
    revisions = await config.every("list_revisions", key_filter=key)
    assert [item.value for item in revisions] == ["1", "1"], "a delete is not listed, and the new start is"
    assert revisions[0].etag != revisions[1].etag


@covers("A20")
async def test_revisions_are_grouped_by_key_and_label(config):
    prefix = unique("group")
    for value in ("1", "2"):
        for key, label in (("b", None), ("a", "x"), ("a", None)):
            await config.set_configuration_setting(
                ConfigurationSetting(key=f"{prefix}/{key}", label=label, value=value, tags={"v": value})
            )
    found = await config.every("list_revisions", key_filter=f"{prefix}/*")
    assert [(item.key[-1], item.label, item.value) for item in found] == [
        ("a", None, "2"),
        ("a", None, "1"),
        ("a", "x", "2"),
        ("a", "x", "1"),
        ("b", None, "2"),
        ("b", None, "1"),
    ]
    old = await config.every("list_revisions", key_filter=f"{prefix}/*", label_filter="\0", tags_filter=["v=1"])
    assert [(item.key[-1], item.value) for item in old] == [("a", "1"), ("b", "1")], "a revision has its own tags"


@covers("A20", "A21")
async def test_the_revisions_of_one_setting_page(api):
    client = api.config(fresh_store())
    for n in range(105):
        await client.set_configuration_setting(ConfigurationSetting(key="busy", value=str(n)))
    pages = await client.pages("list_revisions")
    assert [len(page) for page in pages] == [100, 5]
    assert [item.value for page in pages for item in page] == [str(n) for n in reversed(range(105))]
    head = await client.send("HEAD", "/revisions")
    assert 'rel="next"' in head.headers["Link"]


class Past:
    """A store that changed, and the moment before it did."""

    def __init__(self, url: str, moment: datetime) -> None:
        self.url, self.moment = url, moment


@pytest.fixture(scope="module")
async def past(apis) -> Past:
    """`a` changed, `b` was deleted, `c` was made, and `a` got a label, after the moment."""
    url = fresh_store()
    client = apis["aio"].config(url)
    for key in ("a", "b"):
        made = await client.set_configuration_setting(ConfigurationSetting(key=key, value="old", label="old"))
    await asyncio.sleep(2.1)
    await client.set_configuration_setting(ConfigurationSetting(key="a", value="new", label="old"))
    await client.set_configuration_setting(ConfigurationSetting(key="a", value="new", label="new"))
    await client.delete_configuration_setting("b", label="old")
    await client.set_configuration_setting(ConfigurationSetting(key="c", value="new", label="new"))
    # Times are shown in whole seconds, so one second later everything old is there and nothing new.
    return Past(url, made.last_modified + timedelta(seconds=1))


def spellings(moment: datetime) -> list:
    """The same moment as callers give it."""
    plain = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return [moment, plain, str(plain), http_date(moment), plain.isoformat() + "Z"]


@covers("A5", "A8")
async def test_a_setting_as_it_was(api, past):
    client = api.config(past.url)
    for moment in spellings(past.moment):
        old = await client.get_configuration_setting(key="a", label="old", accept_datetime=moment)
        assert old.value == "old", moment
        assert (await client.get_configuration_setting(key="b", label="old", accept_datetime=moment)).value == "old"
        for key, label in (("a", "new"), ("c", "new")):
            with config_refused(404, ResourceNotFoundError):
                await client.get_configuration_setting(key=key, label=label, accept_datetime=moment)
    headers = {"Accept-Datetime": http_date(past.moment)}
    head = await client.send("HEAD", "/kv/b", params={"label": "old"}, headers=headers)
    assert head.status_code == 200 and head.headers["Memento-Datetime"]
    with config_refused(404, ResourceNotFoundError):
        await client.get_configuration_setting(key="b", label="old")


@covers("A3", "A4")
async def test_a_list_as_it_was(api, past):
    client = api.config(past.url)
    for moment in spellings(past.moment):
        found = await client.every("list_configuration_settings", accept_datetime=moment)
        assert [(item.key, item.label, item.value) for item in found] == [("a", "old", "old"), ("b", "old", "old")]
    then = {"accept_datetime": past.moment}
    ((listed, _),) = await client.listed("list_configuration_settings", **then)
    ((now, items),) = await client.listed("list_configuration_settings")
    # Without a body, the client takes any link for a next page: one to the original would have no end.
    ((checked, _),) = await client.listed("check_configuration_settings", **then)
    assert checked == listed != now
    for listing in ("list_configuration_settings", "check_configuration_settings"):
        assert await client.listed(listing, [listed], **then) == [], "the past does not change"
    assert [(item.key, item.label) for item in items] == [("a", "new"), ("a", "old"), ("c", "new")]
    tomorrow = {"accept_datetime": datetime.now(timezone.utc) + timedelta(days=1)}
    assert len(await client.every("list_configuration_settings", **tomorrow)) == 3


@covers("A1", "A2", "A16", "A17", "A20", "A21")
async def test_keys_labels_and_revisions_as_they_were(api, past):
    client, headers = api.config(past.url), {"Accept-Datetime": http_date(past.moment)}
    answer = await client.send("GET", "/keys", headers=headers)
    assert [item["name"] for item in answer.json()["items"]] == ["a", "b"]
    assert [label.name for label in await client.every("list_labels", accept_datetime=past.moment)] == ["old"]
    revisions = await client.every("list_revisions", accept_datetime=past.moment)
    assert [(item.key, item.value) for item in revisions] == [("a", "old"), ("b", "old")]
    for path in ("/keys", "/labels", "/revisions"):
        head = await client.send("HEAD", path, headers=headers)
        assert head.status_code == 200 and head.headers["Memento-Datetime"] and 'rel="original"' in head.headers["Link"]
