//! Domains that a workspace claims.

use serde::{Deserialize, Serialize};
use tigertrust_accounts::sso::{Domain as Claimed, DomainChanges};
use tigertrust_model::Timestamp;
use utoipa::ToSchema;

use super::ProviderMistake;
use crate::{RoleName, timestamp};

/// A domain that a workspace claims.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SsoDomain)]
pub struct Domain {
    /// The domain.
    #[schema(examples("example.com"))]
    pub domain: String,
    /// Whether it was seen that the domain is the workspace's.
    pub verified: bool,
    /// When that was last seen.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub verified_at: Option<Timestamp>,
    /// The name of the TXT record that proves it.
    #[schema(examples("_tigertrust-challenge.example.com"))]
    pub record_name: String,
    /// What the record must say.
    pub record_value: String,
    /// The connection that its people sign in by.
    pub connection_id: Option<String>,
    /// Whether they sign in by it alone.
    pub enforced: bool,
    /// The owner who does not have to.
    pub break_glass_user_id: Option<String>,
    /// What its people become who sign in by a provider of the whole server.
    pub join_role: Option<RoleName>,
}

impl From<&Claimed> for Domain {
    fn from(domain: &Claimed) -> Self {
        Self {
            verified: domain.verified_at.is_some(),
            verified_at: domain.verified_at,
            record_name: domain.record_name(),
            record_value: domain.record_value(),
            connection_id: domain.connection.map(|id| id.to_string()),
            enforced: domain.enforced.is_some(),
            break_glass_user_id: domain.enforced.map(|id| id.to_string()),
            join_role: domain.join_role.map(RoleName::from),
            domain: domain.domain.clone(),
        }
    }
}

/// A domain to claim.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimDomain {
    /// The domain.
    #[schema(examples("example.com"))]
    pub domain: String,
}

/// What is to be another way with a domain; what is absent stays, and null takes away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateDomain {
    /// The connection that its people sign in by.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    pub connection_id: Option<Option<String>>,
    /// Whether they sign in by it alone. With true, `breakGlassUserId` is asked for.
    #[serde(default)]
    pub enforced: Option<bool>,
    /// An owner with a password and a second factor, who does not have to.
    #[serde(default)]
    pub break_glass_user_id: Option<String>,
    /// What its people become who sign in by a provider of the whole server.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<RoleName>)]
    pub join_role: Option<Option<RoleName>>,
}

/// Tells a null from nothing.
fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

impl UpdateDomain {
    /// What is asked for.
    ///
    /// # Errors
    /// Where the body makes no sense.
    pub fn read(self) -> Result<DomainChanges, ProviderMistake> {
        let connection = match self.connection_id {
            None => None,
            Some(None) => Some(None),
            Some(Some(text)) => {
                let id = text
                    .parse()
                    .map_err(|_| ("/connectionId", "must be the id of a connection"))?;
                Some(Some(id))
            }
        };
        let enforced = match (self.enforced, self.break_glass_user_id) {
            (None, None) => None,
            (Some(false), None) => Some(None),
            (Some(true) | None, Some(text)) => {
                let id = text
                    .parse()
                    .map_err(|_| ("/breakGlassUserId", "must be the id of a person"))?;
                Some(Some(id))
            }
            (Some(true), None) => {
                return Err((
                    "/breakGlassUserId",
                    "is asked for: an owner who can come in when the provider does not answer",
                ));
            }
            (Some(false), Some(_)) => {
                return Err(("/breakGlassUserId", "makes no sense where nobody has to"));
            }
        };
        Ok(DomainChanges {
            connection,
            enforced,
            join_role: self.join_role.map(|role| role.map(Into::into)),
        })
    }
}
