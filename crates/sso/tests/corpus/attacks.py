"""Responses that must not be accepted, or must not be taken for those of somebody else."""

import base64
import re

import contents
import signatures
import wrapping
from documents import (
    ALICE,
    PROVIDER,
    SERVICE,
    VICTIM,
    Response,
    Style,
    refused,
    sign,
    signature_of,
)
from wrapping import SIGNED


def all(keys, listener):
    key = keys["provider"]
    yield from (refused("wrapping", name, xml) for name, xml in wrapping.numbered(key))
    yield from (refused("wrapping elsewhere", name, xml) for name, xml in wrapping.hidden(key))
    yield from (refused("wrapping elsewhere", name, xml) for name, xml in wrapping.planted(key))
    yield from ids(key)
    yield from tampering(keys)
    yield from signatures.all(keys)
    yield from texts(key)
    yield from document_types(key, listener)
    yield from signatures.fetching(keys, listener)
    yield from contents.all(keys)
    yield from sizes(key)


def ids(key):
    group = "ids"
    for signed, where in SIGNED.items():
        document = sign(Response().xml(), key, **where)
        evil = Response(name_id=VICTIM).assertion()
        # A second element with the id that is signed.
        yield refused(group, f"same-id-twice-{signed}", document.replace("</samlp:Response>", evil + "</samlp:Response>"))
        yield refused(group, f"same-id-first-{signed}", document.replace("<samlp:Status>", evil + "<samlp:Status>", 1))
        same = '<samlp:Extensions><x xmlns="urn:x" ID="_assertion-1"/></samlp:Extensions><samlp:Status>'
        yield refused(group, f"same-id-in-extensions-{signed}", document.replace("<samlp:Status>", same, 1))
        for odd in ("Id", "id", "xml:id", "AssertionID", "ResponseID", "saml:ID", "samlp:ID", "iD"):
            # The forged assertion has the odd id that is signed, the real one is hidden under the usual one.
            shadow = evil.replace(' ID="_assertion-1"', f' {odd}="_assertion-1"')
            yield refused(
                group, f"{odd.replace(':', '-')}-on-another-{signed}", document.replace("<samlp:Status>", shadow + "<samlp:Status>", 1)
            )
            renamed = document.replace(' ID="_assertion-1"', f' {odd}="_assertion-1"')
            yield refused(group, f"{odd.replace(':', '-')}-renamed-{signed}", renamed)
            both = document.replace(' ID="_assertion-1"', f' ID="_assertion-1" {odd}="_response-1"')
            yield refused(group, f"{odd.replace(':', '-')}-beside-{signed}", both)
        written = document.replace(' ID="_assertion-1"', ' ID="&#95;assertion-1"').replace(' URI="#_', ' URI="#&#x5f;')
        # The same document in other letters; its canonical form, and so its signature, is the same.
        yield {**refused(group, f"character-reference-{signed}", written), "expect": "same"}
        shadow = evil.replace(' ID="_assertion-1"', ' ID="&#95;assertion-1"')
        yield refused(group, f"character-reference-twice-{signed}", document.replace("<samlp:Status>", shadow + "<samlp:Status>", 1))
    for bad in ("", " _assertion-1", "_a b", "#x", "1-digit", "_ä", "_" * 300):
        document = sign(Response().xml(), key, response=True).replace("_assertion-1", bad)
        yield refused(group, f"bad-id-{bad[:8]!r}", document)
    for missing in ({"response_id": None}, {"assertion_id": None}):
        response = Response(**missing)
        where = {"response": "response_id" not in missing, "assertion": "assertion_id" not in missing}
        yield refused(group, f"without-{list(missing)[0]}", sign(response.xml(), key, **where))
    same = Response(assertion_id="_same", response_id="_same").xml()
    yield refused(group, "response-and-assertion-share-one", sign(same, key, assertion=True))


