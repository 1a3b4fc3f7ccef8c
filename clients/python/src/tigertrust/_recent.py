"""What was used last."""

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """So many values at the most, by digests."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[bytes, T] = OrderedDict()

    def get(self, digest: bytes) -> T | None:
        """The value, which is the one used last from now on."""
        value = self._values.get(digest)
        if value is not None:
            self._values.move_to_end(digest)
        return value

    def set(self, digest: bytes, value: T) -> None:
        """Remembers the value, and forgets the one that was used least recently if there are too many."""
        self._values[digest] = value
        self._values.move_to_end(digest)
        if len(self._values) > self._most:
            self._values.popitem(last=False)
