"""Who runs the service is told what is wrong. Times are those of the monotonic clock."""

import logging
import math

# The same trouble is not told more often, however often it comes and goes.
_AGAIN_AFTER = 60.0
# So many are known to have been told.
_MOST = 100
_log = logging.getLogger("tigertrust")


class Warnings:
    """Logs each cause once, and again when it has come back."""

    def __init__(self) -> None:
        # What is wrong now, as far as is known.
        self._present: str | None = None
        self._told_at: dict[str, float] = {}

    def present(self, cause: str, now: float) -> None:
        """This is wrong now."""
        if cause == self._present:
            return
        self._present = cause
        if now - self._told_at.get(cause, -math.inf) >= _AGAIN_AFTER:
            self._note(cause, now)

    def past(self) -> None:
        """Nothing is."""
        self._present = None

    def once(self, cause: str, now: float) -> None:
        """This is wrong for as long as the program runs."""
        if cause not in self._told_at:
            self._note(cause, now)

    def _note(self, cause: str, now: float) -> None:
        self._told_at.pop(cause, None)
        self._told_at[cause] = now
        if len(self._told_at) > _MOST:
            del self._told_at[next(iter(self._told_at))]
        _log.warning("%s", cause)
