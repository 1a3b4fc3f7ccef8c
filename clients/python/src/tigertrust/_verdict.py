"""What a presented key is worth."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast

KeyType = Literal["agent", "public"]


@dataclass(frozen=True)
class RateLimit:
    """How one window of a key's limits stood when the verdict was asked for."""

    policy: str
    limit: int
    window_seconds: int
    remaining: int
    reset_seconds: int


@dataclass(frozen=True)
class ValidVerdict:
    """The key is good for what was asked."""

    key_id: str
    type: KeyType
    name: str
    external_id: str | None
    owner_id: str | None
    """The person that it belongs to; `None` for a key of the workspace."""
    home_workspace_id: str | None
    """The workspace that owns it; `None` for an instance key."""
    workspace_id: str | None
    """The workspace that it acts in; `None` for an instance key that named none."""
    scopes: tuple[str, ...]
    expires_at: datetime | None
    plan: str | None
    rate_limits: tuple[RateLimit, ...]
    metadata_json: str = field(repr=False)
    valid: Literal[True] = True
    code: Literal["VALID"] = "VALID"

    @property
    def metadata(self) -> dict[str, Any]:
        """What the application keeps with the key: a copy of one's own."""
        return cast("dict[str, Any]", json.loads(self.metadata_json))


@dataclass(frozen=True)
class RefusedVerdict:
    """The key is refused. It is named where it is one that the service may know of."""

    code: str
    """The code that the key would get as a caller, such as `KEY_REVOKED`."""
    detail: str
    """Why, for people."""
    key_id: str | None = None
    owner_id: str | None = None
    home_workspace_id: str | None = None
    scopes: tuple[str, ...] = ()
    rate_limits: tuple[RateLimit, ...] = ()
    """Empty where the key was refused before its limits were asked."""
    violated_policies: tuple[str, ...] = ()
    """The windows that had no room."""
    retry_after_seconds: int | None = None
    """After how many seconds the same use would be within the limits."""
    valid: Literal[False] = False


Verdict = ValidVerdict | RefusedVerdict

MALFORMED = RefusedVerdict("UNAUTHORIZED", "The API key is malformed or cut short.")
"""What is said of a value that cannot be a key."""

MALFORMED_TOKEN = RefusedVerdict("UNAUTHORIZED", "The token is malformed or cut short.")
"""What is said of a value that claims to be a token and cannot be one."""


def read_verdict(answer: object) -> Verdict | None:
    """Reads the server's answer; `None` if it has not the form of one."""
    if not isinstance(answer, dict):
        return None
    try:
        if answer["valid"] is True and answer["code"] == "VALID":
            return _valid(answer)
        return _refused(answer) if answer["valid"] is False else None
    except (KeyError, TypeError, ValueError):
        return None


def depends_on(verdict: Verdict) -> tuple[str, ...]:
    """The ids of what the verdict depends on: a change to one of them may turn it."""
    workspace_id = verdict.workspace_id if verdict.valid else None
    ids = (verdict.key_id, verdict.owner_id, verdict.home_workspace_id, workspace_id)
    return tuple({id for id in ids if id is not None})


def has_spent(verdict: Verdict) -> bool:
    """Whether the server has counted the use that it was asked about."""
    return verdict.valid or (verdict.rate_limits != () and verdict.code != "RATE_LIMITED")


def _valid(answer: dict[str, Any]) -> ValidVerdict:
    expires_at = _text_or_none(answer["expiresAt"])
    if not isinstance(answer["metadata"], dict):
        raise TypeError
    return ValidVerdict(
        key_id=_text(answer["keyId"]),
        type=cast("KeyType", _text(answer["type"])),
        name=_text(answer["name"]),
        external_id=_text_or_none(answer["externalId"]),
        owner_id=_text_or_none(answer["ownerId"]),
        home_workspace_id=_text_or_none(answer["homeWorkspaceId"]),
        workspace_id=_text_or_none(answer["workspaceId"]),
        scopes=_texts(answer["scopes"]),
        expires_at=None if expires_at is None else _time(expires_at),
        plan=_text_or_none(answer["plan"]),
        rate_limits=_rate_limits(answer["rateLimits"]),
        metadata_json=json.dumps(answer["metadata"]),
    )


def _refused(answer: dict[str, Any]) -> RefusedVerdict:
    retry_after = answer.get("retryAfterSeconds")
    return RefusedVerdict(
        code=_text(answer["code"]),
        detail=_text(answer["detail"]),
        key_id=_text_or_none(answer.get("keyId")),
        owner_id=_text_or_none(answer.get("ownerId")),
        home_workspace_id=_text_or_none(answer.get("homeWorkspaceId")),
        scopes=_texts(answer.get("scopes", [])),
        rate_limits=_rate_limits(answer.get("rateLimits", [])),
        violated_policies=_texts(answer.get("violatedPolicies", [])),
        retry_after_seconds=None if retry_after is None else int(retry_after),
    )


def _rate_limits(windows: list[dict[str, Any]]) -> tuple[RateLimit, ...]:
    return tuple(
        RateLimit(
            policy=_text(window["policy"]),
            limit=int(window["limit"]),
            window_seconds=int(window["windowSeconds"]),
            remaining=int(window["remaining"]),
            reset_seconds=int(window["resetSeconds"]),
        )
        for window in windows
    )


def _time(text: str) -> datetime:
    # Before Python 3.11 neither Z nor a fraction of other than three or six digits is read.
    whole, _, fraction = text.removesuffix("Z").partition(".")
    time = datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")
    if time.utcoffset() is None or not text.endswith("Z"):
        raise ValueError
    return time


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError
    return tuple(_text(value) for value in values)
