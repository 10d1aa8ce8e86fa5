"""Rotation on demand and rotation policies, sync and aio."""

from datetime import timedelta

import pytest
from azure.keyvault.keys import KeyRotationLifetimeAction, KeyRotationPolicy

import independent
from expect import bad_parameter, refused
from report import covers
from settings import SETTINGS, unique


def rotate(**trigger) -> KeyRotationLifetimeAction:
    return KeyRotationLifetimeAction("Rotate", **trigger)


def notify(**trigger) -> KeyRotationLifetimeAction:
    return KeyRotationLifetimeAction("Notify", **trigger)


def actions_of(policy) -> list[tuple]:
    named = [getattr(a.action, "value", a.action) for a in policy.lifetime_actions]
    triggers = [(a.time_after_create, a.time_before_expiry) for a in policy.lifetime_actions]
    return sorted((name, *trigger) for name, trigger in zip(named, triggers))


@covers("K22")
async def test_a_key_that_never_had_a_policy_shows_the_default(api, shelf):
    name = (await shelf.ec(api)).name
    policy = await api.keys().get_key_rotation_policy(name)
    assert policy.id == f"{SETTINGS.vault_url}/keys/{name}/rotationpolicy"
    assert actions_of(policy) == [("Notify", None, "P30D")] and policy.expires_in is None


@covers("K22", "K23")
async def test_a_policy_comes_back_as_it_was_put(api):
    client, name = api.keys(), unique("policy")
    await client.create_ec_key(name)
    asked = KeyRotationPolicy(
        lifetime_actions=[rotate(time_after_create="P90D"), notify(time_before_expiry="P30D")], expires_in="P2Y"
    )
    put = await client.update_key_rotation_policy(name, asked)
    got = await client.get_key_rotation_policy(name)
    for policy in (put, got):
        assert policy.id == f"{SETTINGS.vault_url}/keys/{name}/rotationpolicy"
        assert policy.expires_in == "P2Y" and policy.created_on <= policy.updated_on
        assert actions_of(policy) == [("Notify", None, "P30D"), ("Rotate", "P90D", None)]
    second = await client.update_key_rotation_policy(
        name, KeyRotationPolicy(lifetime_actions=[rotate(time_before_expiry="P1M")], expires_in="P1Y2M")
    )
    assert actions_of(second) == [("Rotate", None, "P1M")] and second.expires_in == "P1Y2M"
    assert second.created_on == put.created_on


@covers("K23")
async def test_lower_case_actions_are_accepted(api):
    client, name = api.keys(), unique("policy-lower")
    await client.create_ec_key(name)
    action = KeyRotationLifetimeAction("rotate", time_after_create="P90D")
    policy = await client.update_key_rotation_policy(name, KeyRotationPolicy(lifetime_actions=[action]), expires_in="P2Y")
    assert actions_of(policy) == [("Rotate", "P90D", None)]


@covers("K23", "K22")
async def test_an_empty_policy_is_legal(api):
    client, name = api.keys(), unique("policy-empty")
    await client.create_ec_key(name)
    assert actions_of(await client.update_key_rotation_policy(name, KeyRotationPolicy())) == []
    assert (await client.get_key_rotation_policy(name)).expires_in is None


BAD_POLICIES = {
    "not-a-duration": ([rotate(time_after_create="ninety days")], "P2Y"),
    "bad-expiry": ([rotate(time_after_create="P90D")], "2Y"),
    "expiry-under-28-days": ([rotate(time_after_create="P10D")], "P27D"),
    "rotation-under-7-days": ([rotate(time_after_create="P6D")], "P90D"),
    "rotation-under-7-days-before-expiry": ([rotate(time_before_expiry="P6D")], "P90D"),
    "before-expiry-without-expiry": ([rotate(time_before_expiry="P30D")], None),
    "two-triggers": ([rotate(time_after_create="P30D", time_before_expiry="P30D")], "P90D"),
    "no-trigger": ([rotate()], "P90D"),
    "notify-after-create": ([notify(time_after_create="P30D")], "P90D"),
    "two-rotations": ([rotate(time_after_create="P30D"), rotate(time_after_create="P60D")], "P90D"),
    "unknown-action": ([KeyRotationLifetimeAction("Shred", time_after_create="P30D")], "P90D"),
}


@covers("K23")
@pytest.mark.parametrize("policy", BAD_POLICIES.values(), ids=BAD_POLICIES.keys())
async def test_bad_policies_are_refused_and_change_nothing(api, policy):
    client, name = api.keys(), unique("policy-bad")
    await client.create_ec_key(name)
    actions, expires_in = policy
    with bad_parameter():
        await client.update_key_rotation_policy(name, KeyRotationPolicy(lifetime_actions=actions, expires_in=expires_in))
    assert actions_of(await client.get_key_rotation_policy(name)) == [("Notify", None, "P30D")]


@covers("K22", "K23", "K2")
async def test_unknown_keys(api):
    client, name = api.keys(), unique("none")
    with refused(404, "KeyNotFound"):
        await client.get_key_rotation_policy(name)
    with refused(404, "KeyNotFound"):
        await client.update_key_rotation_policy(name, KeyRotationPolicy())
    with refused(404, "KeyNotFound"):
        await client.rotate_key(name)


@covers("K2", "K13", "K14")
async def test_rotate_copies_all_but_the_material(api):
    client, name = api.keys(), unique("rotate")
    first = await client.create_rsa_key(name, size=3072, key_operations=["sign", "verify"], tags={"a": "b"})
    await client.update_key_rotation_policy(
        name, KeyRotationPolicy(lifetime_actions=[rotate(time_after_create="P30D")], expires_in="P90D")
    )
    second = await client.rotate_key(name)
    assert second.name == name and second.id != first.id and second.key.n != first.key.n
    assert independent.public_key(second).key_size == 3072 and second.properties.tags == {"a": "b"}
    assert set(second.key_operations) == {"sign", "verify"} and second.properties.enabled is True
    assert second.properties.expires_on - second.properties.created_on == timedelta(days=90)
    assert (await client.get_key(name)).id == second.id
    digest = independent.digest("PS256", b"old versions live on")
    signature = (await api.remote(first).sign("PS256", digest)).signature
    assert (await api.remote(first).verify("PS256", digest, signature)).is_valid is True
    assert (await api.remote(second).verify("PS256", digest, signature)).is_valid is False


@covers("K2")
async def test_rotate_counts_years_on_the_calendar(api):
    client, name = api.keys(), unique("rotate-years")
    await client.create_ec_key(name, curve="P-384")
    await client.update_key_rotation_policy(name, KeyRotationPolicy(), expires_in="P2Y")
    rotated = await client.rotate_key(name)
    assert rotated.key.crv == "P-384"
    assert 730 <= (rotated.properties.expires_on - rotated.properties.created_on).days <= 731


@covers("K2", "K6", "K7")
async def test_thirty_rotations(api):
    client, name = api.keys(), unique("rotate-30")
    made = [await client.create_ec_key(name)]
    made += [await client.rotate_key(name) for _ in range(30)]
    assert len({key.key.x for key in made}) == 31
    pages = await client.pages("list_properties_of_key_versions", name)
    assert [len(page) for page in pages] == [25, 6]
    assert {item.id for page in pages for item in page} == {key.id for key in made}
    assert (await client.get_key(name)).id == made[-1].id
    assert (await client.get_key(name, made[3].properties.version)).key.x == made[3].key.x
