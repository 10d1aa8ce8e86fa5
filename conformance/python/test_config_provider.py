"""What programs build on App Configuration: typed settings, the provider, feature management, sync and aio."""

import asyncio
import json

import pytest
from azure.appconfiguration import (
    ConfigurationSetting,
    ConfigurationSettingsFilter,
    FeatureFlagConfigurationSetting,
    SecretReferenceConfigurationSetting,
)
from azure.appconfiguration.provider import SettingSelector, WatchKey
from featuremanagement import TargetingContext

from config_wire import ago, http_date
from report import covers
from settings import SETTINGS, fresh_store, unique

SNAPSHOT_REFERENCE = 'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8'


async def put(client, key: str, value: str, **members) -> ConfigurationSetting:
    return await client.set_configuration_setting(ConfigurationSetting(key=key, value=value, **members))


@covers("A3", "A5", "A6")
async def test_feature_flags_keep_their_type(config):
    name = unique("flag")
    filters = [{"name": "Microsoft.Targeting", "parameters": {"Audience": {"Users": ["ann"]}}}]
    made = await config.set_configuration_setting(
        FeatureFlagConfigurationSetting(name, enabled=True, filters=filters, label="l", display_name="Flag")
    )
    assert made.key == f".appconfig.featureflag/{name}"
    got = await config.get_configuration_setting(key=made.key, label="l")
    (listed,) = await config.every("list_configuration_settings", key_filter=made.key)
    for flag in (made, got, listed):
        assert type(flag) is FeatureFlagConfigurationSetting
        assert (flag.feature_id, flag.enabled, flag.filters, flag.display_name) == (name, True, filters, "Flag")
        assert flag.content_type == "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"
    got.enabled = False
    assert (await config.set_configuration_setting(got)).enabled is False
    assert json.loads((await config.get_configuration_setting(key=made.key, label="l")).value)["enabled"] is False


@covers("A3", "A5", "A6")
async def test_secret_references_keep_their_type(config):
    name, uri = unique("reference"), f"{SETTINGS.vault_url}/secrets/any"
    made = await config.set_configuration_setting(SecretReferenceConfigurationSetting(name, uri, tags={"a": "b"}))
    (listed,) = await config.every("list_configuration_settings", key_filter=name)
    for reference in (made, listed, await config.get_configuration_setting(key=name)):
        assert type(reference) is SecretReferenceConfigurationSetting
        assert reference.secret_id == uri and json.loads(reference.value) == {"uri": uri}
        assert reference.content_type == "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8"


@covers("A5", "A6")
async def test_the_store_does_not_look_into_values(config):
    name = unique("opaque")
    for content_type in (
        "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8",
        "application/vnd.microsoft.appconfig.ff+json;charset=utf-8",
        SNAPSHOT_REFERENCE,
        "application/json",
    ):
        await put(config, name, "{not json", content_type=content_type)
        stored = (await config.send("GET", f"/kv/{name}")).json()
        assert (stored["value"], stored["content_type"]) == ("{not json", content_type)


@pytest.fixture(params=["key", "token"])
def source(request, api) -> dict:
    """How the provider is told where the default store is."""
    if request.param == "key":
        return {"connection_string": SETTINGS.connection_string}
    return {"endpoint": SETTINGS.store_url, "credential": api.credential}


async def test_load_with_selectors_and_trimmed_prefixes(api, source):
    client, app = api.config(), unique("app")
    await put(client, f"{app}/color", "plain")
    await put(client, f"{app}/size", "3", content_type="application/json")
    await put(client, f"{app}/limits", '{"max": [1, 2]}', content_type="application/json; charset=utf-8")
    await put(client, f"{app}/color", "of production", label="prod", tags={"team": "web"})
    await put(client, f"{app}/hidden", "x", label="test")
    provider = await api.provider(
        **source,
        selects=[SettingSelector(key_filter=f"{app}/*"), SettingSelector(key_filter=f"{app}/*", label_filter="prod")],
        trim_prefixes=[f"{app}/"],
    )
    assert dict(provider) == {"color": "of production", "size": 3, "limits": {"max": [1, 2]}}
    assert provider["color"] == "of production" and provider.get("hidden") is None
    tagged = SettingSelector(key_filter=f"{app}/*", label_filter="*", tag_filters=["team=web"])
    assert dict(await api.provider(**source, selects=[tagged])) == {f"{app}/color": "of production"}


