"""The server's API, as far as a client needs it. Times are those of the monotonic clock."""

import asyncio
import errno
import json
import random
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from ._backoff import pause
from ._errors import NotAvailable, Reason, ServerAnswer
from ._meaning import meaning_of
from ._question import Question
from ._settings import Settings
from ._verdict import Verdict, read_verdict
from ._warnings import Warnings
from ._within import within

# How often a call is made at the most that gets no answer.
_TRIES = 3
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.5
# Those who wait for the same second must not meet there.
_SPREAD = 0.25
_OK = 200
_BAD_REQUEST = 400
_UNAVAILABLE = 503
_MOST_CONNECTIONS = 100
_LONGEST_CHAIN = 8
_LONGEST_KEY_SET = 65_536
_POINTERS = frozenset({"/key", "/type", "/scope", "/workspaceId", "/clientAddress", "/cost"})


class Api:
    """Makes calls, each within its deadline."""

    def __init__(self, settings: Settings, warnings: Warnings) -> None:
        self._url = settings.url
        self._warnings = warnings
        # What the platform trusts, and not a list of the library's.
        trusted = ssl.create_default_context()
        headers = {"Authorization": f"Bearer {settings.api_key.reveal()}", "Accept-Encoding": "identity"}
        limits = httpx.Limits(max_connections=_MOST_CONNECTIONS, max_keepalive_connections=_MOST_CONNECTIONS)
        # Redirects are not followed: they would take the key to somebody else.
        self._calls = httpx.AsyncClient(headers=headers, verify=trusted, timeout=None, limits=limits)
        # What everybody is told is asked for without the key.
        self._public = httpx.AsyncClient(headers={"Accept-Encoding": "identity"}, verify=trusted, timeout=None)
        # A feed may go on for ever, but not be silent.
        silence = httpx.Timeout(settings.deadline, read=settings.staleness)
        self._feeds = httpx.AsyncClient(headers=headers, verify=trusted, timeout=silence)

    async def verify(self, key: str, question: Question, cost: int, until: float) -> Verdict:
        """Asks what a key is worth, for so many uses."""
        asked = {
            "key": key,
            "type": question.type,
            "scope": question.scope,
            "workspaceId": question.workspace_id,
            "clientAddress": question.client_address,
            "cost": cost,
        }
        body = json.dumps({name: value for name, value in asked.items() if value is not None})
        try:
            verdict = read_verdict(await self._call("POST", "/api/keys/verify", body, until, question.scope))
            if verdict is None:
                raise NotAvailable("answer", "the answer is no verdict")
        except NotAvailable as error:
            self._tell_of(error)
            raise
        self._warnings.past()
        return verdict

    async def home(self, until: float) -> str | None:
        """The home of the service's own key; `None` for an instance key."""
        me = await self._call("GET", "/api/auth/me", None, until)
        # No workspace is named with an empty text.
        home = me.get("homeWorkspaceId", "") if isinstance(me, dict) else ""
        return home if home is None or isinstance(home, str) else ""

    async def key_set(self, seconds: float) -> object:
        """The keys that tokens are verified with, as the server tells them to everybody; `None` if it does not."""
        call = self._public.get(f"{self._url}/.well-known/jwks.json", headers={"Accept": "application/json"})
        try:
            response = await within(seconds, call)
        # Whatever it is, there are none.
        except Exception:
            return None
        is_good = response.status_code == _OK and len(response.content) <= _LONGEST_KEY_SET
        return _parse(response.content) if is_good else None

    async def open_feed(self, last_id: str | None) -> httpx.Response:
        """Opens the feed of changes, from after the given number on."""
        headers = {"Accept": "text/event-stream"}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        request = self._feeds.build_request("GET", f"{self._url}/api/changes", headers=headers)
        return await self._feeds.send(request, stream=True)

    async def close(self) -> None:
        """Ends all connections."""
        await self._calls.aclose()
        await self._feeds.aclose()
        await self._public.aclose()

    def _tell_of(self, error: NotAvailable) -> None:
        """What is wrong with one question may be right with the next: it comes and goes with them."""
        tell = self._warnings.once if error.status == _BAD_REQUEST else self._warnings.present
        tell(str(error), time.monotonic())

    async def _call(self, method: str, path: str, body: str | None, until: float, scope: str | None = None) -> object:
        attempt = 0
        while True:
            tried = await self._try(method, path, body, until, scope)
            if not isinstance(tried, _Failed):
                return tried.value
            attempt += 1
            wait = tried.wait(attempt - 1)
            # Raised here, where no error of the library is its context: that would hold the request.
            if wait is None or attempt >= _TRIES or time.monotonic() + wait >= until:
                raise NotAvailable(tried.reason, tried.what, tried.said)
            await asyncio.sleep(wait)

    async def _try(
        self, method: str, path: str, body: str | None, until: float, scope: str | None
    ) -> "_Answer | _Failed":
        left = until - time.monotonic()
        if left <= 0:
            return _LATE
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        call = self._calls.request(method, self._url + path, content=body, headers=headers)
        try:
            response = await within(left, call)
        except asyncio.TimeoutError:
            return _LATE
        # Whatever it is, there is no answer.
        except Exception as error:
            what = f"no answer from {self._url} ({failure_of(error)})"
            return _Failed("network", what, ServerAnswer(), _after_a_break)
        return _Answer(_parse(response.content)) if response.status_code == _OK else _refused(response, scope)


