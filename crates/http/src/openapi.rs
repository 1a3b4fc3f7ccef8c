//! The OpenAPI document, and the pages that show it.

use actix_web::{
    HttpResponse,
    dev::Service as _,
    http::{Method, header},
    middleware::DefaultHeaders,
    web,
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        ContentBuilder, Ref, RefOr, Response, ResponseBuilder, Schema,
        path::{Operation as Documented, ParameterIn, PathItem},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_swagger_ui::SwaggerUi;

use crate::{
    App, access::Access, audit, auth, changes, health, hygiene, invitations, keys, members,
    routes::operations, sso, tokens, trust_rules, usage, webhooks, workspaces,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "TigerTrust",
        description = "Self-hosted authentication for API platforms: issue, validate and revoke API keys.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        health::live,
        health::ready,
        serve,
        auth::me::show,
        auth::profile::update,
        auth::profile::export,
        auth::profile::erase,
        auth::check::check,
        auth::login::login,
        auth::login::verify_second_factor,
        auth::login::logout,
        auth::links::forgot_password,
        auth::links::reset_password,
        auth::links::verify_email,
        auth::links::change_email,
        auth::sessions::list,
        auth::sessions::end,
        auth::sessions::end_others,
        auth::sessions::step_up,
        auth::sessions::change_password,
        auth::sessions::add_totp,
        auth::sessions::confirm_totp,
        auth::sessions::remove_totp,
        auth::sessions::renew_recovery_codes,
        auth::passkeys::list,
        auth::passkeys::start_registration,
        auth::passkeys::finish_registration,
        auth::passkeys::rename,
        auth::passkeys::remove,
        auth::passkeys::start_login,
        auth::passkeys::finish_login,
        keys::list,
        keys::create,
        keys::import,
        keys::show,
        keys::update,
        keys::rotate,
        keys::revoke,
        keys::verify,
        keys::report_leak,
        tokens::exchange,
        tokens::key_set,
        trust_rules::list,
        trust_rules::create,
        trust_rules::show,
        trust_rules::remove,
        changes::follow,
        hygiene::report,
        usage::of_key,
        usage::of_all,
        workspaces::list,
        workspaces::create,
        workspaces::show,
        workspaces::update,
        workspaces::delete,
        audit::list,
        audit::export,
        audit::checkpoint,
        members::list,
        members::add,
        members::show,
        members::update,
        members::remove,
        invitations::list,
        invitations::invite,
        invitations::revoke,
        invitations::accept,
        webhooks::list,
        webhooks::create,
        webhooks::show,
        webhooks::update,
        webhooks::remove,
        webhooks::rotate_secret,
        webhooks::test,
        webhooks::deliveries,
        webhooks::redeliver,
        sso::sign_in::discover,
        sso::sign_in::providers,
        sso::sign_in::begin,
        sso::sign_in::callback,
        sso::sign_in::backchannel_logout,
        sso::sign_in::acs,
        sso::sign_in::metadata,
        sso::identities::list,
        sso::identities::connect,
        sso::identities::disconnect,
        sso::connections::list,
        sso::connections::create,
        sso::connections::show,
        sso::connections::update,
        sso::connections::remove,
        sso::connections::test,
        sso::connections::refresh,
        sso::connections::create_scim_token,
        sso::connections::remove_scim_token,
        sso::domains::list,
        sso::domains::claim,
        sso::domains::verify,
        sso::domains::update,
        sso::domains::remove,
        sso::scim::list,
        sso::scim::create,
        sso::scim::show,
        sso::scim::replace,
        sso::scim::patch,
        sso::scim::remove,
        sso::scim::configuration,
        sso::scim::resource_types,
        sso::scim::schemas,
    ),
    components(schemas(tigertrust_wire::Problem, tigertrust_wire::SecondFactorRequired)),
    tags(
        (name = "auth", description = "Who calls, and whether it may pass"),
        (name = "keys", description = "API keys"),
        (name = "tokens", description = "Short-lived tokens, and which jobs get them without a key"),
        (name = "usage", description = "How often keys are used"),
        (name = "changes", description = "For caches elsewhere: what is no longer true"),
        (name = "audit", description = "Who did what"),
        (name = "workspaces", description = "Workspaces"),
        (name = "members", description = "Who is what in a workspace"),
        (name = "invitations", description = "Who is to become a member"),
        (name = "webhooks", description = "Programs that are told what happens in a workspace"),
        (name = "sso", description = "Single sign-on: OpenID Connect and SAML"),
        (name = "scim", description = "People as identity providers write them"),
        (name = "operations", description = "For whoever runs the server"),
    ),
    modifiers(&Schemes, &Presets, &Refusals),
)]
struct Document;