async def test_load_more_than_a_page(api):
    url = fresh_store()
    client = api.config(url)
    await asyncio.gather(*(put(client, f"k{n:03}", str(n)) for n in range(130)))
    provider = await api.provider(url, api.credential)
    assert dict(provider) == {f"k{n:03}": str(n) for n in range(130)}


async def test_references_are_resolved_from_the_vault(api, source):
    app, vault = unique("secrets"), api.secrets()
    client = api.config()
    first = await vault.set_secret(app, "first")
    await vault.set_secret(app, "second")
    for key, uri in ((f"{app}/latest", f"{SETTINGS.vault_url}/secrets/{app}"), (f"{app}/pinned", first.id)):
        await client.set_configuration_setting(SecretReferenceConfigurationSetting(key, uri))
    provider = await api.provider(
        **source,
        selects=[SettingSelector(key_filter=f"{app}/*")],
        trim_prefixes=[f"{app}/"],
        keyvault_credential=api.credential,
    )
    assert dict(provider) == {"latest": "second", "pinned": "first"}


async def refreshed(provider) -> None:
    """Refreshes after the shortest interval that the provider allows."""
    await asyncio.sleep(1.1)
    result = provider.refresh()
    if asyncio.iscoroutine(result):
        await result


async def test_refresh_on_a_sentinel(api, source):
    client, app, seen = api.config(), unique("sentinel"), []
    await put(client, f"{app}/color", "red")
    await put(client, f"{app}/sentinel", "1")
    provider = await api.provider(
        **source,
        selects=[SettingSelector(key_filter=f"{app}/*")],
        trim_prefixes=[f"{app}/"],
        refresh_on=[WatchKey(f"{app}/sentinel")],
        refresh_interval=1,
        on_refresh_success=lambda: seen.append(True),
    )
    assert provider["color"] == "red"
    await put(client, f"{app}/color", "blue")
    await refreshed(provider)
    assert provider["color"] == "red" and not seen, "the sentinel is as it was"
    await put(client, f"{app}/sentinel", "2")
    await refreshed(provider)
    assert (provider["color"], provider["sentinel"], seen) == ("blue", "2", [True])
    await put(client, f"{app}/color", "green")
    await client.delete_configuration_setting(f"{app}/sentinel")
    await refreshed(provider)
    assert provider["color"] == "green" and len(seen) == 2 and "sentinel" not in provider
    await refreshed(provider)
    assert len(seen) == 2


async def test_refresh_on_any_change_of_a_page(api, source):
    client, app, seen = api.config(), unique("pages"), []
    await asyncio.gather(*(put(client, f"{app}/{n:03}", "old") for n in range(110)))
    provider = await api.provider(
        **source,
        selects=[SettingSelector(key_filter=f"{app}/*")],
        trim_prefixes=[f"{app}/"],
        refresh_enabled=True,
        refresh_interval=1,
        on_refresh_success=lambda: seen.append(True),
    )
    await refreshed(provider)
    assert not seen
    await put(client, f"{app}/105", "new")
    await refreshed(provider)
    assert len(seen) == 1 and provider["105"] == "new" and provider["000"] == "old"
    await put(client, f"{app}/200", "added")
    await client.delete_configuration_setting(f"{app}/000")
    await refreshed(provider)
    assert len(seen) == 2 and provider["200"] == "added" and "000" not in provider


def flag(app: str, name: str, enabled: bool, *filters: dict) -> FeatureFlagConfigurationSetting:
    return FeatureFlagConfigurationSetting(f"{app}{name}", enabled=enabled, filters=list(filters))


def targeting(percentage: int, users=(), groups=()) -> dict:
    """Microsoft's targeting filter: named users, groups with a share of each, and a share of everybody else."""
    audience = {"Users": list(users), "Groups": list(groups), "DefaultRolloutPercentage": percentage}
    return {"name": "Microsoft.Targeting", "parameters": {"Audience": audience}}


def window(start: int, end: int) -> dict:
    """A time window, in hours from now."""
    bounds = {"Start": http_date(ago(hours=-start)), "End": http_date(ago(hours=-end))}
    return {"name": "Microsoft.TimeWindow", "parameters": bounds}


