//! Decides on requests, whatever framework they come by. The middleware for actix-web and tower is made of this; use it yourself
//! where neither fits.

use std::{net::IpAddr, ops::Deref, sync::Arc};

use tigertrust_model::KeyType;

use crate::{Client, Question, ValidVerdict, Verdict};
pub use crate::{
    presented::{Asking, Credential, Headers, Presented},
    refusal::Refusal,
};

/// A caller who was let in, with what the key is worth: what handlers take.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified(Arc<ValidVerdict>);

impl Deref for Verified {
    type Target = ValidVerdict;

    fn deref(&self) -> &ValidVerdict {
        &self.0
    }
}

/// Lets callers with a valid key or token in, and nobody else.
#[derive(Clone, Debug)]
pub struct Guard {
    client: Client,
    key_type: Option<KeyType>,
    scope: Option<Arc<str>>,
}

impl Guard {
    /// A guard that takes every valid key.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self {
            client,
            key_type: None,
            scope: None,
        }
    }

    /// The type that callers' keys must have.
    #[must_use]
    pub fn key_type(self, key_type: KeyType) -> Self {
        Self {
            key_type: Some(key_type),
            ..self
        }
    }

    /// The scope that they must hold.
    #[must_use]
    pub fn scope(self, scope: impl Into<Arc<str>>) -> Self {
        Self {
            scope: Some(scope.into()),
            ..self
        }
    }

    /// Reads what a request presents, with the [further prefixes](crate::ClientBuilder::key_prefixes) of the client.
    pub fn read(&self, headers: &impl Headers) -> Asking {
        Asking::read_with(headers, self.client.key_prefixes())
    }

    /// Decides on a request, by what it presents and where it comes from.
    ///
    /// # Errors
    /// The answer to a request that is not let in.
    pub async fn check(&self, asking: Asking, address: Option<IpAddr>) -> Result<Verified, Refusal> {
        let decided = self.decide(asking.presented, address).await;
        decided.map_err(|refusal| refusal.naming(asking.request_id))
    }

    async fn decide(&self, presented: Presented, address: Option<IpAddr>) -> Result<Verified, Refusal> {
        let (credential, workspace_id) = match presented {
            Presented::Nothing => return Err(Refusal::nothing_presented()),
            Presented::Malformed => return Err(Refusal::malformed()),
            Presented::NoWorkspace => return Err(Refusal::no_workspace()),
            Presented::One {
                credential,
                workspace_id,
            } => (credential, workspace_id),
        };
        let (Credential::Key(key) | Credential::Token(key)) = credential;
        let question = Question {
            key_type: self.key_type,
            scope: self.scope.as_deref(),
            workspace_id: workspace_id.as_deref(),
            client_address: address.map(|address| address.to_canonical()),
        };
        match self.client.verify(&key, &question).await {
            Ok(Verdict::Valid(verdict)) => Ok(Verified(verdict)),
            Ok(Verdict::Refused(verdict)) => Err(Refusal::of_verdict(&verdict, question.scope)),
            Err(error) => Err(Refusal::of_error(&error)),
        }
    }
}
