"""Ed25519, where the package `cryptography` is installed: `tigertrust[tokens]`."""

from typing import Protocol

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    CAN_VERIFY = False
else:
    CAN_VERIFY = True


class PublicKey(Protocol):
    """A key that signatures are verified with."""

    def verify(self, signature: bytes, data: bytes, /) -> None:
        """Raises an error if the signature is not good."""


def public_key_of(x: bytes) -> PublicKey:
    """The key with these 32 bytes."""
    return Ed25519PublicKey.from_public_bytes(x)


def is_signed(signature: bytes, data: bytes, key: PublicKey) -> bool:
    """Whether the signature of the data is good."""
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True
