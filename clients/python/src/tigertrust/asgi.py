"""Middleware for ASGI: Starlette, FastAPI, and every other framework."""

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ._client import TigerTrust
from ._errors import NotAvailable
from ._presented import Refusal, presented_in
from ._problem import Problem, problem_of_error, problem_of_request, problem_of_verdict
from ._question import check_texts
from ._verdict import KeyType, ValidVerdict

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_DENIAL = "websocket.http.response"
_POLICY_VIOLATION = 1008


class RequireKey:
    """Lets callers with a valid key in, and nobody else, by HTTP or by a WebSocket.

    The verdict is `request.state.tigertrust`, which is `scope["state"]["tigertrust"]`. `type` and `scope` are what the
    callers need. `client_address` finds the client's address in the scope of a connection; by default it is the one
    that the server names.

    Raises:
        TypeError: What is given is not known, or is no text where it has to be.
    """

    def __init__(
        self,
        app: App,
        client: TigerTrust,
        *,
        type: KeyType | None = None,
        scope: str | None = None,
        client_address: Callable[[Scope], str | None] | None = None,
    ) -> None:
        check_texts(type=type, scope=scope)
        if client_address is not None and not callable(client_address):
            raise TypeError("client_address must be a function that finds the address in the scope of a connection")
        self._app = app
        self._client = client
        self._type: KeyType | None = type
        self._scope = scope
        self._address_of = client_address or _peer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers or passes on what comes in."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] not in ("http", "websocket"):
            raise RuntimeError("a kind of connection that nobody knows how to check")
        decision = await self._decide(scope)
        if isinstance(decision, ValidVerdict):
            scope.setdefault("state", {})["tigertrust"] = decision
            await self._app(scope, receive, send)
        else:
            await _answer(decision, scope, send)

    async def _decide(self, scope: Scope) -> ValidVerdict | Problem:
        presented = presented_in(lambda name: _values(scope, name.encode()), self._client.key_prefixes)
        if isinstance(presented, Refusal):
            return problem_of_request(presented)
        try:
            verdict = await self._client.verify(
                presented.key,
                type=self._type,
                scope=self._scope,
                workspace_id=presented.workspace_id,
                client_address=client_address(self._address_of(scope)),
            )
        except NotAvailable as error:
            return problem_of_error(error)
        return verdict if verdict.valid else problem_of_verdict(verdict, self._scope)


def client_address(text: str | None) -> str | None:
    """A client's address as the server takes it: none where it is no IP address, such as that of a Unix socket."""
    if text is None:
        return None
    try:
        # Which interface a link-local address is of says nothing elsewhere.
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)


def _peer(scope: Scope) -> str | None:
    peer = scope.get("client")
    return str(peer[0]) if peer else None


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for own, value in scope["headers"] if own.lower() == name]


async def _answer(problem: Problem, scope: Scope, send: Send) -> None:
    kind = "http"
    if scope["type"] == "websocket":
        kind = "websocket.http"
        if _DENIAL not in scope.get("extensions", {}):
            # The server answers 403 then, whatever the problem is.
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
    headers = [(name.encode(), value.encode("latin-1")) for name, value in problem.headers.items()]
    headers.append((b"content-length", str(len(problem.body)).encode()))
    await send({"type": f"{kind}.response.start", "status": problem.status, "headers": headers})
    await send({"type": f"{kind}.response.body", "body": problem.body})
