"""Genuine responses, which have to be accepted."""

import base64
from pathlib import Path

from documents import (
    ACS,
    ALICE,
    ASSERTION,
    ENVELOPED,
    EXCLUSIVE,
    PERSISTENT,
    PROVIDER,
    REQUEST,
    SERVICE,
    Response,
    Style,
    instant,
    sign,
    with_key_info,
)
from wrapping import SIGNED
from saml2 import BINDING_HTTP_POST
from saml2.config import IdPConfig
from saml2.saml import NameID
from saml2.server import Server

EMAIL_ADDRESS = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
MULTIPLE = "http://schemas.microsoft.com/claims/multipleauthn"
METHODS = "http://schemas.microsoft.com/claims/authnmethodsreferences"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"


def all(keys, folder):
    yield from by_xmlsec1(keys)
    yield from by_pysaml2(keys, folder)


def accepted(name, xml, subject=ALICE, **options):
    return {"name": name, "group": "genuine", "xml": xml, "expect": "accept", "subject": subject, **options}


def by_xmlsec1(keys):
    key = keys["provider"]
    for name, where in SIGNED.items():
        yield accepted(f"xmlsec1-{name}", sign(Response().xml(), key, **where))
        unsolicited = Response(in_response_to=None, confirmed_for=None)
        yield accepted(f"xmlsec1-unsolicited-{name}", sign(unsolicited.xml(), key, **where), request=None)
    formats = {"persistent": PERSISTENT, "email": EMAIL_ADDRESS, "unspecified": UNSPECIFIED, "none": None}
    for name, of in formats.items():
        value = "alice@example.com" if of == EMAIL_ADDRESS else ALICE
        response = Response(name_id=value, name_id_format=of)
        yield accepted(f"name-id-{name}", sign(response.xml(), key, assertion=True), subject=value)
    both = ["provider", "next"]
    yield accepted("rollover-first", sign(Response().xml(), key, assertion=True), certificates=both)
    yield accepted("rollover-second", sign(Response().xml(), keys["next"], response=True), certificates=both)
    for size in (384, 512):
        digest = {384: "http://www.w3.org/2001/04/xmldsig-more#sha384", 512: "http://www.w3.org/2001/04/xmlenc#sha512"}[size]
        style = Style(method=f"http://www.w3.org/2001/04/xmldsig-more#rsa-sha{size}", digest=digest)
        yield accepted(f"rsa-sha{size}", sign(Response().xml(), key, assertion=True, style=style))
    bare = Style(key_info="")
    yield accepted("no-key-info", sign(Response().xml(), key, assertion=True, style=bare))
    named = Style(key_info="<ds:KeyName>provider</ds:KeyName>")
    yield accepted("key-name", sign(Response().xml(), key, response=True, style=named))
    prefixes = Style(
        transforms=f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{EXCLUSIVE}">'
        f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="saml xs"/></ds:Transform>'
    )
    yield accepted("inclusive-prefixes", sign(Response().xml(), key, assertion=True, style=prefixes))
    declared = Response(prolog='<?xml version="1.0" encoding="UTF-8"?>\n')
    yield accepted("declaration", sign(declared.xml(), key, assertion=True))
    spaced = Response(prolog="\n<!-- made today -->\n", epilog="\n")
    yield accepted("comment-around", sign(spaced.xml(), key, response=True))
    qualified = Response(name_id_attributes=f' NameQualifier="{PROVIDER}" SPNameQualifier="{SERVICE}"')
    yield accepted("qualified", sign(qualified.xml(), key, assertion=True))
    late = Response(not_before=None, not_on_or_after=None)
    yield accepted("no-bounds-in-conditions", sign(late.xml(), key, assertion=True))
    for minutes in (7, -2):
        yield accepted(f"clock-{minutes}", sign(Response().xml(), key, assertion=True), minutes=minutes)
    foreign = Response(
        attributes=(("urn:oid:0.9.2342.19200300.100.1.3", ("müller@example.com",)), ("urn:oid:2.16.840.1.113730.3.1.241", ("Ä & <Ö>",))),
    )
    yield accepted("unicode", sign(foreign.xml(), key, assertion=True))
    yield from by_content(key)
    yield from in_shapes(keys)
    wrapped = sign(Response().xml(), key, assertion=True)
    encoded = "\r\n".join(base64.b64encode(wrapped.encode()).decode()[at : at + 76] for at in range(0, 100_000, 76)).strip()
    yield accepted("base64-in-lines", wrapped, encoded=encoded)


