"""Adapters over the official clients, so that one test body drives the sync and the aio packages."""

import asyncio
import inspect
import json
from typing import Any
from urllib.parse import quote

import azure.appconfiguration
import azure.appconfiguration.aio
import azure.appconfiguration.provider
import azure.appconfiguration.provider.aio
import azure.identity
import azure.identity.aio
import azure.keyvault.keys
import azure.keyvault.keys.aio
import azure.keyvault.keys.crypto
import azure.keyvault.keys.crypto.aio
import azure.keyvault.secrets
import azure.keyvault.secrets.aio
import featuremanagement
import featuremanagement.aio
from azure.core.rest import HttpRequest
from azure.keyvault.keys import KeyVaultKey

from settings import SETTINGS

CONFIG_VERSION = "2026-04-01"
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "k", "key_hsm"}


def sync_options() -> dict[str, Any]:
    """MSAL asks the public cloud about an authority it does not know: the one documented code option."""
    return {"disable_instance_discovery": True} if SETTINGS.mode == "direct" else {}


def assert_no_private_members(body: Any) -> None:
    """No key response, of any operation, may carry private key material."""
    if isinstance(body, dict):
        key = body.get("key")
        if isinstance(key, dict):
            leaked = PRIVATE_MEMBERS & key.keys()
            assert not leaked, f"private members in a response: {sorted(leaked)}"
        for item in body.get("value") if isinstance(body.get("value"), list) else []:
            assert_no_private_members(item)


def _inspect_response(pipeline_response: Any) -> None:
    """Looks at every response that a key client gets during the whole run."""
    text = pipeline_response.http_response.text()
    if text.startswith("{"):
        assert_no_private_members(json.loads(text))


class Surface:
    """A client whose methods can all be awaited, whichever package it comes from."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._noun = "secret" if "Secret" in type(client).__name__ else "key"

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.client, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        return call

    async def every(self, listing: str, *args: Any, **kwargs: Any) -> list[Any]:
        """All items of a listing, over all its pages."""
        paged = getattr(self.client, listing)(*args, **kwargs)
        return [item async for item in paged] if hasattr(paged, "__aiter__") else list(paged)

    async def pages(self, listing: str, *args: Any, **kwargs: Any) -> list[list[Any]]:
        """A listing page by page."""
        pager = getattr(self.client, listing)(*args, **kwargs).by_page()
        if hasattr(pager, "__aiter__"):
            return [[item async for item in page] async for page in pager]
        return [list(page) for page in pager]

    async def delete(self, name: str) -> Any:
        """Soft-deletes and waits until the poller says so; the deleted object."""
        return await self._finish("delete_" + self._noun, name)

    async def recover(self, name: str) -> Any:
        """Recovers and waits until the poller says so; the recovered object."""
        return await self._finish("recover_deleted_" + self._noun, name)

    async def _finish(self, verb: str, name: str) -> Any:
        if hasattr(self.client, verb):  # aio: one coroutine that polls to the end
            return await getattr(self.client, verb)(name)
        poller = getattr(self.client, "begin_" + verb)(name)
        result = poller.result()
        poller.wait(timeout=30)
        assert poller.done(), f"{verb} did not finish in 30 s"
        return result


class ConfigSurface(Surface):
    """A client of an App Configuration store."""

    async def listed(self, listing: str, match: list[str] | None = None, **kwargs: Any) -> list[tuple[str, list[Any]]]:
        """A listing page by page, each with its etag; with `match` only the pages that are not the ones it names."""
        pager, pages = getattr(self.client, listing)(**kwargs).by_page(match_conditions=match), []
        if hasattr(pager, "__aiter__"):
            async for page in pager:
                pages.append((pager.etag, [item async for item in page]))
                assert len(pages) < 50, "the pages have no end"
        else:
            for page in pager:
                pages.append((pager.etag, list(page)))
                assert len(pages) < 50, "the pages have no end"
        return pages

    async def snapshot(self, name: str, *filters: Any, **kwargs: Any) -> Any:
        """Creates a snapshot and waits until the poller says that it is there."""
        result = (await self.begin_create_snapshot(name, list(filters), **kwargs)).result()
        return await result if inspect.isawaitable(result) else result

    async def send(self, method: str, path: str, **kwargs: Any) -> Any:
        """A request through the client's own pipeline, for the operations that it has no method of."""
        params = {name: quote(value, safe="") for name, value in kwargs.pop("params", {}).items()}
        return await self.send_request(
            HttpRequest(method, path, params={"api-version": CONFIG_VERSION} | params, **kwargs)
        )


