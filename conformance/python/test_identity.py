"""The issuer, the credentials of azure-identity, and what happens with tokens that are not good."""

import asyncio
import hmac
import json
import time
import uuid

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from cryptography.hazmat.primitives import serialization

import independent
from settings import SETTINGS, unique
from wire import b64u, error_of

CREDENTIALS = ["DefaultAzureCredential", "EnvironmentCredential"]


@pytest.fixture(scope="module")
def discovery(wire) -> dict:
    """The issuer's own description."""
    url = f"{SETTINGS.authority}/{SETTINGS.tenant_id}/v2.0/.well-known/openid-configuration"
    response = requests.get(url, timeout=30)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.fixture(scope="module")
def signing_keys(discovery) -> list[dict]:
    return requests.get(discovery["jwks_uri"], timeout=30).json()["keys"]


def ask(**changes) -> requests.Response:
    """A client-credentials request as any HTTP client would send it."""
    form = {
        "grant_type": "client_credentials",
        "client_id": SETTINGS.client_id,
        "client_secret": SETTINGS.client_secret,
        "scope": SETTINGS.scope,
    } | changes
    url = f"{SETTINGS.authority}/{SETTINGS.tenant_id}/oauth2/v2.0/token"
    return requests.post(url, data=form, timeout=30)


@pytest.mark.parametrize("name", CREDENTIALS)
async def test_credentials_from_the_environment_read_a_secret(api, name):
    secret = unique("env")
    client = api.secrets(credential=api.credential_of(name))
    await client.set_secret(secret, "by environment")
    assert (await client.get_secret(secret)).value == "by environment"


async def test_an_explicit_client_secret_reads_a_secret(api):
    arguments = (SETTINGS.tenant_id, SETTINGS.client_id, SETTINGS.client_secret)
    client = api.secrets(credential=api.credential_of("ClientSecretCredential", *arguments))
    secret = unique("explicit")
    await client.set_secret(secret, "v")
    assert (await client.get_secret(secret)).value == "v"


async def token_of(api, credential):
    result = credential.get_token(SETTINGS.scope)
    return await result if api.kind == "aio" else result


async def test_a_wrong_client_secret(api):
    credential = api.credential_of("ClientSecretCredential", SETTINGS.tenant_id, SETTINGS.client_id, "not-the-secret")
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        await token_of(api, credential)
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        await api.secrets(credential=credential).get_secret("any")


async def test_an_unknown_application(api):
    credential = api.credential_of("ClientSecretCredential", SETTINGS.tenant_id, str(uuid.uuid4()), "secret")
    with pytest.raises(ClientAuthenticationError, match="AADSTS700016"):
        await token_of(api, credential)


async def test_an_unknown_tenant(api):
    arguments = (str(uuid.uuid4()), SETTINGS.client_id, SETTINGS.client_secret)
    credential = api.credential_of("ClientSecretCredential", *arguments)
    # The sync package asks for the tenant's discovery document first and keeps that answer's body to itself.
    expected = "AADSTS90002" if api.kind == "aio" else "Unable to get authority configuration"
    with pytest.raises(ClientAuthenticationError, match=expected):
        await token_of(api, credential)


def test_discovery_of_an_unknown_tenant():
    response = requests.get(f"{SETTINGS.authority}/{uuid.uuid4()}/v2.0/.well-known/openid-configuration", timeout=30)
    assert response.status_code == 400 and "AADSTS90002" in response.json()["error_description"]


def test_discovery_is_complete(discovery):
    assert {"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"} <= discovery.keys()
    for name in ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"):
        assert discovery[name].startswith(SETTINGS.authority + "/"), name
    assert discovery["token_endpoint"].endswith(f"/{SETTINGS.tenant_id}/oauth2/v2.0/token")


def test_published_keys_are_public(signing_keys):
    assert signing_keys
    for key in signing_keys:
        assert key["kty"] == "RSA" and key["kid"] and key["n"] and key["e"] == "AQAB"
        assert not {"d", "p", "q", "dp", "dq", "qi"} & key.keys()


async def test_tokens_verify_with_the_published_keys(api, discovery, signing_keys):
    token = (await token_of(api, api.credential)).token
    header = jwt.get_unverified_header(token)
    assert header["alg"] == "RS256" and header["typ"] == "JWT"
    key = next(key for key in signing_keys if key["kid"] == header["kid"])
    claims = jwt.decode(token, jwt.PyJWK(key), algorithms=["RS256"], audience=SETTINGS.resource)
    assert claims["iss"] in (discovery["issuer"], f"https://sts.windows.net/{SETTINGS.tenant_id}/")
    assert claims["tid"] == SETTINGS.tenant_id and claims["oid"] == SETTINGS.object_id and claims["sub"]
    assert claims.get("appid", claims.get("azp")) == SETTINGS.client_id
    assert claims["idtyp"] == "app" and claims["iat"] <= time.time() + 5
    assert 3500 <= claims["exp"] - claims["nbf"] <= 4200


