"""What goes over the wire, checked with plain HTTP: headers, challenges, paths, versions, bodies."""

import re
import time
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest

import independent
from settings import SETTINGS, fresh_vault, unique
from wire import VERSION, b64u, bare, error_of, unb64u

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
JSON = "application/json; charset=utf-8"
CHALLENGE = f'Bearer authorization="https://{{login}}/{SETTINGS.tenant_id}", resource="{{resource}}"'
API_VERSIONS = ["2016-10-01", *(f"7.{minor}" for minor in range(7)), "7.6-preview.2", "7.5-preview.1"]
API_VERSIONS += ["2025-07-01", "2026-04-01", "2026-03-01-preview"]


def assert_service_headers(headers) -> None:
    """The headers of every vault response, refusals included."""
    assert headers["x-ms-keyvault-region"]
    assert re.fullmatch(r"\d+\.\d+\.\d+\.\d+", headers["x-ms-keyvault-service-version"])
    info = r"conn_type=Ipv[46];addr=[0-9a-fA-F.:]+;act_addr_fam=InterNetwork(V6)?;"
    assert re.fullmatch(info, headers["x-ms-keyvault-network-info"])
    assert GUID.fullmatch(headers["x-ms-request-id"])
    assert headers["Strict-Transport-Security"] == "max-age=31536000;includeSubDomains"
    assert headers["X-Content-Type-Options"] == "nosniff"


def assert_all_headers(headers, *, body: bool = True) -> None:
    assert_service_headers(headers)
    assert headers["Cache-Control"] == "no-cache" and headers["Pragma"] == "no-cache" and headers["Expires"] == "-1"
    assert headers.get("Content-Type") == (JSON if body else None)


@pytest.fixture(scope="module")
def secret(wire) -> dict:
    """A secret that the read-only tests share."""
    response = wire("PUT", f"/secrets/{unique('wire')}", json={"value": "v", "tags": {"a": "b"}})
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture
def name(secret) -> str:
    return secret["id"].split("/")[-2]


# Authentication comes first.

STRIPPED = [
    ("GET", "/secrets/any/?api-version=7.4"),
    ("PUT", "/secrets/any?api-version=7.4"),
    ("POST", "/keys/any/create?api-version=7.4"),
    ("PATCH", "/keys/any/?api-version=7.4"),
    ("DELETE", "/deletedkeys/any?api-version=7.4"),
    ("POST", "/keys/any//sign"),
    ("GET", "/secrets/bad_name/"),
    ("GET", "/secrets?maxresults=0&api-version=banana"),
    ("POST", "/no/such/route"),
    ("GET", "/"),
]


@pytest.mark.parametrize("method, target", STRIPPED)
def test_without_a_token_everything_is_challenged(method, target):
    """A stripped request has no body, no content type and no length, and still gets exactly this."""
    request_id = str(uuid.uuid4())
    response = bare(method, target, {"Accept": "application/json", "x-ms-client-request-id": request_id})
    assert response.status == 401
    login = urlsplit(SETTINGS.authority).netloc
    expected = CHALLENGE.format(login=login, resource=SETTINGS.resource)
    assert response.headers.get_all("WWW-Authenticate") == [expected]
    assert_service_headers(response.headers)
    assert response.headers["Content-Type"] == JSON
    assert response.headers["x-ms-client-request-id"] == request_id
    assert response.body == (
        b'{"error":{"code":"Unauthorized","message":"AKV10000: Request is missing a Bearer or PoP token."}}'
    )


def test_another_scheme_is_challenged_too(wire):
    response = wire("GET", "/secrets", token=None, headers={"Authorization": "Basic eDp5"})
    assert error_of(response, 401)["code"] == "Unauthorized" and "WWW-Authenticate" in response.headers


# Headers.


