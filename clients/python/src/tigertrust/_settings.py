"""What a client can be told."""

import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from ._key_format import is_key
from ._secret import Secret

State = Literal["idle", "connecting", "catching up", "following", "closed"]
"""Where a client stands: see the handbook, "The states of a client"."""

TokensSetting = Literal["offline", "online"]
"""How short-lived tokens are verified: by the client itself, or by asking the server about each."""

SIGN_OF_LIFE = 1.0
"""How often a quiet feed gives a sign of life, in seconds, and by how much one server may be behind another."""

_MOST_LEASED = 1_000_000
_PREFIX = re.compile(r"[0-9A-Za-z_-]{2,32}", re.ASCII)
# What begins the server's own keys and tokens, and JWTs.
_RESERVED = ("ak_", "ck_", "tt_", "eyJ")
_log = logging.getLogger("tigertrust")


class Change(NamedTuple):
    """Something that has changed: a key, a person or a workspace; a `reset` has no id."""

    event: str
    id: str | None


@dataclass(frozen=True)
class Settings:
    """Settings that were checked. Times are in seconds."""

    url: str
    api_key: Secret
    deadline: float
    staleness: float
    settle: float
    cache_size: int
    lease: int
    life: float
    tokens: TokensSetting
    issuer: str
    key_prefixes: tuple[str, ...]
    on_state: Callable[[State, str], object] | None
    on_change: Callable[[Change], object] | None

    @property
    def remembers(self) -> bool:
        """Whether anything is to be remembered, for which the feed has to be followed."""
        return self.cache_size > 0 and self.lease > 1 and self.life > 0

    def tell_state(self, state: State, why: str) -> None:
        """What a listener does must not end the feed."""
        _log.info("%s: %s", state, why)
        if self.on_state is not None:
            try:
                self.on_state(state, why)
            except Exception:
                _log.exception("on_state failed")

    def tell_change(self, change: Change) -> None:
        """As above."""
        if self.on_change is not None:
            try:
                self.on_change(change)
            except Exception:
                _log.exception("on_change failed")


def check(
    *,
    url: str | None,
    api_key: str | None,
    deadline: float,
    staleness: float,
    settle: float,
    cache_size: int,
    lease: int,
    life: float,
    tokens: TokensSetting,
    issuer: str | None,
    key_prefixes: Sequence[str],
    on_state: Callable[[State, str], object] | None,
    on_change: Callable[[Change], object] | None,
) -> Settings:
    """Completes the settings from the environment. What was given is in no message: a key may be in the wrong place."""
    if not _is_number(deadline) or deadline <= 0:
        raise ValueError("deadline must be a number of more than 0")
    if not _is_number(staleness) or staleness <= SIGN_OF_LIFE:
        raise ValueError("staleness must be a number of more than 1")
    if not _is_number(settle) or settle < SIGN_OF_LIFE:
        raise ValueError("settle must be a number of 1 or more")
    if not _is_number(life) or life < 0:
        raise ValueError("life must be a number of 0 or more")
    if not _is_whole(cache_size) or cache_size < 0:
        raise ValueError("cache_size must be a whole number of 0 or more")
    if not _is_whole(lease) or not 1 <= lease <= _MOST_LEASED:
        raise ValueError(f"lease must be a whole number of 1 to {_MOST_LEASED}")
    if tokens not in ("offline", "online"):
        raise ValueError("tokens must be offline or online")
    address = _check_url(url if url is not None else os.environ.get("TIGERTRUST_URL"))
    return Settings(
        url=address,
        api_key=_check_key(api_key if api_key is not None else os.environ.get("TIGERTRUST_API_KEY")),
        deadline=deadline,
        staleness=staleness,
        settle=settle,
        cache_size=cache_size,
        lease=lease,
        life=life,
        tokens=tokens,
        issuer=_check_issuer(issuer if issuer is not None else os.environ.get("TIGERTRUST_ISSUER", address)),
        key_prefixes=_check_prefixes(key_prefixes),
        on_state=on_state,
        on_change=on_change,
    )


def _check_url(text: str | None) -> str:
    if not text:
        raise ValueError("there is no address of the server: set TIGERTRUST_URL")
    if not _is_plain_address(text):
        raise ValueError(
            "the address of the server (TIGERTRUST_URL or url) must be https:// or http://, "
            "without user, query and fragment"
        )
    return text.rstrip("/")


def _is_plain_address(text: str) -> bool:
    # An error of the library would repeat what it could not read.
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    is_plain = "@" not in parts.netloc and "?" not in text and "#" not in text
    return parts.scheme in ("https", "http") and has_host and is_plain and text.isprintable() and " " not in text


def _check_issuer(text: str) -> str:
    if not isinstance(text, str) or not re.fullmatch(r"https?://\S*[^\s/]", text):
        raise ValueError(
            "the issuer (TIGERTRUST_ISSUER or issuer) must be https:// or http://, without a slash at the end"
        )
    return text


def _check_key(text: str | None) -> Secret:
    if not text:
        raise ValueError("the service has no key of its own: set TIGERTRUST_API_KEY")
    if not is_key(text):
        raise ValueError("the service's own key (TIGERTRUST_API_KEY or api_key) is malformed or cut short")
    return Secret(text)


def _check_prefixes(prefixes: Sequence[str]) -> tuple[str, ...]:
    if isinstance(prefixes, str) or not all(_is_prefix(prefix) for prefix in prefixes):
        raise ValueError(
            "key_prefixes must be a list of prefixes as in keys.formats of the server: 2 to 32 letters, digits, "
            "- and _, and none of ak_, ck_, tt_ and eyJ; or empty"
        )
    return tuple(prefixes)


def _is_prefix(prefix: object) -> bool:
    if not isinstance(prefix, str):
        return False
    is_reserved = any(own.startswith(prefix) or prefix.startswith(own) for own in _RESERVED)
    return prefix == "" or (_PREFIX.fullmatch(prefix) is not None and not is_reserved)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value  # noqa: PLR0124 - NaN


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
