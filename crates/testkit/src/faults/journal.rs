//! What the client was told is done, and how it judges what it is told after that.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Where a secret is in its life, as far as the client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// It was told that the secret is good.
    Good,
    /// It has asked for the end, and does not know (yet) what became of that.
    InDoubt,
    /// It was told of the end at that moment.
    Ended(Instant),
}

/// A secret of a key.
#[derive(Clone)]
pub(super) struct Secret {
    pub(super) key: String,
    pub(super) text: String,
    pub(super) life: Life,
}

/// What was acknowledged of a key.
#[derive(Clone, Default)]
pub(super) struct Acknowledged {
    pub(super) acts: BTreeMap<&'static str, usize>,
    /// Something was asked for without an answer that says what became of it.
    pub(super) in_doubt: bool,
    /// The newest secret's end.
    pub(super) last_four: String,
}

/// What an answer to a check of a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it must be, or not to be judged.
    Right,
    /// Let in so long after the end was acknowledged.
    Late(Duration),
    WrongfulAllow(Duration),
    WrongfulDenial,
    /// Nobody could know.
    Unavailable,
    /// What no answer to a check may be.
    Other,
}

/// Judges an answer that was decided at `decided` or later. `before` is where the secret was when it was asked for, `after` when it was answered.
pub(super) fn judge(status: u16, before: Life, after: Life, decided: Instant, bound: Duration) -> Verdict {
    match (status, before, after) {
        (503, ..) => Verdict::Unavailable,
        (200, _, Life::Ended(at)) => {
            // It was asked for before, or in the moment of the acknowledgement.
            let since = decided.saturating_duration_since(at);
            match since {
                Duration::ZERO => Verdict::Right,
                late if late > bound => Verdict::WrongfulAllow(late),
                late => Verdict::Late(late),
            }
        }
        (401, Life::Good, Life::Good) => Verdict::WrongfulDenial,
        (200 | 401, ..) => Verdict::Right,
        _ => Verdict::Other,
    }
}

/// Everything that was acknowledged.
#[derive(Default)]
pub(super) struct Journal {
    secrets: Mutex<Vec<Secret>>,
    keys: Mutex<BTreeMap<String, Acknowledged>>,
    roles: Mutex<Roles>,
}

/// What was done to the role of the one member whose role changes.
#[derive(Clone, Default)]
pub(super) struct Roles {
    pub(super) acknowledged: usize,
    /// The role that was acknowledged last.
    pub(super) last: Option<&'static str>,
    /// Those that were asked for without an answer that says what became of it: they may come to be at any time.
    pub(super) in_doubt: Vec<&'static str>,
}

impl Journal {
    /// Notes a new key, and returns the number of its secret.
    pub(super) fn made(&self, key: &str, text: &str) -> usize {
        self.done(key, "key.created", text);
        self.put(key, text)
    }

    /// Notes that a secret may end from now on, with its key's next act.
    pub(super) fn ending(&self, number: usize) {
        let key = {
            let mut secrets = lock(&self.secrets);
            secrets[number].life = Life::InDoubt;
            secrets[number].key.clone()
        };
        lock(&self.keys).entry(key).or_default().in_doubt = true;
    }

    /// Notes that a key's secret has ended with the key.
    pub(super) fn revoked(&self, number: usize) {
        let ended = self.end(number);
        self.done(&ended.key, "key.revoked", &ended.text);
    }

    /// Notes that another secret has taken the place of one, and returns its number.
    pub(super) fn rotated(&self, number: usize, text: &str) -> usize {
        let ended = self.end(number);
        self.done(&ended.key, "key.rotated", text);
        self.put(&ended.key, text)
    }

    /// Notes a role that was asked for, and whether that was acknowledged.
    pub(super) fn role(&self, role: &'static str, acknowledged: bool) {
        let mut roles = lock(&self.roles);
        if acknowledged {
            roles.acknowledged += 1;
            roles.last = Some(role);
        } else {
            roles.in_doubt.push(role);
        }
    }

