//! Every route, as the OpenAPI document and the table of operations have it.

use std::{collections::BTreeMap, fmt::Write};

use serde_json::Value;
use tigertrust_credentials::{Need, WorkspaceNeed};
use tigertrust_http::{Access, Operation, openapi_document, operations};

use super::{
    markdown::{anchor, head, one_line, sentence},
    schemas,
};

/// How an operation that needs a caller refuses, whatever it does.
const USUAL: [&str; 6] = ["400", "401", "403", "413", "415", "503"];

pub(super) fn page() -> String {
    let document = serde_json::to_value(openapi_document()).unwrap();
    let mut page = head(
        "Routes",
        "Every route, as `/openapi.json` has it. [API reference](../api.md) says what all routes have in common, and shows \
         requests and answers; [Error codes](error-codes.md) says what refusals mean.\n\n\
         Under **Refusals** stand those that are about this route. Beside them a route that needs a caller answers 401, 403, 429 \
         and 503 as all do, one that takes parameters in the query 400, and one that takes a body 400, 413 and 415.\n\n\
         Times are RFC 3339, in UTC where the server writes them.\n\n\
         Three addresses are for people and for monitoring, and no part of the API: `/` is the [dashboard](../dashboard.md), \
         `/docs/` shows `/openapi.json` in a browser, and `/metrics` has the figures for Prometheus, on the listener of its own \
         that [`metrics.listen`](settings.md) names.",
    );
    let operations = operations();
    let mut by_tag: BTreeMap<&str, Vec<(&Operation, &Value)>> = BTreeMap::new();
    for operation in &operations {
        let method = method(operation).to_lowercase();
        let method = if method == "any" { "get" } else { method.as_str() };
        let documented = &document["paths"][operation.path][method];
        let tag = documented["tags"][0]
            .as_str()
            .unwrap_or_else(|| panic!("{method} {} has no tag in the OpenAPI document", operation.path));
        by_tag.entry(tag).or_default().push((operation, documented));
    }
    let tags: Vec<&Value> = document["tags"].as_array().unwrap().iter().collect();
    page.push('\n');
    for tag in &tags {
        let name = tag["name"].as_str().unwrap();
        writeln!(
            page,
            "- {}",
            one_line(tag["description"].as_str().unwrap_or(name))
        )
        .unwrap();
        for (operation, _) in by_tag.get(name).into_iter().flatten() {
            let title = title(operation);
            writeln!(page, "  - [`{title}`](#{})", anchor(&title)).unwrap();
        }
    }
    writeln!(page, "- [Types](#types)").unwrap();
    for tag in tags {
        let name = tag["name"].as_str().unwrap();
        write!(
            page,
            "\n## {}\n",
            one_line(tag["description"].as_str().unwrap_or(name))
        )
        .unwrap();
        for (operation, documented) in by_tag.remove(name).unwrap_or_default() {
            route(&mut page, operation, documented);
        }
    }
    assert!(
        by_tag.is_empty(),
        "tags that the OpenAPI document does not list: {:?}",
        by_tag.keys()
    );
    page.push_str("\n## Types\n\nWhat may be null may be absent from a request, and is from some answers.\n");
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        schemas::section(&mut page, name, schema);
    }
    page
}

fn method(operation: &Operation) -> &str {
    operation.method.as_ref().map_or("ANY", |method| method.as_str())
}

fn title(operation: &Operation) -> String {
    format!("{} {}", method(operation), operation.path)
}

