"""What a presented key is to fulfil."""

import hashlib
import json
from typing import NamedTuple

from ._verdict import KeyType


class Question(NamedTuple):
    """A part that is `None` is not asked about."""

    type: KeyType | None = None
    scope: str | None = None
    workspace_id: str | None = None
    client_address: str | None = None


def digest_of(key: str, question: Question) -> bytes:
    """Names a key and a question, without telling the key."""
    return hashlib.sha256(json.dumps([key, *question]).encode()).digest()
