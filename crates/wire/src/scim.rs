//! People as identity providers write them: SCIM 2.0 (RFC 7643 and RFC 7644). Members that are not known are passed over, as
//! RFC 7644 §3.3 wants.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tigertrust_accounts::sso::{ScimPerson, ScimUser as Known};
use utoipa::ToSchema;

use crate::format_rfc3339;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const CONFIGURATION: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";

/// A person (RFC 7643 §4.1).
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimUser {
    /// Always that of a user.
    #[serde(default)]
    pub schemas: Vec<String>,
    /// The account's id; ours to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The provider's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The person's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(examples("jo@example.com"))]
    pub user_name: Option<String>,
    /// What the person is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The same in parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ScimName>,
    /// The addresses; the first is the user name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Value>)]
    pub emails: Vec<Value>,
    /// Whether the person may come in.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient_bool"
    )]
    pub active: Option<bool>,
    /// When it was made and changed; ours to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub meta: Option<Value>,
}

/// A name in parts (RFC 7643 §4.1.1).
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimName {
    /// All of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
    /// The given name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// The family name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
}

/// Entra ID writes `"False"` for false.
fn lenient_bool<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    match value {
        Value::Null => Ok(None),
        value => read_bool(&value)
            .map(Some)
            .ok_or_else(|| serde::de::Error::custom("must be true or false")),
    }
}

fn read_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

impl ScimUser {
    /// The person, as the server at that address knows it.
    #[must_use]
    pub fn new(known: &Known, public_url: &str) -> Self {
        let id = known.user.id.to_string();
        Self {
            schemas: vec![USER.to_owned()],
            external_id: known.external_id.clone(),
            user_name: Some(known.user_name.clone()),
            display_name: known.user.name.clone(),
            name: known.user.name.clone().map(|name| ScimName {
                formatted: Some(name),
                ..ScimName::default()
            }),
            emails: vec![json!({"value": known.user.email.as_str(), "primary": true, "type": "work"})],
            active: Some(known.active),
            meta: Some(json!({
                "resourceType": "User",
                "created": format_rfc3339(known.created_at),
                "lastModified": format_rfc3339(known.updated_at),
                "location": format!("{public_url}/api/scim/v2/Users/{id}"),
            })),
            id: Some(id),
        }
    }

    /// What it says of the person: all of it, so that what is absent is taken away.
    #[must_use]
    pub fn whole(self) -> ScimPerson {
        let name = self.display_name.or_else(|| self.name.and_then(ScimName::joined));
        ScimPerson {
            user_name: self.user_name,
            external_id: Some(self.external_id),
            name: Some(name),
            active: Some(self.active.unwrap_or(true)),
        }
    }
}

impl ScimName {
    fn joined(self) -> Option<String> {
        self.formatted.or_else(|| {
            let parts: Vec<String> = [self.given_name, self.family_name]
                .into_iter()
                .flatten()
                .collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        })
    }
}

/// A change of a part (RFC 7644 §3.5.2).
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ScimPatch {
    /// Always that of a patch.
    #[serde(default)]
    pub schemas: Vec<String>,
    /// What to do, one after the other.
    #[serde(rename = "Operations", alias = "operations")]
    pub operations: Vec<ScimOperation>,
}

/// One change.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct ScimOperation {
    /// `add`, `replace` or `remove`, in any case.
    pub op: String,
    /// Which attribute; absent where the value names them.
    #[serde(default)]
    pub path: Option<String>,
    /// What it is to be.
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    pub value: Value,
}

