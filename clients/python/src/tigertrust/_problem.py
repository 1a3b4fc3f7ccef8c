"""Answers to requests that are not let in: problems of RFC 9457."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ._errors import NotAvailable
from ._presented import Refusal
from ._scope import grants
from ._verdict import RateLimit, RefusedVerdict

_TITLES = {401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests", 503: "Service Unavailable"}
_STATUSES = {"UNAUTHORIZED": 401, "TOKEN_EXPIRED": 401, "KEY_REVOKED": 401, "RATE_LIMITED": 429}
_UNAUTHORIZED, _TOO_MANY = 401, 429
_FOR_A_WHILE = "The rate limit of the key is reached. Try again after the time in Retry-After."
_NOT_PRESENTED = 'Bearer realm="tigertrust"'


@dataclass(frozen=True)
class Problem:
    """A status, headers and a body."""

    status: int
    headers: dict[str, str]
    body: bytes


def problem_of_request(refusal: Refusal) -> Problem:
    """What is said to a request that was refused without a call."""
    status = _status_of(refusal.code)
    challenge = _challenge("invalid_token" if refusal.is_presented else None) if status == _UNAUTHORIZED else {}
    return _problem(status, {"code": refusal.code, "detail": refusal.detail}, challenge)


def problem_of_verdict(verdict: RefusedVerdict, scope: str | None) -> Problem:
    """What is said to a request whose key is refused."""
    status = _status_of(verdict.code)
    # The server tells it to the service, in a member that this answer has not.
    is_for_a_while = status == _TOO_MANY and verdict.retry_after_seconds is not None
    detail = _FOR_A_WHILE if is_for_a_while else verdict.detail
    members: dict[str, Any] = {"code": verdict.code, "detail": detail}
    headers: dict[str, str] = {}
    if status == _UNAUTHORIZED:
        headers |= _challenge("invalid_token")
    if verdict.code == "FORBIDDEN" and scope is not None and not grants(verdict.scopes, scope):
        headers |= _challenge("insufficient_scope")
    if status == _TOO_MANY:
        members["violatedPolicies"] = verdict.violated_policies
        if verdict.retry_after_seconds is not None:
            headers["retry-after"] = str(verdict.retry_after_seconds)
    if verdict.rate_limits:
        headers |= _limits(verdict.rate_limits)
    return _problem(status, members, headers)


def problem_of_error(error: NotAvailable) -> Problem:
    """What is said while nobody can tell what a key is worth."""
    detail = "Keys cannot be checked at the moment. Try again shortly."
    headers = {"retry-after": str(error.retry_after_seconds)}
    return _problem(503, {"code": "SERVICE_UNAVAILABLE", "detail": detail}, headers)


def _status_of(code: str) -> int:
    return _STATUSES.get(code, 403)


def _problem(status: int, members: dict[str, Any], headers: dict[str, str]) -> Problem:
    body = {"type": "about:blank", "title": _TITLES[status], "status": status, **members}
    common = {"content-type": "application/problem+json", "cache-control": "no-store"}
    return Problem(status, common | headers, json.dumps(body).encode())


def _challenge(error: str | None) -> dict[str, str]:
    """RFC 6750 §3: no error where nothing was presented."""
    return {"www-authenticate": _NOT_PRESENTED if error is None else f'{_NOT_PRESENTED}, error="{error}"'}


def _limits(windows: Iterable[RateLimit]) -> dict[str, str]:
    """draft-ietf-httpapi-ratelimit-headers."""

    def listed(of: Callable[[RateLimit], str]) -> str:
        return ", ".join(f'"{window.policy}";{of(window)}' for window in windows)

    return {
        "ratelimit-policy": listed(lambda window: f"q={window.limit};w={window.window_seconds}"),
        "ratelimit": listed(lambda window: f"r={window.remaining};t={window.reset_seconds}"),
    }
