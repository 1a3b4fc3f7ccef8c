//! How a provider is asked: the fields of the form, and the part of a request that they make. Each field is called as the API
//! points to it, so that what is wrong is said beside it.

use maud::{Markup, html};
use serde_json::{Value, json};
use tigertrust_accounts::sso::{OidcSettings, ProviderSettings, SamlConnection};
use tigertrust_http::ApiError;
use tigertrust_wire::FieldProblem;

use super::kind::Kind;
use crate::{
    components::{Input, checkbox, input, textarea},
    form::{Fields, Filled},
};

/// The names of what says for itself what is wrong with it, to begin with.
pub(super) const FIELDS: [&str; 2] = ["oidc", "saml"];

/// The fields, as they are at present or empty.
pub(super) fn fields(form: &Filled, kind: Kind, present: Option<&ProviderSettings>) -> Markup {
    match (kind, present) {
        (Kind::Saml, Some(ProviderSettings::Saml(saml))) => saml_fields(form, Some(saml)),
        (Kind::Saml, _) => saml_fields(form, None),
        (_, Some(ProviderSettings::Oidc(oidc))) => oidc_fields(form, kind, Some(oidc)),
        _ => oidc_fields(form, kind, None),
    }
}

/// What the form says, as the part of a request that it is.
pub(super) fn body(kind: Kind, fields: &Fields) -> (&'static str, Value) {
    match kind {
        Kind::Saml => ("saml", saml_body(fields)),
        _ => ("oidc", oidc_body(kind, fields)),
    }
}

fn oidc_fields(form: &Filled, kind: Kind, present: Option<&OidcSettings>) -> Markup {
    let of = |text: fn(&OidcSettings) -> String| present.map(text).unwrap_or_default();
    let issuer = input(
        form,
        &Input {
            name: "oidc/issuer",
            label: "Issuer",
            kind: "url",
            hint: issuer_hint(kind),
            value: &of(|oidc| oidc.issuer.clone()),
            required: kind != Kind::Google,
            ..Input::default()
        },
    );
    let scopes = match present {
        Some(oidc) => oidc.scopes.join("\n"),
        None => OidcSettings::USUAL_SCOPES.join("\n"),
    };
    let lines = |name, label, hint, value: &str| {
        textarea(
            form,
            &Input {
                name,
                label,
                hint,
                value,
                ..Input::default()
            },
            3,
        )
    };
    html! {
        @if kind != Kind::Google { (issuer) }
        (input(form, &Input {
            name: "oidc/clientId", label: "Client id", value: &of(|oidc| oidc.client_id.clone()), required: true, ..Input::default()
        }))
        (input(form, &Input {
            name: "oidc/clientSecret", label: "Client secret", kind: "password", autocomplete: "new-password",
            hint: match present {
                None => "It is kept encrypted, and never shown again. A public client has none.",
                Some(_) => "Leave it empty to keep the present one. With another issuer or client id it is asked for anew.",
            },
            ..Input::default()
        }))
        @if kind == Kind::Azure {
            (lines(
                "oidc/tenants", "Tenants",
                "Only with an issuer that all tenants share, “common” or “organizations”: the ids of those that may sign in, one a line.",
                &of(|oidc| oidc.tenants.join("\n")),
            ))
        }
        details open[["issuer", "allowedDomains", "scopes", "groupsClaim"].iter().any(|name| is_noteworthy(form, kind, name))] {
            summary { "More" }
            div.stack {
                @if kind == Kind::Google { (issuer) }
                (lines(
                    "oidc/allowedDomains", "Domains that may sign in", domains_hint(kind), &of(|oidc| oidc.allowed_domains.join("\n")),
                ))
                (lines("oidc/scopes", "Scopes", "What is asked for beside “openid”, one a line.", &scopes))
                (input(form, &Input {
                    name: "oidc/groupsClaim", label: "Claim with the groups", hint: "Such as “groups”. Nobody’s groups are looked at without it.",
                    value: &of(|oidc| oidc.groups_claim.clone().unwrap_or_default()), ..Input::default()
                }))
            }
        }
    }
}

/// Whether something is wrong with a field that is folded away.
fn is_noteworthy(form: &Filled, kind: Kind, name: &str) -> bool {
    let is_folded = name != "issuer" || kind == Kind::Google;
    is_folded && form.error(&format!("oidc/{name}")).is_some()
}

const fn issuer_hint(kind: Kind) -> &'static str {
    match kind {
        Kind::Google => "Google’s is known: leave it empty.",
        Kind::Azure => {
            "https://login.microsoftonline.com/TENANT/v2.0 with the Directory (tenant) ID in place of TENANT."
        }
        Kind::Okta => {
            "The organisation’s, such as https://acme.okta.com, without a slash at its end; or that of an authorization server, …/oauth2/default."
        }
        Kind::Oidc | Kind::Saml => {
            "Letter by letter as the provider’s /.well-known/openid-configuration has it: a slash at its end makes another one."
        }
    }
}

const fn domains_hint(kind: Kind) -> &'static str {
    match kind {
        Kind::Google => {
            "Primary domains of Google Workspace, one a line. Every Workspace may if there is none."
        }
        _ => "What has to follow the @ of an address, one a line. Everybody may if there is none.",
    }
}

