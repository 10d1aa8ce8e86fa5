"""Who may do what with a store: access keys, tokens and sync tokens through the official client, sync and aio."""

import base64
import re
import uuid
from urllib.parse import urlsplit

import pytest
from azure.appconfiguration import ConfigurationSetting, ConfigurationSettingsFilter
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from expect import config_refused
from report import covers
from settings import SETTINGS, fresh_store, unique


def refused_key() -> object:
    """401, whatever the store says about it."""
    return config_refused(401, ClientAuthenticationError)


@covers("A3", "A5", "A6", "A7")
async def test_both_authentications_see_the_same_store(api):
    by_key, by_token, name = api.config_by_key(), api.config(), unique("both")
    made = await by_key.set_configuration_setting(ConfigurationSetting(key=name, value="by key"))
    got = await by_token.get_configuration_setting(key=name)
    assert (got.value, got.etag) == ("by key", made.etag)
    await by_token.set_configuration_setting(ConfigurationSetting(key=name, value="by token"))
    (item,) = await by_key.every("list_configuration_settings", key_filter=name)
    assert item.value == "by token"
    assert (await by_key.delete_configuration_setting(name)).value == "by token"


@covers("A3", "A16", "A20")
@pytest.mark.parametrize("tail", ["a,b*c\\d", "x y+z", "gr\u00fc\u00dfe/\u6771", "a=b&c?d#e", "~!'()[]{}|^`<>\"@:;$"])
async def test_queries_of_every_character_are_signed_right(config, tail):
    key = unique("q") + tail
    label, tag = "l" + key, "t" + key
    await config.set_configuration_setting(ConfigurationSetting(key=key, label=label, value="v", tags={"t": tag}))
    escaped, label_filter, tag_filter = (re.sub(r"([*,\\])", r"\\\1", text) for text in (key, label, tag))
    filters = {
        "key_filter": escaped,
        "label_filter": label_filter,
        "tags_filter": ["t=" + tag_filter.replace("=", "\\=")],
        "fields": ["key", "label"],
    }
    for listing in ("list_configuration_settings", "list_revisions"):
        assert [(item.key, item.label) for item in await config.every(listing, **filters)] == [(key, label)]
    assert [item.name for item in await config.every("list_labels", name=label_filter)] == [label]
    assert (await config.get_configuration_setting(key=key, label=label)).value == "v"


@covers("A1", "A2", "A3", "A4", "A5", "A8", "A9", "A10", "A11", "A12", "A15", "A16", "A17", "A20", "A21")
async def test_the_read_only_key_reads_everything(api):
    writer, reader, name = api.config_by_key(), api.config_by_key(SETTINGS.readonly_connection_string), unique("reader")
    await writer.set_configuration_setting(ConfigurationSetting(key=name, value="v", label=name))
    await writer.snapshot(name, ConfigurationSettingsFilter(key=name, label=name))
    assert (await reader.get_configuration_setting(key=name, label=name)).value == "v"
    assert len(await reader.every("list_configuration_settings", key_filter=name)) == 1
    assert len(await reader.every("list_configuration_settings", snapshot_name=name)) == 1
    assert len(await reader.listed("check_configuration_settings", key_filter=name)) == 1
    assert len(await reader.every("list_revisions", key_filter=name)) == 1
    assert [label.name for label in await reader.every("list_labels", name=name)] == [name]
    assert (await reader.get_snapshot(name)).items_count == 1
    assert len(await reader.every("list_snapshots", name=name)) == 1
    for method in ("GET", "HEAD"):
        for path in ("/keys", "/labels", "/revisions", "/snapshots", f"/snapshots/{name}", f"/kv/{name}"):
            params = {"label": name} if path.startswith("/kv/") else {}
            assert (await reader.send(method, path, params=params)).status_code == 200, path
    assert (await reader.send("GET", "/operations", params={"snapshot": name})).status_code == 200


@covers("A6", "A7", "A13", "A14", "A18", "A19")
async def test_the_read_only_key_changes_nothing(api):
    writer, reader, name = api.config_by_key(), api.config_by_key(SETTINGS.readonly_connection_string), unique("reader")
    made = await writer.set_configuration_setting(ConfigurationSetting(key=name, value="v"))
    await writer.snapshot(name, ConfigurationSettingsFilter(key=name))
    for call in (
        lambda: reader.set_configuration_setting(ConfigurationSetting(key=name, value="w")),
        lambda: reader.set_configuration_setting(ConfigurationSetting(key=name, value="v")),
        lambda: reader.add_configuration_setting(ConfigurationSetting(key=unique("new"), value="w")),
        lambda: reader.delete_configuration_setting(name),
        lambda: reader.delete_configuration_setting(unique("none")),
        lambda: reader.set_read_only(made),
        lambda: reader.set_read_only(made, False),
        lambda: reader.snapshot(unique("new"), ConfigurationSettingsFilter(key=name)),
        lambda: reader.archive_snapshot(name),
        lambda: reader.recover_snapshot(name),
    ):
        with config_refused(403):
            await call()
    assert (await writer.get_configuration_setting(key=name)).etag == made.etag
    assert (await writer.get_snapshot(name)).status == "ready"