    pub(super) fn secret(&self, number: usize) -> Secret {
        lock(&self.secrets)[number].clone()
    }

    pub(super) fn life(&self, number: usize) -> Life {
        lock(&self.secrets)[number].life
    }

    /// How many secrets there are: their numbers are those below.
    pub(super) fn count(&self) -> usize {
        lock(&self.secrets).len()
    }

    /// How many acts were acknowledged.
    pub(super) fn acknowledged(&self) -> usize {
        let keys: usize = lock(&self.keys)
            .values()
            .map(|key| key.acts.values().sum::<usize>())
            .sum();
        keys + self.roles().acknowledged
    }

    /// How many ends of secrets were acknowledged at that moment or later.
    pub(super) fn ended_since(&self, moment: Instant) -> usize {
        let secrets = lock(&self.secrets);
        let ended = |secret: &&Secret| matches!(secret.life, Life::Ended(at) if at >= moment);
        secrets.iter().filter(ended).count()
    }

    pub(super) fn keys(&self) -> BTreeMap<String, Acknowledged> {
        lock(&self.keys).clone()
    }

    pub(super) fn roles(&self) -> Roles {
        lock(&self.roles).clone()
    }

    fn put(&self, key: &str, text: &str) -> usize {
        let mut secrets = lock(&self.secrets);
        secrets.push(Secret {
            key: key.to_owned(),
            text: text.to_owned(),
            life: Life::Good,
        });
        secrets.len() - 1
    }

    fn end(&self, number: usize) -> Secret {
        let mut secrets = lock(&self.secrets);
        secrets[number].life = Life::Ended(Instant::now());
        secrets[number].clone()
    }

    fn done(&self, key: &str, act: &'static str, text: &str) {
        let mut keys = lock(&self.keys);
        let key = keys.entry(key.to_owned()).or_default();
        *key.acts.entry(act).or_default() += 1;
        key.in_doubt = false;
        key.last_four = text[text.len() - 4..].to_owned();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(1);

    #[test]
    fn a_secret_that_is_let_in_past_the_bound_is_noticed() {
        let ended = Instant::now();
        let life = Life::Ended(ended);
        let at = |millis| ended + Duration::from_millis(millis);
        let judged = |decided| judge(200, life, life, decided, BOUND);
        assert_eq!(
            judged(at(1_001)),
            Verdict::WrongfulAllow(Duration::from_millis(1_001))
        );
        assert_eq!(judged(at(1_000)), Verdict::Late(BOUND));
        assert_eq!(judged(at(0)), Verdict::Right);
        assert_eq!(judge(401, life, life, at(5_000), BOUND), Verdict::Right);
    }

    #[test]
    fn a_good_secret_that_is_refused_is_noticed_unless_its_end_was_asked_for_meanwhile() {
        let now = Instant::now();
        let judged = |status, after| judge(status, Life::Good, after, now, BOUND);
        assert_eq!(judged(401, Life::Good), Verdict::WrongfulDenial);
        assert_eq!(judged(401, Life::InDoubt), Verdict::Right);
        assert_eq!(judged(401, Life::Ended(now)), Verdict::Right);
        assert_eq!(judged(503, Life::Good), Verdict::Unavailable);
        assert_eq!(judged(500, Life::Good), Verdict::Other);
        assert_eq!(judged(429, Life::Good), Verdict::Other);
    }

    #[test]
    fn what_is_in_doubt_is_so_until_the_next_acknowledgement() {
        let journal = Journal::default();
        let number = journal.made("key_1", "ak_abcdefgh");
        journal.ending(number);
        assert!(journal.keys()["key_1"].in_doubt);
        journal.rotated(number, "ak_ijklmnop");
        let known = journal.keys()["key_1"].clone();
        assert!(!known.in_doubt);
        assert_eq!(known.last_four, "mnop");
        assert_eq!(journal.acknowledged(), 2);
        assert_eq!(journal.ended_since(Instant::now() + BOUND), 0);
    }
}
