"""Plain HTTP against a vault: what the official clients hide or tidy up."""

import base64
import http.client
import json
import os
import ssl
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import requests

from clients import assert_no_private_members
from settings import SETTINGS

VERSION = "7.4"


def b64u(data: bytes) -> str:
    """Unpadded base64url, as everywhere on the wire."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64u(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Wire:
    """Requests with a bearer token and an api-version; neither when told so."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.session = requests.Session()

    def __call__(self, method: str, path: str, *, version: str | None = VERSION, token: str | None = "", **kwargs: Any):
        """`path` may be absolute (a nextLink). `token=None` sends none, `""` the application's own."""
        url = path if path.startswith("https://") else SETTINGS.vault_url + path
        headers = dict(kwargs.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token or self.token}"
        params = dict(kwargs.pop("params", {}))
        if version is not None:
            params["api-version"] = version
        response = self.session.request(method, url, headers=headers, params=params, timeout=30, **kwargs)
        if response.content and "json" in response.headers.get("Content-Type", ""):
            assert_no_private_members(response.json())
        return response


def error_of(response: Any, status: int) -> dict[str, Any]:
    """The error object of a failed request, after checking its status and shape."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"}, body
    assert {"code", "message"} <= set(body["error"]) <= {"code", "message", "innererror"}, body
    return body["error"]


class BareResponse:
    """A response as http.client gives it."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self) -> Any:
        return json.loads(self.body)


@cache
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))


def bare(
    method: str, target: str, headers: dict[str, str] | None = None, *, base: str = "", body: bytes | None = None
) -> BareResponse:
    """A request with exactly this target and these headers over verified TLS, to the vault when no `base` is named.

    Unlike `requests` it keeps a leading `//`, sends a Host that it is given, and adds no Content-Type; a
    Content-Length only when there is a body.
    """
    host, context = urlsplit(base or SETTINGS.vault_url), _trust()
    proxy = urlsplit(os.environ.get("HTTPS_PROXY", ""))
    if proxy.hostname:
        connection = http.client.HTTPSConnection(proxy.hostname, proxy.port, context=context, timeout=30)
        connection.set_tunnel(host.hostname, host.port or 443)
    else:
        connection = http.client.HTTPSConnection(host.hostname, host.port, context=context, timeout=30)
    try:
        own_host = "host" in {name.lower() for name in headers or {}}
        connection.putrequest(method, target, skip_host=own_host, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        return BareResponse(connection.getresponse())
    finally:
        connection.close()
