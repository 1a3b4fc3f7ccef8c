"""Responses of an identity provider, signed by xmlsec1."""

import base64
import datetime
import functools
import re
import subprocess
import tempfile
import xml.dom.minidom
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
ENVELOPED = DSIG + "enveloped-signature"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
RSA_SHA1 = DSIG + "rsa-sha1"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
HMAC_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
SHA1 = DSIG + "sha1"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"

PROVIDER = "https://idp.example.com/saml/metadata"
OTHER_PROVIDER = "https://idp.other.example/saml/metadata"
SERVICE = "https://auth.example.com/sso/saml/acme/metadata"
ACS = "https://auth.example.com/sso/saml/acme/acs"
REQUEST = "_request-of-this-browser"
ALICE = "alice-0815"
VICTIM = "victim-0001"

PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def instant(minutes=0):
    """NOW and so many minutes, as SAML writes it."""
    return (NOW + datetime.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Key:
    """A private key, in a file for xmlsec1, and its certificate."""

    def __init__(self, folder, name, private=None):
        self.name = name
        self.private = private or rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(self.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - datetime.timedelta(days=1))
            .not_valid_after(NOW + datetime.timedelta(days=365))
            .sign(self.private, hashes.SHA256())
        )
        self.path = Path(folder, f"{name}.key")
        self.path.write_bytes(
            self.private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        self.certificate_path = Path(folder, f"{name}.crt")
        self.certificate_path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def certificate_base64(self):
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()

    def key_value(self):
        """The public key, as a signature may bring it along."""
        modulus = base64.b64encode(self.private.public_key().public_numbers().n.to_bytes(256, "big")).decode()
        return f"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"

    def sign(self, message):
        return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True)