def test_the_token_response():
    response = ask()
    assert response.status_code == 200 and response.headers["Content-Type"].startswith("application/json")
    body = response.json()
    assert body["token_type"] == "Bearer" and body["access_token"].count(".") == 2
    assert isinstance(body["expires_in"], int) and 3000 < body["expires_in"] <= 3600
    assert "refresh_token" not in body


@pytest.mark.parametrize(
    "changes, code",
    [({"client_secret": "wrong"}, 7000215), ({"client_id": str(uuid.UUID(int=7))}, 700016)],
    ids=["wrong-secret", "unknown-application"],
)
def test_the_token_errors(changes, code):
    response = ask(**changes)
    body = response.json()
    assert response.status_code in (400, 401) and body["error"] in ("invalid_client", "unauthorized_client")
    assert body["error_codes"] == [code] and body["error_description"].startswith(f"AADSTS{code}: ")
    assert uuid.UUID(body["trace_id"]) and uuid.UUID(body["correlation_id"]) and body["timestamp"]
    assert SETTINGS.client_secret not in response.text


def test_grants_that_are_not_offered_are_refused():
    for changes in ({"grant_type": "magic"}, {"grant_type": ""}, {"scope": ""}):
        response = ask(**changes)
        assert response.status_code == 400 and response.json()["error"], response.text


@pytest.fixture(scope="module")
def bad_tokens(wire, signing_keys) -> dict[str, str]:
    """Tokens that differ from a good one in one respect."""
    header = jwt.get_unverified_header(wire.token)
    claims = jwt.decode(wire.token, options={"verify_signature": False})
    mine = independent.generate(2048)
    public = jwt.PyJWK(next(key for key in signing_keys if key["kid"] == header["kid"])).key
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head, payload, signature = wire.token.split(".")
    confused = b64u(json.dumps(header | {"alg": "HS256"}).encode())
    mac = hmac.digest(pem, f"{confused}.{payload}".encode(), "sha256")
    return {
        "another key": jwt.encode(claims, mine, algorithm="RS256", headers={"kid": header["kid"]}),
        "an unknown kid": jwt.encode(claims, mine, algorithm="RS256", headers={"kid": "unknown"}),
        "alg none": jwt.encode(claims, None, algorithm="none", headers={"kid": header["kid"]}),
        "HS256 by the public key": f"{confused}.{payload}.{b64u(mac)}",
        "expired": jwt.encode(claims | {"exp": 1}, mine, algorithm="RS256", headers={"kid": header["kid"]}),
        "changed claims": ".".join([head, jwt.encode(claims | {"oid": "x"}, mine, "RS256").split(".")[1], signature]),
        "no signature": f"{head}.{payload}.",
        "not a token": "garbage",
        "wrong audience": ask(scope="https://management.azure.com/.default").json()["access_token"],
    }


def test_bad_tokens_are_refused_with_a_challenge(wire, bad_tokens):
    for what, token in bad_tokens.items():
        response = wire("GET", "/secrets/any/", token=token)
        assert error_of(response, 401)["code"] == "Unauthorized", what
        assert response.headers["WWW-Authenticate"].startswith('Bearer authorization="'), what
        assert token not in response.text, what
    wrong = wire("GET", "/secrets/any/", token=bad_tokens["wrong audience"])
    assert "AKV10022" in wrong.json()["error"]["message"]


class Counting:
    """A credential that counts how often it is asked."""

    def __init__(self, inner) -> None:
        self.inner, self.count = inner, 0

    def get_token_info(self, *scopes, options=None):
        self.count += 1
        return self.inner.get_token_info(*scopes, options=options)

    def get_token(self, *scopes, **kwargs):
        self.count += 1
        return self.inner.get_token(*scopes, **kwargs)

    def close(self):
        """The inner credential is closed by its owner."""


async def test_a_thousand_gets_need_one_token(api):
    credential, name = Counting(api.credential), unique("thousand")
    client = api.secrets(credential=credential)
    await client.set_secret(name, "v")
    if api.kind == "aio":
        for _ in range(20):
            secrets = await asyncio.gather(*(client.get_secret(name) for _ in range(50)))
            assert {secret.value for secret in secrets} == {"v"}
    else:
        for _ in range(1000):
            assert (await client.get_secret(name)).value == "v"
    assert credential.count == 1