def in_shapes(keys):
    """As other providers write the same."""
    key, other = keys["provider"], keys["other"]
    chain = "".join(f"<ds:X509Certificate>{one.certificate_base64()}</ds:X509Certificate>" for one in (key, other))
    style = Style(key_info=f"<ds:X509Data>{chain}</ds:X509Data>")
    yield accepted("certificate-chain", sign(Response().xml(), key, assertion=True, style=style))
    keycloak = f"<ds:KeyName>provider</ds:KeyName><ds:X509Data><ds:X509Certificate>{key.certificate_base64()}</ds:X509Certificate></ds:X509Data>{key.key_value()}"
    for name, where in SIGNED.items():
        yield accepted(f"keycloak-shaped-{name}", with_key_info(sign(Response().xml(), key, **where), keycloak))
    # Azure AD: no prefixes within the response, and milliseconds.
    plain = Response(issued=instant().replace("Z", ".123Z"))
    assertion = plain.assertion()
    azure = assertion.replace("saml:", "").replace("<Assertion ", f'<Assertion xmlns="{ASSERTION}" ', 1)
    azure = plain.xml().replace(assertion, azure).replace(f' xmlns:saml="{ASSERTION}"', "", 1)
    azure = azure.replace("<saml:Issuer>", f'<Issuer xmlns="{ASSERTION}">').replace("</saml:Issuer>", "</Issuer>")
    for name, where in SIGNED.items():
        yield accepted(f"azure-shaped-{name}", sign(azure, key, **where, style=Style(prefixed=False)))
    # OpenSAML: types on every value.
    types = ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string"'
    typed = Response().xml().replace("<saml:AttributeValue>", f"<saml:AttributeValue{types}>")
    prefixes = Style(
        transforms=f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{EXCLUSIVE}">'
        f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="xs"/></ds:Transform>'
    )
    yield accepted("opensaml-shaped", sign(typed, key, response=True, assertion=True, style=prefixes))
    many = Response(attributes=(("groups", tuple(f"CN=group {n},OU=x,DC=example" for n in range(1_000))),))
    yield accepted("thousand-groups", sign(many.xml(), key, response=True, assertion=True))
    nested = Response(advice="<saml:Advice><x:Hint xmlns:x='urn:x'>none</x:Hint></saml:Advice>")
    yield accepted("advice", sign(nested.xml(), key, assertion=True))


def by_content(key):
    """What they say of the person."""
    classes = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
    contexts = {
        "refeds-mfa": "https://refeds.org/profile/mfa",
        "multipleauthn": MULTIPLE,
        "smartcard-pki": classes + "SmartcardPKI",
        "time-sync-token": classes + "TimeSyncToken",
        "x509": classes + "X509",
    }
    for name, context in contexts.items():
        yield accepted(f"context-{name}", sign(Response(context=context).xml(), key, assertion=True))
    password = "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password"
    attributes = {
        "methods-multipleauthn": ((METHODS, (password, MULTIPLE)),),
        "methods-password": ((METHODS, (password,)),),
        "methods-in-another-attribute": (("methods", (MULTIPLE,)),),
        "name-only-in-parts": (("urn:oid:2.5.4.42", ("Alice",)), ("urn:oid:2.5.4.4", ("Liddell",))),
    }
    for name, those in attributes.items():
        yield accepted(name, sign(Response(attributes=those).xml(), key, assertion=True))
    only = Response(name_id="alice@example.com", name_id_format=EMAIL_ADDRESS, attributes=())
    yield accepted("email-in-name-id-alone", sign(only.xml(), key, assertion=True), subject="alice@example.com")
    long = Response(not_on_or_after=instant(5_000_000), confirmed_until=instant(5_000_000))
    yield accepted("lives-for-years", sign(long.xml(), key, assertion=True))
    other = Response(
        name_id="_somebody",
        name_id_format="urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
        attributes=(("employee", ("4711",)), ("contact", ("al@example.com",)), ("called", ("Al",)), ("teams", ("red", "blue"))),
    )
    # Accepted where the connection names the attribute of the subject.
    yield {**accepted("other-attributes", sign(other.xml(), key, assertion=True)), "expect": "refuse"}


def by_pysaml2(keys, folder):
    """Responses as a real provider makes them."""
    key = keys["provider"]
    metadata = Path(folder, "sp.xml")
    metadata.write_text(
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{SERVICE}"><md:SPSSODescriptor '
        'protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><md:AssertionConsumerService '
        f'Binding="{BINDING_HTTP_POST}" Location="{ACS}" index="0"/></md:SPSSODescriptor></md:EntityDescriptor>'
    )
    config = IdPConfig().load(
        {
            "entityid": PROVIDER,
            "service": {
                "idp": {
                    "endpoints": {"single_sign_on_service": [("https://idp.example.com/sso", BINDING_HTTP_POST)]},
                    "policy": {"default": {"lifetime": {"minutes": 5}, "attribute_restrictions": None}},
                }
            },
            "metadata": {"local": [str(metadata)]},
            "key_file": str(key.path),
            "cert_file": str(key.certificate_path),
            "xmlsec_binary": "/usr/bin/xmlsec1",
        }
    )
    server = Server(config=config)
    for name, where in SIGNED.items():
        for short, of in {"persistent": PERSISTENT, "email": EMAIL_ADDRESS, "unspecified": UNSPECIFIED}.items():
            value = "alice@example.com" if of == EMAIL_ADDRESS else ALICE
            response = server.create_authn_response(
                {"mail": ["alice@example.com"], "displayName": ["Alice"], "eduPersonAffiliation": ["staff"]},
                in_response_to=REQUEST,
                destination=ACS,
                sp_entity_id=SERVICE,
                name_id=NameID(format=of, text=value),
                authn={"class_ref": "urn:oasis:names:tc:SAML:2.0:ac:classes:Password", "authn_auth": PROVIDER},
                sign_response=where.get("response", False),
                sign_assertion=where.get("assertion", False),
                sign_alg="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
                digest_alg="http://www.w3.org/2001/04/xmlenc#sha256",
            )
            yield accepted(f"pysaml2-{name}-{short}", str(response), subject=value)
