"""What a token says."""

import json
from dataclasses import dataclass
from typing import Any, cast

from ._token_format import decode
from ._verdict import KeyType

# What every language can count to.
_MOST = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims that are asked about here. Times are in seconds since 1970."""

    issuer: str
    audience: str
    key_id: str
    issued_at: int
    expires_at: int
    """From when on it is refused."""
    scopes: tuple[str, ...]
    workspace_id: str | None
    home_workspace_id: str | None
    owner_id: str | None
    key_type: KeyType
    name: str
    external_id: str | None
    plan: str | None
    change: int
    """The last change that was known when it was issued."""
    is_online: bool
    """Whether the server is to be asked each time."""


def read_claims(payload: str) -> Claims | None:
    """Reads the claims of a token whose signature is good; `None` if one is missing or not of its type."""
    try:
        claims = json.loads(decode(payload))
        for unused in ("jti", "client_id", "secret"):
            _text(claims[unused])
        scope = _text(claims["scope"])
        if claims["keyType"] not in ("agent", "public") or ("online" in claims and claims["online"] is not True):
            return None
        return Claims(
            issuer=_text(claims["iss"]),
            audience=_text(claims["aud"]),
            key_id=_text(claims["sub"]),
            issued_at=_whole(claims["iat"]),
            expires_at=_whole(claims["exp"]),
            scopes=tuple(scope.split(" ")) if scope else (),
            workspace_id=_text_or_absent(claims, "workspaceId"),
            home_workspace_id=_text_or_absent(claims, "homeWorkspaceId"),
            owner_id=_text_or_absent(claims, "ownerId"),
            key_type=cast("KeyType", claims["keyType"]),
            name=_text(claims["name"]),
            external_id=_text_or_absent(claims, "externalId"),
            plan=_text_or_absent(claims, "plan"),
            change=_whole(claims["change"]),
            is_online="online" in claims,
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _text_or_absent(claims: dict[str, Any], name: str) -> str | None:
    return _text(claims[name]) if name in claims else None


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MOST:
        raise TypeError
    return value