def test_the_headers_of_every_kind_of_answer(wire, name):
    request_id = str(uuid.uuid4())
    headers = {"x-ms-client-request-id": request_id}
    answers = [
        wire("GET", f"/secrets/{name}/", headers=headers),
        wire("GET", "/secrets", headers=headers),
        wire("GET", f"/secrets/{unique('none')}/", headers=headers),
        wire("PUT", "/secrets/bad_name", json={"value": "v"}, headers=headers),
        wire("GET", f"/secrets/{name}/", version=None, headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 400, 400]
    for answer in answers:
        assert_all_headers(answer.headers)
        assert answer.headers["x-ms-client-request-id"] == request_id
    assert len({answer.headers["x-ms-request-id"] for answer in answers}) == len(answers)
    assert "x-ms-client-request-id" not in wire("GET", f"/secrets/{name}/").headers


def test_purge_answers_204_with_nothing(wire):
    gone = unique("gone")
    wire("PUT", f"/secrets/{gone}", json={"value": "v"})
    wire("DELETE", f"/secrets/{gone}")
    response = wire("DELETE", f"/deletedsecrets/{gone}", headers={"Accept": "*/*"})
    assert response.status_code == 204 and response.content == b""
    assert_all_headers(response.headers, body=False)


# Bodies.


def test_the_members_of_secret_answers(wire):
    name = unique("shape")
    body = {"value": "v", "contentType": "text/plain", "attributes": {}, "tags": {"a": "b"}}
    made = wire("PUT", f"/secrets/{name}", json=body).json()
    assert set(made) == {"value", "contentType", "id", "attributes", "tags"}
    attributes = made["attributes"]
    assert set(attributes) == {"enabled", "created", "updated", "recoveryLevel", "recoverableDays"}
    assert attributes["enabled"] is True and abs(attributes["created"] - time.time()) < 300
    assert all(isinstance(attributes[member], int) for member in ("created", "updated", "recoverableDays"))
    plain = wire("PUT", f"/secrets/{name}", json={"value": "v"}).json()
    assert not {"contentType", "tags", "kid", "managed"} & plain.keys()
    assert wire("PUT", f"/secrets/{name}", json={"value": "v", "tags": {}}).json()["tags"] == {}
    changed = wire("PATCH", f"/secrets/{name}/", json={"tags": {"c": "d"}}).json()
    assert "value" not in changed and changed["tags"] == {"c": "d"}
    deleted = wire("DELETE", f"/secrets/{name}").json()
    assert {"recoveryId", "deletedDate", "scheduledPurgeDate"} <= deleted.keys() and "value" not in deleted
    assert deleted["scheduledPurgeDate"] - deleted["deletedDate"] == deleted["attributes"]["recoverableDays"] * 86400
    assert "value" not in wire("GET", f"/deletedsecrets/{name}").json()
    assert "value" not in wire("POST", f"/deletedsecrets/{name}/recover").json()


def test_the_members_of_key_answers(wire):
    name = unique("shape")
    made = wire("POST", f"/keys/{name}/create", json={"kty": "RSA"}).json()
    assert set(made) == {"key", "attributes"} and set(made["key"]) == {"kid", "kty", "key_ops", "n", "e"}
    assert made["key"]["e"] == "AQAB" and "=" not in made["key"]["n"] and len(unb64u(made["key"]["n"])) == 256
    assert {"enabled", "created", "updated", "recoveryLevel", "recoverableDays"} <= made["attributes"].keys()
    assert made["attributes"]["exportable"] is False and made["attributes"]["hsmPlatform"] == "0"
    ec = wire("POST", f"/keys/{name}/create", json={"kty": "EC", "crv": "P-521", "tags": {}}).json()
    assert set(ec["key"]) == {"kid", "kty", "key_ops", "crv", "x", "y"} and ec["tags"] == {}
    assert len(unb64u(ec["key"]["x"])) == len(unb64u(ec["key"]["y"])) == 66
    digest = b64u(independent.digest("ES512", b"x"))
    signed = wire("POST", f"/keys/{name}//sign", json={"alg": "ES512", "value": digest}).json()
    assert set(signed) >= {"kid", "value"} and signed["kid"] == ec["key"]["kid"] and len(unb64u(signed["value"])) == 132
    question = {"alg": "ES512", "digest": digest, "value": signed["value"]}
    assert wire("POST", f"/keys/{name}//verify", json=question).json() == {"value": True}
    deleted = wire("DELETE", f"/keys/{name}").json()
    assert {"key", "attributes", "recoveryId", "deletedDate", "scheduledPurgeDate"} <= deleted.keys()


def test_import_takes_hsm_with_either_capital(wire):
    local = independent.private_jwk(independent.generate("P-256"))
    key = {"kty": "EC", "crv": "P-256"} | {m: b64u(getattr(local, m)) for m in ("x", "y", "d")}
    for member in ("Hsm", "hsm"):
        name = unique("import")
        assert wire("PUT", f"/keys/{name}", json={"key": key, member: False}).json()["key"]["x"] == key["x"]
        assert "HSM" in error_of(wire("PUT", f"/keys/{name}", json={"key": key, member: True}), 400)["message"]


def test_padded_base64url_is_accepted_and_never_sent(wire):
    name = unique("padded")
    wire("POST", f"/keys/{name}/create", json={"kty": "RSA"})
    boxed = wire("POST", f"/keys/{name}//encrypt", json={"alg": "RSA-OAEP", "value": "AQ=="}).json()["value"]
    assert "=" not in boxed
    opened = wire("POST", f"/keys/{name}//decrypt", json={"alg": "RSA-OAEP", "value": boxed + "=="}).json()
    assert opened["value"] == "AQ"
    error_of(wire("POST", f"/keys/{name}//encrypt", json={"alg": "RSA-OAEP", "value": "not base64!"}), 400)


def test_unknown_members_are_ignored(wire):
    name = unique("unknown")
    body = {"value": "v", "surprise": [1], "attributes": {"created": 1, "recoveryLevel": "Purgeable", "new": None}}
    made = wire("PUT", f"/secrets/{name}", json=body).json()
    assert made["value"] == "v" and made["attributes"]["created"] > 1
    assert made["attributes"]["recoveryLevel"] == "Recoverable+Purgeable" and "surprise" not in made


BAD_BODIES = {
    "not-json": b"{nope",
    "empty": b"",
    "array": b"[]",
    "no-value": b"{}",
    "null-value": b'{"value":null}',
    "number-value": b'{"value":5}',
    "text-expiry": b'{"value":"v","attributes":{"exp":"soon"}}',
    "fraction-expiry": b'{"value":"v","attributes":{"exp":1.5}}',
    "text-enabled": b'{"value":"v","attributes":{"enabled":"yes"}}',
    "number-tag": b'{"value":"v","tags":{"a":1}}',
    "not-utf-8": b'{"value":"\xff"}',
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_bad_bodies(wire, body):
    response = wire("PUT", f"/secrets/{unique('bad')}", data=body, headers={"Content-Type": "application/json"})
    assert error_of(response, 400)["code"] == "BadParameter"


def test_a_body_needs_no_particular_content_type(wire):
    for content_type in ("application/json; charset=utf-8", "application/json;odata=verbose"):
        response = wire("PUT", f"/secrets/{unique('t')}", data=b'{"value":"v"}', headers={"Content-Type": content_type})
        assert response.status_code == 200, response.text


def test_errors_never_repeat_the_value(wire):
    response = wire("PUT", "/secrets/bad_name", json={"value": "CANARY-7d1f"})
    error_of(response, 400)
    assert "CANARY" not in response.text


# Lists.


def test_list_items_carry_base_ids_and_tags_and_no_values(wire):
    vault = fresh_vault("conf6")
    for name, tags in (("tagged", {"environment": "production"}), ("untagged", None)):
        body = {"value": "v"} | ({"tags": tags} if tags else {})
        assert wire("PUT", f"{vault}/secrets/{name}", json=body).status_code == 200
        assert wire("POST", f"{vault}/keys/{name}/create", json={"kty": "EC"} | ({"tags": tags} if tags else {})).ok
    for path in ("/secrets", "/secrets/untagged/versions", "/keys", "/keys/untagged/versions"):
        page = wire("GET", vault + path).json()
        assert page["value"] and page["nextLink"] is None and set(page) == {"value", "nextLink"}, path
        for item in page["value"]:
            identifier = item.get("id") or item["kid"]
            base = "/versions" not in path
            assert re.fullmatch(rf"{re.escape(vault)}/(secrets|keys)/[a-z]+{'' if base else '/[0-9a-f]{32}'}", identifier)
            assert isinstance(item["tags"], dict) and not {"value", "key"} & item.keys(), path
    wire("DELETE", f"{vault}/secrets/untagged")
    item = wire("GET", f"{vault}/deletedsecrets").json()["value"][0]
    assert item["id"] == f"{vault}/secrets/untagged" and item["recoveryId"] == f"{vault}/deletedsecrets/untagged"
    assert item["scheduledPurgeDate"] > item["deletedDate"] and item["tags"] == {}
    unfiltered = wire("GET", f"{vault}/secrets", params={"tags": "environment=staging"}).json()
    assert len(unfiltered["value"]) == 1, "tags are no query filter"


def test_next_links_are_absolute_and_opaque(wire):
    vault = fresh_vault("conf7")
    for n in range(3):
        wire("PUT", f"{vault}/secrets/opaque-{n}", json={"value": "v"})
    names, link, hops = [], f"{vault}/secrets?maxresults=1&api-version={VERSION}", 0
    while link:
        page = wire("GET", link, version=None).json()
        names += [item["id"].rsplit("/", 1)[1] for item in page["value"]]
        link, hops = page["nextLink"], hops + 1
        if link:
            parts = urlsplit(link)
            query = parse_qs(parts.query, strict_parsing=True)
            assert parts.scheme == "https" and parts.hostname == urlsplit(vault).hostname
            assert (parts.port or 443) == (urlsplit(vault).port or 443) and parts.path == "/secrets"
            assert {"api-version", "$skiptoken", "maxresults"} <= query.keys()
            assert "opaque" not in query["$skiptoken"][0] and hops < 10
    assert names == ["opaque-0", "opaque-1", "opaque-2"]
    bad = wire("GET", f"{vault}/secrets", params={"$skiptoken": "forged"})
    assert error_of(bad, 400)["code"] == "BadParameter"


@pytest.mark.parametrize("maxresults", ["0", "26", "-1", "many"])
def test_maxresults_is_bounded(wire, maxresults):
    for path in ("/secrets", "/keys", "/deletedsecrets", "/deletedkeys"):
        assert error_of(wire("GET", path, params={"maxresults": maxresults}), 400)["code"] == "BadParameter"
    assert wire("GET", "/secrets", params={"maxresults": "25"}).status_code == 200


# Versions and paths.


@pytest.mark.parametrize("version", API_VERSIONS)
def test_api_versions_that_clients_send(wire, name, version):
    assert wire("GET", f"/secrets/{name}/", version=version).json()["value"] == "v"
    assert wire("GET", "/keys", version=version).status_code == 200


@pytest.mark.parametrize("version", [None, "", "banana", "1.0", "6.9", "8.0"])
def test_api_versions_that_do_not_exist(wire, name, version):
    for path in (f"/secrets/{name}/", "/keys"):
        assert error_of(wire("GET", path, version=version), 400)["code"] == "BadParameter"


def test_odd_paths(wire, secret, name):
    token = {"Authorization": f"Bearer {wire.token}"}
    version = secret["id"].rsplit("/", 1)[1]
    latest = ["/secrets/{n}", "/secrets/{n}/", "//secrets/{n}", "/secrets//{n}/"]
    for path in [*latest, "/secrets/{n}/{v}/", "/secrets/{n}//{v}"]:
        response = bare("GET", path.format(n=name, v=version) + "?api-version=7.4", token)
        assert response.status == 200 and secret["id"].encode() in response.body, path
    assert wire("GET", f"/secrets/{name.upper()}/{version.upper()}").json()["id"] == secret["id"]


def test_reserved_segments_are_names_where_they_can_be(wire):
    vault = fresh_vault("conf8")
    for name in ("restore", "versions", "contacts"):
        assert wire("PUT", f"{vault}/secrets/{name}", json={"value": name}).status_code == 200
        assert wire("GET", f"{vault}/secrets/{name}/").json()["value"] == name
    assert wire("POST", f"{vault}/keys/restore/create", json={"kty": "EC"}).status_code == 200
    assert wire("GET", f"{vault}/keys/restore/rotationpolicy").json()["id"] == f"{vault}/keys/restore/rotationpolicy"


def test_the_method_override_header(wire):
    name = unique("override")
    wire("PUT", f"/secrets/{name}", json={"value": "v"})
    response = wire("POST", f"/secrets/{name}/", json={"tags": {"by": "post"}}, headers={"X-HTTP-METHOD": "PATCH"})
    assert response.status_code == 200 and response.json()["tags"] == {"by": "post"}
    response = wire("POST", f"/secrets/{name}", json={"value": "2"}, headers={"X-HTTP-METHOD": "PUT"})
    assert response.json()["value"] == "2"
    assert wire("POST", f"/secrets/{name}", headers={"X-HTTP-METHOD": "DELETE"}).json()["recoveryId"]
    assert wire("GET", f"/secrets/{name}/").status_code == 404


def test_unknown_routes_and_methods_are_refused(wire, name):
    wrong = [("POST", f"/secrets/{name}/"), ("PUT", "/secrets"), ("GET", "/nothing"), ("POST", "/keys/x/y/sing")]
    for method, path in wrong:
        response = wire(method, path, json={})
        assert response.status_code in (400, 404, 405), path
        assert {"code", "message"} <= response.json()["error"].keys()


def test_updated_moves_within_a_second(wire):
    name = unique("clock")
    stamps = [wire("PUT", f"/secrets/{name}", json={"value": "v"}).json()["attributes"]["updated"]]
    for n in range(5):
        stamps.append(wire("PATCH", f"/secrets/{name}/", json={"tags": {"n": str(n)}}).json()["attributes"]["updated"])
    assert stamps == sorted(set(stamps)), stamps


def test_empty_nested_objects_are_normal(wire):
    name = unique("nested")
    assert wire("POST", f"/keys/{name}/create", json={"kty": "EC", "attributes": {}}).status_code == 200
    assert wire("PATCH", f"/keys/{name}/", json={"attributes": {}}).status_code == 200
    body = {"lifetimeActions": [], "attributes": {}}
    assert wire("PUT", f"/keys/{name}/rotationpolicy", json=body).status_code == 200
    assert wire("PATCH", f"/keys/{name}/", json={}).status_code == 200
