"""What an answer means that is none, and what to look at."""

import re

from ._errors import ServerAnswer

# A scope that may stand in a message: no key looks like one.
_SCOPE = re.compile(r"(?=.{1,64}\Z)[a-z][a-z0-9_-]*:[a-z0-9_*-]+", re.ASCII)
_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 400, 401, 403, 404, 429
_REDIRECTS = range(300, 400)
_OWN = "the service's own key (TIGERTRUST_API_KEY or api_key) was refused"


def meaning_of(said: ServerAnswer, scope: str | None) -> str:
    """In words. Nothing of the answer but the status, the code and the pointers is the server's text."""
    answer = str(said.status) if said.code is None else f"{said.status} {said.code}"
    meanings = {
        _BAD_REQUEST: f"the server does not know what was asked: {answer}{_wrong_in(said, scope)}",
        _UNAUTHORIZED: f"{_OWN}: {answer}; is it a key of this server, and neither revoked nor expired?",
        _FORBIDDEN: f"{_OWN}: {answer}; is it an agent key, and does it hold keys:verify?",
        _NOT_FOUND: f"it answered {answer}; is the address (TIGERTRUST_URL or url) that of a TigerTrust server?",
        _TOO_MANY: f"the service verifies more than its own key may: {answer}",
    }
    if said.status in _REDIRECTS:
        return f"it answered {answer}, and is not followed elsewhere; is the address (TIGERTRUST_URL or url) right?"
    return meanings.get(said.status or 0, f"it answered {answer}")


def _wrong_in(said: ServerAnswer, scope: str | None) -> str:
    if not said.pointers:
        return ""
    where = f" at {', '.join(said.pointers)}"
    if "/scope" not in said.pointers or scope is None:
        return where
    if _SCOPE.fullmatch(scope):
        return f"{where}: is the scope {scope} in its catalogue?"
    return f"{where}: a scope is written as certificates:read is"
