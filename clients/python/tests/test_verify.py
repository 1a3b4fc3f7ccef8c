"""What a verify answers, and what is remembered of it."""

import time
from dataclasses import FrozenInstanceError
from datetime import datetime, timedelta, timezone

import pytest

from tigertrust import NotAvailable, TigerTrust, Verdict

from .support.eventually import eventually
from .support.server import Key, Server
from .support.world import Worlds, valid


async def test_tells_what_a_valid_key_is_worth(server: Server, worlds: Worlds) -> None:
    client = (await worlds.client()).client
    key = await server.create_key(name="web", externalId="customer-42", metadata={"team": {"name": "web"}})
    verdict = valid(await client.verify(key.key, type="agent", scope="certificates:read", client_address="192.0.2.7"))
    assert verdict.key_id == key.id
    assert verdict.name == "web"
    assert verdict.external_id == "customer-42"
    assert verdict.metadata == {"team": {"name": "web"}}
    assert verdict.workspace_id == server.workspace_id
    assert verdict.scopes == ("certificates:read",)
    assert verdict.expires_at is None
    assert verdict.rate_limits[0].policy == "minute"


async def test_tells_why_a_key_is_refused(server: Server, worlds: Worlds) -> None:
    client = (await worlds.client()).client
    revoked, off, known = [await server.create_key() for _ in range(3)]
    bound = await server.create_key(allowedCidrs=["192.0.2.0/24"])
    await server.revoke(revoked)
    await server.api("PATCH", f"/api/keys/{off.id}", {"active": False})
    assert (await client.verify(revoked.key)).code == "KEY_REVOKED"
    assert (await client.verify(off.key)).code == "UNAUTHORIZED"
    assert (await client.verify(bound.key)).code == "FORBIDDEN"
    assert (await client.verify(bound.key, client_address="192.0.2.1")).code == "VALID"
    assert (await client.verify(known.key, type="public")).code == "FORBIDDEN"
    nowhere = await client.verify(known.key, workspace_id="ws_00000000000000000000000000")
    assert nowhere.code == "WORKSPACE_ACCESS_DENIED"
    unknown = await client.verify("ak_00000000000000000000000000000000000000000002PL60u")
    assert unknown.code == "UNAUTHORIZED"


async def test_refuses_a_scope_that_the_key_does_not_hold(server: Server, worlds: Worlds) -> None:
    client = (await worlds.client()).client
    key = await server.create_key()
    verdict = await client.verify(key.key, scope="certificates:write")
    assert not verdict.valid
    assert verdict.code == "FORBIDDEN"
    assert verdict.key_id == key.id
    assert "certificates:write" in verdict.detail


async def test_refuses_what_cannot_be_a_key_without_a_call(server: Server, worlds: Worlds) -> None:
    world = await worlds.client()
    key = (await server.create_key()).key
    swapped = key[:-1] + ("1" if key.endswith("0") else "0")
    for value in ("", "ak_", "secret", swapped, key[:-1], f"{key}0", f"{key}\n", key.replace("ak_", "xk_")):
        assert (await world.client.verify(value)).code == "UNAUTHORIZED"
    assert world.proxy.calls == []


async def test_asks_for_keys_with_further_prefixes_where_somebody_says_so(server: Server, worlds: Worlds) -> None:
    imported = await server.import_key()
    plain = await worlds.client()
    assert (await plain.client.verify(imported.key)).code == "UNAUTHORIZED"
    assert plain.proxy.calls == []
    world = await worlds.client(key_prefixes=["sk_live_"])
    for value in ("sk_live_short", "sk_test_3ZxAkQ9fGhJk7mNpQrSt", "ak_short"):
        assert (await world.client.verify(value)).code == "UNAUTHORIZED"
    assert world.proxy.calls == []
    assert valid(await world.client.verify(imported.key, scope="certificates:read")).key_id == imported.id
    await server.revoke(imported)

    async def is_refused() -> bool:
        return (await world.client.verify(imported.key, scope="certificates:read")).code == "KEY_REVOKED"

    await eventually("the key is refused", is_refused)


