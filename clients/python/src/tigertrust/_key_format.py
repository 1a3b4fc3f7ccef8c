"""How keys are written: a prefix, 43 random characters, and a CRC-32 of all before it in 6 characters of base 62."""

import re
import zlib
from collections.abc import Sequence
from typing import TypeGuard

_WELL_FORMED = re.compile(r"[ac]k_[0-9A-Za-z]{49}", re.ASCII)
_OWN = ("ak_", "ck_")
# What follows the prefix of a key that was imported; its exact length is the server's to know.
_IMPORTED = re.compile(r"[0-9A-Za-z\-._~+/=]{20,512}", re.ASCII)
# A key without a prefix has letters and digits alone, as at the server.
_BARE = re.compile(r"[0-9A-Za-z]{20,512}", re.ASCII)
_CHECKSUM_AT = 46
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def is_key(value: object, prefixes: Sequence[str] = ()) -> TypeGuard[str]:
    """Whether the value can be a key, TigerTrust's or with one of the further prefixes.

    No look-up is worth while for one that cannot.
    """
    if not isinstance(value, str):
        return False
    if value.startswith(_OWN):
        well_formed = _WELL_FORMED.fullmatch(value) is not None
        return well_formed and _checksum_of(value[:_CHECKSUM_AT]) == value[_CHECKSUM_AT:]
    return any(_is_imported(value, prefix) for prefix in prefixes)


def claims_to_be_key(value: str, prefixes: Sequence[str] = ()) -> bool:
    """Whether the value claims to be a key: by its prefix, or by its whole form where keys may have none."""
    return value.startswith(_OWN) or any(
        value.startswith(prefix) if prefix else _is_imported(value, prefix) for prefix in prefixes
    )


def _is_imported(value: str, prefix: str) -> bool:
    pattern = _IMPORTED if prefix else _BARE
    return value.startswith(prefix) and pattern.fullmatch(value, len(prefix)) is not None


def _checksum_of(content: str) -> str:
    rest = zlib.crc32(content.encode("ascii"))
    digits = ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = _BASE62[digit] + digits
    return digits
