//! Connections, kept.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bb8::{ErrorSink, RunError};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, PoolError, RecyclingMethod, bb8::PooledConnection,
};
use tigertrust_credentials::ports::StoreError;
use tracing::Span;

use super::super::{Connection, DATABASE_SYSTEM, Settings, connect, recycling};
use crate::{storage::Connections, url::DatabaseUrl};

type Manager = AsyncDieselConnectionManager<Connection>;

/// What connections are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Access {
    /// The span of work with the database, within the span of what it is for. What nobody asked for, such as a look whether anything
    /// has changed, is part of no trace: there would be as many as there are polls.
    pub(crate) fn span(self) -> Span {
        let of = Span::current();
        if of.is_none() {
            return of;
        }
        let name = match self {
            Self::Read => "database read",
            Self::Write => "database write",
        };
        tracing::debug_span!(
            parent: &of,
            "database",
            "otel.name" = name,
            "otel.kind" = "client",
            "db.system.name" = DATABASE_SYSTEM,
        )
    }
}

/// A pool of connections that are made when they are wanted and replaced when they break.
#[derive(Clone)]
pub(crate) struct Pool {
    inner: bb8::Pool<Manager>,
    settings: Arc<Settings>,
    failures: LastFailure,
}

impl Pool {
    /// An empty pool. Must be called within the runtime that is to drive its connections.
    pub(crate) fn new(settings: &Arc<Settings>, access: Access, size: u32) -> Self {
        let mut config = ManagerConfig::<Connection>::default();
        let method: RecyclingMethod<Connection> = recycling(settings);
        config.recycling_method = method;
        let own = Arc::clone(settings);
        config.custom_setup = Box::new(move |_| {
            let settings = Arc::clone(&own);
            Box::pin(async move { connect(&settings, access).await })
        });
        let failures = LastFailure {
            url: settings.url.clone(),
            text: Arc::default(),
        };
        let inner = bb8::Pool::builder()
            .max_size(size)
            .min_idle(0)
            .connection_timeout(settings.options.acquire_timeout)
            .error_sink(Box::new(failures.clone()))
            .build_unchecked(Manager::new_with_config("", config));
        Self {
            inner,
            settings: Arc::clone(settings),
            failures,
        }
    }

    /// How many connections there are, and how many of them nobody uses.
    pub(crate) fn connections(&self) -> Connections {
        let state = self.inner.state();
        Connections {
            in_use: state.connections.saturating_sub(state.idle_connections),
            idle: state.idle_connections,
            waited: state.statistics.get_waited,
            timed_out: state.statistics.get_timed_out,
        }
    }

    /// A connection that works.
    pub(crate) async fn get(&self) -> Result<PooledConnection<'_, Connection>, StoreError> {
        match self.inner.get().await {
            Ok(connection) => {
                self.failures.take();
                Ok(connection)
            }
            Err(RunError::User(error)) => Err(StoreError::unavailable(
                self.settings.url.scrub(&error.to_string()),
            )),
            Err(RunError::TimedOut) => {
                let limit = self.settings.options.acquire_timeout;
                let why = self
                    .failures
                    .take()
                    .unwrap_or_else(|| "all are in use".to_owned());
                Err(StoreError::unavailable(format!(
                    "no connection within {limit:?}: {why}"
                )))
            }
        }
    }
}

/// Why the latest attempt to connect failed: the pool itself says only that it took too long.
#[derive(Clone)]
struct LastFailure {
    url: DatabaseUrl,
    text: Arc<Mutex<Option<String>>>,
}

impl LastFailure {
    fn take(&self) -> Option<String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ErrorSink<PoolError> for LastFailure {
    fn sink(&self, error: PoolError) {
        let text = self.url.scrub(&error.to_string());
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    fn boxed_clone(&self) -> Box<dyn ErrorSink<PoolError>> {
        Box::new(self.clone())
    }
}

impl fmt::Debug for LastFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LastFailure").finish_non_exhaustive()
    }
}