def tampering(keys):
    group = "tampered"
    key = keys["provider"]
    for signed, where in SIGNED.items():
        document = sign(Response().xml(), key, **where)
        changes = {
            "name-id": (ALICE, VICTIM),
            "name-id-case": (ALICE, ALICE.upper()),
            "audience": (f"<saml:Audience>{SERVICE}<", f"<saml:Audience>{SERVICE}</saml:Audience><saml:Audience>x<"),
            "attribute": ("alice@example.com", "victim@example.com"),
            "group": (">staff<", ">owners<"),
            "group-added": ("<saml:AttributeValue>staff", "<saml:AttributeValue>owners</saml:AttributeValue><saml:AttributeValue>staff"),
            "format": ("nameid-format:persistent", "nameid-format:unspecified"),
            "context": ("PasswordProtectedTransport", "SmartcardPKI"),
            "session": ("_session-1", "_session-2"),
            "white-space": ("<saml:Subject>", "<saml:Subject> "),
        }
        for name, (old, new) in changes.items():
            assert old in document, name
            yield refused(group, f"{name}-{signed}", document.replace(old, new))
        stripped = re.sub(r"<ds:Signature\b.*?</ds:Signature>", "", document, flags=re.DOTALL)
        yield refused(group, f"stripped-{signed}", stripped)
        yield refused(group, f"stripped-and-forged-{signed}", stripped.replace(ALICE, VICTIM))
        emptied = re.sub(r"<ds:SignatureValue>.*?</ds:SignatureValue>", "<ds:SignatureValue></ds:SignatureValue>", document, flags=re.DOTALL)
        yield refused(group, f"empty-signature-{signed}", emptied)
        yield refused(group, f"empty-signature-and-forged-{signed}", emptied.replace(ALICE, VICTIM))
        digest = re.sub(r"<ds:DigestValue>.*?</ds:DigestValue>", "<ds:DigestValue></ds:DigestValue>", document, flags=re.DOTALL)
        yield refused(group, f"empty-digest-{signed}", digest)
        yield refused(group, f"empty-digest-and-forged-{signed}", digest.replace(ALICE, VICTIM))
        zero = re.sub(r"<ds:SignatureValue>.*?</ds:SignatureValue>", f"<ds:SignatureValue>{'A' * 342}==</ds:SignatureValue>", document, flags=re.DOTALL)
        yield refused(group, f"zero-signature-{signed}", zero)
        # Signed by somebody else: with their certificate, with the real one, with none.
        foreign = sign(Response(name_id=VICTIM).xml(), keys["attacker"], **where)
        yield refused(group, f"attackers-key-{signed}", foreign)
        named = foreign.replace(keys["attacker"].certificate_base64(), key.certificate_base64())
        yield refused(group, f"attackers-key-real-certificate-{signed}", named)
        bare = sign(Response(name_id=VICTIM).xml(), keys["attacker"], **where, style=Style(key_info=""))
        yield refused(group, f"attackers-key-no-certificate-{signed}", bare)
        yield refused(group, f"unknown-certificate-{signed}", sign(Response().xml(), keys["next"], **where))
        yield refused(group, f"no-certificates-{signed}", document, certificates=[])
        yield refused(group, f"only-other-certificates-{signed}", document, certificates=["next", "other"])
    # One of two signatures is good.
    good = sign(Response().xml(), key, response=True, assertion=True)
    values = re.findall(r"<ds:SignatureValue>.*?</ds:SignatureValue>", good, flags=re.DOTALL)
    yield refused(group, "signatures-swapped", good.replace(values[0], "@").replace(values[1], values[0]).replace("@", values[1]))
    mixed = sign(sign(Response().xml(), keys["attacker"], assertion=True), key, response=True)
    yield refused(group, "assertion-by-attacker-response-by-provider", mixed)
    mixed = sign(sign(Response().xml(), key, assertion=True), keys["attacker"], response=True)
    yield refused(group, "assertion-by-provider-response-by-attacker", mixed)
    broken = sign(Response().xml(), key, assertion=True)
    broken = broken.replace("<samlp:Status>", signature_of(sign(Response().xml(), keys["attacker"], response=True)) + "<samlp:Status>", 1)
    yield refused(group, "foreign-signature-added", broken)
    # Another person's genuine response is mixed in.
    own = sign(Response().xml(), key, assertion=True)
    other = sign(Response(name_id=VICTIM).xml(), key, assertion=True)
    assertion = re.search(r"<saml:Assertion\b.*</saml:Assertion>", own, flags=re.DOTALL).group(0)
    yield refused(group, "two-genuine-assertions", other.replace("</samlp:Response>", assertion.replace("_assertion-1", "_assertion-2") + "</samlp:Response>"))
    yield refused(group, "signature-of-another", other.replace(signature_of(other), signature_of(own)))


