"""Limits of a store, and what nobody should send: refused with a 400, never an error of the server."""

import json

import pytest

from config_wire import empty, problem
from settings import unique

LONG = "k" * 256


def fill(prefix: str, letter: str = "k", length: int = 256) -> str:
    """`prefix` made up to a length."""
    return prefix + letter * (length - len(prefix))


def test_a_key_has_at_most_256_characters(store):
    key = fill(unique("long"))
    assert store.put(key, value="v")["key"] == key
    problem(store("PUT", f"/kv/{key}k", {"value": "v"}), 400, "invalid-argument", "key")
    unicode = fill(unique("long"), "\u00e9")
    encoded = unicode.replace("\u00e9", "%C3%A9")
    assert store.put(encoded, value="v")["key"] == unicode
    problem(store("PUT", f"/kv/{encoded}k", {"value": "v"}), 400, "invalid-argument", "key")


def test_a_label_has_at_most_256_characters(store):
    key = unique("label")
    assert store.put(key, LONG, value="v")["label"] == LONG
    problem(store("PUT", f"/kv/{key}?label={LONG}k", {"value": "v"}), 400, "invalid-argument", "label")


def test_tags_have_at_most_256_characters(store):
    key = unique("tags")
    assert store.put(key, value="v", tags={LONG: LONG})["tags"] == {LONG: LONG}
    for tags in ({LONG + "k": "v"}, {"t": LONG + "k"}):
        problem(store("PUT", f"/kv/{key}", {"value": "v", "tags": tags}), 400, "invalid-argument")


def test_a_snapshot_name_has_at_most_256_characters(store):
    name, body = fill(unique("long")), {"filters": [{"key": "none"}]}
    assert store("PUT", f"/snapshots/{name}", body).json()["name"] == name
    problem(store("PUT", f"/snapshots/{name}k", body), 400, "invalid-argument", "name")


def test_a_key_value_has_at_most_ten_kilobytes(store):
    key = unique("big")
    assert len(store.put(key, value="v" * 9000)["value"]) == 9000
    assert store.put(key, value="\u00e9" * 4500)["value"] == "\u00e9" * 4500
    many = {f"tag{n}": "t" * 250 for n in range(40)}
    for body in ({"value": "v" * 10_300}, {"value": "\u00e9" * 6000}, {"value": "v" * 5000, "tags": many}):
        assert store("PUT", f"/kv/{key}", body).status in (400, 413)
    assert store("PUT", f"/kv/{key}", b'{"value":"' + b"v" * 3_000_000 + b'"}').status in (400, 413)
    assert store("GET", f"/kv/{key}").json()["value"] == "\u00e9" * 4500


CONTROLS = ["%00", "%01", "%0A", "%1F", "%7F"]


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_are_refused(store, control):
    key = unique("control")
    problem(store("PUT", f"/kv/{key}{control}", {"value": "v"}), 400, "invalid-argument", "key")
    problem(store("PUT", f"/kv/{key}?label=l{control}", {"value": "v"}), 400, "invalid-argument", "label")
    text = bytes.fromhex(control[1:]).decode()
    for body in ({"tags": {f"t{text}": "v"}}, {"tags": {"t": f"v{text}"}}, {"content_type": f"t{text}"}):
        problem(store("PUT", f"/kv/{key}", {"value": "v"} | body), 400, "invalid-argument")
    assert store.put(key, value=f"a{text}b")["value"] == f"a{text}b", "a value holds anything"


@pytest.mark.parametrize("path", ["/kv/.", "/kv/..", "/kv/", "/kv/%2E%2E", "/kv/%2E"])
def test_keys_that_are_none(store, path):
    assert store("PUT", path, {"value": "v"}).status in (400, 404, 405)


