"""Snapshots of App Configuration, sync and aio, by key and by token."""

import asyncio
from datetime import datetime, timedelta, timezone

import pytest
from azure.appconfiguration import ConfigurationSetting, ConfigurationSettingsFilter
from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from expect import config_refused
from report import covers
from settings import SETTINGS, fresh_store, unique

DAY = 86_400


async def two_labels(client) -> str:
    """A prefix under which `a` has three labels and `b` has two."""
    prefix = unique("snap")
    for key, label in (("a", None), ("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")):
        made = ConfigurationSetting(
            key=f"{prefix}/{key}", label=label, value=f"{key} of {label}", tags={"l": str(label)}, content_type="t/p"
        )
        await client.set_configuration_setting(made)
    return prefix


async def content(client, name: str) -> list[tuple]:
    """What a snapshot holds, without the prefix."""
    found = await client.every("list_configuration_settings", snapshot_name=name)
    return [(item.key.rsplit("/", 1)[1], item.label, item.value) for item in found]


@covers("A3", "A11", "A12", "A13")
async def test_a_snapshot_keeps_what_was_there(config):
    prefix = await two_labels(config)
    start = datetime.now(timezone.utc) - timedelta(minutes=5)
    wanted = ConfigurationSettingsFilter(key=f"{prefix}/*", label="x")
    made = await config.snapshot(prefix, wanted, tags={"release": "7"}, description="before the move")
    assert (made.name, made.status, made.composition_type) == (prefix, "ready", "key")
    assert (made.items_count, made.tags, made.description) == (2, {"release": "7"}, "before the move")
    assert made.size > 0 and made.etag and made.expires is None and made.retention_period == 30 * DAY
    assert start < made.created < start + timedelta(minutes=10)
    assert [(item.key, item.label) for item in made.filters] == [(f"{prefix}/*", "x")]
    got = await config.get_snapshot(prefix)
    assert (got.name, got.etag, got.created, got.status, got.size) == (
        made.name,
        made.etag,
        made.created,
        made.status,
        made.size,
    )
    await config.set_configuration_setting(ConfigurationSetting(key=f"{prefix}/a", label="x", value="changed"))
    await config.delete_configuration_setting(f"{prefix}/b", label="x")
    await config.set_configuration_setting(ConfigurationSetting(key=f"{prefix}/c", label="x", value="late"))
    assert await content(config, prefix) == [("a", "x", "a of x"), ("b", "x", "b of x")]
    item = (await config.every("list_configuration_settings", snapshot_name=prefix))[0]
    assert item.tags == {"l": "x"} and item.content_type == "t/p" and item.read_only is False and item.etag
    fields = await config.every("list_configuration_settings", snapshot_name=prefix, fields=["key", "value"])
    assert [(item.value, item.label, item.etag) for item in fields] == [("a of x", None, None), ("b of x", None, None)]


@covers("A13")
async def test_composition_by_key_takes_the_later_filter(config):
    prefix = await two_labels(config)
    by_x, by_y = (ConfigurationSettingsFilter(key=f"{prefix}/*", label=label) for label in ("x", "y"))
    no_label = ConfigurationSettingsFilter(key=f"{prefix}/*", label="\0")
    for filters, expected in (
        ((by_x, by_y), [("a", "y", "a of y"), ("b", "y", "b of y")]),
        ((by_y, by_x, no_label), [("a", None, "a of None"), ("b", "x", "b of x")]),
    ):
        name = unique("by-key")
        made = await config.snapshot(name, *filters, composition_type="key")
        assert made.items_count == len(expected) and made.composition_type == "key"
        assert await content(config, name) == expected


@covers("A13")
async def test_composition_by_key_and_label_takes_all(config):
    prefix, name = await two_labels(config), unique("by-label")
    filters = [ConfigurationSettingsFilter(key=f"{prefix}/*", label=label) for label in ("x*", "\0,x", "y")]
    made = await config.snapshot(name, *filters, composition_type="key_label", retention_period=3600)
    assert (made.composition_type, made.items_count, made.retention_period) == ("key_label", 5, 3600)
    assert [(key, label) for key, label, _ in await content(config, name)] == [
        ("a", None),
        ("a", "x"),
        ("a", "y"),
        ("b", "x"),
        ("b", "y"),
    ]