class Response:
    """What a response says. None leaves a thing out."""

    name_id: str = ALICE
    name_id_format: str = PERSISTENT
    name_id_attributes: str = ""
    issuer: str = PROVIDER
    assertion_issuer: str = PROVIDER
    response_id: str = "_response-1"
    assertion_id: str = "_assertion-1"
    destination: str = ACS
    in_response_to: str = REQUEST
    recipient: str = ACS
    confirmed_for: str = REQUEST
    audience: str = SERVICE
    audiences: str = None
    status: str = SUCCESS
    version: str = "2.0"
    method: str = BEARER
    issued: str = field(default_factory=instant)
    not_before: str = field(default_factory=lambda: instant(-1))
    not_on_or_after: str = field(default_factory=lambda: instant(5))
    confirmed_until: str = field(default_factory=lambda: instant(5))
    authn_instant: str = field(default_factory=lambda: instant(-1))
    session_until: str = None
    session_index: str = "_session-1"
    context: str = PASSWORD
    attributes: tuple = (("mail", ("alice@example.com",)), ("displayName", ("Alice",)), ("groups", ("staff", "admins")))
    # Raw XML.
    subject: str = None
    conditions: str = ""
    confirmation_data: str = ""
    statements: str = None
    advice: str = ""
    extensions: str = ""
    more_assertions: str = ""
    prolog: str = ""
    epilog: str = ""

    def but(self, **changes):
        return replace(self, **changes)

    def xml(self):
        return (
            f'{self.prolog}<samlp:Response xmlns:samlp="{PROTOCOL}" xmlns:saml="{ASSERTION}"'
            f'{_attribute("ID", self.response_id)}{_attribute("Version", self.version)}'
            f'{_attribute("IssueInstant", self.issued)}{_attribute("Destination", self.destination)}'
            f'{_attribute("InResponseTo", self.in_response_to)}>'
            f"{_issuer(self.issuer)}{self.extensions}"
            f'<samlp:Status><samlp:StatusCode Value="{self.status}"/></samlp:Status>'
            f"{self.assertion()}{self.more_assertions}</samlp:Response>{self.epilog}"
        )

    def assertion(self):
        restriction = f"<saml:AudienceRestriction><saml:Audience>{self.audience}</saml:Audience></saml:AudienceRestriction>"
        restrictions = self.audiences if self.audiences is not None else restriction
        return (
            f'<saml:Assertion{_attribute("ID", self.assertion_id)} Version="2.0" IssueInstant="{self.issued}">'
            f"{_issuer(self.assertion_issuer)}{self._subject()}"
            f'<saml:Conditions{_attribute("NotBefore", self.not_before)}'
            f'{_attribute("NotOnOrAfter", self.not_on_or_after)}>{restrictions}{self.conditions}</saml:Conditions>'
            f"{self.advice}{self._statements()}</saml:Assertion>"
        )

    def _subject(self):
        if self.subject is not None:
            return self.subject
        name_id = ""
        if self.name_id is not None:
            name_id = f'<saml:NameID{_attribute("Format", self.name_id_format)}{self.name_id_attributes}>{self.name_id}</saml:NameID>'
        return (
            f'<saml:Subject>{name_id}<saml:SubjectConfirmation Method="{self.method}">'
            f'<saml:SubjectConfirmationData{_attribute("NotOnOrAfter", self.confirmed_until)}'
            f'{_attribute("Recipient", self.recipient)}{_attribute("InResponseTo", self.confirmed_for)}>'
            f"{self.confirmation_data}</saml:SubjectConfirmationData></saml:SubjectConfirmation></saml:Subject>"
        )

    def _statements(self):
        if self.statements is not None:
            return self.statements
        attributes = "".join(
            f'<saml:Attribute Name="{name}">'
            + "".join(f"<saml:AttributeValue>{escape(value)}</saml:AttributeValue>" for value in values)
            + "</saml:Attribute>"
            for name, values in self.attributes
        )
        return (
            f'<saml:AuthnStatement AuthnInstant="{self.authn_instant}"{_attribute("SessionIndex", self.session_index)}'
            f'{_attribute("SessionNotOnOrAfter", self.session_until)}><saml:AuthnContext>'
            f"<saml:AuthnContextClassRef>{self.context}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
            + (f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement>" if attributes else "")
        )


def _attribute(name, value):
    return "" if value is None else f' {name}="{value}"'


def _issuer(value):
    return "" if value is None else f"<saml:Issuer>{value}</saml:Issuer>"


@dataclass(frozen=True)
class Style:
    """How a signature is made."""

    canonicalization: str = EXCLUSIVE
    method: str = RSA_SHA256
    digest: str = SHA256
    transforms: str = f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{EXCLUSIVE}"/>'
    key_info: str = None
    # Whether the elements of signatures have a prefix.
    prefixed: bool = True


@functools.cache
def sign(document, key, *, response=False, assertion=False, style=Style()):
    """The document with signatures of xmlsec1: first in the assertion, then in the response, as providers do it. RSA signs the
    same in the same way, so each is made once."""
    if assertion:
        document = _sign_one(document, key, "Assertion", style)
    if response:
        document = _sign_one(document, key, "Response", style)
    return document


def _sign_one(document, key, name, style):
    head = re.search(rf"<(\w+:)?{name}\b[^>]*>(\s*<(\w+:)?Issuer[^>]*>[^<]*</(\w+:)?Issuer>)?", document)
    element_id = re.search(r'\sID="([^"]*)"', head.group(0)).group(1)
    key_info = style.key_info
    if key_info is None:
        key_info = f"<ds:X509Data><ds:X509Certificate>{key.certificate_base64()}</ds:X509Certificate></ds:X509Data>"
    template = (
        f'<ds:Signature xmlns:ds="{DSIG}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{style.canonicalization}"/>'
        f'<ds:SignatureMethod Algorithm="{style.method}"/><ds:Reference URI="#{element_id}">'
        f"<ds:Transforms>{style.transforms}</ds:Transforms>"
        f'<ds:DigestMethod Algorithm="{style.digest}"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/>'
        + (f"<ds:KeyInfo>{key_info}</ds:KeyInfo>" if key_info else "")
        + "</ds:Signature>"
    )
    if not style.prefixed:
        template = template.replace("xmlns:ds=", "xmlns=").replace("<ds:", "<").replace("</ds:", "</")
    document = document[: head.end()] + template + document[head.end() :]
    namespace = PROTOCOL if name == "Response" else ASSERTION
    with tempfile.NamedTemporaryFile("w", suffix=".xml", encoding="utf-8") as file:
        file.write(document)
        file.flush()
        where = f"//*[local-name()='{name}']/*[local-name()='Signature']"
        done = subprocess.run(
            ["xmlsec1", "--sign", "--privkey-pem", key.path, "--id-attr:ID", f"{namespace}:{name}", "--node-xpath", where, file.name],
            capture_output=True,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())
    text = done.stdout.decode()
    return text if document.startswith("<?xml") else text.removeprefix('<?xml version="1.0"?>\n').removesuffix("\n")


def resign(document, key, signed_info, *, value=None, method="rsa"):
    """The document with its first signature replaced by one over a SignedInfo of one's own, which has to be canonical. `{digest}`
    and `{id}` stand for those of the former."""
    digest = re.search(r"<ds:DigestValue>([^<]*)</ds:DigestValue>", document).group(1)
    reference = re.search(r'<ds:Reference URI="#([^"]*)"', document).group(1)
    signed_info = signed_info.replace("{digest}", digest).replace("{id}", reference)
    if value is None:
        value = key.sign(signed_info.encode()) if method == "rsa" else method(signed_info.encode())
        value = base64.b64encode(value).decode()
    signature = f'<ds:Signature xmlns:ds="{DSIG}">{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue></ds:Signature>'
    return re.sub(r"<ds:Signature\b.*?</ds:Signature>", lambda _: signature, document, count=1, flags=re.DOTALL)


def signed_info(references, *, canonicalization=EXCLUSIVE, method=RSA_SHA256, more=""):
    return (
        f'<ds:SignedInfo xmlns:ds="{DSIG}"><ds:CanonicalizationMethod Algorithm="{canonicalization}"></ds:CanonicalizationMethod>'
        f'<ds:SignatureMethod Algorithm="{method}">{more}</ds:SignatureMethod>{references}</ds:SignedInfo>'
    )


def reference(uri="#{id}", *, transforms=(ENVELOPED, EXCLUSIVE), digest_method=SHA256, digest="{digest}", attributes=""):
    steps = "".join(
        step if step.startswith("<") else f'<ds:Transform Algorithm="{step}"></ds:Transform>' for step in transforms
    )
    uri = "" if uri is None else f' URI="{uri}"'
    return (
        f"<ds:Reference{attributes}{uri}><ds:Transforms>{steps}</ds:Transforms>"
        f'<ds:DigestMethod Algorithm="{digest_method}"></ds:DigestMethod><ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>'
    )


def with_key_info(document, key_info):
    """The document with something else in the KeyInfo of its first signature, which is not signed. xmlsec1 is not to see it: it
    would take the key that it signs with from there."""
    return re.sub(r"<ds:KeyInfo>.*?</ds:KeyInfo>", lambda _: f"<ds:KeyInfo>{key_info}</ds:KeyInfo>", document, count=1, flags=re.DOTALL)


def signature_of(document):
    return re.search(r"<ds:Signature\b.*?</ds:Signature>", document, flags=re.DOTALL).group(0)


def refused(group, name, document, **options):
    """A response that has to be refused."""
    return {"name": name, "group": group, "xml": document, "expect": "refuse", "subject": ALICE, **options}


def parse(document):
    return xml.dom.minidom.parseString(document.encode())


def write(dom):
    return dom.documentElement.toxml()


def hmac_with_certificate(key):
    """The confusion of a public key with a secret: an HMAC that is keyed with the certificate."""

    def compute(secret):
        def one(message):
            mac = hmac.HMAC(secret, hashes.SHA256())
            mac.update(message)
            return mac.finalize()

        return one

    der = key.certificate.public_bytes(serialization.Encoding.DER)
    public = key.private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {
        "der": compute(der),
        "pem": compute(key.certificate_path.read_bytes()),
        "public-key": compute(public),
    }
