//! Identities of providers that an account is connected with.

use serde::{Deserialize, Serialize};
use tigertrust_accounts::sso::Identity as Connected;
use tigertrust_model::Timestamp;
use utoipa::ToSchema;

use crate::timestamp;

/// An identity of a provider that the account is connected with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoIdentity)]
pub struct Identity {
    /// Its id.
    #[schema(examples("idn_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// The connection.
    pub connection: String,
    /// What the connection is called.
    pub name: Option<String>,
    /// Who says who it is.
    pub issuer: String,
    /// What it calls the person.
    pub subject: String,
    /// The address that the provider named last.
    pub email: Option<String>,
    /// Since when it is connected.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the person last signed in by it.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub last_used_at: Timestamp,
}

impl From<&Connected> for Identity {
    fn from(identity: &Connected) -> Self {
        Self {
            id: identity.id.to_string(),
            connection: identity.connection.to_string(),
            name: identity.name.clone(),
            issuer: identity.issuer.clone(),
            subject: identity.subject.clone(),
            email: identity.email.clone(),
            created_at: identity.created_at,
            last_used_at: identity.last_used_at,
        }
    }
}

/// The identities that the account is connected with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoIdentities)]
pub struct Identities {
    /// The identities, newest first.
    pub items: Vec<Identity>,
}

/// An identity to connect the account with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectIdentity {
    /// Where signing in by the connection begins.
    #[schema(examples("/api/auth/google"))]
    pub url: String,
    /// Where to go on then; `/` if absent.
    #[serde(default)]
    pub return_to: Option<String>,
}
