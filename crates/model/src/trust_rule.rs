//! Trust rules: whose word is taken for a job that has no key, and for which jobs.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::{Creator, KeyId, Timestamp, TrustRuleId};

/// The longest issuer, audience, name of a claim or text, in bytes.
const MAX_BYTES: usize = 255;
/// How many claims a rule may ask for.
const MAX_CLAIMS: usize = 10;
/// How many texts it may name for one of them.
const MAX_PATTERNS: usize = 20;
/// What a rule says by fields of its own, or what is different in each token.
const RESERVED: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", "jti"];

/// A rule of a key: a job whose token fulfils it may have a token of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRule {
    /// Which one it is.
    pub id: TrustRuleId,
    /// Whose it is.
    pub key: KeyId,
    /// What people call it.
    pub name: String,
    /// Whose word is taken: the `iss` of the job's token, compared exactly.
    pub issuer: String,
    /// What has to be among the `aud` of the job's token.
    pub audience: String,
    /// What else the job's token has to say.
    pub claims: ClaimConditions,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: Creator,
}

impl TrustRule {
    /// Whether a job fulfils the rule. That the issuer has signed the token, and that its time is right, is checked by whoever made
    /// the [`Job`].
    ///
    /// # Errors
    /// What the job does not fulfil.
    pub fn accepts(&self, job: &Job) -> Result<(), TrustMismatch> {
        if job.issuer != self.issuer {
            return Err(TrustMismatch::Issuer);
        }
        if !job.audiences.contains(&self.audience) {
            return Err(TrustMismatch::Audience);
        }
        self.claims.check(&job.claims)
    }
}

/// What a job does not fulfil of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum TrustMismatch {
    /// Another issuer vouches for it.
    #[error("the token is of another issuer")]
    Issuer,
    /// Its token is for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// A claim is not there, or has another value.
    #[error("the claim {0} is not as the rule has it")]
    Claim(String),
}

/// What the token of a job says, after it was found to be the issuer's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// Who vouches for it.
    pub issuer: String,
    /// Whom the token is for.
    pub audiences: Vec<String>,
    /// The `sub` of the token.
    pub subject: Option<String>,
    /// All claims that are texts, numbers, truth values, or lists of these.
    pub claims: JobClaims,
}

/// Claims by their names. A number or truth value is its text in JSON; of a list, each element is a value.
pub type JobClaims = BTreeMap<String, Vec<String>>;

/// What a rule asks of claims: of each one that it names, that a value of it is among the texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimConditions(BTreeMap<String, Vec<ClaimPattern>>);

