//! Time-based one-time codes (RFC 6238) as authenticator apps know them: HMAC-SHA-1, six digits, steps of 30 seconds.
//!
//! SHA-1 is what every app does; the weakness of its collisions does not touch HMAC.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha1::Sha1;
use tigertrust_model::{RandomError, RandomSource, Timestamp};
use zeroize::Zeroizing;

use crate::qr;

const STEP_MICROS: i64 = 30_000_000;
const CODE_LENGTH: usize = 6;
const CODES: u32 = 1_000_000;
/// How far the clock of an app may be from ours, in steps (RFC 6238 §5.2 recommends one at most).
const SKEW: i64 = 1;
/// RFC 4648 §6.
const BASE32: [u8; 32] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// All but the unreserved characters of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A count of 30-second steps since the Unix epoch. An account's last accepted one is stored; only a later one may
/// take its place, and whoever stores it must compare and set in one statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TotpStep(i64);

impl TotpStep {
    /// The step that a row holds.
    #[must_use]
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The number to store.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The step that a time lies in.
    #[must_use]
    pub const fn at(time: Timestamp) -> Self {
        Self(time.unix_micros().div_euclid(STEP_MICROS))
    }
}

/// Six digits as somebody typed them. `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpCode(Zeroizing<u32>);

impl TotpCode {
    /// Reads six ASCII digits, with white space anywhere; `None` for anything else.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut digits = Zeroizing::new(String::with_capacity(CODE_LENGTH));
        for letter in text.chars().filter(|letter| !letter.is_whitespace()) {
            if !letter.is_ascii_digit() || digits.len() == CODE_LENGTH {
                return None;
            }
            digits.push(letter);
        }
        let complete = digits.len() == CODE_LENGTH;
        complete
            .then(|| digits.parse().ok())
            .flatten()
            .map(|number| Self(Zeroizing::new(number)))
    }
}

impl fmt::Debug for TotpCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpCode")
    }
}

/// The secret that an authenticator app shares with an account. Zeroised on drop; `Debug` shows nothing.
#[derive(Clone)]
pub struct TotpSecret(Zeroizing<[u8; Self::LENGTH]>);

impl TotpSecret {
    /// Its bytes: 160 bits, as RFC 4226 §4 recommends.
    pub const LENGTH: usize = 20;

    /// A new secret.
    ///
    /// # Errors
    /// [`RandomError`] when the random source gives nothing.
    pub fn generate(random: &dyn RandomSource) -> Result<Self, RandomError> {
        let mut bytes = Zeroizing::new([0; Self::LENGTH]);
        random.fill(&mut *bytes)?;
        Ok(Self(bytes))
    }

