"""The server of the tests, and its clients."""

from collections.abc import AsyncIterator

import pytest_asyncio

from .support.server import Server
from .support.world import Worlds


@pytest_asyncio.fixture(scope="session")
async def server() -> AsyncIterator[Server]:
    """One server for all tests: each makes the keys that it needs."""
    server = await Server.start()
    yield server
    await server.remove()


@pytest_asyncio.fixture(scope="session")
async def all_worlds(server: Server) -> AsyncIterator[Worlds]:
    """Those that are made ahead live as long as the tests."""
    worlds = Worlds(server)
    yield worlds
    await worlds.close_ahead()


@pytest_asyncio.fixture
async def worlds(all_worlds: Worlds) -> AsyncIterator[Worlds]:
    """What makes clients for a test."""
    yield all_worlds
    await all_worlds.close_taken()
