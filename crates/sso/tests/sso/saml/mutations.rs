//! Whatever is changed in a genuine response, nobody becomes somebody else.

use proptest::{
    prelude::{any, prop},
    prop_assert_eq,
    test_runner::{Config, TestCaseError, TestRunner},
};
use tigertrust_accounts::sso::VerifiedIdentity;

use super::corpus::Corpus;

/// Pieces that mean something to XML, to signatures or to SAML.
const PIECES: [&str; 24] = [
    "<!-- -->",
    "<?x?>",
    "<![CDATA[x]]>",
    "&#x41;",
    "&amp;",
    "&e;",
    "<",
    ">",
    "\"",
    "'",
    "\0",
    "\r\n",
    "\u{feff}",
    "\u{202e}",
    "<x/>",
    "<ds:Object/>",
    "<saml:Assertion/>",
    " ID=\"_assertion-1\"",
    " xmlns=\"urn:x\"",
    " xmlns:saml=\"urn:x\"",
    " xml:id=\"_assertion-1\"",
    "victim-0001",
    "admins",
    "victim@example.com",
];

/// One change of a document.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A byte becomes another.
    Byte(prop::sample::Index, u8),
    /// A stretch is left out.
    Cut(prop::sample::Index, usize),
    /// A stretch is written twice.
    Repeat(prop::sample::Index, usize),
    /// A stretch is moved.
    Move(prop::sample::Index, usize, prop::sample::Index),
    /// A piece is put in.
    Insert(prop::sample::Index, usize),
}

impl Change {
    fn apply(&self, document: &mut Vec<u8>) {
        if document.is_empty() {
            return;
        }
        let size = document.len();
        let stretch = |at: &prop::sample::Index, length: usize| {
            let start = at.index(size);
            start..size.min(start + length)
        };
        match self {
            Self::Byte(at, byte) => document[at.index(size)] = *byte,
            Self::Cut(at, length) => drop(document.drain(stretch(at, *length))),
            Self::Repeat(at, length) => {
                let range = stretch(at, *length);
                let copy = document[range.clone()].to_vec();
                document.splice(range.end..range.end, copy);
            }
            Self::Move(from, length, to) => {
                let moved: Vec<u8> = document.drain(stretch(from, *length)).collect();
                let at = if document.is_empty() {
                    0
                } else {
                    to.index(document.len())
                };
                document.splice(at..at, moved);
            }
            Self::Insert(at, piece) => {
                let at = at.index(size);
                document.splice(at..at, PIECES[piece % PIECES.len()].bytes());
            }
        }
    }
}

fn change() -> impl prop::strategy::Strategy<Value = Change> {
    use prop::strategy::Strategy as _;
    let length = || prop_oneof_lengths();
    proptest::prop_oneof![
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (any::<prop::sample::Index>(), length()).prop_map(|(at, length)| Change::Cut(at, length)),
        (any::<prop::sample::Index>(), length()).prop_map(|(at, length)| Change::Repeat(at, length)),
        (
            any::<prop::sample::Index>(),
            length(),
            any::<prop::sample::Index>()
        )
            .prop_map(|(from, length, to)| Change::Move(from, length, to)),
        (any::<prop::sample::Index>(), any::<usize>()).prop_map(|(at, piece)| Change::Insert(at, piece)),
    ]
}

fn prop_oneof_lengths() -> impl prop::strategy::Strategy<Value = usize> {
    proptest::prop_oneof![1_usize..8, 1_usize..64, 1_usize..2_000]
}

fn same(identity: &VerifiedIdentity, genuine: &VerifiedIdentity) -> Result<(), TestCaseError> {
    prop_assert_eq!(&identity.issuer, &genuine.issuer);
    prop_assert_eq!(&identity.subject, &genuine.subject);
    prop_assert_eq!(&identity.email, &genuine.email);
    prop_assert_eq!(&identity.name, &genuine.name);
    prop_assert_eq!(&identity.groups, &genuine.groups);
    prop_assert_eq!(identity.second_factor, genuine.second_factor);
    prop_assert_eq!(&identity.provider_session, &genuine.provider_session);
    Ok(())
}

#[test]
fn a_changed_response_is_refused_or_says_the_same() {
    let corpus = Corpus::get();
    for case in corpus.kinds() {
        let (document, genuine) = (case.document(), corpus.finish(case).expect("genuine").identity);
        let changes = prop::collection::vec(change(), 1..4);
        let config = Config {
            // Each takes a millisecond or more; what is below that elsewhere can have more of them.
            cases: Config::default().cases.min(20_000),
            failure_persistence: None,
            ..Config::default()
        };
        let mut runner = TestRunner::new(config);
        let outcome = runner.run(&changes, |changes| {
            let mut changed = document.clone().into_bytes();
            changes.iter().for_each(|change| change.apply(&mut changed));
            match corpus.finish_document(&String::from_utf8_lossy(&changed)) {
                Ok(accepted) => same(&accepted.identity, &genuine),
                Err(_) => Ok(()),
            }
        });
        outcome.unwrap_or_else(|error| panic!("{}: {error}", case.name));
    }
}

/// Single bytes of the genuine documents, changed in a few ways. A long run takes every one.
#[test]
fn no_single_byte_makes_somebody_else() {
    let step = if std::env::var_os("PROPTEST_CASES").is_some() {
        1
    } else {
        23
    };
    let corpus = Corpus::get();
    for case in corpus.kinds() {
        let (document, genuine) = (case.document(), corpus.finish(case).expect("genuine").identity);
        for at in (0..document.len()).step_by(step) {
            for flip in [0x01, 0x20] {
                let mut changed = document.clone().into_bytes();
                changed[at] ^= flip;
                if let Ok(accepted) = corpus.finish_document(&String::from_utf8_lossy(&changed)) {
                    same(&accepted.identity, &genuine)
                        .unwrap_or_else(|error| panic!("{} at {at}: {error}", case.name));
                }
            }
        }
    }
}