class Api:
    """The packages of one kind ("sync" or "aio"), with the clients they have made so far."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        aio = kind == "aio"
        self.identity = azure.identity.aio if aio else azure.identity
        self._keys = azure.keyvault.keys.aio if aio else azure.keyvault.keys
        self._crypto = azure.keyvault.keys.crypto.aio if aio else azure.keyvault.keys.crypto
        self._secrets = azure.keyvault.secrets.aio if aio else azure.keyvault.secrets
        self._config = azure.appconfiguration.aio if aio else azure.appconfiguration
        self._provider = azure.appconfiguration.provider.aio if aio else azure.appconfiguration.provider
        self._features = featuremanagement.aio if aio else featuremanagement
        self._opened: list[Any] = []
        self._made: dict[tuple[str, str], Surface] = {}
        self.credential = self.credential_of("DefaultAzureCredential")

    def credential_of(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A credential class of azure-identity with the options that the mode needs."""
        options = {} if self.kind == "aio" else sync_options()
        return self._opens(getattr(self.identity, name)(*args, **options, **kwargs))

    def secrets(self, vault_url: str = "", **kwargs: Any) -> Surface:
        """The SecretClient of a vault (the default one when none is named)."""
        return self._client("secrets", self._secrets.SecretClient, vault_url, kwargs)

    def keys(self, vault_url: str = "", **kwargs: Any) -> Surface:
        """The KeyClient of a vault; it checks each response for private key material."""
        return self._client("keys", self._keys.KeyClient, vault_url, kwargs | {"raw_response_hook": _inspect_response})

    def crypto(self, key: KeyVaultKey) -> Surface:
        """A CryptographyClient that does locally what the package chooses to do locally."""
        return Surface(self._opens(self._crypto.CryptographyClient(key, self.credential)))

    def remote(self, key: KeyVaultKey) -> Surface:
        """A CryptographyClient that asks the server for everything.

        It is given the key's id with material for none of the key's algorithms, so the package finds no
        algorithm that it could do locally.
        """
        blind = KeyVaultKey(key.id, kty="oct", k=bytes(32), key_ops=[])
        return Surface(self._opens(self._crypto.CryptographyClient(blind, self.credential)))

    def config(self, store_url: str = "", **kwargs: Any) -> ConfigSurface:
        """The client of a store (the default one when none is named), with the application's token."""
        credential = kwargs.pop("credential", self.credential)
        client = self._config.AzureAppConfigurationClient(store_url or SETTINGS.store_url, credential, **kwargs)
        return ConfigSurface(self._opens(client))

    def config_by_key(self, connection_string: str = "", **kwargs: Any) -> ConfigSurface:
        """The client that a connection string gives (the read-write one when none is named)."""
        make = self._config.AzureAppConfigurationClient.from_connection_string
        return ConfigSurface(self._opens(make(connection_string or SETTINGS.connection_string, **kwargs)))

    async def provider(self, *args: Any, **kwargs: Any) -> Any:
        """What `load` of the provider package makes.

        Replica discovery is off: it asks the public DNS about the store's name. Loading that fails says so after
        seconds, not after the usual 100.
        """
        loading = self._provider.load(*args, replica_discovery_enabled=False, startup_timeout=4, **kwargs)
        return self._opens(await loading if inspect.isawaitable(loading) else loading)

    def features(self, configuration: Any) -> Surface:
        """A FeatureManager over what the provider has loaded."""
        return Surface(self._features.FeatureManager(configuration))

    async def close(self) -> None:
        """Closes all that was opened, the clients before their credentials."""
        for thing in reversed(self._opened):
            result = thing.close()
            if inspect.isawaitable(result):
                await result
        await asyncio.sleep(0)

    def _client(self, kind: str, make: Any, vault_url: str, options: dict[str, Any]) -> Surface:
        vault_url = vault_url or SETTINGS.vault_url
        if set(options) - {"raw_response_hook"}:
            return Surface(self._opens(make(vault_url, options.pop("credential", self.credential), **options)))
        if (kind, vault_url) not in self._made:
            self._made[kind, vault_url] = Surface(self._opens(make(vault_url, self.credential, **options)))
        return self._made[kind, vault_url]

    def _opens(self, thing: Any) -> Any:
        self._opened.append(thing)
        return thing
