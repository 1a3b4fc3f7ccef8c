"""How keys are written: a prefix, 43 random characters, and a CRC-32 of all before it in 6 characters of base 62."""

import re
import zlib

_WELL_FORMED = re.compile(r"[ac]k_[0-9A-Za-z]{49}", re.ASCII)
_CHECKSUM_AT = 46
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def is_key(value: object) -> bool:
    """Whether the value can be a key: no look-up is worth while for one that cannot."""
    return (
        isinstance(value, str)
        and _WELL_FORMED.fullmatch(value) is not None
        and _checksum_of(value[:_CHECKSUM_AT]) == value[_CHECKSUM_AT:]
    )


def claims_to_be_key(value: str) -> bool:
    """Whether the value claims to be a key of TigerTrust's."""
    return value.startswith(("ak_", "ck_"))


def _checksum_of(content: str) -> str:
    rest = zlib.crc32(content.encode("ascii"))
    digits = ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        digits = _BASE62[digit] + digits
    return digits
