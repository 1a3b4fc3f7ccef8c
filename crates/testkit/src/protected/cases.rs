//! The table: what is presented, and what comes of it.

use std::time::Duration;

use tigertrust_model::KeyType;

use super::{
    Adapter, Call, Instance, Issued, Protocol, Route, Wanted,
    check::{Expected, PASSES, refused},
};

/// The header for keys.
pub(super) const KEY: &str = "x-agent-api-key";
const AUTHORIZATION: &str = "authorization";
const WORKSPACE: &str = "x-workspace-id";

/// Scopes of keys.
pub(super) const READ: &[&str] = &["certificates:read"];
pub(super) const BOTH: &[&str] = &["certificates:read", "certificates:write"];

/// How long the key lives that is to expire.
pub(super) const LIFE: Duration = Duration::from_secs(60 * 60);

/// Well formed, and nobody's.
const UNKNOWN: &str = "ak_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf3CBj32";

/// The keys of the suite.
pub(super) struct Keys {
    /// Agent, both scopes.
    pub(super) agent: Issued,
    /// Public, may read.
    pub(super) public: Issued,
    /// Agent, no scope.
    bare: Issued,
    /// Agent, may read, from this machine.
    near: Issued,
    /// Agent, may read, from networks that nobody is in.
    far: Issued,
    /// To be revoked.
    pub(super) leaked: Issued,
    /// To expire.
    pub(super) passing: Issued,
}

impl Keys {
    pub(super) async fn issue(instance: &dyn Instance) -> Self {
        let read = Wanted::agent(READ);
        let bound = |cidr| Wanted {
            cidr: Some(cidr),
            ..Wanted::agent(READ)
        };
        Self {
            agent: instance.issue(Wanted::agent(BOTH)).await,
            public: instance
                .issue(Wanted {
                    kind: KeyType::Public,
                    ..Wanted::agent(READ)
                })
                .await,
            bare: instance.issue(Wanted::agent(&[])).await,
            near: instance.issue(bound("127.0.0.0/8")).await,
            far: instance.issue(bound("203.0.113.0/24")).await,
            leaked: instance.issue(read).await,
            passing: instance
                .issue(Wanted {
                    lives_for: Some(LIFE),
                    ..Wanted::agent(READ)
                })
                .await,
        }
    }
}

/// One row.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) call: Call,
    pub(super) expected: Expected,
}

/// The rows that do not change anything.
pub(super) fn table(keys: &Keys, instance: &dyn Instance, adapter: &Adapter) -> Vec<Case> {
    let mut rows = Vec::new();
    let mut row = |name, call, expected| rows.push(Case { name, call, expected });
    headers(keys, &mut row);
    what_is_needed(keys, &mut row);
    workspaces(keys, instance, &mut row);
    addresses(keys, &mut row);
    if adapter.protocol == Protocol::Http {
        let query = |query: String| Call {
            query: Some(query),
            ..Call::to(Route::Read)
        };
        for name in ["api_key", "key", "access_token"] {
            let call = query(format!("{name}={}", keys.agent.secret));
            row("a key in the query", call, refused(401, "UNAUTHORIZED"));
        }
    }
    rows
}

