"""Tokens as the server issues them."""

import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from tigertrust import NotAvailable, TigerTrust

from .support.eventually import eventually
from .support.server import Key, Server
from .support.world import World, Worlds, valid

_asked = itertools.count(1)


def anew() -> str:
    """An address that nobody has asked about before, so that no remembered verdict answers."""
    return f"2001:db8::{next(_asked):x}"


async def follower(server: Server, worlds: Worlds, **settings: Any) -> World:
    """A client that verifies tokens itself."""
    world = await worlds.follower(**settings)
    first = await server.exchange(await server.create_key())

    async def is_verified_here() -> bool:
        return not await is_asked(world, first, client_address=anew())

    await eventually("tokens are verified here", is_verified_here)
    world.proxy.calls.clear()
    return world


async def is_asked(world: World, token: str, **question: Any) -> bool:
    before = len(world.proxy.verifies)
    valid(await world.client.verify(token, **question))
    return len(world.proxy.verifies) > before


async def test_is_verified_without_a_call_with_the_servers_verdict(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds)
    online = await worlds.client(tokens="online")
    key = await server.create_key(name="web", externalId="customer-42", scopes=["certificates:*", "keys:read"])
    token = await server.exchange(key, scopes=["certificates:*"], expiresInSeconds=300)
    question: dict[str, Any] = {
        "type": "agent",
        "scope": "certificates:read",
        "workspace_id": server.workspace_id,
    }
    verdict = valid(await world.client.verify(token, **question))
    assert world.proxy.verifies == []
    assert verdict == replace(valid(await online.client.verify(token)), rate_limits=())
    assert verdict.scopes == ("certificates:*",)


async def test_is_verified_without_a_call_by_a_key_of_its_workspace(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds, api_key=server.agent_key)
    for _ in range(3):
        assert not await is_asked(world, await server.exchange(await server.create_key()))


async def test_of_an_instance_key_is_verified_without_a_call(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds)
    verdict = valid(await world.client.verify(await server.exchange(Key("", server.instance_key))))
    assert (verdict.home_workspace_id, verdict.workspace_id) == (None, None)
    assert world.proxy.verifies == []


async def test_is_refused_once_its_key_is_revoked(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds)
    key = await server.create_key()
    token = await server.exchange(key)
    valid(await world.client.verify(token))
    await server.revoke(key)
    await eventually("the change came in", lambda: key.id in world.changed, within=5)
    assert (await world.client.verify(token)).code == "KEY_REVOKED"
    assert len(world.proxy.verifies) == 1


async def test_is_refused_as_the_server_refuses_it(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds)
    online = await worlds.client(tokens="online")
    token = await server.exchange(await server.create_key())
    elsewhere = "ws_00000000000000000000000000"
    questions: list[dict[str, Any]] = [
        {"type": "public"},
        {"workspace_id": elsewhere},
        {"workspace_id": ""},
        {"scope": "certificates:write"},
        {"scope": "keys:read"},
        {"type": "public", "workspace_id": elsewhere, "scope": "certificates:write"},
        {"workspace_id": elsewhere, "scope": "certificates:write"},
    ]
    for question in questions:
        own = await world.client.verify(token, **question)
        said = await online.client.verify(token, **question)
        assert not own.valid
        assert not said.valid
        assert own == replace(said, rate_limits=()), question
    assert world.proxy.verifies == []


async def test_is_asked_about_if_its_key_is_bound_to_networks(server: Server, worlds: Worlds) -> None:
    world = await follower(server, worlds)
    bound = await server.create_key(allowedCidrs=["127.0.0.0/8", "192.0.2.0/24"])
    token = await server.exchange(bound)
    assert await is_asked(world, token, client_address="192.0.2.1")
    assert (await world.client.verify(token, client_address="198.51.100.1")).code == "FORBIDDEN"

    # And remembered, as a key is.
    async def is_remembered() -> bool:
        return not await is_asked(world, token, client_address="192.0.2.1")

    await eventually("it is remembered", is_remembered)


@pytest_asyncio.fixture
async def own_server() -> AsyncIterator[Server]:
    """A server that a test may stop."""
    server = await Server.start()
    yield server
    await server.remove()


async def test_is_good_under_each_key_of_a_ring_that_was_rotated(own_server: Server) -> None:
    worlds = Worlds(own_server)
    world = await follower(own_server, worlds, lease=10)
    key = await own_server.create_key()
    old = await own_server.exchange(key)
    assert not await is_asked(world, old)
    await own_server.kill()
    own_server.add_signing_key()
    await eventually("the client has noticed", lambda: world.client.state != "following")
    with pytest.raises(NotAvailable):
        await world.client.verify(old)
    await own_server.restart()
    await eventually("the client follows again", lambda: world.client.state == "following", within=30)
    fresh = old

    # The server that was killed counts as one that runs for ten seconds, and does not know the new key.
    async def is_signed_anew() -> bool:
        nonlocal fresh
        fresh = await own_server.exchange(key)
        return fresh.partition(".")[0] != old.partition(".")[0]

    await eventually("tokens are signed with the new key", is_signed_anew, within=30)

    # At first the new key may be unknown for ten seconds, and the server says that it is good.
    async def is_known() -> bool:
        return not await is_asked(world, fresh)

    await eventually("the new key is known", is_known, within=20)
    assert not await is_asked(world, old)
    await worlds.close_taken()


async def test_is_asked_about_where_the_issuer_is_another_which_the_environment_can_say(
    server: Server, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await server.exchange(await server.create_key())
    world = await worlds.follower(issuer=None)
    for type in (None, "agent"):
        assert await is_asked(world, token, type=type)
    monkeypatch.setenv("TIGERTRUST_ISSUER", server.url)
    async with TigerTrust(url=world.proxy.url, api_key=server.instance_key, deadline=20, staleness=30) as client:
        await eventually("the client follows", lambda: client.state == "following")
        other = World(client, world.proxy)

        async def is_verified_here() -> bool:
            question = {"type": "agent", "workspace_id": server.workspace_id, "client_address": anew()}
            return not await is_asked(other, token, **question)

        await eventually("it is verified here", is_verified_here)
        assert not await is_asked(other, token, scope="certificates:read")


async def test_is_refused_once_it_is_past_its_time_without_a_call(
    server: Server, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await follower(server, worlds)
    key = await server.create_key()
    token = await server.exchange(key, expiresInSeconds=300)
    valid(await world.client.verify(token))
    later = SimpleNamespace(monotonic=time.monotonic, time=lambda: time.time() + 301)
    monkeypatch.setattr("tigertrust._tokens.time", later)
    verdict = await world.client.verify(token)
    assert not verdict.valid
    assert (verdict.code, verdict.key_id) == ("TOKEN_EXPIRED", key.id)
    assert world.proxy.verifies == []
