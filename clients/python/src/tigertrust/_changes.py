"""When what has last changed."""

import math
from collections.abc import Iterable

# More changes than this within the time that they are kept, and all counts as changed.
_MOST = 100_000


class Changes:
    """Times on the monotonic clock: what was asked for before a change says no more than how things stood then."""

    def __init__(self, kept: float) -> None:
        """Changes are kept as long as anything may be in use that was asked for before them."""
        self._kept = kept
        self._at: dict[str, float] = {}
        self._reset_at = -math.inf
        self._began_at = -math.inf

    def note(self, id: str, now: float) -> None:
        """A key, a person or a workspace has changed."""
        # Moved to the end, so that the oldest come first.
        self._at.pop(id, None)
        self._at[id] = now
        while (oldest := next(iter(self._at))) and now - self._at[oldest] > self._kept:
            del self._at[oldest]
        if len(self._at) > _MOST:
            self.reset(now)

    def reset(self, now: float) -> None:
        """Anything may have changed."""
        self._at.clear()
        self._reset_at = now

    def begin(self, now: float) -> None:
        """From now on changes are told; of those before nothing is known."""
        self._began_at = now

    def last(self, depends_on: Iterable[str]) -> float:
        """When the latest change to one of these came in."""
        last = self._reset_at
        for id in depends_on:
            at = self._at.get(id)
            if at is not None and at > last:
                last = at
        return last

    def may_have_changed(self, depends_on: Iterable[str], since: float) -> bool:
        """Whether one of these may have changed since then without the client's knowing better."""
        return self._began_at > since or self.last(depends_on) >= since
