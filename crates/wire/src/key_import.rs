//! Keys that were made elsewhere.

use std::fmt;

use serde::{Deserialize, Serialize};
use tigertrust_accounts::Imported;
use tigertrust_model::{Metadata, Timestamp};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::{FieldProblem, OwnLimits, key::deserialize_metadata, timestamp};

/// Keys to import.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportKeys {
    /// Whether to look only, and to store nothing: the answer says what would be done.
    #[serde(default)]
    pub dry_run: bool,
    /// The keys.
    #[schema(min_items = 1, max_items = 200)]
    pub keys: Vec<ForeignKey>,
}

impl ImportKeys {
    /// The keys, as flows know them.
    #[must_use]
    pub fn into_records(self) -> Vec<tigertrust_accounts::ForeignKey> {
        self.keys.into_iter().map(Into::into).collect()
    }
}

/// What is known of a key that was made elsewhere.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForeignKey {
    /// The SHA-256 of the whole key: 64 hexadecimal digits, or base64 or base64url, with padding or without.
    #[schema(value_type = String, examples("n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="))]
    pub hash: Zeroizing<String>,
    /// The format of the key, by its id in the configuration. Where there is one format alone it may be absent.
    #[serde(default)]
    #[schema(examples("acme-live"))]
    pub format: Option<String>,
    /// How the key begins, as far as that is known. It is shown; of the characters after the prefix 6 at the most.
    #[serde(default)]
    #[schema(examples("sk_live_3ZxA"))]
    pub start: Option<String>,
    /// The last 4 characters of the key, if they are known.
    #[serde(default)]
    pub last_four: Option<String>,
    /// What people call it.
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// What it may do: scopes that its type may hold and that the caller holds. May be absent.
    #[serde(default)]
    #[schema(max_items = 64, examples(json!(["certificates:read"])))]
    pub scopes: Vec<String>,
    /// Whether it is in use; it is, if absent.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub active: bool,
    /// From when on it is refused, which may be over. Absent or null: never.
    #[serde(default, deserialize_with = "timestamp::deserialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was made; now, if absent or null.
    #[serde(default, deserialize_with = "timestamp::deserialize_option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub created_at: Option<Timestamp>,
    /// Networks or addresses that it may be used from; everywhere if there is none.
    #[serde(default)]
    #[schema(max_items = 50, examples(json!(["192.0.2.0/24"])))]
    pub allowed_cidrs: Vec<String>,
    /// Limits of its own, below those of its plan.
    #[serde(default)]
    pub limits: OwnLimits,
    /// The name that the owning application knows it by.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 255)]
    pub external_id: Option<String>,
    /// A JSON object of up to 4,096 bytes that is kept with it.
    #[serde(default, deserialize_with = "deserialize_metadata")]
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Metadata>,
}

const fn yes() -> bool {
    true
}

impl fmt::Debug for ForeignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignKey")
            .field("name", &self.name)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl From<ForeignKey> for tigertrust_accounts::ForeignKey {
    fn from(body: ForeignKey) -> Self {
        Self {
            hash: body.hash,
            format: body.format,
            start: body.start,
            last_four: body.last_four,
            name: body.name,
            scopes: body.scopes,
            active: body.active,
            expires_at: body.expires_at,
            created_at: body.created_at,
            allowed_cidrs: body.allowed_cidrs,
            limits: body.limits.into(),
            external_id: body.external_id,
            metadata: body.metadata.unwrap_or_default(),
        }
    }
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportStatus {
    /// It is a new key, or would be.
    Created,
    /// It was there already, and stays as it is.
    Exists,
    /// It is not imported.
    Refused,
}

/// What became of one of the keys.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportedKey {
    /// What.
    pub status: ImportStatus,
    /// The key's id; null for one that is refused, and for one that a trial would create.
    #[schema(examples("key_01h2xcejqtf2nbrexx3vqjhp41"))]
    pub id: Option<String>,
    /// Why it is refused, each with its place in the record; empty otherwise.
    pub errors: Vec<FieldProblem>,
}

/// What became of keys that were to be imported.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// Whether this was a trial, which stores nothing.
    pub dry_run: bool,
    /// How many are new, or would be.
    pub created: usize,
    /// How many were there already.
    pub existing: usize,
    /// How many are refused.
    pub refused: usize,
    /// What became of each, in the order of the request.
    pub results: Vec<ImportedKey>,
}

impl From<Imported> for ImportedKey {
    fn from(imported: Imported) -> Self {
        let (status, id, violations) = match imported {
            Imported::Created(id) => (ImportStatus::Created, id, Vec::new()),
            Imported::Exists(id) => (ImportStatus::Exists, id, Vec::new()),
            Imported::Refused(violations) => (ImportStatus::Refused, None, violations),
        };
        Self {
            status,
            id: id.map(|id| id.to_string()),
            errors: violations.iter().map(Into::into).collect(),
        }
    }
}

impl ImportReport {
    /// The report on keys, in their order.
    #[must_use]
    pub fn new(dry_run: bool, imported: Vec<Imported>) -> Self {
        let results: Vec<ImportedKey> = imported.into_iter().map(Into::into).collect();
        let count = |status| results.iter().filter(|result| result.status == status).count();
        Self {
            dry_run,
            created: count(ImportStatus::Created),
            existing: count(ImportStatus::Exists),
            refused: count(ImportStatus::Refused),
            results,
        }
    }
}
