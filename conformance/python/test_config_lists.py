"""Lists of App Configuration: filters, pages and their etags, keys, labels, sync and aio."""

import asyncio

import pytest
from azure.appconfiguration import ConfigurationSetting

from expect import config_refused
from report import covers
from settings import fresh_store

NULL = "\0"


async def fill(client, settings) -> None:
    """Sets many settings at once."""
    for start in range(0, len(settings), 20):
        await asyncio.gather(*(client.set_configuration_setting(one) for one in settings[start : start + 20]))


def names(settings) -> list[tuple[str, str | None]]:
    return [(item.key, item.label) for item in settings]


@pytest.fixture(scope="module")
async def shop(apis) -> str:
    """A store whose every setting the filters below know."""
    url = fresh_store()
    made = [("shop/color", None, {"team": "web", "tier": "1"}), ("shop/color", "dev", {"team": "web"})]
    made += [("shop/color", "prod", {"team": "web", "tier": "2"}), ("shop/size", None, {"team": "data"})]
    made += [("shop/size", "prod", {}), ("Shop/color", None, {"team": "Web"}), ("other", "prod-eu", {"a=b": "c,d"})]
    made += [("a,b*c\\d", "x,y", {"star*": "back\\slash"}), ("gr\u00fc\u00dfe", "\u6771", {"k\u00e9y": "\u4eac"})]
    settings = [ConfigurationSetting(key=k, label=l, value="v", tags=t, content_type="text/plain") for k, l, t in made]
    await fill(apis["aio"].config(url), settings)
    return url


FILTERS = {
    "none": ({}, 9),
    "star": ({"key_filter": "*", "label_filter": "*"}, 9),
    "exact": ({"key_filter": "shop/color"}, 3),
    "prefix": ({"key_filter": "shop/*"}, 5),
    "case": ({"key_filter": "Shop/*"}, 1),
    "list": ({"key_filter": "shop/size,other"}, 3),
    "null-label": ({"label_filter": NULL}, 3),
    "label": ({"label_filter": "prod"}, 2),
    "label-prefix": ({"label_filter": "prod*"}, 3),
    "label-list": ({"label_filter": f"dev,{NULL}"}, 4),
    "both": ({"key_filter": "shop/*", "label_filter": "prod"}, 2),
    "escaped-key": ({"key_filter": "a\\,b\\*c\\\\d"}, 1),
    "escaped-prefix": ({"key_filter": "a\\,b\\**"}, 1),
    "escaped-label": ({"label_filter": "x\\,y"}, 1),
    "unicode": ({"key_filter": "gr\u00fc*", "label_filter": "\u6771"}, 1),
    "tag": ({"tags_filter": ["team=web"]}, 3),
    "two-tags": ({"tags_filter": ["team=web", "tier=2"]}, 1),
    "tag-and-key": ({"key_filter": "shop/*", "label_filter": NULL, "tags_filter": ["team=web"]}, 1),
    "escaped-tag": ({"tags_filter": ["a\\=b=c\\,d"]}, 1),
    "escaped-tag-star": ({"tags_filter": ["star\\*=back\\\\slash"]}, 1),
    "unicode-tag": ({"tags_filter": ["k\u00e9y=\u4eac"]}, 1),
    "nothing": ({"key_filter": "shop"}, 0),
}


@covers("A3", "A4", "A20")
@pytest.mark.parametrize("case", FILTERS, ids=FILTERS.keys())
async def test_filters(api, shop, case):
    filters, count = FILTERS[case]
    client = api.config(shop)
    found = await client.every("list_configuration_settings", **filters)
    assert len(found) == count
    revisions = await client.every("list_revisions", **filters)
    assert names(revisions) == names(found), "each has one revision, in the same order"
    checked = await client.listed("check_configuration_settings", **filters)
    listed = await client.listed("list_configuration_settings", **filters)
    assert [etag for etag, _ in checked] == [etag for etag, _ in listed] and listed[0][0]


@covers("A3")
async def test_the_order_is_by_key_then_label_with_the_null_label_first(api, shop):
    found = names(await api.config(shop).every("list_configuration_settings", key_filter="shop/*"))
    assert found == [("shop/color", None), ("shop/color", "dev"), ("shop/color", "prod"), ("shop/size", None)] + [
        ("shop/size", "prod")
    ]
    every = [key for key, _ in names(await api.config(shop).every("list_configuration_settings"))]
    assert every == sorted(every), "ordinal"


