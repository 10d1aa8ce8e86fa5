"""Signatures and tokens on the wire: what a store accepts, what it refuses, and what it says then."""

import re
from datetime import datetime
from urllib.parse import urlsplit

import pytest

from config_wire import (
    SIGNED_HEADERS,
    AccessKey,
    StoreWire,
    ago,
    content_hash,
    empty,
    http_date,
    sign,
    signature,
    to_sign,
)
from settings import SETTINGS, fresh_store, unique
from wire import BareResponse, bare

TARGET = "/keys?api-version=2023-11-01&name=none"

REQUIRED = ("SignedHeaders parameter is required", "Invalid SignedHeaders parameter")


@pytest.fixture(scope="module")
def key() -> AccessKey:
    return AccessKey.parse(SETTINGS.connection_string)


@pytest.fixture(scope="module")
def reader() -> AccessKey:
    return AccessKey.parse(SETTINGS.readonly_connection_string)


def challenges(response: BareResponse) -> dict[str, str]:
    """The challenges of a 401 by their scheme, after checking that there is one of each and no body."""
    empty(response, 401)
    found = dict((value.split(" ", 1) + [""])[:2] for value in response.headers.get_all("WWW-Authenticate"))
    assert set(found) == {"HMAC-SHA256", "Bearer"}, found
    return found


def refused(response: BareResponse, *descriptions: str) -> None:
    """401 because of the signature, for one of these reasons."""
    challenge = challenges(response)["HMAC-SHA256"]
    assert 'error="invalid_token"' in challenge, challenge
    assert any(f'error_description="{text}"' in challenge for text in descriptions), challenge


def test_our_signer_agrees_with_the_published_vector():
    body = b'{"key": "k", "value": "v", "tags": {}}'
    assert content_hash(body) == "dNP6LjgWDU8YoGlcf7C9cnFvGhe031euT6KjYthEIPw="
    assert content_hash(b"") == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    values = ["Nov, 21 2026 00:35:49.408620 GMT", "h.example.com", content_hash(body)]
    signed = signature(b"secretsecret", "put", "/kv/k?api-version=2026-04-01", values)
    assert signed == "A1WmhaJ70BNLpWO+lC011svE1ab8sWuQbQI7n1R8h4E="


def test_no_credentials_are_challenged_with_both_schemes():
    for method, target in (("GET", TARGET), ("PUT", "/kv/any"), ("GET", "/kv?key=a*b"), ("PATCH", "/kv/any")):
        found = challenges(bare(method, target, base=SETTINGS.store_url))
        assert "error" not in found["HMAC-SHA256"] and "error" not in found["Bearer"]
    found = challenges(bare("GET", TARGET, {"Authorization": "Basic eDp5"}, base=SETTINGS.store_url))
    assert "error" not in found["HMAC-SHA256"]


def accepted(key: AccessKey, headers: dict[str, str], names=SIGNED_HEADERS, **options) -> BareResponse:
    response = bare("GET", TARGET, sign(key, "GET", TARGET, headers, names, **options), base=key.endpoint)
    assert response.status == 200, (response.headers.get_all("WWW-Authenticate"), headers)
    return response


def date_forms(moment: datetime) -> dict[str, str]:
    """One moment as clients write it."""
    return {
        "rfc1123": http_date(moment),
        "python": moment.strftime("%b, %d %Y %H:%M:%S.%f GMT"),
        "python-whole": moment.strftime("%b, %d %Y %H:%M:%S GMT"),
        "iso": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "iso-fraction": moment.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        "iso-offset": moment.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
    }


@pytest.mark.parametrize("form", date_forms(ago()))
def test_date_forms(key, form):
    for minutes in (0, 14, -14):
        accepted(key, to_sign(key, moment=date_forms(ago(minutes=minutes))[form]))
    for minutes in (16, -16, 24 * 60, -24 * 60):
        headers = sign(key, "GET", TARGET, to_sign(key, moment=date_forms(ago(minutes=minutes))[form]))
        refused(bare("GET", TARGET, headers, base=key.endpoint), "The access token has expired")


@pytest.mark.parametrize("date", ["", "now", "0", "2026", "Sat, 99 Nov 2026 00:12:31 GMT", "9" * 400, "\u00e9"])
def test_what_is_no_date(key, date):
    headers = sign(key, "GET", TARGET, to_sign(key, moment=date or " "))
    texts = ["Invalid access token date", "The access token has expired"]
    unread = "Required signing request header 'x-ms-date' not found"
    refused(bare("GET", TARGET, headers, base=key.endpoint), *texts, unread)


