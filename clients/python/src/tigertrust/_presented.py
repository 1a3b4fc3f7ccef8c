"""What a request presents, read by the rules of the server: never a choice between two keys."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ._key_format import claims_to_be_key, is_key
from ._token_format import claims_to_be_token, read_token

HeaderValues = Callable[[str], Sequence[str]]
"""The values of a header, each for itself."""

_ABSENT, _MALFORMED = "absent", "malformed"
_BEARER = re.compile(r"bearer (.*)", re.IGNORECASE | re.DOTALL | re.ASCII)


@dataclass(frozen=True)
class PresentedKey:
    """The one key of a request, and the workspace that it names."""

    key: str
    workspace_id: str | None

    def __repr__(self) -> str:
        return "PresentedKey(…)"


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused without a call."""

    code: Literal["UNAUTHORIZED", "WORKSPACE_ACCESS_DENIED"]
    detail: str
    is_presented: bool = True


_NOTHING_PRESENTED = Refusal(
    "UNAUTHORIZED",
    "No credential was presented. Send an API key as X-Agent-API-Key or as Authorization: Bearer.",
    is_presented=False,
)
_MALFORMED_CREDENTIAL = Refusal(
    "UNAUTHORIZED",
    "The credential is malformed or cut short, or more than one was presented: send one key.",
)
_MANY_WORKSPACES = Refusal(
    "WORKSPACE_ACCESS_DENIED",
    "The workspace in X-Workspace-ID does not exist or is not one of the caller's.",
)


def presented_in(values: HeaderValues, prefixes: Sequence[str] = ()) -> PresentedKey | Refusal:
    """The key of a request with these headers."""
    readings = {_own_header(values("x-agent-api-key"), prefixes), _bearer(values("authorization"), prefixes)}
    keys = readings - {_ABSENT}
    if not keys:
        return _NOTHING_PRESENTED
    if len(keys) > 1 or _MALFORMED in keys:
        return _MALFORMED_CREDENTIAL
    workspaces = values("x-workspace-id")
    if len(workspaces) > 1:
        return _MANY_WORKSPACES
    return PresentedKey(keys.pop(), workspaces[0] if workspaces else None)


def _own_header(values: Sequence[str], prefixes: Sequence[str]) -> str:
    """The header is TigerTrust's alone: whatever stands in it must be a key."""
    if not values:
        return _ABSENT
    return values[0] if len(values) == 1 and is_key(values[0], prefixes) else _MALFORMED


def _bearer(values: Sequence[str], prefixes: Sequence[str]) -> str:
    """Another scheme, or a token that is none of TigerTrust's, belongs to the application."""
    if not values:
        return _ABSENT
    if len(values) > 1:
        return _MALFORMED
    matched = _BEARER.fullmatch(values[0])
    token = matched[1].strip() if matched else ""
    if claims_to_be_token(token):
        return token if read_token(token) is not None else _MALFORMED
    if not claims_to_be_key(token, prefixes):
        return _ABSENT
    return token if is_key(token, prefixes) else _MALFORMED
