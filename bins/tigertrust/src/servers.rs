//! The servers that run over the database, and the secrets that they run with.

use std::time::Duration;

use serde::Serialize;
use tigertrust_credentials::{NODE_LIVES_FOR, RunningNode, RunningRing, ports::StoreError};
use tigertrust_model::{NodeId, Timestamp};
use tigertrust_storage::Storage;

use crate::config::SecretKind;

/// Longer than a server takes from one word to the next, on a busy machine too.
const SEEN_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The servers that were heard of lately.
pub struct Servers(Vec<RunningNode>);

/// The servers by what a secret is to them. Those that have no secret of its kind at all, and so no use for any, are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// They make what is new with it.
    pub using: Vec<String>,
    /// They hold it, and make what is new with another one.
    pub holding: Vec<String>,
    /// They do not hold it.
    pub lacking: Vec<String>,
    /// They do not say: they are of an older release.
    pub unknown: Vec<String>,
}

impl Servers {
    /// Those that run now.
    pub async fn read(storage: &Storage, now: Timestamp) -> Result<Self, StoreError> {
        let since = now.saturating_sub(NODE_LIVES_FOR);
        let mut nodes = storage.spends().nodes(since).await?;
        // Nobody was seen in the future: a clock was wrong.
        nodes.retain(|node| node.seen_at <= now.saturating_add(NODE_LIVES_FOR));
        Ok(Self(nodes))
    }

    /// Those that run now, whatever the clocks say: who was not seen lately by the clock of this machine may be one that runs by another, and
    /// is waited for until it should have been seen again. For what does harm if a server is overlooked.
    pub async fn read_surely(storage: &Storage, now: Timestamp) -> Result<Self, StoreError> {
        let before = storage.spends().nodes(Timestamp::MIN).await?;
        let lately = Self::read(storage, now).await?;
        if before.len() == lately.0.len() {
            return Ok(lately);
        }
        tokio::time::sleep(SEEN_AGAIN_AFTER).await;
        let mut nodes = storage.spends().nodes(Timestamp::MIN).await?;
        nodes.retain(|node| {
            let has_moved = before
                .iter()
                .all(|earlier| earlier.id != node.id || earlier.seen_at != node.seen_at);
            has_moved || lately.0.iter().any(|known| known.id == node.id)
        });
        Ok(Self(nodes))
    }

    /// All but one.
    pub fn without(mut self, node: NodeId) -> Self {
        self.0.retain(|other| other.id != node);
        self
    }

    pub fn iter(&self) -> impl Iterator<Item = &RunningNode> {
        self.0.iter()
    }

    /// What a secret is to them.
    pub fn standing(&self, kind: SecretKind, id: &str) -> Standing {
        let mut standing = Standing::default();
        for node in &self.0 {
            let group = match ids_on(node, kind) {
                None => &mut standing.unknown,
                Some([]) => continue,
                Some([first, ..]) if first == id => &mut standing.using,
                Some(ids) if ids.iter().any(|held| held == id) => &mut standing.holding,
                Some(_) => &mut standing.lacking,
            };
            group.push(name(node));
        }
        standing
    }

    /// How many have to do with secrets of a kind, as far as is known.
    pub fn concerned(&self, kind: SecretKind) -> usize {
        let concerned = self.0.iter().filter(|node| ids_on(node, kind) != Some(&[][..]));
        concerned.count()
    }

    /// The secrets that some of them make what is new with.
    pub fn in_use(&self, kind: SecretKind) -> impl Iterator<Item = &str> {
        let rings = self.0.iter().filter_map(move |node| ids_on(node, kind)?.first());
        rings.map(String::as_str)
    }

    /// Of the secrets of a kind, in their order, the first that all of them hold; none if there is none. Those that do not say are not
    /// asked for.
    pub fn first_known_to_all<'a>(
        &self,
        kind: SecretKind,
        mut ids: impl Iterator<Item = &'a str>,
    ) -> Option<&'a str> {
        ids.find(|id| self.standing(kind, id).lacking.is_empty())
    }

    /// When the last of them took up the secrets that it runs with.
    pub fn latest_change(&self) -> Option<Timestamp> {
        let notes = self.0.iter().filter_map(|node| node.note.as_ref());
        notes.map(|note| note.ring_since).max()
    }
}

/// What people know a server by.
pub fn name(node: &RunningNode) -> String {
    let name = node.note.as_ref().and_then(|note| note.name.as_deref());
    // It comes from the database: nothing in it is to move the cursor.
    name.map_or_else(
        || node.id.to_string(),
        |name| name.replace(char::is_control, "\u{fffd}"),
    )
}

/// The ids of the secrets of a kind that a server holds, that for what is new first; none if it does not say.
pub fn ids_on(node: &RunningNode, kind: SecretKind) -> Option<&[String]> {
    node.note.as_ref().map(|note| ids_in(&note.ring, kind))
}

fn ids_in(ring: &RunningRing, kind: SecretKind) -> &[String] {
    match kind {
        SecretKind::Pepper => &ring.peppers,
        SecretKind::Encryption => &ring.encryption_keys,
        SecretKind::Signing => &ring.signing_keys,
    }
}

/// What this process is to be known by: its machine, and what tells it from others there.
pub fn own_name() -> String {
    let machine = rustix::system::uname();
    format!(
        "{} (pid {})",
        machine.nodename().to_string_lossy(),
        std::process::id()
    )
}

#[cfg(test)]
mod tests {
    use tigertrust_credentials::{NodeNote, OsRandom};

    use super::*;

    fn node(number: u8, peppers: Option<&[&str]>) -> RunningNode {
        let at = Timestamp::from_unix_micros(0);
        RunningNode {
            id: NodeId::new(at, &OsRandom).unwrap(),
            seen_at: at,
            note: peppers.map(|peppers| NodeNote {
                name: Some(format!("n{number}")),
                ring: RunningRing {
                    peppers: peppers.iter().map(|id| (*id).to_owned()).collect(),
                    ..RunningRing::default()
                },
                ring_since: at,
            }),
        }
    }

    #[test]
    fn each_server_stands_to_a_secret_in_one_way() {
        let servers = Servers(vec![
            node(1, Some(&["p2", "p1"])),
            node(2, Some(&["p1", "p2"])),
            node(3, Some(&["p1"])),
            node(4, None),
            node(5, Some(&[])),
        ]);
        let standing = servers.standing(SecretKind::Pepper, "p2");
        assert_eq!(standing.using, ["n1"]);
        assert_eq!(standing.holding, ["n2"]);
        assert_eq!(standing.lacking, ["n3"]);
        assert_eq!(standing.unknown.len(), 1);
        assert_eq!(servers.concerned(SecretKind::Pepper), 4);
        // Who has no secret of a kind has no use for one.
        assert_eq!(servers.standing(SecretKind::Signing, "s1").lacking, [""; 0]);
        assert_eq!(servers.concerned(SecretKind::Signing), 1);
    }

    #[test]
    fn the_newest_that_all_know_is_found() {
        let ring = ["p2", "p1"];
        let servers = Servers(vec![node(1, Some(&["p2", "p1"])), node(2, Some(&["p1"]))]);
        let known = |servers: &Servers| servers.first_known_to_all(SecretKind::Pepper, ring.into_iter());
        assert_eq!(known(&servers), Some("p1"));
        assert_eq!(known(&Servers(Vec::new())), Some("p2"));
        assert_eq!(known(&Servers(vec![node(1, None)])), Some("p2"));
        assert_eq!(known(&Servers(vec![node(1, Some(&["p9"]))])), None);
    }
}
