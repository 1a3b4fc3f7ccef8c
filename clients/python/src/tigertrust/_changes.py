"""When what has last changed."""

import math
from collections.abc import Iterable
from typing import NamedTuple

# So many things that have changed are known; of more, those that changed longest ago are forgotten.
_MOST = 100_000
# How long what has changed is of use to a token: its life, and the difference of two clocks.
_OF_USE_TO_TOKENS = 17 * 60.0


class _Noted(NamedTuple):
    """The last change to something: when it came in, and its number in the feed, which is infinity for none."""

    at: float
    number: float


class Changes:
    """Times on the monotonic clock: what was asked for before a change says no more than how things stood then."""

    def __init__(self, kept: float) -> None:
        """Changes are kept as long as any verdict may be in use that was asked for before them, or a token issued."""
        self._kept = kept
        self._noted: dict[str, _Noted] = {}
        self._reset_at = -math.inf
        self._began_at = -math.inf
        # All changes after this one are known; infinity while that can be said of none.
        self._began_with = math.inf

    def note(self, id: str, now: float, number: float = math.inf) -> None:
        """A key, a person or a workspace has changed."""
        # Moved to the end, so that the oldest come first.
        self._noted.pop(id, None)
        self._noted[id] = _Noted(now, number)
        longest = max(self._kept, _OF_USE_TO_TOKENS)
        while True:
            oldest = next(iter(self._noted))
            noted = self._noted[oldest]
            age = now - noted.at
            if age <= longest and len(self._noted) <= _MOST:
                break
            del self._noted[oldest]
            self._began_with = max(self._began_with, noted.number)
            if age <= self._kept:
                self.reset(now, number)
                break

    def reset(self, now: float, number: float = math.inf) -> None:
        """Anything may have changed, up to this number."""
        self._noted.clear()
        self._reset_at = now
        self._began_with = number

    def begin(self, now: float, number: float = math.inf) -> None:
        """From now on changes are told, from after this number on; of those before nothing is known."""
        self._began_at = now
        self._began_with = number

    def are_known_up_to(self, number: float) -> None:
        """All up to this number have been told."""
        if self._began_with == math.inf:
            self._began_with = number

    def last(self, depends_on: Iterable[str]) -> float:
        """When the latest change to one of these came in."""
        last = self._reset_at
        for id in depends_on:
            noted = self._noted.get(id)
            if noted is not None and noted.at > last:
                last = noted.at
        return last

    def may_have_changed(self, depends_on: Iterable[str], since: float) -> bool:
        """Whether one of these may have changed since then without the client's knowing better."""
        return self._began_at > since or self.last(depends_on) >= since

    def have_left_alone(self, depends_on: Iterable[str], number: int, age: float, skew: float, now: float) -> bool:
        """Whether none of these has changed after the change of that number.

        It was the last one when something was issued, which is so long ago by clocks that may differ by the skew. The
        numbers alone do not tell: those of a database that was restored come again.
        """
        issued_at = now - age
        if number < self._began_with or self._reset_at > issued_at - skew:
            return False
        for id in depends_on:
            noted = self._noted.get(id)
            if noted is not None and (noted.number > number or noted.at > issued_at + skew):
                return False
        return True