/// The OpenAPI 3.1 document. What each operation needs of its caller comes from [`operations`].
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations", operation_id = "openapi",
    responses((status = 200, description = "The OpenAPI 3.1 document", body = serde_json::Value)),
)]
pub(crate) async fn serve(_: web::Data<App>) -> HttpResponse {
    HttpResponse::Ok().json(document())
}

/// What the pages may load: only what the binary holds. Their styles are set by script, and their icons are in the
/// style sheet.
const UI_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                         connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The page that the interface of the documentation is drawn into. The package's own has no viewport, so that phones show it as small as a
/// desktop.
async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(include_str!("pages/docs.html"))
}

/// Mounts the pages under `/docs/`.
pub(crate) fn mount_ui(config: &mut web::ServiceConfig) {
    let headers = DefaultHeaders::new()
        .add((header::CONTENT_SECURITY_POLICY, UI_POLICY))
        .add((header::CACHE_CONTROL, "public, max-age=3600"));
    let pages = SwaggerUi::new("/{_:.*}").config(utoipa_swagger_ui::Config::from("/openapi.json"));
    config
        .service(web::redirect("/", "/docs/"))
        .service(web::redirect("/docs", "/docs/"))
        .service(
            web::scope("/docs")
                .wrap(headers)
                .wrap_fn(|mut request, pages| {
                    // RFC 9110 §9.3.2: HEAD is GET without the content, which the server leaves out; the pages know GET alone.
                    if request.method() == Method::HEAD {
                        request.head_mut().method = Method::GET;
                    }
                    pages.call(request)
                })
                .route("/", web::get().to(page))
                .route("/index.html", web::get().to(page))
                .service(pages),
        );
}

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "agentApiKey",
            SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
                "X-Agent-API-Key",
                "An API key, ak_… or ck_…",
            ))),
        );
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                "connect.sid",
                "The session of a person who is signed in; the server may call it otherwise",
            ))),
        );
        components.add_security_scheme(
            "bearer",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some("An API key, ak_… or ck_…"))
                    .build(),
            ),
        );
    }
}

/// What is documented once for every OpenID provider stands under the addresses of those that have one of their own, too; and
/// signing in by SAML begins in the same way.
struct Presets;

impl Modify for Presets {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let paths = &mut document.paths.paths;
        for end in ["", "/callback", "/backchannel-logout"] {
            let Some(documented) = paths.get(&format!("/api/auth/oidc/{{slug}}{end}")).cloned() else {
                continue;
            };
            for preset in ["google", "azure", "okta"] {
                let item = renamed(documented.clone(), preset, true);
                paths.insert(format!("/api/auth/{preset}{end}"), item);
            }
            if end.is_empty() {
                let item = renamed(documented, "saml", false);
                paths.insert("/api/auth/saml/{slug}".to_owned(), item);
            }
        }
    }
}

/// The same under another name, and without the parameter where the address has none.
fn renamed(mut item: PathItem, name: &str, without_slug: bool) -> PathItem {
    for operation in item.get.iter_mut().chain(item.post.iter_mut()) {
        let id = operation.operation_id.take().unwrap_or_default();
        operation.operation_id = Some(format!("{id}_{name}"));
        if let Some(parameters) = operation.parameters.as_mut().filter(|_| without_slug) {
            parameters
                .retain(|parameter| !matches!(parameter, RefOr::T(parameter) if parameter.name == "slug"));
        }
    }
    item
}