fn oidc_body(kind: Kind, fields: &Fields) -> Value {
    json!({
        "preset": kind.preset().as_str(),
        "issuer": fields.text("oidc/issuer"),
        "clientId": fields.or_empty("oidc/clientId"),
        "clientSecret": fields.text("oidc/clientSecret"),
        "scopes": fields.lines("oidc/scopes"),
        "allowedDomains": fields.lines("oidc/allowedDomains"),
        "tenants": fields.lines("oidc/tenants"),
        "groupsClaim": fields.text("oidc/groupsClaim"),
    })
}

fn saml_fields(form: &Filled, present: Option<&SamlConnection>) -> Markup {
    let url = present.and_then(|saml| saml.metadata_url.as_deref());
    let was_sent = form.fields.raw("saml/metadata").is_some();
    let is_checked = |name: &str, present: bool| match was_sent {
        true => form.fields.is_checked(name),
        false => present,
    };
    html! {
        fieldset.stack {
            legend { "The provider’s metadata" }
            p.hint {
                "By its address, or as the document."
                @if present.is_some() && url.is_none() { " It was given as a document, which is not kept as it was: give it again to change anything here." }
            }
            (input(form, &Input {
                name: "saml/metadataUrl", label: "Address of the metadata", kind: "url", value: url.unwrap_or_default(),
                hint: "By https. It can be fetched anew with a click when the provider changes its certificate.", ..Input::default()
            }))
            div.field.with-script hidden {
                label for="metadata-file" { "Metadata file" }
                p.hint id="metadata-file-hint" { "It is read into the box below, and goes nowhere else." }
                input id="metadata-file" type="file" accept=".xml,text/xml,application/xml,application/samlmetadata+xml"
                    aria-describedby="metadata-file-hint" data-file-into="saml/metadata";
            }
            (textarea(form, &Input {
                name: "saml/metadata", label: "Metadata", hint: "Paste the document here. It begins with <EntityDescriptor or <?xml.", ..Input::default()
            }, 6))
        }
        (checkbox(
            "saml/signRequests", "yes", "Sign requests", "By a key of the connection’s own, whose certificate is in our metadata.",
            is_checked("saml/signRequests", present.is_none_or(|saml| saml.signing_certificate.is_some())),
        ))
        details open[["entityId", "attributes"].iter().any(|name| form.error(&format!("saml/{name}")).is_some())] {
            summary { "More" }
            div.stack {
                (input(form, &Input {
                    name: "saml/entityId", label: "Entity id of the provider", hint: "Only where the metadata describes several.",
                    ..Input::default()
                }))
                (attributes(form, present))
                (checkbox(
                    "saml/allowUnsolicited", "yes", "Accept responses that answer no request",
                    "As from a tile in a portal. Leave it off: whoever has such a response can sign somebody else’s browser in. Let the tile lead to where signing in begins.",
                    is_checked("saml/allowUnsolicited", present.is_some_and(|saml| saml.allows_unsolicited)),
                ))
            }
        }
    }
}

fn attributes(form: &Filled, present: Option<&SamlConnection>) -> Markup {
    let present = present.map(|saml| &saml.attributes);
    let attribute = |name, label, hint, value: Option<&String>| {
        input(
            form,
            &Input {
                name,
                label,
                hint,
                value: value.map(String::as_str).unwrap_or_default(),
                ..Input::default()
            },
        )
    };
    html! {
        (attribute(
            "saml/attributes/subject", "Attribute with the person’s id", "The NameID if empty. Another one makes everybody somebody else.",
            present.and_then(|names| names.subject.as_ref()),
        ))
        (attribute("saml/attributes/email", "Attribute with the address", "The usual names are tried if empty.", present.and_then(|names| names.email.as_ref())))
        (attribute("saml/attributes/name", "Attribute with the name", "", present.and_then(|names| names.name.as_ref())))
        (attribute("saml/attributes/groups", "Attribute with the groups", "", present.and_then(|names| names.groups.as_ref())))
    }
}

fn saml_body(fields: &Fields) -> Value {
    json!({
        "metadata": fields.text("saml/metadata"),
        "metadataUrl": fields.text("saml/metadataUrl"),
        "entityId": fields.text("saml/entityId"),
        "attributes": {
            "subject": fields.text("saml/attributes/subject"),
            "email": fields.text("saml/attributes/email"),
            "name": fields.text("saml/attributes/name"),
            "groups": fields.text("saml/attributes/groups"),
        },
        "allowUnsolicited": fields.is_checked("saml/allowUnsolicited"),
        "signRequests": fields.is_checked("saml/signRequests"),
    })
}

/// A form that was refused. What is wrong with a SAML provider altogether is wrong with its metadata, and said beside that.
pub(super) fn refused(fields: &Fields, error: &ApiError) -> Filled {
    let metadata = match (fields.text("saml/metadata"), fields.text("saml/metadataUrl")) {
        (None, Some(_)) => "/saml/metadataUrl",
        _ => "/saml/metadata",
    };
    let place = |mistake: FieldProblem| match mistake.pointer.as_str() {
        "/saml" => FieldProblem {
            pointer: metadata.to_owned(),
            ..mistake
        },
        _ => mistake,
    };
    let mut problem = error.problem().clone();
    problem.errors = problem.errors.into_iter().map(place).collect();
    Filled::refused(fields, &problem.into())
}