def altered(name: str, value: str) -> str:
    """The read-write connection string with another value of one field."""
    return re.sub(f"(?<={name}=)[^;]*", lambda _: value, SETTINGS.connection_string)


@covers("A3", "A5", "A6")
async def test_wrong_access_keys(api):
    reader_id = re.search("Id=([^;]*)", SETTINGS.readonly_connection_string)[1]
    for wrong in (
        altered("Secret", base64.b64encode(b"not the secret of this key, not ").decode()),
        altered("Id", "unknown"),
        altered("Id", reader_id),
        altered("Endpoint", fresh_store()),
    ):
        client = api.config_by_key(wrong)
        with refused_key():
            await client.get_configuration_setting(key="any")
        with refused_key():
            await client.set_configuration_setting(ConfigurationSetting(key=unique("no"), value="v"))
        with refused_key():
            await client.every("list_configuration_settings")


@covers("A5")
async def test_other_spellings_of_the_endpoint(api):
    """The client signs the host with the port that it was given, also when it sends none because that is 443.

    Of an endpoint that ends in `/` it signs the target without its first one.
    """
    name = unique("port")
    await api.config().set_configuration_setting(ConfigurationSetting(key=name, value="v"))
    parts = urlsplit(SETTINGS.store_url)
    for endpoint in (f"https://{parts.hostname}:{parts.port or 443}", SETTINGS.store_url + "/"):
        client = api.config_by_key(altered("Endpoint", endpoint))
        assert (await client.get_configuration_setting(key=name)).value == "v", endpoint


@covers("A5", "A6")
async def test_stores_are_apart_and_made_on_demand(api):
    first, second = api.config(fresh_store()), api.config(fresh_store())
    await first.set_configuration_setting(ConfigurationSetting(key="k", value="first"))
    assert await second.every("list_configuration_settings") == []
    await second.set_configuration_setting(ConfigurationSetting(key="k", value="second"))
    assert (await first.get_configuration_setting(key="k")).value == "first"


class Fixed:
    """A credential that gives the same token to everyone."""

    def __init__(self, token) -> None:
        self.token = token

    def get_token(self, *scopes, **kwargs):
        return self.token


class FixedAio(Fixed):
    async def get_token(self, *scopes, **kwargs):
        return self.token


@covers("A5")
async def test_tokens_for_something_else(api, apis):
    credential = apis["sync"].credential
    vault = credential.get_token(SETTINGS.scope)
    good = credential.get_token(SETTINGS.config_scope)
    make = FixedAio if api.kind == "aio" else Fixed
    name = unique("token")
    client = api.config(credential=make(good))
    await client.set_configuration_setting(ConfigurationSetting(key=name, value="v"))
    for wrong in (vault, good._replace(token=good.token[:-8] + "AAAAAAAA"), good._replace(token="garbage")):
        with refused_key():
            await api.config(credential=make(wrong)).get_configuration_setting(key=name)
    with pytest.raises(HttpResponseError) as caught:
        await api.secrets(credential=make(good)).get_secret("any")
    assert caught.value.status_code == 401, "and a store's token opens no vault"


@covers("A5", "A6")
@pytest.mark.parametrize("token", ["", "garbage", "kv=", "=;sn=;", "kv=MA==;sn=99999999999", "a=b;sn=1,c=d;sn=x"])
async def test_sync_tokens_break_nothing(config, token):
    await config.update_sync_token(token)
    name = unique("sync")
    made = await config.set_configuration_setting(ConfigurationSetting(key=name, value="v"))
    got = await config.get_configuration_setting(key=name, headers={"Sync-Token": token})
    assert got.etag == made.etag
    answer = await config.send("GET", f"/kv/{name}", headers={"Sync-Token": token})
    assert answer.status_code == 200
    for part in answer.headers["Sync-Token"].split(","):
        assert re.fullmatch(r"[^=;]+=[^;]*;sn=\d+", part), part


@covers("A5")
async def test_a_wrong_client_secret_never_reaches_the_store(api):
    arguments = (SETTINGS.tenant_id, SETTINGS.client_id, str(uuid.uuid4()))
    client = api.config(credential=api.credential_of("ClientSecretCredential", *arguments))
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        await client.get_configuration_setting(key="any")
