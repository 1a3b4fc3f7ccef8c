//! Wrapping, systematically: forged assertions and hidden genuine ones at every place of really signed documents.

use roxmltree::{Document, Node};

use super::corpus::{Corpus, Expectation};

const FORGED_SUBJECT: &str = "victim-0001";

/// The assertion as an attacker would have it.
fn forge(assertion: &str, subject: &str) -> String {
    assertion
        .replace(subject, FORGED_SUBJECT)
        .replace("alice@", "victim@")
}

fn find<'a, 'input>(document: &'a Document<'input>, name: &str) -> Option<Node<'a, 'input>> {
    document.descendants().find(|node| node.tag_name().name() == name)
}

fn without_signature(element: &str) -> String {
    let start = element.find("<ds:Signature").expect("a signature");
    let end = element.find("</ds:Signature>").expect("a signature") + "</ds:Signature>".len();
    format!("{}{}", &element[..start], &element[end..])
}

/// The forms of an element that an attacker can put somewhere: with its signature and without, with its id and another.
fn forms(element: &str, id: &str) -> Vec<String> {
    let mut forms = vec![element.to_owned(), element.replace(id, "_evil-1")];
    if element.contains("<ds:Signature") {
        let bare = without_signature(element);
        forms.push(bare.replace(id, "_evil-1"));
        forms.push(bare);
    }
    forms
}

/// Where something can be put: before each child of each element, and after the last.
fn gaps(document: &str) -> Vec<usize> {
    let parsed = Document::parse(document).expect("XML");
    let mut gaps = Vec::new();
    for element in parsed.descendants().filter(Node::is_element) {
        gaps.extend(element.children().map(|child| child.range().start));
        let source = &document[element.range()];
        // One that is written as empty has no room.
        if let Some(end) = source.rfind("</") {
            gaps.push(element.range().start + end);
        }
    }
    gaps.sort_unstable();
    gaps.dedup();
    gaps
}

fn put(document: &str, at: usize, what: &str) -> String {
    format!("{}{what}{}", &document[..at], &document[at..])
}

/// Every wrapping of a document.
fn wrappings(document: &str, subject: &str) -> Vec<String> {
    let parsed = Document::parse(document).expect("XML");
    let response = &document[parsed.root_element().range()];
    let place = find(&parsed, "Assertion").expect("an assertion").range();
    let assertion = &document[place.clone()];
    let mut all = Vec::new();

    // A forged assertion beside, or within, what is signed.
    let evil = forge(assertion, subject);
    for form in forms(&evil, "_assertion-1") {
        all.extend(gaps(document).into_iter().map(|at| put(document, at, &form)));
    }
    // A forged assertion in the place of the genuine one, which is hidden.
    for form in forms(&evil, "_assertion-1") {
        let replaced = format!("{}{form}{}", &document[..place.start], &document[place.end..]);
        for hidden in [assertion.to_owned(), without_signature_if_any(assertion)] {
            all.extend(gaps(&replaced).into_iter().map(|at| put(&replaced, at, &hidden)));
        }
    }
    // A forged response around the genuine one.
    let evil = forge(response, subject);
    for form in forms(&evil, "_response-1") {
        for hidden in [response.to_owned(), without_signature_if_any(response)] {
            all.extend(gaps(&form).into_iter().map(|at| put(&form, at, &hidden)));
        }
    }
    all
}

fn without_signature_if_any(element: &str) -> String {
    if element.contains("<ds:Signature") {
        without_signature(element)
    } else {
        element.to_owned()
    }
}

#[test]
fn no_wrapping_is_accepted() {
    let corpus = Corpus::get();
    let mut count = 0;
    for case in corpus.kinds() {
        assert_eq!(case.expect, Expectation::Accept);
        for wrapped in wrappings(&case.document(), &case.subject) {
            count += 1;
            assert!(corpus.finish_document(&wrapped).is_err(), "accepted: {wrapped}");
        }
    }
    println!("{count} wrappings of really signed responses are refused");
    assert!(count >= 4_320, "{count} wrappings");
}
