"""What goes over the wire to and from a store: bodies, headers, pages, versions, errors."""

import json
import re
import time
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import pytest

from config_wire import ERRORS, MEDIA, StoreWire, ago, empty, http_date, problem
from settings import SETTINGS, fresh_store, unique
from wire import BareResponse, bare

KEY_VALUE = ["etag", "key", "label", "content_type", "value", "tags", "locked", "last_modified"]
SNAPSHOT = ["etag", "name", "status", "filters", "composition_type", "created", "size", "items_count", "tags"]
SNAPSHOT += ["retention_period"]
OLD_VERSIONS = ["1.0", "2023-10-01", "2023-11-01", "2024-09-01"]
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
VARYING = {"date", "x-ms-request-id", "sync-token", "content-length", "transfer-encoding", "connection", "link"}


def members(value: dict) -> list[str]:
    """The members in the order they were written, without the one whose place is not known."""
    return [name for name in value if name != "description"]


def link_of(response: BareResponse) -> str | None:
    """The target of the next page, which stands first in the header."""
    first, *_ = links_of(response) or [("", "")]
    return first[0] if first[1] == "next" else None


def links_of(response: BareResponse) -> list[tuple[str, str]]:
    """Target and relation of all links, in the order of the headers."""
    return re.findall('<([^>]*)>; *rel="([a-z]*)"', ", ".join(response.headers.get_all("Link", [])))


@pytest.fixture(scope="module")
def paged(own_store) -> StoreWire:
    """A store with pages of everything."""
    for n in range(101):
        own_store.put(f"k%2F{n:03}", f"l{n:03}", value=str(n))
        own_store.put(f"k%2F{n:03}", value=str(n), tags={"t": "1"})
        own_store("PUT", f"/snapshots/s{n:03}", {"filters": [{"key": "k/00*"}]})
    time.sleep(2.1)  # so that all was there a whole second ago
    return own_store


# Bodies.


def test_a_key_value_has_all_members_in_order_and_nulls(store):
    name = unique("shape")
    for label, given in ((None, {"value": "v"}), ("l", {"value": None, "content_type": "t/p", "tags": {"a": None}})):
        path = f"/kv/{name}" + (f"?label={label}" if label else "")
        made = store("PUT", path, given)
        body = made.json()
        assert members(body) == KEY_VALUE
        assert (body["key"], body["label"], body["locked"], body["value"]) == (name, label, False, given["value"])
        assert body["content_type"] == given.get("content_type") and body["tags"] == given.get("tags", {})
        assert STAMP.fullmatch(body["last_modified"])
        for answer in (made, store("GET", path), store("PUT", path.replace("kv", "locks", 1))):
            assert answer.status == 200 and answer.headers["Content-Type"] == MEDIA.format("kv")
            assert answer.headers["ETag"] == f'"{answer.json()["etag"]}"'
            modified = parsedate_to_datetime(answer.headers["Last-Modified"])
            assert modified.strftime("%Y-%m-%dT%H:%M:%S+00:00") == answer.json()["last_modified"]
        assert store("DELETE", path.replace("kv", "locks", 1)).json()["locked"] is False
        assert members(store("DELETE", path).json()) == KEY_VALUE
        empty(store("DELETE", path), 204)
        empty(store("GET", path), 404)


def test_lists_have_their_own_shapes(store):
    name = unique("lists")
    store.put(name, "l", value="v")
    for path in (f"/kv?key={name}", f"/revisions?key={name}"):
        answer = store("GET", path)
        assert answer.headers["Content-Type"] == MEDIA.format("kvset")
        assert list(answer.json()) == ["etag", "items"] and members(answer.json()["items"][0]) == KEY_VALUE
        assert answer.headers["ETag"] == f'"{answer.json()["etag"]}"'
    keys, labels = store("GET", f"/keys?name={name}"), store("GET", "/labels?name=%00")
    assert keys.headers["Content-Type"] == MEDIA.format("keyset") and keys.json() == {"items": [{"name": name}]}
    assert labels.headers["Content-Type"] == MEDIA.format("labelset")
    store.put(name, value="v")
    assert store("GET", "/labels?name=%00").json() == {"items": [{"name": None}]}


