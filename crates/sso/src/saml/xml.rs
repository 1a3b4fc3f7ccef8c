//! XML as strangers send it: a small, strict part of it.

use std::collections::HashSet;

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use roxmltree::{Document, Node, NodeType, ParsingOptions};

/// The most bytes of a document, a response or metadata.
pub(super) const MAX_BYTES: usize = 256 * 1024;
const MAX_NODES: u32 = 20_000;
/// Documents of SAML are a dozen deep. What verifies signatures walks them recursively.
pub(super) const MAX_DEPTH: usize = 40;
pub(super) const MAX_ATTRIBUTES: usize = 32;
/// The most namespaces that an element is in the scope of.
const MAX_NAMESPACES: usize = 32;

const MALFORMED: &str = "The document is not well-formed XML.";

pub(super) const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub(super) const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub(super) const METADATA: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
pub(super) const DSIG: &str = "http://www.w3.org/2000/09/xmldsig#";

/// Reads a document, and refuses whatever two parsers could take in two ways: document types, and so entities, sections of CDATA,
/// processing instructions, other encodings, relative namespaces.
///
/// # Errors
/// What is wrong with it, in words of our own.
pub(super) fn parse(text: &str) -> Result<Document<'_>, &'static str> {
    if text.len() > MAX_BYTES {
        return Err("The document is too large.");
    }
    if !has_plain_declaration(text) {
        return Err("The document is not XML 1.0 in UTF-8.");
    }
    scan(text)?;
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        entity_resolver: None,
    };
    let document = Document::parse_with_options(text, options).map_err(|_| MALFORMED)?;
    let mut namespaces = document.descendants().flat_map(|node| node.namespaces());
    if namespaces.all(|namespace| is_absolute(namespace.uri())) {
        Ok(document)
    } else {
        Err("The document declares a relative namespace.")
    }
}

/// Looks through a document before anything is built of it: parsers take minutes for a small document with many namespaces.
fn scan(text: &str) -> Result<(), &'static str> {
    let mut reader = Reader::from_str(text);
    // How many namespaces each open element declares.
    let mut open: Vec<usize> = Vec::new();
    let mut in_scope = 0_usize;
    loop {
        match reader.read_event().map_err(|_| MALFORMED)? {
            Event::Start(element) => {
                let declared = scan_attributes(&element)?;
                in_scope = in_scope.saturating_add(declared);
                open.push(declared);
                check_limits(open.len(), in_scope)?;
            }
            Event::Empty(element) => {
                let declared = scan_attributes(&element)?;
                check_limits(open.len().saturating_add(1), in_scope.saturating_add(declared))?;
            }
            Event::End(_) => in_scope = in_scope.saturating_sub(open.pop().unwrap_or_default()),
            Event::CData(_) => return Err("The document holds a section of CDATA."),
            Event::DocType(_) => return Err("The document has a document type."),
            Event::PI(_) => return Err("The document holds a processing instruction."),
            Event::Decl(_) | Event::Text(_) | Event::Comment(_) | Event::GeneralRef(_) => {}
            Event::Eof => return Ok(()),
        }
    }
}

/// How many namespaces an element declares.
fn scan_attributes(element: &BytesStart<'_>) -> Result<usize, &'static str> {
    let mut declared = 0_usize;
    let mut attributes = element.attributes();
    // Whether a name is there twice is found out later: here it would take the square of their number.
    for (number, attribute) in attributes.with_checks(false).enumerate() {
        if number >= MAX_ATTRIBUTES {
            return Err("An element has too many attributes.");
        }
        let attribute = attribute.map_err(|_| MALFORMED)?;
        declared = declared.saturating_add(usize::from(attribute.key.as_namespace_binding().is_some()));
    }
    Ok(declared)
}

fn check_limits(depth: usize, in_scope: usize) -> Result<(), &'static str> {
    if depth > MAX_DEPTH {
        return Err("The document is nested too deeply.");
    }
    if in_scope > MAX_NAMESPACES {
        return Err("The document declares too many namespaces.");
    }
    Ok(())
}

/// Whether the text begins with an element, or with a declaration that says what is so in any case. A declaration anywhere else is
/// not well-formed.
fn has_plain_declaration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("<?xml") else {
        return text.trim_start().starts_with('<');
    };
    let Some((declaration, _)) = rest.split_once("?>") else {
        return false;
    };
    let declaration = declaration.replace('\'', "\"").to_ascii_lowercase();
    let encoding = declaration.split_once("encoding").map(|(_, value)| value);
    declaration.contains("\"1.0\"") && encoding.is_none_or(|value| value.contains("\"utf-8\""))
}

/// Canonicalisation has no result for a relative namespace, and programs have signed, and accepted, that nothing.
fn is_absolute(uri: &str) -> bool {
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || matches!(one, '+' | '-' | '.'))
}

/// Refuses ids that are not unique, and everything that only some programs take for an id.
///
/// # Errors
/// What is wrong, in words of our own.
pub(super) fn check_ids(document: &Document<'_>) -> Result<(), &'static str> {
    let mut seen = HashSet::new();
    for node in document.descendants().filter(Node::is_element) {
        for attribute in node.attributes() {
            let name = attribute.name();
            let looks_like_one = ["id", "assertionid", "responseid", "requestid"]
                .iter()
                .any(|one| name.eq_ignore_ascii_case(one));
            if !looks_like_one {
                continue;
            }
            // A signature and its parts have the attribute Id.
            let expected = if node.tag_name().namespace() == Some(DSIG) {
                "Id"
            } else {
                "ID"
            };
            if attribute.namespace().is_some() || name != expected {
                return Err("The document has an id that is not called ID.");
            }
            if !is_id(attribute.value()) {
                return Err("An id of the document is not one.");
            }
            if !seen.insert(attribute.value()) {
                return Err("Two elements of the document have the same id.");
            }
        }
    }
    Ok(())
}

/// The part of an NCName that is in use.
pub(super) fn is_id(value: &str) -> bool {
    value.len() <= 256
        && value.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && value
            .chars()
            .all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '-' | '.'))
}

/// The elements of a name right beneath another.
pub(super) fn children<'a, 'input>(
    parent: Node<'a, 'input>,
    namespace: &'static str,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    parent
        .children()
        .filter(move |child| child.has_tag_name((namespace, name)))
}

/// The one element of a name beneath another; none if there is none, or more than one.
pub(super) fn only<'a, 'input>(
    parent: Node<'a, 'input>,
    namespace: &'static str,
    name: &'static str,
) -> Option<Node<'a, 'input>> {
    let mut all = children(parent, namespace, name);
    all.next().filter(|_| all.next().is_none())
}

/// The whole text of an element, also where comments divide it: those are not signed, and whoever puts one in must not shorten a
/// name. None for an element that holds elements.
pub(super) fn text(node: Node<'_, '_>) -> Option<String> {
    let mut whole = String::new();
    for child in node.children() {
        match child.node_type() {
            NodeType::Text => whole.push_str(child.text().unwrap_or_default()),
            NodeType::Comment => {}
            NodeType::Root | NodeType::Element | NodeType::PI => return None,
        }
    }
    Some(whole)
}

/// The text with what stands for markup replaced, for an attribute or an element.
pub(super) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for one in value.chars() {
        match one {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            other => escaped.push(other),
        }
    }
    escaped
}
