//! The types of bodies, as OpenAPI describes them.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::markdown::{anchor, one_line, sentence};

/// A type in a few words, a named one with a link to where it stands.
pub(super) fn in_words(schema: &Value) -> String {
    if let Some(name) = named(schema) {
        return format!("[`{name}`](#{})", anchor(name));
    }
    for several in ["oneOf", "anyOf", "allOf"] {
        if let Some(of) = schema[several].as_array() {
            let mut words: Vec<String> = of.iter().map(in_words).collect();
            // What may be null is told last.
            words.sort_by_key(|word| word == "null");
            return words.join(if several == "allOf" { " with " } else { " or " });
        }
    }
    let mut words = match &schema["type"] {
        Value::Array(types) => {
            let mut schema = schema.clone();
            let types = types.iter().map(|kind| {
                schema["type"] = kind.clone();
                one_type(&schema)
            });
            types.collect::<Vec<_>>().join(" or ")
        }
        Value::String(_) => one_type(schema),
        _ => "anything".to_owned(),
    };
    words.push_str(&bounds(schema));
    if let Some(default) = schema["default"].as_u64() {
        write!(words, ", {default} if absent").unwrap();
    }
    words
}

fn named(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

fn one_type(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values
            .iter()
            .filter(|value| !value.is_null())
            .map(|value| {
                format!(
                    "`{}`",
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                )
            })
            .collect();
        if schema["type"] != "null" {
            return values.join(" or ");
        }
    }
    match schema["type"].as_str() {
        Some("array") => format!("list of {}", in_words(&schema["items"])),
        Some("object") if schema["additionalProperties"].is_object() => {
            format!("object of {}", in_words(&schema["additionalProperties"]))
        }
        Some("string") if schema["format"] == "date-time" => "time".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("integer" | "number") => "number".to_owned(),
        Some("string") => "text".to_owned(),
        Some(other) => other.to_owned(),
        None => "anything".to_owned(),
    }
}

fn bounds(schema: &Value) -> String {
    let range = |least: &str, most: &str, unit: &str| match (schema[least].as_u64(), schema[most].as_u64()) {
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
        (None, Some(most)) => Some(format!("up to {most}{unit}")),
        // That a number is not negative goes without saying.
        (Some(least), None) if least > 0 => Some(format!("at least {least}{unit}")),
        _ => None,
    };
    let bounds = range("minimum", "maximum", "")
        .or_else(|| range("minLength", "maxLength", " characters"))
        .or_else(|| range("minItems", "maxItems", " entries"));
    bounds.map_or_else(String::new, |bounds| format!(", {bounds}"))
}

/// The section of a named type.
pub(super) fn section(page: &mut String, name: &str, schema: &Value) {
    write!(page, "\n### {name}\n\n").unwrap();
    if let Some(text) = schema["description"].as_str() {
        writeln!(page, "{}\n", sentence(text)).unwrap();
    }
    let mut fields = Vec::new();
    collect(schema, &mut fields);
    if fields.is_empty() {
        writeln!(page, "{}.", capitalized(&in_words(schema))).unwrap();
    }
    for field in fields {
        page.push_str(&field);
    }
}

/// The fields of an object, also of one that is put together, and what else it may be.
fn collect(schema: &Value, fields: &mut Vec<String>) {
    let required: Vec<&str> = schema["required"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let none = Map::new();
    for (name, field) in schema["properties"].as_object().unwrap_or(&none) {
        let kind = in_words(field);
        // Of what may be null the types say that it may be absent.
        let is_there =
            required.contains(&name.as_str()) || kind.ends_with("or null") || kind.contains("or null,");
        let presence = if is_there { "" } else { ", may be absent" };
        let text = description(field).map_or_else(String::new, |text| format!(": {}", sentence(text)));
        fields.push(format!("- `{name}`, {kind}{presence}{text}\n"));
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        match named(part) {
            Some(_) => fields.push(format!("- all that {} has\n", in_words(part))),
            None => collect(part, fields),
        }
    }
    for several in ["oneOf", "anyOf"] {
        for part in schema[several].as_array().into_iter().flatten() {
            let text = part["description"]
                .as_str()
                .map_or_else(String::new, |text| format!(": {}", one_line(text)));
            if part["properties"].is_object() {
                fields.push(format!("- either{text}\n"));
                let mut within = Vec::new();
                collect(part, &mut within);
                fields.extend(within.into_iter().map(|field| format!("  {field}")));
            } else if part["type"] != "null" {
                fields.push(format!("- {}{text}\n", in_words(part)));
            }
        }
    }
}

/// What is said of a field, be it of one of the types that it may have.
fn description(field: &Value) -> Option<&str> {
    let parts = field["oneOf"].as_array().into_iter().flatten();
    let mut said = std::iter::once(field)
        .chain(parts)
        .filter_map(|part| part["description"].as_str());
    said.next()
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