def test_page_etags_came_with_a_version(store):
    name = unique("versions")
    store.put(name, value="v")
    for version in OLD_VERSIONS:
        answer = store("GET", f"/kv?key={name}", version=version)
        assert ("etag" in answer.json()) is (version != "1.0")
        assert (answer.headers["ETag"] is not None) is (version != "1.0")
        assert list(answer.json()["items"][0]) == KEY_VALUE, "no description before 2026-04-01"
    assert len(store("GET", f"/kv?key={name}&tags=no%3Dsuch", version="2023-10-01").json()["items"]) == 1
    assert store("GET", f"/kv?key={name}&tags=no%3Dsuch", version="2023-11-01").json()["items"] == []


def test_a_description_belongs_to_the_newest_version(store):
    name = unique("description")
    assert store.put(name, value="v", description="why")["description"] == "why"
    assert store("GET", f"/kv/{name}").json()["description"] == "why"
    assert "description" not in store("GET", f"/kv/{name}", version="2024-09-01").json()


def test_the_life_of_a_snapshot(store):
    name = unique("snapshot")
    store.put(name, value="v")
    made = store("PUT", f"/snapshots/{name}", {"filters": [{"key": name}], "tags": {"a": "b"}})
    assert made.status == 201 and made.headers["Content-Type"] == MEDIA.format("snapshot")
    body = made.json()
    assert members(body) == SNAPSHOT and body["status"] == "provisioning" and STAMP.fullmatch(body["created"])
    operation = urlsplit(made.headers["Operation-Location"])
    assert f"{operation.scheme}://{operation.netloc}" == SETTINGS.store_url and operation.path == "/operations"
    assert dict(parse_qsl(operation.query)) == {"snapshot": name, "api-version": "2026-04-01"}
    while (state := store("GET", f"/operations?snapshot={name}")).json()["status"] == "Running":
        assert int(state.headers["Retry-After"]) > 0
    assert state.json() == {"id": state.json()["id"], "status": "Succeeded", "error": None}
    ready = store("GET", f"/snapshots/{name}")
    assert members(ready.json()) == SNAPSHOT and ready.json()["items_count"] == 1
    assert ready.headers["ETag"] == f'"{ready.json()["etag"]}"'
    (one,) = ready.json()["filters"]
    assert one["key"] == name
    archived = store("PATCH", f"/snapshots/{name}", {"status": "archived"})
    assert archived.status == 200 and STAMP.fullmatch(archived.json()["expires"])
    assert members(archived.json()) == SNAPSHOT[:6] + ["expires"] + SNAPSHOT[6:]
    assert "expires" not in store("PATCH", f"/snapshots/{name}", {"status": "ready"}).json()
    listed = store("GET", f"/snapshots?name={name}")
    assert listed.headers["Content-Type"] == MEDIA.format("snapshotset")
    assert members(listed.json()["items"][0]) == SNAPSHOT
    missing = store("GET", f"/kv?snapshot={unique('none')}")
    assert missing.status == 200 and missing.json()["items"] == []


@pytest.mark.parametrize("name", ["$select", "%24Select", "$SELECT", "fields", "FIELDS"])
def test_select_by_every_name(store, name):
    key = unique("select")
    store.put(key, value="v")
    for path, pick in ((f"/kv/{key}?", lambda body: body), (f"/kv?key={key}&", lambda body: body["items"][0])):
        answer = store("GET", f"{path}{name}=key,value,tags")
        assert list(pick(answer.json())) == ["key", "value", "tags"]


def test_query_names_have_no_case(store):
    key = unique("query")
    store.put(key, "l", value="v")
    for query in (f"KEY={key}&Label=l", f"%6Bey={key}&LABEL=%6c"):
        assert len(store("GET", f"/kv?{query}").json()["items"]) == 1
    assert bare_get(store, f"/kv/{key}?Label=l&API-Version=2023-11-01").status == 200
    assert store("GET", f"/kv?key={key}&label=none").json()["items"] == []


