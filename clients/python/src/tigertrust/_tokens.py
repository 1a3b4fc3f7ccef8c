"""Short-lived tokens: see the handbook, "How a token is decided upon"."""

import hashlib
import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone

from ._api import Api
from ._changes import Changes
from ._claims import Claims, read_claims
from ._feed import Feed
from ._key_set import KeySet, SigningKey
from ._question import Question
from ._reach import Reach
from ._recent import Recent
from ._scope import grants
from ._settings import Settings
from ._signatures import CAN_VERIFY, is_signed
from ._token_format import Token
from ._verdict import RefusedVerdict, ValidVerdict, Verdict
from ._warnings import Warnings

# By how much the clocks of machines may differ, in seconds.
_SKEW = 60.0
# No token is issued for longer.
_LONGEST_LIFE = 900
_SCOPE = re.compile(r"(?=.{1,64}\Z)[a-z][a-z0-9_-]*:[a-z][a-z0-9_-]*", re.ASCII)

_NOT_SIGNED = RefusedVerdict("UNAUTHORIZED", "The token was not issued by this server, or has been tampered with.")
_WORKSPACES = "The workspace in X-Workspace-ID does not exist or is not one of the caller's."


@dataclass(frozen=True, slots=True)
class _Signed:
    """A token whose signature was good, and under which key."""

    x: str
    known: tuple[Claims, ValidVerdict] | None
    """`None` if the claims are not such as are known here."""


class Tokens:
    """Verifies tokens without asking, where that can be done."""

    def __init__(
        self, api: Api, changes: Changes, feed: Feed, reach: Reach, *, warnings: Warnings, settings: Settings
    ) -> None:
        self._changes = changes
        self._feed = feed
        self._reach = reach
        self._warnings = warnings
        self._issuer = settings.issuer
        self._is_used = CAN_VERIFY and settings.tokens == "offline" and settings.remembers
        self._keys = KeySet(api)
        self._signed: Recent[_Signed] = Recent(settings.cache_size)

    async def decide(self, token: Token, question: Question, until: float) -> Verdict | None:
        """What the token is worth; `None` where the server has to be asked."""
        key = await self._key(token.kid, until) if self._is_used else None
        if key is None:
            return None
        # From here on at one moment: nothing can change in between.
        signed = self._signed_by(key, token)
        if signed is None:
            return _NOT_SIGNED
        if signed.known is not None and signed.known[0].issuer != self._issuer:
            self._tell_of_issuer(signed.known[0].issuer)
        now = time.time()
        if signed.known is None or not self._is_timely(signed.known[0], now):
            return None
        claims, verdict = signed.known
        if claims.expires_at <= now:
            return _refused(verdict, "TOKEN_EXPIRED", "The API key, or the token of it, is past its expiry.")
        return _answer(verdict, question) if self._is_known(claims, now, until) else None

    async def close(self) -> None:
        """Ends what is under way."""
        await self._keys.close()

    async def _key(self, kid: str, until: float) -> SigningKey | None:
        key = self._keys.known(kid)
        if key is None:
            await self._keys.refresh(until)
            key = self._keys.known(kid)
        return key

    def _tell_of_issuer(self, issuer: str) -> None:
        """The server has signed it, so that its word about itself can be repeated."""
        self._warnings.once(
            f"tokens come from {issuer}, this client expects {self._issuer}, so that the server is asked about each: "
            "set TIGERTRUST_ISSUER or issuer",
            time.monotonic(),
        )

    def _signed_by(self, key: SigningKey, token: Token) -> _Signed | None:
        digest = hashlib.sha256(token.signed + b"." + token.signature).digest()
        known = self._signed.get(digest)
        if known is not None and known.x == key.x:
            return known
        if not is_signed(token.signature, token.signed, key.key):
            return None
        claims = read_claims(token.payload)
        signed = _Signed(key.x, None if claims is None else (claims, _verdict_of(claims)))
        self._signed.set(digest, signed)
        return signed

    def _is_timely(self, claims: Claims, now: float) -> bool:
        """Whether this server says that it issued the token, and when that can have been."""
        life = claims.expires_at - claims.issued_at
        is_ours = claims.issuer == self._issuer == claims.audience
        return is_ours and claims.issued_at <= now + _SKEW and 0 < life <= _LONGEST_LIFE

    def _is_known(self, claims: Claims, now: float, until: float) -> bool:
        """Whether the client knows all that the server would."""
        monotonic = time.monotonic()
        if claims.is_online or not self._feed.is_fresh(monotonic):
            return False
        if not self._reach.covers((claims.home_workspace_id, claims.workspace_id), until):
            return False
        ids = (claims.key_id, claims.owner_id, claims.home_workspace_id, claims.workspace_id)
        depends_on = [id for id in ids if id is not None]
        return self._changes.have_left_alone(depends_on, claims.change, now - claims.issued_at, _SKEW, monotonic)


def _answer(verdict: ValidVerdict, question: Question) -> Verdict | None:
    """What the token is worth for the question; `None` where the question is for the server to judge."""
    type, scope, workspace_id = question.type, question.scope, question.workspace_id
    if workspace_id is not None and verdict.workspace_id is None:
        return None
    if scope is not None and _SCOPE.fullmatch(scope) is None:
        return None
    if type is not None and type != verdict.type:
        return _refused(verdict, "FORBIDDEN", f"This needs an API key of type {type}.")
    if workspace_id is not None and workspace_id != verdict.workspace_id:
        return _refused(verdict, "WORKSPACE_ACCESS_DENIED", _WORKSPACES)
    if scope is not None and not grants(verdict.scopes, scope):
        return _refused(verdict, "FORBIDDEN", f"This needs the scope {scope}.")
    return verdict


def _verdict_of(claims: Claims) -> ValidVerdict:
    return ValidVerdict(
        key_id=claims.key_id,
        type=claims.key_type,
        name=claims.name,
        external_id=claims.external_id,
        owner_id=claims.owner_id,
        home_workspace_id=claims.home_workspace_id,
        workspace_id=claims.workspace_id,
        scopes=claims.scopes,
        expires_at=datetime.fromtimestamp(claims.expires_at, timezone.utc),
        plan=claims.plan,
        rate_limits=(),
        metadata_json="{}",
    )


def _refused(verdict: ValidVerdict, code: str, detail: str) -> RefusedVerdict:
    return RefusedVerdict(
        code=code,
        detail=detail,
        key_id=verdict.key_id,
        owner_id=verdict.owner_id,
        home_workspace_id=verdict.home_workspace_id,
        scopes=verdict.scopes,
    )
