//! Passkeys.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tigertrust_accounts::{
    RecoveryCodes,
    passkeys::{Backup, Passkey as Record},
};
use tigertrust_model::Timestamp;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::timestamp;

/// What to hand to the browser.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasskeyOptions {
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON` or `…parseRequestOptionsFromJSON`, and then for
    /// `navigator.credentials` as `publicKey`.
    #[schema(value_type = Object)]
    pub public_key: Value,
}

impl PasskeyOptions {
    /// Out of the options as text. Null where that is no JSON.
    #[must_use]
    pub fn new(options: &str) -> Self {
        Self {
            public_key: serde_json::from_str(options).unwrap_or_default(),
        }
    }
}

/// A passkey that an authenticator has made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinishPasskey {
    /// What `navigator.credentials.create` answered: its `toJSON()`.
    #[schema(value_type = Object)]
    pub credential: Value,
    /// What to call it; `Passkey` where nothing is said.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 100, examples("Jo's laptop"))]
    pub name: Option<String>,
}

/// Another name for a passkey.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RenamePasskey {
    /// The name.
    #[schema(min_length = 1, max_length = 100, examples("Jo's laptop"))]
    pub name: String,
}

/// A login by a passkey begins.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartPasskeyLogin {
    /// What the first step of a login answered; none for a login by a passkey alone, or a fresh proof.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub token: Option<Zeroizing<String>>,
}

/// A login by a passkey ends.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinishPasskeyLogin {
    /// What `navigator.credentials.get` answered: its `toJSON()`.
    #[schema(value_type = Object)]
    pub credential: Value,
    /// The token that the login began with, if it did with one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub token: Option<Zeroizing<String>>,
}

impl fmt::Debug for StartPasskeyLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StartPasskeyLogin")
    }
}

impl fmt::Debug for FinishPasskeyLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FinishPasskeyLogin")
    }
}

/// A passkey of the caller's.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Passkey {
    /// Its id, by which it can be renamed and removed.
    #[schema(examples("pky_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: String,
    /// What the person calls it.
    pub name: String,
    /// Whether it lives on more than one device, by what its authenticator says.
    pub backed_up: bool,
    /// When it was added.
    #[serde(serialize_with = "timestamp::serialize")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last used; null for never.
    #[serde(serialize_with = "timestamp::serialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
}

impl From<&Record> for Passkey {
    fn from(passkey: &Record) -> Self {
        Self {
            id: passkey.id.to_string(),
            name: passkey.name.clone(),
            backed_up: passkey.credential.backup == Backup::Exists,
            created_at: passkey.created_at,
            last_used_at: passkey.last_used_at,
        }
    }
}

/// A passkey that was added.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddedPasskey<'a> {
    /// The passkey.
    pub passkey: Passkey,
    /// Ten codes that each open the account once, where this is its first second factor: this answer alone shows them. Else
    /// none, and those that there are stay.
    pub recovery_codes: Vec<&'a str>,
}

impl<'a> AddedPasskey<'a> {
    /// The answer that shows the codes.
    #[must_use]
    pub fn new(passkey: &Record, codes: &'a RecoveryCodes) -> Self {
        Self {
            passkey: passkey.into(),
            recovery_codes: codes.0.iter().map(|code| code.as_str()).collect(),
        }
    }
}