def test_the_date_header_does_as_well(key):
    plain = {name: value for name, value in to_sign(key).items() if name != "x-ms-date"}
    accepted(key, plain | {"date": http_date(ago())}, ("date", "host", "x-ms-content-sha256"))
    both = ("x-ms-date", "date", "host", "x-ms-content-sha256")
    accepted(key, to_sign(key) | {"date": http_date(ago(hours=1))}, both)
    stale = sign(key, "GET", TARGET, to_sign(key, moment=http_date(ago(hours=1))) | {"date": http_date(ago())}, both)
    refused(bare("GET", TARGET, stale, base=key.endpoint), "The access token has expired")


def test_other_forms_of_a_good_signature(key):
    headers = to_sign(key)
    accepted(key, headers, separator=",")
    accepted(key, headers, ("host", "x-ms-content-sha256", "x-ms-date"))
    accepted(key, headers | {"accept": "*/*", "x-own": "a;b"}, (*SIGNED_HEADERS, "accept", "x-own"))


def test_a_replay_inside_the_window_is_accepted(key):
    headers = sign(key, "GET", TARGET, to_sign(key, moment=http_date(ago(minutes=10))))
    for _ in range(3):
        assert bare("GET", TARGET, headers, base=key.endpoint).status == 200


def test_the_host_is_signed_with_or_without_its_port(key):
    parts = urlsplit(key.endpoint)
    forms = {parts.hostname, f"{parts.hostname}:{parts.port or 443}"}
    for signed in forms:
        for sent in forms:
            headers = sign(key, "GET", TARGET, to_sign(key) | {"host": signed}) | {"host": sent}
            assert bare("GET", TARGET, headers, base=key.endpoint).status == 200, (signed, sent)
    other = sign(key, "GET", TARGET, to_sign(key) | {"host": "other.azconfig.io"}) | {"host": key.host}
    refused(bare("GET", TARGET, other, base=key.endpoint), "Invalid Signature")


@pytest.mark.parametrize("name", SIGNED_HEADERS)
def test_each_header_must_be_signed_and_sent(key, name):
    headers, rest = to_sign(key), tuple(other for other in SIGNED_HEADERS if other != name)
    unsigned = sign(key, "GET", TARGET, headers, rest)
    needed = f"Required signing request header '{name}' not found"
    refused(bare("GET", TARGET, unsigned, base=key.endpoint), "Invalid SignedHeaders parameter", needed)
    if name != "host":
        absent = {other: value for other, value in sign(key, "GET", TARGET, headers).items() if other != name}
        refused(bare("GET", TARGET, absent, base=key.endpoint), needed)


def test_a_signed_header_must_be_there(key):
    headers = sign(key, "GET", TARGET, to_sign(key), (*SIGNED_HEADERS, "x-none"))
    refused(bare("GET", TARGET, headers, base=key.endpoint), "Required signing request header 'x-none' not found")


def test_the_fields_of_the_authorization(key):
    headers = to_sign(key)
    value = sign(key, "GET", TARGET, headers)["Authorization"]

    def ask(authorization: str) -> BareResponse:
        return bare("GET", TARGET, headers | {"Authorization": authorization}, base=key.endpoint)

    assert ask(value).status == 200
    refused(ask(re.sub("Credential=[^&]*&", "", value)), "Invalid Credential")
    refused(ask(re.sub("Credential=[^&]*", "Credential=unknown", value)), "Invalid Credential")
    refused(ask(re.sub("SignedHeaders=[^&]*&", "", value)), "SignedHeaders parameter is required")
    refused(ask(re.sub("SignedHeaders=[^&]*", "SignedHeaders=", value)), *REQUIRED)
    refused(ask(re.sub("&Signature=.*", "", value)), "Signature is required")
    for wrong in ("AAAA", "not base64!", value.rsplit("=", 2)[-1], "A" * 5000):
        refused(ask(re.sub("Signature=.*", f"Signature={wrong}", value)), "Invalid Signature")
    for odd in ("HMAC-SHA256", "HMAC-SHA256 ", "HMAC-SHA256 &&&", "HMAC-SHA256 =", "HMAC-SHA256 " + "x" * 5000):
        challenges(ask(odd))


