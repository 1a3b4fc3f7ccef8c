"""Canaries: neither key is in anything that somebody might print."""

import json
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tigertrust import NotAvailable, TigerTrust
from tigertrust._token_format import decode, read_token

from .support.server import Key, Server
from .support.world import World, Worlds, valid


async def test_are_in_no_error(server: Server, worlds: Worlds, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = (await server.create_key()).key
    scopeless = (await server.cli("key", "create", "--instance", "--name", "no scope"))["key"]
    canaries = [key, server.instance_key, server.agent_key, scopeless]
    echo = json.dumps({"code": key, "requestId": key, "detail": key, "errors": [{"pointer": f"/{key}"}]})
    ok = f"HTTP/1.1 200 OK\r\ncontent-length: {len(key)}\r\n\r\n{key}"
    echoed = f"HTTP/1.1 400 {key}\r\ncontent-length: {len(echo)}\r\n\r\n{echo}"

    async def close(world: World) -> None:
        await world.client.close()

    def doing(trouble: Callable[[World], None]) -> Callable[[World], Awaitable[None]]:
        async def does(world: World) -> None:
            trouble(world)

        return does

    troubles: list[tuple[dict[str, Any], Callable[[World], Awaitable[None]]]] = [
        ({}, doing(lambda world: None)),
        ({}, doing(lambda world: world.proxy.go_down())),
        ({}, doing(lambda world: world.proxy.break_calls(9))),
        ({"deadline": 0.1}, doing(lambda world: world.proxy.hold_answers())),
        ({}, close),
        ({}, doing(lambda world: world.proxy.answer_next(ok))),
        ({}, doing(lambda world: world.proxy.answer_next(echoed))),
        ({"api_key": scopeless}, doing(lambda world: None)),
    ]
    for settings, trouble in troubles:
        world = await worlds.client(**settings)
        await trouble(world)
        with pytest.raises(NotAvailable) as caught:
            await world.client.verify(key, scope="no:such")
        error = caught.value
        # A context would hold the request of the library.
        assert error.__cause__ is None
        assert error.__context__ is None
        shown = [repr(error), str(error), repr(vars(error)), *traceback.format_exception(error)]
        _assert_silent("\n".join(shown), canaries)
    # The echo of a server that says what it was told is no log line of the client's.
    own = [record.getMessage() for record in caplog.records if record.name.startswith("tigertrust")]
    sent = [record.getMessage() for record in caplog.records if "400" not in record.getMessage()]
    _assert_silent("\n".join([*own, *sent]), canaries)


async def test_are_not_in_what_a_debugger_shows_of_a_client(server: Server, worlds: Worlds) -> None:
    states: list[tuple[str, str]] = []
    world = await worlds.follower(on_state=lambda *state: states.append(state))
    key = (await server.create_key()).key
    verdict = valid(await world.client.verify(key))
    token = await server.exchange(Key("", key))
    of_token = await world.client.verify(token)
    claims = json.loads(decode(token.split(".")[1]))
    parts = vars(world.client).values()
    shown = [repr(thing) for thing in (world.client, verdict, of_token, read_token(token), states, *parts)]
    shown += [repr(vars(part)) for part in parts if hasattr(part, "__dict__")]
    assert states
    canaries = [key, server.instance_key, token, *token.split("."), claims["secret"]]
    _assert_silent("\n".join(shown), canaries)


async def test_are_not_repeated_where_settings_are_wrong(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIGERTRUST_URL", raising=False)
    monkeypatch.delenv("TIGERTRUST_API_KEY", raising=False)
    canary, url = server.instance_key, "https://example.com"
    wrong: list[dict[str, Any]] = [
        {"url": canary, "api_key": canary},
        {"url": f"https://{canary}@example.com", "api_key": canary},
        {"url": f"https://example.com/?key={canary}", "api_key": canary},
        {"url": f"https://example.com:{canary}", "api_key": canary},
        {"url": f"https://[{canary}", "api_key": canary},
        {"url": "ftp://example.com", "api_key": canary},
        {"url": url, "api_key": canary[:-1]},
        {"url": url, "api_key": canary, "staleness": 1.0},
        {"url": url, "api_key": canary, "staleness": float("nan")},
        {"url": url, "api_key": canary, "settle": 0.9},
        {"url": url, "api_key": canary, "lease": 0},
        {"url": url, "api_key": canary, "deadline": 0},
        {"url": url, "api_key": canary, "life": -1},
        {"url": url, "api_key": canary, "cache_size": canary},
        {"url": url, "api_key": canary, "issuer": canary},
        {"url": url, "api_key": canary, "issuer": f"{url}/"},
        {"url": url, "api_key": canary, "tokens": canary},
        {"url": url},
        {"api_key": canary},
    ]
    for settings in wrong:
        with pytest.raises(ValueError) as caught:
            TigerTrust(**settings)
        shown = [repr(caught.value), repr(caught.value.__context__)]
        _assert_silent("\n".join(shown), [canary[:-1]])


async def test_come_from_the_environment(server: Server, worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    world = await worlds.client()
    monkeypatch.setenv("TIGERTRUST_URL", f"{world.proxy.url}/")
    monkeypatch.setenv("TIGERTRUST_API_KEY", server.instance_key)
    key = (await server.create_key()).key
    async with TigerTrust(deadline=20) as client:
        valid(await client.verify(key))


def _assert_silent(shown: str, canaries: list[str]) -> None:
    for canary in canaries:
        assert canary not in shown, shown.replace(canary, "[CANARY]")