/// Adds to each operation what it needs of its caller, and how it refuses.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        // A verdict on a key that nobody knows tells nothing of it.
        let verified = document
            .components
            .as_mut()
            .and_then(|components| components.schemas.get_mut("VerifiedKey"));
        if let Some(RefOr::T(Schema::Object(verified))) = verified {
            verified.required.clear();
        }
        for operation in operations() {
            let Some(documented) = document
                .paths
                .paths
                .get_mut(operation.path)
                .and_then(|item| documented(item, &operation))
            else {
                continue;
            };
            let refusals: &[(&str, &str)] = match &operation.access {
                Access::Anonymous => &[],
                _ => &[
                    ("400", "The request is malformed"),
                    ("401", "No valid credential"),
                    ("403", "The caller's type, workspace or scopes do not allow it"),
                    ("503", "A part that the answer needs is down"),
                ],
            };
            for (status, description) in refusals {
                documented
                    .responses
                    .responses
                    .entry((*status).to_owned())
                    .or_insert_with(|| problem(description));
            }
            if operation.access.is_in_workspace() {
                documented
                    .responses
                    .responses
                    .entry("404".to_owned())
                    .or_insert_with(|| {
                        problem("No such workspace, member or invitation, or not in reach of the caller")
                    });
            }
            if !refusals.is_empty() {
                let schemes: &[&str] = match operation.access {
                    Access::People | Access::PeopleAnywhere | Access::PeopleUncounted => &["session"],
                    Access::NeedsUnlessVouched(_) => &["agentApiKey", "bearer"],
                    _ => &["agentApiKey", "bearer", "session"],
                };
                let mut requirements: Vec<SecurityRequirement> = schemes
                    .iter()
                    .map(|scheme| SecurityRequirement::new(*scheme, Vec::<String>::new()))
                    .collect();
                // Who presents neither says who it is in the body.
                if matches!(operation.access, Access::NeedsUnlessVouched(_)) {
                    requirements.push(SecurityRequirement::default());
                }
                documented.security = Some(requirements);
            }
            let asks = documented.parameters.iter().flatten().any(
                |parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query),
            );
            if asks || documented.request_body.is_some() {
                documented
                    .responses
                    .responses
                    .entry("400".to_owned())
                    .or_insert_with(|| problem("The request is malformed"));
            }
            if documented.request_body.is_some() {
                for (status, description) in
                    [("413", "The body is too large"), ("415", "The body is not JSON")]
                {
                    documented
                        .responses
                        .responses
                        .entry(status.to_owned())
                        .or_insert_with(|| problem(description));
                }
            }
            if let Some(need) = operation.access.need().filter(|_| {
                !matches!(
                    operation.access,
                    Access::People | Access::PeopleAnywhere | Access::PeopleUncounted
                )
            }) {
                let types: Vec<&str> = need.types.iter().map(|kind| kind.as_str()).collect();
                let scope = need
                    .scope
                    .as_ref()
                    .map_or_else(String::new, |scope| format!(" with the scope `{scope}`"));
                let otherwise = match operation.access {
                    Access::NeedsUnlessVouched(_) => "a job that a trust rule lets in",
                    _ => "a person whose role permits it",
                };
                let needs = format!(
                    "Needs a key of type {}{scope}, or {otherwise}.",
                    types.join(" or ")
                );
                let text = documented
                    .description
                    .take()
                    .map_or(needs.clone(), |text| format!("{text}\n\n{needs}"));
                documented.description = Some(text);
            }
        }
    }
}

fn documented<'a>(item: &'a mut PathItem, operation: &crate::Operation) -> Option<&'a mut Documented> {
    match operation.method.as_ref().map(actix_web::http::Method::as_str) {
        None | Some("GET") => item.get.as_mut(),
        Some("POST") => item.post.as_mut(),
        Some("PUT") => item.put.as_mut(),
        Some("PATCH") => item.patch.as_mut(),
        Some("DELETE") => item.delete.as_mut(),
        Some(_) => None,
    }
}

fn problem(description: &str) -> RefOr<Response> {
    let schema = Ref::from_schema_name("Problem");
    RefOr::T(
        ResponseBuilder::new()
            .description(description)
            .content(
                "application/problem+json",
                ContentBuilder::new().schema(Some(schema)).build(),
            )
            .build(),
    )
}
