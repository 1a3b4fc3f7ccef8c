//! How much of something is allowed in how long.

use std::{fmt, str::FromStr, time::Duration};

/// So much within a sliding window. Written `60/1m`: the limit, and the window in `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    limit: u32,
    /// In milliseconds.
    window: u32,
}

/// The numbers or the text are not a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a limit of 1 to 50000000 and a window of 1s to 1d, such as 60/1m or 1000/1h")]
pub struct QuotaError;

impl Quota {
    /// The highest limit: what a window can count with room to spare.
    pub const MAX_LIMIT: u32 = 50_000_000;
    const MIN_WINDOW: Duration = Duration::from_secs(1);
    const MAX_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

    /// So much in so long: 1 to [`MAX_LIMIT`](Self::MAX_LIMIT) in one second to one day, in whole milliseconds.
    ///
    /// # Errors
    /// [`QuotaError`] for other numbers.
    pub fn new(limit: u32, window: Duration) -> Result<Self, QuotaError> {
        let fits = (1..=Self::MAX_LIMIT).contains(&limit)
            && (Self::MIN_WINDOW..=Self::MAX_WINDOW).contains(&window)
            && window.subsec_nanos().is_multiple_of(1_000_000);
        let window = u32::try_from(window.as_millis()).map_err(|_| QuotaError)?;
        if fits {
            Ok(Self { limit, window })
        } else {
            Err(QuotaError)
        }
    }

    /// So much a minute; a limit out of bounds is taken for the nearest one.
    #[must_use]
    pub const fn per_minute(limit: u32) -> Self {
        Self::within(limit, 60_000)
    }

    /// So much an hour; a limit out of bounds is taken for the nearest one.
    #[must_use]
    pub const fn per_hour(limit: u32) -> Self {
        Self::within(limit, 3_600_000)
    }

    const fn within(limit: u32, window: u32) -> Self {
        let limit = match limit {
            0 => 1,
            Self::MAX_LIMIT.. => Self::MAX_LIMIT,
            limit => limit,
        };
        Self { limit, window }
    }

    /// How much is allowed within the window.
    #[must_use]
    pub const fn limit(self) -> u32 {
        self.limit
    }

    /// How long the window is.
    #[must_use]
    pub const fn window(self) -> Duration {
        Duration::from_millis(self.window as u64)
    }

    /// The same window with another limit, where that is lower.
    #[must_use]
    pub const fn at_most(self, limit: Option<u32>) -> Self {
        match limit {
            Some(limit) if limit < self.limit => Self::within(limit, self.window),
            _ => self,
        }
    }

    /// An equal share for each of so many; no share is nothing.
    #[must_use]
    pub const fn share_of(self, parts: u32) -> Self {
        match self.limit.checked_div(parts) {
            Some(share) => Self::within(share, self.window),
            None => self,
        }
    }

    pub(crate) const fn window_millis(self) -> u32 {
        self.window
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.window / 1000;
        let (number, unit) = match seconds {
            0.. if !self.window.is_multiple_of(1000) => (self.window, "ms"),
            0.. if seconds.is_multiple_of(86_400) => (seconds / 86_400, "d"),
            0.. if seconds.is_multiple_of(3600) => (seconds / 3600, "h"),
            0.. if seconds.is_multiple_of(60) => (seconds / 60, "m"),
            _ => (seconds, "s"),
        };
        write!(f, "{}/{number}{unit}", self.limit)
    }
}

impl FromStr for Quota {
    type Err = QuotaError;

    fn from_str(text: &str) -> Result<Self, QuotaError> {
        let (limit, window) = text.split_once('/').ok_or(QuotaError)?;
        let unit_at = window
            .find(|letter: char| !letter.is_ascii_digit())
            .ok_or(QuotaError)?;
        let (number, unit) = window.split_at(unit_at);
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(QuotaError),
        };
        // Signs and blanks, which Rust's own parser takes in part, are not for a configuration.
        let number_of = |digits: &str| {
            let digits = Some(digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
            digits.and_then(|digits| digits.parse::<u64>().ok())
        };
        let window = number_of(number).and_then(|number| number.checked_mul(millis));
        let limit = number_of(limit).and_then(|limit| u32::try_from(limit).ok());
        match (limit, window) {
            (Some(limit), Some(window)) => Self::new(limit, Duration::from_millis(window)),
            _ => Err(QuotaError),
        }
    }
}