impl ScimPatch {
    /// What it says of the person. Attributes that are not kept here are passed over, so that a provider may write what it has.
    ///
    /// # Errors
    /// What is wrong, and its `scimType`.
    pub fn read(&self) -> Result<ScimPerson, ScimError> {
        if !self.schemas.iter().any(|schema| schema == PATCH) {
            return Err(ScimError::invalid(
                "invalidSyntax",
                "schemas must hold that of a PatchOp",
            ));
        }
        let mut person = ScimPerson::default();
        for operation in &self.operations {
            let removes = match operation.op.to_ascii_lowercase().as_str() {
                "add" | "replace" => false,
                "remove" => true,
                _ => {
                    return Err(ScimError::invalid(
                        "invalidSyntax",
                        "op must be add, replace or remove",
                    ));
                }
            };
            match (&operation.path, &operation.value) {
                (Some(path), _) if removes => set(&mut person, path, &Value::Null)?,
                (Some(path), value) => set(&mut person, path, value)?,
                (None, Value::Object(members)) if !removes => {
                    for (path, value) in members {
                        set(&mut person, path, value)?;
                    }
                }
                (None, _) if removes => return Err(ScimError::invalid("noTarget", "remove needs a path")),
                (None, _) => {
                    return Err(ScimError::invalid(
                        "invalidValue",
                        "without a path the value must be an object",
                    ));
                }
            }
        }
        Ok(person)
    }
}

fn set(person: &mut ScimPerson, path: &str, value: &Value) -> Result<(), ScimError> {
    let attribute = path
        .strip_prefix(USER)
        .map_or(path, |rest| rest.trim_start_matches(':'));
    let text = || match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(ScimError::invalid("invalidValue", "must be text")),
    };
    match attribute.to_ascii_lowercase().as_str() {
        "active" => {
            let active = read_bool(value);
            person.active = Some(
                active.ok_or_else(|| ScimError::invalid("invalidValue", "active must be true or false"))?,
            );
        }
        "username" => {
            person.user_name =
                Some(text()?.ok_or_else(|| ScimError::invalid("mutability", "userName cannot be removed"))?);
        }
        "externalid" => person.external_id = Some(text()?),
        "displayname" | "name.formatted" => person.name = Some(text()?),
        _ => {}
    }
    Ok(())
}

/// A part of a list (RFC 7644 §3.4.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct ScimList {
    /// Always that of a list.
    #[schema(value_type = Vec<String>)]
    schemas: [&'static str; 1],
    /// How many there are in all.
    #[serde(rename = "totalResults")]
    total_results: u64,
    /// How many are here.
    #[serde(rename = "itemsPerPage")]
    items_per_page: usize,
    /// The number of the first one here, beginning with 1.
    #[serde(rename = "startIndex")]
    start_index: u32,
    /// What is here.
    #[serde(rename = "Resources")]
    #[schema(value_type = Vec<ScimUser>)]
    resources: Vec<Value>,
}

impl ScimList {
    /// A list.
    #[must_use]
    pub fn new(people: &[ScimUser], total: u64, start_index: u32) -> Self {
        let resources = people
            .iter()
            .filter_map(|person| serde_json::to_value(person).ok());
        Self::of(resources.collect(), total, start_index)
    }

    fn of(resources: Vec<Value>, total_results: u64, start_index: u32) -> Self {
        Self {
            schemas: [LIST],
            total_results,
            items_per_page: resources.len(),
            start_index,
            resources,
        }
    }
}

/// What went wrong (RFC 7644 §3.12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScimError {
    /// Always that of an error.
    #[schema(value_type = Vec<String>)]
    schemas: [&'static str; 1],
    /// The status, as text.
    status: String,
    /// What is wrong, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    scim_type: Option<&'static str>,
    /// What is wrong, for people.
    detail: String,
}

impl ScimError {
    /// What went wrong with that status.
    #[must_use]
    pub fn new(status: u16, scim_type: Option<&'static str>, detail: impl Into<String>) -> Self {
        Self {
            schemas: [ERROR],
            status: status.to_string(),
            scim_type,
            detail: detail.into(),
        }
    }

    /// The request is not valid.
    #[must_use]
    pub fn invalid(scim_type: &'static str, detail: &str) -> Self {
        Self::new(400, Some(scim_type), detail)
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status.parse().unwrap_or(500)
    }
}