BAD_FILTERS = [
    {"key_filter": "a*b"},
    {"key_filter": "a**"},
    {"key_filter": "a\\"},
    {"label_filter": "x*y"},
    {"key_filter": "a,b,c,d,e,f"},
    {"tags_filter": ["a=b=c"]},
    {"tags_filter": ["=b"]},
]


@covers("A3", "A20")
@pytest.mark.parametrize("filters", BAD_FILTERS, ids=[str(f) for f in BAD_FILTERS])
async def test_bad_filters(api, shop, filters):
    for listing in ("list_configuration_settings", "list_revisions"):
        with config_refused(400, kind="invalid-argument") as caught:
            await api.config(shop).every(listing, **filters)
        assert caught.value.response.json()["name"] == next(iter(filters)).removesuffix("_filter")


@covers("A3", "A20")
async def test_select_fields(api, shop):
    for listing in ("list_configuration_settings", "list_revisions"):
        wanted = {"key_filter": "shop/color", "label_filter": "prod", "fields": ["key", "tags", "read_only"]}
        (item,) = await api.config(shop).every(listing, **wanted)
        assert (item.key, item.tags, item.read_only) == ("shop/color", {"team": "web", "tier": "2"}, False)
        assert (item.value, item.label, item.etag, item.content_type, item.last_modified) == (None,) * 5
        (item,) = await api.config(shop).every(listing, **wanted | {"fields": ["value", "etag", "last_modified"]})
        assert item.key is None and item.value == "v" and item.etag and item.last_modified


@covers("A1", "A2")
async def test_keys(api, shop):
    client = api.config(shop)
    everything = ["Shop/color", "a,b*c\\d", "gr\u00fc\u00dfe", "other", "shop/color", "shop/size"]
    for name, expected in ((None, everything), ("shop/*", everything[4:]), ("a\\,b*", everything[1:2]), ("no", [])):
        params = {"name": name} if name else {}
        response = await client.send("GET", "/keys", params=params)
        assert response.status_code == 200, response.text()
        assert [item["name"] for item in response.json()["items"]] == expected
        head = await client.send("HEAD", "/keys", params=params)
        assert head.status_code == 200 and head.text() == ""
        assert head.headers["Content-Type"] == response.headers["Content-Type"]


@covers("A16", "A17")
async def test_labels(api, shop):
    client = api.config(shop)
    everything = [None, "dev", "prod", "prod-eu", "x,y", "\u6771"]
    cases = ((None, everything), ("prod*", everything[2:4]), (NULL, [None]), (f"{NULL},dev", [None, "dev"]))
    for name, expected in cases:
        assert [label.name for label in await client.every("list_labels", name=name)] == expected
        head = await client.send("HEAD", "/labels", params={"name": name} if name else {})
        assert head.status_code == 200 and head.text() == ""
    assert [label.name for label in await client.every("list_labels", fields=["name"])] == everything


PAGED = 230
PAGE_KEYS = [f"page/{n:03}" for n in range(PAGED)]
PAGE_LABELS = [f"l{n:03}" for n in range(120)]


@pytest.fixture(scope="module")
async def paged(apis) -> str:
    """A store with several pages of keys and of labels."""
    url = fresh_store()
    settings = [ConfigurationSetting(key=key, value=key, tags={"p": "1"}) for key in PAGE_KEYS]
    settings += [ConfigurationSetting(key="one,key", label=label, value="v") for label in PAGE_LABELS]
    await fill(apis["aio"].config(url), settings)
    return url


@covers("A3", "A20")
@pytest.mark.parametrize("listing", ["list_configuration_settings", "list_revisions"])
async def test_lists_page(api, paged, listing):
    client = api.config(paged)
    by_label = {"key_filter": "page/*", "label_filter": NULL}
    for filters in ({"key_filter": "page/*"}, by_label, by_label | {"tags_filter": ["p=1"]}):
        pages = [[item.key for item in page] for page in await client.pages(listing, **filters)]
        assert [len(page) for page in pages] == [100, 100, 30]
        assert sum(pages, []) == PAGE_KEYS
    many = await client.every(listing, key_filter="one\\,key", label_filter="l*", fields=["label"])
    assert [item.label for item in many] == PAGE_LABELS
    assert len(await client.every(listing)) == len(PAGE_KEYS) + len(PAGE_LABELS)