async def test_serves_a_remembered_verdict_without_a_call(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = (await server.create_key()).key
    first = await world.client.verify(key, scope="certificates:read")
    for _ in range(5):
        assert await world.client.verify(key, scope="certificates:read") is first
    assert len(world.proxy.verifies) == 1


async def test_asks_another_question_about_the_same_key_for_itself(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = (await server.create_key()).key
    valid(await world.client.verify(key))
    assert not (await world.client.verify(key, scope="certificates:write")).valid
    assert not (await world.client.verify(key, type="public")).valid
    valid(await world.client.verify(key, client_address="192.0.2.1"))
    assert len(world.proxy.verifies) == 4


async def test_does_not_remember_refusals(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = await server.create_key()
    await server.revoke(key)
    await eventually("the change came in", lambda: key.id in world.changed)
    for calls in (1, 2, 3):
        assert (await world.client.verify(key.key)).code == "KEY_REVOKED"
        assert len(world.proxy.verifies) == calls


async def test_compares_the_expiry_with_the_time_at_each_use(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key, expires_at = await _expiring_key(server, world.client)

    async def refused() -> Verdict | None:
        began = time.time()
        verdict = await world.client.verify(key.key)
        assert not verdict.valid or began < expires_at.timestamp()
        return None if verdict.valid else verdict

    verdict: Verdict = await eventually("the key expires", refused, within=40)
    assert verdict.code == "TOKEN_EXPIRED"
    assert len(world.proxy.verifies) >= 2


async def test_asks_again_once_a_verdict_is_past_its_life(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower(life=0.1)
    key = (await server.create_key()).key

    async def is_asked_again() -> bool:
        await world.client.verify(key)
        return len(world.proxy.verifies) > 1

    await eventually("the life is over", is_asked_again)


async def test_forgets_the_questions_that_were_used_least_recently(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower(cache_size=2)
    one, two, three = [await server.create_key() for _ in range(3)]
    for key in (one, two, one, three, one):
        await world.client.verify(key.key)
    assert len(world.proxy.verifies) == 3
    await world.client.verify(two.key)
    assert len(world.proxy.verifies) == 4


async def test_cannot_be_changed_by_those_who_are_handed_a_verdict(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = (await server.create_key(metadata={"plan": {"seats": 1}})).key
    verdict = valid(await world.client.verify(key))
    with pytest.raises(FrozenInstanceError):
        verdict.scopes = ("certificates:write",)  # type: ignore[misc]
    verdict.metadata["plan"]["seats"] = 99
    assert valid(await world.client.verify(key)).metadata == {"plan": {"seats": 1}}


async def test_remembers_verdicts_for_other_workspaces_only_where_it_hears_of_them(
    server: Server, worlds: Worlds
) -> None:
    owner = (await server.cli("user", "list"))["items"][0]["id"]
    elsewhere = (await server.api("POST", "/api/workspaces", {"name": "another", "owner": owner}))["id"]
    wide = ("--name", "wide", "--scope", "certificates:read", "--workspace", server.workspace_id)
    key = (await server.cli("key", "create", *wide, "--also-in", elsewhere))["key"]

    by_instance = await worlds.follower()

    async def is_remembered() -> bool:
        before = len(by_instance.proxy.verifies)
        valid(await by_instance.client.verify(key, workspace_id=elsewhere))
        return len(by_instance.proxy.verifies) == before

    await eventually("it is remembered", is_remembered)

    by_workspace = await worlds.follower(api_key=server.agent_key)

    async def has_found_out() -> bool:
        valid(await by_workspace.client.verify(key, workspace_id=elsewhere))
        return any(call.path == "/api/auth/me" for call in by_workspace.proxy.calls)

    await eventually("it has found out", has_found_out)
    before = len(by_workspace.proxy.verifies)
    for _ in range(5):
        valid(await by_workspace.client.verify(key, workspace_id=elsewhere))
    assert len(by_workspace.proxy.verifies) == before + 5
    # At home it is told of everything.
    for _ in range(5):
        valid(await by_workspace.client.verify(key))
    assert len(by_workspace.proxy.verifies) == before + 6


async def test_is_not_available_once_it_is_closed(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = (await server.create_key()).key
    valid(await world.client.verify(key))
    await world.client.close()
    assert world.client.state == "closed"
    with pytest.raises(NotAvailable) as caught:
        await world.client.verify(key)
    assert caught.value.reason == "closed"


async def test_is_a_context_manager(server: Server) -> None:
    key = (await server.create_key()).key
    async with TigerTrust(url=server.url, api_key=server.instance_key, deadline=20) as client:
        valid(await client.verify(key))
    assert client.state == "closed"


async def _expiring_key(server: Server, client: TigerTrust) -> tuple[Key, datetime]:
    """A key that was valid a moment ago, and soon expires: later on a machine that takes its time."""
    for life in (0.5, 2, 8, 32):
        expires_at = datetime.now(timezone.utc) + timedelta(seconds=life)
        key = await server.create_key(expiresAt=expires_at.isoformat().replace("+00:00", "Z"))
        if (await client.verify(key.key)).valid:
            return key, expires_at
    raise AssertionError("no key lived long enough to be verified")
