//! Which passwords are accepted when somebody chooses one (NIST SP 800-63B-4 §3.1.1.2, OWASP ASVS 5.0 §6.2).
//!
//! Length counts, composition does not. What attackers try first is refused: the commonest passwords, and those that
//! are little more than what everybody knows of the account.

use tigertrust_model::Email;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The commonest passwords that are long enough to be chosen, one a line, in the form that [`folded`] gives.
///
/// Made out of two published lists: of the passwords with 8 characters or more in `SecLists`'
/// `10-million-password-list-top-1000000.txt` (MIT) the first 10,000 and, of those with 15 or more, the first 3,000;
/// and all of those in Django's `common-passwords.txt` (BSD-3-Clause).
const COMMONEST: &str = include_str!("common_passwords.txt");

/// What a password must not be built on, beside the owner's address.
const PRODUCT: &str = "tigertrust";

/// Shorter words stand in too many passwords by chance to be held against one.
const MIN_WORD: usize = 4;

/// Why a password is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordPolicyError {
    /// Too few characters.
    #[error("must have {minimum} characters or more")]
    TooShort {
        /// The fewest that are accepted.
        minimum: usize,
    },
    /// More than 256 characters.
    #[error("must have 256 characters or fewer")]
    TooLong,
    /// One of the commonest, in whatever case, also with little around it or over and over; or a short text over and over.
    #[error(
        "must not be one of the passwords that are tried first, such as those of other people's leaked accounts"
    )]
    Common,
    /// Little remains without the owner's address and the product's name.
    #[error("must not be made of the e-mail address or of the name of this service")]
    Guessable,
}

/// What is asked of a password that somebody chooses.
#[derive(Clone, Copy, Debug)]
pub struct PasswordPolicy<'a> {
    /// Whose password it is to be.
    pub owner: &'a Email,
    /// Whether the account has a second factor, beside which a shorter password is enough.
    pub second_factor: bool,
}

impl PasswordPolicy<'_> {
    /// The fewest characters of a password that stands alone.
    pub const MIN_LENGTH: usize = 15;
    /// The fewest characters beside a second factor.
    pub const MIN_LENGTH_WITH_SECOND_FACTOR: usize = 8;
    /// The most characters; every one of them counts.
    pub const MAX_LENGTH: usize = 256;

    /// The fewest characters that are accepted.
    #[must_use]
    pub const fn min_length(&self) -> usize {
        if self.second_factor {
            Self::MIN_LENGTH_WITH_SECOND_FACTOR
        } else {
            Self::MIN_LENGTH
        }
    }

    /// Judges a password as it was typed.
    ///
    /// # Errors
    /// [`PasswordPolicyError`].
    pub fn check(&self, typed: &str) -> Result<(), PasswordPolicyError> {
        if typed.chars().count() > Self::MAX_LENGTH {
            return Err(PasswordPolicyError::TooLong);
        }
        // Neither a letter with its accents apart nor a ligature counts for more than one who reads it would count.
        let length = typed.chars().count().min(typed.nfkc().count());
        let minimum = self.min_length();
        if length < minimum {
            return Err(PasswordPolicyError::TooShort { minimum });
        }
        let folded = folded(typed);
        if is_common(&folded) {
            return Err(PasswordPolicyError::Common);
        }
        if self.is_guessable(&folded) {
            return Err(PasswordPolicyError::Guessable);
        }
        Ok(())
    }

    /// Whether so little remains without the words that everybody knows that the remainder would be refused by itself.
    fn is_guessable(&self, password: &str) -> bool {
        let address = folded(self.owner.as_str());
        let local = address.rsplit_once('@').map_or("", |(local, _)| local);
        let mut rest = Zeroizing::new(password.to_owned());
        for word in [address.as_str(), local, PRODUCT] {
            if word.chars().count() >= MIN_WORD {
                rest = Zeroizing::new(rest.replace(word, ""));
            }
        }
        rest.len() < password.len() && rest.chars().count() < Self::MIN_LENGTH_WITH_SECOND_FACTOR
    }
}

/// The form in which two spellings of a password that differ in case alone are equal.
fn folded(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.nfkc().flat_map(char::to_lowercase).collect())
}

/// A walk through the whole list takes a millisecond or two, and the hash that follows ten times that.
fn is_common(password: &str) -> bool {
    let unit = repeated_unit(password);
    let is_repeated = unit.len() < password.len();
    (is_repeated && unit.chars().count() < PasswordPolicy::MIN_LENGTH_WITH_SECOND_FACTOR)
        || COMMONEST.lines().any(|common| {
            password.contains(common) && is_trivial(&Zeroizing::new(password.replace(common, "")))
        })
}

/// Whether a common password is made no better by what stands around it: a few digits and signs, such as a year, or one
/// letter over and over.
fn is_trivial(around: &str) -> bool {
    let mut letters = around.chars().filter(|letter| letter.is_alphabetic());
    let first = letters.next();
    around.chars().count() < PasswordPolicy::MIN_LENGTH_WITH_SECOND_FACTOR
        && letters.all(|letter| Some(letter) == first)
}