fn route(page: &mut String, operation: &Operation, documented: &Value) {
    let text = ["summary", "description"].map(|part| documented[part].as_str().unwrap_or_default());
    // Whom it is for is said here in more words.
    let text = text.map(|text| text.split("Needs a key of type").next().unwrap_or_default());
    let text = text.map(one_line).join(" ");
    write!(
        page,
        "\n### {}\n\n{}\n\n- For {}.\n",
        title(operation),
        sentence(&text),
        caller(&operation.access)
    )
    .unwrap();
    for parameter in documented["parameters"].as_array().into_iter().flatten() {
        let place = match parameter["in"].as_str() {
            Some("path") => "in the path",
            Some("header") => "header",
            Some("cookie") => "cookie",
            _ => "in the query",
        };
        let needed = match (parameter["in"] == "path", parameter["required"] == true) {
            (false, true) => ", needed",
            _ => "",
        };
        writeln!(
            page,
            "- `{}`, {place}{needed}: {}. {}",
            parameter["name"].as_str().unwrap(),
            schemas::in_words(&parameter["schema"]),
            sentence(parameter["description"].as_str().unwrap_or_default()),
        )
        .unwrap();
        page.truncate(page.trim_end().len());
        page.push('\n');
    }
    if let Some(bodies) = documented["requestBody"]["content"].as_object() {
        let bodies = bodies.iter().map(|(kind, body)| of_type(kind, &body["schema"]));
        let what = documented["requestBody"]["description"]
            .as_str()
            .unwrap_or_default();
        let what = if what.is_empty() {
            String::new()
        } else {
            format!(" {}", sentence(what))
        };
        writeln!(
            page,
            "- Body: {}.{what}",
            bodies.collect::<Vec<_>>().join(", or ")
        )
        .unwrap();
    }
    let mut refusals = Vec::new();
    for (status, answer) in documented["responses"].as_object().into_iter().flatten() {
        let what = one_line(answer["description"].as_str().unwrap_or_default());
        if status.as_str() >= "400" {
            if !(USUAL.contains(&status.as_str()) && is_usual(&what)) {
                refusals.push(format!("  - {status}: {}", sentence(&what)));
            }
            continue;
        }
        let bodies: Vec<String> = answer["content"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(kind, body)| of_type(kind, &body["schema"]))
            .collect();
        let bodies = if bodies.is_empty() {
            String::new()
        } else {
            format!(": {}", bodies.join(", or "))
        };
        writeln!(page, "- **{status}** {what}{bodies}.").unwrap();
    }
    if !refusals.is_empty() {
        writeln!(page, "- Refusals:\n{}", refusals.join("\n")).unwrap();
    }
}

/// Whether every route says it in these words.
fn is_usual(what: &str) -> bool {
    [
        "The request is malformed",
        "No valid credential",
        "The caller's type, workspace or scopes do not allow it",
        "A part that the answer needs is down",
        "The body is too large",
        "The body is not JSON",
    ]
    .contains(&what)
}

fn of_type(kind: &str, schema: &Value) -> String {
    let what = if schema.is_null() {
        "anything".to_owned()
    } else {
        schemas::in_words(schema)
    };
    match kind {
        "application/json" => what,
        kind => format!("{what} as `{kind}`"),
    }
}

/// Who may call.
fn caller(access: &Access) -> String {
    let key = |need: &Need| {
        let types: Vec<&str> = need.types.iter().map(|kind| kind.as_str()).collect();
        let key = match types.as_slice() {
            [one] => format!("{one} keys"),
            _ => "keys".to_owned(),
        };
        match &need.scope {
            Some(scope) => format!("{key} with the scope `{scope}`"),
            None => key,
        }
    };
    let open = |need: &Need| match need.workspace {
        WorkspaceNeed::Optional => "; an instance key need not name a workspace",
        _ => "",
    };
    let role = |need: &Need| {
        if need.scope.is_some() {
            "people whose role permits it"
        } else {
            "people who are signed in"
        }
    };
    match access {
        Access::Anonymous => "anybody".to_owned(),
        Access::Asked => "callers who fulfil what the query asks for".to_owned(),
        Access::People => {
            "people who are signed in, in a session that is not confined to one workspace".to_owned()
        }
        Access::PeopleAnywhere => "people who are signed in".to_owned(),
        Access::PeopleUncounted => {
            "people who are signed in, however often the session has called".to_owned()
        }
        Access::Needs(need) => format!("{}, and {}{}", key(need), role(need), open(need)),
        Access::NeedsUnlessItself(need) => format!(
            "{}, the very key that the path names, and people: those whose role permits it, and others for their own keys",
            key(need)
        ),
        Access::NeedsUnlessOwnKeys(need) => {
            format!(
                "{}, and people: those whose role permits it, and others for their own keys",
                key(need)
            )
        }
        Access::NeedsUnlessVouched(need) => {
            format!("{}, and jobs that a trust rule lets in; no people", key(need))
        }
        Access::NeedsUnlessPerson(need) => format!("{}, and all people who are signed in", key(need)),
        Access::NeedsInWorkspace(need) => {
            format!(
                "{}, and people whose role permits it, in the workspace that the path names",
                key(need)
            )
        }
        Access::NeedsInWorkspaceUnlessOneself(need) => format!(
            "{}, and people whose role permits it, in the workspace that the path names; and the very person that it names",
            key(need)
        ),
    }
}