def bare_get(store: StoreWire, target: str) -> BareResponse:
    return store("GET", target, version=None)


def test_the_null_label(store):
    key = unique("null")
    store.put(key, value="null")
    store.put(key, "l", value="l")
    for query in ("", "?label=", "?label=%00"):
        assert store("GET", f"/kv/{key}{query}").json()["value"] == "null", query
    values = [item["value"] for item in store("GET", f"/kv?key={key}").json()["items"]]
    assert values == ["null", "l"], "no label means every label in a list"
    for query, count in (("label=", 2), ("label=*", 2), ("label=%00", 1), ("label=%00,l", 2)):
        assert len(store("GET", f"/kv?key={key}&{query}").json()["items"]) == count, query


def test_keys_are_decoded_once_and_slashes_may_be_bare(store):
    name = unique("path")
    made = store.put(f"{name}%2Fa%20b", value="v")
    assert made["key"] == f"{name}/a b"
    assert store("GET", f"/kv/{name}/a%20b").json()["etag"] == made["etag"]
    assert store.put(f"{name}/c/d%2Be+f", value="v")["key"] == f"{name}/c/d+e+f"
    assert store("GET", f"/kv/{name}%2Fc%2Fd+e%2Bf").status == 200
    for method in ("GET", "PUT", "DELETE"):
        problem(store(method, f"/kv/{name}%2525", {} if method == "PUT" else None), 400, "invalid-argument")


# Headers.

READS = ["/kv", "/kv?key=k%2F00*&$select=key", "/keys", "/labels", "/revisions", "/snapshots", "/snapshots/s001"]
READS += ["/kv/k%2F001", "/kv?snapshot=s001", "/kv/none", "/snapshots/none", "/kv?key=a*b", "/keys?after=%25"]


@pytest.mark.parametrize("path", READS)
def test_head_is_get_without_a_body(paged, path):
    for headers in ({}, {"Accept_Datetime": http_date(ago(seconds=1))}):
        got, head = paged("GET", path, **headers), paged("HEAD", path, **headers)
        assert head.status == got.status and head.body == b""
        shown = [{(k.lower(), v) for k, v in r.headers.items() if k.lower() not in VARYING} for r in (got, head)]
        assert shown[0] == shown[1]
        links = links_of(got)
        if path.partition("?")[0] == "/kv" and [relation for _, relation in links] == ["original"]:
            links = []  # Python's client would take it for a next page, and never end.
        assert links_of(head) == links
        for answer in (got, head):
            assert answer.headers["x-ms-request-id"] and re.search(r"=[^;]*;sn=\d+", answer.headers["Sync-Token"])


@pytest.mark.parametrize("path", ["/kv", "/kv?label=%00&key=k%2F*", "/kv?tags=t%3D1&$select=key", "/keys", "/labels"])
def test_links_lead_through_all_pages(paged, path):
    names, target, seen = [], path, 0
    while target:
        answer = paged("GET", target, version=None if seen else "2026-04-01", Accept="*/*")
        assert answer.status == 200, answer.body
        body, link = answer.json(), link_of(answer)
        names += [(item.get("key"), item.get("name"), item.get("label")) for item in body["items"]]
        assert body.get("@nextLink") == link and ("@nextLink" in body) is (link is not None)
        seen += 1
        if link:
            assert link.startswith(urlsplit(path).path + "?") and "after" in dict(parse_qsl(link.split("?")[1]))
            assert "api-version" in link and len(body["items"]) == 100 and seen < 5
            # Clients drop blank parameters, and write the rest anew.
            query = [(name.lower(), value) for name, value in parse_qsl(link.split("?")[1])]
            link = f"{urlsplit(link).path}?{urlencode(sorted(query), quote_via=quote)}"
        target = link
    assert len(names) == len(set(names)) == {"/kv": 202, "/keys": 101, "/labels": 102}.get(path, 101)


