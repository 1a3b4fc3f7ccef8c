//! Which keys of a list are wanted, as conditions.

use diesel::{
    BoolExpressionMethods, EscapeExpressionMethods, ExpressionMethods, QueryDsl, TextExpressionMethods,
    define_sql_function,
    dsl::{exists, not},
    helper_types::IntoBoxed,
    sql_types::Text,
};
use tigertrust_model::{KeyFilter, KeyState, Timestamp};

use super::{
    super::Connection,
    schema::{api_key_secrets as secrets, api_keys as keys},
};
use crate::types::StoredTime;

type Backend = <Connection as diesel_async::AsyncConnectionCore>::Backend;
/// A query for the ids of keys.
pub(super) type Ids<'a> = IntoBoxed<'a, diesel::dsl::Select<keys::table, keys::id>, Backend>;

/// How many characters are shown of the beginning of a secret: none is worth a look that shows less, none shows more.
const SHORTEST: usize = 2;
const LONGEST: usize = 38;

define_sql_function! {
    /// Small letters, of ASCII at the least.
    fn lower(text: Text) -> Text;
}

/// Adds what the filter demands.
pub(super) fn apply<'a>(mut ids: Ids<'a>, filter: KeyFilter) -> Ids<'a> {
    if let Some((state, at)) = filter.state {
        ids = in_state(ids, state, at);
    }
    if let Some(kind) = filter.kind {
        ids = ids.filter(keys::kind.eq(kind.as_str()));
    }
    if let Some(text) = filter.text {
        // By one and the same function on both sides: the engines do not agree on which letters have a small one.
        let pattern = lower(format!("%{}%", escaped(&text)));
        // An old secret is still the key's: that is how whoever finds one learns whose it is.
        let begins = secrets::table.filter(
            secrets::key_id
                .eq(keys::id)
                .and(secrets::display_start.eq_any(beginnings(&text))),
        );
        ids = ids.filter(lower(keys::name).like(pattern).escape('\\').or(exists(begins)));
    }
    if let Some(external_id) = filter.external_id {
        ids = ids.filter(keys::external_id.eq(external_id));
    }
    if let Some(since) = filter.unused_since {
        let since = StoredTime::new(since);
        let used = secrets::table.filter(secrets::key_id.eq(keys::id).and(secrets::last_used_at.ge(since)));
        ids = ids.filter(keys::created_at.lt(since).and(not(exists(used))));
    }
    ids
}

/// What may be shown of the beginning of a secret that the text is, or begins: 8 characters of ours, more or fewer of an imported
/// one.
fn beginnings(text: &str) -> Vec<String> {
    let ends = text
        .char_indices()
        .map(|(start, letter)| start + letter.len_utf8());
    ends.skip(SHORTEST - 1)
        .take(LONGEST - SHORTEST + 1)
        .filter_map(|end| text.get(..end).map(str::to_owned))
        .collect()
}

/// As `ApiKey::state` decides: revoked wins over expired, and expired over deactivated.
fn in_state<'a>(ids: Ids<'a>, state: KeyState, at: Timestamp) -> Ids<'a> {
    let at = StoredTime::new(at);
    let expired = keys::expires_at.is_not_null().and(keys::expires_at.le(at));
    let unexpired = keys::expires_at.is_null().or(keys::expires_at.gt(at));
    match state {
        KeyState::Revoked => ids.filter(keys::state.eq("revoked")),
        KeyState::Expired => ids.filter(keys::state.ne("revoked")).filter(expired),
        KeyState::Deactivated => ids.filter(keys::state.eq("deactivated")).filter(unexpired),
        KeyState::Active => ids.filter(keys::state.eq("active")).filter(unexpired),
    }
}

/// The text with what means something in a pattern made to mean itself.
fn escaped(text: &str) -> String {
    text.chars()
        .flat_map(|letter| {
            matches!(letter, '%' | '_' | '\\')
                .then_some('\\')
                .into_iter()
                .chain([letter])
        })
        .collect()
}
