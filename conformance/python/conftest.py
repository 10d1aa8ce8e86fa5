"""Fixtures and the coverage report of the suite."""

import pytest
import pytest_asyncio

from azure.keyvault.keys import KeyVaultKey

from clients import Api
from report import Coverage
from settings import SETTINGS, fresh_vault, unique
from wire import Wire


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="the whole suite: every operation must be covered")


def pytest_configure(config):
    config.pluginmanager.register(Coverage(config.getoption("--whole")), "operation-coverage")


def pytest_report_header():
    return f"strongroom conformance: {SETTINGS.mode} mode, {SETTINGS.vault_url or 'no AZURE_KEYVAULT_URL'}"


@pytest_asyncio.fixture(scope="session")
async def apis():
    """The sync and the aio packages, open for the whole run."""
    missing = [name for name in ("vault_url", "tenant_id", "client_id", "client_secret") if not getattr(SETTINGS, name)]
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