    /// The secret out of what was sealed; `None` for another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Zeroizing::new).map(Self)
    }

    /// The bytes, to be sealed and stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// The secret in base 32 (32 characters), for who types it into an app.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(32));
        for group in self.0.chunks(5) {
            let bits = group
                .iter()
                .fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
            text.extend((0..8).rev().map(|position| {
                let digit = usize::try_from((bits >> (5 * position)) & 31).unwrap_or(0);
                BASE32.get(digit).map_or('A', |letter| char::from(*letter))
            }));
        }
        text
    }

    /// The URI that apps take the secret from (Key URI Format of Google Authenticator). It holds the secret.
    #[must_use]
    pub fn otpauth_uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let issuer = utf8_percent_encode(issuer, RESERVED);
        let account = utf8_percent_encode(account, RESERVED);
        Zeroizing::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
            *self.reveal()
        ))
    }

    /// The URI as a QR code, an SVG image that refers to nothing outside; `None` if the names are too long for one.
    #[must_use]
    pub fn otpauth_qr(&self, issuer: &str, account: &str) -> Option<Zeroizing<String>> {
        qr::svg(
            &self.otpauth_uri(issuer, account),
            "QR code for your authenticator app",
        )
    }

    /// The code of a step, as an app shows it.
    #[must_use]
    pub fn code(&self, step: TotpStep) -> Zeroizing<String> {
        Zeroizing::new(format!("{:06}", self.number(step)))
    }

    /// Checks a code. It is good in the step of `now`, the one before and the one after, and only for a step later than
    /// the last that was accepted (RFC 6238 §5.2: no code is accepted twice).
    ///
    /// Returns the step that it was accepted for, which the caller stores before it lets anybody in. The time taken
    /// depends neither on the code nor on the secret.
    #[must_use]
    pub fn check(
        &self,
        code: &TotpCode,
        now: Timestamp,
        last_accepted: Option<TotpStep>,
    ) -> Option<TotpStep> {
        let present = TotpStep::at(now).0;
        // Every step is computed. Of two that match (one in a million) the later one is taken, so that the code is
        // spent for both.
        (present.saturating_sub(SKEW)..=present.saturating_add(SKEW))
            .map(|step| (self.number(TotpStep(step)) ^ *code.0, TotpStep(step)))
            .fold(None, |accepted, (difference, step)| {
                let good = (difference == 0) & last_accepted.is_none_or(|last| step > last);
                if good { Some(step) } else { accepted }
            })
    }

    /// RFC 4226 §5.3.
    fn number(&self, step: TotpStep) -> u32 {
        // HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&*self.0) else {
            return CODES;
        };
        mac.update(&step.0.to_be_bytes());
        let bytes: [u8; 20] = mac.finalize().into_bytes().into();
        let offset = bytes.last().map_or(0, |last| usize::from(last & 15));
        let word = bytes.get(offset..).and_then(<[u8]>::first_chunk);
        word.map_or(CODES, |word| (u32::from_be_bytes(*word) & 0x7fff_ffff) % CODES)
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn secret() -> TotpSecret {
        TotpSecret::from_bytes(b"12345678901234567890").unwrap()
    }

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000)
    }

    fn check(code: &str, seconds: i64, last: Option<i64>) -> Option<i64> {
        let code = TotpCode::read(code)?;
        let last = last.map(TotpStep::from_number);
        secret().check(&code, time(seconds), last).map(TotpStep::number)
    }

    /// RFC 6238 appendix B, the vectors of SHA-1 cut from eight digits to six.
    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(*secret().code(TotpStep::at(time(seconds))), *code, "{seconds}");
        }
    }

    /// RFC 4226 appendix D.
    #[test]
    fn codes_are_those_of_rfc_4226() {
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
            "520489",
        ];
        for (step, code) in (0..).zip(codes) {
            assert_eq!(*secret().code(TotpStep(step)), *code, "{step}");
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_and_one_step_late() {
        let code = secret().code(TotpStep(100));
        for seconds in [2970, 2999, 3000, 3029, 3030, 3059] {
            assert_eq!(check(&code, seconds, None), Some(100), "{seconds}");
        }
        for seconds in [0, 2969, 3060, 6000] {
            assert_eq!(check(&code, seconds, None), None, "{seconds}");
        }
    }

    /// CVE-2025-6015: a code with spaces passed for another one.
    #[test]
    fn a_step_is_accepted_once_however_the_code_is_written() {
        let code = secret().code(TotpStep(100)).to_string();
        let (start, end) = code.split_at(3);
        let spellings = [
            format!("{start} {end}"),
            format!(" {code}\n"),
            format!("{start}\u{a0}{end}"),
        ];
        for spelling in &spellings {
            assert_eq!(check(spelling, 3000, None), Some(100), "{spelling:?}");
            assert_eq!(check(spelling, 3000, Some(100)), None, "{spelling:?}");
        }
    }

    #[test]
    fn no_earlier_step_is_accepted_after_a_later_one() {
        let (earlier, later) = (secret().code(TotpStep(99)), secret().code(TotpStep(100)));
        assert_eq!(check(&later, 3000, None), Some(100));
        assert_eq!(check(&earlier, 3000, Some(100)), None);
        // Nor after the clock was put back.
        assert_eq!(check(&earlier, 2970, Some(100)), None);
    }

    #[test]
    fn what_is_no_six_digits_is_no_code() {
        for text in [
            "",
            "28708",
            "2870821",
            "28708a",
            "-87082",
            "٢٨٧٠٨٢",
            "287082\0",
            "+287082",
        ] {
            assert_eq!(TotpCode::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn apps_get_issuer_account_and_secret_in_a_uri() {
        assert_eq!(
            *secret().otpauth_uri("Tiger & Co: Trust", "jo+x@example.com"),
            *"otpauth://totp/Tiger%20%26%20Co%3A%20Trust:jo%2Bx%40example.com?secret=\
              GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Tiger%20%26%20Co%3A%20Trust&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn the_longest_address_fits_into_a_qr_code() {
        assert!(secret().otpauth_qr("TigerTrust", &"ü".repeat(127)).is_some());
        assert_eq!(secret().otpauth_qr(&"T".repeat(2000), "jo@example.com"), None);
    }

    #[test]
    fn nothing_of_secret_or_code_is_in_debug_text() {
        let code = TotpCode::read("287082").unwrap();
        assert_eq!(format!("{:?} {code:?}", secret()), "TotpSecret TotpCode");
    }

    proptest! {
        #[test]
        fn the_same_step_is_never_accepted_twice(
            bytes: [u8; 20],
            attempts in proptest::collection::vec((0_i64..6, 0_u64..200), 1..40),
        ) {
            let secret = TotpSecret::from_bytes(&bytes).unwrap();
            let start = 1_800_000_000;
            let mut accepted = Vec::new();
            for (step, seconds) in attempts {
                let code = secret.code(TotpStep(start / 30 + step));
                let now = time(start).saturating_add(Duration::from_secs(seconds));
                let code = TotpCode::read(&code).unwrap();
                if let Some(step) = secret.check(&code, now, accepted.last().copied()) {
                    prop_assert!(accepted.last().is_none_or(|last| step > *last));
                    accepted.push(step);
                }
            }
        }

        #[test]
        fn no_text_and_no_time_make_the_check_panic(text in "\\PC{0,20}", digits in "[0-9 ]{0,9}", micros: i64) {
            let now = Timestamp::from_unix_micros(micros);
            for code in [text, digits].iter().filter_map(|text| TotpCode::read(text)) {
                let _ = secret().check(&code, now, None);
            }
        }
    }
}