def test_not_modified_still_links_to_the_next_page(paged):
    first = paged("GET", "/kv")
    for method in ("GET", "HEAD"):
        same = empty(paged(method, "/kv", If_None_Match=first.headers["ETag"]), 304)
        assert same.headers["Link"] == first.headers["Link"] and same.headers["ETag"] == first.headers["ETag"]
        empty(paged(method, "/kv", If_Match='"other"'), 412)
    key = paged("GET", "/kv/k%2F001")
    same = empty(paged("GET", "/kv/k%2F001", If_None_Match=key.headers["ETag"]), 304)
    assert same.headers["ETag"] == key.headers["ETag"] and "Link" not in same.headers


def test_etags_are_taken_in_every_form(store):
    name = unique("etag")
    etag = store.put(name, value="v")["etag"]
    for form in (etag, f'"{etag}"', f'W/"{etag}"', f'"{etag}", "other"'):
        empty(store("GET", f"/kv/{name}", If_None_Match=form), 304)
        assert store("GET", f"/kv/{name}", If_Match=form).status == 200
        assert store("PUT", f"/kv/{name}", {"value": "v"}, If_Match=form).status == 200
    empty(store("PUT", f"/kv/{name}", {"value": "w"}, If_Match=f'"other", "{etag}"'), 412)
    empty(store("DELETE", f"/kv/{name}", If_None_Match=f'"{etag}"'), 412)
    empty(store("PUT", f"/kv/{unique('none')}", {"value": "v"}, If_Match="*"), 412)


def test_the_past_has_a_date_and_an_original(paged):
    then = http_date(ago(seconds=1))
    for path, status in (("/kv", 200), ("/kv/k%2F001", 200), ("/kv/none", 404), ("/keys", 200), ("/revisions", 200)):
        answer = paged("GET", path, Accept_Datetime=then)
        assert answer.status == status and parsedate_to_datetime(answer.headers["Memento-Datetime"])
        links = links_of(answer)
        assert [rel for _, rel in links] in (["next", "original"], ["original"])
        assert unquote(links[-1][0]).startswith(unquote(path)) and (path != "/kv" or links[0][1] == "next")
        for date in (http_date(ago(hours=-1)), None):
            now = paged("GET", path, **({"Accept_Datetime": date} if date else {}))
            assert "Memento-Datetime" not in now.headers and "original" not in dict(links_of(now)).values()


def test_sync_tokens_are_never_an_error(store):
    for token in ("", "x", "kv=MA==", "kv=MA==;sn=", ";;;,,,===", "a=b," * 500, "\u00e9", "kv=MA==;sn=99999999999999"):
        assert store("GET", "/keys?name=none", Sync_Token=token).status == 200, token


# Errors.


def test_the_problem_of_a_bad_filter(store):
    body = problem(store("GET", "/kv?key=abc*d"), 400, "invalid-argument", "key")
    assert body["title"] == "Invalid request parameter 'key'" and isinstance(body["pos"], int) and "detail" in body
    problem(store("GET", "/kv?label=a*b"), 400, "invalid-argument", "label")
    problem(store("GET", "/keys?name=a*b"), 400, "invalid-argument", "name")
    problem(store("GET", "/kv?tags=a%3Db%3Dc"), 400, "invalid-argument", "tags")
    problem(store("GET", "/snapshots?status=bad"), 400, "invalid-argument", "status")


def test_the_problem_of_a_locked_key(store):
    name = unique("locked")
    store.put(name, value="v")
    store("PUT", f"/locks/{name}")
    for method, body in (("PUT", {"value": "w"}), ("DELETE", None)):
        assert problem(store(method, f"/kv/{name}", body), 409, "key-locked", name) == {
            "type": ERRORS + "key-locked",
            "title": f"Modifing key '{name}' is not allowed",
            "name": name,
            "detail": "The key is read-only. To allow modification unlock it first.",
            "status": 409,
        }
        empty(store(method, f"/kv/{name}", body, If_Match='"other"'), 412)


