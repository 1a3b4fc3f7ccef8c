"""Signs tokens as a server does, with whatever claims a test needs."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Signer:
    """A key to sign with."""

    def __init__(self, kid: str = "tigertrust-0123456789abcdef") -> None:
        self.kid = kid
        self._key = Ed25519PrivateKey.generate()
        x = encode(self._key.public_key().public_bytes_raw())
        self.jwk = {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": kid, "x": x}

    def token(self, claims: object, header: str | None = None) -> str:
        """A token that says so."""
        head = header or f'{{"alg":"EdDSA","typ":"at+jwt","kid":"{self.kid}"}}'
        signed = f"{encode(head.encode())}.{encode(json.dumps(claims).encode())}"
        return f"{signed}.{encode(self._key.sign(signed.encode()))}"


def key_set_of(*signers: Signer) -> str:
    """What a server would answer that has these keys."""
    return json.dumps({"keys": [signer.jwk for signer in signers]})


def encode(content: bytes) -> str:
    """In base64url, without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
