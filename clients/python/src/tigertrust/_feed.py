"""The feed of the server's changes."""

import asyncio
import contextlib
import contextvars
import json
import math
import re
import time

import httpx

from ._api import Api, failure_of, retry_after
from ._backoff import pause
from ._changes import Changes
from ._event_stream import Block, EventStream
from ._settings import Change, Settings, State

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_OK = 200
# What every language can count to.
_MOST = 2**53 - 1
_FORGETTING = (400, 401, 403)


class Feed:
    """Follows the changes, and knows whether it has heard of all of them."""

    def __init__(self, api: Api, changes: Changes, settings: Settings) -> None:
        self._api = api
        self._changes = changes
        self._settings = settings
        self._state: State = "idle"
        self._why = ""
        self._task: asyncio.Task[None] | None = None
        self._last_id: str | None = None
        # When the last line was read.
        self._heard_at = -math.inf
        # From when on nothing can be remembered that another server, a moment behind, knew no better.
        self._follows_from = -math.inf
        # How often the feed was tried since it last did.
        self._attempts = 0

    @property
    def state(self) -> State:
        """Where the feed stands, to the moment."""
        now = time.monotonic()
        if self._state != "following" or self.is_fresh(now):
            return self._state
        return "catching up" if now < self._follows_from else "connecting"

    def is_fresh(self, now: float) -> bool:
        """Whether all changes are known, up to the staleness bound."""
        is_heard = now - self._heard_at <= self._settings.staleness
        return self._state == "following" and is_heard and now >= self._follows_from

    def start(self) -> None:
        """Opens it, if that was not done before."""
        if self._task is None and self._state != "closed":
            # It outlives the request that comes first, whose context must not go with it.
            create = asyncio.get_running_loop().create_task
            self._task = contextvars.Context().run(create, self._run())

    async def close(self) -> None:
        """Ends it for good."""
        self._become("closed", "the client was closed")
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        self._become("connecting", "the feed is being opened")
        while self._state != "closed":
            at_least = 0.0
            try:
                at_least = await self._follow()
            except Exception as error:  # Whatever it is, the feed has to go on.
                self._become("connecting", f"the feed broke ({failure_of(error)})")
            wait = at_least + pause(self._attempts, _FIRST_PAUSE, _LONGEST_PAUSE)
            self._attempts += 1
            await asyncio.sleep(wait)

    async def _follow(self) -> float:
        """One connection, to its end. Tells how long to wait at the least before the next."""
        resumes = self._last_id is not None
        response = await self._api.open_feed(self._last_id)
        try:
            if response.status_code != _OK:
                return self._refused(response)
            self._become("catching up", "the feed has begun")
            self._heard_at = time.monotonic()
            await self._read(response, _Reading(resumes))
            self._become("connecting", "the feed has ended")
        finally:
            await response.aclose()
        return 0.0

    async def _read(self, response: httpx.Response, reading: "_Reading") -> None:
        async for piece in response.aiter_bytes():
            now = time.monotonic()
            # Who has not read a line for so long cannot know how old this is.
            if now - self._heard_at > self._settings.staleness:
                return
            blocks, lines = reading.stream.push(piece)
            if lines > 0:
                self._heard_at = now
            for block in blocks:
                self._take(block, reading, now)

    def _take(self, block: Block, reading: "_Reading", now: float) -> None:
        number = _number_of(block.id)
        if block.event is None and block.data == "":
            if block.id is None:
                return
            reading.signs += 1
            # The first block tells where the feed begins; the next sign of life, that all until then has been told.
            if reading.signs == 1 and not reading.resumes:
                self._changes.begin(now, number)
                self._follows_from = now + self._settings.settle
            else:
                self._changes.are_known_up_to(number)
            if reading.signs == 2:  # noqa: PLR2004
                self._attempts = 0
                self._become("following", "all changes are known")
        else:
            id = _id_in(block.data) if block.event in ("key", "user", "workspace") else None
            if id is None:
                self._changes.reset(now, number)
            else:
                self._changes.note(id, now, number)
            self._settings.tell_change(Change(block.event or "", id))
        # Only now: what was not taken in has to be told again.
        if block.id is not None and re.fullmatch(r"[0-9]{1,20}", block.id):
            self._last_id = block.id

    def _refused(self, response: httpx.Response) -> float:
        if response.status_code in _FORGETTING:
            self._changes.reset(time.monotonic())
            self._last_id = None
        self._become("connecting", f"the feed was refused with {response.status_code}")
        return float(retry_after(response) or 0)

    def _become(self, state: State, why: str) -> None:
        if (self._state, self._why) == (state, why) or self._state == "closed":
            return
        self._state, self._why = state, why
        self._settings.tell_state(state, why)


class _Reading:
    """What is known of one connection."""

    def __init__(self, resumes: bool) -> None:
        self.resumes = resumes
        self.signs = 0
        self.stream = EventStream()


def _number_of(id: str | None) -> float:
    """The number of a block; infinity for none, which is after all that are known."""
    number = int(id) if id is not None and re.fullmatch(r"[0-9]{1,20}", id) else math.inf
    return number if number <= _MOST else math.inf


def _id_in(data: str) -> str | None:
    try:
        id = json.loads(data)["id"]
    except (ValueError, KeyError, TypeError):
        return None
    return id if isinstance(id, str) and id != "" else None