def test_the_problems_of_snapshots(store):
    name = unique("problem")
    assert store("PUT", f"/snapshots/{name}", {"filters": [{"key": "none"}]}).status == 201
    taken = problem(store("PUT", f"/snapshots/{name}", {"filters": [{"key": "none"}]}), 409, "already-exists")
    assert taken["title"] == "The resource already exists."
    for state in ("failed", "provisioning", "nonsense", None, 5):
        problem(store("PATCH", f"/snapshots/{name}", {"status": state}), 400, "invalid-argument")
    problem(store("PUT", f"/snapshots/{unique('bad')}", {"filters": [{"label": "l"}]}), 400, "invalid-argument")
    body = problem(
        store("PUT", f"/snapshots/{unique('bad')}", {"filters": [{"key": "k" * 257}]}), 400, "invalid-argument"
    )
    assert body["name"] == "filters[0].key"
    empty(store("PATCH", f"/snapshots/{unique('none')}", {"status": "archived"}), 404)


def test_routes_and_methods_that_do_not_exist(store):
    for method, path in (("PUT", "/kv"), ("PATCH", "/kv/k"), ("POST", "/kv/k")):
        assert store(method, path, {"value": "v"}).status == 405, path
    for method, path in (("POST", "/keys"), ("DELETE", "/snapshots/s"), ("GET", "/"), ("GET", "/nothing")):
        assert store(method, path).status in (404, 405), path


@pytest.mark.parametrize("version", [*OLD_VERSIONS, "2026-04-01", "2026-07-01-preview", "2099-01-01"])
def test_api_versions_that_clients_send(store, version):
    name = unique("version")
    assert store("PUT", f"/kv/{name}", {"value": "v"}, version=version).status == 200
    assert store("GET", f"/kv/{name}", version=version).json()["value"] == "v"


@pytest.mark.parametrize("version", ["banana", "0.1", "2000-01-01", "2023-11-01%00"])
def test_api_versions_that_do_not_exist(store, version):
    body = problem(store("GET", "/keys", version=version), 400, "invalid-argument", "api-version")
    assert re.search("API version", body["title"])


def test_no_api_version_and_two(store):
    for query in ("name=none", "name=none&api-version="):
        none = bare_get(store, f"/keys?{query}")
        if none.status != 200:
            assert problem(none, 400, "invalid-argument", "api-version")["title"] == "API version is not specified"
    two = bare_get(store, "/keys?api-version=2023-11-01&api-version=2026-04-01")
    assert problem(two, 400, "invalid-argument", "api-version")["title"] == "Ambiguous API version"


def test_errors_never_repeat_the_value(store):
    answer = store("PUT", f"/kv/{unique('canary')}", b'{"value":"CANARY-7d1f","tags":5}')
    assert answer.status == 400 and b"CANARY" not in answer.body


def test_the_type_of_a_body(store):
    for media in (MEDIA.format("kv"), "application/json", "application/json; charset=utf-8"):
        answer = store("PUT", f"/kv/{unique('type')}", json.dumps({"value": media}).encode(), Content_Type=media)
        assert answer.status == 200 and answer.json()["value"] == media


def test_an_unsigned_request_is_answered_first():
    for path in ("/kv/%25", "/kv?api-version=banana", "/nothing"):
        empty(bare("GET", path, base=SETTINGS.store_url), 401)


def test_after_is_opaque_and_of_its_store(paged, config_token):
    link = link_of(paged("GET", "/kv"))
    other = StoreWire(fresh_store(), token=config_token)
    other.put("z", value="mine")
    answer = other("GET", link, version=None)
    assert answer.status in (200, 400) and b"k/" not in answer.body
    after = dict(parse_qsl(link.split("?")[1]))["after"]
    for path in ("/keys", "/labels", "/revisions", "/snapshots"):
        assert paged("GET", f"{path}?after={quote(after, safe='')}").status in (200, 400)
    for garbage in ("x", "!!!!", "AAAA", "%00", "%FF", after[:-4] + "zzzz", "A" * 4000, "*", "\\u0000"):
        for path in ("/kv", "/keys", "/labels", "/revisions", "/snapshots"):
            answer = paged("GET", f"{path}?after={garbage}")
            assert answer.status == 400 or (garbage == "AAAA" and answer.status == 200), (path, garbage)
