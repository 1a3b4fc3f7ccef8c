"""Stands between a client and the server, counts what passes, and makes trouble when it is told to."""

import asyncio
import re
from dataclasses import dataclass, field

# The first block of a feed, to the end of its chunk.
GREETING = b": following\n\n\r\n"

KEY_SET = "/.well-known/jwks.json"


@dataclass
class Call:
    """A call that passed, as far as the tests ask about it."""

    path: str
    cost: int | None = None


@dataclass(eq=False)
class _Pair:
    client: asyncio.StreamWriter
    upstream: asyncio.StreamWriter
    is_feed: bool = False
    held: list[bytes] = field(default_factory=list)


class Proxy:
    """A proxy of one's own before the server's port."""

    def __init__(self, port: int) -> None:
        self.calls: list[Call] = []
        # How often the feed was opened, and with which number.
        self.feeds: list[str | None] = []
        # What is answered in the server's place to who asks for its signing keys: a body, or a whole response.
        self.key_set: str | None = None
        self._port = port
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._holds_answers = False
        self._silences_feed = False
        self._refuses_feed = False
        self._is_down = False
        self._breaks = 0
        self._answers: list[bytes] = []

    @staticmethod
    async def before(port: int) -> "Proxy":
        """A proxy that listens."""
        proxy = Proxy(port)
        proxy._server = await asyncio.start_server(proxy._accept, "127.0.0.1", 0)
        return proxy

    @property
    def url(self) -> str:
        """Its address."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def verifies(self) -> list[Call]:
        """The calls that asked what a key is worth."""
        return [call for call in self.calls if call.path == "/api/keys/verify"]

    @property
    def key_set_fetches(self) -> int:
        """How often the signing keys were asked for."""
        return sum(1 for call in self.calls if call.path == KEY_SET)

    @property
    def costs(self) -> list[int | None]:
        """What each of them cost."""
        return [call.cost for call in self.verifies]

    @property
    def held_answers(self) -> int:
        """How many answers are kept back."""
        return sum(1 for pair in self._pairs if not pair.is_feed and pair.held)

    def hold_answers(self) -> None:
        """Keeps back what the server answers to calls."""
        self._holds_answers = True

    def release_answers(self) -> None:
        """Lets them go."""
        self._holds_answers = False
        for pair in self._pairs:
            _flush(pair)

    def silence_feed(self) -> None:
        """Lets nothing of the feed through, and keeps it open."""
        self._silences_feed = True

    def restore_beginning_of_feed(self) -> None:
        """Lets a feed begin, and tells nothing after that."""
        self._silences_feed, self._refuses_feed = True, False

    def cut_feed(self) -> None:
        """Ends the feed, and lets none begin."""
        self._refuses_feed = True
        for pair in [pair for pair in self._pairs if pair.is_feed]:
            self._drop(pair)

    def restore_feed(self) -> None:
        """Lets it begin again."""
        self._refuses_feed = self._silences_feed = False
        for pair in self._pairs:
            if pair.is_feed:
                _flush(pair)

    def say_on_feed(self, text: str) -> None:
        """Says something in the server's place."""
        for pair in self._pairs:
            if pair.is_feed:
                pair.client.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())

    def break_calls(self, count: int) -> None:
        """Breaks the connection of so many calls before they get an answer."""
        self._breaks = count

    def answer_next(self, response: str) -> None:
        """Answers the next call in the server's place."""
        self._answers.append(response.encode())

    def go_down(self) -> None:
        """Is gone: ends all connections and takes none."""
        self._is_down = True
        for pair in list(self._pairs):
            self._drop(pair)

    async def close(self) -> None:
        """Ends it."""
        self.go_down()
        assert self._server is not None
        self._server.close()
        # Their connections are gone, which ends them.
        await asyncio.gather(*self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._is_down:
            client.transport.abort()
            return
        try:
            answers, upstream = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            client.transport.abort()
            return
        pair = _Pair(client, upstream)
        self._pairs.add(pair)
        back = asyncio.create_task(self._pass_back(pair, answers))
        self._tasks.add(back)
        back.add_done_callback(self._tasks.discard)
        try:
            while data := await reader.read(65_536):
                self._from_client(pair, data)
        except OSError:
            pass
        finally:
            self._drop(pair)

    async def _pass_back(self, pair: _Pair, answers: asyncio.StreamReader) -> None:
        try:
            while data := await answers.read(65_536):
                # What a feed begins with is let through always.
                begun = data.find(GREETING) + len(GREETING) if pair.is_feed and GREETING in data else 0
                pair.client.write(data[:begun])
                pair.held.append(data[begun:])
                is_held = self._silences_feed if pair.is_feed else self._holds_answers
                if not is_held:
                    _flush(pair)
        except OSError:
            pass
        finally:
            self._drop(pair)

    def _from_client(self, pair: _Pair, data: bytes) -> None:
        text = data.decode("latin-1")
        if begun := re.match(r"(?:GET|POST) (\S+) HTTP", text):
            pair.is_feed = begun[1] == "/api/changes"
            if pair.is_feed:
                last = re.search(r"^last-event-id: (\d+)", text, re.IGNORECASE | re.MULTILINE)
                self.feeds.append(last[1] if last else None)
            else:
                self.calls.append(Call(begun[1]))
            if pair.is_feed and self._refuses_feed:
                self._drop(pair)
                return
        cost = re.search(r'"cost": ?(\d+)', text)
        if cost and self.calls:
            self.calls[-1].cost = int(cost[1])
        if not pair.is_feed and self._breaks > 0:
            self._breaks -= 1
            self._drop(pair)
        elif self.key_set is not None and text.startswith(f"GET {KEY_SET} "):
            whole = self.key_set.startswith("HTTP/")
            length = len(self.key_set.encode())
            head = "" if whole else f"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"
            pair.held.append(f"{head}{self.key_set}".encode())
            if not self._holds_answers:
                _flush(pair)
        elif cost and self._answers:
            pair.client.write(self._answers.pop(0))
        else:
            pair.upstream.write(data)

    def _drop(self, pair: _Pair) -> None:
        self._pairs.discard(pair)
        pair.client.transport.abort()
        pair.upstream.transport.abort()


def _flush(pair: _Pair) -> None:
    while pair.held:
        pair.client.write(pair.held.pop(0))
