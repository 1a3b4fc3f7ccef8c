//! A record of an export as a key to be imported, and what of it does not carry over.

use serde_json::{Map, Value};
use tigertrust_accounts::ForeignKey;
use tigertrust_model::{KeyLimits, Metadata};
use zeroize::Zeroizing;

use super::fields::Fields;
use crate::cli::{Export, ImportKeys};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const MAX_NAME: usize = 100;

/// A key to be imported.
pub struct Candidate {
    pub key: ForeignKey,
    /// The fields that do not carry over, by their names in the export, and permissions without a scope here.
    pub left: Vec<String>,
    /// What was made of a field that does not carry over as it is.
    pub notes: Vec<String>,
}

/// Reads a record.
///
/// # Errors
/// Why it cannot be imported.
pub fn read(record: Map<String, Value>, args: &ImportKeys) -> Result<Candidate, String> {
    let mut fields = Fields::new(record, &args.field_map);
    let mut draft = Draft::new(args);
    match args.format {
        Export::Unkey => unkey(&mut fields, &mut draft)?,
        Export::BetterAuth => better_auth(&mut fields, &mut draft)?,
        Export::Ndjson | Export::Csv => own(&mut fields, &mut draft)?,
    }
    draft.finish(fields, args)
}

/// A key while its record is read.
struct Draft<'a> {
    scope_map: &'a [(String, String)],
    key: ForeignKey,
    left: Vec<String>,
    notes: Vec<String>,
    /// What it is called where it has no name.
    stand_in: Option<String>,
}

impl<'a> Draft<'a> {
    fn new(args: &'a ImportKeys) -> Self {
        Self {
            scope_map: &args.scope_map,
            key: ForeignKey {
                hash: Zeroizing::default(),
                format: None,
                start: None,
                last_four: None,
                name: String::new(),
                scopes: args.scopes.clone(),
                active: true,
                expires_at: None,
                created_at: None,
                allowed_cidrs: Vec::new(),
                limits: KeyLimits::default(),
                external_id: None,
                metadata: Metadata::default(),
            },
            left: Vec::new(),
            notes: Vec::new(),
            stand_in: None,
        }
    }

    fn hash(&mut self, fields: &mut Fields, names: &[&str]) -> Result<(), String> {
        let hash = fields.text(names);
        self.key.hash =
            Zeroizing::new(hash.ok_or_else(|| format!("{} is missing", names.first().unwrap_or(&"")))?);
        Ok(())
    }

    /// How the key begins: the longer of the two tells more.
    fn start(&mut self, fields: &mut Fields) {
        let (start, prefix) = (fields.text(&["start"]), fields.text(&["prefix"]));
        self.key.start = match (start, prefix) {
            (Some(start), Some(prefix)) if prefix.len() > start.len() => Some(prefix),
            (start, prefix) => start.or(prefix),
        };
    }

    fn metadata(&mut self, fields: &mut Fields, names: &[&str]) {
        match fields.json(names) {
            None => {}
            Some(value @ Value::Object(_)) => {
                self.key.metadata = Metadata::from_json_object(value.to_string());
            }
            Some(_) => self
                .left
                .extend(names.first().map(|name| format!("{name} (no JSON object)"))),
        }
    }

    /// A limit of theirs: calls in so many milliseconds.
    fn limit(&mut self, limit: Option<i64>, window: Option<i64>, field: &str) {
        let Some(limit) = limit else { return };
        let place = match window {
            Some(MINUTE) => &mut self.key.limits.minute,
            Some(HOUR) => &mut self.key.limits.hour,
            _ => {
                let window =
                    window.map_or_else(|| "a time not given".to_owned(), |window| format!("{window} ms"));
                self.left.push(format!("{field} ({limit} calls in {window})"));
                return;
            }
        };
        // What is out of range is told by who checks it.
        let limit = u32::try_from(limit).unwrap_or(0);
        *place = Some(place.map_or(limit, |other| other.min(limit)));
    }

