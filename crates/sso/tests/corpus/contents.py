"""Genuine signatures over what is not for us, not now, or not from here."""

import re

from documents import (
    ACS,
    ALICE,
    ASSERTION,
    DSIG,
    OTHER_PROVIDER,
    PROTOCOL,
    REQUEST,
    SERVICE,
    VICTIM,
    Response,
    instant,
    refused,
    sign,
)
from wrapping import SIGNED


def all(keys):
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
        "issuer": ("<saml:Issuer>https://idp", "<saml:Issuer>https://other"),
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
