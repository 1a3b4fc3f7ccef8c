//! Lists.

use serde::Serialize;
use utoipa::ToSchema;

/// A page of a list, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// What to send as `cursor` for the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A list that is shown as a whole.
    #[must_use]
    pub const fn whole(items: Vec<T>) -> Self {
        Self {
            items,
            next_cursor: None,
        }
    }

    /// A page out of up to `limit + 1` entries, the last of which tells only that there is another page.
    pub fn of<S>(mut entries: Vec<S>, limit: u16, id: impl Fn(&S) -> String, body: impl Fn(&S) -> T) -> Self {
        let more = entries.len() > usize::from(limit);
        entries.truncate(usize::from(limit));
        let next_cursor = entries.last().filter(|_| more).map(id);
        Self {
            items: entries.iter().map(body).collect(),
            next_cursor,
        }
    }
}
