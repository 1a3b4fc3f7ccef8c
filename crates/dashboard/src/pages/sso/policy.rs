//! What the word of a provider is worth: who becomes what, and whether it counts for a second factor.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use tigertrust_accounts::sso::{Connection, SsoPolicy};
use tigertrust_http::{ApiError, page};
use tigertrust_model::{ConnectionId, Role};
use tigertrust_wire::UpdateSsoConnection;

use super::{crumbs, flows, found, is_of_form, path};
use crate::{
    components::{Input, checkbox, input, select, submit, summary, token},
    form::{Fields, Filled},
    layout::{self, Place},
    visitor::{PageResult, Visitor, see_other},
};

/// How many rows are left empty for groups.
const EMPTY_ROWS: usize = 3;

/// What people may become by a provider.
pub(super) const ROLES: [(&str, &str); 4] = [
    ("", "Nothing"),
    ("viewer", "Viewer"),
    ("member", "Member"),
    ("admin", "Admin"),
];

/// The fields; `at` is where the policy stands in the request, `policy/` or nothing.
pub(super) fn fields(form: &Filled, at: &str, present: Option<&SsoPolicy>) -> Markup {
    let name = |end: &str| format!("{at}{end}");
    let (default_role, groups) = (name("defaultRole"), name("groupRoles"));
    let was_sent = form.fields.raw(&default_role).is_some();
    let present_role = present.map_or(Some(Role::Member), |policy| policy.default_role);
    let trusts = match was_sent {
        true => form.fields.is_checked(&name("trustsSecondFactor")),
        false => present.is_some_and(|policy| policy.trusts_second_factor),
    };
    let rules = match (was_sent, present) {
        (false, Some(policy)) => policy
            .group_roles
            .iter()
            .map(|rule| (rule.group.clone(), rule.role.to_string()))
            .collect(),
        _ => rules(&form.fields, at),
    };
    html! {
        (select(form, &Input {
            name: &default_role, label: "Who signs in for the first time becomes",
            hint: "If none of the groups below says otherwise. With “Nothing”, nobody comes in who is no member already.",
            value: present_role.map_or("", Role::as_str), ..Input::default()
        }, &ROLES))
        details open[!rules.is_empty() || form.error(&groups).is_some()] {
            summary { "Groups and second factor" }
            div.stack {
                (rows(form, &groups, &rules))
                (checkbox(
                    &name("trustsSecondFactor"), "yes", "Trust the provider’s second factor",
                    "Who has proved one there is not asked for another one here. Only if the provider asks everybody.", trusts,
                ))
            }
        }
    }
}

/// A row for each group, and some that are empty.
fn rows(form: &Filled, name: &str, rules: &[(String, String)]) -> Markup {
    let empty = std::iter::repeat_n((String::new(), String::new()), EMPTY_ROWS);
    let all: Vec<(String, String)> = rules.iter().cloned().chain(empty).collect();
    html! {
        fieldset.field {
            legend { "What groups become" }
            p.hint {
                "The group exactly as the provider writes it. Of several the one counts that becomes most, at each sign-in anew. Rows without a group are passed over; save to get more of them."
            }
            // What stands in a row is no longer where it was sent, if a row before it was empty: it is not taken from the fields.
            @for (index, (group, role)) in all.iter().enumerate() {
                @let (of_group, of_role) = (format!("{name}/{index}/group"), format!("{name}/{index}/role"));
                div.pair {
                    div.field {
                        label for=(of_group) { "Group " (index + 1) }
                        input id=(of_group) name=(of_group) value=(group) autocomplete="off" aria-invalid=[form.error(&of_group).map(|_| "true")];
                    }
                    div.field {
                        label for=(of_role) { "Role of group " (index + 1) }
                        select id=(of_role) name=(of_role) {
                            @for (value, text) in ROLES.iter().skip(1) { option value=(value) selected[value == role] { (text) } }
                        }
                    }
                }
                @for error in [form.error(&of_group), form.error(&of_role)].into_iter().flatten() { p.error { (error) } }
            }
        }
    }
}

/// The rows that were filled in, in their order.
fn rules(fields: &Fields, at: &str) -> Vec<(String, String)> {
    let start = format!("{at}groupRoles/");
    let rows = |end: &'static str| {
        let start = start.as_str();
        let values = fields.own();
        values.filter_map(move |(name, value)| Some((name.strip_prefix(start)?.strip_suffix(end)?, value)))
    };
    let roles: BTreeMap<&str, &str> = rows("/role").collect();
    let groups = rows("/group").map(|(row, group)| {
        let role = roles.get(row).map(|role| role.trim()).unwrap_or_default();
        (group.trim().to_owned(), role.to_owned())
    });
    groups.filter(|(group, _)| !group.is_empty()).collect()
}

/// What the form says, as the API has it.
pub(super) fn body(fields: &Fields, at: &str) -> Map<String, Value> {
    let group_roles: Vec<Value> = rules(fields, at)
        .iter()
        .map(|(group, role)| json!({ "group": group, "role": role }))
        .collect();
    let mut body = Map::new();
    body.insert(
        "defaultRole".to_owned(),
        json!(fields.text(&format!("{at}defaultRole"))),
    );
    body.insert("groupRoles".to_owned(), Value::Array(group_roles));
    body.insert(
        "trustsSecondFactor".to_owned(),
        json!(fields.is_checked(&format!("{at}trustsSecondFactor"))),
    );
    body
}

/// Where the name of a connection is edited, and what its people become.
pub(crate) async fn edit(visitor: Visitor) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    Ok(edit_page(&visitor, id, &connection, &Filled::empty(), None))
}

fn edit_page(
    visitor: &Visitor,
    id: ConnectionId,
    connection: &Connection,
    form: &Filled,
    refused: Option<&ApiError>,
) -> HttpResponse {
    let content = html! {
        div.page-head {
            div {
                (crumbs(visitor, Some((id, &connection.name))))
                h1 { "Name and roles" }
            }
        }
        (summary(form, &["name", "policy"]))
        form.card method="post" action=(path(visitor, id, "/edit")) {
            (token(visitor))
            (input(form, &Input { name: "name", label: "Name", hint: "What people are shown.", value: &connection.name, required: true, ..Input::default() }))
            (fields(form, "policy/", Some(&connection.policy)))
            div.actions { (submit("Save")) a.button.quiet href=(path(visitor, id, "")) { "Cancel" } }
        }
    };
    layout::answer(
        layout::framed(visitor, Place::Sso, "Name and roles", &content),
        refused,
    )
}

/// Saves it.
pub(crate) async fn save(visitor: Visitor, fields: Fields) -> PageResult {
    let (id, connection) = found(&visitor).await?;
    match try_save(&visitor, id, &fields).await {
        Ok(()) => Ok(see_other(&path(&visitor, id, "?done=sso-saved"))),
        Err(error) if is_of_form(&error) => {
            let form = Filled::refused(&fields, &error);
            Ok(edit_page(&visitor, id, &connection, &form, Some(&error)))
        }
        Err(error) => Err(error),
    }
}

async fn try_save(visitor: &Visitor, id: ConnectionId, fields: &Fields) -> Result<(), ApiError> {
    let body = json!({ "name": fields.or_empty("name"), "policy": body(fields, "policy/") });
    let changes = page::read::<UpdateSsoConnection>(&body)?
        .read()
        .map_err(page::mistake)?;
    let workspace = visitor.workspace_id()?;
    flows(visitor)?
        .update(&visitor.actor(), workspace, id, changes)
        .await?;
    tracing::info!(%workspace, connection = %id, by = %visitor.user().id, "connection edited");
    Ok(())
}