    /// Who has used up what it had is not let in again.
    fn remaining(&mut self, remaining: Option<i64>, field: &str) {
        match remaining {
            None => {}
            Some(left) if left <= 0 => {
                self.key.active = false;
                self.notes
                    .push(format!("{field} is used up: it is imported as switched off"));
            }
            Some(_) => self.left.push(field.to_owned()),
        }
    }

    /// Gives the scope that a permission becomes.
    fn permission(&mut self, theirs: &str) {
        let before = self.key.scopes.len();
        let ours = self.scope_map.iter().filter(|(name, _)| name == theirs);
        self.key.scopes.extend(ours.map(|(_, scope)| scope.clone()));
        if self.key.scopes.len() == before {
            self.left.push(format!("permission {theirs}"));
        }
    }

    fn finish(mut self, fields: Fields, args: &ImportKeys) -> Result<Candidate, String> {
        if args.key_format.is_some() {
            self.key.format.clone_from(&args.key_format);
        }
        if self.key.name.trim().is_empty() {
            self.key.name = self.stand_in.unwrap_or_else(|| "imported key".to_owned());
            self.notes
                .push(format!("it has no name: it is called {:?}", self.key.name));
        }
        if self.key.name.chars().count() > MAX_NAME {
            self.key.name = self.key.name.chars().take(MAX_NAME).collect();
            self.notes
                .push(format!("its name is cut to {MAX_NAME} characters"));
        }
        self.key.scopes.sort_unstable();
        self.key.scopes.dedup();
        self.left.extend(fields.rest());
        Ok(Candidate {
            key: self.key,
            left: self.left,
            notes: self.notes,
        })
    }
}

/// A row of Unkey's table `keys`, with what its other tables or its API add: an identity, permissions, roles, rate limits.
fn unkey(fields: &mut Fields, draft: &mut Draft<'_>) -> Result<(), String> {
    if fields.take(&["deletedAtM", "deletedAt"]).is_some() {
        return Err("it is deleted there".to_owned());
    }
    if fields.take(&["pendingMigrationId"]).is_some() {
        return Err("it waits to be migrated into Unkey, so that its hash may be of another kind".to_owned());
    }
    draft.hash(fields, &["hash"])?;
    draft.start(fields);
    draft.stand_in = fields.text(&["id", "keyId"]);
    draft
        .left
        .extend(draft.stand_in.as_ref().map(|_| "id".to_owned()));
    draft.key.name = fields.text(&["name"]).unwrap_or_default();
    draft.metadata(fields, &["meta"]);
    let identity = match fields.json(&["identity"]) {
        Some(Value::Object(identity)) => identity
            .get("externalId")
            .and_then(Value::as_str)
            .map(str::to_owned),
        _ => None,
    };
    draft.key.external_id = identity.or_else(|| fields.text(&["externalId", "ownerId"]));
    draft.key.expires_at = fields.time(&["expires"])?;
    draft.key.created_at = fields.time(&["createdAtM", "createdAt"])?;
    draft.key.active = fields.flag(&["enabled"])?.unwrap_or(true);
    let remaining = fields.number(&["remainingRequests", "remaining"])?;
    draft.remaining(remaining, "remaining");
    if let Some(Value::Object(mut credits)) = fields.json(&["credits"]) {
        draft.remaining(
            credits.get("remaining").and_then(Value::as_i64),
            "credits.remaining",
        );
        if credits.remove("refill").is_some_and(|refill| !refill.is_null()) {
            draft.left.push("credits.refill".to_owned());
        }
    }
    let (limit, window) = (
        fields.number(&["ratelimitLimit"])?,
        fields.number(&["ratelimitDuration"])?,
    );
    draft.limit(limit, window, "ratelimit");
    if let Some(Value::Array(limits)) = fields.json(&["ratelimits"]) {
        for limit in &limits {
            let member = |name: &str| limit.get(name).and_then(Value::as_i64);
            draft.limit(member("limit"), member("duration"), "ratelimits");
        }
    }
    for names in [["permissions"], ["roles"]] {
        for name in words(fields.json(&names)) {
            draft.permission(&name);
        }
    }
    Ok(())
}