type Row<'a> = &'a mut dyn FnMut(&'static str, Call, Expected);

fn read() -> Call {
    Call::to(Route::Read)
}

fn headers(keys: &Keys, row: Row<'_>) {
    let unauthorized = refused(401, "UNAUTHORIZED");
    let (agent, public) = (&keys.agent.secret, &keys.public.secret);
    row("no credential", read(), unauthorized);
    row("X-Agent-API-Key", read().with(KEY, agent), PASSES);
    for (name, scheme) in [
        ("Authorization: Bearer", "Bearer"),
        ("the scheme in small letters", "bearer"),
        ("the scheme in large letters", "BEARER"),
        ("the scheme in mixed letters", "bEaReR"),
    ] {
        row(
            name,
            read().with(AUTHORIZATION, format!("{scheme} {agent}")),
            PASSES,
        );
    }
    let bearer = |key: &str| format!("Bearer {key}");
    row(
        "the same key in both headers",
        read().with(KEY, agent).with(AUTHORIZATION, bearer(agent)),
        PASSES,
    );
    row(
        "two keys that differ",
        read().with(KEY, agent).with(AUTHORIZATION, bearer(public)),
        unauthorized,
    );
    row(
        "X-Agent-API-Key twice",
        read().with(KEY, agent).with(KEY, agent),
        unauthorized,
    );
    row(
        "Authorization twice",
        read()
            .with(AUTHORIZATION, bearer(agent))
            .with(AUTHORIZATION, bearer(agent)),
        unauthorized,
    );
    row(
        "another scheme",
        read().with(AUTHORIZATION, "Basic YTpi"),
        unauthorized,
    );
    row(
        "a bearer of somebody else's",
        read().with(AUTHORIZATION, bearer("eyJhbGciOiJub25lIn0.e30.")),
        unauthorized,
    );
    row(
        "a bearer of somebody else's beside a key",
        read()
            .with(KEY, agent)
            .with(AUTHORIZATION, bearer("eyJhbGciOiJub25lIn0.e30.")),
        PASSES,
    );
    row("an empty header", read().with(KEY, ""), unauthorized);
    row("no key at all", read().with(KEY, "ak_1"), unauthorized);
    let cut: String = agent.chars().take(agent.chars().count() - 1).collect();
    row("a key cut short", read().with(KEY, cut), unauthorized);
    let other = if agent.ends_with('0') { '1' } else { '0' };
    let wrong: String = agent
        .chars()
        .rev()
        .skip(1)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .chain([other])
        .collect();
    row(
        "a key whose checksum is wrong",
        read().with(KEY, wrong),
        unauthorized,
    );
    row("a key that nobody knows", read().with(KEY, UNKNOWN), unauthorized);
}

fn what_is_needed(keys: &Keys, row: Row<'_>) {
    let forbidden = refused(403, "FORBIDDEN");
    let with = |route, key: &Issued| Call::to(route).with(KEY, &key.secret);
    for route in Route::ALL {
        row("an agent key that may do all", with(route, &keys.agent), PASSES);
    }
    row(
        "a public key where any will do",
        with(Route::Anyone, &keys.public),
        PASSES,
    );
    row(
        "a public key that may read",
        with(Route::Read, &keys.public),
        PASSES,
    );
    row(
        "a public key where an agent's is needed",
        with(Route::Write, &keys.public),
        forbidden,
    );
    row(
        "a key without scopes where any will do",
        with(Route::Anyone, &keys.bare),
        PASSES,
    );
    row(
        "a key without the scope to read",
        with(Route::Read, &keys.bare),
        forbidden,
    );
    row(
        "a key without the scope to write",
        with(Route::Write, &keys.near),
        forbidden,
    );
}

fn workspaces(keys: &Keys, instance: &dyn Instance, row: Row<'_>) {
    let denied = refused(403, "WORKSPACE_ACCESS_DENIED");
    let named = |id: String| read().with(KEY, &keys.agent.secret).with(WORKSPACE, id);
    let (home, elsewhere) = (instance.home().to_string(), instance.elsewhere().to_string());
    row("the key's own workspace", named(home.clone()), PASSES);
    row("somebody else's workspace", named(elsewhere), denied);
    row(
        "a workspace that is not there",
        named("ws_01h455vb4pex5vsknk084sn02q".to_owned()),
        denied,
    );
    row("no id of a workspace", named("Acme".to_owned()), denied);
    row("an empty id of a workspace", named(String::new()), denied);
    row(
        "two workspaces",
        named(home.clone()).with(WORKSPACE, home),
        denied,
    );
}

fn addresses(keys: &Keys, row: Row<'_>) {
    let forbidden = refused(403, "FORBIDDEN");
    let with = |key: &Issued| read().with(KEY, &key.secret);
    row("a key that may be used from here", with(&keys.near), PASSES);
    row("a key that may not be used from here", with(&keys.far), forbidden);
    // Nobody said that a proxy is in front.
    row(
        "an address that the client made up",
        with(&keys.far).with("x-forwarded-for", "203.0.113.7"),
        forbidden,
    );
}
