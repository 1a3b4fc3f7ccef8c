"""What is known of questions. Times are those of the monotonic clock, but for `expires_at`."""

import time
from collections import OrderedDict
from dataclasses import dataclass

from ._changes import Changes
from ._verdict import ValidVerdict


@dataclass(frozen=True)
class Kept:
    """A verdict, and for how long it may be used."""

    verdict: ValidVerdict
    depends_on: tuple[str, ...]
    asked_at: float
    good_until: float
    expires_at: float
    """In seconds since 1970; infinity for never."""


class Account:
    """What is known of a question."""

    __slots__ = ("in_hand", "kept")

    def __init__(self) -> None:
        # Uses that the server has counted and that were not served yet. They outlive the verdict.
        self.in_hand = 0
        self.kept: Kept | None = None

    def take(self, changes: Changes, now: float) -> ValidVerdict | None:
        """Takes one use of the verdict, if it may be used."""
        kept = self.kept
        if kept is None or self.in_hand < 1 or now >= kept.good_until or time.time() >= kept.expires_at:
            return None
        if changes.may_have_changed(kept.depends_on, kept.asked_at):
            return None
        self.in_hand -= 1
        return kept.verdict


class Accounts:
    """The questions that were used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._accounts: OrderedDict[bytes, Account] = OrderedDict()

    def get(self, digest: bytes) -> Account | None:
        """The account, which is the one used last from now on."""
        account = self._accounts.get(digest)
        if account is not None:
            self._accounts.move_to_end(digest)
        return account

    def set(self, digest: bytes, account: Account) -> None:
        """Remembers the account, and forgets the one that was used least recently if there are too many."""
        self._accounts[digest] = account
        self._accounts.move_to_end(digest)
        if len(self._accounts) > self._most:
            self._accounts.popitem(last=False)
