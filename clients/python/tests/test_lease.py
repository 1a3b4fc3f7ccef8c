"""How uses are counted."""

from .support.eventually import eventually
from .support.server import Server
from .support.world import Worlds, valid


async def test_spends_the_limit_of_the_key(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = (await server.create_key(limits={"minute": 25})).key
    for _ in range(25):
        valid(await world.client.verify(key))
    verdict = await world.client.verify(key)
    assert not verdict.valid
    assert verdict.code == "RATE_LIMITED"
    assert verdict.violated_policies == ("minute",)
    assert (verdict.retry_after_seconds or 0) > 0
    # Two whole leases; then there is no room for a third, and each use is asked for.
    assert world.proxy.costs == [10, 10, *([10, 1] * 6)]


async def test_counts_no_more_than_one_lease_early(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = (await server.create_key(limits={"minute": 100})).key
    for use in range(1, 26):
        await world.client.verify(key)
        told = await server.api("POST", "/api/keys/verify", {"key": key, "cost": 0})
        spent = 100 - told["rateLimits"][0]["remaining"]
        assert use <= spent <= use + 9


async def test_keeps_the_uses_in_hand_when_a_verdict_is_dropped(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = await server.create_key()
    await world.client.verify(key.key)
    await server.api("PATCH", f"/api/keys/{key.id}", {"name": "another name"})
    await eventually("the change came in", lambda: key.id in world.changed)
    await world.client.verify(key.key)
    await world.client.verify(key.key)
    assert world.proxy.costs[0] == 10
    assert set(world.proxy.costs[1:]) == {1}


async def test_takes_one_use_for_each_refusal_that_costs(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = (await server.create_key()).key
    for _ in range(3):
        assert (await world.client.verify(key, scope="certificates:write")).code == "FORBIDDEN"
    assert world.proxy.costs == [10, 1, 1]


async def test_is_one_use_where_the_feed_is_not_followed(server: Server, worlds: Worlds) -> None:
    world = await worlds.client()
    world.proxy.cut_feed()
    key = (await server.create_key()).key
    for _ in range(3):
        valid(await world.client.verify(key))
    assert world.proxy.costs == [1, 1, 1]


async def test_serves_what_is_in_hand_even_when_the_limit_is_spent(server: Server, worlds: Worlds) -> None:
    world = await worlds.follower()
    key = await server.create_key(limits={"minute": 10})
    await world.client.verify(key.key)
    await server.api("PATCH", f"/api/keys/{key.id}", {"name": "another name"})
    await eventually("the change came in", lambda: key.id in world.changed)
    for _ in range(9):
        valid(await world.client.verify(key.key))
    assert (await world.client.verify(key.key)).code == "RATE_LIMITED"
    assert world.proxy.costs[:3] == [10, 1, 0]
