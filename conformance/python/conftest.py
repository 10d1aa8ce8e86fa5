"""Fixtures and the coverage report of the suite."""

import pytest
import pytest_asyncio

from azure.keyvault.keys import KeyVaultKey

from clients import Api, ConfigSurface
from config_wire import AccessKey, StoreWire
from report import Coverage
from settings import SETTINGS, fresh_store, fresh_vault, unique
from wire import Wire

NEEDED = ["vault_url", "tenant_id", "client_id", "client_secret"]
NEEDED += ["store_url", "connection_string", "readonly_connection_string"]


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="the whole suite: every operation must be covered")


def pytest_configure(config):
    config.pluginmanager.register(Coverage(config.getoption("--whole")), "operation-coverage")


def pytest_report_header():
    return f"strongroom conformance: {SETTINGS.mode} mode, {SETTINGS.vault_url or 'no AZURE_KEYVAULT_URL'}"


@pytest_asyncio.fixture(scope="session")
async def apis():
    """The sync and the aio packages, open for the whole run."""
    missing = [name for name in NEEDED if not getattr(SETTINGS, name)]
    assert not missing, f"the environment gives no {', '.join(missing)}; see README.md"
    made = {kind: Api(kind) for kind in ("sync", "aio")}
    yield made
    for api in made.values():
        await api.close()


@pytest.fixture(params=["sync", "aio"])
def api(request, apis) -> Api:
    """Each test that takes it runs twice: with the sync packages and with the aio ones."""
    return apis[request.param]


@pytest.fixture(scope="session")
def wire(apis) -> Wire:
    """Plain HTTP with the application's own token, for what the packages do not show."""
    return Wire(apis["sync"].credential.get_token(SETTINGS.scope).token)


@pytest.fixture(params=["key", "token"])
def config(request, api) -> ConfigSurface:
    """The client of the default store, once by connection string and once by token."""
    return api.config_by_key() if request.param == "key" else api.config()


@pytest.fixture(scope="session")
def config_token(apis) -> str:
    """The application's own token for the stores."""
    return apis["sync"].credential.get_token(SETTINGS.config_scope).token


@pytest.fixture(scope="session")
def store() -> StoreWire:
    """Plain HTTP with the default store, signed with its read-write key."""
    key = AccessKey.parse(SETTINGS.connection_string)
    return StoreWire(key.endpoint, key=key)


@pytest.fixture(scope="module")
def own_store(config_token) -> StoreWire:
    """Plain HTTP with a store that holds nothing but what the module puts into it."""
    return StoreWire(fresh_store(), token=config_token)


@pytest.fixture(scope="session")
def other_vault() -> str:
    """A second vault of the same installation, for restores."""
    return fresh_vault("conf2")


class Shelf:
    """Keys that several tests only use, made once per run."""

    def __init__(self) -> None:
        self._keys: dict[object, KeyVaultKey] = {}

    async def rsa(self, api: Api, size: int = 2048) -> KeyVaultKey:
        if size not in self._keys:
            self._keys[size] = await api.keys().create_rsa_key(unique(f"rsa-{size}"), size=size)
        return self._keys[size]

    async def ec(self, api: Api, curve: str = "P-256") -> KeyVaultKey:
        if curve not in self._keys:
            self._keys[curve] = await api.keys().create_ec_key(unique("ec-" + curve), curve=curve)
        return self._keys[curve]


@pytest.fixture(scope="session")
def shelf() -> Shelf:
    return Shelf()
