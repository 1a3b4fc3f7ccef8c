//! The feed: hears of what other nodes and processes change.

use std::{convert::Infallible, time::Duration};

use tigertrust_credentials::ports::StoreError;

use super::{
    super::{Connection, Source, bounded},
    Store, changes,
};

/// How many changes are read at once.
const PAGE: i64 = 1000;
/// How long to wait before the first attempt to connect again; each further wait is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

struct Progress {
    /// The number of the last change that was told; none before the first look.
    last: Option<u64>,
    pause: Duration,
    is_broken: bool,
}

impl Store {
    /// Tells the listener of every change, for ever.
    pub(super) async fn follow(&self) {
        let mut progress = Progress {
            last: None,
            pause: FIRST_PAUSE,
            is_broken: false,
        };
        loop {
            let Err(error) = self.listen(&mut progress).await;
            self.clock.was_lost();
            if !progress.is_broken {
                progress.is_broken = true;
                tracing::warn!(%error, "the feed of changes is broken; connecting again until it is back");
            }
            tokio::time::sleep(progress.pause).await;
            progress.pause = progress.pause.saturating_mul(2).min(LONGEST_PAUSE);
        }
    }

    async fn listen(&self, progress: &mut Progress) -> Result<Infallible, StoreError> {
        let mut source = Source::open(&self.settings).await?;
        // Where it was moved away meanwhile, what is remembered of it is not to be trusted any longer either.
        bounded(self.clock.learn(source.connection())).await?;
        loop {
            // Before asking: what is committed in between may not be in the answer.
            let as_of = self.clock.monotonic();
            if source.has_moved().await? {
                self.catch_up(source.connection(), &mut progress.last).await?;
            }
            self.listener.caught_up(as_of);
            progress.pause = FIRST_PAUSE;
            if progress.is_broken {
                progress.is_broken = false;
                tracing::info!("the feed of changes is back");
            }
            source.wait().await?;
        }
    }

    async fn catch_up(&self, connection: &mut Connection, last: &mut Option<u64>) -> Result<(), StoreError> {
        let head = bounded(changes::head(connection)).await?;
        let mut told = match *last {
            Some(told) if told <= head => told,
            // Nothing was told yet, or the database is an older copy of itself.
            _ => {
                self.start_from(head, last);
                return Ok(());
            }
        };
        while told < head {
            let page = bounded(changes::after(connection, told, PAGE)).await?;
            // A gap has been pruned; an unknown kind was written by a newer program.
            let Some(page) = changes::successors(told, page).filter(|page| !page.is_empty()) else {
                self.start_from(head, last);
                return Ok(());
            };
            self.listener.apply(&page);
            told += u64::try_from(page.len()).unwrap_or(0);
            *last = Some(told);
        }
        Ok(())
    }

    /// Gives up on what is in the caches. The head was read before, so that whatever is read from now on is as new.
    fn start_from(&self, head: u64, last: &mut Option<u64>) {
        self.listener.reset(head);
        *last = Some(head);
    }
}