/// What this server can do (RFC 7643 §5).
#[must_use]
pub fn scim_configuration(public_url: &str) -> Value {
    let no = json!({"supported": false});
    json!({
        "schemas": [CONFIGURATION],
        "patch": {"supported": true},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": 200},
        "changePassword": no,
        "sort": no,
        "etag": no,
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token that was made for the connection",
            "primary": true,
        }],
        "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{public_url}/api/scim/v2/ServiceProviderConfig")},
    })
}

/// What there is (RFC 7643 §6).
#[must_use]
pub fn scim_resource_types(public_url: &str) -> ScimList {
    let users = json!({
        "schemas": [RESOURCE_TYPE],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "schema": USER,
        "meta": {"resourceType": "ResourceType", "location": format!("{public_url}/api/scim/v2/ResourceTypes/User")},
    });
    ScimList::of(vec![users], 1, 1)
}

/// What is kept of it (RFC 7643 §7).
#[must_use]
pub fn scim_schemas(public_url: &str) -> ScimList {
    let attribute = |name: &str, kind: &str, required: bool, mutability: &str| {
        json!({
            "name": name, "type": kind, "multiValued": false, "required": required, "caseExact": false,
            "mutability": mutability, "returned": "default", "uniqueness": if name == "userName" { "server" } else { "none" },
        })
    };
    let user = json!({
        "schemas": [SCHEMA],
        "id": USER,
        "name": "User",
        "attributes": [
            attribute("userName", "string", true, "immutable"),
            attribute("externalId", "string", false, "readWrite"),
            attribute("displayName", "string", false, "readWrite"),
            attribute("active", "boolean", false, "readWrite"),
        ],
        "meta": {"resourceType": "Schema", "location": format!("{public_url}/api/scim/v2/Schemas/{USER}")},
    });
    ScimList::of(vec![user], 1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(body: Value) -> Result<ScimPerson, ScimError> {
        serde_json::from_value::<ScimPatch>(body).unwrap().read()
    }

    #[test]
    fn each_provider_s_way_to_deactivate_somebody_is_read() {
        let entra = json!({"schemas": [PATCH], "Operations": [{"op": "Replace", "path": "active", "value": "False"}]});
        let okta = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "value": {"active": false}}]});
        let full = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": format!("{USER}:active"), "value": false}]});
        for body in [entra, okta, full] {
            assert_eq!(patch(body).unwrap().active, Some(false));
        }
    }

    #[test]
    fn what_is_not_kept_is_passed_over_and_what_makes_no_sense_is_refused() {
        let other =
            json!({"schemas": [PATCH], "Operations": [{"op": "add", "path": "nickName", "value": "J"}]});
        assert_eq!(patch(other).unwrap(), ScimPerson::default());
        for operation in [
            json!({"op": "move", "path": "active", "value": true}),
            json!({"op": "replace", "path": "active", "value": "perhaps"}),
            json!({"op": "remove"}),
            json!({"op": "replace", "value": 7}),
            json!({"op": "remove", "path": "userName"}),
            json!({"op": "replace", "path": "externalId", "value": {}}),
        ] {
            let body = json!({"schemas": [PATCH], "Operations": [operation.clone()]});
            assert_eq!(patch(body).unwrap_err().status(), 400, "{operation}");
        }
        assert!(patch(json!({"schemas": [], "Operations": []})).is_err());
    }

    #[test]
    fn a_name_in_parts_is_put_together() {
        let user: ScimUser = serde_json::from_value(json!({
            "userName": "jo@example.com", "name": {"givenName": "Jo", "familyName": "Doe"}, "active": "true", "unknown": [1],
        }))
        .unwrap();
        let person = user.whole();
        assert_eq!(person.name, Some(Some("Jo Doe".to_owned())));
        assert_eq!(person.active, Some(true));
        assert_eq!(person.external_id, Some(None));
    }
}