/// A row of Better Auth's table `apikey`.
fn better_auth(fields: &mut Fields, draft: &mut Draft<'_>) -> Result<(), String> {
    draft.hash(fields, &["key"])?;
    draft.start(fields);
    draft.stand_in = fields.text(&["id"]);
    draft
        .left
        .extend(draft.stand_in.as_ref().map(|_| "id".to_owned()));
    draft.key.name = fields.text(&["name"]).unwrap_or_default();
    draft.metadata(fields, &["metadata"]);
    draft.key.external_id = fields.text(&["referenceId", "userId", "organizationId"]);
    draft.key.expires_at = fields.time(&["expiresAt"])?;
    draft.key.created_at = fields.time(&["createdAt"])?;
    draft.key.active = fields.flag(&["enabled"])?.unwrap_or(true);
    let remaining = fields.number(&["remaining"])?;
    draft.remaining(remaining, "remaining");
    let is_limited = fields.flag(&["rateLimitEnabled"])?.unwrap_or(true);
    let (limit, window) = (
        fields.number(&["rateLimitMax"])?,
        fields.number(&["rateLimitTimeWindow"])?,
    );
    draft.limit(limit.filter(|_| is_limited), window, "rateLimitMax");
    match fields.json(&["permissions"]) {
        Some(Value::Object(resources)) => {
            for (resource, actions) in resources {
                for action in words(Some(actions)) {
                    draft.permission(&format!("{resource}:{action}"));
                }
            }
        }
        None => {}
        Some(_) => draft.left.push("permissions".to_owned()),
    }
    Ok(())
}

/// A record with the names of `POST /api/keys/import`.
fn own(fields: &mut Fields, draft: &mut Draft<'_>) -> Result<(), String> {
    draft.hash(fields, &["hash"])?;
    draft.start(fields);
    draft.key.format = fields.text(&["format"]);
    draft.key.last_four = fields.text(&["lastFour"]);
    draft.key.name = fields.text(&["name"]).unwrap_or_default();
    draft.metadata(fields, &["metadata"]);
    draft.key.external_id = fields.text(&["externalId"]);
    draft.key.expires_at = fields.time(&["expiresAt"])?;
    draft.key.created_at = fields.time(&["createdAt"])?;
    draft.key.active = fields.flag(&["active", "enabled"])?.unwrap_or(true);
    draft.key.allowed_cidrs = words(fields.json(&["allowedCidrs"]));
    let limits = match fields.json(&["limits"]) {
        Some(Value::Object(limits)) => limits,
        _ => Map::new(),
    };
    for (name, flat, window) in [("minute", "limitMinute", MINUTE), ("hour", "limitHour", HOUR)] {
        let limit = match limits.get(name).and_then(Value::as_i64) {
            Some(limit) => Some(limit),
            None => fields.number(&[flat])?,
        };
        draft.limit(limit, Some(window), name);
    }
    // Here they are called as they are called here, unless somebody says otherwise.
    for name in words(fields.json(&["scopes"])) {
        if draft.scope_map.iter().any(|(theirs, _)| *theirs == name) {
            draft.permission(&name);
        } else {
            draft.key.scopes.push(name);
        }
    }
    Ok(())
}

/// The words of a list: of JSON, or parted by commas or spaces. Of objects the name counts.
fn words(list: Option<Value>) -> Vec<String> {
    let name = |entry: &Value| match entry {
        Value::String(word) => Some(word.clone()),
        Value::Object(members) => ["slug", "name"]
            .iter()
            .find_map(|member| members.get(*member)?.as_str().map(str::to_owned)),
        _ => None,
    };
    match list {
        Some(Value::Array(entries)) => entries.iter().filter_map(name).collect(),
        Some(Value::String(text)) => text
            .split([',', ' '])
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}
