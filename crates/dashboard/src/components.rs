//! Parts that pages are put together from.

use maud::{Markup, PreEscaped, html};
use tigertrust_http::page;
use tigertrust_model::KeyState;

use crate::{
    form::{Filled, ONCE, TOKEN},
    visitor::Visitor,
};

/// The fields that bind a form to the session, and tell it from others.
pub(crate) fn token(visitor: &Visitor) -> Markup {
    html! {
        input type="hidden" name=(TOKEN) value=(visitor.form_token());
        input type="hidden" name=(ONCE) value=(page::form_name(visitor.app()));
    }
}

/// The button of a form.
pub(crate) fn submit(text: &str) -> Markup {
    html! { button.button.primary type="submit" { (text) } }
}

/// The button of a form that ends or takes something away.
pub(crate) fn submit_danger(text: &str) -> Markup {
    html! { button.button.danger type="submit" { (text) } }
}

/// Something went wrong.
pub(crate) fn alert(text: &str) -> Markup {
    html! { p.banner.bad role="alert" tabindex="-1" { (text) } }
}

/// Something was done.
pub(crate) fn done(text: &str) -> Markup {
    html! { p.banner.good role="status" { (text) } }
}

/// Something to know before going on.
pub(crate) fn warning(content: &Markup) -> Markup {
    html! { div.banner.warn { (content) } }
}

/// A line to type in.
pub(crate) struct Input<'a> {
    /// The name that the API has for it.
    pub(crate) name: &'a str,
    /// What it is called.
    pub(crate) label: &'a str,
    /// What to know before typing.
    pub(crate) hint: &'a str,
    /// The type of the input, such as `email`.
    pub(crate) kind: &'a str,
    /// What browsers may fill in.
    pub(crate) autocomplete: &'a str,
    /// What stands there if nothing was typed yet.
    pub(crate) value: &'a str,
    /// Whether something must be typed.
    pub(crate) required: bool,
}

impl Default for Input<'_> {
    fn default() -> Self {
        Self {
            name: "",
            label: "",
            hint: "",
            kind: "text",
            autocomplete: "off",
            value: "",
            required: false,
        }
    }
}

/// A line to type in, with what is wrong with it. A password that was typed is never shown again.
pub(crate) fn input(form: &Filled, input: &Input<'_>) -> Markup {
    let typed = form.fields.raw(input.name).unwrap_or(input.value);
    let is_secret = input.kind == "password" || input.autocomplete == "one-time-code";
    let value = (!is_secret).then_some(typed);
    labelled(form, input.name, input.label, input.hint, |described, invalid| {
        html! {
            input id=(input.name) name=(input.name) type=(input.kind) autocomplete=(input.autocomplete) value=[value]
                required[input.required] aria-describedby=[described] aria-invalid=[invalid];
        }
    })
}

/// Lines to type in.
pub(crate) fn textarea(form: &Filled, input: &Input<'_>, rows: u8) -> Markup {
    let typed = form.fields.raw(input.name).unwrap_or(input.value);
    labelled(form, input.name, input.label, input.hint, |described, invalid| {
        html! {
            textarea id=(input.name) name=(input.name) rows=(rows) spellcheck="false" required[input.required]
                aria-describedby=[described] aria-invalid=[invalid] { (typed) }
        }
    })
}

/// One of several: each with its value and what it is called.
pub(crate) fn select(form: &Filled, input: &Input<'_>, options: &[(&str, &str)]) -> Markup {
    let chosen = form.fields.raw(input.name).unwrap_or(input.value);
    labelled(form, input.name, input.label, input.hint, |described, invalid| {
        html! {
            select id=(input.name) name=(input.name) aria-describedby=[described] aria-invalid=[invalid] {
                @for (value, text) in options { option value=(value) selected[*value == chosen] { (text) } }
            }
        }
    })
}

/// A box to check.
pub(crate) fn checkbox(name: &str, value: &str, label: &str, hint: &str, checked: bool) -> Markup {
    choice("checkbox", name, value, label, hint, checked)
}

/// One of several, each with what it means.
pub(crate) fn radio(name: &str, value: &str, label: &str, hint: &str, checked: bool) -> Markup {
    choice("radio", name, value, label, hint, checked)
}

fn choice(kind: &str, name: &str, value: &str, label: &str, hint: &str, checked: bool) -> Markup {
    let id = format!("{name}-{}", value.replace([':', '*', '.', ' '], "-"));
    let described = (!hint.is_empty()).then(|| format!("{id}-hint"));
    html! {
        div.choice {
            input id=(id) name=(name) type=(kind) value=(value) checked[checked] aria-describedby=[&described];
            div {
                label for=(id) { (label) }
                @if let Some(described) = &described { span.hint id=(described) { (hint) } }
            }
        }
    }
}

/// Several choices under one name, with what is wrong with them.
pub(crate) fn choices(form: &Filled, name: &str, legend: &str, hint: &str, content: &Markup) -> Markup {
    html! {
        fieldset.field {
            legend { (legend) }
            @if !hint.is_empty() { p.hint { (hint) } }
            (content)
            @if let Some(error) = form.error(name) { p.error { (error) } }
        }
    }
}