@covers("A13")
async def test_snapshot_filters_by_tags(config):
    prefix, name = await two_labels(config), unique("by-tag")
    tagged = ConfigurationSettingsFilter(key=f"{prefix}/*", label="*", tags=["l=y"])
    made = await config.snapshot(name, tagged, composition_type="key_label")
    assert made.filters[0].tags == ["l=y"]
    assert await content(config, name) == [("a", "y", "a of y"), ("b", "y", "b of y")]
    nothing = await config.snapshot(unique("empty"), ConfigurationSettingsFilter(key=unique("none")))
    assert nothing.items_count == 0 and nothing.status == "ready" and await content(config, nothing.name) == []


BAD_SNAPSHOTS = {
    "no-filter": ([], {}),
    "four-filters": ([{"key": f"k{n}"} for n in range(4)], {}),
    "bad-filter": ([{"key": "a*b"}], {}),
    "long-key": ([{"key": "k" * 257}], {}),
    "short-retention": ([{"key": "k"}], {"retention_period": 3599}),
    "long-retention": ([{"key": "k"}], {"retention_period": 90 * DAY + 1}),
    "composition": ([{"key": "k"}], {"composition_type": "label"}),
}


@covers("A13")
@pytest.mark.parametrize("case", BAD_SNAPSHOTS, ids=BAD_SNAPSHOTS.keys())
async def test_bad_snapshots(config, case):
    filters, options = BAD_SNAPSHOTS[case]
    name = unique("bad")
    with config_refused(400, kind="invalid-argument") as caught:
        await config.snapshot(name, *(ConfigurationSettingsFilter(**one) for one in filters), **options)
    named = caught.value.response.json()["name"]
    assert named.startswith(next(iter(options), "filters")), named
    with config_refused(404, ResourceNotFoundError):
        await config.get_snapshot(name)


@covers("A13")
async def test_the_bounds_of_a_snapshot(config):
    three = [ConfigurationSettingsFilter(key=unique("none")) for _ in range(3)]
    for retention in (3600, 90 * DAY):
        made = await config.snapshot(unique("bounds"), *three, retention_period=retention)
        assert made.retention_period == retention and len(made.filters) == 3


@covers("A13")
async def test_a_name_is_taken_for_good(config):
    name, key = unique("taken"), ConfigurationSettingsFilter(key="none")
    await config.snapshot(name, key)
    for _ in ("ready", "archived"):
        with config_refused(409, ResourceExistsError, "already-exists"):
            await config.snapshot(name, key)
        await config.archive_snapshot(name)


@covers("A14", "A15")
async def test_archive_and_recover(config):
    name = unique("archive")
    made = await config.snapshot(name, ConfigurationSettingsFilter(key="none"), retention_period=7200)
    archived = await config.archive_snapshot(name)
    assert archived.status == "archived" and archived.etag != made.etag
    left = archived.expires - datetime.now(timezone.utc)
    assert timedelta(minutes=110) < left < timedelta(minutes=130)
    again = await config.archive_snapshot(name)
    assert (again.etag, again.expires) == (archived.etag, archived.expires), "the same state again is no change"
    ready = await config.recover_snapshot(name)
    assert (ready.status, ready.expires) == ("ready", None) and ready.etag != archived.etag
    assert (await config.recover_snapshot(name)).etag == ready.etag
    for call in (config.archive_snapshot, config.recover_snapshot, config.get_snapshot):
        with config_refused(404, ResourceNotFoundError):
            await call(unique("none"))
    head = await config.send("HEAD", f"/snapshots/{name}")
    assert head.status_code == 200 and head.headers["ETag"] == f'"{ready.etag}"' and head.text() == ""
    same = await config.send("HEAD", f"/snapshots/{name}", headers={"If-None-Match": f'"{ready.etag}"'})
    assert same.status_code == 304
    assert (await config.send("HEAD", f"/snapshots/{unique('none')}")).status_code == 404


@covers("A14")
async def test_archive_if_unchanged(config):
    name = unique("archive-if")
    made = await config.snapshot(name, ConfigurationSettingsFilter(key="none"))
    with config_refused(412, ResourceModifiedError):
        await config.archive_snapshot(name, etag="other", match_condition=MatchConditions.IfNotModified)
    archived = await config.archive_snapshot(name, etag=made.etag, match_condition=MatchConditions.IfNotModified)
    with config_refused(412, ResourceModifiedError):
        await config.recover_snapshot(name, etag=made.etag, match_condition=MatchConditions.IfNotModified)
    recovered = await config.recover_snapshot(name, etag=archived.etag, match_condition=MatchConditions.IfNotModified)
    assert recovered.status == "ready"


@covers("A3")
async def test_an_archived_snapshot_can_still_be_read(config):
    prefix = await two_labels(config)
    await config.snapshot(prefix, ConfigurationSettingsFilter(key=f"{prefix}/*", label="x"))
    await config.archive_snapshot(prefix)
    assert await content(config, prefix) == [("a", "x", "a of x"), ("b", "x", "b of x")]
    assert await content(config, unique("none")) == [], "a missing snapshot is empty"