/// The shortest text that, written one or more times, makes up the whole.
fn repeated_unit(text: &str) -> &str {
    text.char_indices()
        .skip(1)
        .filter_map(|(end, _)| text.get(..end))
        .filter(|unit| text.len().is_multiple_of(unit.len()))
        .find(|unit| {
            text.as_bytes()
                .chunks(unit.len())
                .all(|part| part == unit.as_bytes())
        })
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, second_factor: bool) -> Result<(), PasswordPolicyError> {
        let owner = "jo.doe@example.com".parse().unwrap();
        let policy = PasswordPolicy {
            owner: &owner,
            second_factor,
        };
        policy.check(text)
    }

    const LETTERS: &str = "kvéwzq7bxmtj2hd";

    #[test]
    fn length_is_counted_in_characters() {
        let short: String = LETTERS.chars().take(14).collect();
        assert_eq!(
            check(&short, false),
            Err(PasswordPolicyError::TooShort { minimum: 15 })
        );
        assert_eq!(check(LETTERS, false), Ok(()));
        let long: String = LETTERS.chars().cycle().take(255).chain(['!']).collect();
        assert_eq!(check(&long, false), Ok(()));
        assert_eq!(check(&(long + "!"), false), Err(PasswordPolicyError::TooLong));
    }

    #[test]
    fn eight_characters_are_enough_beside_a_second_factor() {
        assert_eq!(
            check("kvéwzq7", true),
            Err(PasswordPolicyError::TooShort { minimum: 8 })
        );
        assert_eq!(check("kvéwzq7b", true), Ok(()));
    }

    #[test]
    fn letters_taken_apart_count_once() {
        let apart = "e\u{301}".repeat(7);
        assert_eq!(
            check(&apart, true),
            Err(PasswordPolicyError::TooShort { minimum: 8 })
        );
        // One letter that stands for eighteen.
        assert_eq!(
            check("\u{fdfa}", false),
            Err(PasswordPolicyError::TooShort { minimum: 15 })
        );
    }

    #[test]
    fn the_commonest_are_refused_whatever_their_case() {
        for text in [
            "password1",
            "PassWord1",
            "qwertyuiop",
            "ｐａｓｓｗｏｒｄ１",
            "trustno1",
        ] {
            assert_eq!(check(text, true), Err(PasswordPolicyError::Common), "{text}");
        }
        for text in ["1qaz2wsx3edc4rfv", "123456789qwerty", "Q1W2E3R4T5Y6U7I8"] {
            assert_eq!(check(text, false), Err(PasswordPolicyError::Common), "{text}");
        }
    }

    #[test]
    fn to_write_a_common_password_twice_makes_it_no_better() {
        for text in [
            "password1password1",
            "abcabcabcabcabcabc",
            "aaaaaaaaaaaaaaaa",
            "ééééééééééééééé",
        ] {
            assert_eq!(check(text, false), Err(PasswordPolicyError::Common), "{text}");
        }
        assert_eq!(check("kvewzq7bkvewzq7b", false), Ok(()));
    }

    #[test]
    fn to_add_a_little_to_a_common_password_makes_it_no_better() {
        for text in [
            "password1-2026!",
            "!!Qwertyuiop!!1",
            "password-password",
            "Password1Password1!",
            "xxxpassword1xxx",
            "1234567password",
        ] {
            assert_eq!(check(text, false), Err(PasswordPolicyError::Common), "{text}");
        }
        for text in [
            "correct horse battery staple",
            "chocolate rivers",
            "password kvewzq7b",
        ] {
            assert_eq!(check(text, false), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_everybody_knows_of_the_account_does_not_count() {
        for text in [
            "Jo.Doe@Example.com",
            "TigerTrust2026!",
            "jo.doe-tigertrust",
            "JO.DOEjo.doe123",
        ] {
            assert_eq!(check(text, false), Err(PasswordPolicyError::Guessable), "{text}");
        }
        assert_eq!(check("jo.doe kvewzq7b", false), Ok(()));
    }

    #[test]
    fn a_short_local_part_is_not_held_against_a_password() {
        let owner = "a@example.com".parse().unwrap();
        let policy = PasswordPolicy {
            owner: &owner,
            second_factor: true,
        };
        assert_eq!(policy.check("ba4na-aq"), Ok(()));
    }

    #[test]
    fn the_list_holds_what_length_alone_would_let_pass() {
        assert!(COMMONEST.lines().count() > 10_000);
        for common in COMMONEST.lines() {
            assert!(common.chars().count() >= 8, "{common}");
            assert_eq!(*folded(common), *common);
        }
    }

    proptest! {
        #[test]
        fn the_unit_makes_up_the_whole(unit in "\\PC{1,5}", times in 1_usize..5) {
            let text = unit.repeat(times);
            let found = repeated_unit(&text);
            prop_assert_eq!(found.repeat(text.len() / found.len()), text.clone());
            prop_assert!(found.len() <= unit.len());
        }

        #[test]
        fn no_text_makes_the_check_panic(text in "\\PC{0,300}", second_factor: bool) {
            let _ = check(&text, second_factor);
        }
    }
}
