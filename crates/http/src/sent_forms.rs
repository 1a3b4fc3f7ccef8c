//! Which forms were sent: what shows a secret once must not be done again because its page is loaded anew.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tigertrust_model::{SessionId, Timestamp};

/// How many are remembered; a form is loaded anew within minutes, if at all.
const REMEMBERED: usize = 10_000;

/// The latest forms that were sent to this server, each by the name that its page gave it.
#[derive(Default)]
pub(crate) struct SentForms {
    latest: Mutex<Latest>,
    named: AtomicU64,
}

#[derive(Default)]
struct Latest {
    known: HashSet<(SessionId, String)>,
    in_order: VecDeque<(SessionId, String)>,
}

impl SentForms {
    /// A name for a form: no other form of this server has it that was made at the same time.
    pub(crate) fn name(&self, now: Timestamp) -> String {
        let count = self.named.fetch_add(1, Ordering::Relaxed);
        format!("{}-{count}", now.unix_micros())
    }

    /// Notes a form of a session, and says whether it is the first time that it comes.
    pub(crate) fn is_first(&self, session: SessionId, name: &str) -> bool {
        let form = (session, name.to_owned());
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if !latest.known.insert(form.clone()) {
            return false;
        }
        latest.in_order.push_back(form);
        if latest.in_order.len() > REMEMBERED
            && let Some(oldest) = latest.in_order.pop_front()
        {
            latest.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_comes_once_and_few_are_remembered() {
        let forms = SentForms::default();
        let session = SessionId::from_uuid(uuid::Uuid::nil());
        assert!(forms.is_first(session, "a"));
        assert!(!forms.is_first(session, "a"));
        assert!(forms.is_first(session, "b"));
        for count in 0..REMEMBERED {
            assert!(forms.is_first(session, &count.to_string()));
        }
        assert!(forms.is_first(session, "a"));
        assert_eq!(forms.latest.lock().unwrap().known.len(), REMEMBERED);
    }
}