async def test_feature_flags_are_evaluated(api, source):
    client, app = api.config(), unique("flags")
    beta = {"Name": "beta", "RolloutPercentage": 100}
    for one in (
        flag(app, "On", True),
        flag(app, "Off", False, targeting(100)),
        flag(app, "Users", True, targeting(0, ["ann"], [beta])),
        flag(app, "Everyone", True, targeting(100)),
        flag(app, "Half", True, targeting(50)),
        flag(app, "Now", True, window(-1, 1)),
        flag(app, "Later", True, window(1, 2)),
    ):
        await client.set_configuration_setting(one)
    provider = await api.provider(
        **source,
        selects=[SettingSelector(key_filter=unique("none"))],
        feature_flag_enabled=True,
        feature_flag_selectors=[SettingSelector(key_filter=f"{app}*")],
    )
    features = api.features(provider)
    for name, expected in (("On", True), ("Off", False), ("Now", True), ("Later", False), ("None", False)):
        assert await features.is_enabled(app + name) is expected, name
    assert await features.is_enabled(app + "Users", "ann") is True
    assert await features.is_enabled(app + "Users", "bob") is False
    assert await features.is_enabled(app + "Users", TargetingContext(user_id="bob", groups=["beta"])) is True
    assert await features.is_enabled(app + "Everyone", "bob") is True
    share = sum([await features.is_enabled(app + "Half", f"user {n}") for n in range(1000)])
    assert 400 < share < 600


async def test_variants_are_assigned(api, source):
    client, name = api.config(), unique("variant")
    value = {
        "id": name,
        "enabled": True,
        "variants": [
            {"name": "Big", "configuration_value": {"size": 500}},
            {"name": "Small", "configuration_value": {"size": 300}},
        ],
        "allocation": {
            "default_when_enabled": "Small",
            "user": [{"variant": "Big", "users": ["ann"]}],
            "percentile": [{"variant": "Small", "from": 0, "to": 100}],
            "seed": "13",
        },
        "telemetry": {"enabled": True},
    }
    content_type = FeatureFlagConfigurationSetting(name).content_type
    await put(client, f".appconfig.featureflag/{name}", json.dumps(value), content_type=content_type)
    provider = await api.provider(
        **source,
        selects=[SettingSelector(key_filter=unique("none"))],
        feature_flag_enabled=True,
        feature_flag_selectors=[SettingSelector(key_filter=name)],
    )
    features = api.features(provider)
    assert (await features.get_variant(name, "ann")).configuration == {"size": 500}
    assert (await features.get_variant(name, "bob")).configuration == {"size": 300}
    (shown,) = provider["feature_management"]["feature_flags"]
    assert shown["telemetry"]["metadata"]["ETag"]


async def test_feature_flags_refresh(api, source):
    client, app = api.config(), unique("switch")
    await client.set_configuration_setting(flag(app, "A", False))
    provider = await api.provider(
        **source,
        selects=[SettingSelector(key_filter=unique("none"))],
        feature_flag_enabled=True,
        feature_flag_selectors=[SettingSelector(key_filter=f"{app}*")],
        feature_flag_refresh_enabled=True,
        refresh_interval=1,
    )
    features = api.features(provider)
    assert await features.is_enabled(app + "A") is False
    await client.set_configuration_setting(flag(app, "A", True))
    await client.set_configuration_setting(flag(app, "B", True))
    await refreshed(provider)
    assert await features.is_enabled(app + "A") is True and await features.is_enabled(app + "B") is True


@covers("A3", "A11", "A13")
async def test_snapshots_are_selected(api, source):
    client, app = api.config(), unique("frozen")
    await put(client, f"{app}/color", "red")
    await client.set_configuration_setting(flag(app, "A", True))
    keys = [f"{app}/*", f".appconfig.featureflag/{app}*"]
    filters = [ConfigurationSettingsFilter(key=key, label="\0") for key in keys]
    await client.snapshot(app, *filters)
    await put(client, f"{app}/color", "blue")
    await client.set_configuration_setting(flag(app, "A", False))
    frozen = [SettingSelector(snapshot_name=app)]
    provider = await api.provider(
        **source,
        selects=frozen,
        trim_prefixes=[f"{app}/"],
        feature_flag_enabled=True,
        feature_flag_selectors=frozen,
    )
    assert provider["color"] == "red"
    assert await api.features(provider).is_enabled(app + "A") is True
    reference = await put(
        client, f"{app}-ref", json.dumps({"snapshot_name": app}), content_type=SNAPSHOT_REFERENCE
    )
    followed = await api.provider(
        **source, selects=[SettingSelector(key_filter=reference.key)], trim_prefixes=[f"{app}/"]
    )
    assert dict(followed) == {"color": "red"}
    missing = await api.provider(**source, selects=[SettingSelector(snapshot_name=unique("none"))])
    assert dict(missing) == {}
