//! What a presented key is to fulfil.

use std::net::IpAddr;

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tigertrust_model::KeyType;
use zeroize::Zeroizing;

/// What a presented key is to fulfil. Each part may be left out.
///
/// ```
/// use tigertrust_client::Question;
///
/// let question = Question {
///     scope: Some("certificates:read"),
///     client_address: Some("192.0.2.7".parse()?),
///     ..Question::default()
/// };
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Question<'a> {
    /// The type that it must have.
    pub key_type: Option<KeyType>,
    /// The scope that it must hold, such as `certificates:read`. One that the server does not know is an error, and no refusal.
    pub scope: Option<&'a str>,
    /// The workspace that it is to act in, as the client named it; its home by default.
    pub workspace_id: Option<&'a str>,
    /// The address that it was presented from. A key that is bound to networks is refused without it.
    pub client_address: Option<IpAddr>,
}

/// Names a key and a question, without telling the key: SHA-256.
pub(crate) type Digest = [u8; 32];

impl Question<'_> {
    /// The name of this question about a key.
    pub(crate) fn digest(&self, key: &str) -> Digest {
        let mut sha = Sha256::new();
        add(&mut sha, Some(key.as_bytes()));
        add(&mut sha, self.key_type.map(|kind| kind.as_str().as_bytes()));
        add(&mut sha, self.scope.map(str::as_bytes));
        add(&mut sha, self.workspace_id.map(str::as_bytes));
        match self.client_address {
            None => add(&mut sha, None),
            Some(IpAddr::V4(address)) => add(&mut sha, Some(&address.octets())),
            Some(IpAddr::V6(address)) => add(&mut sha, Some(&address.octets())),
        }
        sha.finalize().into()
    }
}

/// Adds a part with its length, so that no two lists of parts read the same.
fn add(sha: &mut Sha256, part: Option<&[u8]>) {
    let Some(part) = part else {
        sha.update(u64::MAX.to_be_bytes());
        return;
    };
    sha.update(u64::try_from(part.len()).unwrap_or(u64::MAX - 1).to_be_bytes());
    sha.update(part);
}

/// A question about a key, to be sent as often as it takes.
pub(crate) struct Asked {
    key: Zeroizing<String>,
    kind: Option<KeyType>,
    scope: Option<String>,
    workspace_id: Option<String>,
    client_address: Option<IpAddr>,
}

impl Asked {
    pub(crate) fn new(key: &str, question: &Question<'_>) -> Self {
        Self {
            key: Zeroizing::new(key.to_owned()),
            kind: question.key_type,
            scope: question.scope.map(str::to_owned),
            workspace_id: question.workspace_id.map(str::to_owned),
            client_address: question.client_address,
        }
    }

    /// The body of a call that asks for so many uses.
    pub(crate) fn body(&self, cost: u32) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&VerifyKey {
            key: &self.key,
            r#type: self.kind.map(KeyType::as_str),
            scope: self.scope.as_deref(),
            workspace_id: self.workspace_id.as_deref(),
            client_address: self.client_address,
            cost,
        })
    }
}

/// The body of `POST /api/keys/verify`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VerifyKey<'a> {
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_address: Option<IpAddr>,
    cost: u32,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_question_is_told_apart_from_every_other() {
        let none = Question::default();
        let questions = [
            none,
            Question {
                scope: Some("a:b"),
                ..none
            },
            Question {
                key_type: Some(KeyType::Agent),
                ..none
            },
            Question {
                workspace_id: Some("a:b"),
                ..none
            },
            Question {
                client_address: Some([1, 2, 3, 4].into()),
                ..none
            },
            Question {
                scope: Some("a:b"),
                workspace_id: Some("a:b"),
                ..none
            },
            Question {
                scope: Some("agent"),
                ..none
            },
            Question {
                workspace_id: Some(""),
                ..none
            },
        ];
        let digests: HashSet<Digest> = questions
            .iter()
            .flat_map(|question| ["one", "two"].map(|key| question.digest(key)))
            .collect();
        assert_eq!(digests.len(), 2 * questions.len());
    }

    /// The server's own type reads it, and refuses what it does not know.
    #[test]
    fn a_question_is_written_as_the_server_reads_it() {
        let question = Question {
            key_type: Some(KeyType::Public),
            scope: Some("certificates:read"),
            workspace_id: Some("ws_00000000000000000000000000"),
            client_address: Some([192, 0, 2, 7].into()),
        };
        let body = Asked::new("ck_key", &question).body(10).unwrap();
        let read: tigertrust_wire::VerifyKey = serde_json::from_slice(&body).unwrap();
        assert_eq!(read.key.as_str(), "ck_key");
        assert_eq!(read.r#type.map(KeyType::from), Some(KeyType::Public));
        assert_eq!(read.scope.as_deref(), question.scope);
        assert_eq!(read.workspace_id.as_deref(), question.workspace_id);
        assert_eq!(read.client_address, question.client_address);
        assert_eq!(read.cost, 10);

        let bare = Asked::new("ck_key", &Question::default()).body(0).unwrap();
        assert_eq!(bare, br#"{"key":"ck_key","cost":0}"#);
    }
}