/// The quotas that a call has to be admitted by: a short one, and mostly a long one beside it. Clients know them as
/// `minute` and `hour`, however long their windows are set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quotas {
    /// The short one.
    pub minute: Quota,
    /// The long one.
    pub hour: Option<Quota>,
}

impl Quotas {
    /// So much a minute and an hour.
    #[must_use]
    pub const fn per_minute_and_hour(minute: u32, hour: u32) -> Self {
        Self {
            minute: Quota::per_minute(minute),
            hour: Some(Quota::per_hour(hour)),
        }
    }

    /// An equal share for each of so many.
    #[must_use]
    pub fn share_of(self, parts: u32) -> Self {
        Self {
            minute: self.minute.share_of(parts),
            hour: self.hour.map(|hour| hour.share_of(parts)),
        }
    }

    /// The same windows, with these limits where they are lower.
    #[must_use]
    pub fn at_most(self, minute: Option<u32>, hour: Option<u32>) -> Self {
        Self {
            minute: self.minute.at_most(minute),
            hour: self.hour.map(|quota| quota.at_most(hour)),
        }
    }
}

/// Written `60/1m,1000/1h`: the short one, and the long one if there is one.
impl fmt::Display for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.minute)?;
        self.hour.map_or(Ok(()), |hour| write!(f, ",{hour}"))
    }
}

impl FromStr for Quotas {
    type Err = QuotaError;

    fn from_str(text: &str) -> Result<Self, QuotaError> {
        let (minute, hour) = match text.split_once(',') {
            Some((minute, hour)) => (minute, Some(hour.parse()?)),
            None => (text, None),
        };
        let minute: Quota = minute.parse()?;
        // What is told as the minute is the shorter one.
        if hour.is_some_and(|hour: Quota| hour.window <= minute.window) {
            return Err(QuotaError);
        }
        Ok(Self { minute, hour })
    }
}

impl From<Quota> for Quotas {
    fn from(minute: Quota) -> Self {
        Self { minute, hour: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_are_read_as_they_are_written() {
        for text in ["60/1m", "1000/1h", "20/2s", "7/90s", "50000000/1d", "3/1500ms"] {
            assert_eq!(text.parse::<Quota>().unwrap().to_string(), text);
        }
        assert_eq!("60/60s".parse::<Quota>().unwrap(), Quota::per_minute(60));
        assert_eq!("60/1m".parse(), Ok(Quota::per_minute(60)));
    }

    #[test]
    fn what_is_no_quota_is_refused() {
        let texts = [
            "",
            "60",
            "60/",
            "/1m",
            "0/1m",
            "+60/1m",
            "60/+1m",
            "60/1",
            "60/m",
            "60/1w",
            "60/0s",
            "60/2d",
            "60/999ms",
            "50000001/1m",
            "4294967297/1m",
            "60/99999999999999999999d",
            " 60/1m",
            "60/1m ",
            "60/-1m",
            "६०/1m",
        ];
        for text in texts {
            assert_eq!(text.parse::<Quota>(), Err(QuotaError), "{text}");
        }
    }

    #[test]
    fn pairs_of_quotas_are_read_as_they_are_written() {
        for text in ["60/1m,1000/1h", "60/1m"] {
            assert_eq!(text.parse::<Quotas>().unwrap().to_string(), text);
        }
        for text in [
            "",
            ",",
            "60/1m,",
            ",60/1m",
            "60/1m,1000/1h,1/1d",
            "60/1m, 1000/1h",
            "1000/1h,60/1m",
            "60/1m,70/1m",
        ] {
            assert_eq!(text.parse::<Quotas>(), Err(QuotaError), "{text}");
        }
    }

    #[test]
    fn a_share_is_never_nothing_and_a_lower_limit_never_raises() {
        let quotas = Quotas::per_minute_and_hour(60, 1000);
        assert_eq!(quotas.share_of(3), Quotas::per_minute_and_hour(20, 333));
        assert_eq!(quotas.share_of(61), Quotas::per_minute_and_hour(1, 16));
        assert_eq!(quotas.share_of(0), quotas);
        assert_eq!(
            quotas.at_most(Some(10), Some(5000)),
            Quotas::per_minute_and_hour(10, 1000)
        );
    }
}