def test_a_signature_is_for_one_request(key):
    headers = sign(key, "GET", TARGET, to_sign(key))
    for method, target in (
        ("HEAD", TARGET),
        ("GET", TARGET.replace("none", "nine")),
        ("GET", TARGET + "&after="),
        ("GET", TARGET.replace("name", "Name")),
        ("GET", TARGET.replace("none", "n%6Fne")),
    ):
        response = bare(method, target, headers, base=key.endpoint)
        assert response.status == 401, target


def test_the_target_is_signed_as_it_was_sent(key):
    target = "/kv?%24Select=key&Api-Version=2023-11-01&KEY=%6Eone%2A&tags=a%3Db&label=%00&x"
    headers = sign(key, "GET", target, to_sign(key))
    assert bare("GET", target, headers, base=key.endpoint).status == 200


def test_the_body_must_be_the_one_that_was_signed(key):
    name = unique("hash")
    target, body = f"/kv/{name}?api-version=2023-11-01", b'{"value":"v"}'
    json_type = {"Content-Type": "application/json"}
    signed = sign(key, "PUT", target, to_sign(key, body)) | json_type
    for sent in (b'{"value":"w"}', b"", body + b" "):
        refused(bare("PUT", target, signed, base=key.endpoint, body=sent), "Invalid request content hash")
    for wrong in ("", "AAAA", content_hash(body).lower()):
        headers = sign(key, "PUT", target, to_sign(key, body) | {"x-ms-content-sha256": wrong or " "}) | json_type
        assert bare("PUT", target, headers, base=key.endpoint, body=body).status == 401
    empty(StoreWire(key.endpoint, key=key)("GET", f"/kv/{name}"), 404)
    assert bare("PUT", target, signed, base=key.endpoint, body=body).status == 200


def test_the_order_of_the_checks(key):
    body, target = b'{"value":"v"}', "/kv/order?api-version=2023-11-01"

    def ask(names=SIGNED_HEADERS, hours=0, who=key.id, secret=key.secret) -> BareResponse:
        """A request whose body is always wrong."""
        signer = AccessKey(key.endpoint, who, secret)
        headers = sign(signer, "PUT", target, to_sign(key, body, http_date(ago(hours=hours))), names)
        return bare("PUT", target, headers, base=key.endpoint, body=b"{}")

    short = ("x-ms-date", "host")
    texts = ("Invalid SignedHeaders parameter", "Required signing request header 'x-ms-content-sha256' not found")
    refused(ask(short, 1, "unknown", b"wrong"), *texts)
    refused(ask(hours=1, who="unknown", secret=b"wrong"), "The access token has expired")
    refused(ask(who="unknown", secret=b"wrong"), "Invalid Credential")
    refused(ask(secret=b"wrong"), "Invalid Signature")
    refused(ask(), "Invalid request content hash")


def test_the_read_only_key(reader, store):
    name = unique("reader")
    store.put(name, value="v")
    ask = StoreWire(reader.endpoint, key=reader)
    for method in ("GET", "HEAD"):
        for path in (f"/kv/{name}", "/kv?key=none", "/keys?name=none", "/labels?name=none", "/revisions?key=none"):
            assert ask(method, path).status == 200, path
    for method, path, body in (
        ("PUT", f"/kv/{name}", {"value": "w"}),
        ("DELETE", f"/kv/{name}", None),
        ("PUT", f"/locks/{name}", None),
        ("DELETE", f"/locks/{name}", None),
        ("PUT", f"/snapshots/{name}", {"filters": [{"key": name}]}),
        ("PATCH", f"/snapshots/{name}", {"status": "archived"}),
    ):
        empty(ask(method, path, body), 403)
    assert store("GET", f"/kv/{name}").json()["value"] == "v"


def test_keys_are_of_their_store(key):
    url = fresh_store()
    foreign = AccessKey(url, key.id, key.secret)
    refused(bare("GET", TARGET, sign(foreign, "GET", TARGET, to_sign(foreign)), base=url), "Invalid Credential")


@pytest.mark.parametrize("kind", ["garbage", "empty", "vault", "tampered"])
def test_bad_tokens(wire, config_token, kind):
    head, payload, signed = config_token.split(".")
    tokens = {"garbage": "x.y.z", "empty": "", "vault": wire.token, "tampered": f"{head}.{payload}.{signed[::-1]}"}
    found = challenges(StoreWire(SETTINGS.store_url, token=tokens[kind])("GET", "/keys"))
    assert "error_description" not in found["HMAC-SHA256"]
    assert kind == "empty" or 'error="invalid_token"' in found["Bearer"]