BAD_BODIES = {
    "not-json": b"{nope",
    "array": b"[]",
    "text": b'"v"',
    "number": b"5",
    "number-value": b'{"value":5}',
    "object-value": b'{"value":{}}',
    "text-tags": b'{"value":"v","tags":"a"}',
    "list-tags": b'{"value":"v","tags":["a"]}',
    "number-tag": b'{"value":"v","tags":{"a":1}}',
    "number-type": b'{"value":"v","content_type":1}',
    "not-utf-8": b'{"value":"\xff"}',
    "lone-surrogate": b'{"value":"\\ud800"}',
    "deep": b'{"value":' + b"[" * 5000,
    "cut": b'{"value":"v"',
    "two": b'{"value":"v"}{"value":"w"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_bad_bodies(store, body):
    key = unique("bad")
    problem(store("PUT", f"/kv/{key}", body), 400, "invalid-argument")
    empty(store("GET", f"/kv/{key}"), 404)
    assert store("PUT", f"/snapshots/{key}", body).status == 400
    assert store("PATCH", f"/snapshots/{key}", body).status in (400, 404)


def test_members_that_a_client_does_not_decide(store):
    key = unique("ignored")
    lies = {"key": "other", "label": "l", "etag": "mine", "locked": True, "last_modified": "2001-01-01T00:00:00+00:00"}
    made = store.put(key, value="v", new={"a": [None]}, **lies)
    assert (made["key"], made["label"], made["locked"]) == (key, None, False) and "new" not in made
    assert made["etag"] != "mine" and not made["last_modified"].startswith("2001")
    for tags in ({}, None):
        assert store.put(key, value=None, tags=tags, content_type=None)["tags"] == {}


def test_filters_have_at_most_five_entries(store):
    for path, name in (("/kv", "key"), ("/kv", "label"), ("/keys", "name"), ("/labels", "name"), ("/revisions", "key")):
        assert store("GET", f"{path}?{name}=a,b,c,d,e").status == 200
        problem(store("GET", f"{path}?{name}=a,b,c,d,e,f"), 400, "invalid-argument", name)
    tags = "&".join(f"tags=t{n}%3Dv" for n in range(5))
    assert store("GET", f"/kv?{tags}").status == 200
    problem(store("GET", f"/kv?{tags}&tags=t5%3Dv"), 400, "invalid-argument", "tags")


def test_a_tag_can_be_null_and_a_null_can_be_found(store):
    key = unique("tag")
    store.put(key, value="null", tags={"t": None})
    store.put(key, "empty", value="empty", tags={"t": ""})
    store.put(key, "none", value="none")

    def found(tag: str) -> list[str]:
        return [item["value"] for item in store("GET", f"/kv?key={key}&tags={tag}").json()["items"]]

    assert (found("t%3D%00"), found("t%3D")) == (["null"], ["empty"])
    assert store("GET", f"/kv/{key}?tags=t%3D%00").status == 200
    assert store("GET", f"/kv/{key}?label=empty&tags=t%3Dx").status == 404
    assert store("GET", f"/kv/{key}?label=empty&tags=t%3Dx", version="2023-11-01").status == 200


HOSTILE = ["a%5C", "%5C", "a%5Cb", "%5C%5C%5C", "a**", "*a", "**", ",", ",,,,", "a,,b", "%00%00", "%00a", "a%00", "%FF"]
HOSTILE += ["%C3%28", "%ED%A0%80", "%", "%zz", "a" * 257, "a" * 6000, "*," * 4, "%2A%2C", "%F0%9F%94%90*", "..%2F.."]
HOSTILE += ["%27%20OR%201=1", "$(x)", "%0A", "+", "a%2Bb", "=", "%3D%3D", "a=b=c", "%3Db", "%5C%3D=%5C%3D"]
LISTS = ["/kv?key=", "/kv?label=", "/kv?tags=", "/keys?name=", "/labels?name=", "/revisions?key=", "/revisions?tags="]
LISTS += ["/snapshots?name=", "/snapshots?status=", "/kv?snapshot=", "/kv?$select=", "/kv?after="]


@pytest.mark.parametrize("start", LISTS)
def test_hostile_filters(own_store, start):
    own_store.put("one", value="v")
    for text in HOSTILE:
        answer = own_store("GET", start + text)
        assert answer.status in (200, 400), (start, text, answer.status)
        if answer.status == 400 and answer.body:
            problem(answer, 400, "invalid-argument")


def test_hostile_headers(store):
    name = unique("headers")
    store.put(name, value="v")
    for header in ("If_Match", "If_None_Match"):
        for value in ("", '"', '""', "W/", ",", '"a' * 2000, "\u00e9", "*, *"):
            assert store("GET", f"/kv/{name}", **{header: value}).status in (200, 304, 400, 412), (header, value)
    for value in ("", "yesterday", "0", "9999-99-99", "2026-11-21 00:00:00+99:99", "1601-01-01", "\u00e9", "1" * 4000):
        answer = store("GET", f"/kv/{name}", Accept_Datetime=value)
        assert answer.status in (200, 400, 404), value


def test_hostile_json_is_stored_as_it_was(store):
    key, value = unique("json"), json.dumps({"__proto__": {"x": 1}, "$type": "System.Object", "a": "</script>"})
    assert store.put(key, value=value, content_type="application/json", tags={"__proto__": "x"})["value"] == value
    assert store("GET", f"/kv/{key}").json()["tags"] == {"__proto__": "x"}
