"""The client."""

import asyncio
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from ._api import Api
from ._asker import Asker, Outcome
from ._changes import Changes
from ._errors import NotAvailable
from ._feed import Feed
from ._key_format import is_key
from ._question import Question, check_texts, digest_of
from ._reach import Reach
from ._recent import Recent
from ._remembered import Account
from ._settings import Change, State, TokensSetting, check
from ._token_format import claims_to_be_token, read_token
from ._tokens import Tokens
from ._verdict import MALFORMED, MALFORMED_TOKEN, KeyType, Verdict
from ._warnings import Warnings


class TigerTrust:
    """Checks API keys with a TigerTrust server. One for each process and event loop is enough; close it at the end.

    All settings may be left out where the environment has `TIGERTRUST_URL` and `TIGERTRUST_API_KEY`. Times are in
    seconds. `tokens` says whether short-lived tokens are verified by the client itself, or by asking about each;
    `issuer` who issues them: by default `TIGERTRUST_ISSUER` of the environment, or else the address of the server.
    `key_prefixes` are what keys may begin with beside `ak_` and `ck_`: the prefixes of imported ones, an empty
    one for those that have none. `on_state` is told of each new state and why it came about, `on_change` of each
    change once it counts. What keeps keys from being checked is logged as a warning.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        api_key: str | None = None,
        deadline: float = 2.0,
        staleness: float = 3.0,
        settle: float = 1.0,
        cache_size: int = 10_000,
        lease: int = 10,
        life: float = 60.0,
        tokens: TokensSetting = "offline",
        issuer: str | None = None,
        key_prefixes: Sequence[str] = (),
        on_state: Callable[[State, str], object] | None = None,
        on_change: Callable[[Change], object] | None = None,
    ) -> None:
        self._settings = check(
            url=url,
            api_key=api_key,
            deadline=deadline,
            staleness=staleness,
            settle=settle,
            cache_size=cache_size,
            lease=lease,
            life=life,
            tokens=tokens,
            issuer=issuer,
            key_prefixes=key_prefixes,
            on_state=on_state,
            on_change=on_change,
        )
        warnings = Warnings()
        self._api = Api(self._settings, warnings)
        self._changes = Changes(max(life, deadline) + settle + 1)
        self._feed = Feed(self._api, self._changes, self._settings)
        self._reach = Reach(self._api)
        self._asker = Asker(self._api, self._changes, self._feed, self._reach, self._settings)
        self._tokens = Tokens(
            self._api, self._changes, self._feed, self._reach, warnings=warnings, settings=self._settings
        )
        self._accounts: Recent[Account] = Recent(cache_size)
        # Questions that are being asked.
        self._asking: dict[bytes, asyncio.Task[Outcome]] = {}
        self._is_closed = False

    def __repr__(self) -> str:
        return f"TigerTrust(url={self._settings.url!r}, state={self.state!r})"

    async def __aenter__(self) -> "TigerTrust":
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def state(self) -> State:
        """Where the client stands."""
        return self._feed.state

    @property
    def key_prefixes(self) -> tuple[str, ...]:
        """What keys may begin with beside `ak_` and `ck_`."""
        return self._settings.key_prefixes

    def start(self) -> None:
        """Opens the feed of changes now, and not with the first `verify`. Needs a running event loop."""
        if self._settings.remembers:
            self._feed.start()

    async def close(self) -> None:
        """Ends the feed. Every `verify` from then on is "not available"."""
        self._is_closed = True
        await self._feed.close()
        await self._tokens.close()
        await self._reach.close()
        # No longer than a deadline.
        await asyncio.gather(*self._asking.values(), return_exceptions=True)
        await self._api.close()

    async def verify(
        self,
        key: str,
        *,
        type: KeyType | None = None,
        scope: str | None = None,
        workspace_id: str | None = None,
        client_address: str | None = None,
    ) -> Verdict:
        """Says what a presented key or short-lived token is worth. Let a client in for a valid verdict alone.

        Raises:
            NotAvailable: Nobody can say at the moment.
            TypeError: A part of the question is no text.
        """
        check_texts(type=type, scope=scope, workspace_id=workspace_id, client_address=client_address)
        token = read_token(key) if claims_to_be_token(key) else None
        if token is None and not is_key(key, self._settings.key_prefixes):
            return MALFORMED_TOKEN if claims_to_be_token(key) else MALFORMED
        if self._is_closed:
            raise NotAvailable("closed", "the client is closed")
        self.start()
        until = time.monotonic() + self._settings.deadline
        question = Question(type, scope, workspace_id, client_address)
        if token is not None and (decided := await self._tokens.decide(token, question, until)) is not None:
            return decided
        digest = digest_of(key, question)
        while self._feed.is_fresh(now := time.monotonic()):
            account = self._accounts.get(digest)
            verdict = account.take(self._changes, now) if account is not None else None
            if verdict is not None:
                return verdict
            asking = self._asking.get(digest)
            if asking is None:
                asked = self._ask(digest, account or Account(), key, question, until)
                return (await _before(until, asked)).verdict
            outcome = await _before(until, asking)
            if not outcome.verdict.valid:
                return outcome.verdict
            if not outcome.is_kept:
                break
        return (await self._asker.ask(Account(), 1, key, question, until)).verdict

    def _ask(
        self, digest: bytes, account: Account, key: str, question: Question, until: float
    ) -> asyncio.Task[Outcome]:
        """Asks for all who want to know the same. It goes on when the one who asked first gives up."""
        asking = asyncio.create_task(self._asker.ask(account, self._settings.lease, key, question, until))

        def done(asked: asyncio.Task[Outcome]) -> None:
            del self._asking[digest]
            # Keys that are no good take no place.
            if account.in_hand > 0:
                self._accounts.set(digest, account)
            # Taken note of, even where nobody waits any more.
            if not asked.cancelled():
                asked.exception()

        self._asking[digest] = asking
        asking.add_done_callback(done)
        return asking


async def _before(until: float, asking: asyncio.Task[Outcome]) -> Outcome:
    """Waits for what was asked, but no longer than until the deadline."""
    await asyncio.wait({asking}, timeout=max(until - time.monotonic(), 0))
    if not asking.done():
        raise NotAvailable("deadline", "no answer within the deadline")
    if asking.cancelled():
        raise NotAvailable("closed", "the client is closed")
    return asking.result()