def texts(key):
    """Names that some read to a comment only, others whole."""
    group = "texts"
    whole = f"{VICTIM}.evil.example"
    for signed, where in SIGNED.items():
        document = sign(Response(name_id=whole).xml(), key, **where)
        # CVE-2017-11427 and its siblings. The signature is good: comments are not signed.
        commented = document.replace(whole, f"{VICTIM}<!-- -->.evil.example")
        yield {**refused(group, f"CVE-2017-11427-comment-in-name-id-{signed}", commented, subject=whole), "expect": "accept"}
        yield {**refused(group, f"comment-before-name-id-{signed}", document.replace(whole, f"<!-- x -->{whole}"), subject=whole), "expect": "accept"}
        written = document.replace(whole, f"{VICTIM}&#46;evil.example")
        yield {**refused(group, f"character-reference-in-name-id-{signed}", written, subject=whole), "expect": "same"}
        yield refused(group, f"pi-in-name-id-{signed}", document.replace(whole, f"{VICTIM}<?x?>.evil.example"), subject=whole)
        yield refused(group, f"cdata-in-name-id-{signed}", document.replace(whole, f"<![CDATA[{VICTIM}]]>.evil.example"), subject=whole)
        yield refused(group, f"cdata-end-in-name-id-{signed}", document.replace(whole, f"{VICTIM}<![CDATA[.evil.example]]>"), subject=whole)
        yield refused(group, f"element-in-name-id-{signed}", document.replace(whole, f"{VICTIM}<x xmlns='urn:x'/>.evil.example"), subject=whole)
    for name, value in {
        "empty": "",
        "blank": "   ",
        "comment": "<!-- x -->",
        "space-before": f" {ALICE}",
        "space-after": f"{ALICE}\n",
        "control": f"{ALICE}&#x9;x",
        "next-line": f"{ALICE}&#x85;x",
        "no-break-space": f"{ALICE}&#xa0;",
        "long": "a" * 2000,
        "element": f"<x xmlns='urn:x'>{ALICE}</x>",
    }.items():
        yield refused(group, f"name-id-{name}", sign(Response(name_id=value).xml(), key, assertion=True))
    yield refused(group, "no-name-id", sign(Response(name_id=None).xml(), key, assertion=True))
    # The issuer and the audience, cut short by a comment, would be ours.
    for name, changes in {
        "issuer": {"issuer": f"{PROVIDER}<!-- -->.evil"},
        "assertion-issuer": {"assertion_issuer": f"{PROVIDER}<!-- -->.evil"},
        "audience": {"audience": f"{SERVICE}<!-- -->.evil"},
    }.items():
        yield refused(group, f"comment-in-{name}", sign(Response(**changes).xml(), key, assertion=True))


def document_types(key, listener):
    group = "document types"
    plain = sign(Response().xml(), key, assertion=True)
    entity = f'<!DOCTYPE x [<!ENTITY e "{VICTIM}">]>'
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    subsets = {
        "empty": "<!DOCTYPE x>",
        "entity": entity,
        "external": f'<!DOCTYPE x SYSTEM "http://{listener}/dtd">',
        "public": f'<!DOCTYPE x PUBLIC "-//X//EN" "http://{listener}/public">',
        "parameter": f'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://{listener}/p"> %p;]>',
        "xxe-http": f'<!DOCTYPE x [<!ENTITY e SYSTEM "http://{listener}/xxe">]>',
        "xxe-file": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        "laughs": f'<!DOCTYPE x [<!ENTITY l0 "lol">{laughs}<!ENTITY e "&l9;">]>',
        "quadratic": f'<!DOCTYPE x [<!ENTITY e "{"a" * 50_000}">]>',
        "id-attribute": '<!DOCTYPE x [<!ATTLIST saml:Assertion evil ID #IMPLIED>]>',
        "default-attribute": '<!DOCTYPE x [<!ATTLIST saml:NameID Format CDATA "urn:x">]>',
        "lower-case": "<!doctype x>",
    }
    for name, subset in subsets.items():
        yield refused(group, f"doctype-{name}", subset + plain)
        yield refused(group, f"doctype-{name}-used", subset + plain.replace(ALICE, "&e;"))
    yield refused(group, "unknown-entity", plain.replace(ALICE, "&e;"))
    yield refused(group, "html-entity", plain.replace(ALICE, "alice&nbsp;0815"))
    yield refused(group, "doctype-inside", plain.replace("<saml:Subject>", "<!DOCTYPE x><saml:Subject>"))
    yield refused(group, "stylesheet", f'<?xml-stylesheet href="http://{listener}/xsl"?>{plain}')
    yield refused(group, "instruction-after", plain + "<?x y?>")
    yield refused(group, "second-root", plain + "<x/>")
    yield refused(group, "CVE-2022-39299-second-root", plain + plain)
    yield refused(group, "text-after", plain + "x")
    yield refused(group, "text-before", "x" + plain)
    # CVE-2020-29509 to 29511: names that come out otherwise than they went in.
    yield refused(group, "CVE-2020-29510-directive", plain.replace("<saml:Subject>", "<!x <!-- -->><saml:Subject>"))
    yield refused(group, "CVE-2020-29509-attribute", plain.replace("<saml:Subject>", '<saml:Subject :x="y">'))
    yield refused(group, "CVE-2020-29511-element", plain.replace("saml:Subject>", "saml::Subject>"))
    yield refused(group, "nul", plain + "\0")
    yield refused(group, "truncated", plain[:-10])
    yield refused(group, "unclosed-comment", plain + "<!-- ")
    yield refused(group, "double-dash-comment", plain.replace(ALICE, f"{ALICE}<!-- -- -->"))
    yield refused(group, "attribute-twice", plain.replace(' Version="2.0"', ' Version="2.0" Version="2.0"', 1))
    yield refused(group, "attribute-unquoted", plain.replace(' Version="2.0"', " Version=2.0", 1))
    yield refused(group, "undeclared-prefix", plain.replace("<saml:Subject>", "<saml:Subject evil:x='1'>"))
    yield refused(group, "xml-1.1", '<?xml version="1.1"?>' + plain)
    yield refused(group, "utf-16-declared", '<?xml version="1.0" encoding="UTF-16"?>' + plain)
    yield refused(group, "utf-7-declared", '<?xml version="1.0" encoding="UTF-7"?>' + plain)
    yield refused(group, "utf-16", plain.encode("utf-16"))
    yield refused(group, "latin-1", plain.replace("Alice", "Al\xefce").encode("latin-1"))
    yield refused(group, "not-xml", "hello")
    yield refused(group, "empty", "")
    yield refused(group, "json", '{"a": 1}')
    yield refused(group, "xinclude", plain.replace("<samlp:Status>", f'<samlp:Extensions><xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="http://{listener}/xi"/></samlp:Extensions><samlp:Status>', 1).replace(ALICE, VICTIM))
    yield refused(group, "not-base64", plain, encoded="%%%")
    yield refused(group, "base64-of-base64", base64.b64encode(plain.encode()).decode())
    yield refused(group, "base64-url", plain, encoded=base64.b64encode(plain.encode()).decode().replace("+", "-").replace("/", "_").replace("=", "") + "-")
    yield refused(group, "base64-trailing", plain, encoded=base64.b64encode(plain.encode()).decode() + "AAAA====")


