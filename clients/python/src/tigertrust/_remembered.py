"""What is known of questions. Times are those of the monotonic clock, but for `expires_at`."""

import time
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
