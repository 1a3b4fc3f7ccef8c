"""The keys that tokens are verified with (RFC 7517), as the server tells them."""

import asyncio
import math
import re
import time
from dataclasses import dataclass

from ._api import Api
from ._signatures import PublicKey, public_key_of
from ._token_format import decode

# A fetched set is used for as long.
_KEPT = 300.0
# From the beginning of one fetch to that of the next, at the least.
_BETWEEN = 10.0
# 32 bytes in base64url.
_PUBLIC_KEY = re.compile(r"[\w-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key that the server signs tokens with."""

    x: str
    """The key itself: the same `kid` is no proof of the same key."""
    key: PublicKey


class KeySet:
    """Fetches the keys when they are needed. Times are those of the monotonic clock."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._keys: dict[str, SigningKey] = {}
        # When the keys were asked for, and when a fetch was begun last.
        self._asked_at = -math.inf
        self._begun_at = -math.inf
        self._fetching: asyncio.Task[None] | None = None

    def known(self, kid: str) -> SigningKey | None:
        """The key, if it is known."""
        return self._keys.get(kid) if time.monotonic() - self._asked_at < _KEPT else None

    async def refresh(self, until: float) -> None:
        """Fetches the keys, unless that was tried a moment ago. Takes half of the time that is left at the most."""
        now = time.monotonic()
        half = max((until - now) / 2, 0.0)
        if self._fetching is None:
            if now - self._begun_at < _BETWEEN:
                return
            self._begun_at = now
            self._fetching = asyncio.create_task(self._fetch(now, half))
        await asyncio.wait({self._fetching}, timeout=half)

    async def close(self) -> None:
        """Ends a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _fetch(self, asked_at: float, within: float) -> None:
        try:
            keys = _read_key_set(await self._api.key_set(within))
            if keys is not None:
                self._keys, self._asked_at = keys, asked_at
        finally:
            self._fetching = None


def _read_key_set(answer: object) -> dict[str, SigningKey] | None:
    """The keys of a set that count. Others are passed over, as RFC 7517 §5 says."""
    listed = answer.get("keys") if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        return None
    keys = {}
    for entry in listed:
        if not isinstance(entry, dict) or (entry.get("kty"), entry.get("crv")) != ("OKP", "Ed25519"):
            continue
        kid, x = entry.get("kid"), entry.get("x")
        if entry.get("alg") != "EdDSA" or entry.get("use", "sig") != "sig" or not isinstance(kid, str):
            continue
        if isinstance(x, str) and _PUBLIC_KEY.fullmatch(x):
            keys[kid] = SigningKey(x, public_key_of(decode(x)))
    return keys