def sizes(key):
    group = "sizes"
    plain = sign(Response().xml(), key, assertion=True)
    yield refused(group, "large", plain.replace("<samlp:Status>", f"<samlp:Extensions>{'x' * 270_000}</samlp:Extensions><samlp:Status>", 1))
    yield refused(group, "large-and-white", plain + " " * 270_000)
    yield refused(group, "very-large", plain + " " * 3_000_000)
    for depth in (60, 2_000, 30_000):
        nested = "<x>" * depth + "</x>" * depth
        yield refused(group, f"deep-{depth}", plain.replace("<samlp:Status>", f'<samlp:Extensions>{nested}</samlp:Extensions><samlp:Status>', 1))
    many = "<x/>" * 50_000
    yield refused(group, "many-elements", plain.replace("<samlp:Status>", f"<samlp:Extensions>{many}</samlp:Extensions><samlp:Status>", 1))
    attributes = " ".join(f'a{n}="x"' for n in range(10_000))
    yield refused(group, "many-attributes", plain.replace("<samlp:Status>", f"<samlp:Extensions><x {attributes}/></samlp:Extensions><samlp:Status>", 1))
    # Parsers have taken minutes for these.
    some = " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(1_000))
    redeclared = "".join(f'<y xmlns:m="urn:m{n}"/>' for n in range(2_000))
    for name, inner in {
        "namespaces-redeclared": f"<x {some}>{redeclared}</x>",
        "namespaces-nested": "".join(f'<x xmlns:n{n}="urn:{n}">' for n in range(100)) + "</x>" * 100,
        "namespaces-nested-few": "".join(f'<x xmlns:n{n}="urn:{n}" xmlns:m{n}="urn:{n}">' for n in range(20)) + redeclared + "</x>" * 20,
        "references": "&lt;" * 50_000,
        "comments": "<!---->" * 30_000,
    }.items():
        yield {**refused(group, name, plain.replace("<samlp:Status>", f"<samlp:Extensions>{inner}</samlp:Extensions><samlp:Status>", 1)), "expect": "same" if name in ("references", "comments") else "refuse"}
    namespaces = " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(5_000))
    yield refused(group, "many-namespaces", plain.replace("<samlp:Status>", f"<samlp:Extensions><x {namespaces}>{'<y/>' * 2_000}</x></samlp:Extensions><samlp:Status>", 1))
