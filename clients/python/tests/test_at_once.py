"""Many calls at once, and calls that a change overtakes."""

import asyncio
import time

from tigertrust import NotAvailable, Verdict

from .support.eventually import eventually
from .support.server import Server
from .support.world import World, Worlds, valid


async def test_make_one_call_with_the_same_question(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = (await server.create_key()).key
    for verdict in await _at_once(world, key, 10):
        valid(verdict)
    assert world.proxy.costs == [10]


async def test_share_no_more_uses_than_were_counted(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = (await server.create_key()).key
    await _at_once(world, key, 25)
    assert world.proxy.costs == [10, 10, 10]


async def test_share_a_refusal(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = await server.create_key()
    await server.revoke(key)
    assert {verdict.code for verdict in await _at_once(world, key.key, 25)} == {"KEY_REVOKED"}
    assert len(world.proxy.verifies) < 25


async def test_are_each_counted_where_nothing_is_remembered(server: Server, worlds: Worlds) -> None:
    world = await worlds.client(lease=1)
    key = (await server.create_key(limits={"minute": 20})).key
    assert sum(verdict.valid for verdict in await _at_once(world, key, 25)) == 20
    assert len(world.proxy.verifies) == 25


async def test_let_in_no_more_than_the_limit(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = (await server.create_key(limits={"minute": 47})).key
    assert sum(verdict.valid for verdict in await _at_once(world, key, 100)) == 47


async def test_wait_no_longer_than_each_ones_deadline(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower(deadline=0.5)
    key = (await server.create_key()).key
    world.proxy.hold_answers()
    began = time.monotonic()
    outcomes = await asyncio.gather(*(world.client.verify(key) for _ in range(5)), return_exceptions=True)
    assert time.monotonic() - began < 5
    for outcome in outcomes:
        assert isinstance(outcome, NotAvailable)
        assert outcome.reason == "deadline"


async def test_go_on_when_the_one_who_asked_first_gives_up(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = (await server.create_key()).key
    world.proxy.hold_answers()
    first = asyncio.create_task(world.client.verify(key))
    await eventually("the server has answered", lambda: world.proxy.held_answers == 1)
    second = asyncio.create_task(world.client.verify(key))
    first.cancel()
    await asyncio.wait({first})
    world.proxy.release_answers()
    valid(await second)
    assert world.proxy.costs == [10]


async def test_do_not_serve_a_look_up_that_a_change_has_overtaken(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = await server.create_key()
    world.proxy.hold_answers()
    asked = asyncio.create_task(world.client.verify(key.key))
    await eventually("the server has answered", lambda: world.proxy.held_answers == 1)
    await server.revoke(key)
    await eventually("the change came in", lambda: key.id in world.changed)
    world.proxy.release_answers()
    assert (await asked).code == "KEY_REVOKED"
    assert len(world.proxy.verifies) == 2


async def test_are_not_available_where_changes_overtake_every_look_up(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = await server.create_key()
    world.proxy.hold_answers()
    asked = asyncio.create_task(world.client.verify(key.key))
    for ask in (1, 2, 3):

        def is_answered(ask: int = ask) -> bool:
            return len(world.proxy.verifies) == ask and world.proxy.held_answers == 1

        await eventually("the server has answered", is_answered)
        world.changed.clear()
        await server.api("PATCH", f"/api/keys/{key.id}", {"name": f"name {ask}"})
        await eventually("the change came in", lambda: key.id in world.changed)
        world.proxy.release_answers()
        world.proxy.hold_answers()
    await asyncio.wait({asked})
    error = asked.exception()
    assert isinstance(error, NotAvailable)
    assert error.reason == "changing"
    # What is asked again was paid for.
    assert world.proxy.costs == [10, 0, 0]


async def test_do_not_remember_an_answer_that_was_asked_for_within_a_second_of_a_change(
    server: Server, worlds: Worlds
) -> None:
    world = await worlds.follower()
    key = await server.create_key()

    async def is_told() -> bool:
        world.changed.clear()
        edited = time.monotonic()
        await server.api("PATCH", f"/api/keys/{key.id}", {"name": "another name"})
        await eventually("the change came in", lambda: key.id in world.changed)
        before = len(world.proxy.verifies)
        valid(await world.client.verify(key.key))
        valid(await world.client.verify(key.key))
        if time.monotonic() - edited > 1:
            return False
        assert len(world.proxy.verifies) == before + 2
        return True

    await eventually("two calls were made within the second", is_told)


async def _at_once(world: World, key: str, count: int) -> list[Verdict]:
    return await asyncio.gather(*(world.client.verify(key) for _ in range(count)))
