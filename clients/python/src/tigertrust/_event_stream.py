"""Server-sent events (WHATWG HTML §9.2)."""

import codecs
import re
from dataclasses import dataclass

# More than any block of the feed, and any line in it, needs.
_LONGEST = 65_536
# A carriage return at the very end may be half an ending.
_END_OF_LINE = re.compile(r"\r\n|\n|\r(?!\Z)")


@dataclass
class Block:
    """A block of a stream."""

    id: str | None = None
    event: str | None = None
    data: str = ""


class EventStream:
    """Reads events piece by piece."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest = ""
        self._block = Block()

    def push(self, piece: bytes) -> tuple[list[Block], int]:
        """Takes the next piece, and tells the blocks that it completes and how many lines."""
        *lines, self._rest = _END_OF_LINE.split(self._rest + self._decoder.decode(piece))
        blocks: list[Block] = []
        for line in lines:
            self._take(line, blocks)
        if len(self._rest) > _LONGEST or len(self._block.data) > _LONGEST:
            raise ValueError("a line or block of the feed is too long")
        return blocks, len(lines)

    def _take(self, line: str, blocks: list[Block]) -> None:
        if line == "":
            blocks.append(self._block)
            self._block = Block()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self._block.id = value
        elif name == "event":
            self._block.event = value
        elif name == "data":
            self._block.data += value if self._block.data == "" else f"\n{value}"
