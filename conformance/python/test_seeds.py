"""Programs as users write them: short pieces of code that must work without a change."""

import asyncio
from datetime import datetime, timedelta, timezone

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from settings import SETTINGS, fresh_vault, unique


async def test_secrets_are_found_by_tag(apis):
    client = apis["sync"].secrets(fresh_vault("conf9")).client
    client.set_secret("api-key", "1", tags={"environment": "production", "rotation-policy": "90-days"})
    client.set_secret("untagged", "2")
    client.set_secret("staging-key", "3", tags={"environment": "staging"})

    all_secrets = client.list_properties_of_secrets()
    production = [s for s in all_secrets if s.tags.get("environment") == "production"]

    assert [s.name for s in production] == ["api-key"]


async def test_secrets_are_found_by_tag_aio(apis):
    client = apis["aio"].secrets(fresh_vault("conf9")).client
    await client.set_secret("api-key", "1", tags={"environment": "production"})
    await client.set_secret("untagged", "2")

    production = [s async for s in client.list_properties_of_secrets() if s.tags.get("environment") == "production"]

    assert [s.name for s in production] == ["api-key"]


async def test_metadata_round_trip(apis):
    client, name = apis["sync"].secrets().client, unique("api-key")
    want = datetime.now(timezone.utc) + timedelta(days=90)
    client.set_secret(
        name,
        "value",
        content_type="application/password",
        expires_on=want,
        tags={"environment": "production", "application": "user-service", "rotation-policy": "90-days"},
    )

    properties = client.get_secret(name).properties

    assert properties.content_type == "application/password"
    assert abs((properties.expires_on - want).total_seconds()) < 1
    assert properties.tags["rotation-policy"] == "90-days"


async def test_a_batch_of_secrets(apis):
    client = apis["aio"].secrets().client
    names = [unique("batch") for _ in range(50)]
    await asyncio.gather(*(client.set_secret(name, f"value of {name}") for name in names))

    secrets = await asyncio.gather(*(client.get_secret(name) for name in names))
    result = {name: secret.value for name, secret in zip(names, secrets)}

    assert result == {name: f"value of {name}" for name in names}
    with pytest.raises(ResourceNotFoundError):
        await asyncio.gather(*(client.get_secret(name) for name in [*names, unique("missing")]))


async def test_zero_downtime_change(apis):
    client, name = apis["sync"].secrets().client, unique("database-password")
    client.set_secret(name, "old")
    new = client.set_secret(name, "new")

    versions = sorted(client.list_properties_of_secret_versions(name), key=lambda v: (v.created_on, v.version))
    previous = next(v for v in versions if v.version != new.properties.version)
    client.update_secret_properties(name, version=previous.version, enabled=False)

    assert client.get_secret(name).value == "new"
    with pytest.raises(HttpResponseError) as caught:
        client.get_secret(name, version=previous.version)
    assert caught.value.status_code == 403


async def test_a_deleted_secret_is_found_and_recovered(apis):
    client, name = apis["sync"].secrets().client, unique("database-password")
    client.set_secret(name, "kept")
    client.begin_delete_secret(name).wait()

    assert name in [s.name for s in client.list_deleted_secrets()]
    client.begin_recover_deleted_secret(name).wait()

    assert client.get_secret(name).value == "kept"


async def test_errors_become_the_programs_own(apis):
    def get_secret(name: str) -> str:
        try:
            return client.get_secret(name).value
        except ResourceNotFoundError as error:
            assert error.error.code == "SecretNotFound"
            raise ValueError(f"Secret '{name}' not found in vault '{SETTINGS.vault_url}'") from error
        except HttpResponseError as error:
            if error.status_code == 403:
                request = error.response.headers["x-ms-request-id"]
                raise PermissionError(f"Access denied to secret '{name}'. Request ID: {request}") from error
            raise

    client, name = apis["sync"].secrets().client, unique("mapped")
    with pytest.raises(ValueError, match="not found in vault"):
        get_secret(name)
    client.set_secret(name, "v", enabled=False)
    with pytest.raises(PermissionError, match="Request ID: [0-9a-f-]{36}"):
        get_secret(name)
    client.update_secret_properties(name, enabled=True)
    assert get_secret(name) == "v"
