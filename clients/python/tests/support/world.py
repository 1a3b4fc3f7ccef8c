"""Clients of a server, each with a proxy between them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from tigertrust import Change, TigerTrust, ValidVerdict, Verdict

from .eventually import eventually
from .proxy import Proxy
from .server import Server

# So long that a busy machine is not taken for a broken one; tests about these say their own.
PATIENT = {"deadline": 20.0, "staleness": 30.0}
# Of 50 streams that a server grants to one key.
MADE_AHEAD = 12


@dataclass
class World:
    """A client, its proxy, and the ids that it was told to have changed."""

    client: TigerTrust
    proxy: Proxy
    changed: set[str] = field(default_factory=set)


class Worlds:
    """Makes clients, and closes them after the test that took them."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._taken: list[World] = []
        self._ahead: list[asyncio.Task[World]] = []

    async def client(self, **settings: Any) -> World:
        """A client that has not begun to follow."""
        return self._take(await self._new(**settings))

    async def follower(self, **settings: Any) -> World:
        """One that follows. It takes a second until it does, so those of the usual kind are made ahead."""
        if settings:
            return self._take(await self._new_follower(**settings))
        while len(self._ahead) < MADE_AHEAD:
            self._ahead.append(asyncio.create_task(self._new_follower()))
        return self._take(await self._ahead.pop(0))

    async def close_taken(self) -> None:
        """Ends those that a test had."""
        for world in self._taken:
            await _close(world)
        self._taken.clear()

    async def close_ahead(self) -> None:
        """Ends those that no test took."""
        for world in await asyncio.gather(*self._ahead):
            await _close(world)

    def _take(self, world: World) -> World:
        self._taken.append(world)
        return world

    async def _new(self, **settings: Any) -> World:
        proxy = await Proxy.before(self._server.port)
        changed: set[str] = set()

        def note(change: Change) -> None:
            if change.id is not None:
                changed.add(change.id)

        own: dict[str, Any] = {"url": proxy.url, "api_key": self._server.instance_key, "on_change": note, **PATIENT}
        # Tokens name the server, and not the proxy.
        own |= {"issuer": self._server.url, **settings}
        return World(TigerTrust(**own), proxy, changed)

    async def _new_follower(self, **settings: Any) -> World:
        world = await self._new(**settings)
        world.client.start()
        await eventually("the client follows", lambda: world.client.state == "following", within=30)
        return world


async def _close(world: World) -> None:
    await world.client.close()
    await world.proxy.close()


def valid(verdict: Verdict) -> ValidVerdict:
    """The verdict, which has to be valid."""
    assert verdict.valid, verdict
    return verdict
