#!/usr/bin/env python3
"""Writes the responses that the service provider of SAML is tested with, genuine ones and attacks, into a file.

    generate.py FILE

The signatures are those of xmlsec1, and of OpenSSL where xmlsec1 refuses to make one; the genuine responses are those of pysaml2
too. Both have to be installed; scripts/lib/saml.sh sees to it."""

import base64
import json
import socket
import sys
import tempfile

import attacks
import controls
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from documents import ACS, DSIG, NOW, OTHER_PROVIDER, PROTOCOL, PROVIDER, REQUEST, SERVICE, Key

LISTENER = "127.83.65.77"


def free_port():
    with socket.socket() as listening:
        listening.bind((LISTENER, 0))
        return listening.getsockname()[1]


def metadata(key):
    """That of the provider, for the fuzzer to begin with."""
    return (
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{PROVIDER}"><md:IDPSSODescriptor '
        f'protocolSupportEnumeration="{PROTOCOL}"><md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{DSIG}"><ds:X509Data>'
        f"<ds:X509Certificate>{key.certificate_base64()}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example.com/sso"/>'
        "</md:IDPSSODescriptor></md:EntityDescriptor>"
    )


def main():
    (path,) = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        keys = {name: Key(folder, name) for name in ("provider", "next", "attacker", "other")}
        keys["short"] = Key(folder, "short", rsa.generate_private_key(65537, 1024))
        keys["curve"] = Key(folder, "curve", ec.generate_private_key(ec.SECP256R1()))
        listener = f"{LISTENER}:{free_port()}"
        cases = [*controls.all(keys, folder), *attacks.all(keys, listener)]
        names = [case["name"] for case in cases]
        assert len(names) == len(set(names)), [name for name in names if names.count(name) > 1]
        for case in cases:
            text = case.pop("xml")
            raw = text if isinstance(text, bytes) else text.encode()
            case["response"] = case.pop("encoded", None) or base64.b64encode(raw).decode()
        corpus = {
            "now": int(NOW.timestamp()),
            "provider": PROVIDER,
            "otherProvider": OTHER_PROVIDER,
            "service": SERVICE,
            "acs": ACS,
            "request": REQUEST,
            "listener": listener,
            "metadata": metadata(keys["provider"]),
            "certificates": {name: key.certificate_base64() for name, key in keys.items()},
            "cases": cases,
        }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(corpus, file)
    print(f"{len(cases)} responses of SAML in {path}")


if __name__ == "__main__":
    main()
