"""Asks the server, and keeps the accounts of what it has counted."""

import math
import time
from typing import NamedTuple

from ._api import Api
from ._changes import Changes
from ._errors import NotAvailable
from ._feed import Feed
from ._question import Question
from ._reach import Reach
from ._remembered import Account, Kept
from ._settings import Settings
from ._verdict import ValidVerdict, Verdict, depends_on, has_spent

# How often a question is asked whose answers are overtaken by changes.
_ASKS = 3


class Outcome(NamedTuple):
    """What came of a question."""

    verdict: Verdict
    is_kept: bool
    """Whether the account can serve others with it."""


class Asker:
    """Asks for verdicts that can be served, and remembers those that may be."""

    def __init__(self, api: Api, changes: Changes, feed: Feed, reach: Reach, settings: Settings) -> None:
        self._api = api
        self._changes = changes
        self._feed = feed
        self._reach = reach
        self._settings = settings

    async def ask(self, account: Account, lease: int, key: str, question: Question, until: float) -> Outcome:
        """Asks for one use, and so many in hand. With a lease of 1 nothing is kept."""
        account.kept = None
        for _ in range(_ASKS):
            # What this one call lacks.
            least = 0 if account.in_hand > 0 else 1
            cost = max(lease - account.in_hand, 0)
            asked_at = time.monotonic()
            verdict = await self._api.verify(key, question, cost, until)
            if verdict.code == "RATE_LIMITED" and cost > least:
                cost = least
                asked_at = time.monotonic()
                verdict = await self._api.verify(key, question, cost, until)
            spent = has_spent(verdict)
            if spent:
                account.in_hand += cost
            ids = depends_on(verdict)
            # Overtaken: it may tell how things stood before.
            if self._changes.last(ids) >= asked_at:
                continue

            if spent:
                account.in_hand -= 1
            if verdict.valid and lease > 1:
                account.kept = self._kept(verdict, ids, asked_at, until)
            return Outcome(verdict, account.kept is not None)
        raise NotAvailable("changing", "what the key depends on keeps changing")

    def _kept(self, verdict: ValidVerdict, ids: tuple[str, ...], asked_at: float, until: float) -> Kept | None:
        now = time.monotonic()
        # Another server than the one that is followed may have answered, and be a moment behind.
        if not self._feed.is_fresh(now) or self._changes.may_have_changed(ids, asked_at - self._settings.settle):
            return None
        if not self._is_told_of(verdict, until):
            return None
        expires_at = math.inf if verdict.expires_at is None else verdict.expires_at.timestamp()
        # Not by the wall clock alone, which may be set back.
        good_until = min(asked_at + self._settings.life, now + expires_at - time.time())
        return Kept(verdict, ids, asked_at, good_until, expires_at) if good_until > now else None

    def _is_told_of(self, verdict: ValidVerdict, until: float) -> bool:
        """Whether the feed would tell of a change in the workspace that the verdict is for."""
        # Only an instance key learns of an instance key.
        if verdict.home_workspace_id is None:
            self._reach.is_of_an_instance_key()
        return verdict.workspace_id == verdict.home_workspace_id or self._reach.is_everything(until)
