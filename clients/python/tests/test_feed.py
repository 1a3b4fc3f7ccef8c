"""What the feed brings, and what happens without it."""

import re
import time

import pytest

from tigertrust import NotAvailable, Verdict

from .support.eventually import eventually
from .support.server import Key, Server
from .support.world import World, Worlds, valid


async def test_brings_a_revocation_within_a_second(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower(lease=1_000_000)
    key = await server.create_key()
    valid(await world.client.verify(key.key))
    await server.revoke(key)
    revoked_at = time.monotonic()
    await eventually("the change came in", lambda: key.id in world.changed)
    # A busy machine is slow, and no proof of anything; the figures in the handbook are measured.
    assert time.monotonic() - revoked_at < 5
    assert (await world.client.verify(key.key)).code == "KEY_REVOKED"
    assert len(world.proxy.verifies) == 2


async def test_drops_the_verdicts_that_depend_on_what_has_changed_and_no_others(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    edited, other = await server.create_key(), await server.create_key()
    await world.client.verify(edited.key)
    await world.client.verify(other.key)
    await server.api("PATCH", f"/api/keys/{edited.id}", {"name": "another name"})
    await eventually("the change came in", lambda: edited.id in world.changed)
    await world.client.verify(other.key)
    assert len(world.proxy.verifies) == 2
    assert valid(await world.client.verify(edited.key)).name == "another name"
    assert len(world.proxy.verifies) == 3


async def test_drops_the_verdicts_of_a_workspace_that_has_changed(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    workspace = (await server.cli("workspace", "create", "on the move", "--owner", "owner@example.com"))["id"]
    own = (await server.cli("key", "create", "--name", "a key", "--workspace", workspace))["key"]
    other = (await server.create_key()).key
    await world.client.verify(own)
    await world.client.verify(other)
    world.changed.clear()
    await server.cli("workspace", "set-plan", workspace, "pro")
    await eventually("the change came in", lambda: workspace in world.changed)
    before = len(world.proxy.verifies)
    await world.client.verify(other)
    assert len(world.proxy.verifies) == before
    assert valid(await world.client.verify(own)).plan == "pro"


async def test_drops_the_verdicts_of_a_persons_keys_when_the_persons_role_changes(
    server: Server, worlds: Worlds
) -> None:
    world = await worlds.follower()
    person = (await server.cli("user", "create", "jo@example.com"))["id"]
    await server.cli("member", "add", "--role", "admin", server.workspace_id, "jo@example.com")
    personal = ("--name", "Jo's", "--owner", "jo@example.com", "--scope", "certificates:write")
    key = (await server.cli("key", "create", *personal, "--workspace", server.workspace_id))["key"]
    assert valid(await world.client.verify(key, scope="certificates:write")).owner_id == person
    world.changed.clear()
    await server.cli("member", "set-role", server.workspace_id, "jo@example.com", "viewer")
    await eventually("the change came in", lambda: person in world.changed)
    assert (await world.client.verify(key, scope="certificates:write")).code == "FORBIDDEN"


async def test_serves_nothing_remembered_once_it_has_been_silent_for_longer_than_the_bound(
    server: Server, worlds: Worlds
) -> None:
    world = await worlds.follower(staleness=1.5, lease=1_000_000)
    key = await server.create_key()
    valid(await world.client.verify(key.key))
    world.proxy.silence_feed()
    silent_since = time.monotonic()
    await server.revoke(key)

    async def is_refused() -> bool:
        began = time.monotonic()
        verdict = await world.client.verify(key.key)
        # The last line may have been read a moment after it was let through.
        assert not verdict.valid or began - silent_since <= 2.5, "served from memory after the bound"
        return not verdict.valid

    await eventually("the key is refused", is_refused)
    assert world.client.state != "following"


async def test_serves_nothing_remembered_once_it_is_cut(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = await server.create_key()
    valid(await world.client.verify(key.key))
    await _cut(world)
    for _ in range(3):
        valid(await world.client.verify(key.key))
    await server.revoke(key)
    assert (await world.client.verify(key.key)).code == "KEY_REVOKED"
    assert world.proxy.costs == [10, 1, 1, 1, 1]


async def test_goes_on_where_it_was_cut_and_then_uses_what_is_still_right(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    revoked, kept = await server.create_key(), await server.create_key()
    await world.client.verify(revoked.key)
    await world.client.verify(kept.key)
    await _cut(world)
    await server.revoke(revoked)
    world.proxy.restore_feed()
    await eventually("the client follows again", lambda: world.client.state == "following", within=20)
    assert re.fullmatch(r"\d+", world.proxy.feeds[-1] or "")
    valid(await world.client.verify(kept.key))
    assert len(world.proxy.verifies) == 2
    assert (await world.client.verify(revoked.key)).code == "KEY_REVOKED"


async def test_serves_nothing_remembered_until_it_has_caught_up(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = await server.create_key()
    valid(await world.client.verify(key.key))
    await _cut(world)
    await server.revoke(key)
    world.proxy.restore_beginning_of_feed()
    await eventually("the feed has begun", lambda: world.client.state == "catching up")
    assert (await world.client.verify(key.key)).code == "KEY_REVOKED"
    world.proxy.restore_feed()
    await eventually("the client follows again", lambda: world.client.state == "following")


async def test_serves_nothing_remembered_if_it_could_not_be_read_for_longer_than_the_bound(
    server: Server, worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await worlds.follower(staleness=1.5)
    key = await server.create_key()

    async def is_remembered() -> bool:
        return await _is_served_from_memory(world, key)

    await eventually("it is remembered", is_remembered)
    # As after the whole process stood still.
    monotonic = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: monotonic() + 1.6)
    before = len(world.proxy.verifies)
    assert world.client.state == "connecting"
    valid(await world.client.verify(key.key))
    assert len(world.proxy.verifies) == before + 1
    # What came meanwhile revives nothing.
    await eventually("the feed was opened again", lambda: len(world.proxy.feeds) > 1)


@pytest.mark.parametrize("event", ["reset\ndata: {}", "tenant\ndata: {}", "key\ndata: {"])
async def test_drops_everything_on_a_reset_and_on_an_event_that_nobody_knows(
    server: Server, worlds: Worlds, event: str
) -> None:
    world = await worlds.follower()
    key = await server.create_key()
    await world.client.verify(key.key)
    assert await _is_served_from_memory(world, key)
    world.proxy.say_on_feed(f"event: {event}\n\n")

    async def is_asked_for() -> bool:
        return not await _is_served_from_memory(world, key)

    await eventually("it is asked for again", is_asked_for)


async def test_ends_with_the_services_own_key_and_so_does_all_that_is_remembered(
    server: Server, worlds: Worlds
) -> None:
    own = await server.cli("key", "create", "--instance", "--name", "own", "--scope", "keys:verify")
    world = await worlds.follower(api_key=own["key"])
    key = await server.create_key()
    valid(await world.client.verify(key.key))
    await server.cli("key", "revoke", own["id"])

    async def failure() -> NotAvailable | None:
        try:
            await world.client.verify(key.key)
        except NotAvailable as error:
            return error
        return None

    error = await eventually("nobody is let in", failure)
    assert (error.status, error.code) == (401, "KEY_REVOKED")
    await eventually("the feed is refused", lambda: len(world.proxy.feeds) > 1)


async def test_is_not_opened_where_nothing_is_to_be_remembered(server: Server, worlds: Worlds) -> None:
    world = await worlds.client(lease=1)
    key = (await server.create_key()).key
    valid(await world.client.verify(key))
    valid(await world.client.verify(key))
    assert world.proxy.costs == [1, 1]
    assert world.proxy.feeds == []
    assert world.client.state == "idle"


async def test_fails_closed_while_the_server_is_gone_and_recovers_by_itself() -> None:
    server = await Server.start()
    worlds = Worlds(server)
    try:
        world = await worlds.follower(deadline=2.0)
        key = await server.create_key()
        valid(await world.client.verify(key.key))
        await server.kill()
        await eventually("the client has noticed", lambda: world.client.state != "following")
        with pytest.raises(NotAvailable) as caught:
            await world.client.verify(key.key)
        assert caught.value.reason == "network"
        await server.restart()

        async def answer() -> Verdict | None:
            try:
                return await world.client.verify(key.key)
            except NotAvailable:
                return None

        valid(await eventually("the server is back", answer))
        await eventually("the client follows again", lambda: world.client.state == "following", within=30)
    finally:
        await worlds.close_taken()
        await server.remove()


async def _cut(world: World) -> None:
    world.proxy.cut_feed()
    await eventually("the client has noticed", lambda: world.client.state == "connecting")


async def _is_served_from_memory(world: World, key: Key) -> bool:
    before = len(world.proxy.verifies)
    valid(await world.client.verify(key.key))
    return len(world.proxy.verifies) == before
