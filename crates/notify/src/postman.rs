//! The mails that are under way, beside the requests that they come from.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tigertrust_accounts::{Notice, Notifier};
use tigertrust_model::{Email, RandomSource};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Letterhead, MailError, MailTransport};

/// How many mails may be under way; what comes beyond is dropped.
const CAPACITY: usize = 1000;
/// How many are sent at once: a server of mail does not like more.
const AT_ONCE: usize = 4;
/// How many mails to those who look after workspaces may be under way beside these, one at a time: they must not stand in the way of
/// those that somebody waits for.
const CAPACITY_FOR_STEWARDS: usize = 200;
/// How often a mail is tried. All pauses together are some six minutes: a link is good for thirty.
const TRIES: u32 = 5;
/// The pause after the first try, in milliseconds; each further one is four times as long.
const FIRST_PAUSE: u64 = 4_000;

/// Writes and sends what people are told, in the background: a request neither waits for a mail nor fails with it. What
/// could not be sent is tried again after pauses that grow; what is refused for good, or does not go at all, is dropped
/// with a line in the log. Mails are in memory alone: a crash loses those that are under way.
///
/// A clone is another handle to the same postman.
#[derive(Clone)]
pub struct Postman(Arc<Office>);

struct Office {
    letterhead: Letterhead,
    transport: Arc<dyn MailTransport>,
    random: Arc<dyn RandomSource>,
    runtime: Handle,
    people: Queue,
    stewards: Queue,
    under_way: TaskTracker,
    closing: CancellationToken,
    closed: CancellationToken,
    sent: AtomicU64,
    failed: AtomicU64,
}

/// How many mails of a kind may be under way, and how many are sent at once.
struct Queue {
    room: Arc<Semaphore>,
    lanes: Semaphore,
}

impl Queue {
    fn new(capacity: usize, at_once: usize) -> Self {
        Self {
            room: Arc::new(Semaphore::new(capacity)),
            lanes: Semaphore::new(at_once),
        }
    }
}

impl Postman {
    /// A postman, whose work is done on `runtime`. Pauses are drawn out of `random`, so that the mails of many do not come
    /// back at the same moment.
    #[must_use]
    pub fn new(
        letterhead: Letterhead,
        transport: Arc<dyn MailTransport>,
        random: Arc<dyn RandomSource>,
        runtime: Handle,
    ) -> Self {
        Self(Arc::new(Office {
            letterhead,
            transport,
            random,
            runtime,
            people: Queue::new(CAPACITY, AT_ONCE),
            stewards: Queue::new(CAPACITY_FOR_STEWARDS, 1),
            under_way: TaskTracker::new(),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }))
    }

    /// How many mails are under way: those that wait and those that are being sent.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.0.under_way.len()
    }

    /// How many mails the transport took, all told.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// How many mails did not go and never will, all told: dropped, refused or given up.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.0.failed.load(Ordering::Relaxed)
    }

    /// Takes no more mails, tries those that are waiting a last time, and gives up what has not gone after `patience`.
    pub async fn close(&self, patience: Duration) {
        let office = &self.0;
        office.closing.cancel();
        office.under_way.close();
        if timeout(patience, office.under_way.wait()).await.is_err() {
            tracing::warn!(
                mails = office.under_way.len(),
                "mails were not sent before the end"
            );
            office.closed.cancel();
            office.under_way.wait().await;
        }
    }
}

