"""The middleware, below Starlette and as a server calls it."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tigertrust import TigerTrust
from tigertrust.asgi import RequireKey, Scope, client_address

from .support.server import Key, Server
from .support.signer import Signer
from .support.world import Worlds

Headers = list[tuple[str, str]]


class Answer(NamedTuple):
    """What an application answered."""

    status: int
    headers: dict[str, str]
    body: dict[str, Any]


Get = Callable[..., Awaitable[Answer]]


@pytest_asyncio.fixture
async def key(server: Server) -> Key:
    return await server.create_key()


@pytest_asyncio.fixture
async def other(server: Server) -> Key:
    return await server.create_key()


async def test_lets_a_valid_key_in_by_either_header_with_its_verdict(server: Server, worlds: Worlds, key: Key) -> None:
    get = _app((await worlds.client(lease=1)).client)
    own = ("X-Agent-API-Key", key.key)
    cases: list[Headers] = [
        [own],
        [("Authorization", f"Bearer {key.key}")],
        [("authorization", f"bEaReR  {key.key}")],
        [own, ("Authorization", f"Bearer {key.key}")],
        [own, ("Authorization", "Basic dTpw")],
        [own, ("Authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")],
        [own, ("X-Workspace-ID", server.workspace_id)],
    ]
    for headers in cases:
        answer = await get(headers)
        assert answer.status == 200, answer
        assert answer.body == {"keyId": key.id, "workspaceId": server.workspace_id}


async def test_takes_keys_with_further_prefixes_by_either_header(server: Server, worlds: Worlds, key: Key) -> None:
    imported = await server.import_key()
    get = _app((await worlds.client(lease=1, key_prefixes=["sk_live_"])).client)
    for headers in ([("X-Agent-API-Key", imported.key)], [("Authorization", f"Bearer {imported.key}")]):
        answer = await get(headers)
        assert answer.status == 200, answer
        assert answer.body == {"keyId": imported.id, "workspaceId": server.workspace_id}
    _assert_problem(await get([("Authorization", "Bearer sk_live_short")]), 401, "UNAUTHORIZED")
    beside = await get([("X-Agent-API-Key", key.key), ("Authorization", f"Bearer {imported.key}")])
    _assert_problem(beside, 401, "UNAUTHORIZED")


async def test_asks_for_a_key_where_there_is_none(worlds: Worlds) -> None:
    world = await worlds.client(lease=1)
    get = _app(world.client)
    cases: list[Headers] = [
        [],
        [("Authorization", "Basic dTpw")],
        [("Authorization", "Bearer eyJhbGciOiJub25lIn0.e30.")],
    ]
    for headers in cases:
        answer = await get(headers)
        _assert_problem(answer, 401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"] == 'Bearer realm="tigertrust"'
    assert world.proxy.calls == []


async def test_never_chooses_between_two_keys(worlds: Worlds, key: Key, other: Key) -> None:
    world = await worlds.client(lease=1)
    get = _app(world.client)
    own, bearer, cut = ("X-Agent-API-Key", key.key), ("Authorization", f"Bearer {key.key}"), key.key[:-1]
    cases: list[Headers] = [
        [own, ("Authorization", f"Bearer {other.key}")],
        [own, own],
        [own, ("X-Agent-API-Key", other.key)],
        [bearer, bearer],
        [own, ("Authorization", "Basic dTpw"), ("Authorization", f"Bearer {other.key}")],
        [own, ("Authorization", f"Bearer {cut}")],
        [("X-Agent-API-Key", cut)],
        [("X-Agent-API-Key", "")],
        [("X-Agent-API-Key", "secret"), bearer],
    ]
    for headers in cases:
        answer = await get(headers)
        _assert_problem(answer, 401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"] == 'Bearer realm="tigertrust", error="invalid_token"'
    assert world.proxy.calls == []


async def test_takes_a_token_as_a_bearer_token_alone(worlds: Worlds, key: Key) -> None:
    world = await worlds.client(lease=1)
    get = _app(world.client)
    token = Signer().token({})
    bearer = ("Authorization", f"Bearer {token}")
    # Nobody has signed it whom the server knows.
    _assert_problem(await get([bearer]), 401, "UNAUTHORIZED")
    assert len(world.proxy.verifies) == 1
    cases: list[Headers] = [
        [("X-Agent-API-Key", token)],
        [("X-Agent-API-Key", token), bearer],
        [("X-Agent-API-Key", key.key), bearer],
        [bearer, bearer],
        [("Authorization", f"Bearer {token[:-1]}")],
        [("Authorization", f"Bearer {token[:64]}")],
    ]
    for headers in cases:
        answer = await get(headers)
        _assert_problem(answer, 401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"] == 'Bearer realm="tigertrust", error="invalid_token"'
    assert len(world.proxy.verifies) == 1


async def test_answers_a_revoked_key_with_401(server: Server, worlds: Worlds, key: Key) -> None:
    get = _app((await worlds.client(lease=1)).client)
    await server.revoke(key)
    answer = await get([("X-Agent-API-Key", key.key)])
    _assert_problem(answer, 401, "KEY_REVOKED")
    assert answer.headers["www-authenticate"] == 'Bearer realm="tigertrust", error="invalid_token"'


async def test_answers_a_key_without_the_scope_with_403(server: Server, worlds: Worlds) -> None:
    get = _app((await worlds.client(lease=1)).client)
    narrow = await server.create_key(scopes=["certificates:write"])
    answer = await get([("X-Agent-API-Key", narrow.key)])
    _assert_problem(answer, 403, "FORBIDDEN")
    assert answer.headers["www-authenticate"] == 'Bearer realm="tigertrust", error="insufficient_scope"'
    assert answer.headers["ratelimit-policy"].startswith('"minute";q=20000000;w=60, "hour"')


async def test_answers_an_address_that_the_key_may_not_be_used_from_with_403(server: Server, worlds: Worlds) -> None:
    get = _app((await worlds.client(lease=1)).client)
    far = await server.create_key(allowedCidrs=["192.0.2.0/24"])
    near = await server.create_key(allowedCidrs=["127.0.0.0/8"])
    answer = await get([("X-Agent-API-Key", far.key)])
    _assert_problem(answer, 403, "FORBIDDEN")
    assert "www-authenticate" not in answer.headers
    assert (await get([("X-Agent-API-Key", near.key)])).status == 200
    _assert_problem(await get([("X-Agent-API-Key", near.key)], client=None), 403, "FORBIDDEN")


async def test_answers_a_workspace_that_is_not_the_keys_with_403(server: Server, worlds: Worlds, key: Key) -> None:
    get = _app((await worlds.client(lease=1)).client)
    own, named = ("X-Agent-API-Key", key.key), ("X-Workspace-ID", server.workspace_id)
    cases: list[Headers] = [[own, ("X-Workspace-ID", "ws_00000000000000000000000000")], [own, named, named]]
    for headers in cases:
        _assert_problem(await get(headers), 403, "WORKSPACE_ACCESS_DENIED")


async def test_answers_a_key_over_its_limit_with_429(server: Server, worlds: Worlds) -> None:
    get = _app((await worlds.client(lease=1)).client)
    busy = await server.create_key(limits={"minute": 1})
    assert (await get([("X-Agent-API-Key", busy.key)])).status == 200
    answer = await get([("X-Agent-API-Key", busy.key)])
    _assert_problem(answer, 429, "RATE_LIMITED")
    assert answer.body["violatedPolicies"] == ["minute"]
    # It names what is in this answer.
    assert answer.body["detail"] == "The rate limit of the key is reached. Try again after the time in Retry-After."
    assert "retryAfterSeconds" not in answer.body
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["ratelimit"].startswith('"minute";r=0;t=')


async def test_answers_503_while_nobody_can_say_and_logs_why(
    worlds: Worlds, key: Key, caplog: pytest.LogCaptureFixture
) -> None:
    world = await worlds.client(lease=1)
    get = _app(world.client)
    world.proxy.go_down()
    answer = await get([("X-Agent-API-Key", key.key)])
    _assert_problem(answer, 503, "SERVICE_UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1 and f"not available: no answer from {world.proxy.url} (" in warnings[0]


async def test_guards_websockets_too(worlds: Worlds, key: Key) -> None:
    client = (await worlds.client(lease=1)).client
    reached: list[str] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        reached.append(scope["state"]["tigertrust"].key_id)

    guarded = RequireKey(app, client)
    refused: Headers = [("X-Agent-API-Key", key.key[:-1])]
    assert await _messages(guarded, "websocket", refused) == [{"type": "websocket.close", "code": 1008}]
    answered = await _messages(guarded, "websocket", refused, extensions={"websocket.http.response": {}})
    assert [message["type"] for message in answered] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert answered[0]["status"] == 401
    assert reached == []
    assert await _messages(guarded, "websocket", [("X-Agent-API-Key", key.key)]) == []
    assert reached == [key.id]


async def test_lets_nothing_pass_that_it_does_not_know(worlds: Worlds) -> None:
    reached: list[str] = []

    async def app(scope: Scope, receive: Any, send: Any) -> None:
        reached.append(scope["type"])

    guarded = RequireKey(app, (await worlds.client(lease=1)).client)
    await guarded({"type": "lifespan"}, _nothing, _nowhere)
    with pytest.raises(RuntimeError):
        await guarded({"type": "webtransport", "headers": []}, _nothing, _nowhere)
    assert reached == ["lifespan"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:db8::1", "2001:db8::1"),
        *[(none, None) for none in (None, "", "testclient", "192.0.2.7:80", "[::1]")],
    ],
)
def test_an_address_is_one_that_the_server_takes_or_none(text: str | None, address: str | None) -> None:
    assert client_address(text) == address


def _app(client: TigerTrust) -> Get:
    """A Starlette application behind the middleware, and a way to call it with headers as they are."""

    async def told(request: Request) -> JSONResponse:
        verdict = request.state.tigertrust
        return JSONResponse({"keyId": verdict.key_id, "workspaceId": verdict.workspace_id})

    middleware = [Middleware(RequireKey, client=client, scope="certificates:read")]
    app = Starlette(routes=[Route("/", told)], middleware=middleware)

    async def get(headers: Headers, **more: Any) -> Answer:
        start, *pieces = await _messages(app, "http", headers, **more)
        body = b"".join(piece["body"] for piece in pieces)
        told = {name.decode(): value.decode() for name, value in start["headers"]}
        assert told["content-length"] == str(len(body))
        return Answer(start["status"], told, json.loads(body))

    return get


async def _messages(app: Any, kind: str, headers: Headers, **more: Any) -> list[dict[str, Any]]:
    scope = {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
        "extensions": {},
        **more,
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


async def _nothing() -> dict[str, Any]:
    return {}


async def _nowhere(message: Any) -> None:
    raise AssertionError(message)


def _assert_problem(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.body["type"] == "about:blank"
    assert answer.body["status"] == status
    assert answer.body["code"] == code
    assert isinstance(answer.body["title"], str)
    assert isinstance(answer.body["detail"], str)
