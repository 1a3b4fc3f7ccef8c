"""How short-lived tokens are written: JSON Web Tokens that begin with the same bytes, signed with Ed25519."""

import base64
import re
from typing import NamedTuple

# {"alg":"EdDSA","typ":"at+jwt","kid":"tigertrust- in base64url.
_PREFIX = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6InRpZ2VydHJ1c3Qt"
_WELL_FORMED = re.compile(r"([\w-]{88})\.([\w-]+)\.([\w-]{86})", re.ASCII)
_HEADER = re.compile(rb'\{"alg":"EdDSA","typ":"at\+jwt","kid":"(tigertrust-[\w-]{16})"\}')
# More than a token with many scopes needs.
_LONGEST = 8_192


class Token(NamedTuple):
    """A token that is well formed. What is in it is nobody's word yet."""

    kid: str
    """Which key it says that it is signed with."""
    signed: bytes
    """What the signature is of."""
    payload: str
    """The claims, in base64url."""
    signature: bytes

    def __repr__(self) -> str:
        return "Token(…)"


def claims_to_be_token(value: object) -> bool:
    """Whether the value claims to be a token of TigerTrust's. Other JSON Web Tokens do not."""
    return isinstance(value, str) and value.startswith(_PREFIX)


def read_token(value: str) -> Token | None:
    """Takes a token apart; `None` if it is malformed or cut short."""
    if len(value) > _LONGEST or not claims_to_be_token(value):
        return None
    matched = _WELL_FORMED.fullmatch(value)
    if matched is None:
        return None
    header, payload, signature = matched.groups()
    named = _HEADER.fullmatch(decode(header))
    if named is None:
        return None
    return Token(named[1].decode(), f"{header}.{payload}".encode(), payload, decode(signature))


def decode(text: str) -> bytes:
    """Decodes base64url without padding. What is of no whole byte is passed over."""
    whole = text[: len(text) - 1] if len(text) % 4 == 1 else text
    return base64.urlsafe_b64decode(whole + "=" * (-len(whole) % 4))
