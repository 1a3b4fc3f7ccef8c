//! How an instance takes up what the last process left, runs, and ends.

#[cfg(any(feature = "mail", feature = "webhooks"))]
use std::time::Duration;

use tigertrust_credentials::{SteadyClock, ports::StoreError};
use tigertrust_model::NodeId;

use super::TigerTrust;
use crate::{
    background::{self, Background},
    key_uses,
};

/// How long the end of an instance waits for mails that are under way.
#[cfg(feature = "mail")]
const LAST_MAILS: Duration = Duration::from_secs(5);

/// How long it waits for webhooks that are under way; what is not sent then is sent by whoever comes next.
#[cfg(feature = "webhooks")]
const LAST_WEBHOOKS: Duration = Duration::from_secs(5);

impl TigerTrust {
    /// Takes up how late it was when a process over the database last ran, if the clock of this machine is behind that: to be awaited
    /// before requests are served. [`Builder::build`](crate::Builder::build) has done so; after [`Builder::open`](crate::Builder::open) it is the caller's to do, and what is asked
    /// before that may be refused once.
    ///
    /// # Errors
    /// [`StoreError`]: the database does not answer. It is then done once it does.
    pub async fn take_up_time(&self) -> Result<(), StoreError> {
        self.0.storage.take_up_time().await
    }

    /// The clock of this instance, which never goes back, by its own type.
    #[must_use]
    pub fn steady_clock(&self) -> &SteadyClock {
        &self.0.foundation.steady
    }

    /// Takes up what keys had spent of their limits when the last process over the database stopped: to be awaited before requests
    /// are served, which would find whole quotas otherwise. [`Builder::build`](crate::Builder::build) has done so; after [`Builder::open`](crate::Builder::open) it is the caller's
    /// to do. A database that does not answer is told to the operator, and holds nobody up for longer than a request.
    pub async fn take_up_limits(&self) {
        self.0.ledger.take_up().await;
    }

    /// Tells the others over the database that this process runs, and with which secrets: to be awaited when those were replaced, so that
    /// `tigertrust secrets` knows it. Beside that it happens by itself every two seconds once the instance is [started](Self::start).
    ///
    /// # Errors
    /// [`StoreError`]: the database does not answer.
    pub async fn tell_presence(&self) -> Result<(), StoreError> {
        self.0.presence.beat().await
    }

    /// The id of this process, by which the others know it.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.0.ledger.node
    }

    /// Starts what runs beside the requests: to say that this process runs, to hear of changes that others make, to take old changes
    /// away, to store when keys were last used and how often, and to send webhooks.
    /// [`Builder::build`](crate::Builder::build) has done so; after [`Builder::open`](crate::Builder::open) it is the caller's to do. Doing it again changes nothing.
    pub fn start(&self) {
        let inner = &self.0;
        inner.feed.get_or_init(|| inner.storage.follow());
        inner.background.get_or_init(|| {
            let background = Background::start(
                &inner.storage,
                &inner.admission,
                &inner.foundation.clock,
                inner.foundation.usage,
                &inner.ledger,
                &inner.refusals,
                &inner.foundation.runtime,
            )
            .and_time(
                &inner.storage,
                &inner.foundation.steady,
                &inner.foundation.runtime,
            )
            .and_presence(&inner.presence, &inner.foundation.runtime)
            .and_reviews(inner.reviews.clone(), &inner.foundation.runtime);
            #[cfg(feature = "webhooks")]
            let background = background.and_webhooks(inner.courier.clone(), &inner.foundation.runtime);
            background
        });
    }

    /// Stops, for every handle: waits for what is being written and, for a few seconds, for mails and webhooks that are under way,
    /// and takes no more work. Keys that are remembered are
    /// admitted until [`Builder::max_staleness`](crate::Builder::max_staleness) is over.
    pub async fn close(&self) {
        if let Some(background) = self.0.background.get() {
            background.stop();
            // What is short and weighs most comes first, since whoever waits for the end may not wait for all of it.
            background::store_refusals(&self.0.refusals).await;
            self.0.ledger.put_down().await;
            background::store_time(&self.0.storage).await;
            key_uses::store_usage(&self.0.admission, &self.0.storage, &self.0.refusals).await;
            // The counts may have added some.
            background::store_refusals(&self.0.refusals).await;
            key_uses::store_uses(&self.0.admission, &self.0.storage).await;
        }
        #[cfg(feature = "mail")]
        if let Some(postman) = &self.0.postman {
            postman.close(LAST_MAILS).await;
        }
        #[cfg(feature = "webhooks")]
        self.0.courier.close(LAST_WEBHOOKS).await;
        self.0.storage.close().await;
    }
}
