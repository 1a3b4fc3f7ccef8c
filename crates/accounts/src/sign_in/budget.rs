//! How many proofs may fail: for an account, for a device that is known, and for a client's network, over every way of
//! guessing together.

use std::{net::IpAddr, time::Duration};

use sha2::{Digest, Sha256};
use tigertrust_credentials::{ClientNetwork, TokenDigest};
use tigertrust_model::{UserId, WorkspaceId};

use crate::to_hex;

/// Over how long failures are counted.
pub const FAILURES_COUNT_FOR: Duration = Duration::from_secs(15 * 60);
const MAX_OF_ACCOUNT: u16 = 10;
const MAX_OF_NETWORK: u16 = 60;
const MAX_INVITATIONS_OF_ADDRESS: u16 = 5;
const MAX_INVITATIONS_OF_WORKSPACE: u16 = 200;
/// How many links go to one address within [`FAILURES_COUNT_FOR`], and how many are asked for from one network.
const MAX_LINKS_TO_ADDRESS: u16 = 3;
const MAX_LINKS_OF_NETWORK: u16 = 30;
/// Many people may share an address, and a page may begin a login each time that it is shown.
const MAX_STARTS_OF_NETWORK: u16 = 600;

/// So many failures are allowed within [`FAILURES_COUNT_FOR`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Whose budget it is.
    pub subject: String,
    /// How many failures it allows.
    pub limit: u16,
}

impl Budget {
    /// What an account's own budget is kept under.
    #[must_use]
    pub fn subject_of(user: UserId) -> String {
        format!("account:{user}")
    }

    /// What the budget of a known device is kept under.
    #[must_use]
    pub fn subject_of_device(device: TokenDigest) -> String {
        format!("device:{}", to_hex(device.as_bytes()))
    }
}

/// The budgets that one attempt draws upon.
#[derive(Clone, Debug)]
pub(crate) struct Budgets(Vec<Budget>);

impl Budgets {
    /// Those of an account and of the network that the client is in.
    pub(crate) fn of_account(user: UserId, client: Option<IpAddr>) -> Self {
        Self::new(Budget::subject_of(user), client)
    }

    /// Those of an attempt from a device that may be known.
    pub(crate) fn of(user: UserId, device: Option<TokenDigest>, client: Option<IpAddr>) -> Self {
        match device {
            Some(device) => Self::of_device(device),
            None => Self::of_account(user, client),
        }
    }

    /// Those of an address that no account has, so that it is throttled as if one had.
    pub(crate) fn of_unknown(canonical_email: &str, client: Option<IpAddr>) -> Self {
        let digest = Sha256::digest(canonical_email.as_bytes());
        Self::new(format!("unknown:{}", to_hex(&digest)), client)
    }

    /// Those of a login by a passkey, which nobody guesses: a count for each account would only let strangers lock it.
    pub(crate) fn of_passkey(device: Option<TokenDigest>, client: Option<IpAddr>) -> Self {
        match device {
            Some(device) => Self::of_device(device),
            None => Self::of_network(client),
        }
    }

    /// That of logins by a passkey that are begun, whether or not they are completed.
    pub(crate) fn of_starts(client: Option<IpAddr>) -> Self {
        Self(vec![Budget {
            subject: format!("passkey-starts:{}", ClientNetwork::of(client)),
            limit: MAX_STARTS_OF_NETWORK,
        }])
    }

    /// That of a device that its owner signed in on before: nobody else can use it up, so that nobody can lock the owner out.
    pub(crate) fn of_device(device: TokenDigest) -> Self {
        Self(vec![Budget {
            subject: Budget::subject_of_device(device),
            limit: MAX_OF_ACCOUNT,
        }])
    }

    /// That of the network that the client is in, alone: where it is not known whose proof is guessed at.
    pub(crate) fn of_network(client: Option<IpAddr>) -> Self {
        Self(vec![Budget {
            subject: format!("network:{}", ClientNetwork::of(client)),
            limit: MAX_OF_NETWORK,
        }])
    }

    /// What may be sent to an address, and by a workspace, on behalf of others: these are not failures, but end alike.
    pub(crate) fn of_invitation(workspace: WorkspaceId, canonical_email: &str) -> Self {
        let digest = Sha256::digest(canonical_email.as_bytes());
        Self(vec![
            Budget {
                subject: format!("invited:{}", to_hex(&digest)),
                limit: MAX_INVITATIONS_OF_ADDRESS,
            },
            Budget {
                subject: format!("invites:{workspace}"),
                limit: MAX_INVITATIONS_OF_WORKSPACE,
            },
        ])
    }

    /// Those of links by mail, whether or not an account has the address. They are apart from those of proofs: who asks for
    /// mails keeps nobody from signing in.
    pub(crate) fn of_mail(canonical_email: &str, client: Option<IpAddr>) -> Self {
        let digest = Sha256::digest(canonical_email.as_bytes());
        Self(vec![
            Budget {
                subject: format!("mail:{}", to_hex(&digest)),
                limit: MAX_LINKS_TO_ADDRESS,
            },
            Budget {
                subject: format!("mail-network:{}", ClientNetwork::of(client)),
                limit: MAX_LINKS_OF_NETWORK,
            },
        ])
    }

    fn new(account: String, client: Option<IpAddr>) -> Self {
        let account = Budget {
            subject: account,
            limit: MAX_OF_ACCOUNT,
        };
        Self([vec![account], Self::of_network(client).0].concat())
    }

    pub(crate) fn all(&self) -> Vec<Budget> {
        self.0.clone()
    }

    pub(crate) fn subjects(&self) -> Vec<String> {
        self.0.iter().map(|budget| budget.subject.clone()).collect()
    }

    /// What a completed sign-in clears: all but the network's, of which an attacker would otherwise get a new one by signing
    /// in now and then.
    pub(crate) fn cleared(&self) -> Vec<String> {
        self.subjects().into_iter().take(1).collect()
    }

    /// What a completed sign-in does not clear.
    pub(crate) fn kept(&self) -> Vec<String> {
        self.subjects().into_iter().skip(1).collect()
    }
}
