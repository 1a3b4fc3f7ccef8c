//! Random pauses: those who wait for the same moment must not meet there.

use std::time::Duration;

use tigertrust_model::RandomSource;

/// A part of `whole`. The whole of it where there is no randomness.
pub(crate) fn random_part(random: &dyn RandomSource, whole: Duration) -> Duration {
    let mut bytes = [0; 4];
    match random.fill(&mut bytes) {
        Ok(()) => whole.mul_f64(f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)),
        Err(_) => whole,
    }
}

/// The pause before a repetition, up to a bound that doubles each time: exponential backoff with full jitter.
pub(crate) fn pause(random: &dyn RandomSource, repetition: u32, first: Duration, most: Duration) -> Duration {
    let bound = first.saturating_mul(2_u32.saturating_pow(repetition)).min(most);
    random_part(random, bound)
}

#[cfg(test)]
mod tests {
    use tigertrust_model::RandomError;

    use super::*;

    struct Always(Result<u8, RandomError>);

    impl RandomSource for Always {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
            bytes.fill(self.0?);
            Ok(())
        }
    }

    #[test]
    fn a_pause_is_up_to_a_bound_that_doubles() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(5));
        let bounds = [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000].map(Duration::from_millis);
        for (repetition, bound) in (0..).zip(bounds) {
            assert_eq!(pause(&Always(Ok(255)), repetition, first, most), bound);
            assert_eq!(pause(&Always(Ok(0)), repetition, first, most), Duration::ZERO);
            assert_eq!(pause(&Always(Err(RandomError)), repetition, first, most), bound);
        }
        assert_eq!(pause(&Always(Ok(255)), u32::MAX, first, most), most);
    }
}