@covers("A12")
async def test_the_operation_behind_a_snapshot(config):
    name = unique("operation")
    body = {"filters": [{"key": "none"}]}
    answer = await config.send("PUT", f"/snapshots/{name}", json=body)
    assert answer.status_code == 201 and answer.json()["status"] == "provisioning", answer.text()
    assert answer.headers["Operation-Location"].startswith(f"{SETTINGS.store_url}/operations?")
    for _ in range(60):
        state = await config.send("GET", "/operations", params={"snapshot": name})
        assert state.status_code == 200 and state.headers["Content-Type"].startswith("application/json")
        if state.json()["status"] not in ("NotStarted", "Running"):
            break
        await asyncio.sleep(0.5)
    assert state.json()["status"] == "Succeeded" and state.json()["id"] and state.json()["error"] is None
    assert (await config.get_snapshot(name)).status == "ready"


@pytest.fixture(scope="module")
async def album(apis) -> str:
    """A store with four snapshots, one of them archived, and one of many settings."""
    url = fresh_store()
    client = apis["aio"].config(url)
    settings = [ConfigurationSetting(key=f"many/{n:03}", value=str(n)) for n in range(150)]
    for start in range(0, 150, 25):
        await asyncio.gather(*(client.set_configuration_setting(one) for one in settings[start : start + 25]))
    for name in ("a-1", "a-2", "b,1"):
        await client.snapshot(name, ConfigurationSettingsFilter(key="many/00*"), tags={"n": name})
    await client.snapshot("many", ConfigurationSettingsFilter(key="many/*"))
    await client.archive_snapshot("a-2")
    return url


LISTS = [
    ({}, ["a-1", "a-2", "b,1", "many"]),
    ({"name": "a-*"}, ["a-1", "a-2"]),
    ({"name": "b\\,1"}, ["b,1"]),
    ({"name": "a-1,many"}, ["a-1", "many"]),
    ({"status": ["ready"]}, ["a-1", "b,1", "many"]),
    ({"status": ["archived"]}, ["a-2"]),
    ({"status": ["ready", "archived"], "name": "a*"}, ["a-1", "a-2"]),
    ({"status": ["provisioning", "failed"]}, []),
]


@covers("A9", "A10")
@pytest.mark.parametrize("filters, expected", LISTS, ids=[str(filters) for filters, _ in LISTS])
async def test_snapshot_lists(api, album, filters, expected):
    client = api.config(album)
    found = await client.every("list_snapshots", **filters)
    assert sorted(item.name for item in found) == expected
    assert all(item.etag and item.created and item.filters for item in found)
    head = await client.send("HEAD", "/snapshots")
    assert head.status_code == 200 and head.text() == ""


@covers("A9", "A11")
async def test_snapshot_fields(api, album):
    client = api.config(album)
    for item in [await client.get_snapshot("a-1", fields=["name", "items_count"])] + await client.every(
        "list_snapshots", name="a-1", fields=["name", "items_count"]
    ):
        assert (item.name, item.items_count) == ("a-1", 10)
        assert (item.status, item.etag, item.filters, item.tags, item.size) == (None, None, [], None, None)
    with config_refused(400, kind="invalid-argument") as caught:
        await client.every("list_snapshots", status=["nonsense"])
    assert caught.value.response.json()["name"] == "status"


@covers("A3", "A4")
async def test_the_content_of_a_snapshot_pages(api, album):
    client = api.config(album)
    pages = await client.listed("list_configuration_settings", snapshot_name="many")
    assert [len(items) for _, items in pages] == [100, 50]
    assert [item.key for _, items in pages for item in items] == [f"many/{n:03}" for n in range(150)]
    head = await client.send("HEAD", "/kv", params={"snapshot": "many"})
    assert head.status_code == 200 and 'rel="next"' in head.headers["Link"] and head.text() == ""


@covers("A9", "A10")
async def test_snapshot_lists_page(api):
    client = api.config(fresh_store())
    names = [f"s-{n:03}" for n in range(105)]
    for name in names:
        answer = await client.send("PUT", f"/snapshots/{name}", json={"filters": [{"key": "none"}]})
        assert answer.status_code == 201, answer.text()
    pages = [[item.name for item in page] for page in await client.pages("list_snapshots")]
    assert len(pages[0]) == 100 and sorted(sum(pages, [])) == names
    head = await client.send("HEAD", "/snapshots")
    assert 'rel="next"' in head.headers["Link"]
