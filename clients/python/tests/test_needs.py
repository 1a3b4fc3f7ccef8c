"""What asks for nothing, and was meant to ask for something, is refused."""

from typing import Any

import pytest

from tigertrust import TigerTrust
from tigertrust.asgi import RequireKey

from .support.server import Server
from .support.world import Worlds, valid

OF_NO_USE: list[dict[str, Any]] = [
    {"scopes": "certificates:write"},
    {"Scope": "certificates:write"},
    {"scopes": ["certificates:write"]},
    {"scope": ["certificates:write"]},
    {"scope": {"certificates:write"}},
    {"scope": b"certificates:write"},
    {"type": ("agent",)},
    {"types": "agent"},
]


async def _app(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("nobody is let in")


@pytest.mark.parametrize("options", [*OF_NO_USE, {"workspace_id": "ws_1"}, {"client_address": "127.0.0.1"}])
async def test_the_middleware_refuses_it_before_a_request_comes(worlds: Worlds, options: dict[str, Any]) -> None:
    client = (await worlds.client()).client
    with pytest.raises(TypeError):
        RequireKey(_app, client, **options)


async def test_the_middleware_takes_no_scope_by_its_place(worlds: Worlds) -> None:
    require_key: Any = RequireKey
    with pytest.raises(TypeError):
        require_key(_app, (await worlds.client()).client, "certificates:write")
    RequireKey(_app, (await worlds.client()).client, type=None, scope="certificates:read", client_address=None)


@pytest.mark.parametrize("question", [*OF_NO_USE, {"workspaceId": "ws_1"}, {"workspace_id": 7}, {"client_address": 7}])
async def test_verify_refuses_it_without_a_call(server: Server, worlds: Worlds, question: dict[str, Any]) -> None:
    world = await worlds.client()
    key = (await server.create_key()).key
    for presented in (key, "secret"):
        with pytest.raises(TypeError):
            await world.client.verify(presented, **question)
    assert world.proxy.calls == []


async def test_verify_takes_no_scope_by_its_place(server: Server, worlds: Worlds) -> None:
    client: Any = (await worlds.client()).client
    key = (await server.create_key()).key
    with pytest.raises(TypeError):
        await client.verify(key, "certificates:write")
    valid(await client.verify(key, type=None, scope="certificates:read", workspace_id=None, client_address=None))
    assert not (await client.verify(key, scope="certificates:write")).valid


@pytest.mark.parametrize("wrong", ["apikey", "URL", "lifes", "token", "deadline_ms"])
def test_settings_are_refused_where_one_is_misspelt(server: Server, wrong: str) -> None:
    settings: dict[str, Any] = {"url": "http://127.0.0.1:1", "api_key": server.instance_key, wrong: "x"}
    with pytest.raises(TypeError):
        TigerTrust(**settings)