impl ClaimConditions {
    /// Conditions by the names of claims.
    ///
    /// # Errors
    /// What is wrong with them, and with which one.
    pub fn new(conditions: BTreeMap<String, Vec<String>>) -> Result<Self, ClaimConditionsError> {
        if !(1..=MAX_CLAIMS).contains(&conditions.len()) {
            return Err(ClaimConditionsError::Count);
        }
        conditions
            .into_iter()
            .map(|(claim, texts)| {
                check_name(&claim)?;
                if !(1..=MAX_PATTERNS).contains(&texts.len()) {
                    return Err(ClaimConditionsError::Texts(claim));
                }
                let patterns = texts.iter().enumerate().map(|(index, text)| {
                    let pattern = text.parse::<ClaimPattern>();
                    pattern.map_err(|error| ClaimConditionsError::Text(claim.clone(), index, error))
                });
                let patterns = patterns.collect::<Result<_, _>>()?;
                Ok((claim, patterns))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The conditions, by the names of the claims.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[ClaimPattern])> {
        self.0
            .iter()
            .map(|(claim, patterns)| (claim.as_str(), patterns.as_slice()))
    }

    /// What is asked of a claim.
    #[must_use]
    pub fn of(&self, claim: &str) -> Option<&[ClaimPattern]> {
        self.0.get(claim).map(Vec::as_slice)
    }

    /// Whether the claims are as all of it asks.
    ///
    /// # Errors
    /// [`TrustMismatch::Claim`] with the first that is not.
    pub fn check(&self, claims: &JobClaims) -> Result<(), TrustMismatch> {
        let fails = self.0.iter().find(|(claim, patterns)| {
            let values = claims.get(*claim).map(Vec::as_slice).unwrap_or_default();
            !values
                .iter()
                .any(|value| patterns.iter().any(|pattern| pattern.matches(value)))
        });
        match fails {
            None => Ok(()),
            Some((claim, _)) => Err(TrustMismatch::Claim(claim.clone())),
        }
    }
}

fn check_name(claim: &str) -> Result<(), ClaimConditionsError> {
    if !is_text(claim) {
        Err(ClaimConditionsError::Name(claim.to_owned()))
    } else if RESERVED.contains(&claim) {
        Err(ClaimConditionsError::Reserved(claim.to_owned()))
    } else {
        Ok(())
    }
}

/// Whether it may be an issuer, an audience, a claim's name or a text.
fn is_text(text: &str) -> bool {
    (1..=MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Why there are no such conditions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimConditionsError {
    /// None, or more than there may be.
    #[error("must have 1 to {MAX_CLAIMS} claims")]
    Count,
    /// The name of a claim is no text.
    #[error("the name of a claim must have 1 to {MAX_BYTES} bytes, and no control characters")]
    Name(String),
    /// The claim is not one to ask for.
    #[error("{0} is checked by itself, and cannot be asked for")]
    Reserved(String),
    /// No texts for a claim, or more than there may be.
    #[error("must have 1 to {MAX_PATTERNS} texts")]
    Texts(String),
    /// A text of a claim is none.
    #[error("{2}")]
    Text(String, usize, ClaimPatternError),
}

impl ClaimConditionsError {
    /// The claim, and which of its texts, if it is about one.
    #[must_use]
    pub fn place(&self) -> (Option<&str>, Option<usize>) {
        match self {
            Self::Count => (None, None),
            Self::Name(claim) | Self::Reserved(claim) | Self::Texts(claim) => (Some(claim), None),
            Self::Text(claim, index, _) => (Some(claim), Some(*index)),
        }
    }
}

/// A text that a claim must have, or `…/*` or `…:*` for all that begin so.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClaimPattern(String);

impl ClaimPattern {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a value has to begin with; none for a pattern that is the whole value.
    #[must_use]
    pub fn beginning(&self) -> Option<&str> {
        self.0.strip_suffix('*')
    }

    /// Whether a value is as it has to be.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match self.beginning() {
            Some(beginning) => value.starts_with(beginning),
            None => value == self.0,
        }
    }
}

impl fmt::Display for ClaimPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClaimPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimPatternError {
    /// It is empty, too long, or holds what cannot be seen.
    #[error("must have 1 to {MAX_BYTES} bytes, and no control characters")]
    Length,
    /// A `*` within a name would let in names that nobody thought of.
    #[error("may have one *, at the end, right after a / or a :")]
    Asterisk,
}

impl FromStr for ClaimPattern {
    type Err = ClaimPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !is_text(text) {
            return Err(ClaimPatternError::Length);
        }
        let is_well_placed = match text.find('*') {
            None => true,
            Some(place) => {
                let (before, rest) = text.split_at(place);
                rest == "*" && before.ends_with(['/', ':'])
            }
        };
        if is_well_placed {
            Ok(Self(text.to_owned()))
        } else {
            Err(ClaimPatternError::Asterisk)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn conditions(of: &[(&str, &[&str])]) -> Result<ClaimConditions, ClaimConditionsError> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        ClaimConditions::new(
            of.iter()
                .map(|(claim, texts)| ((*claim).to_owned(), owned(texts)))
                .collect(),
        )
    }

    fn rule() -> TrustRule {
        TrustRule {
            id: TrustRuleId::from_uuid(Uuid::nil()),
            key: KeyId::from_uuid(Uuid::nil()),
            name: "releases".to_owned(),
            issuer: "https://ci.example.com".to_owned(),
            audience: "https://auth.example.com".to_owned(),
            claims: conditions(&[
                ("owner_id", &["1234"]),
                (
                    "sub",
                    &[
                        "repo:acme/api:ref:refs/heads/main",
                        "repo:acme/api:ref:refs/tags/*",
                    ],
                ),
            ])
            .unwrap(),
            created_at: Timestamp::from_unix_micros(0),
            created_by: Creator::Operator,
        }
    }

    fn job(claims: &[(&str, &[&str])]) -> Job {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Job {
            issuer: "https://ci.example.com".to_owned(),
            audiences: vec!["others".to_owned(), "https://auth.example.com".to_owned()],
            subject: None,
            claims: claims
                .iter()
                .map(|(claim, values)| ((*claim).to_owned(), owned(values)))
                .collect(),
        }
    }

    #[test]
    fn a_job_has_to_fulfil_all_of_a_rule() {
        let main: (&str, &[&str]) = ("sub", &["repo:acme/api:ref:refs/heads/main"]);
        let owner: (&str, &[&str]) = ("owner_id", &["1234"]);
        assert_eq!(rule().accepts(&job(&[main, owner])), Ok(()));
        let tag: (&str, &[&str]) = ("sub", &["repo:acme/api:ref:refs/tags/v1"]);
        assert_eq!(rule().accepts(&job(&[tag, owner, ("more", &["x"])])), Ok(()));
        // Of a list, any element counts.
        assert_eq!(
            rule().accepts(&job(&[main, ("owner_id", &["1", "1234"])])),
            Ok(())
        );

        let claim = |name: &str| Err(TrustMismatch::Claim(name.to_owned()));
        assert_eq!(rule().accepts(&job(&[main])), claim("owner_id"));
        assert_eq!(
            rule().accepts(&job(&[main, ("owner_id", &[])])),
            claim("owner_id")
        );
        assert_eq!(
            rule().accepts(&job(&[main, ("owner_id", &["12345"])])),
            claim("owner_id")
        );
        for sub in [
            "repo:acme/api:ref:refs/heads/main2",
            "repo:acme/api:ref:refs/heads/MAIN",
            "repo:acme/api:ref:refs/tags",
            "repo:acme/api-evil:ref:refs/tags/v1",
            "",
        ] {
            assert_eq!(
                rule().accepts(&job(&[("sub", &[sub]), owner])),
                claim("sub"),
                "{sub}"
            );
        }

        let elsewhere = Job {
            issuer: "https://ci.example.com/".to_owned(),
            ..job(&[main, owner])
        };
        assert_eq!(rule().accepts(&elsewhere), Err(TrustMismatch::Issuer));
        let for_others = Job {
            audiences: vec!["https://auth.example.com/".to_owned()],
            ..job(&[main, owner])
        };
        assert_eq!(rule().accepts(&for_others), Err(TrustMismatch::Audience));
    }

    #[test]
    fn an_asterisk_stands_after_a_whole_part_and_never_alone() {
        for text in ["repo:acme/*", "repo:acme/api:*", "a", "refs/heads/main", "acme"] {
            assert!(text.parse::<ClaimPattern>().is_ok(), "{text}");
        }
        for text in [
            "*",
            "repo:acme*",
            "repo:*/api",
            "repo:acme/**",
            "repo:acme/*:x",
            "**",
            "/*/*",
        ] {
            assert_eq!(
                text.parse::<ClaimPattern>(),
                Err(ClaimPatternError::Asterisk),
                "{text}"
            );
        }
        for text in ["", "a\nb", "a\0", &"x".repeat(256)] {
            assert_eq!(
                text.parse::<ClaimPattern>(),
                Err(ClaimPatternError::Length),
                "{text:?}"
            );
        }
    }

    #[test]
    fn conditions_are_bounded() {
        assert_eq!(conditions(&[]), Err(ClaimConditionsError::Count));
        let eleven: Vec<String> = (0..11).map(|index| format!("c{index}")).collect();
        let eleven: Vec<(&str, &[&str])> = eleven.iter().map(|name| (name.as_str(), &["x"][..])).collect();
        assert_eq!(conditions(&eleven), Err(ClaimConditionsError::Count));
        assert!(conditions(eleven.get(1..).unwrap()).is_ok());
        assert_eq!(
            conditions(&[("a", &[])]),
            Err(ClaimConditionsError::Texts("a".to_owned()))
        );
        assert!(conditions(&[("a", &["x"; 20])]).is_ok());
        assert_eq!(
            conditions(&[("a", &["x"; 21])]),
            Err(ClaimConditionsError::Texts("a".to_owned()))
        );
        assert_eq!(
            conditions(&[("", &["x"])]),
            Err(ClaimConditionsError::Name(String::new()))
        );
        for claim in RESERVED {
            assert_eq!(
                conditions(&[(claim, &["x"])]),
                Err(ClaimConditionsError::Reserved(claim.to_owned()))
            );
        }
        let wrong = conditions(&[("a", &["x", "*"])]).unwrap_err();
        assert_eq!(wrong.place(), (Some("a"), Some(1)));
    }

    proptest! {
        #[test]
        fn a_pattern_without_an_asterisk_is_the_value_alone(text in "[a-z0-9:/._@-]{1,40}", other in "\\PC{0,40}") {
            let pattern: ClaimPattern = text.parse().unwrap();
            prop_assert!(pattern.matches(&text));
            prop_assert_eq!(pattern.matches(&other), text == other);
        }

        #[test]
        fn a_pattern_with_one_is_what_begins_so(start in "[a-z0-9:/._@-]{0,40}[/:]", rest in "\\PC{0,40}", other in "\\PC{0,80}") {
            let pattern: ClaimPattern = format!("{start}*").parse().unwrap();
            let longer = format!("{start}{rest}");
            prop_assert!(pattern.matches(&longer));
            prop_assert_eq!(pattern.matches(&other), other.starts_with(&start));
        }

        #[test]
        fn no_text_makes_the_parser_panic_or_changes(text in "\\PC{0,300}") {
            if let Ok(pattern) = text.parse::<ClaimPattern>() {
                prop_assert_eq!(pattern.as_str(), text.as_str());
                let placed = text.find('*').is_none_or(|place| place + 1 == text.len() && place > 0);
                prop_assert!(placed);
            }
        }
    }
}