@dataclass(frozen=True)
class _Answer:
    value: object


@dataclass(frozen=True)
class _Failed:
    """A call without an answer that is of use."""

    reason: Reason
    what: str
    said: ServerAnswer
    wait: Callable[[int], float | None]
    """After how long it can be made again; `None` if it must not be."""


def _never(_attempt: int) -> None:
    return None


def _after_a_break(attempt: int) -> float:
    return pause(attempt, _FIRST_PAUSE, _LONGEST_PAUSE)


_LATE = _Failed("deadline", "no answer within the deadline", ServerAnswer(), _never)


def _refused(response: httpx.Response, scope: str | None) -> _Failed:
    status, seconds = response.status_code, retry_after(response)
    problem = _parse(response.content)
    members = problem if isinstance(problem, dict) else {}
    said = ServerAnswer(
        status=status,
        code=_matching(r"[A-Z_]{1,40}", members.get("code")),
        request_id=_matching(r"req_[0-9a-f]{16,32}", members.get("requestId")),
        pointers=_pointers(members.get("errors")),
        retry_after_seconds=seconds,
    )
    what = meaning_of(said, scope)
    if status != _UNAVAILABLE or seconds is None:
        return _Failed("refused", what, said, _never)
    return _Failed("refused", what, said, lambda _attempt: seconds + random.random() * _SPREAD)


def failure_of(error: BaseException) -> str:
    """What failed, in the word of the platform: a whole error could show more than is good."""
    cause: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if isinstance(cause, ssl.SSLError) and cause.reason:
            return cause.reason
        if isinstance(cause, OSError) and (name := errno.errorcode.get(cause.errno or 0)):
            return name
        cause = (cause.__cause__ or cause.__context__) if cause is not None else None
    return type(error).__name__


def retry_after(response: httpx.Response) -> int | None:
    """The seconds in `Retry-After`. A date there is none of TigerTrust's."""
    text = _matching(r"[0-9]{1,9}", response.headers.get("retry-after"))
    return None if text is None else int(text)


# Of a problem, the parts that can hold nothing but what they should.


def _matching(pattern: str, value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(pattern, value) else None


def _pointers(errors: object) -> tuple[str, ...]:
    found = [error.get("pointer") for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    return tuple(pointer for pointer in found if isinstance(pointer, str) and pointer in _POINTERS)[:3]


def _parse(content: bytes) -> object:
    try:
        value: object = json.loads(content)
    except ValueError:
        return None
    return value
