"""Where the server under test is: read once, from nothing but environment variables."""

import os
import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Settings:
    """The variables that the server writes to its env file, under names of their own."""

    mode: str
    vault_url: str
    tenant_id: str
    client_id: str
    client_secret: str
    object_id: str
    authority: str
    store_url: str
    connection_string: str
    readonly_connection_string: str

    @classmethod
    def from_environment(cls) -> "Settings":
        """Missing variables become empty strings, so that the suite can be collected without a server."""
        env = os.environ
        authority = env.get("AZURE_AUTHORITY_HOST", "")
        return cls(
            mode=env.get("CONFORMANCE_MODE") or ("direct" if authority else "proxy"),
            vault_url=env.get("AZURE_KEYVAULT_URL", "").rstrip("/"),
            tenant_id=env.get("AZURE_TENANT_ID", ""),
            client_id=env.get("AZURE_CLIENT_ID", ""),
            client_secret=env.get("AZURE_CLIENT_SECRET", ""),
            object_id=env.get("STRONGROOM_OBJECT_ID", ""),
            authority=authority.rstrip("/") or "https://login.microsoftonline.com",
            store_url=env.get("AZURE_APPCONFIG_ENDPOINT", "").rstrip("/"),
            connection_string=env.get("AZURE_APPCONFIG_CONNECTION_STRING", ""),
            readonly_connection_string=env.get("AZURE_APPCONFIG_READONLY_CONNECTION_STRING", ""),
        )

    def vault(self, name: str) -> str:
        """The URL of another vault of the same installation: only the first label of the host differs."""
        return re.sub(r"^https://[^.]+", f"https://{name}", self.vault_url)

    def store(self, name: str) -> str:
        """The endpoint of another App Configuration store of the same installation."""
        return re.sub(r"^https://[^.]+", f"https://{name}", self.store_url)

    @property
    def resource(self) -> str:
        """What a vault's challenge must name: the vault's parent domain, with its port."""
        return "https://" + urlsplit(self.vault_url).netloc.split(".", 1)[1]

    @property
    def scope(self) -> str:
        """The scope that gives a token for the vaults."""
        return self.resource + "/.default"

    @property
    def config_scope(self) -> str:
        """The scope that gives a token for the stores: the host's part from `azconfig` on, without a port."""
        return f"https://{urlsplit(self.store_url).hostname.split('.', 1)[1]}/.default"


SETTINGS = Settings.from_environment()


def unique(prefix: str) -> str:
    """A name that no earlier run against the same data folder has used."""
    return f"{prefix}-{secrets.token_hex(5)}"


def fresh_vault(label: str) -> str:
    """The URL of a vault that this run alone uses. Vault names have at most 24 characters."""
    return SETTINGS.vault(f"{label}-{secrets.token_hex(4)}")


def fresh_store(label: str = "conf") -> str:
    """The endpoint of a store that the caller alone uses. Such a store takes tokens only."""
    return SETTINGS.store(f"{label}-{secrets.token_hex(4)}")