impl Notifier for Postman {
    fn tell(&self, to: Email, notice: Notice) {
        let office = &self.0;
        let kind = notice.kind();
        if office.closing.is_cancelled() {
            tracing::warn!(kind, "a mail was dropped: the server is stopping");
            office.failed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match Arc::clone(&office.queue_of(&notice).room).try_acquire_owned() {
            Ok(place) => {
                let delivery = Arc::clone(office).deliver(to, notice, place);
                let office = Arc::clone(office);
                let until_closed = async move {
                    let sent = office.closed.run_until_cancelled(delivery).await;
                    let count = match sent {
                        Some(true) => &office.sent,
                        Some(false) | None => &office.failed,
                    };
                    count.fetch_add(1, Ordering::Relaxed);
                };
                self.0.under_way.spawn_on(until_closed, &self.0.runtime);
            }
            Err(_) => {
                tracing::warn!(kind, "a mail was dropped: too many are under way already");
                office.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Office {
    const fn queue_of(&self, notice: &Notice) -> &Queue {
        if notice.is_for_stewards() {
            &self.stewards
        } else {
            &self.people
        }
    }

    /// Tries to send a notice until it is sent, refused, or was tried often enough; returns whether it was sent.
    async fn deliver(self: Arc<Self>, to: Email, notice: Notice, _place: OwnedSemaphorePermit) -> bool {
        let kind = notice.kind();
        let mail = self.letterhead.write(&to, &notice);
        let lanes = &self.queue_of(&notice).lanes;
        drop(notice);
        for attempt in 1..=TRIES {
            let sent = {
                let _lane = lanes.acquire().await;
                self.transport.send(&mail).await
            };
            match sent {
                Ok(()) => {
                    tracing::debug!(kind, attempt, "a mail was sent");
                    return true;
                }
                Err(error @ MailError::Unavailable { .. }) if attempt < TRIES => {
                    if self.closing.is_cancelled() {
                        tracing::warn!(kind, %error, "a mail was not sent before the end");
                        return false;
                    }
                    tracing::info!(kind, attempt, %error, "a mail will be tried again");
                    // The end of the server ends the pause: the mail has one more try then.
                    self.closing.run_until_cancelled(sleep(self.pause(attempt))).await;
                }
                Err(error) => {
                    tracing::warn!(kind, attempt, %error, "a mail was not sent");
                    return false;
                }
            }
        }
        false
    }

    /// The pause after a try: between the half and the whole of what the try's number says.
    fn pause(&self, attempt: u32) -> Duration {
        let longest = FIRST_PAUSE << (2 * attempt.saturating_sub(1)).min(16);
        let half = longest / 2;
        let mut bytes = [0; 8];
        // Without randomness the pause is the shortest; that does no harm.
        let drawn = match self.random.fill(&mut bytes) {
            Ok(()) => u64::from_le_bytes(bytes) % (half + 1),
            Err(_) => 0,
        };
        Duration::from_millis(half + drawn)
    }
}

impl fmt::Debug for Postman {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postman")
            .field("under_way", &self.0.under_way.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the time of these tests is paused")]
mod tests {
    use std::sync::{Mutex, atomic::AtomicUsize};

    use async_trait::async_trait;
    use tigertrust_accounts::{Circumstances, HygieneTally};
    use tigertrust_credentials::OsRandom;
    use tigertrust_model::{Origin, Timestamp};
    use tokio::time::Instant;

    use super::*;
    use crate::Mail;

    /// Fails so often, and then takes what comes; says when it was asked.
    #[derive(Default)]
    struct Moody {
        failures: AtomicUsize,
        refuses: bool,
        asked: Mutex<Vec<Instant>>,
        taken: AtomicUsize,
        at_once: AtomicUsize,
        most_at_once: AtomicUsize,
    }

    #[async_trait]
    impl MailTransport for Moody {
        async fn send(&self, _: &Mail) -> Result<(), MailError> {
            self.asked.lock().unwrap().push(Instant::now());
            let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(now, Ordering::SeqCst);
            sleep(Duration::from_millis(10)).await;
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            let fails = self
                .failures
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            let reason = "greylisted".to_owned();
            match fails {
                Ok(_) if self.refuses => Err(MailError::Refused { reason }),
                Ok(_) => Err(MailError::Unavailable { reason }),
                Err(_) => {
                    self.taken.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                }
            }
        }
    }

    fn postman(failures: usize, refuses: bool) -> (Postman, Arc<Moody>) {
        let transport = Arc::new(Moody {
            failures: failures.into(),
            refuses,
            ..Moody::default()
        });
        let letterhead = Letterhead::new("TigerTrust", "https://auth.example.com".parse().unwrap());
        let mails = Arc::clone(&transport) as Arc<dyn MailTransport>;
        let postman = Postman::new(letterhead, mails, Arc::new(OsRandom), Handle::current());
        (postman, transport)
    }

    fn tell(postman: &Postman) {
        let by = Circumstances {
            at: Timestamp::from_unix_micros(0),
            origin: Origin::default(),
        };
        postman.tell("jo@example.com".parse().unwrap(), Notice::NewDevice { by });
    }

    /// Lets everything run that is under way, through all pauses: the time of these tests passes by itself.
    async fn rest(postman: &Postman) {
        postman.0.under_way.close();
        postman.0.under_way.wait().await;
        postman.0.under_way.reopen();
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_tried_again_after_pauses_that_grow() {
        let (postman, transport) = postman(4, false);
        tell(&postman);
        rest(&postman).await;
        assert_eq!(transport.taken.load(Ordering::SeqCst), 1);
        let asked = transport.asked.lock().unwrap();
        let pauses: Vec<u128> = asked
            .windows(2)
            .map(|pair| (pair[1] - pair[0]).as_millis() - 10)
            .collect();
        assert_eq!(pauses.len(), 4);
        for (pause, longest) in pauses.iter().zip([4_000, 16_000, 64_000, 256_000]) {
            assert!((longest / 2..=longest + 2).contains(pause), "{pauses:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_mail_is_given_up_after_five_tries_and_a_refused_one_after_the_first() {
        for (refuses, tries) in [(false, 5), (true, 1)] {
            let (postman, transport) = postman(usize::MAX, refuses);
            tell(&postman);
            rest(&postman).await;
            assert_eq!(transport.asked.lock().unwrap().len(), tries);
            assert_eq!(postman.0.people.room.available_permits(), CAPACITY);
            assert_eq!((postman.sent(), postman.failed()), (0, 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_beyond_the_room_is_dropped_and_few_are_sent_at_once() {
        let (postman, transport) = postman(0, false);
        for _ in 0..CAPACITY + 50 {
            tell(&postman);
        }
        rest(&postman).await;
        assert_eq!(transport.taken.load(Ordering::SeqCst), CAPACITY);
        assert_eq!(transport.most_at_once.load(Ordering::SeqCst), AT_ONCE);
        tell(&postman);
        rest(&postman).await;
        assert_eq!(transport.taken.load(Ordering::SeqCst), CAPACITY + 1);
        assert_eq!((postman.sent(), postman.failed()), (1001, 50));
    }

    #[tokio::test(start_paused = true)]
    async fn what_goes_to_many_does_not_stand_in_the_way_of_what_somebody_waits_for() {
        let (postman, transport) = postman(0, false);
        for _ in 0..CAPACITY {
            let notice = Notice::KeysToReview {
                workspace: "Acme".to_owned(),
                tally: HygieneTally::default(),
            };
            postman.tell("jo@example.com".parse().unwrap(), notice);
        }
        for _ in 0..CAPACITY {
            tell(&postman);
        }
        rest(&postman).await;
        assert_eq!(
            transport.taken.load(Ordering::SeqCst),
            CAPACITY + CAPACITY_FOR_STEWARDS
        );
        assert_eq!(transport.most_at_once.load(Ordering::SeqCst), AT_ONCE + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_what_is_under_way_and_takes_no_more() {
        let (postman, transport) = postman(1, false);
        for _ in 0..3 {
            tell(&postman);
        }
        // One of them is in its pause by now, which the end cuts short.
        sleep(Duration::from_millis(100)).await;
        let before = Instant::now();
        postman.close(Duration::from_secs(5)).await;
        assert!(before.elapsed() < Duration::from_secs(1));
        assert_eq!(transport.taken.load(Ordering::SeqCst), 3);
        tell(&postman);
        assert_eq!(postman.0.under_way.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_does_not_wait_for_ever() {
        struct Silent;
        #[async_trait]
        impl MailTransport for Silent {
            async fn send(&self, _: &Mail) -> Result<(), MailError> {
                std::future::pending().await
            }
        }
        let letterhead = Letterhead::new("TigerTrust", "https://auth.example.com".parse().unwrap());
        let postman = Postman::new(
            letterhead,
            Arc::new(Silent),
            Arc::new(OsRandom),
            Handle::current(),
        );
        tell(&postman);
        let before = Instant::now();
        postman.close(Duration::from_secs(5)).await;
        assert_eq!(before.elapsed().as_secs(), 5);
        assert_eq!(postman.0.people.room.available_permits(), CAPACITY);
    }
}