fn labelled(
    form: &Filled,
    name: &str,
    label: &str,
    hint: &str,
    control: impl FnOnce(Option<String>, Option<&str>) -> Markup,
) -> Markup {
    let error = form.error(name);
    let parts = [
        (!hint.is_empty()).then(|| format!("{name}-hint")),
        error.is_some().then(|| format!("{name}-error")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let described = (!parts.is_empty()).then(|| parts.join(" "));
    html! {
        div.field {
            label for=(name) { (label) }
            @if !hint.is_empty() { p.hint id={ (name) "-hint" } { (hint) } }
            (control(described, error.is_some().then_some("true")))
            @if let Some(error) = error { p.error id={ (name) "-error" } { (error) } }
        }
    }
}

/// What is wrong with a form altogether; `fields` are those that say for themselves what is wrong with them.
pub(crate) fn summary(form: &Filled, fields: &[&str]) -> Markup {
    html! { @if let Some(text) = form.summary(fields) { (alert(&text)) } }
}

/// A word that says how something is.
pub(crate) fn badge(kind: &str, text: &str) -> Markup {
    html! { span class={ "badge " (kind) } { (text) } }
}

/// How a key is.
pub(crate) fn key_state(state: KeyState) -> Markup {
    let kind = match state {
        KeyState::Active => "good",
        KeyState::Deactivated => "warn",
        KeyState::Expired | KeyState::Revoked => "bad",
    };
    badge(kind, state.as_str())
}

/// Something to copy; the button is there where there is JavaScript.
pub(crate) fn copyable(id: &str, text: &str, what: &str) -> Markup {
    html! {
        div.copyable {
            code id=(id) { (text) }
            button.button.with-script type="button" hidden data-copy=(id) aria-label={ "Copy " (what) } { "Copy" }
        }
    }
}

/// Lines to copy.
pub(crate) fn copyable_lines(id: &str, text: &str, what: &str) -> Markup {
    html! {
        div.copyable {
            pre tabindex="0" { code id=(id) { (text) } }
            button.button.with-script type="button" hidden data-copy=(id) aria-label={ "Copy " (what) } { "Copy" }
        }
    }
}

/// There is nothing yet, and what to do about that.
pub(crate) fn empty(title: &str, text: &str, action: Option<(&str, &str)>) -> Markup {
    html! {
        div.empty {
            h2 { (title) }
            p { (text) }
            @if let Some((path, text)) = action { a.button.primary href=(path) { (text) } }
        }
    }
}

/// The way on in a list.
pub(crate) fn next_page(path: Option<String>) -> Markup {
    html! { @if let Some(path) = path { nav.pager aria-label="Pages" { a.button href=(path) { "Next page" } } } }
}

/// A picture that was drawn here, such as a QR code.
pub(crate) fn drawn(svg: &str) -> Markup {
    PreEscaped(svg.to_owned())
}

/// Asks whether something is to be done that cannot be undone, and says what it breaks.
pub(crate) struct Confirm<'a> {
    /// What is to be done, as a question.
    pub(crate) title: &'a str,
    /// What it will break.
    pub(crate) content: Markup,
    /// Fields of the form.
    pub(crate) fields: Markup,
    /// What the button says.
    pub(crate) button: &'a str,
    /// Where somebody goes who will not.
    pub(crate) back: &'a str,
}

/// See [`Confirm`].
pub(crate) fn confirm(visitor: &Visitor, form: &Filled, confirm: &Confirm<'_>) -> Markup {
    html! {
        section.card.narrow {
            h1 { (confirm.title) }
            (summary(form, &[]))
            (confirm.content)
            form method="post" action=(visitor.request().uri().path()) {
                (token(visitor))
                (confirm.fields)
                div.actions {
                    (submit_danger(confirm.button))
                    a.button.quiet href=(confirm.back) { "Cancel" }
                }
            }
        }
    }
}

/// One of many, which stand in groups: each with its value and what it is called. Nothing is chosen under the name `all`.
pub(crate) fn select_grouped(
    form: &Filled,
    input: &Input<'_>,
    all: &str,
    groups: &[(&str, Vec<(String, String)>)],
) -> Markup {
    let chosen = form.fields.text(input.name).unwrap_or(input.value);
    labelled(form, input.name, input.label, input.hint, |described, invalid| {
        html! {
            select id=(input.name) name=(input.name) aria-describedby=[described] aria-invalid=[invalid] {
                option value="" { (all) }
                @for (title, options) in groups {
                    optgroup label=(title) {
                        @for (value, text) in options { option value=(value) selected[value == chosen] { (text) } }
                    }
                }
            }
        }
    })
}

/// A line to type in, for which some values are suggested: each with what it stands for.
pub(crate) fn input_among(form: &Filled, input: &Input<'_>, suggestions: &[(String, String)]) -> Markup {
    let typed = form.fields.raw(input.name).unwrap_or(input.value);
    let list = format!("{}-among", input.name);
    labelled(form, input.name, input.label, input.hint, |described, invalid| {
        html! {
            input id=(input.name) name=(input.name) type=(input.kind) autocomplete=(input.autocomplete) value=(typed) list=(list)
                required[input.required] aria-describedby=[described] aria-invalid=[invalid];
            datalist id=(list) { @for (value, text) in suggestions { option value=(value) { (text) } } }
        }
    })
}
