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


def check_texts(**parts: object) -> None:
    """Refuses what is no text: a list of scopes, say, asks for none of them."""
    for name, value in parts.items():
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be a text, or None where nothing is to be asked for")


def digest_of(key: str, question: Question) -> bytes:
    """Names a key and a question, without telling the key."""
    return hashlib.sha256(json.dumps([key, *question]).encode()).digest()
