//! States as bytes, to be kept while no process runs.

use tigertrust_model::Timestamp;

use crate::{State, Subject, window::Window};

/// What the bytes begin with; other layouts will begin otherwise.
const VERSION: u8 = 1;

/// The bytes are no states of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the saved rate-limit states cannot be read")]
pub struct SnapshotError;

/// States, and the time that they were saved at. As bytes: the version, the time in microseconds, and for each state the
/// subject in 17 bytes and both windows, each as its length in milliseconds, the number of its spends, and bucket and count of
/// each; all numbers are big-endian.
pub(crate) struct Snapshot {
    pub(crate) at: Timestamp,
    pub(crate) states: Vec<(Subject, State)>,
}

impl Snapshot {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.at.unix_micros().to_be_bytes());
        for (subject, state) in &self.states {
            bytes.extend(subject.bytes());
            for window in [&state.minute, &state.hour] {
                write(window, &mut bytes);
            }
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        Self::read(Reader(bytes)).ok_or(SnapshotError)
    }

    fn read(mut reader: Reader<'_>) -> Option<Self> {
        reader.take().filter(|[version]| *version == VERSION)?;
        let at = Timestamp::from_unix_micros(i64::from_be_bytes(reader.take()?));
        let mut states = Vec::new();
        while !reader.0.is_empty() {
            let subject = Subject::from_bytes(reader.take()?)?;
            let (minute, hour) = (reader.window()?, reader.window()?);
            if !minute.is_before(at) || !hour.is_before(at) {
                return None;
            }
            states.push((subject, State { minute, hour }));
        }
        Some(Self { at, states })
    }
}

fn write(window: &Window, bytes: &mut Vec<u8>) {
    let (length, spends) = window.spends();
    let spends: Vec<(u64, u32)> = spends.collect();
    bytes.extend(length.to_be_bytes());
    // A window holds 60 at the most.
    bytes.push(u8::try_from(spends.len()).unwrap_or(u8::MAX));
    for (bucket, count) in spends {
        bytes.extend(bucket.to_be_bytes());
        bytes.extend(count.to_be_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn window(&mut self) -> Option<Window> {
        let length = u32::from_be_bytes(self.take()?);
        let [count] = self.take()?;
        let spends: Option<Vec<(u64, u32)>> = (0..count)
            .map(|_| Some((u64::from_be_bytes(self.take()?), u32::from_be_bytes(self.take()?))))
            .collect();
        Window::of_spends(length, &spends?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use tigertrust_model::KeyId;

    use super::*;
    use crate::{Quotas, decide};

    proptest! {
        #[test]
        fn states_are_read_as_they_were_written(
            arrivals in proptest::collection::vec((0_u64..200_000_000, 0_u32..9), 0..200),
            id: u128,
        ) {
            let quotas = Quotas::per_minute_and_hour(300, 1000);
            let (mut state, mut now) = (State::default(), Timestamp::from_unix_micros(1_790_000_000_000_000));
            for (gap, cost) in arrivals {
                now = now.saturating_add(Duration::from_micros(gap));
                decide(&mut state, now, &quotas, cost);
            }
            let key = KeyId::from_uuid(uuid::Uuid::from_u128(id));
            let states = vec![(Subject::Key(key), state.clone()), (Subject::Verifier(key), state)];
            let read = Snapshot::from_bytes(&Snapshot { at: now, states: states.clone() }.to_bytes()).unwrap();
            prop_assert_eq!(read.at, now);
            for ((subject, mut state), (expected, mut before)) in read.states.into_iter().zip(states) {
                prop_assert_eq!(subject, expected);
                let later = now.saturating_add(Duration::from_secs(31));
                prop_assert_eq!(decide(&mut state, later, &quotas, 1), decide(&mut before, later, &quotas, 1));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(mut bytes: Vec<u8>) {
            let _ = Snapshot::from_bytes(&bytes);
            bytes.insert(0, VERSION);
            let _ = Snapshot::from_bytes(&bytes);
        }
    }
}