async def walk(client, method: str, path: str, **params: str) -> list:
    """The answers to a listing that has no method, over all its pages by their Link headers."""
    answers = [await client.send(method, path, params=params)]
    while link := answers[-1].headers.get("Link"):
        assert link.startswith(f"<{path}?") and 'rel="next"' in link and len(answers) < 10, link
        answers.append(await client.send(method, link[1 : link.index(">")]))
    assert all(answer.status_code == 200 for answer in answers)
    return answers


@covers("A1", "A2")
async def test_keys_page(api, paged):
    client = api.config(paged)
    pages = [[item["name"] for item in answer.json()["items"]] for answer in await walk(client, "GET", "/keys")]
    assert sum(pages, []) == ["one,key", *PAGE_KEYS] and len(pages[0]) == 100
    heads = await walk(client, "HEAD", "/keys", name="page/*")
    assert len(heads) == 3 and all(answer.text() == "" for answer in heads)


@covers("A16", "A17")
async def test_labels_page(api, paged):
    client = api.config(paged)
    pages = [[label.name for label in page] for page in await client.pages("list_labels", name="l*")]
    assert sum(pages, []) == PAGE_LABELS and len(pages) == 2
    assert [label.name for label in await client.every("list_labels")] == [None, *PAGE_LABELS]
    assert len(await walk(client, "HEAD", "/labels", name="l*")) == 2


@covers("A21")
async def test_check_revisions(api, paged):
    client = api.config(paged)
    heads = await walk(client, "HEAD", "/revisions", key="page/*")
    assert len(heads) == 3 and all(answer.text() == "" for answer in heads)
    assert len(await walk(client, "HEAD", "/revisions", key="none")) == 1


@pytest.fixture
async def changing(api) -> str:
    """A store of three pages that one test alone changes."""
    url = fresh_store()
    await fill(api.config(url), [ConfigurationSetting(key=f"etag/{n:03}", value="v") for n in range(210)])
    return url


@covers("A3", "A4")
async def test_page_etags_tell_which_pages_changed(api, changing):
    client, filters = api.config(changing), {"key_filter": "etag/*"}
    etags = [etag for etag, _ in await client.listed("list_configuration_settings", **filters)]
    assert len(etags) == 3 and len(set(etags)) == 3
    for listing in ("list_configuration_settings", "check_configuration_settings"):
        assert await client.listed(listing, etags, **filters) == [], "all pages are as they were"
    changed = ConfigurationSetting(key="etag/150", value="new")
    await client.set_configuration_setting(changed)
    ((etag, items),) = await client.listed("list_configuration_settings", etags, **filters)
    assert etag not in etags and len(items) == 100 and changed.value in [item.value for item in items]
    ((checked, _),) = await client.listed("check_configuration_settings", etags, **filters)
    assert checked == etag
    etags[1] = etag
    assert await client.listed("list_configuration_settings", etags, **filters) == []


@covers("A3")
async def test_a_page_grows_shrinks_and_locks_with_its_etag(api):
    client = api.config(fresh_store())
    seen = [(await client.listed("list_configuration_settings"))[0][0]]

    async def moved() -> bool:
        ((etag, _),) = await client.listed("list_configuration_settings")
        seen.append(etag)
        return etag not in seen[:-1]

    made = await client.set_configuration_setting(ConfigurationSetting(key="a", value="1"))
    assert await moved()
    await client.set_read_only(made)
    assert await moved()
    await client.set_read_only(made, False)
    assert await moved()
    await client.set_configuration_setting(ConfigurationSetting(key="a", value="1"))
    assert not await moved()
    await client.set_configuration_setting(ConfigurationSetting(key="b", value="1"))
    assert await moved()
    await client.delete_configuration_setting("b")
    assert len((await client.listed("list_configuration_settings"))[0][1]) == 1
