//! Every response of the corpus becomes what it has to.

use std::net::TcpListener;

use tigertrust_accounts::sso::ProviderError;

use super::corpus::{Case, Corpus, Expectation};

/// What is wrong with the outcome of a case, if anything.
fn complaint(corpus: &Corpus, case: &Case) -> Option<String> {
    let outcome = corpus.finish(case);
    let is_right = match (&outcome, case.expect) {
        (Ok(accepted), Expectation::Accept | Expectation::Same) => accepted.identity.subject == case.subject,
        (Err(ProviderError::Refused(reason)), Expectation::Refuse | Expectation::Same) => {
            reason.len() < 200 && !reason.contains("0815") && !reason.contains("victim")
        }
        _ => false,
    };
    let told = match &outcome {
        Ok(accepted) => format!("accepted for {}", accepted.identity.subject),
        Err(error) => error.to_string(),
    };
    (!is_right).then(|| format!("{}: {}: {told}", case.group, case.name))
}

#[test]
fn the_corpus() {
    let corpus = Corpus::get();
    let listener = TcpListener::bind(&corpus.listener).expect("the address that the attacks name");

    let complaints: Vec<String> = corpus
        .cases
        .iter()
        .filter_map(|case| complaint(corpus, case))
        .collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));

    // A listener that nobody has spoken to has nobody to take.
    listener
        .set_nonblocking(true)
        .expect("a listener that does not wait");
    assert!(
        listener.accept().is_err(),
        "somebody fetched what a response named"
    );

    let groups = corpus.groups();
    let refused = corpus
        .cases
        .iter()
        .filter(|case| case.expect == Expectation::Refuse)
        .count();
    println!(
        "{} responses of SAML: {refused} are refused. {groups:?}",
        corpus.cases.len()
    );
    // Whoever takes cases away says so here.
    for (group, least) in [
        ("contents", 286),
        ("document types", 56),
        ("fetching", 53),
        ("genuine", 58),
        ("ids", 97),
        ("signatures", 135),
        ("sizes", 14),
        ("tampered", 75),
        ("texts", 35),
        ("wrapping", 24),
        ("wrapping elsewhere", 140),
    ] {
        let count = groups.get(group).copied().unwrap_or_default();
        assert!(count >= least, "{group} has {count} responses");
    }
    assert!(refused >= 901, "{refused} are refused");
}

#[test]
fn reasons_are_told_in_words_of_our_own() {
    let corpus = Corpus::get();
    for (name, reason) in [
        (
            "encrypted",
            "The assertion is encrypted, which is not supported; the provider must not encrypt it.",
        ),
        (
            "wrong-audience-both-signed",
            "The assertion is meant for another audience.",
        ),
        ("expired-assertion-signed", "The assertion is over."),
        (
            "stripped-both-signed",
            "Neither the response nor the assertion is signed.",
        ),
        (
            "name-id-assertion-signed",
            "The signature is not good, or not made with a key of the provider.",
        ),
        (
            "wrong-issuer-response-signed",
            "The response is of another provider.",
        ),
    ] {
        let refused = corpus.finish(corpus.case(name)).expect_err(name);
        assert_eq!(refused, ProviderError::Refused(reason.to_owned()), "{name}");
    }
    let refused = corpus
        .finish(corpus.case("transient-both-signed"))
        .expect_err("transient");
    assert!(refused.to_string().starts_with("The NameID is transient"));
}
