"""The figures in docs/src/clients.md: `python -m tests.figures`."""

import asyncio
import itertools
import math
import time

from tigertrust import TigerTrust

from .support.eventually import eventually
from .support.server import Server
from .support.world import valid

ROUNDS = 5
ROUND = 2.0
REVOCATIONS = 300


async def main() -> None:
    """Prints them."""
    server = await Server.start()
    try:
        print(f"verifies a second, one key, lease 1,000,000: {await _rate(server, 1_000_000)}")
        print(f"verifies a second, one token: {await _token_rate(server, 1)}")
        print(f"verifies a second, each token once: {await _token_rate(server, 2)}")
        print(f"verifies a second, one key, lease 10: {await _rate(server, 10)}")
        print(f"verifies a second, nothing remembered: {await _rate(server, 1)}")
        print(f"from a revocation's answer to the first refusal, of {REVOCATIONS}: {await _revocations(server)}")
    finally:
        await server.remove()


async def _follower(server: Server, lease: int) -> TigerTrust:
    client = TigerTrust(url=server.url, api_key=server.instance_key, lease=lease, staleness=10)
    client.start()
    await eventually("the client follows", lambda: lease == 1 or client.state == "following")
    return client


async def _rate(server: Server, lease: int) -> str:
    client = await _follower(server, lease)
    key = (await server.create_key()).key
    return await _measured(client, [key])


async def _token_rate(server: Server, count: int) -> str:
    """Tokens that the client verifies itself. One is remembered: of two by turns none is, so signatures are checked."""
    client = TigerTrust(url=server.url, api_key=server.instance_key, cache_size=1, staleness=10)
    key = await server.create_key()
    tokens = [await server.exchange(key) for _ in range(count)]

    async def is_verified_here() -> bool:
        return valid(await client.verify(tokens[0])).rate_limits == ()

    await eventually("tokens are verified here", is_verified_here)
    return await _measured(client, tokens)


async def _measured(client: TigerTrust, presented: list[str]) -> str:
    """The median of some rounds, one call after the other."""
    turns = itertools.cycle(presented)
    rates = []
    for _ in range(ROUNDS):
        began, calls = time.monotonic(), 0
        while time.monotonic() - began < ROUND:
            # A server would read its sockets as often.
            await asyncio.sleep(0)
            for _ in range(100):
                valid(await client.verify(next(turns), scope="certificates:read"))
            calls += 100
        rates.append(round(calls / (time.monotonic() - began)))
    await client.close()
    rates.sort()
    return f"{rates[ROUNDS // 2]} ({', '.join(map(str, rates))})"


async def _revocations(server: Server) -> str:
    client = await _follower(server, 1_000_000)
    took = []
    for _ in range(REVOCATIONS):
        key = await server.create_key()
        await client.verify(key.key)
        await server.revoke(key)
        answered = time.monotonic()
        while (await client.verify(key.key)).valid:
            await asyncio.sleep(0)
        took.append((time.monotonic() - answered) * 1_000)
    await client.close()
    took.sort()
    p50, p99, longest = (took[math.ceil(share * REVOCATIONS) - 1] for share in (0.5, 0.99, 1))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {longest:.1f} ms"


if __name__ == "__main__":
    asyncio.run(main())
