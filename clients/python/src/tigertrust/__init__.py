"""Checks API keys with a TigerTrust server, remembers the answers, and forgets them when something has changed."""

from ._client import TigerTrust
from ._errors import NotAvailable, Reason
from ._settings import Change, State
from ._verdict import KeyType, RateLimit, RefusedVerdict, ValidVerdict, Verdict

__all__ = [
    "Change",
    "KeyType",
    "NotAvailable",
    "RateLimit",
    "Reason",
    "RefusedVerdict",
    "State",
    "TigerTrust",
    "ValidVerdict",
    "Verdict",
]
