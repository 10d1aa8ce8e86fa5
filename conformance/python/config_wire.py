"""Plain HTTP against an App Configuration store, signed by an implementation of our own."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

from clients import CONFIG_VERSION
from wire import BareResponse, bare

SIGNED_HEADERS = ("x-ms-date", "host", "x-ms-content-sha256")
MEDIA = "application/vnd.microsoft.appconfig.{}+json; charset=utf-8"
PROBLEM = "application/problem+json; charset=utf-8"
ERRORS = "https://azconfig.io/errors/"


@dataclass(frozen=True)
class AccessKey:
    """What a connection string says."""

    endpoint: str
    id: str
    secret: bytes

    @classmethod
    def parse(cls, connection_string: str) -> "AccessKey":
        fields = dict(part.split("=", 1) for part in connection_string.split(";"))
        secret = base64.b64decode(fields["Secret"], validate=True)
        return cls(fields["Endpoint"].rstrip("/"), fields["Id"], secret)

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc


def ago(**delta: float) -> datetime:
    """A moment in the past, with a negative `delta` in the future."""
    return datetime.now(timezone.utc) - timedelta(**delta)


def http_date(moment: datetime) -> str:
    """RFC 1123, as HTTP has it."""
    return format_datetime(moment.astimezone(timezone.utc), usegmt=True)


def content_hash(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def signature(secret: bytes, method: str, target: str, values: list[str]) -> str:
    """HMAC-SHA256 of the method, the target as it is on the request line, and the values of the signed headers."""
    text = f"{method.upper()}\n{target}\n{';'.join(values)}"
    return base64.b64encode(hmac.digest(secret, text.encode(), "sha256")).decode()


def to_sign(key: AccessKey, body: bytes = b"", moment: str = "") -> dict[str, str]:
    """The headers that every signature covers."""
    return {"x-ms-date": moment or http_date(ago()), "host": key.host, "x-ms-content-sha256": content_hash(body)}


def sign(
    key: AccessKey,
    method: str,
    target: str,
    headers: dict[str, str],
    names: tuple[str, ...] = SIGNED_HEADERS,
    separator: str = "&",
) -> dict[str, str]:
    """`headers` and an Authorization that signs those in `names`; a name without a header signs as nothing."""
    signed = signature(key.secret, method, target, [headers.get(name, "") for name in names])
    fields = (f"Credential={key.id}", f"SignedHeaders={';'.join(names)}", f"Signature={signed}")
    return headers | {"Authorization": "HMAC-SHA256 " + separator.join(fields)}


class StoreWire:
    """Requests to one store, with an access key or with a token."""

    def __init__(self, base: str, *, key: AccessKey | None = None, token: str = "") -> None:
        self.base, self.key, self.token = base, key, token

    def __call__(
        self, method: str, path: str, body: Any = None, *, version: str | None = CONFIG_VERSION, **headers: str
    ) -> BareResponse:
        """`path` is sent as it is, with the api-version behind it; `body` as JSON when it is not bytes.

        Headers are given with `_` for `-`.
        """
        target = path
        if version is not None:
            target += ("&" if "?" in path else "?") + f"api-version={version}"
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            given = {"Content-Type": "application/json"} | given
        return bare(method, target, self._authorized(method, target, body or b"", given), base=self.base, body=body)

    def put(self, key: str, label: str = "", /, **members: Any) -> dict[str, Any]:
        """Sets a key-value, whose key and label are already encoded; what the answer holds."""
        response = self("PUT", f"/kv/{key}" + (f"?label={label}" if label else ""), members)
        assert response.status == 200, response.body
        return response.json()

    def _authorized(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        if self.key:
            return headers | sign(self.key, method, target, to_sign(self.key, body))
        return headers | {"Authorization": f"Bearer {self.token}"}


def problem(response: BareResponse, status: int, kind: str, name: str | None = None) -> dict[str, Any]:
    """The error of a failed request, after checking its status, its media type and its shape."""
    assert response.status == status, (response.status, response.body)
    assert response.headers["Content-Type"] == PROBLEM
    body = response.json()
    assert body["type"] == ERRORS + kind and body["status"] == status and body["title"], body
    assert name is None or body["name"] == name, body
    return body


def empty(response: BareResponse, status: int) -> BareResponse:
    """A response without a body."""
    assert (response.status, response.body) == (status, b""), (response.status, response.body)
    return response
